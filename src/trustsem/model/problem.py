"""A model matched to the moments of one sample: what an estimator prepares and a search minimises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from trustsem.data.sample import Sample
from trustsem.kernels import ram
from trustsem.kernels.discrepancy import evaluate
from trustsem.kernels.structure import COVARIANCE, OBSERVED, SQUARE, VARIABLES, VECTOR, Integers, Moments, Reals, Structure
from trustsem.model.ram import Model

__all__ = [
    "BlockMoments",
    "ImpliedBlock",
    "Objective",
    "Problem",
    "block_moments",
    "block_values",
    "derivatives",
    "fill_borrowed",
    "implied",
    "lay_out",
    "least_squares_problem",
    "sample_order",
    "value",
]


class BlockMoments(NamedTuple):
    """Moments of one block in the order of the model's observed variables: n, mean (p,) and covariance (p, p) with the estimator's divisor."""

    n: int
    mean: Reals | None
    cov: Reals


class ImpliedBlock(NamedTuple):
    """The RAM matrices of one block at some theta.

    Attributes
    ----------
    A, S, B, V : (m, m) float
        Paths, covariances, total effects ``(I - A)^-1`` and implied covariances ``B S B'`` of all variables.
    m, mu : (m,) float
        Intercepts and implied means of all variables.
    p : int
        Number of observed variables, which come first.
    """

    A: Reals
    S: Reals
    m: Reals
    B: Reals
    V: Reals
    mu: Reals
    p: int

    @property
    def sigma(self) -> Reals:
        """Implied covariance matrix (p, p) of the observed variables."""
        return self.V[: self.p, : self.p]

    @property
    def mean(self) -> Reals:
        """Implied means (p,) of the observed variables."""
        return self.mu[: self.p]


class Objective(Protocol):
    """A discrepancy that is not a function of one mean vector and one covariance matrix per block."""

    @property
    def dear_hessian(self) -> bool:
        """Whether the expected Hessian costs much more than the gradient, so that a search had better compute it seldom."""
        ...

    def value(self, structure: Structure, theta: Reals, share: Reals | None = None) -> float:
        """Return the discrepancy at `theta` (K,), blocks weighted by `share` (G,) if given; infinite where it is not defined."""
        ...

    def slope(self, structure: Structure, theta: Reals, share: Reals | None = None) -> tuple[float, Reals]:
        """Return the discrepancy and its gradient (K,)."""
        ...

    def expected(self, structure: Structure, theta: Reals, share: Reals | None = None) -> Reals:
        """Return the expected Hessian (K, K)."""
        ...

    def hessian(self, structure: Structure, theta: Reals, share: Reals | None = None) -> Reals:
        """Return the observed Hessian (K, K)."""
        ...


@dataclass(frozen=True, eq=False)
class Problem:
    """A discrepancy to be minimised.

    Attributes
    ----------
    model : Model
    structure : Structure
        The model's, with the moments of fixed covariates filled in from the sample.
    moments : Moments
    blocks : tuple of BlockMoments
    multiplier : (G,) float
        The chi-square statistic is ``sum(multiplier * F)`` over blocks.
    objective : Objective or None
        The discrepancy, where it is not the compiled one of `moments`. Then `moments` hold those of the saturated model, from which the search
        starts.
    """

    model: Model
    structure: Structure
    moments: Moments
    blocks: tuple[BlockMoments, ...]
    multiplier: Reals
    objective: Objective | None = None

    @property
    def scale(self) -> float:
        """Number of observations that tests and standard errors count: N, or N less the number of blocks."""
        return float(self.multiplier.sum())

    @property
    def shares(self) -> Reals:
        """Each block's share of the observations (G,); of two levels, the first has those of the group."""
        if self.model.two_level:
            return np.asarray(self.multiplier / self.scale)
        if self.moments.discrepancy == 0:
            return self.moments.share
        return np.array([block.n / self.nobs for block in self.blocks])

    @property
    def nobs(self) -> int:
        """Number of observations in all blocks; of two levels, the first counts."""
        return sum(block.n for layout, block in zip(self.model.blocks, self.blocks, strict=True) if layout.level == 1)


def block_moments(n: int, mean: Reals | None, cov: Reals, order: Integers, *, divide_by_n: bool) -> BlockMoments:
    """Return moments in the order `order`, from a covariance with divisor ``n - 1``, with divisor n if `divide_by_n`."""
    selected = cov[np.ix_(order, order)]
    if divide_by_n:
        selected = selected * ((n - 1) / n)
    return BlockMoments(n, None if mean is None else mean[order], selected)


