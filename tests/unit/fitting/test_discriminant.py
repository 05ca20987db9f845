"""Whether factors are distinct: ratios, intervals, constrained refits and merged factors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import DATA, holzinger, quietly
from trustsem.fitting.discriminant import discriminant_validity, htmt, merge_factors

THREE = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
TESTS = ["chisq_diff_cutoff", "chisq_diff_1"]


def fitted(text: str = THREE, **options: Any) -> ts.Fit:
    fit = quietly(ts.cfa, text, options.pop("data", holzinger()), **options)
    assert isinstance(fit, ts.Fit)
    return fit


# ---- ratios -----------------------------------------------------------------------------------------------------------------------------


def test_a_fit_and_its_model_have_the_same_ratios() -> None:
    table = htmt(fitted())
    assert list(table) == ["factor1", "factor2", "htmt", "htmt2"]
    pd.testing.assert_frame_equal(htmt(THREE, holzinger()), table)
    groups = htmt(THREE, holzinger(), group="school")
    assert groups["group"].tolist() == [1, 1, 1, 2, 2, 2]
    one = holzinger().query("school == 'Pasteur'")
    np.testing.assert_allclose(groups["htmt"][:3], htmt(THREE, one)["htmt"], rtol=1e-12)


def test_items_of_both_factors_are_left_out() -> None:
    table = htmt(fitted("visual =~ x1 + x2 + x3 + x9\nspeed =~ x7 + x8 + x9"))
    alone = htmt(fitted("visual =~ x1 + x2 + x3\nspeed =~ x7 + x8"))
    assert table["htmt"][0] == pytest.approx(alone["htmt"][0], rel=1e-12)
    too_few = htmt(fitted("visual =~ x1 + x2 + x3 + x8\nspeed =~ x7 + x8 + x9 + x3\ng =~ x6\nx6 ~~ 0.2*x6"))
    assert too_few["htmt"].notna().tolist() == [True, False, False]


def test_options_belong_to_a_model_not_to_a_fit() -> None:
    with pytest.raises(ts.OptionError, match="A fit has its data and options already"):
        htmt(fitted(), holzinger())
    with pytest.raises(ts.OptionError, match="A fit has its data and options already"):
        merge_factors(fitted(), "visual", "speed", std_lv=True)


def test_one_factor_is_not_compared() -> None:
    with pytest.raises(ts.ModelError, match="no two factors to compare"):
        htmt(fitted("f =~ x1 + x2 + x3 + x4"))
    with pytest.raises(ts.ModelError, match="no two factors to compare"):
        discriminant_validity(fitted("f =~ x1 + x2 + x3 + x4"))


# ---- discriminant validity --------------------------------------------------------------------------------------------------------------


def test_correlations_are_those_of_the_standardized_solution() -> None:
    fit = fitted()
    table = discriminant_validity(fit, level=0.9)
    solution = fit.standardized_solution(level=0.9).query("op == '~~' and lhs != rhs")
    for ours, name in (("r", "est_std"), ("se", "se"), ("ci_lower", "ci_lower"), ("ci_upper", "ci_upper")):
        np.testing.assert_allclose(table[ours], solution[name], rtol=1e-8)


@pytest.mark.parametrize(
    "options",
    [{"std_lv": True}, {"bounds": "pos_var"}, {"meanstructure": True}],
    ids=["unit variances", "bounds", "means"],
)
def test_the_scale_of_the_factors_does_not_matter(options: dict[str, Any]) -> None:
    plain, other = discriminant_validity(fitted()), discriminant_validity(fitted(**options))
    np.testing.assert_allclose(other[["r", "se", "ave1", "ave2"]], plain[["r", "se", "ave1", "ave2"]], rtol=1e-5)
    np.testing.assert_allclose(other[TESTS], plain[TESTS], rtol=1e-6)
    assert (plain[TESTS] > 30.0).all(axis=None)


def test_equal_loadings_in_groups_need_a_constraint() -> None:
    options = {"group": "school", "group_equal": ["loadings"]}
    text = "textual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
    fit = fitted(text, **options)
    table = discriminant_validity(fit, cutoff=0.6)
    for group, row in zip((1, 2), table.to_dict("records"), strict=True):
        variances = [f"c(v{name}1, v{name}2)" for name in "ab"]
        constraint = f"c{group} == 0.6*sqrt(va{group}*vb{group})"
        written = f"{text}\ntextual ~~ {variances[0]}*textual\nspeed ~~ {variances[1]}*speed\ntextual ~~ c(c1, c2)*speed\n{constraint}"
        rival = fitted(written, **options)
        assert rival.df == fit.df + 1
        assert row["chisq_diff_cutoff"] == pytest.approx(rival.chisq.statistic - fit.chisq.statistic, rel=1e-6)


def test_fixed_values_keep_their_meaning() -> None:
    text = "visual =~ NA*x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ NA*x7 + x8 + x9\nvisual ~~ 2*visual\nspeed ~~ 0.5*speed"
    np.testing.assert_allclose(discriminant_validity(fitted(text))[TESTS], discriminant_validity(fitted())[TESTS], rtol=1e-6)


def test_two_fixed_loadings_are_part_of_the_model() -> None:
    text = "textual =~ 1*x4 + 1*x5 + x6\nspeed =~ x7 + x8 + x9"
    (row,) = discriminant_validity(fitted(text), cutoff=0.5).to_dict("records")
    unit = "textual =~ k*x4 + k*x5 + x6\nspeed =~ x7 + x8 + x9"
    equal, rival = (fitted(unit + more, std_lv=True) for more in ("", "\ntextual ~~ 0.5*speed"))
    assert equal.chisq.statistic == pytest.approx(fitted(text).chisq.statistic, rel=1e-8)
    assert row["chisq_diff_cutoff"] == pytest.approx(rival.chisq.statistic - equal.chisq.statistic, rel=1e-6)


def test_what_is_no_parameter_is_not_tested() -> None:
    outcome = discriminant_validity(fitted(f"{THREE}\nspeed ~ visual"))
    assert outcome[TESTS].notna().all(axis=1).tolist() == [True, False, False]
    assert discriminant_validity(fitted(orthogonal=True))[TESTS].isna().all(axis=None)
    second_order = discriminant_validity(fitted(f"{THREE}\ng =~ visual + textual + speed"))
    assert list(zip(second_order["factor1"], second_order["factor2"], strict=True)) == [
        ("visual", "textual"),
        ("visual", "speed"),
        ("textual", "speed"),
    ]
    assert second_order[TESTS].isna().all(axis=None)
    np.testing.assert_allclose(second_order["r"], discriminant_validity(fitted())["r"], rtol=1e-5)


def test_a_scaled_test_has_no_plain_differences() -> None:
    assert discriminant_validity(fitted(estimator="MLM"))[TESTS].isna().all(axis=None)


def test_without_tests() -> None:
    full, short = discriminant_validity(fitted()), discriminant_validity(fitted(), tests=False)
    pd.testing.assert_frame_equal(short, full[list(short)])
    assert not any("chisq" in name for name in short)


def test_factors_that_are_one() -> None:
    data = pd.read_csv(DATA / "PoliticalDemocracy.csv")
    text = "dem60 =~ y1 + y2 + y3 + y4\ndem65 =~ y5 + y6 + y7 + y8\ny1 ~~ y5\ny2 ~~ y4 + y6\ny3 ~~ y7\ny4 ~~ y8\ny6 ~~ y8"
    (row,) = discriminant_validity(fitted(text, data=data)).to_dict("records")
    assert row["r"] > 0.9
    assert row["chisq_diff_cutoff"] == 0.0
    assert row["pvalue_cutoff"] == 1.0
    assert row["chisq_diff_1"] > 0.0
    assert row["distinct"] is False
    assert row["verdict"] == "severe problem: the interval reaches 1"
    assert not row["fornell_larcker"]


def test_a_negative_correlation_counts_like_a_positive_one() -> None:
    data = holzinger().assign(**{f"x{k}": lambda frame, k=k: -frame[f"x{k}"] for k in (7, 8, 9)})
    plain, mirrored = discriminant_validity(fitted()), discriminant_validity(fitted(data=data))
    np.testing.assert_allclose(mirrored["r"], plain["r"] * [1, -1, -1], rtol=1e-6)
    for name in ("htmt", "htmt2", *TESTS):
        np.testing.assert_allclose(mirrored[name], plain[name], rtol=1e-6)
    assert mirrored["verdict"].tolist() == plain["verdict"].tolist()


def test_an_inadmissible_solution_is_not_judged_favourably() -> None:
    fit = fitted("f =~ x1 + x2 + x3\ng =~ x7 + x8 + x9", data=holzinger()[150:175])
    assert fit.converged
    assert not fit.admissible
    (row,) = discriminant_validity(fit, tests=False).to_dict("records")
    assert max(abs(row["ci_lower"]), abs(row["ci_upper"])) < 0.8
    assert row["distinct"] is None
    assert row["verdict"].startswith("undetermined")


def test_no_interval_no_verdict() -> None:
    table = discriminant_validity(fitted(se="none"), tests=False)
    assert table["distinct"].tolist() == [None] * 3
    assert all(text.startswith("undetermined") for text in table["verdict"])


@pytest.mark.parametrize("cutoff", [0.0, 1.0, -0.5, "0.9", math.nan])
def test_impossible_cutoffs_are_refused(cutoff: Any) -> None:
    with pytest.raises(ts.OptionError, match="not a correlation to compare with"):
        discriminant_validity(fitted(), cutoff=cutoff)


# ---- merged factors ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "lost"),
    [({}, 2), ({"std_lv": True}, 2), ({"group": "school"}, 4), ({"meanstructure": True}, 2)],
    ids=["marker", "unit variances", "groups", "means"],
)
def test_a_merged_model_is_the_one_that_is_written(options: dict[str, Any], lost: int) -> None:
    fit = fitted(**options)
    rival, written = merge_factors(fit, "visual", "speed"), fitted("visual =~ x1 + x2 + x3 + x7 + x8 + x9\ntextual =~ x4 + x5 + x6", **options)
    assert rival.chisq.statistic == pytest.approx(written.chisq.statistic, rel=1e-8)
    assert rival.df == written.df == fit.df + lost
    assert rival.sample is fit.sample
    assert rival.options == fit.options
    assert {name for layout in rival.model.blocks for name in layout.latent} == {"visual", "textual"}


@pytest.mark.parametrize("std_lv", [False, True])
def test_equality_over_groups_extends_to_loadings_that_become_free(std_lv: bool) -> None:
    options: dict[str, Any] = {"group": "school", "group_equal": ["loadings", "intercepts"], "std_lv": std_lv}
    rival = merge_factors(fitted(**options), "visual", "speed")
    written = fitted("visual =~ x1 + x2 + x3 + x7 + x8 + x9\ntextual =~ x4 + x5 + x6", **options)
    assert rival.df == written.df
    assert rival.chisq.statistic == pytest.approx(written.chisq.statistic, rel=1e-8)


def test_relations_with_other_variables_are_merged() -> None:
    text = f"{THREE}\ntextual ~ visual + speed\nvisual ~ ageyr\nspeed ~ visual"
    rival = merge_factors(quietly(ts.sem, text, holzinger()), "visual", "speed")
    written = quietly(ts.sem, "visual =~ x1 + x2 + x3 + x7 + x8 + x9\ntextual =~ x4 + x5 + x6\ntextual ~ visual\nvisual ~ ageyr", holzinger())
    assert rival.df == written.df
    assert rival.chisq.statistic == pytest.approx(written.chisq.statistic, rel=1e-8)


def test_an_item_of_both_stays_once() -> None:
    rival = merge_factors("f =~ x1 + x2 + x3 + x9\ng =~ x7 + x8 + x9", "f", "g", holzinger())
    written = fitted("f =~ x1 + x2 + x3 + x9 + x7 + x8")
    assert rival.chisq.statistic == pytest.approx(written.chisq.statistic, rel=1e-8)
    assert rival.df == written.df


@pytest.mark.parametrize("line", ["v == w", "d := v-w", "w > 0.1"])
def test_relations_that_name_a_parameter_that_is_gone(line: str) -> None:
    fit = fitted(f"{THREE}\nvisual ~~ v*visual\nspeed ~~ w*speed\n{line}")
    with pytest.raises(ts.ModelError, match=f"The merged model has no parameter 'w', which '{line}' needs"):
        merge_factors(fit, "visual", "speed")


def test_relations_that_can_stay_do() -> None:
    text = "visual =~ x1 + a*x2 + x3\nspeed =~ x7 + b*x8 + x9\na == 2*b\nd := a - b"
    rival = merge_factors(fitted(text), "visual", "speed")
    written = fitted("visual =~ x1 + a*x2 + x3 + x7 + b*x8 + x9\na == 2*b")
    assert rival.chisq.statistic == pytest.approx(written.chisq.statistic, rel=1e-8)
    assert rival.df == written.df


def test_what_is_no_factor_cannot_be_merged() -> None:
    with pytest.raises(ts.ModelError, match=r"'sped' is not a factor of the model. Did you mean 'speed'"):
        merge_factors(fitted(), "visual", "sped")
    with pytest.raises(ts.ModelError, match="cannot be merged with itself"):
        merge_factors(fitted(), "visual", "visual")


@pytest.mark.filterwarnings("ignore:.*TS-FIT-02")  # a resample may have a Heywood case, which its correlations do not mind
def test_intervals_of_the_ratios_come_from_draws_of_rows():
    fit = fitted()
    table = htmt(fit, draws=200, seed=3)
    pd.testing.assert_frame_equal(table, htmt(fit, draws=200, seed=3))
    assert (table["htmt_ci_lower"] < table["htmt"]).all()
    assert (table["htmt"] < table["htmt_ci_upper"]).all()
    rows = fit.sample.blocks[0].rows
    expected = []
    for b in range(200):
        rng = np.random.default_rng(np.random.SeedSequence(3, spawn_key=(b,)))
        times = np.bincount(rng.integers(0, len(rows), len(rows)), minlength=len(rows))
        expected.append(htmt(THREE, pd.DataFrame(np.repeat(rows, times, axis=0), columns=list(fit.sample.names)))["htmt"].to_numpy())
    spread = np.std(expected, axis=0)
    np.testing.assert_allclose(np.quantile(expected, 0.025, axis=0), table["htmt_ci_lower"], atol=0.2 * spread.max())
    np.testing.assert_allclose(np.quantile(expected, 0.975, axis=0), table["htmt_ci_upper"], atol=0.2 * spread.max())
