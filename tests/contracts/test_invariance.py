"""Nothing that should not matter matters: order of rows, columns and statements, and the units of the variables."""

from __future__ import annotations

import numpy as np
import pytest

import trustsem as ts
from helpers import every_number, holzinger, quietly
from trustsem.estimators import available, find

ESTIMATORS = available()
SCALE_FREE = [name for name in ESTIMATORS if find(name).chisq_is_asymptotic]
ITEMS = [f"x{k}" for k in range(1, 10)]
CFA = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
SEM = CFA + "\nspeed ~ visual + textual + ageyr\nvisual ~ ageyr\nx1 ~~ x4"
LINEAR = "visual =~ x1 + a*x2 + b*x3\ntextual =~ x4 + c*x5 + d*x6\nx1 ~~ v*x1\nx2 ~~ w*x2\nv == w\nx5 ~~ r*x5\nx6 ~~ s*x6\nr == 2*s"
NONLINEAR = "visual =~ x1 + a*x2 + b*x3\nx1 ~~ v*x1\nx2 ~~ w*x2\nx3 ~~ u*x3\nv*w == u^2"
ACTIVE = "visual =~ x1 + a*x2 + b*x3 + x4\nx1 ~~ v*x1\nx2 ~~ w*x2\nv > w"
BOUNDED = "visual =~ x1 + x2 + x3 + x4\nx1 ~~ v*x1\nx2 ~~ w*x2\nv == w"


@pytest.fixture(scope="module")
def data():
    return holzinger()


def fit(text, frame, estimator="ML", **options):
    return quietly(ts.sem, text, frame, estimator=estimator, **options)


def by_name(found):
    """Estimates and standard errors by parameter, whichever way round a covariance is written."""
    table = found.parameter_estimates()
    return {(*sorted((row.lhs, row.rhs)), row.op) if row.op == "~~" else (row.lhs, row.rhs, row.op): (row.est, row.se) for row in table.itertuples()}


def chisq(found):
    assert found.converged, found.reason
    return float(found.problem.multiplier.sum() * found.estimate.discrepancy)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("text", [CFA, SEM])
