"""The matrix of confusions."""

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
from trustsem.appraisal.rivals.distinguish import distinguishability
from trustsem.appraisal.rivals.resembling import design_of, draw, truth_of
from trustsem.inference.model_choice import anova_iccs

WHOLE = ts.load_theory("metz2022")
THEORY = WHOLE.with_indicators({"Trust": ["t1", "t2", "t3"], "Motivation": ["m1", "m2", "m3"], "Commitment": ["k1", "k2", "k3"]}).without_path(
    "Trust", "Commitment"
)
RIVALS = {"more": THEORY.with_path("Trust", "Commitment"), "fork": THEORY.without_path("Motivation", "Commitment").with_path("Trust", "Commitment")}
ITEMS = [name for node in THEORY.nodes for name in node.indicators]
CHOSEN = ["more", "fork"]


@cache
def appraisal(kind: str = "plain") -> Appraisal:
    frame = ts.simulate(WHOLE, n=240, seed=4)[ITEMS]
    if kind == "plain":
        return appraise(THEORY, frame, rivals=RIVALS, estimator="ML")
    frame = frame.mask(np.random.default_rng(1).random(frame.shape) < 0.1)
    part = np.random.default_rng(2).standard_normal(60)[np.arange(240) // 4]
    frame = frame.add(0.6 * part, axis=0).assign(team=np.arange(240) // 4)
    return quietly(appraise, THEORY, frame, rivals=RIVALS, estimator="MLR", missing="fiml", cluster="team")


def test_rows_add_up_to_one_and_have_errors() -> None:
    found = distinguishability(appraisal(), 20, seed=1, rivals=CHOSEN, executor="serial")
    assert found.classes == ("theory", "more", "fork")
    for rule in ("bic", "aic", "test"):
        matrix = found.matrix(rule)
        np.testing.assert_allclose(matrix.sum(axis=1), 1.0)
        assert matrix.index.tolist() == matrix.columns.tolist() == list(found.classes)
    assert (found.frame["mc_error"] > 0.0).all()
    assert found.matrix("test")["fork"].max() == 0.0  # a test of nested models never chooses another


def test_choices_are_those_of_fits_to_the_same_samples() -> None:
    count = 8
    found = distinguishability(appraisal(), count, seed=5, rivals=CHOSEN, executor="serial")
    fit = appraisal().fit
    design, models = design_of(fit), {"theory": THEORY, **RIVALS}
    fits = {name: ts.sem(model, ts.simulate(WHOLE, n=240, seed=4)) for name, model in models.items()}
    for place, (truth, own) in enumerate(fits.items()):
        chosen = dict.fromkeys(models, 0)
        tested = 0
        for number in range(count):
            sample = draw(truth_of(own, design), design, np.random.default_rng(np.random.SeedSequence(5, spawn_key=(number, place))))
            frame = pd.DataFrame(sample.blocks[0].rows, columns=list(sample.names))
            refits = {name: quietly(ts.sem, model, frame) for name, model in models.items()}
            chosen[min(models, key=lambda name: refits[name].fit_measures(["bic"]).iloc[0])] += 1
            tested += ts.anova(refits["more"], refits["theory"]).frame["pvalue"].iloc[1] < 0.05
        assert found.matrix("bic").loc[truth].tolist() == [times / count for times in chosen.values()]
        assert found.matrix("test").loc[truth, "more"] == pytest.approx(tested / count)


@pytest.mark.parametrize("kind", ["plain", "survey"])
def test_equal_seeds_give_equal_results_whoever_works(kind: str) -> None:
    one, other = (distinguishability(appraisal(kind), 4, seed=3, rivals=CHOSEN, executor=each) for each in ("serial", "threads:2"))
    pd.testing.assert_frame_equal(one.frame, other.frame)


def test_samples_resemble_the_data() -> None:
    fit = appraisal("survey").fit
    design = design_of(fit)
    block = fit.sample.blocks[0]
    assert design.icc == pytest.approx(anova_iccs(block.rows, block.clusters).mean())
    truth = truth_of(fit, design)
    sample = draw(truth, design, np.random.default_rng(0))
    assert np.array_equal(np.isnan(sample.blocks[0].rows), np.isnan(block.rows))
    assert np.array_equal(sample.blocks[0].clusters, block.clusters)
    rows = [draw(truth, design, np.random.default_rng(seed)).blocks[0].rows for seed in range(300)]
    pooled = np.ma.masked_invalid(np.vstack(rows))
    implied = fit.implied()
    order = list(fit.sample.names)
    cov = implied["cov"].loc[order, order].to_numpy()
    spread = np.sqrt(np.diag(cov))
    np.testing.assert_allclose(np.ma.cov(pooled, rowvar=False) / np.outer(spread, spread), cov / np.outer(spread, spread), atol=0.03)
    np.testing.assert_allclose(pooled.mean(axis=0), implied["mean"][order], atol=0.04)
    iccs = np.mean([anova_iccs(one, block.clusters) for one in rows], axis=0)
    np.testing.assert_allclose(iccs, design.icc, atol=0.02)
    assert "holes at the observed places" in design.words
    assert "teams of the observed sizes" in design.words


def test_summary_statistics_are_enough() -> None:
    cov = ts.simulate(WHOLE, n=240, seed=4)[ITEMS].cov()
    found = distinguishability(appraise(THEORY, sample_cov=cov, sample_nobs=240, rivals=RIVALS), 5, seed=1, rivals=["more"], executor="serial")
    np.testing.assert_allclose(found.matrix().sum(axis=1), 1.0)


def test_equivalent_models_are_one_class_and_merged_or_coinciding_ones_no_truth() -> None:
    # In these data the variance of a method factor would be negative.
    whole = appraise(WHOLE, ts.simulate(WHOLE, n=300, seed=3), estimator="ML")
    found = distinguishability(whole, 2, seed=1, rivals=["R4", "R5", "R10", "R10b"], executor="serial")
    assert found.classes == ("theory = R4 = R5", "R10", "R10b")
    assert found.matrix().index.tolist() == ["theory = R4 = R5"]
    notes = " ".join(found.notes)
    assert "factors merge" in notes
    assert "at its estimates it is the theory" in notes


def test_a_rival_with_a_weak_arrow_would_not_be_recognised() -> None:
    whole = appraise(WHOLE, ts.simulate(WHOLE, n=300, seed=3), estimator="ML")
    found = distinguishability(whole, 10, seed=1, rivals=["R1"], executor="serial")
    assert found.matrix().loc["R1", "R1"] < 0.8
    assert any("A choice against it says little" in note for note in found.notes)


def test_models_that_fail_are_not_chosen() -> None:
    few = appraise(THEORY, ts.simulate(WHOLE, n=20, seed=8), rivals=RIVALS, estimator="ML")
    if few.withheld:
        few = Appraisal(few.theory, few.fit, few.claims, few.sesoi, few.alpha, few.level, "", (), few.own_rivals)
    found = distinguishability(few, 10, seed=1, rivals=["more"], executor="serial")
    assert set(found.failures) == {"theory", "more"}
    assert (found.frame.loc[found.frame["replications"] > 0].groupby(["truth", "rule"])["share"].sum() - 1.0).abs().max() < 1e-12


def test_without_likelihood_or_verdicts_it_says_why() -> None:
    gls = appraise(THEORY, ts.simulate(WHOLE, n=240, seed=4), estimator="GLS")
    found = distinguishability(gls, 5, seed=1)
    assert found.notes[0].startswith("No figures: estimator='GLS'")
    assert len(found.frame) == 0
    assert "No figures" in str(found)


def test_it_tells_itself() -> None:
    found = distinguishability(appraisal(), 4, seed=3, rivals=CHOSEN, executor="serial")
    told = json.loads(json.dumps(found.to_dict()))
    assert (told["replications"], told["seed"]) == (4, 3)
    assert told["failures"] == {"theory": 0, "more": 0, "fork": 0}
    assert "if true" in str(found)
    assert found._repr_html_().count("<tr") == 4
    assert not any(math.isnan(row["share"]) for row in told["rows"])
