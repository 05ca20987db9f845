"""Covariances split over levels, and their roots."""

from __future__ import annotations

import numpy as np
import pytest

from trustsem.populations.levels import root_of


@pytest.mark.parametrize("rank", [0, 1, 3, 6])
def test_the_root_of_a_covariance_matrix_is_determined_by_it(rank):
    half = np.random.default_rng(rank).standard_normal((6, rank))
    cov = half @ half.T
    root = root_of(cov)
    assert root.shape == (6, rank)
    np.testing.assert_allclose(root @ root.T, cov, atol=1e-12)
    # Equal variances have no eigenvectors of their own, but a root; rounding does not turn it.
    same = root_of(np.eye(6) + 1e-15)
    np.testing.assert_allclose(same, np.eye(6), atol=1e-12)
    np.testing.assert_allclose(root_of(cov * (1.0 + 1e-14)), root, atol=1e-9)
    if rank == 6:
        np.testing.assert_allclose(root, np.linalg.cholesky(cov), rtol=1e-9)
