"""P-values adjusted for their number."""

from __future__ import annotations

import numpy as np

from trustsem.kernels.structure import Reals

__all__ = ["holm_adjusted"]


def holm_adjusted(pvalues: Reals) -> Reals:
    """Return p-values (k,) adjusted by Holm's (1979) sequential method; NaN stays NaN and does not count."""
    result = np.full(pvalues.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(pvalues))
    order = tested[np.argsort(pvalues[tested], kind="stable")]
    result[order] = np.minimum(np.maximum.accumulate(pvalues[order] * np.arange(order.size, 0, -1)), 1.0)
    return result
