"""What several test files share: a catalogue of models, samples to match them to, and a spelled-out reference for everything the kernels compute."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import trustsem as ts
from trustsem.data.sample import BlockSample, Sample
from trustsem.estimators import find
from trustsem.kernels.structure import COVARIANCE, PATH
from trustsem.model.problem import Problem, value
from trustsem.model.ram import Model, compile_model
from trustsem.model.starts import plan_start, start_values
from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for

SOURCE = Path(ts.__file__).parent
DATA = Path(__file__).parent / "reference" / "data"

Numbers = NDArray[Any]


# ---- models ---------------------------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """A model for tests: text, whose defaults, number of groups, further defaults."""

    text: str
    function: str = "sem"
    groups: int = 1
    defaults: Mapping[str, Any] = MappingProxyType({})


CASES: dict[str, Case] = {
    "one_variable": Case("y ~~ y"),
    "one_variable_mean": Case("y ~ 1"),
    "regression": Case("y ~ x1 + x2"),
    "regression_random_x": Case("y ~ x1 + x2", defaults={"fixed_x": False}),
    "regression_means": Case("y ~ x1 + x2", defaults={"meanstructure": True}),
    "path": Case("m ~ x1 + x2\ny ~ m + x2\nz ~ y + m"),
    "path_residual_covariance": Case("m ~ x1\ny ~ m\nz ~ m\ny ~~ z"),
    "factor": Case("f =~ a + b + c + d", "cfa"),
    "factors_std_lv": Case("f =~ a + b + c\ng =~ d + e + h\na ~~ d", "cfa", defaults={"std_lv": True}),
    "factors_means": Case("f =~ a + b + c\ng =~ d + e + h\nf ~ 1\na ~ 0*1\nd ~~ e", "cfa", defaults={"meanstructure": True}),
    "shared_labels": Case("f =~ a + k*b + k*c + d\na ~~ v*a\nb ~~ v*b\nd ~~ v*d", "cfa"),
    "shared_across_matrices": Case("f =~ a + k*b + c\ny ~ k*f\ny ~~ k*y"),
    "fixed_values": Case("f =~ 0.7*a + 1.2*b + c + d\nf ~~ 0.8*f\nc ~~ 0.3*c", "cfa"),
    "second_order": Case("f =~ a + b + c\ng =~ d + e + h\nk =~ p + q + r\ns =~ f + g + k"),
    "structural": Case("f =~ a + b + c\ng =~ d + e + h\ng ~ f + x1\nf ~ x1\ny ~ g + x1"),
    "structural_means": Case("f =~ a + b + c\ng =~ d + e + h\ng ~ f + x1\nf ~ x1\ny ~ g + x1", defaults={"meanstructure": True}),
    "feedback": Case("y ~ z + x1\nz ~ y + x2"),
    "feedback_means": Case("y ~ z + x1\nz ~ y + x2", defaults={"meanstructure": True}),
    "feedback_latent": Case("f =~ a + b + c\ng =~ d + e + h\nf ~ g + x1\ng ~ f + x2"),
    "growth": Case("i =~ 1*a + 1*b + 1*c + 1*d\ns =~ 0*a + 1*b + 2*c + 3*d\ni ~ x1\ns ~ x1", "growth"),
    "groups": Case("f =~ a + b + c + d", "cfa", groups=2, defaults={"meanstructure": True}),
    "groups_shared": Case("f =~ a + c(k, k)*b + c(m, n)*c + d\na ~~ c(v, v)*a", "cfa", groups=2),
    "groups_regression": Case("y ~ c(s, s, s)*x1 + x2\nz ~ y", groups=3),
    "groups_different": Case("group: 1\nf =~ a + b + c + d\ngroup: 2\nf =~ a + k*b + k*c", "cfa", groups=2),
}


def table_of(case: Case) -> Any:
    return build_table(case.text, replace(defaults_for(case.function), **case.defaults), n_groups=case.groups)


def model_of(case: Case) -> Model:
    return compile_model(table_of(case))


def random_sample(model: Model, rng: np.random.Generator, *, means: bool = True) -> Sample:
    """Return moments of random data with correlated variables in different units; groups of different size."""
    names = tuple(dict.fromkeys(name for block in model.blocks for name in block.observed))
    p = len(names)
    blocks = []
    for number in range(len(model.blocks)):
        root = rng.standard_normal((p, p)) * 0.5 + np.eye(p)
        scale = np.exp(rng.uniform(-0.5, 0.5, p))
        cov = (root @ root.T + 0.5 * np.eye(p)) * np.outer(scale, scale)
        label = str(number + 1) if len(model.blocks) > 1 else ""
        n, mean = 150 + 90 * number, rng.standard_normal(p)
        blocks.append(BlockSample(label, n, mean if means else None, cov, rows_with(mean, cov, n)))
    return Sample(names, tuple(blocks), "group" if len(blocks) > 1 else None, (), sum(block.n for block in blocks), ())


def rows_with(mean: Numbers, cov: Numbers, n: int) -> Numbers:
    """Return rows (n, p) whose means and unbiased covariances are given exactly."""
    white = np.random.default_rng(len(mean)).standard_normal((n, len(mean)))
    white -= white.mean(axis=0)
    basis = np.linalg.qr(white)[0] * np.sqrt(n - 1.0)
    return np.asarray(mean + basis @ np.linalg.cholesky(cov).T)


def problem_of(model: Model, sample: Sample, estimator: str) -> Problem:
    return find(estimator).prepare(model, sample, "normal")


def admissible_point(problem: Problem, rng: np.random.Generator, spread: float = 0.05) -> Numbers:
    """Return a point near the starting values where the discrepancy is finite, away from any optimum."""
    base = start_values(problem.model, plan_start(problem.model), problem.blocks)
    for _ in range(200):
        theta = base * (1.0 + spread * rng.standard_normal(base.size)) + spread * rng.standard_normal(base.size) * np.abs(base).mean()
        if np.isfinite(value(problem, theta)):
            return np.asarray(theta)
        spread *= 0.8
    raise AssertionError("no admissible point found")


def true_parameters(model: Model, rng: np.random.Generator) -> Numbers:
    """Return clearly identified values of the parameters: loadings near 1, small paths, residual variances near 1."""
    theta = np.empty(model.n_theta)
    for k in model.free_rows:
        row, cell = model.table.rows[k], model.cells[k]
        if row.op == "=~":
            number = rng.uniform(0.7, 1.3)
        elif row.op == "~":
            number = rng.uniform(0.2, 0.4) * rng.choice([-1.0, 1.0])
        elif row.op == "~1":
            number = rng.uniform(-1.0, 1.0)
        else:
            number = rng.uniform(0.8, 1.4) if cell.row == cell.column else rng.uniform(0.1, 0.3)
        theta[model.theta_of_row[k]] = number
    return theta


def exact_sample(problem: Problem, theta: Numbers, noise: float = 0.0, rng: np.random.Generator | None = None) -> Sample:
    """Return the sample whose unbiased covariances (ML: times n / (n - 1)) and means are those that `theta` implies, but for `noise`.

    `problem` is the model with any sample: that one lends numbers of observations and the moments of fixed covariates.
    """
    blocks = []
    names = tuple(dict.fromkeys(name for block in problem.model.blocks for name in block.observed))
    for b, layout in enumerate(problem.model.blocks):
        Sigma, mu = reference_moments(problem, b, theta)
        p = Sigma.shape[0]
        n = problem.blocks[b].n
        if rng is not None:
            root = np.linalg.cholesky(Sigma)
            bump = rng.standard_normal((p, p)) * noise
            Sigma = root @ (np.eye(p) + 0.5 * (bump + bump.T)) @ root.T
            mu = mu + noise * root @ rng.standard_normal(p)
        divisor = (n - 1) / n if problem.moments.discrepancy == 0 else 1.0
        full, mean = np.eye(len(names)), np.zeros(len(names))
        place = [names.index(name) for name in layout.observed]
        full[np.ix_(place, place)], mean[place] = Sigma / divisor, mu
        label = str(b + 1) if len(problem.model.blocks) > 1 else ""
        blocks.append(BlockSample(label, n, mean, full, rows_with(mean, full, n)))
    return Sample(names, tuple(blocks), "group" if len(blocks) > 1 else None, (), sum(block.n for block in blocks), ())


# ---- the spelled-out reference ----------------------------------------------------------------------------------------------------------


def reference_matrices(problem: Problem, b: int, theta: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return A, S, m of block `b`, filled row by row from the parameter table; `theta` may be complex."""
    model, block = problem.model, problem.blocks[b]
    size = len(model.blocks[b].variables)
    A, S, m = (np.zeros(shape, dtype=theta.dtype) for shape in ((size, size), (size, size), (size,)))
    fixed_by_label = {row.label: row.ustart for row in model.table.rows if row.label and not row.free}
    for k, (row, cell) in enumerate(zip(model.table.rows, model.cells, strict=True)):
        if row.block != b + 1:
            continue
        if model.theta_of_row[k] >= 0:
            number = theta[model.theta_of_row[k]]
        elif row.exo:
            number = block.cov[cell.row, cell.column] if cell.kind == COVARIANCE else (0.0 if block.mean is None else block.mean[cell.row])
        else:
            number = fixed_by_label.get(row.label, row.ustart)
        if cell.kind == PATH:
            A[cell.row, cell.column] = number
        elif cell.kind == COVARIANCE:
            S[cell.row, cell.column] = S[cell.column, cell.row] = number
        else:
            m[cell.row] = number
    return A, S, m


