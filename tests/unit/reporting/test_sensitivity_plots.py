"""Plots of sensitivity."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.appraise import appraise
from trustsem.appraisal.sensitivity.sensitivity import sensitivity
from trustsem.appraisal.sensitivity.sensitivity_curve import sensitivity_curve
from trustsem.reporting.sensitivity_plots import SENSITIVE, plot_sensitivity

THEORY = ts.load_theory("metz2022").drop("Relational", "Technical", "Opportunity", "Motivation", "Resilience", "Outcomes")


def appraisal(**options: object) -> ts.Appraisal:
    return quietly(appraise, THEORY, ts.simulate(THEORY, n=200, seed=1), estimator="ML", **options)


def test_tipping_points_of_every_claim() -> None:
    found = sensitivity(appraisal())
    figure = plot_sensitivity(found)
    cause, method, items = figure.axes
    assert [label.get_text() for label in cause.get_yticklabels()] == [claim.path.replace("->", "→") for claim in THEORY.claims]
    dots = next(line for line in cause.lines if line.get_label() == "the verdict changes")
    np.testing.assert_array_equal(dots.get_xdata(), found.confounding.frame["strength"])
    np.testing.assert_array_equal(method.lines[0].get_xdata(), found.method.frame["loading"])
    assert items.get_xlabel() == "loading of one item"
    figure.savefig(BytesIO(), format="png")


def test_without_verdicts_there_is_nothing_to_be_drawn() -> None:
    figure = plot_sensitivity(sensitivity(appraisal(se="none")))
    assert {text.get_text() for ax in figure.axes for text in ax.texts} == {"no verdicts"}


@pytest.mark.parametrize("by", ["confounder", "method"])
def test_one_claim_at_any_strength(by: str) -> None:
    curve = sensitivity_curve(appraisal(), "Trust -> Capability", [0.0, 0.2, 0.4], by=by)
    assert isinstance(curve, SENSITIVE)
    (ax,) = plot_sensitivity(curve).axes
    line = next(line for line in ax.lines if str(line.get_label()).startswith("estimate"))
    assert list(line.get_ydata()) == list(curve.frame["std"])
