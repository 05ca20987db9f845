"""Vuong's tests against a reference spelled out from the casewise likelihoods alone."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import trustsem as ts
from helpers import DATA, holzinger, numerical_jacobian, quietly
from trustsem.fitting.vuong import Vuong, log_likelihood_of_rows, vuong

ONE = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9 + x1"
OTHER = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6 + x9\nspeed =~ x7 + x8 + x9\nx7 ~~ x8"
OPTIONS: dict[str, dict[str, Any]] = {
    "complete": {},
    "means": {"meanstructure": True},
    "incomplete": {"missing": "fiml"},
    "groups": {"group": "school", "group_equal": "loadings"},
    "clusters": {"cluster": "agemo"},
    "robust": {"estimator": "MLR"},
}


def fit_of(text: str, name: str) -> ts.Fit:
    frame = pd.read_csv(DATA / "hs_mcar.csv") if name == "incomplete" else holzinger()
    fit = quietly(ts.cfa, text, frame, **OPTIONS[name])
    assert isinstance(fit, ts.Fit)
    return fit


def rows_at(fit: ts.Fit, theta: np.ndarray) -> np.ndarray:
    """Return the log-likelihood of every row, or cluster, at theta, from the implied moments at theta by numpy and scipy alone."""
    moved = replace(fit, estimate=replace(fit.estimate, theta=theta))
    parts = []
    for sample, moments, point in zip(fit.sample.blocks, fit.problem.blocks, moved.implied_blocks, strict=True):
        assert sample.rows is not None
        mean = point.mean if fit.model.has_means else moments.mean if moments.mean is not None else sample.rows.mean(axis=0)
        rows = sample.rows[:, [fit.sample.names.index(name) for name in fit.model.blocks[0].observed]]
        found = np.empty(len(rows))
        holes = np.isnan(rows)
        for pattern in np.unique(holes, axis=0):
            members, seen = (holes == pattern).all(axis=1), ~pattern
            found[members] = stats.multivariate_normal(mean[seen], point.sigma[np.ix_(seen, seen)]).logpdf(rows[members][:, seen])
        if sample.clusters is not None:
            found = np.bincount(sample.clusters, weights=found)
        parts.append(found)
    return np.concatenate(parts)


def reference(one: ts.Fit, other: ts.Fit) -> tuple[float, np.ndarray, np.ndarray]:
    """Return n times the variance of the ratios, the ratios, and the squared eigenvalues of Vuong's W."""
    scores, breads = [], []
    for fit in (one, other):
        theta = fit.estimate.theta
        steps = np.full(theta.size, 1e-5)
        basis = np.eye(theta.size) if fit.free_basis is None else fit.free_basis
        scores.append(numerical_jacobian(lambda point, fit=fit: rows_at(fit, point), theta, steps) @ basis)
        second = numerical_jacobian(
            lambda point, fit=fit, steps=steps: numerical_jacobian(lambda inner: np.array([rows_at(fit, inner).sum()]), point, 20 * steps).ravel(),
            theta,
            20 * steps,
        )
        breads.append(np.linalg.inv(basis.T @ second @ basis))
    ratios = rows_at(one, one.estimate.theta) - rows_at(other, other.estimate.theta)
    (f, g), (A, B) = scores, breads
    W = np.block([[-f.T @ f @ A, -f.T @ g @ B], [g.T @ f @ A, g.T @ g @ B]])
    return float(((ratios - ratios.mean()) ** 2).sum()), ratios, np.linalg.eigvals(W).real ** 2


@pytest.mark.parametrize("name", ["complete", "incomplete", "clusters"])
def test_the_variance_test_is_that_of_the_papers(name: str) -> None:
    one, other = fit_of("f =~ x1 + x2 + x3 + x4", name), fit_of("f =~ x1 + x2 + x3\nx4 ~~ x1 + x4", name)
    found = vuong(one, other)
    statistic, ratios, weights = reference(one, other)
    assert found.variance_test.statistic == pytest.approx(statistic, rel=1e-9)
    assert found.n_units == ratios.size
    assert found.variance_test.weights.sum() == pytest.approx(weights.sum(), rel=2e-3)
    draws = np.random.default_rng(1).chisquare(1.0, (100_000, weights.size)) @ weights
    assert found.variance_test.pvalue == pytest.approx(float((draws > statistic).mean()), abs=0.006)