def reference_moments(problem: Problem, b: int, theta: Numbers) -> tuple[Numbers, Numbers]:
    """Return implied covariances and means of the observed variables by a dense inverse."""
    A, S, m = reference_matrices(problem, b, theta)
    p = len(problem.model.blocks[b].observed)
    B = np.linalg.inv(np.eye(A.shape[0]) - A)
    return (B @ S @ B.T)[:p, :p], (B @ m)[:p]


def reference_block(problem: Problem, b: int, theta: Numbers) -> Any:
    """Return the discrepancy of one block with explicit traces and determinants; `theta` may be complex."""
    sample = problem.blocks[b]
    Sigma, mu = reference_moments(problem, b, theta)
    S = sample.cov
    d = np.zeros(S.shape[0]) if sample.mean is None else sample.mean - mu
    kind = problem.moments.discrepancy
    if kind == 0:
        W = np.linalg.inv(Sigma)
        return np.log(np.linalg.det(Sigma)) + np.trace(S @ W) - np.log(np.linalg.det(S)) - S.shape[0] + d @ W @ d
    if kind == 1:
        W = np.linalg.inv(S)
        E = W @ (S - Sigma)
        return 0.5 * np.trace(E @ E) + d @ W @ d
    rows, columns = np.tril_indices(S.shape[0])
    return np.sum((S - Sigma)[rows, columns] ** 2) + d @ d


