"""Standardized residuals against the formula with whole matrices: Q Gamma Q' over the distinct moments of all groups."""

from __future__ import annotations

import numpy as np
import pytest

import trustsem as ts
from helpers import complex_step, duplication, holzinger, quietly, reference_moments

TEXTS = {
    "one group": ("f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6", {}),
    "means": ("f =~ x1 + x2 + x3 + x4\nx1 ~ m*1\nx2 ~ m*1", {"meanstructure": True}),
    "loadings shared by groups": ("f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6", {"group": "school", "group_equal": "loadings"}),
    "scalar": ("f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6", {"group": "school", "group_equal": ["loadings", "intercepts"]}),
    "constraint": ("f =~ x1 + a*x2 + b*x3 + x4\na == 2*b", {}),
}


def whole(fit):
    """Return the standard errors of all residual moments, group by group (covariances row by row, then means), by dense algebra."""
    problem, theta = fit.problem, fit.estimate.theta
    likelihood = problem.moments.discrepancy == 0
    J, W, gamma, sizes = [], [], [], []
    for b, block in enumerate(problem.blocks):
        p = block.cov.shape[0]
        rows, columns = np.tril_indices(p)
        D = duplication(p)
        pinv = np.linalg.pinv(D)
        V = np.linalg.inv(fit.implied_blocks[b].sigma if likelihood else block.cov)
        parts = [(complex_step(lambda t, b=b, r=rows, c=columns: reference_moments(problem, b, t)[0][r, c], theta), 0.5 * D.T @ np.kron(V, V) @ D)]
        spread = [2.0 * pinv @ np.kron(block.cov, block.cov) @ pinv.T]
        if block.mean is not None:
            parts.append((complex_step(lambda t, b=b: reference_moments(problem, b, t)[1], theta), V))
            spread.append(block.cov)
        for (jacobian, weight), sampling in zip(parts, spread, strict=True):
            J.append(jacobian)
            W.append(block.n * weight)
            gamma.append(sampling / block.n)
            sizes.append(len(jacobian))
    J = np.vstack(J)

    def blocks(parts):
        total = np.zeros((len(J), len(J)))
        start = 0
        for part in parts:
            total[start : start + len(part), start : start + len(part)] = part
            start += len(part)
        return total

    W, gamma = blocks(W), blocks(gamma)
    basis = np.eye(theta.size) if fit.free_basis is None else fit.free_basis
    J = J @ basis
    Q = np.eye(len(J)) - J @ np.linalg.inv(J.T @ W @ J) @ J.T @ W
    return np.sqrt(np.maximum(np.diag(Q @ gamma @ Q.T), 0.0)), sizes


@pytest.mark.parametrize("estimator", ["ML", "GLS"])
@pytest.mark.parametrize("name", TEXTS)
def test_standardized_residuals_equal_the_dense_formula(name, estimator):
    text, options = TEXTS[name]
    fit = quietly(ts.cfa, text, holzinger(), estimator=estimator, **options)
    errors, _ = whole(fit)
    found = fit.residuals("standardized")
    raw = fit.residuals("raw")
    grouped = len(fit.problem.blocks) > 1
    position = 0
    for b, block in enumerate(fit.problem.blocks):
        label = fit.sample.blocks[b].label
        scaled, plain = (found[label], raw[label]) if grouped else (found, raw)
        rows, columns = np.tril_indices(block.cov.shape[0])
        for key, pick in (("cov", (rows, columns)), ("mean", None)):
            if key == "mean" and block.mean is None:
                continue
            values = scaled[key].to_numpy()[pick] if pick else scaled[key].to_numpy()
            residual = plain[key].to_numpy()[pick] if pick else plain[key].to_numpy()
            error = errors[position : position + len(values)]
            position += len(values)
            moving = error > 1e-5 * error.max()
            assert moving.any() or key == "mean"
            np.testing.assert_allclose(values[moving], residual[moving] / error[moving], rtol=1e-4)
            np.testing.assert_allclose(values[~moving], 0.0, atol=1e-2)


def test_normalized_residuals_divide_by_the_sampling_error():
    fit = quietly(ts.cfa, "f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6", holzinger())
    S, n = fit.problem.blocks[0].cov, fit.nobs
    error = np.sqrt((np.outer(np.diag(S), np.diag(S)) + S**2) / n)
    np.testing.assert_allclose(fit.residuals("normalized")["cov"], fit.residuals("raw")["cov"] / error, rtol=1e-10)


def test_correlation_residuals():
    fit = quietly(ts.cfa, "f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6", holzinger())
    S, Sigma = fit.problem.blocks[0].cov, fit.implied_blocks[0].sigma

    def correlation(matrix):
        return matrix / np.sqrt(np.outer(np.diag(matrix), np.diag(matrix)))

    np.testing.assert_allclose(fit.residuals("cor")["cov"], correlation(S) - correlation(Sigma), atol=1e-12)
    np.testing.assert_allclose(fit.residuals("cor_bentler")["cov"], (S - Sigma) / np.sqrt(np.outer(np.diag(S), np.diag(S))), atol=1e-12)


def test_without_identification_standardized_residuals_are_missing_not_zero():
    fit = quietly(ts.cfa, "f =~ NA*x1 + x2 + x3 + x4", holzinger())
    assert fit.residuals("standardized")["cov"].isna().all(axis=None)
    assert fit.residuals("normalized")["cov"].notna().all(axis=None)
