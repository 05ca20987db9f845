"""Paths within and between teams."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.groups.homology import Homology, homology


@cache
def theory() -> ts.Theory:
    return ts.load_theory("metz2022").with_indicators({"Relational": ["x1", "x2"], "Trust": ["m1", "m2"], "Motivation": "y"})


@cache
def teams(n_teams: int = 80, between: float = 0.3, spread: float = 0.6) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    team = np.repeat(np.arange(n_teams), 8)
    x_team = spread * rng.standard_normal(n_teams)
    m_team = between * x_team + 0.7 * spread * rng.standard_normal(n_teams)
    y_team = 0.3 * m_team + 0.7 * spread * rng.standard_normal(n_teams)
    x = rng.standard_normal(len(team))
    m = 0.3 * x + 0.9 * rng.standard_normal(len(team))
    y = 0.3 * m + 0.9 * rng.standard_normal(len(team))
    x, m, y = x + x_team[team], m + m_team[team], y + y_team[team]
    columns = {f"{name}{k}": score + 0.3 * rng.standard_normal(len(team)) for name, score in (("x", x), ("m", m)) for k in (1, 2)}
    return pd.DataFrame({"team": team, **columns, "y": y})


def levels(frame: pd.DataFrame, **options: object) -> Homology:
    found = quietly(homology, theory(), frame, cluster="team", **options)
    assert isinstance(found, Homology)
    return found


def test_equals_what_is_written_by_hand() -> None:
    frame = teams().assign(x=lambda d: d[["x1", "x2"]].mean(axis=1), m=lambda d: d[["m1", "m2"]].mean(axis=1))
    found = levels(teams(), estimator="MLR")
    text = "level: 1\nm ~ {0}*x\ny ~ {1}*m\nlevel: 2\nm ~ {2}*x\ny ~ {3}*m"
    free = quietly(ts.sem, text.format("aw", "bw", "ab", "bb"), frame, cluster="team", estimator="MLR", fixed_x=False)
    same = quietly(ts.sem, text.format("a", "b", "a", "b"), frame, cluster="team", estimator="MLR", fixed_x=False)
    joint, single, difference = ts.wald_test(free, "aw == ab; bw == bb"), ts.wald_test(free, "aw == ab"), ts.anova(free, same).frame.iloc[1]
    assert found.omnibus["statistic"].tolist() == pytest.approx([joint.statistic, difference["chisq_diff"]], rel=1e-5)
    assert found.frame["wald"][0] == pytest.approx(single.statistic, rel=1e-5)
    np.testing.assert_allclose(found.icc.frame["icc"], ts.icc(free).set_index("variable").loc[["m", "y", "x"], "icc"], rtol=1e-5)
    # Spearman & Brown, with 8 members everywhere.
    share = found.icc.frame["icc"]
    np.testing.assert_allclose(found.icc.frame["reliability"], 8 * share / (1 + 7 * share), rtol=1e-6)


def test_the_same_path_at_both_levels() -> None:
    found = levels(teams())
    assert found.withheld == ""
    assert set(found.frame["verdict"]) <= {"undetermined", "the same"}
    assert "is not rejected" in found.notes[0]


def test_a_path_that_differs_between_teams() -> None:
    found = levels(teams(between=-0.6))
    row = found.frame.iloc[0]
    assert row["verdict"] == "differs"
    assert row["gap"] < -0.3
    assert "is rejected" in found.notes[0]


def test_few_teams_give_no_verdict() -> None:
    found = levels(teams(n_teams=9))
    assert found.withheld.startswith("there are 9 teams for")
    assert "constructs=" in found.withheld
    assert set(found.frame["verdict"]) == {"no verdict"}
    assert found.notes[0].startswith("No verdicts: there are 9 teams")


def test_teams_that_do_not_differ_give_no_verdict() -> None:
    found = levels(teams(spread=0.0))
    assert found.withheld
    assert found.frame["p_equal"].isna().all()


def test_everything_is_told() -> None:
    found = levels(teams(), constructs=["Relational", "Trust"])
    record = json.loads(json.dumps(found.to_dict()))
    assert len(record["rows"]) == 1
    assert record["text"].startswith("level: 1")
    assert "Measurement error weakens paths within teams" in str(found)
    assert "ICC2" in str(found)
    assert "<table" in found._repr_html_()


def test_the_shipped_survey() -> None:
    found = quietly(homology, "metz2022", ts.load_dataset("survey"), cluster="team", constructs=["Relational", "Trust", "Motivation"])
    assert found.frame["verdict"].tolist() == ["undetermined", "undetermined"]
    assert found.fit.options.missing.startswith("fiml")


def test_without_a_test_of_the_model() -> None:
    found = levels(teams().dropna(), estimator="ML", test="none")
    assert found.omnibus["test"].tolist() == ["Wald test"]