def reference_value(problem: Problem, theta: Numbers) -> Any:
    return sum(share * reference_block(problem, b, theta) for b, share in enumerate(problem.moments.share))


def complex_step(function: Callable[[Numbers], Any], theta: Numbers) -> Numbers:
    """Return the derivatives (..., K) of `function` at `theta`, exact to rounding."""
    h = 1e-30
    columns = []
    for k in range(theta.size):
        point = theta.astype(complex)
        point[k] += 1j * h
        columns.append(np.imag(function(point)) / h)
    return np.stack(columns, axis=-1)


def duplication(p: int) -> Numbers:
    """Return the duplication matrix D (p^2, p(p+1)/2): ``vec(M) = D vech(M)``, vech row by row of the lower triangle."""
    rows, columns = np.tril_indices(p)
    D = np.zeros((p * p, rows.size))
    for k, (i, j) in enumerate(zip(rows, columns, strict=True)):
        D[i * p + j, k] = D[j * p + i, k] = 1.0
    return D


def reference_hessian(problem: Problem, theta: Numbers) -> Numbers:
    """Return the expected Hessian ``2 (J' V J + M' W M)`` with ``V = 1/2 D'(W x W)D`` (unit matrix for ULS), J and M the Jacobians of the moments."""
    return sum(share * _reference_block_hessian(problem, b, theta) for b, share in enumerate(problem.moments.share))


def _reference_block_hessian(problem: Problem, b: int, theta: Numbers) -> Numbers:
    Sigma, _ = reference_moments(problem, b, theta)
    p = Sigma.shape[0]
    kind = problem.moments.discrepancy
    W = np.eye(p) if kind == 2 else np.linalg.inv(problem.blocks[b].cov if kind == 1 else Sigma)
    D = duplication(p)
    V = np.eye(p * (p + 1) // 2) if kind == 2 else 0.5 * D.T @ np.kron(W, W) @ D
    rows, columns = np.tril_indices(p)
    J = complex_step(lambda point: reference_moments(problem, b, point)[0][rows, columns], theta)
    M = complex_step(lambda point: reference_moments(problem, b, point)[1], theta)
    modelled = float(problem.blocks[b].mean is not None)
    return np.asarray(2.0 * (J.T @ V @ J + modelled * (M.T @ W @ M)))


def numerical_jacobian(function: Callable[[Numbers], Numbers], theta: Numbers, steps: Numbers) -> Numbers:
    """Return central differences (..., K), extrapolated once (error of the fourth order)."""
    columns = []
    for k, step in enumerate(steps):
        parts = []
        for h in (step, 0.5 * step):
            up, down = theta.copy(), theta.copy()
            up[k] += h
            down[k] -= h
            parts.append((function(up) - function(down)) / (2.0 * h))
        columns.append((4.0 * parts[1] - parts[0]) / 3.0)
    return np.stack(columns, axis=-1)


# ---- fits -------------------------------------------------------------------------------------------------------------------------------


def quietly(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call without the library's own warnings (they are on the result); any other warning remains an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ts.TrustsemWarning)
        return call(*args, **options)


def holzinger() -> pd.DataFrame:
    return pd.read_csv(DATA / "HolzingerSwineford1939.csv")


def correlations(text: str, names: str) -> pd.DataFrame:
    """Return a correlation matrix from the numbers below the diagonal, row by row."""
    labels = names.split()
    matrix = np.eye(len(labels))
    matrix[np.tril_indices(len(labels), -1)] = [float(word) for word in text.split()]
    matrix = np.maximum(matrix, matrix.T) + np.minimum(matrix, matrix.T) - np.diag(np.diag(matrix))
    return pd.DataFrame(matrix - np.diag(np.diag(matrix)) + np.eye(len(labels)), index=labels, columns=labels)


def every_number(fit: Any) -> Iterator[tuple[str, Numbers]]:
    """Yield everything that a fit reports, as (name, numbers), to be compared bitwise."""
    yield "theta", fit.estimate.theta
    yield "discrepancy", np.array([fit.estimate.discrepancy, fit.estimate.decrement, fit.estimate.iterations])
    yield "vcov", fit.theta_vcov
    yield "fit measures", fit.fit_measures().to_numpy()
    yield "estimates", fit.parameter_estimates(standardized=True).select_dtypes("number").to_numpy()
    yield "standardized", fit.standardized_solution().select_dtypes("number").to_numpy()
