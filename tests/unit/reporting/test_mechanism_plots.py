"""Plots of mechanisms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.mechanism.importance import strategy_profile
from trustsem.appraisal.mechanism.mechanism import mechanism
from trustsem.reporting.mechanism_plots import plot_mechanism


def appraisal() -> ts.Appraisal:
    cov = pd.DataFrame([[1.0, 0.5, 0.2], [0.5, 1.0, 0.4], [0.2, 0.4, 1.0]], list("tmk"), list("tmk"))
    theory = ts.load_theory("metz2022").with_indicators({"Relational": "t", "Trust": "m", "Motivation": "k"})
    found = quietly(ts.appraise, theory, sample_cov=cov, sample_nobs=200)
    assert isinstance(found, ts.Appraisal)
    return found


def test_routes_have_a_dot_each() -> None:
    found = mechanism(appraisal())
    (ax,) = plot_mechanism(found).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Relational -> Trust -> Motivation"]
    assert "Effects along each route" in ax.get_title(loc="left")


def test_many_routes_are_cut_to_the_largest() -> None:
    found = mechanism(appraisal())
    many = pd.concat([found.routes.frame.assign(route=f"route {k}", std=k / 50.0, ci_lower=k / 50.0, ci_upper=k / 50.0) for k in range(40)])
    (ax,) = plot_mechanism(replace(found, routes=replace(found.routes, frame=many))).axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert len(labels) == 30
    assert labels[0] == "route 10"
    assert "the largest 30 of 40" in ax.get_title(loc="left")


def test_arrows_past_a_construct_lie_over_the_range_of_small_ones() -> None:
    found = mechanism(appraisal(), sesoi=0.2).bypass
    assert found is not None
    (ax,) = plot_mechanism(found).axes
    assert ax.patches[0].get_extents().width > 0
    assert "Through Trust only?" in ax.get_title(loc="left")


@pytest.mark.parametrize("means", [True, False])
def test_a_profile_has_a_panel_for_means_if_there_are_any(means: bool) -> None:
    names = ["a", "b", "c", "t"]
    cov = pd.DataFrame(np.eye(4) + 0.3 * (1 - np.eye(4)), names, names)
    theory = ts.load_theory("metz2022").with_indicators({"Relational": ["a", "b"], "Technical": "c", "Trust": "t"}).with_strategies("predictors")
    more = {"sample_mean": pd.Series([3.0, 4.0, 3.5, 2.0], names)} if means else {}
    found = quietly(strategy_profile, theory, sample_cov=cov, sample_nobs=200, **more)
    axes = plot_mechanism(found).axes
    assert len(axes) == (2 if means else 1)
    assert "Contribution to Trust" in axes[-1].get_title(loc="left")
