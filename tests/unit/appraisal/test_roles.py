"""Roles compared: invariance, paths, means, and what is said of them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.groups.roles import Roles, compare_roles

ITEMS = [*(f"x{k}" for k in range(1, 4)), *(f"y{k}" for k in range(1, 4))]


@cache
def small() -> ts.Theory:
    return ts.load_theory("metz2022").with_indicators({"Relational": ITEMS[:3], "Trust": ITEMS[3:]})


def made(n: int, groups: dict[str, dict[str, float]], seed: int = 5) -> pd.DataFrame:
    """Return rows of groups that differ in a path (.4), in the mean of trust (0), or in the loading of y3 (.9)."""
    frames = []
    rng = np.random.default_rng(seed)
    for label, own in groups.items():
        x = rng.standard_normal(n)
        y = own.get("mean", 0.0) + own.get("path", 0.4) * x + 0.9 * rng.standard_normal(n)
        loadings = [1.0, 0.8, 0.9, 1.0, 0.8, own.get("loading", 0.9)]
        scores = [x, x, x, y, y, y]
        columns = {name: load * score + 0.5 * rng.standard_normal(n) for name, load, score in zip(ITEMS, loadings, scores, strict=True)}
        frames.append(pd.DataFrame({"role": label, **columns}))
    return pd.concat(frames, ignore_index=True)


def roles(*arguments: Any, **options: Any) -> Roles:
    found = quietly(compare_roles, *arguments, **options)
    assert isinstance(found, Roles)
    return found


def test_a_path_that_differs() -> None:
    found = roles(small(), made(400, {"a": {}, "b": {"path": 0.1}}))
    row = found.frame.iloc[0]
    assert row["verdict"] == "differs"
    assert row["gap"] < -0.1
    assert row["gap_lower"] < row["gap"] < row["gap_upper"] < 0.0
    assert found.answers[0].startswith("Same way? No:")
    assert "Relational -> Trust differs by up to" in found.answers[0]
    assert "not licensed" not in found.answers[0]


def test_paths_that_are_the_same() -> None:
    found = roles(small(), made(2500, {"a": {}, "b": {}}))
    assert found.frame["verdict"].tolist() == ["the same"]
    assert found.answers[0].startswith("Same way? Yes:")


def test_too_few_to_decide() -> None:
    found = roles(small(), made(80, {"a": {}, "b": {}, "c": {}}, seed=2))
    assert found.frame["verdict"].tolist() == ["undetermined"]
    assert found.frame["df"].tolist() == [2]
    assert found.answers[0].startswith("Same way? Not decided:")
    assert found.answers[2] == "Who less? No group is shown to differ from a in Trust."


def test_means_of_trust() -> None:
    found = roles(small(), made(300, {"a": {}, "b": {"mean": -0.5}}))
    assert found.means is not None
    row = found.means.frame.set_index("construct").loc["Trust"]
    assert row["d"] == pytest.approx(-0.5, abs=3 * row["d_se"])
    assert "b lower in Trust than a, by d = -0." in found.answers[2]


def test_failed_invariance_is_said_everywhere() -> None:
    found = roles(small(), made(500, {"a": {}, "b": {"loading": 0.4, "mean": -0.5}}))
    assert "not licensed as it stands: equal loadings are rejected" in found.answers[0]
    assert "not licensed as it stands" in found.answers[2]
    assert any("Releasing it, group_partial=['Trust=~y3']" in note for note in found.notes)
    released = roles(small(), made(500, {"a": {}, "b": {"loading": 0.4}}), group_partial="Trust=~y3")
    assert "not licensed" not in released.answers[0]


def test_paths_equal_those_fitted_by_hand() -> None:
    frame = made(300, {"a": {}, "b": {"path": 0.2}})
    found = roles(small(), frame, estimator="ML")
    text = "X =~ x1 + x2 + x3\nY =~ y1 + y2 + y3\nY ~ c(p1, p2)*X"
    free = quietly(ts.sem, text, frame, group="role", group_equal=["loadings"])
    same = quietly(ts.sem, text, frame, group="role", group_equal=["loadings", "regressions"], group_partial=[])
    equal = quietly(ts.sem, text.replace("c(p1, p2)", "c(p, p)"), frame, group="role", group_equal=["loadings"])
    wald = ts.wald_test(free, "p1 == p2")
    assert found.frame["wald"][0] == pytest.approx(wald.statistic, rel=1e-6)
    assert found.frame["p_equal"][0] == pytest.approx(wald.pvalue, rel=1e-6)
    difference = ts.anova(free, equal).frame.iloc[1]
    assert found.omnibus.loc[0, ["chisq_diff", "df_diff", "pvalue"]].tolist() == pytest.approx(
        difference[["chisq_diff", "df_diff", "pvalue"]].tolist(), rel=1e-6
    )
    assert same.df >= free.df


def test_the_whole_theory_tests_other_paths_apart() -> None:
    whole = ts.load_theory("metz2022").drop("Technical", "Capability", "Opportunity", "Commitment", "Resilience")
    found = roles(whole, ts.load_dataset("groups").query("role in ['practitioner', 'community']"), constructs="all")
    assert found.frame["asked"].tolist() == [True, False, False, False]
    assert found.omnibus["paths"].tolist() == ["strategies", "all"]
    assert found.omnibus["df_diff"].tolist() == [1, 4]
    assert not any("Left out" in note for note in found.notes)


def test_single_columns_have_no_invariance() -> None:
    frame = made(300, {"a": {}, "b": {"mean": 0.4}})
    frame = frame.assign(x=frame[ITEMS[:3]].mean(axis=1), y=frame[ITEMS[3:]].mean(axis=1))
    found = roles(ts.load_theory("metz2022").with_indicators({"Relational": "x", "Trust": "y"}), frame, estimator="ML")
    assert found.invariance is None
    assert found.means is not None
    a, b = (frame.loc[frame["role"] == label, "y"] for label in ("a", "b"))
    row = found.means.frame.set_index("construct").loc["Trust"]
    pooled = np.sqrt((a.var(ddof=0) + b.var(ddof=0)) / 2.0)
    assert row["difference"] == pytest.approx(b.mean() - a.mean(), rel=1e-6)
    assert row["se"] == pytest.approx(np.sqrt(a.var(ddof=0) / len(a) + b.var(ddof=0) / len(b)), rel=1e-6)
    assert row["d"] == pytest.approx((b.mean() - a.mean()) / pooled, rel=1e-6)
    # Hedges & Olkin's large-sample error of d.
    assert row["d_se"] == pytest.approx(np.sqrt(2.0 / 300 + row["d"] ** 2 / (2 * 600)), rel=0.02)
    assert any("single columns" in note for note in found.notes)


def test_summary_statistics_by_group() -> None:
    frame = made(300, {"a": {}, "b": {"path": 0.1}})
    parts = {label: part[ITEMS] for label, part in frame.groupby("role")}
    moments = {"sample_cov": {k: v.cov() for k, v in parts.items()}, "sample_nobs": {k: len(v) for k, v in parts.items()}}
    bare = roles(small(), **moments)
    assert bare.means is None
    assert bare.answers[2] == "Who less? The data have no means, or none that can be compared."
    with_means = roles(small(), sample_mean={k: v.mean() for k, v in parts.items()}, **moments)
    rows = roles(small(), frame, estimator="ML")
    np.testing.assert_allclose(bare.frame["wald"], rows.frame["wald"], rtol=1e-5)
    assert with_means.means is not None
    assert rows.means is not None
    np.testing.assert_allclose(with_means.means.frame["d"], rows.means.frame["d"], atol=1e-6)


def test_missing_values_and_teams() -> None:
    frame = made(300, {"a": {}, "b": {"mean": -0.5}}).assign(team=lambda d: np.arange(len(d)) // 6)
    frame.loc[::7, "y1"] = np.nan
    found = roles(small(), frame, cluster="team")
    assert found.fit.options.missing.startswith("fiml")
    assert "Estimator MLR" in str(found)
    assert "members in several groups" not in str(found)
    mixed = roles(small(), frame.assign(team=np.arange(len(frame)) % 60), cluster="team")
    assert any("60 of 60 teams (team) have members in several groups" in note for note in mixed.notes)


def test_no_verdict_without_admissible_solution() -> None:
    """Rows of pure noise: the model does not converge."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((60, 6)), columns=ITEMS).assign(role=["a", "b"] * 30)
    found = roles(small(), frame)
    assert found.withheld.startswith("the fit did not converge")
    assert found.invariance is None
    assert found.notes[0].startswith("No verdicts:")
    assert set(found.frame["verdict"]) == {"no verdict"}
    assert found.answers == ()


def test_profiles_of_strategies() -> None:
    found = roles("metz2022", ts.load_dataset("groups").query("role in ['practitioner', 'community']"), profile=True)
    assert set(found.profiles) == {"practitioner", "community"}
    assert len(found.profiles["community"].frame) == 9
    assert found.answers[1] == "Practised how? See the profile of strategies of every group below."
    record = json.loads(json.dumps(found.to_dict()))
    assert set(record["profiles"]) == {"practitioner", "community"}
    assert record["invariance"][1]["level"] == "metric"
    assert "profile" in str(found)
    assert "<table" in found._repr_html_()


def test_a_profile_that_cannot_be_made_says_why() -> None:
    few = ts.load_dataset("groups").groupby("role").head(40)
    few = few[few["role"].isin(["practitioner", "community"])].assign(vul=lambda d: d["vul"].where(d["role"] == "practitioner", 3))
    own = ts.load_theory("metz2022").drop("Capability", "Opportunity", "Motivation", "Commitment", "Resilience", "Outcomes")
    found = quietly(compare_roles, own, few, profile=True, constructs=["Technical", "Trust"])
    assert found.profiles["community"].notes[0]
    assert found.profiles["community"].frame.empty
