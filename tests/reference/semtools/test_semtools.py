"""Reliability and discriminant validity equal those of R's semTools 0.5-6 and psych 2.2.9 (``make.R`` writes ``expected.json`` from ``cases.json``).

Where they are not followed:

* ``omega`` here counts all factors of the items; semTools' counts one, which is ``omega_h`` here. The two agree where items measure one factor.
* semTools leaves out the average variance extracted where an item measures several factors; here it is the share of the one factor.
* Without absolute values, semTools takes the root of the product of two negative mean correlations within factors, and of products of correlations
  of which an even number is negative; here both ratios are NaN.
* psych's total omega divides the observed less the unique variance by the observed variance; here the numerator is the implied common variance.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import DATA, quietly
from trustsem.fitting.discriminant import discriminant_validity, htmt, merge_factors
from trustsem.fitting.quality import reliability
from trustsem.inference.reliability import alpha, scales

FOLDER = Path(__file__).parent
CASES: dict[str, Any] = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))["cases"]
TOLERANCE = {"rel": 1e-6, "abs": 1e-6}


def with_key(key: str) -> list[str]:
    return [name for name, expected in EXPECTED.items() if key in expected]


@cache
def data_of(name: str) -> pd.DataFrame:
    frame = pd.read_csv(DATA / f"{CASES[name]['data']}.csv")
    if CASES[name].get("scaled_data"):
        numbers = frame.select_dtypes("number")
        frame[numbers.columns] = (numbers - numbers.mean()) / numbers.std(ddof=0)
    return frame


@cache
def fitted(name: str, text: str = "model") -> ts.Fit:
    case = CASES[name]
    fit = quietly(getattr(ts, case.get("function", "cfa")), "\n".join(case[text]), data_of(name), **case.get("options", {}))
    assert isinstance(fit, ts.Fit)
    return fit


def compared(name: str, table: pd.DataFrame, column: str, expected: dict[str, Any]) -> int:
    """Compare one column with numbers by factor, or by group and factor; return how many were compared."""
    labels = fitted(name).sample.group_labels
    count = 0
    for row in table.to_dict("records"):
        numbers = expected[labels[row["group"] - 1]] if "group" in row else expected
        if row["factor"] in numbers and numbers[row["factor"]] is not None:
            assert row[column] == pytest.approx(numbers[row["factor"]], **TOLERANCE), (row["factor"], column)
            count += 1
    return count


@pytest.mark.parametrize("name", EXPECTED)
def test_the_fits_are_the_same(name: str) -> None:
    assert fitted(name).chisq.statistic == pytest.approx(EXPECTED[name]["chisq"], rel=1e-9)


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("observed", [False, True])
def test_omega_of_a_factor(name: str, observed: bool) -> None:
    table = reliability(fitted(name), obs_var=observed, reverse=False, ci=False)
    assert compared(name, table, "omega_h", EXPECTED[name][f"omega_{'observed' if observed else 'implied'}"]) == len(table)


@pytest.mark.parametrize("name", EXPECTED)
def test_alpha_of_the_sample_and_of_the_model(name: str) -> None:
    fit = fitted(name)
    table = reliability(fit, reverse=False, ci=False)
    table["implied"] = [
        alpha(fit.implied_blocks[scale.block].sigma[np.ix_(scale.items, scale.items)], scale.signs)[0]
        for scale in scales(fit.model, fit.implied_blocks, False)
    ]
    first_order = len(table) - (name == "hs_second_order")  # semTools gives no alpha for a second-order factor
    assert compared(name, table, "alpha", EXPECTED[name]["alpha_observed"]) == first_order
    assert compared(name, table, "implied", EXPECTED[name]["alpha_implied"]) == first_order


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("observed", [False, True])
def test_average_variance_extracted(name: str, observed: bool) -> None:
    table = reliability(fitted(name), obs_var=observed, reverse=False, ci=False)
    count = compared(name, table, "ave", EXPECTED[name][f"ave_{'observed' if observed else 'implied'}"])
    several = {"hs_cross": 2, "hs_bifactor": 3, "hs_second_order": 1}  # not given by semTools
    assert count == len(table) - several.get(name, 0)


def test_omega_total_is_that_of_one_factor_where_items_measure_one() -> None:
    table = reliability(fitted("bfi_five"), ci=False)
    np.testing.assert_allclose(table["omega"], table["omega_h"], rtol=1e-12)


def test_omega_of_psych_for_a_bifactor_model() -> None:
    fit, expected = fitted("hs_bifactor"), EXPECTED["hs_bifactor"]["psych_omega"]
    general = reliability(fit, obs_var=True, ci=False).set_index("factor").loc["g"]
    assert general["omega_h"] == pytest.approx(expected["h"], **TOLERANCE)
    unique = np.trace(fit.implied_blocks[0].S[:9, :9])
    total = fit.problem.blocks[0].cov.sum()
    assert 1.0 - unique / total == pytest.approx(expected["total"], **TOLERANCE)
    common = fit.implied_blocks[0].sigma.sum() - unique
    assert general["omega"] == pytest.approx(common / total, rel=1e-12)


@pytest.mark.parametrize("name", with_key("psych_alpha"))
def test_alpha_of_psych_with_its_standard_error(name: str) -> None:
    (row,) = reliability(fitted(name)).to_dict("records")
    assert row["alpha"] == pytest.approx(EXPECTED[name]["psych_alpha"]["raw"], **TOLERANCE)
    assert row["alpha_se"] == pytest.approx(EXPECTED[name]["psych_alpha"]["ase"], **TOLERANCE)


def test_maximal_reliability() -> None:
    (row,) = reliability(fitted("attitude"), ci=False).to_dict("records")
    assert row["h"] == pytest.approx(EXPECTED["attitude"]["maximal"], **TOLERANCE)


@pytest.mark.parametrize("name", with_key("defined"))
def test_standard_errors_are_those_of_defined_parameters(name: str) -> None:
    (row,) = reliability(fitted(name)).to_dict("records")
    expected = EXPECTED[name]["defined"]
    found = [measure for measure in ("omega", "ave", "ave_std", "h") if measure in expected]
    assert len(found) == 3
    for measure in found:
        assert row[measure] == pytest.approx(expected[measure]["est"], **TOLERANCE)
        assert row[f"{measure}_se"] == pytest.approx(expected[measure]["se"], **TOLERANCE)


@pytest.mark.parametrize("name", with_key("htmt"))
@pytest.mark.parametrize("column", ["htmt", "htmt2"])
def test_heterotrait_monotrait_ratios(name: str, column: str) -> None:
    table = htmt(fitted(name)).set_index(["factor1", "factor2"])
    assert len(EXPECTED[name][column]) == len(table)
    for first, second, number in EXPECTED[name][column]:
        assert table.loc[(first, second), column] == pytest.approx(number, **TOLERANCE)


def test_heterotrait_monotrait_ratios_with_their_sign() -> None:
    compared = {"htmt": 0, "htmt2": 0}
    for name in with_key("htmt"):
        table = htmt(fitted(name), absolute=False).set_index(["factor1", "factor2"])
        for column in compared:
            for first, second, number in EXPECTED[name][f"{column}_signed"]:
                ours = table.loc[(first, second), column]
                if not np.isnan(ours):
                    assert ours == pytest.approx(number, **TOLERANCE)
                    compared[column] += 1
    assert compared == {"htmt": 10, "htmt2": 7}


@pytest.mark.parametrize("name", with_key("pairs_50"))
def test_intervals_and_constrained_models(name: str) -> None:
    for cutoff in (0.5, 0.9):
        rows = EXPECTED[name].get(f"pairs_{100 * cutoff:.0f}")
        if rows is not None:
            compare_pairs(discriminant_validity(fitted(name), cutoff=cutoff), rows, "cutoff")
    rows = EXPECTED[name].get("pairs_100")
    if rows is not None:
        compare_pairs(discriminant_validity(fitted(name)), rows, "1")


def compare_pairs(table: pd.DataFrame, rows: list[dict[str, Any]], test: str) -> None:
    indexed = table.set_index(["factor1", "factor2"])
    assert len(rows) == len(table)
    for row in rows:
        ours = indexed.loc[(row["lhs"], row["rhs"])]
        for column, number in (("r", "est"), ("ci_lower", "lower"), ("ci_upper", "upper")):
            assert ours[column] == pytest.approx(row[number], **TOLERANCE)
        assert ours[f"chisq_diff_{test}"] == pytest.approx(row["chisq"], **TOLERANCE)
        if row["chisq"] > 1e-6:  # p changes infinitely fast at 0
            assert ours[f"pvalue_{test}"] == pytest.approx(row["pvalue"], rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("name", [name for name in with_key("pairs_merged") if "merge" in CASES[name]])
def test_merged_factors(name: str) -> None:
    first, second = CASES[name]["merge"]
    (row,) = [row for row in EXPECTED[name]["pairs_merged"] if (row["lhs"], row["rhs"]) == (first, second)]
    rival = merge_factors(fitted(name), first, second)
    assert rival.df - fitted(name).df == row["df"]
    assert rival.chisq.statistic - fitted(name).chisq.statistic == pytest.approx(row["chisq"], **TOLERANCE)


def test_merged_factors_in_groups() -> None:
    rival = merge_factors(fitted("hs_groups"), *CASES["hs_groups"]["merge"])
    assert rival.df == EXPECTED["hs_groups"]["merged"]["df"]
    assert rival.chisq.statistic == pytest.approx(EXPECTED["hs_groups"]["merged"]["chisq"], **TOLERANCE)