def test_order_and_number_of_columns_do_not_matter_at_all(data, text, estimator):
    first = fit(text, data, estimator)
    second = fit(text, data[data.columns[::-1]].assign(noise=1.0), estimator)
    for (name, one), (_, other) in zip(every_number(first), every_number(second), strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_order_of_the_rows_matters_to_rounding_only(data, estimator):
    first, second = fit(SEM, data, estimator), fit(SEM, data.sample(frac=1.0, random_state=1), estimator)
    np.testing.assert_allclose(first.fit_measures(), second.fit_measures(), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(first.estimate.theta, second.estimate.theta, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_order_of_the_statements_does_not_matter(data, estimator):
    first = fit(SEM, data, estimator)
    second = fit("\n".join(reversed(SEM.split("\n"))), data, estimator)
    assert chisq(second) == pytest.approx(chisq(first), rel=1e-10)
    one, other = by_name(first), by_name(second)
    assert set(one) == set(other)
    for name, numbers in one.items():
        np.testing.assert_allclose(other[name], numbers, rtol=1e-6, atol=1e-7, err_msg=str(name))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_order_of_the_groups_does_not_matter(data, estimator):
    one = fit(CFA, data, estimator, group="school", group_label=["Pasteur", "Grant-White"], group_equal="loadings")
    other = fit(CFA, data, estimator, group="school", group_label=["Grant-White", "Pasteur"], group_equal="loadings")
    assert chisq(other) == pytest.approx(chisq(one), rel=1e-10)


@pytest.mark.parametrize("factor", [1e-9, 1e-6, 1e-3, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_one_unit_for_all_changes_nothing_but_the_units(data, estimator, factor):
    first, second = fit(CFA, data[ITEMS], estimator), fit(CFA, data[ITEMS] * factor, estimator)
    power = 1 if find(estimator).chisq_is_asymptotic else factor**4
    assert chisq(second) / power == pytest.approx(chisq(first), rel=1e-8)
    one, other = first.parameter_estimates(standardized=True), second.parameter_estimates(standardized=True)
    unit = np.where(one["op"] == "~~", factor**2, 1.0)
    np.testing.assert_allclose(other["est"] / unit, one["est"], rtol=1e-6)
    if find(estimator).chisq_is_asymptotic:
        np.testing.assert_allclose(other["se"] / unit, one["se"], rtol=1e-6)
    np.testing.assert_allclose(other["std_all"], one["std_all"], rtol=1e-6)


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1e3, 1e6])
@pytest.mark.parametrize("estimator", SCALE_FREE)
@pytest.mark.parametrize("text", [CFA, SEM])
def test_units_of_single_variables_change_nothing_but_their_units(data, estimator, text, factor):
    units = {name: factor ** ((k % 3) - 1) for k, name in enumerate([*ITEMS, "ageyr"])}
    first = fit(text, data, estimator)
    second = fit(text, data.assign(**{name: data[name] * unit for name, unit in units.items()}), estimator)
    assert chisq(second) == pytest.approx(chisq(first), rel=1e-9)
    one, other = first.standardized_solution(), second.standardized_solution()
    np.testing.assert_allclose(other["est_std"], one["est_std"], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(other["se"], one["se"], rtol=1e-5, atol=1e-8)
    for measure in ("cfi", "tli", "rmsea", "rmsea_ci_upper", "srmr", "gfi", "pvalue", "baseline_chisq"):
        assert second.fit_measures()[measure] == pytest.approx(first.fit_measures()[measure], rel=1e-6, abs=1e-8), measure
    for kind in ("cor", "normalized", "standardized"):
        moments, again = first.residuals(kind)["cov"], second.residuals(kind)["cov"]
        np.testing.assert_allclose(again, moments, rtol=1e-4, atol=1e-6, err_msg=kind)
    np.testing.assert_allclose(second.modindices()["mi"], first.modindices()["mi"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(second.rsquare(), first.rsquare(), rtol=1e-6)
    # An estimate has the units of what it connects; markers give factors the units of their first indicator.
    markers = {"visual": "x1", "textual": "x4", "speed": "x7"}

    def unit(name):
        return units[markers.get(name, name)]

    table, again = first.parameter_estimates(), second.parameter_estimates()
    for row, new in zip(table.itertuples(), again.itertuples(), strict=True):
        change = (
            unit(row.lhs) * unit(row.rhs) if row.op == "~~" else unit(row.lhs) / unit(row.rhs) if row.op == "~" else unit(row.rhs) / unit(row.lhs)
        )
        assert new.est / change == pytest.approx(row.est, rel=2e-6, abs=1e-8), (row.lhs, row.op, row.rhs)
        assert new.se / change == pytest.approx(row.se, rel=2e-6, abs=1e-10), (row.lhs, row.op, row.rhs)


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1e3, 1e6])
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("text", [LINEAR, NONLINEAR, ACTIVE, BOUNDED])
def test_constraints_do_not_depend_on_the_units(data, text, estimator, factor):
    options = {"bounds": "pos_var"} if text is BOUNDED else {}
    first, second = fit(text, data[ITEMS], estimator, **options), fit(text, data[ITEMS] * factor, estimator, **options)
    power = 1 if find(estimator).chisq_is_asymptotic else factor**4
    assert chisq(second) / power == pytest.approx(chisq(first), rel=1e-7, abs=1e-9)
    assert second.identified == first.identified
    assert second.df == first.df
    assert [warning.code for warning in second.warnings] == [warning.code for warning in first.warnings]
    one, other = first.parameter_estimates(), second.parameter_estimates()
    unit = np.where(one["op"] == "~~", factor**2, 1.0)
    np.testing.assert_allclose(other["est"] / unit, one["est"], rtol=1e-5, atol=1e-9)
    if find(estimator).chisq_is_asymptotic:
        np.testing.assert_allclose(other["se"] / unit, one["se"], rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("estimator", SCALE_FREE)
def test_how_a_factor_is_scaled_does_not_matter(data, estimator):
    marker, unit = fit(CFA, data, estimator), fit(CFA, data, estimator, std_lv=True)
    other = fit("visual =~ NA*x1 + 1*x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9", data, estimator)
    assert chisq(unit) == pytest.approx(chisq(marker), rel=1e-9)
    assert chisq(other) == pytest.approx(chisq(marker), rel=1e-9)
    np.testing.assert_allclose(
        unit.parameter_estimates(standardized=True)["std_all"], marker.parameter_estimates(standardized=True)["std_all"], rtol=1e-6
    )


@pytest.mark.parametrize("estimator", [name for name in ESTIMATORS if find(name).needs_rows])
def test_moments_are_refused_where_they_are_not_enough(data, estimator):
    with pytest.raises(ts.DataError, match="rows of the data"):
        ts.sem(CFA, sample_cov=data[ITEMS].cov(), sample_nobs=len(data), estimator=estimator)


@pytest.mark.parametrize("estimator", [name for name in ESTIMATORS if not find(name).needs_rows])
def test_rows_and_their_moments_give_the_same_fit(data, estimator):
    from_rows = fit(CFA, data, estimator)
    from_moments = quietly(ts.sem, CFA, sample_cov=data[ITEMS].cov(), sample_nobs=len(data), estimator=estimator)
    np.testing.assert_allclose(from_moments.fit_measures(), from_rows.fit_measures(), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(from_moments.estimate.theta, from_rows.estimate.theta, rtol=1e-7)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_where_it_starts_does_not_matter(data, estimator):
    first = fit(CFA, data, estimator)
    far = {name: 3.0 if "=~" in name else 2.0 for name in first.coef().index if name.count("~~") == 0 or name.split("~~")[0] == name.split("~~")[1]}
    second = fit(CFA, data, estimator, start=far)
    assert second.estimate.iterations > 0
    assert chisq(second) == pytest.approx(chisq(first), rel=1e-10)
    np.testing.assert_allclose(second.coef(), first.coef(), rtol=1e-6)