@pytest.mark.parametrize("name", OPTIONS)
def test_likelihoods_of_rows_add_up_to_that_of_the_fit(name: str) -> None:
    fit = fit_of(ONE, name)
    assert sum(part.sum() for part in log_likelihood_of_rows(fit)) == pytest.approx(fit.fit_measures("logl").iloc[0], rel=1e-12)


@pytest.mark.parametrize("name", OPTIONS)
def test_ratios_and_criteria(name: str) -> None:
    one, other = fit_of(ONE, name), fit_of(OTHER, name)
    found = vuong(first=one, second=other)
    measures = [fit.fit_measures(["logl", "aic", "bic"]) for fit in (one, other)]
    gap = measures[0] - measures[1]
    assert found.frame.loc["plain", "ratio"] == pytest.approx(gap["logl"])
    spread = math.sqrt(found.variance_test.statistic)
    for criterion in ("aic", "bic"):
        assert found.differences.loc[criterion, "difference"] == pytest.approx(gap[criterion])
        half = (found.differences.loc[criterion, "ci_upper"] - found.differences.loc[criterion, "ci_lower"]) / 2.0
        assert half == pytest.approx(1.959963984540054 * 2.0 * spread)
        assert found.frame.loc[criterion, "z"] == pytest.approx(-gap[criterion] / 2.0 / spread)
    z = found.frame.loc["plain", "z"]
    assert found.frame.loc["plain", "pvalue_first"] == pytest.approx(stats.norm.sf(z))
    assert found.frame.loc["plain", "pvalue_second"] == pytest.approx(stats.norm.cdf(z))


def test_the_order_of_the_models_only_turns_signs() -> None:
    one, other = fit_of(ONE, "complete"), fit_of(OTHER, "complete")
    here, there = vuong(one, other), vuong(other, one)
    assert here.variance_test.pvalue == pytest.approx(there.variance_test.pvalue, abs=1e-10)
    np.testing.assert_allclose(here.frame["z"], -there.frame["z"])


def conclusion(one: str, other: str) -> tuple[Vuong, str]:
    found = vuong(one=quietly(ts.cfa, one, holzinger()), other=quietly(ts.cfa, other, holzinger()))
    return found, found.conclusion


def test_what_is_concluded() -> None:
    three = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
    general = "g =~ x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9"
    found, text = conclusion(three, general)
    assert found.distinguishable
    assert text == "one is closer to the data than other."
    assert conclusion(general, three)[1] == "other is closer to the data than one."
    found, text = conclusion(three + "\nx1 ~~ 0*x4", three + "\nx1 ~~ x4")
    assert not found.distinguishable
    assert "cannot be told apart" in text
    assert "cannot be told apart" in str(found)
    assert "<table" in found._repr_html_()
    found, text = conclusion(three + "\nx1 ~~ x9", three + "\nx4 ~~ x7")
    assert found.distinguishable
    assert "neither is closer" in text


def test_a_model_against_itself() -> None:
    fit = fit_of(ONE, "complete")
    found = vuong(fit, fit_of(ONE, "complete"))
    assert found.variance_test.statistic == 0.0
    assert not found.distinguishable
    assert found.frame["z"].isna().all()


def test_what_is_refused() -> None:
    fit = fit_of(ONE, "complete")
    with pytest.raises(ts.OptionError, match="two fits, but got 1"):
        vuong(fit)
    with pytest.raises(ts.OptionError, match="confidence level"):
        vuong(fit, fit, level=95)
    weighted = quietly(ts.cfa, ONE, holzinger(), estimator="GLS")
    with pytest.raises(ts.OptionError, match="likelihood of every row"):
        vuong(weighted, weighted)
    moments = quietly(ts.cfa, ONE, None, sample_cov=holzinger()[[f"x{k}" for k in range(1, 10)]].cov(), sample_nobs=301)
    with pytest.raises(ts.DataError, match="needs the rows"):
        vuong(moments, moments)
    loose = quietly(ts.cfa, "f =~ NA*x1 + x2 + x3\nx1 ~~ x4\nx4 ~~ x4", holzinger())
    with pytest.raises(ts.IdentificationError, match="information matrix of fit1 is singular"):
        vuong(loose, loose)
