"""Model-implied instruments: which there are, what their estimates and errors are, and what is said where there are too few."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import trustsem as ts
from helpers import holzinger
from trustsem.appraisal.identification.equations import diagram_of, estimate_equations, loadings_of
from trustsem.appraisal.identification.miiv import miiv
from trustsem.appraisal.identification.reading import read_model
from trustsem.data.frames import sample_from_frame
from trustsem.inference.latent_to_observed import equations_of, scalings_of
from trustsem.inference.moment_errors import sampled_moments
from trustsem.inference.two_stage import two_stage
from trustsem.model.problem import implied
from trustsem.model.ram import compile_model
from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for

DEMOCRACY = """ind60 =~ x1 + x2 + x3\ndem60 =~ y1 + y2 + y3 + y4\ndem65 =~ y5 + y6 + y7 + y8\ndem60 ~ ind60\ndem65 ~ ind60 + dem60
y1 ~~ y5\ny2 ~~ y4 + y6\ny3 ~~ y7\ny4 ~~ y8\ny6 ~~ y8"""
MODELS = {
    "democracy": DEMOCRACY,
    "theory": ts.load_theory("metz2022").syntax(),
    "predictors": ts.load_theory("metz2022").with_strategies("predictors").syntax(),
    "second order": "f =~ a + b + c\ng =~ d + e + h\nk =~ p + q + r\ns =~ f + g + k\ny ~ s",
    "feedback": "f =~ a + b + c\ng =~ d + e + h\nf ~ g + x1\ng ~ f + x2",
    "cross-loading": "f =~ a + b + c\ng =~ d + e + h + c\ng ~ f",
    "covariate": "f =~ a + b + c\nf ~ x\ny ~ f + x",
    "fixed loadings": "f =~ 2*a + b + 0.5*c + d\ng =~ 1*e + h + k\ng ~ f\ny ~ 0.5*f + g",
    "unit variances": "f =~ NA*a + b + c\nf ~~ 1*f\ng =~ NA*d + e + h\ng ~~ 1*g\ng ~ f",
    "exact indicator": "f =~ 1*a\na ~~ 0*a\ng =~ d + e + h\ng ~ f + x",
}


def model_of(text: str) -> Any:
    return compile_model(build_table(text, defaults_for("sem")))


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("seed", [1, 2])
def test_instruments_are_uncorrelated_with_the_composite_error_and_all_others_are_not(name: str, seed: int) -> None:
    """By the moments that the model implies at random values, and not by the paths that the search follows."""
    model = model_of(MODELS[name])
    layout, rng = model.blocks[0], np.random.default_rng(seed)
    theta = np.empty(model.n_theta)
    values = np.array([row.ustart for row in model.table.rows])
    for k, row in enumerate(model.table.rows):
        variance = row.op == "~~" and row.lhs == row.rhs
        number = rng.uniform(1.0, 2.0) if variance else rng.uniform(0.05, 0.15) if row.op == "~~" else rng.uniform(0.3, 0.7)
        values[k] = number if not np.isfinite(values[k]) else values[k]
        if model.theta_of_row[k] >= 0:
            theta[model.theta_of_row[k]] = number
    structure = model.structure
    if layout.fixed:
        structure = filled(model, values)
    V = implied(structure, theta)[0]
    diagram, order = diagram_of(model), loadings_of(model)
    scalings = scalings_of(diagram, order)
    for own in equations_of(diagram, scalings, order):
        if own.outcome < 0 or (not own.regressors and own.problem):
            continue
        weights = np.zeros(len(layout.observed))
        weights[own.outcome] += 1.0
        scale = np.ones(len(layout.variables))
        for k in range(len(layout.observed), len(scale)):
            scale[k] = V.A[:, k][scalings[k].observed] if diagram.arrows[scalings[k].observed, k] else np.nan
        for cause, regressor, factor in zip(own.causes, own.regressors, own.factors, strict=True):
            effect = V.A[own.effect, cause] / factor if np.isfinite(factor) else np.nan
            if not scalings[cause].marked or not scalings[own.effect].marked:
                effect = V.A[own.effect, cause] * loading_of(V, scalings, own.effect, diagram) / loading_of(V, scalings, cause, diagram)
            weights[regressor] -= effect
        for place, value in own.offsets:
            weights[place] -= value
        covariance = V.sigma @ weights
        useful = [z for z in range(len(layout.observed)) if np.abs(V.sigma[z, list(own.regressors)]).max() > 1e-9]
        assert [z for z in useful if abs(covariance[z]) < 1e-9] == list(own.instruments), layout.variables[own.effect]


def filled(model: Any, values: Any) -> Any:
    """Return the structure with moments of the fixed covariates."""
    structure = model.structure
    covariances = structure.fixed_covariances.copy()
    size = len(model.blocks[0].variables)
    for k in model.borrowed:
        i, j = model.cells[k].row, model.cells[k].column
        covariances[i * size + j] = covariances[j * size + i] = values[k]
    return structure._replace(fixed_covariances=covariances)


def loading_of(V: Any, scalings: Any, variable: int, diagram: Any) -> float:
    """Return the product of the loadings from a variable to the observed one that stands for it."""
    if variable < diagram.p:
        return 1.0
    child = next(k for k in scalings[variable].errors if diagram.arrows[k, variable])
    return float(V.A[child, variable]) * loading_of(V, scalings, child, diagram)


def test_population_moments_give_population_values() -> None:
    truth = {"f=~b": 0.8, "f=~c": 1.2, "g=~e": 0.7, "g=~h": 1.1, "g~f": 0.4, "y~f": 0.3, "y~g": 0.5, "f~~f": 1.3, "g~~g": 0.9, "y~~y": 0.6}
    truth |= {f"{name}~~{name}": 0.5 for name in "abcdeh"}
    population = ts.Population("f =~ a + b + c\ng =~ d + e + h\ng ~ f\ny ~ f + g", truth)
    cov = pd.DataFrame(population.cov, index=population.names, columns=population.names)
    found = miiv("f =~ a + b + c\ng =~ d + e + h\ng ~ f\ny ~ f + g", sample_cov=cov, sample_nobs=500)
    for row in found.frame.itertuples(index=False):
        assert row.est == pytest.approx(truth.get(f"{row.lhs}{row.op}{row.rhs}", 1.0), abs=1e-10)
    variances = {"f": 1.3, "g": 0.4**2 * 1.3 + 0.9}
    own = found.frame[(found.frame["lhs"] == "g") & (found.frame["op"] == "~")].iloc[0]
    assert own["std"] == pytest.approx(0.4 * np.sqrt(variances["f"] / variances["g"]), abs=1e-10)
    assert found.equations["sargan"].abs().max() < 1e-8


def rows_of(n: int = 300) -> Any:
    rng = np.random.default_rng(5)
    u = rng.standard_normal(n)
    z = rng.standard_normal((n, 3)) + 0.4 * rng.standard_normal((n, 1))
    x = z @ [0.5, 0.4, 0.3] + u + rng.standard_normal(n)
    return pd.DataFrame({"y": 0.7 * x + u * (1.0 + 0.5 * np.abs(z[:, 0])), "x": x, "z1": z[:, 0], "z2": z[:, 1], "z3": z[:, 2]})


def test_robust_errors_are_those_of_white() -> None:
    frame = rows_of()
    names = list(frame.columns)
    sample = sample_from_frame(frame, names)
    found = two_stage(sampled_moments(sample.blocks[0], names, robust=True), 0, np.array([1]), np.array([2, 3, 4]))
    n = len(frame)
    Z = np.column_stack([np.ones(n), frame["x"]])
    V = np.column_stack([np.ones(n), frame[["z1", "z2", "z3"]]])
    fitted = V @ np.linalg.solve(V.T @ V, V.T @ Z)
    b = np.linalg.solve(fitted.T @ Z, fitted.T @ frame["y"])
    residual = frame["y"].to_numpy() - Z @ b
    bread = np.linalg.inv(fitted.T @ fitted)
    white = bread @ (fitted.T * residual**2) @ fitted @ bread
    assert found.coefficients[0] == pytest.approx(b[1], rel=1e-10)
    assert found.vcov[0, 0] == pytest.approx(white[1, 1] * n / (n - 2), rel=1e-10)


def test_cluster_robust_errors_add_up_within_clusters() -> None:
    frame = rows_of()
    frame["team"] = np.arange(len(frame)) // 10
    names = ["y", "x", "z1", "z2", "z3"]
    sample = sample_from_frame(frame, names, cluster="team")
    found = two_stage(sampled_moments(sample.blocks[0], names, robust=True), 0, np.array([1]), np.array([2, 3, 4]))
    n, teams = len(frame), 30
    V = (frame[["z1", "z2", "z3"]] - frame[["z1", "z2", "z3"]].mean()).to_numpy()
    x = (frame["x"] - frame["x"].mean()).to_numpy()
    residual = (frame["y"] - frame["y"].mean()).to_numpy() - found.coefficients[0] * x
    fitted = V @ np.linalg.solve(V.T @ V, V.T @ x)
    sums = np.array([np.sum((fitted * residual)[frame["team"] == k]) for k in range(teams)])
    expected = np.sum(sums**2) / np.sum(fitted**2) ** 2 * teams / (teams - 1) * n / (n - 2)
    assert found.vcov[0, 0] == pytest.approx(expected, rel=1e-10)


def test_classical_errors_equal_those_of_the_general_formula() -> None:
    reading = read_model(DEMOCRACY, ts.load_dataset("political_democracy"), {}, "miiv")
    S, n = reading.moments.cov, reading.moments.n
    for own in estimate_equations(reading.model, reading.moments).equations:
        regressors, instruments = np.array(own.regressors), np.array(own.instruments)
        found = two_stage(reading.moments, own.outcome, regressors, instruments)
        C = S[np.ix_(regressors, instruments)]
        inner = np.linalg.inv(C @ np.linalg.solve(S[np.ix_(instruments, instruments)], C.T))
        assert_allclose(found.vcov, found.variance * inner / n, rtol=1e-10)


@pytest.mark.parametrize("standard", [False, True])
def test_slopes_are_derivatives(standard: bool) -> None:
    """At moments that the model implies, where instruments are valid and nothing is left out of the derivatives."""
    text = "f =~ a + b + c\ng =~ d + e + h\ns =~ p + q + r\ng ~ f\ns ~ f + g"
    model = model_of(text)
    theta = np.random.default_rng(3).uniform(0.5, 0.9, model.n_theta)
    cov = implied(model.structure, theta)[0].sigma
    names, n = model.blocks[0].observed, 400

    def estimates(matrix: Any) -> Any:
        frame = pd.DataFrame(matrix * (n / (n - 1)), index=list(names), columns=list(names))
        reading = read_model(text, None, {"sample_cov": frame, "sample_nobs": n}, "miiv")
        found = estimate_equations(reading.model, reading.moments)
        return found if matrix is cov else (found.standardized if standard else found.estimate)

    found = estimates(cov)
    slopes = found.standardized_slopes if standard else found.slopes
    i, j = np.tril_indices(len(names))
    for k in range(0, i.size, 7):
        up, down = cov.copy(), cov.copy()
        for matrix, sign in ((up, 1.0), (down, -1.0)):
            matrix[i[k], j[k]] += sign * 1e-5
            if i[k] != j[k]:
                matrix[j[k], i[k]] += sign * 1e-5
        assert_allclose((estimates(up) - estimates(down)) / 2e-5, slopes[:, len(names) + k], atol=2e-6)


def test_incomplete_rows_use_the_saturated_moments() -> None:
    frame = holzinger()[[f"x{k}" for k in range(1, 10)]]
    text = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9\nspeed ~ visual + textual"
    complete = miiv(text, frame, missing="fiml")
    assert_allclose(complete.frame["est"], miiv(text, frame).frame["est"], atol=1e-8)
    holes = frame.mask(np.random.default_rng(1).uniform(size=frame.shape) < 0.1)
    plain, robust = miiv(text, holes, missing="fiml"), miiv(text, holes, missing="fiml", estimator="MLR")
    assert_allclose(plain.frame["est"], robust.frame["est"], atol=1e-10)
    free = plain.frame["status"] == "estimated"
    assert (plain.frame.loc[free, "se"] > 0.9 * complete.frame.loc[free, "se"]).all()
    assert "saturated moments" in " ".join(plain.notes)


def test_equations_without_enough_instruments_are_told() -> None:
    found = miiv("f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6\ng ~ f\nx1 ~~ x4 + x5 + x6\nx2 ~~ x3 + x4 + x5 + x6", holzinger())
    first = found.equations.iloc[0]
    assert first["lhs"] == "x2"
    assert first["status"].startswith("not identified: 0 instruments for 1 coefficient")
    row = found.frame[found.frame["rhs"] == "x2"].iloc[0]
    assert np.isnan(row["est"])
    assert row["status"] == first["status"]
    assert "Not estimated: x2" in " ".join(found.notes)
    assert len(found.frame) == 7


def test_a_latent_variable_without_a_scaling_indicator_is_told() -> None:
    found = miiv("f =~ x1 + x2 + x3\ng =~ x1 + x2 + x3 + x7\nx7 ~ f\nx4 ~ g", holzinger(), orthogonal=True, std_lv=True)
    assert "no scaling indicator" in set(found.equations["status"])


def test_more_instruments_than_rows_are_told() -> None:
    cov = ts.load_dataset("political_democracy").cov()
    found = miiv(DEMOCRACY, sample_cov=cov, sample_nobs=10)
    assert found.equations.iloc[0]["status"] == "not identified: 9 instruments need more than 10 observations"
    assert (found.equations["status"] == "estimated").any()


def test_unit_variances_are_replaced_by_indicators() -> None:
    text = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\ntextual ~ visual"
    marked, unit = miiv(text, holzinger()), miiv(text, holzinger(), std_lv=True)
    assert_allclose(marked.frame["est"], unit.frame["est"])
    assert_allclose(marked.frame["std"], unit.frame["std"])
    assert "visual, textual" in " ".join(unit.notes)


def test_covariates_are_their_own_instruments() -> None:
    """Then nothing distinguishes two stages from one."""
    frame = holzinger()
    found = miiv("x9 ~ x7 + x8", frame)
    X = np.column_stack([np.ones(len(frame)), frame[["x7", "x8"]]])
    b, rss = np.linalg.lstsq(X, frame["x9"], rcond=None)[:2]
    assert_allclose(found.frame["est"], b[1:])
    errors = np.sqrt(np.diag(np.linalg.inv(X.T @ X)) * rss[0] / (len(frame) - 3))
    assert_allclose(found.frame["se"], errors[1:])
    assert found.equations["sargan"].isna().all()
    assert found.equations["strength"].isna().all()


def test_strength_is_the_first_stage_f_for_one_cause() -> None:
    frame = rows_of()
    names = list(frame.columns)
    found = two_stage(sampled_moments(sample_from_frame(frame, names).blocks[0], names, robust=False), 0, np.array([1]), np.array([2, 3, 4]))
    V = np.column_stack([np.ones(len(frame)), frame[["z1", "z2", "z3"]]])
    rss = np.linalg.lstsq(V, frame["x"], rcond=None)[1][0]
    total = float(np.sum((frame["x"] - frame["x"].mean()) ** 2))
    assert found.strength == pytest.approx((total - rss) / 3 / (rss / (len(frame) - 4)), rel=1e-10)


def test_it_tells_itself() -> None:
    found = miiv(DEMOCRACY, ts.load_dataset("political_democracy"))
    assert "dem65 ~  ind60" in str(found)
    assert "Sargan" in repr(found)
    assert "<table" in found._repr_html_()
    told = found.to_dict()
    assert len(told["rows"]) == 14
    assert len(told["equations"]) == 10


def test_fit_and_data_give_the_same() -> None:
    frame = ts.load_dataset("political_democracy")
    fit = ts.sem(DEMOCRACY, frame)
    assert_allclose(miiv(fit).frame["est"], miiv(DEMOCRACY, frame).frame["est"])
    summary = miiv(DEMOCRACY, sample_cov=frame.cov(), sample_nobs=len(frame)).frame
    assert_allclose(summary["se"], miiv(DEMOCRACY, frame).frame["se"])
