"""The models of a tournament, made ready to be fitted to many other samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from trustsem.appraisal.rivals.contenders import LineUp, log_likelihood
from trustsem.data.sample import Sample
from trustsem.errors import DataError
from trustsem.fitting.fit import Fit
from trustsem.fitting.fitter import Fitter, make_fitter
from trustsem.fitting.search import SearchOptions

__all__ = ["Criteria", "Entrant", "best", "criteria", "entrants", "left_out", "title_of"]

# A model may be hopeless for data from another one (factors that merge): the search is not to go on for long. How far from its minimum it may end is
# given in standard errors; a likelihood is then right to a millionth.
_LIMIT = 80
_DISTANCE = 1e-3


class Criteria(NamedTuple):
    """Information criteria of one model; NaN if it did not converge."""

    aic: float
    bic: float


@dataclass(frozen=True, eq=False)
class Entrant:
    """One class of models that imply the same, fitted by its first member.

    Attributes
    ----------
    name : str
        Of the first member.
    label : str
        All members.
    fitter : Fitter
        Starting from the estimates, and from computed values where that fails.
    """

    name: str
    label: str
    fitter: Fitter

    def fit(self, sample: Sample) -> Fit | None:
        """Fit to another sample; None if that fails."""
        try:
            found = self.fitter.fit_sample(sample)
        except DataError:
            return None
        return found if found.converged else None


def entrants(line: LineUp, *, tested: bool = False, exact: bool = False) -> tuple[Entrant, ...]:
    """Return one entrant for each class of models.

    Parameters
    ----------
    line : LineUp
    tested : bool
        With the standard errors and robust tests of the fits.
    exact : bool
        Search to full precision: away from the rows fitted to, a likelihood is not flat at the estimates.
    """
    found = []
    for name, fit in line.heads.items():
        options = fit.options if tested else replace(fit.options, se="none", test=("standard",))
        start = {str(parameter): float(value) for parameter, value in fit.coef().items()}
        search = SearchOptions(limit=_LIMIT, restarts=0)
        if not exact:
            search = replace(search, tolerance=2.0 * _DISTANCE**2 / fit.nobs)
        found.append(Entrant(name, line.members(name), replace(make_fitter(fit.model, options, start), search_options=search)))
    return tuple(found)


def criteria(fit: Fit | None) -> Criteria:
    """Return AIC and BIC of a fit."""
    if fit is None:
        return Criteria(math.nan, math.nan)
    deviance = -2.0 * log_likelihood(fit)
    return Criteria(deviance + 2.0 * fit.npar, deviance + math.log(fit.nobs) * fit.npar)


def best(values: Sequence[float]) -> int:
    """Return the place of the lowest value that is a number; -1 if there is none."""
    known = [(value, place) for place, value in enumerate(values) if math.isfinite(value)]
    return min(known)[1] if known else -1


def left_out(line: LineUp) -> list[str]:
    """Return a sentence for the rivals that are not in the comparison, if there are any."""
    names = [one.name for one in line.rivals if not one.usable]
    return [f"Not compared, because they cannot be stated or fitted here: {', '.join(names)}. The tournament says why."] if names else []


def title_of(line: LineUp, name: str, own: str) -> str:
    """Return the title of a contender; `own` is the theory's."""
    return next((one.title for one in line.rivals if one.name == name), own)
