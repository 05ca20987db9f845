"""What equalities over groups do to paths."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.sensitivity.noninvariance import epc_interest

TEXT = """
visual =~ x1 + x2 + x3
textual =~ x4 + x5 + x6
speed =~ x7 + x8 + x9
textual ~ visual
speed ~ textual
"""
DATA = ts.load_dataset("holzinger_swineford")


def fit(**options: object) -> ts.Fit:
    return ts.sem(TEXT, DATA, group="school", **options)


def test_changes_are_those_of_the_score_test() -> None:
    equal = fit(group_equal=["loadings"])
    found = epc_interest(equal)
    assert len(found.all) == 6 * 4
    for released, rows in found.all.groupby("released", sort=False):
        name = str(released).split(" ")[0]
        test = ts.score_test(equal, release=name)
        table = test.epc[test.epc["op"] == "~"]
        np.testing.assert_allclose(rows["change"], table["epc"], atol=1e-12)
        np.testing.assert_allclose(rows["change_std"], table["sepc_all"], atol=1e-12)
        np.testing.assert_allclose(rows["x2"], test.total.statistic)


def test_the_expected_change_is_what_refitting_shows_where_it_is_small() -> None:
    """Two populations that differ in one loading by .1, at their exact moments."""
    text = "f =~ a + b + c\ng =~ d + e + h\ng ~ f"
    ones = {f"{name}~~{name}": 0.5 for name in "abcdeh"} | {"f~~f": 1.0, "g~~g": 0.75, "g~f": 0.5, "f=~b": 0.9, "g=~e": 0.9, "g=~h": 0.8}
    moments = {label: ts.Population(text, ones | {"f=~c": loading}).cov for label, loading in (("one", 0.8), ("two", 0.85))}
    frames = {label: pd.DataFrame(cov, index=list("abcdeh"), columns=list("abcdeh")) for label, cov in moments.items()}
    sizes = {"one": 1000, "two": 1000}
    equal = ts.sem(text, sample_cov=frames, sample_nobs=sizes, group_equal=["loadings"])
    found = epc_interest(equal, ["g ~ f"]).all
    rows = found[found["released"].str.startswith("f=~c")]
    free = ts.sem(text, sample_cov=frames, sample_nobs=sizes, group_equal=["loadings"], group_partial=["f=~c"]).parameter_estimates()
    now = free[(free["lhs"] == "g") & (free["op"] == "~")]["est"].to_numpy()
    np.testing.assert_allclose(now, 0.5, atol=1e-6)
    assert np.abs(rows["est"] - now).min() > 0.003
    np.testing.assert_allclose(rows["est_then"], now, atol=0.0005)


def test_the_summary_has_the_equality_that_matters_most() -> None:
    found = epc_interest(fit(group_equal=["loadings", "intercepts"]))
    largest = found.all.groupby(["parameter", "group"])["change_std"].apply(lambda column: column.abs().max())
    for row in found.frame.to_dict("records"):
        assert abs(row["change_std"]) == pytest.approx(largest[row["parameter"], row["group"]])
    json.dumps(found.to_dict())
    assert "Pasteur = Grant-White" in str(found)


def test_other_equalities_are_named_as_written() -> None:
    text = "f =~ x1 + c(a, b)*x2 + c(d, e)*x3\nx4 ~ f\na == d\nb == a"
    found = epc_interest(quietly(ts.sem, text, DATA, group="school"))
    assert set(found.all["released"]) == {"a == d", "f=~x2 (Grant-White = Pasteur)"} or "a == d" in set(found.all["released"])


def test_other_parameters_may_matter() -> None:
    found = epc_interest(fit(group_equal=["loadings", "intercepts"]), "visual~1")
    assert found.frame["parameter"].tolist() == ["visual~1"]
    assert found.frame["group"].tolist() == ["Grant-White"]
