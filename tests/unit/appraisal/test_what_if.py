"""What moves if a construct is raised."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.mechanism.what_if import what_if
from trustsem.appraisal.result import Appraisal
from trustsem.errors import NotAvailableError, OptionError
from trustsem.model.population import Population
from trustsem.model.problem import implied
from trustsem.populations.altering import alter


@cache
def survey() -> Appraisal:
    return quietly(ts.appraise, "metz2022", ts.load_dataset("survey"), estimator="MLR", missing="fiml", cluster="team")


def test_one_standard_deviation_is_the_standardized_total_effect() -> None:
    appraisal = survey()
    found = what_if(appraisal, "Relational").frame.set_index("construct")
    effects = appraisal.fit.effects(standardized=True)
    total = effects[(effects["effect"] == "total") & (effects["rhs"] == "Relational")].set_index("lhs")["est_std"]
    for name in ("Trust", "Capability", "Motivation", "Resilience", "Outcomes"):
        assert found.loc[name, "change"] == pytest.approx(total[name], rel=1e-10)
    assert "Technical" not in found.index
    assert found.loc["Relational", ["change", "se", "role"]].tolist() == [1.0, 0.0, "raised"]
    assert what_if(appraisal, "Relational", by=-2.0).frame["change"].to_numpy() == pytest.approx(-2.0 * found["change"].to_numpy())


@pytest.mark.parametrize("raised", [{"Relational": 1.0}, {"Trust": 0.5, "Technical": -1.0}, {"Relational": 1.0, "Trust": 0.2, "Commitment": 0.1}])
def test_it_is_what_moved_means_do_in_the_population_of_the_fit(raised: dict[str, float]) -> None:
    """An independent computation: the population with these means moved (what they cause moves with them)."""
    fit = survey().fit
    own = Population(fit.model.table, {str(name): float(value) for name, value in fit.coef().items()})
    moved = alter(own, means=raised)
    names = list(own.compiled.blocks[0].variables)
    other = list(moved.compiled.blocks[0].variables)
    found = what_if(survey(), raised).frame
    items = {node.name: node.indicators for node in survey().theory.nodes}
    for row in found.itertuples():
        before = np.mean([own.implied_blocks[0].mu[names.index(item)] for item in items[row.construct]])
        after = np.mean([moved.implied_blocks[0].mu[other.index(item)] for item in items[row.construct]])
        assert row.points == pytest.approx(after - before, rel=1e-7, abs=1e-10)


def test_errors_are_those_of_differences() -> None:
    appraisal = survey()
    fit = appraisal.fit
    raised = {"Relational": 1.0, "Trust": 0.5}
    variables = fit.model.blocks[0].variables
    places = [variables.index(node.variable) for node in appraisal.theory.nodes]

    def change(theta: Any) -> Any:
        block = implied(fit.problem.structure, theta)[0]
        sd = np.sqrt(np.diag(block.V))
        moved, A = np.zeros(len(variables)), block.A.copy()
        for name, size in raised.items():
            moved[variables.index(name)] = size * sd[variables.index(name)]
            A[variables.index(name)] = 0.0
        points = np.linalg.solve(np.eye(len(variables)) - A, moved)
        return np.concatenate([points[places] / sd[places], [points[[variables.index(item) for item in ("acc", "app", "fea")]].mean()]])

    theta, columns = fit.estimate.theta, []
    for k in range(theta.size):
        h = np.zeros(theta.size)
        h[k] = 1e-6
        columns.append((change(theta + h) - change(theta - h)) / 2e-6)
    J = np.array(columns).T
    want = np.sqrt(np.diag(J @ fit.theta_vcov @ J.T))
    found = what_if(appraisal, raised).frame.set_index("construct")
    for k, node in enumerate(appraisal.theory.nodes):
        if node.name in found.index:
            assert found.loc[node.name, "se"] == pytest.approx(want[k], rel=1e-5, abs=1e-9)
    assert found.loc["Outcomes", "points_se"] == pytest.approx(want[-1], rel=1e-5)


def test_what_is_raised_does_not_listen_to_its_causes() -> None:
    found = what_if(survey(), ["Relational", "Trust"])
    table = found.frame.set_index("construct")
    assert table.loc["Trust", "change"] == 1.0
    alone = what_if(survey(), "Trust").frame.set_index("construct")
    assert table.loc["Outcomes", "change"] == pytest.approx(alone.loc["Outcomes", "change"], rel=1e-12)
    assert any("moves as far as is said" in note for note in found.notes)


def test_assumptions_are_listed_and_the_range_is_watched() -> None:
    found = what_if(survey(), "Relational")
    assert sum(note.startswith("Assumed:") for note in found.notes) == 5
    assert not any("leave the answers" in note for note in found.notes)
    far = what_if(survey(), "Relational", by=5.0)
    assert any(note.startswith("Relational would leave the answers that were seen") for note in far.notes)
    assert any("Nothing in the theory comes after" in note for note in what_if(survey(), "Outcomes").notes)


def test_moments_only_and_observed_constructs() -> None:
    theory = ts.load_theory("metz2022").with_indicators({"Trust": "t", "Motivation": "m", "Commitment": "k"})
    cov = pd.DataFrame([[2.0, 0.8, 0.6], [0.8, 1.0, 0.5], [0.6, 0.5, 1.5]], list("tmk"), list("tmk"))
    found = what_if(quietly(ts.appraise, theory, sample_cov=cov, sample_nobs=200), "Trust").frame
    # Capability and opportunity are projected out, so that trust also acts on commitment past motivation: the total is a simple regression.
    one = np.sqrt(2.0 * 199 / 200)
    assert found["points"].tolist() == pytest.approx([one, 0.4 * one, 0.3 * one], rel=1e-6)


def test_a_fit_without_verdicts_says_so_first() -> None:
    found = what_if(replace(survey(), withheld="the fit did not converge."), "Trust")
    assert found.notes[0] == "No verdict: the fit did not converge. Do not use these numbers."
    json.dumps(found.to_dict(), allow_nan=False)
    assert "What if: Trust raised by 1 SD" in str(found)


def test_several_groups_are_refused() -> None:
    groups = quietly(ts.sem, "x4 ~ x1", ts.load_dataset("holzinger_swineford"), group="school")
    with pytest.raises(NotAvailableError, match="What-if of several groups"):
        what_if(replace(survey(), fit=groups), "Trust")


@pytest.mark.parametrize("given", ["Trusst", {"Trust": "much"}, {}, {"Trust": np.inf}])
def test_impossible_questions(given: Any) -> None:
    with pytest.raises(OptionError, match=r"raise_(\[.*\])?(=| names)"):
        what_if(survey(), given)
