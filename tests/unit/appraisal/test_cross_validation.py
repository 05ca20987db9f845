"""Prediction of held-out rows and teams."""

from __future__ import annotations

import json
import math
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal, t

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.appraise import appraise
from trustsem.appraisal.result import Appraisal
from trustsem.appraisal.rivals.cross_validation import cross_validate, fold_numbers
from trustsem.data.sample import Sample

WHOLE = ts.load_theory("metz2022")
THEORY = WHOLE.with_indicators({"Trust": ["t1", "t2", "t3"], "Motivation": ["m1", "m2", "m3"], "Commitment": ["k1", "k2", "k3"]})
LESS = {"chain": THEORY.without_path("Trust", "Commitment"), "fork": THEORY.without_path("Motivation", "Commitment")}
ITEMS = [name for node in THEORY.nodes for name in node.indicators]


@cache
def data(holes: bool) -> pd.DataFrame:
    frame = ts.simulate(WHOLE, n=240, seed=4)[ITEMS]
    if holes:
        frame = frame.mask(np.random.default_rng(1).random(frame.shape) < 0.1)
    return frame.assign(team=np.arange(240) // 8)


@cache
def appraisal(holes: bool, team: bool) -> Appraisal:
    options = {"estimator": "MLR", "missing": "fiml"} if holes else {"estimator": "ML"}
    if team:
        options |= {"estimator": "MLR", "cluster": "team"}
    return quietly(appraise, THEORY, data(holes), rivals=LESS, **options)


def naive(frame: pd.DataFrame, text: str, part: np.ndarray, unit: np.ndarray, *, holes: bool) -> np.ndarray:
    """Return the held-out log-likelihood of every unit, row by row."""
    found = np.zeros(unit.max() + 1)
    for fold in range(part.max() + 1):
        inside = part[unit] == fold
        fit = quietly(ts.sem, text, frame[~inside], missing="fiml" if holes else "listwise", meanstructure=True)
        implied = fit.implied()
        for place in np.flatnonzero(inside):
            values = frame.iloc[place][implied["cov"].index].to_numpy(float)
            seen = ~np.isnan(values)
            mean, cov = implied["mean"].to_numpy()[seen], implied["cov"].to_numpy()[np.ix_(seen, seen)]
            found[unit[place]] += multivariate_normal.logpdf(values[seen], mean, cov)
    return found


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("team", [False, True])
def test_it_is_what_is_computed_row_by_row(holes: bool, team: bool) -> None:
    found = cross_validate(appraisal(holes, team), folds=3, seed=7, rivals=["chain", "fork"])
    frame = data(holes)
    unit = frame["team"].to_numpy() if team else np.arange(len(frame))
    part = fold_numbers(unit.max() + 1, 3, np.random.default_rng(np.random.SeedSequence(7, spawn_key=(0,))))
    own = naive(frame, THEORY.syntax(), part, unit, holes=holes)
    assert found.theory_elpd == pytest.approx(own.sum(), abs=1e-5)
    np.testing.assert_allclose(found.units.iloc[:, 0], own, atol=1e-5)
    for name, theory in LESS.items():
        gap = naive(frame, theory.syntax(), part, unit, holes=holes) - own
        row = found.frame.set_index("id").loc[name]
        assert row["diff"] == pytest.approx(gap.sum(), abs=1e-5)
        assert row["se"] == pytest.approx(math.sqrt(gap.size) * gap.std(ddof=1), rel=1e-5)
        assert row["ci_upper"] - row["diff"] == pytest.approx(t.ppf(0.975, gap.size - 1) * row["se"], rel=1e-9)


def test_seeds_decide_and_repeats_average() -> None:
    one, again, other = (cross_validate(appraisal(False, False), seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one.frame, again.frame)
    assert one.theory_elpd != other.theory_elpd
    both = cross_validate(appraisal(False, False), repeats=2, seed=1)
    assert (both.repeats, both.folds) == (2, 5)
    assert abs(both.theory_elpd - one.theory_elpd) < 20.0


def test_parts_are_of_equal_size() -> None:
    part = fold_numbers(11, 4, np.random.default_rng(0))
    assert sorted(np.bincount(part).tolist()) == [2, 3, 3, 3]


def test_equivalent_rivals_predict_the_same_and_refused_ones_say_so() -> None:
    found = quietly(cross_validate, quietly(appraise, WHOLE, ts.load_dataset("survey"), estimator="MLR", missing="fiml", cluster="team"))
    rows = found.frame.set_index("id")
    assert rows.loc["R4", ["diff", "se", "verdict"]].tolist() == [0.0, 0.0, "equivalent"]
    assert rows.loc["R6", "verdict"] == "refused"
    assert rows.loc["R10b", "verdict"] == "predicts worse"
    assert len(found.units) == 40
    assert "teams are the units" in " ".join(found.notes)


def test_a_true_rival_predicts_better() -> None:
    frame = ts.simulate(WHOLE.with_path("Trust", "Outcomes", value=0.35), n=800, seed=2)
    found = cross_validate(appraise(WHOLE, frame, estimator="ML"), rivals=["R1"])
    assert found.frame["verdict"].tolist() == ["predicts better"]


def test_weights_count() -> None:
    frame = data(False).assign(w=np.random.default_rng(2).uniform(0.5, 2.0, 240))
    weighted = quietly(appraise, THEORY, frame, rivals=LESS, estimator="MLR", sampling_weights="w")
    found = cross_validate(weighted, rivals=["chain"])
    assert math.isfinite(found.theory_elpd)
    assert abs(found.theory_elpd - cross_validate(appraisal(False, False), rivals=["chain"]).theory_elpd) > 1.0


def test_without_rows_or_likelihood_it_says_why() -> None:
    moments = cross_validate(appraise(THEORY, sample_cov=data(False)[ITEMS].cov(), sample_nobs=240, rivals=LESS))
    assert moments.notes[0].startswith("No verdicts: rows cannot be held out of summary statistics")
    assert set(moments.frame["verdict"]) == {"refused", "no verdict"}
    assert math.isnan(moments.theory_elpd)
    gls = cross_validate(appraise(THEORY, data(False), estimator="GLS", rivals=LESS))
    assert "no likelihood" in gls.notes[0]
    groups = cross_validate(quietly(appraise, WHOLE, ts.simulate(WHOLE, n=400, seed=1).assign(g=np.arange(400) % 2), group="g"))
    assert "several groups" in groups.notes[0]


def test_rows_that_cannot_be_fitted_give_no_verdict() -> None:
    """Of each item only few answers: without one part an item does not vary."""
    frame = data(False).copy()
    frame["t1"] = 0.0
    frame.loc[:2, "t1"] = [1.0, 2.0, 3.0]
    found = quietly(cross_validate, quietly(appraise, THEORY, frame, rivals=LESS, estimator="ML"), folds=2, seed=3, rivals=["chain"])
    if found.frame["verdict"].iloc[0] == "no verdict":
        assert found.frame["reason"].iloc[0]


def test_a_training_sample_that_does_not_vary_is_none() -> None:
    from trustsem.appraisal.rivals.cross_validation import _training, held_out

    sample: Sample = appraisal(False, False).fit.sample
    inside = np.ones(240, dtype=bool)
    inside[:5] = False
    assert _training(sample, inside) is None
    assert np.isnan(held_out(None, None, sample, inside)).all()  # type: ignore[arg-type]


def test_it_tells_itself() -> None:
    found = cross_validate(appraisal(False, True), folds=3)
    told = json.loads(json.dumps(found.to_dict()))
    assert told["seed"] == 1
    assert told["theory_elpd"] == found.theory_elpd
    assert "predicts" in str(found) or "no difference" in str(found)
    assert "<table" in found._repr_html_()
