"""What each of many restrictions costs when it alone is released: expected change, its error, and the power to see a change: formulas on arrays.

Sources: Saris, Satorra & Soerbom 1987 (expected parameter change); Satorra 1989, doi 10.1007/BF02294453, and Boos 1992, doi
10.1080/00031305.1992.10475921 (without normality); Saris, Satorra & van der Veld 2009, doi 10.1080/10705510903203433 (power beside significance).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.inference.score_test import RestrictedScore
from trustsem.kernels.structure import Reals

__all__ = ["SingleChanges", "detectable", "power_of_test", "same_direction", "single_changes"]

_RELATIVE = 1e-9  # share of its information that must remain, given the free parameters, for a parameter to be identified


class SingleChanges(NamedTuple):
    """Restrictions released one at a time.

    Attributes
    ----------
    change, se : (q,) float
        Expected change and its standard error; NaN where the model without the restriction is not identified.
    likeness : (q, q) float
        Cosines between what the restrictions close, given the free parameters: 1 or -1 where releasing one is, near the estimates, releasing the
        other.
    """

    change: Reals
    se: Reals
    likeness: Reals

    @property
    def statistic(self) -> Reals:
        """Score statistics (q,), each on one degree of freedom."""
        return np.asarray((self.change / self.se) ** 2)


def single_changes(at: RestrictedScore) -> SingleChanges:
    """Return the change that each restriction alone would allow.

    Parameters
    ----------
    at : RestrictedScore
        Of restrictions none of which follows from the others.

    Notes
    -----
    Along the direction that opens restriction k alone, let u be the score, J the information and B the spread of the casewise scores. The expected
    change is u / J with standard error ``sqrt(B) / J``, and ``1 / sqrt(J)`` where normality is assumed; (change / se)^2 is the score statistic. The
    same as :func:`trustsem.inference.score_test.score_test` of each k, for hundreds of them at once.
    """
    opened = np.linalg.pinv(at.restrictions)
    score = opened.T @ at.score
    information = opened.T @ at.information @ opened
    own = np.diag(information)
    alone = np.einsum("mk,ml,lk->k", opened, at.alone, opened)
    identified = own > _RELATIVE * alone
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = own if at.meat is None else np.einsum("mk,ml,lk->k", opened, at.meat, opened)
        change = np.where(identified, score / own, np.nan)
        se = np.where(identified, np.sqrt(spread) / own, np.nan)
        root = np.sqrt(np.where(identified, own, np.nan))
        likeness = information / np.outer(root, root)
    return SingleChanges(change, se, np.nan_to_num(likeness))


def same_direction(likeness: Reals, tolerance: float = 1e-6) -> np.ndarray:
    """Return for each restriction (q,) the first one that is the same near the estimates: its own number if there is none before it."""
    same = np.abs(likeness) > 1.0 - tolerance
    np.fill_diagonal(same, True)
    return np.asarray(same.argmax(axis=1))


def power_of_test(size: Reals, se: Reals, alpha: float = 0.05) -> Reals:
    """Return the power (q,) of the two-sided test at level `alpha` if the value were `size`, in units in which its standard error is `se`."""
    shift, critical = np.abs(size) / se, ndtri(1.0 - 0.5 * alpha)
    return np.asarray(ndtr(shift - critical) + ndtr(-shift - critical))


def detectable(se: Reals, power: float = 0.80, alpha: float = 0.05) -> Reals:
    """Return the value (q,) that the two-sided test at level `alpha` finds with `power`."""
    return np.asarray(se * (ndtri(1.0 - 0.5 * alpha) + ndtri(power)))
