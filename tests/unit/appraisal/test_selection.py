"""How often a model is chosen in resamples."""

from __future__ import annotations

import json
import math
from functools import cache

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.appraise import appraise
from trustsem.appraisal.result import Appraisal
from trustsem.appraisal.rivals.selection import selection_frequency
from trustsem.data.resampling import draw_counts, resampler

WHOLE = ts.load_theory("metz2022")
THEORY = WHOLE.with_indicators({"Trust": ["t1", "t2", "t3"], "Motivation": ["m1", "m2", "m3"], "Commitment": ["k1", "k2", "k3"]})
RIVALS = {"chain": THEORY.without_path("Trust", "Commitment"), "fork": THEORY.without_path("Motivation", "Commitment")}
ITEMS = [name for node in THEORY.nodes for name in node.indicators]
CHOSEN = ["chain", "fork"]


@cache
def appraisal(team: bool = False) -> Appraisal:
    frame = ts.simulate(WHOLE, n=200, seed=4)[ITEMS].assign(team=np.arange(200) // 5)
    options = {"estimator": "MLR", "cluster": "team"} if team else {"estimator": "ML"}
    return quietly(appraise, THEORY, frame, rivals=RIVALS, **options)


@pytest.mark.parametrize("team", [False, True])
def test_it_is_what_is_counted_by_hand(team: bool) -> None:
    draws = 12
    found = selection_frequency(appraisal(team), draws, seed=9, rivals=CHOSEN, executor="serial")
    sample = appraisal(team).fit.sample
    source = resampler(sample, clusters=team)
    frame = pd.DataFrame(sample.blocks[0].rows, columns=list(sample.names))
    models = {"theory": THEORY, **RIVALS}
    wins = {name: {"bic": 0, "aic": 0} for name in models}
    for draw in range(draws):
        (counts,) = draw_counts(source, np.random.default_rng(np.random.SeedSequence(9, spawn_key=(draw,))))
        drawn = frame.loc[np.repeat(np.arange(200), counts)]
        measures = {name: quietly(ts.sem, model, drawn).fit_measures(["bic", "aic"]) for name, model in models.items()}
        for rule in ("bic", "aic"):
            wins[min(models, key=lambda name: measures[name][rule])][rule] += 1
    for rule in ("bic", "aic"):
        np.testing.assert_allclose(found.frame[f"{rule}_share"], [wins[name][rule] / draws for name in models], rtol=1e-12)
    assert found.frame["class"].tolist() == list(models)
    assert found.used == draws
    assert (found.frame["failed"] == 0.0).all()


def test_equal_seeds_give_equal_results_whoever_works() -> None:
    one, other = (selection_frequency(appraisal(), 10, seed=3, rivals=CHOSEN, executor=kind) for kind in ("serial", "threads:2"))
    pd.testing.assert_frame_equal(one.frame, other.frame)
    third = selection_frequency(appraisal(), 10, seed=4, rivals=CHOSEN, executor="serial")
    assert third.seed == 4


def test_shares_add_up_and_have_errors() -> None:
    found = selection_frequency(appraisal(True), 10, seed=3, executor="serial")
    for rule in ("bic", "aic"):
        assert found.frame[f"{rule}_share"].sum() == pytest.approx(1.0)
        assert (found.frame[f"{rule}_mc_error"] > 0.0).all()
    assert "40 teams" in found.notes[0]
    assert any(note.startswith("Not compared") and "R6" in note for note in found.notes)
    assert found.frame["title"].iloc[0] == THEORY.title


def test_without_rows_or_verdicts_it_says_why() -> None:
    cov = ts.simulate(WHOLE, n=200, seed=4)[ITEMS].cov()
    found = selection_frequency(appraise(THEORY, sample_cov=cov, sample_nobs=200), 5, seed=1)
    assert found.notes[0].startswith("No figures: summary statistics cannot be resampled")
    assert len(found.frame) == 0
    gls = appraise(THEORY, ts.simulate(WHOLE, n=200, seed=4), estimator="GLS")
    assert "no likelihood" in selection_frequency(gls, 5, seed=1).notes[0]


def test_resamples_that_cannot_be_fitted_are_counted() -> None:
    """So few people that a resample often has fewer different rows than items."""
    frame = ts.simulate(WHOLE, n=14, seed=12)[ITEMS]
    few = quietly(appraise, THEORY, frame, rivals=RIVALS, estimator="ML")
    if few.withheld:
        few = Appraisal(few.theory, few.fit, few.claims, few.sesoi, few.alpha, few.level, "", (), few.own_rivals)
    found = selection_frequency(few, 20, seed=1, rivals=["chain"], executor="serial")
    assert found.used < 20
    assert (found.frame["failed"] > 0.0).all()


def test_it_tells_itself() -> None:
    found = selection_frequency(appraisal(), 6, seed=3, rivals=CHOSEN, executor="serial")
    told = json.loads(json.dumps(found.to_dict()))
    assert (told["draws"], told["used"], told["seed"]) == (6, 6, 3)
    assert "how stable the choice is" in str(found)
    assert not any(math.isnan(row["bic_share"]) for row in told["rows"])
