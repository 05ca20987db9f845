"""Score tests of restrictions that a model makes (Rao 1948; Aitchison & Silvey 1958; Satorra 1989, doi 10.1007/BF02294453): formulas on arrays."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from trustsem.inference.fit_measures import Chisq
from trustsem.inference.information import covariance_of_estimates
from trustsem.kernels.structure import Reals
from trustsem.model.relations import free_directions

__all__ = ["RestrictedScore", "expected_changes", "restricted_score", "score_test"]

_RELATIVE = 1e-9  # share of a direction's information that must remain, given the free parameters, for it to be identified
_RANK = 1e-10


class RestrictedScore(NamedTuple):
    """The score at the restricted estimates along the directions that q restrictions close, given all that they leave free.

    Attributes
    ----------
    directions : (P, m) float
        How the P parameters move along each direction, the free ones following.
    restrictions : (q, m) float
        Derivatives of the restrictions along the directions.
    score : (m,) float
    information : (m, m) float
    alone : (m, m) float
        The information if the free parameters did not follow.
    meat : (m, m) float or None
        Sum of the outer products of the casewise scores.
    """

    directions: Reals
    restrictions: Reals
    score: Reals
    information: Reals
    alone: Reals
    meat: Reals | None


def restricted_score(score: Reals, information: Reals, restrictions: Reals, meat: Reals | None = None) -> RestrictedScore | None:
    """Prepare the tests of a model's restrictions.

    Parameters
    ----------
    score : (P,) float
        Derivatives of the log-likelihood of all observations with respect to the parameters before any restriction.
    information : (P, P) float
        Of all observations.
    restrictions : (q, P) float
        Derivatives of the restrictions.
    meat : (P, P) float, optional
        Sum of the outer products of the casewise scores, for tests that do not assume normality.

    Returns
    -------
    RestrictedScore or None
        None if the information is singular within the restrictions.
    """
    _, singular, rows = np.linalg.svd(restrictions, full_matrices=False)
    closed = rows[singular > _RANK * singular[0]].T
    inverse, _ = covariance_of_estimates(information, free_directions(restrictions))
    if inverse is None:
        return None
    directions = closed - inverse @ (information @ closed)
    return RestrictedScore(
        directions,
        restrictions @ closed,
        closed.T @ score,
        closed.T @ information @ directions,
        closed.T @ information @ closed,
        None if meat is None else directions.T @ meat @ directions,
    )


def score_test(at: RestrictedScore, released: np.ndarray) -> Chisq:
    """Test restrictions together, the others being kept.

    Parameters
    ----------
    at : RestrictedScore
    released : (q,) bool
        Which restrictions are tested.

    Returns
    -------
    Chisq
        The degrees of freedom are the number of directions that the release opens *and identifies*: fewer than the number of restrictions where a
        model without them is not identified (as one with every intercept and every latent mean free). Without any, the statistic is NaN.

    Notes
    -----
    ``u' J^-1 u`` with u the score and J the information along those directions, given the free parameters. With `meat` the generalised test ``u'
    B^-1 u`` of Boos 1992 (doi 10.1080/00031305.1992.10475921), B being the meat along the same directions.
    """
    opened, _ = _opened(at, released)
    if opened.shape[1] == 0:
        return Chisq(math.nan, 0)
    u = opened.T @ at.score
    weight = opened.T @ (at.information if at.meat is None else at.meat) @ opened
    return Chisq(float(u @ np.linalg.solve(weight, u)), opened.shape[1])


def expected_changes(at: RestrictedScore, released: np.ndarray) -> Reals:
    """Return the expected change (P,) of every parameter if restrictions are released (Saris, Satorra & Soerbom 1987); NaN where not identified."""
    opened, identified = _opened(at, released)
    if not identified:
        return np.full(at.directions.shape[0], np.nan)
    step = np.linalg.solve(opened.T @ at.information @ opened, opened.T @ at.score)
    return np.asarray(at.directions @ (opened @ step))


def _opened(at: RestrictedScore, released: np.ndarray) -> tuple[Reals, bool]:
    """Return the directions (m, d) that a release opens and identifies, and whether it identifies all that it opens."""
    kept = at.restrictions[~released]
    size = at.score.size
    opened = np.eye(size)
    if len(kept):
        _, singular, rows = np.linalg.svd(kept)
        opened = rows[int(np.sum(singular > _RANK)) :].T
    scale = np.sqrt(np.einsum("kd,kl,ld->d", opened, at.alone, opened))
    roots, vectors = np.linalg.eigh((opened.T @ at.information @ opened) / np.outer(scale, scale))
    large = roots > _RELATIVE
    return opened @ (vectors[:, large] / scale[:, None]), bool(large.all())