def fill_borrowed(model: Model, blocks: Sequence[BlockMoments]) -> Structure:
    """Return the model's structure with the moments of fixed covariates taken from the sample."""
    structure = model.structure
    if not model.borrowed:
        return structure
    covariances, intercepts = structure.fixed_covariances.copy(), structure.fixed_intercepts.copy()
    for k in model.borrowed:
        b, cell = model.table.rows[k].block - 1, model.cells[k]
        size, offset = structure.blocks[b, VARIABLES], structure.blocks[b, SQUARE]
        if cell.kind == COVARIANCE:
            moment = blocks[b].cov[cell.row, cell.column]
            covariances[offset + cell.row * size + cell.column] = moment
            covariances[offset + cell.column * size + cell.row] = moment
        else:
            mean = blocks[b].mean
            intercepts[structure.blocks[b, VECTOR] + cell.row] = 0.0 if mean is None else mean[cell.row]
    return structure._replace(fixed_covariances=covariances, fixed_intercepts=intercepts)


def sample_order(model: Model, sample: Sample) -> list[Integers]:
    """Return, for each block, the places in `sample` of the block's observed variables."""
    if sample.names == model.blocks[0].observed and len(model.blocks) == 1:
        return [np.arange(len(sample.names))]
    place = {name: k for k, name in enumerate(sample.names)}
    return [np.array([place[name] for name in block.observed], dtype=np.int64) for block in model.blocks]


def least_squares_problem(discrepancy: int, model: Model, sample: Sample, weigh: Callable[[Reals], Reals] | None) -> Problem:
    """Return a least squares problem: moments with divisor N - 1, chi-square ``sum((N - 1) F)``, weight matrix ``weigh(S)``."""
    blocks = tuple(
        block_moments(block.n, block.mean if model.has_means else None, block.cov, order, divide_by_n=False)
        for block, order in zip(sample.blocks, sample_order(model, sample), strict=True)
    )
    multiplier = np.array([block.size - 1.0 for block in sample.blocks])
    weights = None if weigh is None else [weigh(block.cov) for block in blocks]
    moments = lay_out(discrepancy, blocks, multiplier / multiplier.sum(), weights, np.zeros(len(blocks)))
    return Problem(model, fill_borrowed(model, blocks), moments, blocks, multiplier)


def lay_out(discrepancy: int, blocks: Sequence[BlockMoments], share: Reals, weights: Sequence[Reals] | None, constant: Reals) -> Moments:
    """Lay the moments of all blocks end to end for the kernels."""
    sizes = [block.cov.shape[0] for block in blocks]
    start = np.concatenate([[0], np.cumsum([p * p for p in sizes])]).astype(np.int64)
    mean_start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    mean = np.concatenate([np.zeros(p) if block.mean is None else block.mean for p, block in zip(sizes, blocks, strict=True)])
    weight = np.zeros(1) if weights is None else np.concatenate([matrix.ravel() for matrix in weights])
    return Moments(discrepancy, start, mean_start, share, np.concatenate([block.cov.ravel() for block in blocks]), mean, weight, constant)


def value(problem: Problem, theta: Reals) -> float:
    """Return the discrepancy at `theta` (K,)."""
    if problem.objective is not None:
        return problem.objective.value(problem.structure, theta)
    empty = np.empty(0)
    return float(evaluate(problem.structure, problem.moments, theta, empty, empty.reshape(0, 0)))


def block_values(problem: Problem, theta: Reals) -> Reals:
    """Return the unweighted discrepancy of every block (G,) at `theta` (K,)."""
    if len(problem.blocks) == 1:
        return np.array([value(problem, theta)])
    choices = np.eye(len(problem.blocks))
    if problem.objective is not None:
        return np.array([problem.objective.value(problem.structure, theta, choice) for choice in choices])
    return np.array([value(replace(problem, moments=problem.moments._replace(share=choice)), theta) for choice in choices])


def derivatives(problem: Problem, theta: Reals, share: Reals | None = None) -> tuple[float, Reals, Reals]:
    """Return the discrepancy, its gradient (K,) and its expected Hessian (K, K) at `theta` (K,), blocks weighted by `share` (G,) if given."""
    if problem.objective is not None:
        height, slope = problem.objective.slope(problem.structure, theta, share)
        return height, slope, problem.objective.expected(problem.structure, theta, share)
    size = problem.structure.n_theta
    gradient, hessian = np.empty(size), np.empty((size, size))
    moments = problem.moments if share is None else problem.moments._replace(share=share)
    result = evaluate(problem.structure, moments, theta, gradient, hessian)
    return float(result), gradient, hessian


def implied(structure: Structure, theta: Reals) -> tuple[ImpliedBlock, ...]:
    """Return the RAM matrices and implied moments of every block at `theta` (K,).

    A block whose ``I - A`` is singular has matrices full of NaN.
    """
    result = []
    for block in range(len(structure.blocks)):
        size = int(structure.blocks[block, VARIABLES])
        A, S, B, V = (np.empty((size, size)) for _ in range(4))
        m, mu = np.empty(size), np.empty(size)
        ram.fill(structure, block, theta, A, S, m)
        if not ram.propagate(structure, block, A, S, m, B, V, mu):
            for array in (B, V, mu):
                array.fill(np.nan)
        result.append(ImpliedBlock(A, S, m, B, V, mu, int(structure.blocks[block, OBSERVED])))
    return tuple(result)
