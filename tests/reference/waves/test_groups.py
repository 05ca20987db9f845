"""Roles and levels equal models written by hand and fitted by R's lavaan 0.6-14 (``make_groups.R`` writes ``expected_groups.json``).

lavaan stops short of the minimum and is not polished here: its numbers have five digits.
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
from helpers import quietly
from trustsem.appraisal.groups.homology import Homology, homology
from trustsem.appraisal.groups.roles import Roles, compare_roles
from trustsem.appraisal.verdicts import holm

FOLDER = Path(__file__).parent
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected_groups.json").read_text(encoding="utf-8"))
FIVE_DIGITS = {"rel": 1e-4, "abs": 1e-5}
SHORT = {"Rel": "Relational", "Tec": "Technical", "Tru": "Trust"}


@cache
def roles() -> Roles:
    found = quietly(compare_roles, "metz2022", ts.load_dataset("groups"), estimator="MLR")
    assert isinstance(found, Roles)
    return found


@cache
def levels() -> Homology:
    theory = ts.load_theory("metz2022").drop("Technical", "Capability", "Opportunity", "Commitment", "Resilience", "Outcomes")
    theory = theory.with_indicators({"Relational": "x", "Trust": "m", "Motivation": "y"})
    found = quietly(homology, theory, pd.read_csv(FOLDER / "teams.csv"), cluster="team", estimator="MLR")
    assert isinstance(found, Homology)
    return found


def test_paths_in_every_role() -> None:
    want = EXPECTED["roles"]
    frame = roles().frame.set_index("cause")
    for row in want["paths"]:
        label = want["labels"][row["group"] - 1]
        got = frame.loc[SHORT[row["rhs"]], [f"est_{label}", f"se_{label}", f"std_{label}"]]
        assert got.tolist() == pytest.approx([row["est"], row["se"], row["std.all"]], **FIVE_DIGITS)


def test_tests_of_equal_paths_over_roles() -> None:
    want, frame, omnibus = EXPECTED["roles"], roles().frame, roles().omnibus.iloc[0]
    assert frame["wald"].tolist() == pytest.approx([want["a"]["stat"], want["b"]["stat"]], **FIVE_DIGITS)
    np.testing.assert_allclose(frame["p_equal"], holm(np.array([want["a"]["pvalue"], want["b"]["pvalue"]])), rtol=1e-4)
    assert omnibus[["wald", "p_wald"]].tolist() == pytest.approx([want["joint"]["stat"], want["joint"]["pvalue"]], **FIVE_DIGITS)
    got = omnibus[["chisq_diff", "df_diff", "pvalue"]].tolist()
    assert got == pytest.approx([want["difference"][name] for name in ("stat", "df", "pvalue")], **FIVE_DIGITS)


def test_latent_means_of_roles() -> None:
    means = roles().means
    assert means is not None
    for label, values in EXPECTED["roles"]["means"].items():
        got = means.frame.loc[means.frame["group"] == label, "difference"].tolist()
        assert got == (pytest.approx(values, **FIVE_DIGITS) if got else [])


def test_paths_at_both_levels() -> None:
    names, frame = {"x": "Relational", "m": "Trust", "y": "Motivation"}, levels().frame.set_index("cause")
    for row in EXPECTED["levels"]["paths"]:
        level = {1: "within", 2: "between"}[row["level"]]
        got = frame.loc[names[row["rhs"]], [level, f"{level}_se", f"{level}_std"]]
        assert got.tolist() == pytest.approx([row["est"], row["se"], row["std"]], **FIVE_DIGITS)


def test_tests_of_equal_paths_over_levels() -> None:
    want, found = EXPECTED["levels"], levels()
    assert found.frame["wald"].tolist() == pytest.approx([want["a"]["stat"], want["b"]["stat"]], **FIVE_DIGITS)
    for (_, row), name in zip(found.omnibus.iterrows(), ("joint", "difference"), strict=True):
        assert row[["statistic", "df", "pvalue"]].tolist() == pytest.approx([want[name][key] for key in ("stat", "df", "pvalue")], **FIVE_DIGITS)


def test_icc_of_every_construct() -> None:
    frame = levels().icc.frame.set_index("construct")["icc"]
    want = EXPECTED["levels"]["icc"]
    assert frame[["Relational", "Trust", "Motivation"]].tolist() == pytest.approx([want["x"], want["m"], want["y"]], **FIVE_DIGITS)
