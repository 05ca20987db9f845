"""What a study has found: tidy tables of everything that was kept, and the performance of every analysis."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.errors import OptionError, closest
from trustsem.options import check_level, choose
from trustsem.studies import tidy
from trustsem.studies.chunks import Outcomes
from trustsem.studies.design import Study
from trustsem.studies.files import load_study
from trustsem.studies.layout import ConditionLayout
from trustsem.studies.measured import FIT_RATES, measured
from trustsem.studies.performance import MEASURES, mean
from trustsem.studies.store import FolderStore, Store
from trustsem.studies.text import describe
from trustsem.studies.tidy import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StudyResult", "load_result"]

USABLE = ("converged", "admissible")


@dataclass(frozen=True, eq=False)
class StudyResult:
    """The results of a study, finished or not.

    Attributes
    ----------
    study : Study
    layout : tuple of ConditionLayout
    store : Store
        Where they are.
    """

    study: Study
    layout: tuple[ConditionLayout, ...]
    store: Store

    def outcomes(self, condition: int, analysis: int | str = 0, upto: int | None = None) -> Outcomes:
        """Return the outcomes of one condition (its place, from 0) and analysis as arrays, those of the first `upto` replications only if given."""
        names = [one.name for one in self.layout[condition].analyses]
        found = self.store.outcomes(condition, names.index(analysis) if isinstance(analysis, str) else analysis)
        return found if upto is None else found.first(upto)

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of replications of each condition that are there."""
        return tuple(sum(last - first for first, last in ranges) for ranges in self.store.done())

    @property
    def finished(self) -> bool:
        """Whether every replication of every condition is there."""
        return all(count >= self.study.replications for count in self.counts)

    @property
    def factors(self) -> tuple[str, ...]:
        """What distinguishes the conditions."""
        return tuple(dict.fromkeys(name for layout in self.layout for name in layout.settings))

    # Everything that was kept

    @property
    def fits(self) -> pd.DataFrame:
        """One row per condition, replication and analysis: factors, ``key replication analysis reason converged admissible`` and fit measures."""
        return tidy.fits(self)

    @property
    def estimates(self) -> pd.DataFrame:
        """One row per condition, replication, analysis and parameter: factors, ``key replication analysis parameter truth est se``."""
        return tidy.estimates(self)

    @property
    def failures(self) -> pd.DataFrame:
        """The analyses that have no result: factors, ``key replication analysis reason``; `ts.replay` takes the key."""
        table = self.fits
        columns = [name for name in table.columns if name in (*self.factors, "key", "replication", "analysis", "reason")]
        return table.loc[~table["converged"].astype(bool), columns].reset_index(drop=True)

    # What it amounts to

    def performance(
        self,
        measures: str | Sequence[str] | None = None,
        *,
        parameters: str | Sequence[str] | None = None,
        analyses: str | Sequence[str] | None = None,
        usable: str = "converged",
        level: float = 0.95,
        condition: int | None = None,
        upto: int | None = None,
    ) -> pd.DataFrame:
        """Return performance measures, each with its Monte Carlo standard error.

        Parameters
        ----------
        measures : str or sequence of str, optional
            Of single parameters: bias, relative_bias, empirical_se, model_se, se_ratio, rmse, coverage, bias_eliminated_coverage, power,
            type_1_error, ci_width, type_s_error, type_m_error; of the analysis (parameter is empty): convergence, admissibility, rejection (of the
            test of exact fit). All by default.
        parameters, analyses : str or sequence of str, optional
            Which; all that have a true value, and all analyses, by default.
        usable : {"converged", "admissible"}
            Which replications are used. Leaving out inadmissible ones selects among samples; both are shown by the rates.
        level : float
            Of intervals; tests are at 1 - level.
        condition : int, optional
            Place of the only condition wanted.
        upto : int, optional
            Use only so many replications.

        Returns
        -------
        DataFrame
            Factors, then ``analysis parameter truth measure value mc_error lower upper n_used replications``. For rates, `lower` and `upper` are what
            the value could be if the unusable replications had all gone one way: nothing is drawn again. NaN for measures without such bounds.

        Raises
        ------
        OptionError
            For an unknown measure, parameter or analysis.
        """
        import pandas as pd

        usable = choose("usable", usable, USABLE)
        check_level(level)
        wanted = self._chosen("measures", measures, (*MEASURES, *FIT_RATES))
        known = list(dict.fromkeys(name for layout in self.layout for one in layout.analyses for name in one.parameters))
        which = None if parameters is None else self._chosen("parameters", parameters, known)
        named = self._chosen("analyses", analyses, list(dict.fromkeys(one.name for layout in self.layout for one in layout.analyses)))
        rows: list[dict[str, Any]] = []
        for place in range(len(self.layout)) if condition is None else [condition]:
            layout = self.layout[place]
            for number, analysis in enumerate(layout.analyses):
                if analysis.name in named:
                    found = self.outcomes(place, number, upto)
                    start = {**shown(layout), "analysis": analysis.name}
                    rows += [start | row for row in measured(analysis, found, wanted, which, usable, level)]
        columns = [
            *self.factors,
            "analysis",
            "parameter",
            "truth",
            "measure",
            "value",
            "mc_error",
            "lower",
            "upper",
            "n_used",
            "replications",
        ]
        return pd.DataFrame(rows, columns=columns)

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths between variables whose true value is known and not 0: what most studies are about. All parameters with a true value if none is."""
        found: dict[str, bool] = {}
        for layout in self.layout:
            for one in layout.analyses:
                for name, truth in zip(one.parameters, one.truth, strict=True):
                    if math.isfinite(truth):
                        found[name] = found.get(name, False) or (truth != 0.0 and _is_path(name))
        return tuple(name for name, chosen in found.items() if chosen) or tuple(found)

    def table(
        self, measures: str | Sequence[str] = ("power", "coverage", "relative_bias"), *, digits: int = 3, bounds: bool = False, **choice: Any
    ) -> pd.DataFrame:
        """Return a table for print: one column for each measure, each value with its Monte Carlo error in brackets.

        Parameters
        ----------
        measures : str or sequence of str
        digits : int
            Decimals.
        bounds : bool
            Add worst-case bounds of rates, in square brackets.
        **choice
            As for :meth:`performance`; :attr:`paths` if no parameters are named.

        Returns
        -------
        DataFrame
            Factors, ``analysis``, ``parameter`` and one column of text for each measure. See :func:`trustsem.to_markdown`.
        """
        wanted = [measures] if isinstance(measures, str) else list(measures)
        tall = self.performance(wanted, **{"parameters": self.paths, **choice})
        return tidy.printed(tall, [*self.factors, "analysis", "parameter"], wanted, digits, bounds)

    def fit_indices(self, names: str | Sequence[str] | None = None, quantiles: Sequence[float] = (0.05, 0.5, 0.95)) -> pd.DataFrame:
        """Return the distribution of the fit measures over converged replications.

        Parameters
        ----------
        names : str or sequence of str, optional
            Which of those that were kept; all by default.
        quantiles : sequence of float

        Returns
        -------
        DataFrame
            Factors, then ``analysis measure mean mc_error sd``, one column per quantile (``q05 ...``) and ``n_used``.
        """
        import pandas as pd

        rows = []
        known = list(dict.fromkeys(name for layout in self.layout for one in layout.analyses for name in one.measures))
        wanted = self._chosen("names", names, known)
        for condition, layout in enumerate(self.layout):
            for number, analysis in enumerate(layout.analyses):
                found = self.outcomes(condition, number)
                for at, name in enumerate(analysis.measures):
                    values = found.measures[found.converged, at] if len(found) else np.empty(0)
                    values = values[np.isfinite(values)]
                    if name in wanted:
                        middle = mean(values)
                        points = np.quantile(values, quantiles) if values.size else [math.nan] * len(quantiles)
                        row = {**shown(layout), "analysis": analysis.name, "measure": name, "mean": middle.value, "mc_error": middle.mc_error}
                        row["sd"] = float(values.std(ddof=1)) if values.size > 1 else math.nan
                        row |= {f"q{round(100 * q):02d}": float(point) for q, point in zip(quantiles, points, strict=True)}
                        rows.append(row | {"n_used": middle.n_used})
        return pd.DataFrame(rows)

    def fingerprint(self) -> str:
        """Return the SHA-256 of all results: equal for the same study on the same machine, whoever did the work."""
        digest = hashlib.sha256()
        for condition, layout in enumerate(self.layout):
            digest.update(layout.key.encode())
            for number in range(len(layout.analyses)):
                found = self.outcomes(condition, number)
                for array in (found.replication, found.admissible, found.est, found.se, found.measures):
                    digest.update(np.ascontiguousarray(array).tobytes())
                digest.update("\n".join(found.reason).encode())
        return digest.hexdigest()

    def __repr__(self) -> str:
        return describe(self)

    def _chosen(self, option: str, given: str | Sequence[str] | None, known: Sequence[str]) -> list[str]:
        wanted = list(known) if given is None else [given] if isinstance(given, str) else list(given)
        for name in wanted:
            if name not in known:
                raise OptionError(f"{option}= names {name!r}, which is not among {', '.join(known)}.{closest(str(name), known)}")
        return wanted


def load_result(folder: str | os.PathLike[str]) -> StudyResult:
    """Open the results of a study that was run into a folder, finished or not.

    Raises
    ------
    StudyError
        If there are none, or they are damaged.
    """
    store = FolderStore(folder)
    return StudyResult(load_study(store.folder), store.layout, store)


def _is_path(name: str) -> bool:
    return "~" in name and not any(operator in name for operator in ("=~", "~~", "~1"))
