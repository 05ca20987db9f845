"""Standardized residuals have variance 1, also where groups share loadings: the evidence for the terms that lavaan leaves out."""

from __future__ import annotations

import math

import numpy as np
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.data.sample import BlockSample, Sample

pytestmark = pytest.mark.slow

SIZES = (150, 600)
REPLICATIONS = 1500
TEXT = "f =~ a + b + c + d"
VALUES = {"f=~b": 0.9, "f=~c": 1.1, "f=~d": 0.8, "f~~f": 1.0} | {f"{v}~~{v}": 0.6 for v in "abcd"}


def standardized(group_equal: tuple[str, ...]) -> np.ndarray:
    """Return standardized residual covariances (replications, groups, 10), all of a true model."""
    true = ts.Population(TEXT, VALUES)
    root = np.linalg.cholesky(true.cov)
    rng = np.random.default_rng(3)
    lower = np.tril_indices(4)

    def draw() -> Sample:
        blocks = []
        for label, n in zip("12", SIZES, strict=True):
            rows = rng.standard_normal((n, 4)) @ root.T
            blocks.append(BlockSample(label, n, rows.mean(axis=0), np.cov(rows.T), None))
        return Sample(true.names, tuple(blocks), "group", (), sum(SIZES), ())

    fitter = ts.compile(TEXT, like=draw(), function="cfa", meanstructure=True, group_equal=group_equal)
    found = []
    for _ in range(REPLICATIONS):
        fit = quietly(fitter.fit, draw())
        assert fit.converged
        parts = fit.residuals("standardized")
        found.append([part["cov"].to_numpy()[lower] for part in parts.values()])
    return np.array(found)


@pytest.mark.parametrize("group_equal", [(), ("loadings",), ("loadings", "residuals")], ids=["nothing shared", "loadings", "loadings and residuals"])
def test_their_variance_is_one(group_equal: tuple[str, ...]) -> None:
    residuals = standardized(group_equal)
    moving = np.abs(residuals).max(axis=0) > 0.0
    assert moving.sum() >= 12
    # Without anything shared, free residual variances reproduce the variances, whose residuals are zero by construction.
    assert moving.all() == bool(group_equal)
    for group in range(2):
        values = residuals[:, group, moving[group]]
        mean_error = 1.0 / math.sqrt(REPLICATIONS)
        spread_error = math.sqrt(2.0 / REPLICATIONS)
        worst_mean = float(np.abs(values.mean(axis=0)).max())
        variances = values.var(axis=0)
        # Normal theory to first order: the smaller group (n = 150) leaves a bias of a percent or so.
        assert worst_mean <= 4.0 * mean_error + 0.05, (group, worst_mean)
        assert abs(float(variances.mean()) - 1.0) <= 3.0 * spread_error, (group, variances)
        assert np.abs(variances - 1.0).max() <= 4.0 * spread_error + 0.03, (group, variances)


def test_the_share_beyond_two_is_that_of_a_normal_variable() -> None:
    residuals = standardized(("loadings",))
    values = residuals[np.abs(residuals) > 0.0]
    rate = float(np.mean(np.abs(values) > 1.96))
    assert abs(rate - 0.05) <= 0.01
