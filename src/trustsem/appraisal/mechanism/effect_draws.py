"""Draws of the parameters of a fit, for intervals of effects: from the normal distribution of its estimates, or from resamples of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from trustsem.appraisal.mechanism.routes import Draws, implied_draws
from trustsem.appraisal.repeating import repeat
from trustsem.errors import OptionError
from trustsem.fitting.fit import Fit
from trustsem.fitting.monte_carlo import monte_carlo
from trustsem.fitting.refits import draw_some, prepare_refits
from trustsem.inference.many import borrowed_values
from trustsem.options import check_count, choose

__all__ = ["INTERVALS", "draw_effects"]

INTERVALS = ("delta", "monte_carlo", "bootstrap")
_USUAL = MappingProxyType({"monte_carlo": 20_000, "bootstrap": 1_000})


def draw_effects(
    fit: Fit,
    places: Sequence[int],
    interval: str,
    *,
    draws: int | None = None,
    seed: int | None = None,
    executor: Any = None,
    progress: bool | None = None,
) -> tuple[Draws | None, str]:
    """Return what draws of the parameters imply, for the kind of `interval` asked for, and what they are in words.

    Parameters
    ----------
    fit : Fit
        Of one block.
    places : sequence of int
        The variables that are wanted.
    interval : {"delta", "monte_carlo", "bootstrap"}
        No draws; draws from the normal distribution of the estimates; refits to resampled rows, to whole clusters where there are clusters.
    draws : int, optional
        How many: 20,000 of the normal distribution, 1,000 of the bootstrap.
    seed : int, optional
        Needed for draws. Draw b of the bootstrap uses ``numpy.random.SeedSequence(seed, spawn_key=(b,))``, whoever makes it.
    executor, progress : optional
        Of the bootstrap; see :func:`trustsem.appraisal.repeating.repeat`.

    Raises
    ------
    OptionError
        For an interval that does not exist, draws without a seed, a seed without draws, or a fit without standard errors to draw from.
    DataError
        For a bootstrap of a fit to moments.
    """
    interval = choose("interval", interval, INTERVALS)
    if interval == "delta":
        if seed is not None or draws is not None:
            raise OptionError("draws= and seed= belong to drawn intervals. Give interval='monte_carlo' or interval='bootstrap' with them.")
        return None, "delta method"
    if seed is None:
        raise OptionError(f"interval={interval!r} is drawn at random and needs a seed. Give seed=1, or interval='delta'.")
    count = _USUAL[interval] if draws is None else draws
    check_count("draws", count, 2)
    check_count("seed", seed, 0)
    if interval == "monte_carlo":
        theta = monte_carlo(fit, count, seed=seed).theta
        borrowed = borrowed_values(fit.model, fit.problem.structure)
        words = f"percentiles of {count:,} draws from the normal distribution of the estimates, seed {seed}"
        return implied_draws(fit, places, theta, np.broadcast_to(borrowed, (count, borrowed.size))), words
    clustered = fit.sample.cluster is not None
    job = partial(draw_some, prepare_refits(fit, "cluster" if clustered else "nonparametric"), int(seed))
    found = repeat(job, range(count), executor=executor, progress=progress, title="bootstrap")
    used = [draw for draw in found if draw.reason == "converged"]
    if len(used) < 2:
        raise OptionError(
            f"Only {len(used)} of {count} bootstrap draws could be fitted. Use interval='monte_carlo', or look at the model and the data."
        )
    failed = f" ({count - len(used)} could not be fitted)" if len(used) < count else ""
    words = f"percentiles of {len(used):,} bootstrap draws{failed}, of {'whole clusters' if clustered else 'rows'}, seed {seed}"
    theta, moments = np.array([draw.theta for draw in used]), np.array([draw.borrowed for draw in used])
    return implied_draws(fit, places, theta, moments), words
