"""Multiple imputation by chained equations (van Buuren & Groothuis-Oudshoorn 2011, Journal of Statistical Software 45(3))."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trustsem.data.columns import Table, check_names, open_table
from trustsem.data.groups import Grouping, no_grouping, read_grouping
from trustsem.data.moments import dependent_variables, join_names
from trustsem.errors import DataError, OptionError
from trustsem.options import choose

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Progress", "impute", "progress_reporter"]

Progress = bool | Callable[[int, int], object] | None
Reals = NDArray[np.float64]


def impute(
    data: Any,
    m: int = 20,
    *,
    variables: Sequence[str] | None = None,
    group: str | None = None,
    iterations: int = 10,
    method: str = "pmm",
    seed: int | np.random.Generator | None,
    progress: Progress = None,
) -> tuple[pd.DataFrame, ...]:
    """Fill in missing values m times, by chained equations.

    Parameters
    ----------
    data : data frame or mapping
        A pandas or polars DataFrame, or a mapping of name to array. NaN, None and null are missing values.
    m : int
        Number of imputed data sets, at least 2.
    variables : sequence of str, optional
        The variables to be completed, each predicted by all others of them; None: all columns of numbers, except `group`. Put in variables that
        predict what is missing or why, even if they are not in the model.
    group : str, optional
        Impute within the groups of this variable, so that every relation may differ between them.
    iterations : int
        Sweeps over the variables before a data set is taken. Every data set has a chain of its own.
    method : {"pmm", "norm"}
        Predictive mean matching: a missing value becomes an observed one, that of one of the five rows with the nearest predictions. Or draws from a
        normal linear regression, which may fall between and beyond the observed values.
    seed : int or numpy Generator
        Has to be given. The same seed gives the same imputations; the first ones are the same whatever `m` is.
    progress : bool or callable, optional
        True prints one line to standard error that is updated; a callable is called with (done, total).

    Returns
    -------
    tuple of DataFrame
        m pandas frames with the rows and columns of `data`. A column in which nothing was missing, or that is not among `variables`, is as it was.

    Raises
    ------
    OptionError
        For an option that is malformed.
    DataError
        If a variable has no values, is constant, is not numeric or is a combination of others; if a row is empty or has no group; if there are more
        variables than rows.

    Notes
    -----
    Every step draws coefficients and residual variance of a linear regression from their posterior distribution (Rubin 1987). The bookkeeping is
    that of ``statsmodels.imputation.mice.MICEData``; the draws are not, and no global random state is touched.
    """
    _check_counts(m, iterations)
    choose("method", method, ("pmm", "norm"))
    report = progress_reporter(progress, "Imputing")
    rngs = _generator(seed).spawn(m)
    table, names = _open(data, variables, group)
    rows = table.matrix(names)
    grouping = no_grouping(table.n) if group is None else read_grouping(table.values(group), group, None)
    _check_rows(rows, names, grouping, group)
    # The module is put off because it loads statsmodels.
    from trustsem.data.chained import impute_rows

    incomplete = [at for at in range(len(names)) if np.isnan(rows[:, at]).any()]
    frames = []
    for done, rng in enumerate(rngs, start=1):
        filled = rows.copy()
        for code in range(len(grouping.labels)):
            own = grouping.codes == code
            if np.isnan(rows[own]).any():
                filled[own] = impute_rows(rows[own], iterations, method, rng)
        frames.append(_frame(data, table, {names[at]: filled[:, at] for at in incomplete}))
        report(done, m)
    return tuple(frames)


def progress_reporter(progress: Progress, what: str) -> Callable[[int, int], object]:
    """Return what is to be called with (done, total) after every step.

    Parameters
    ----------
    progress : bool, callable or None
        True: one line on standard error, rewritten at every step and ended at the last.
    what : str
        The start of the line.

    Raises
    ------
    OptionError
        If `progress` is neither.
    """
    if callable(progress):
        return progress
    if progress not in (None, False, True):
        raise OptionError(f"progress={progress!r} is not a way to report. Give True, or a function of (done, total).")

    def line(done: int, total: int) -> None:
        if progress:
            sys.stderr.write(f"\r{what}: {done} of {total}" + ("\n" if done == total else ""))
            sys.stderr.flush()

    return line


def _check_counts(m: int, iterations: int) -> None:
    for name, value, least in (("m", m, 2), ("iterations", iterations, 1)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise OptionError(f"{name}={value!r} must be a whole number of at least {least}.")


def _generator(seed: int | np.random.Generator | None) -> np.random.Generator:
    if isinstance(seed, np.random.Generator):
        return seed
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise OptionError(f"seed={seed!r} cannot seed a generator. Give a whole number of at least 0, or a numpy Generator.")
    return np.random.default_rng(int(seed))


def _open(data: Any, variables: Sequence[str] | None, group: str | None) -> tuple[Table, tuple[str, ...]]:
    """Return the table and the names of the variables to be completed."""
    if group is not None and not isinstance(group, str):
        raise OptionError(f"group= must be the name of one column, not {group!r}.")
    table = open_table(data, None)
    if variables is None:
        names = tuple(name for name in table.numeric_names() if name != group)
    else:
        try:
            names = check_names(variables)
        except OptionError as error:
            raise OptionError(str(error).replace("names=", "variables=")) from None
    if group in names:
        raise OptionError(f"The grouping variable {group!r} is also among variables=. Take it out: values are imputed within groups.")
    open_table(data, [*names, *([] if group is None else [group])])  # refuses names that do not exist
    if len(names) < 2:
        raise DataError(f"There is nothing to predict missing values from: {len(names)} variable(s) of numbers. Give at least two.")
    return table, names


def _check_rows(rows: Reals, names: tuple[str, ...], grouping: Grouping, group: str | None) -> None:
    """Raise unless every group can be imputed."""
    if np.isinf(rows).any():
        at = int(np.flatnonzero(np.isinf(rows).any(axis=0))[0])
        raise DataError(f"The values of {names[at]!r} are infinite in some rows. Correct them, or mark them as missing (NaN).")
    if (grouping.codes < 0).any():
        count = int((grouping.codes < 0).sum())
        raise DataError(f"{count} row(s) have no value of the grouping variable {group!r}. Leave them out, or impute without group=.")
    empty = np.flatnonzero(np.isnan(rows).all(axis=1))
    if empty.size:
        raise DataError(
            f"{empty.size} row(s) hold no value at all, first row {empty[0]} (counted from 0): nothing could predict them. "
            "Leave them out, as by `data.dropna(how='all')`, or add variables that were observed."
        )
    for code, label in enumerate(grouping.labels):
        _check_group(rows[grouping.codes == code], names, "" if group is None else f" in group {label!r} of {group!r}")


def _check_group(rows: Reals, names: tuple[str, ...], where: str) -> None:
    missing = np.isnan(rows)
    absent = [names[at] for at in np.flatnonzero(missing.all(axis=0))]
    if absent:
        raise DataError(f"{join_names(absent)} {'has' if len(absent) == 1 else 'have'} no values{where}. Leave out what was never observed.")
    low, high = np.nanmin(rows, axis=0), np.nanmax(rows, axis=0)
    constant = [names[at] for at in np.flatnonzero(low == high)]
    if constant:
        verb = "is" if len(constant) == 1 else "are"
        raise DataError(f"{join_names(constant)} {verb} constant{where}, which predicts nothing and has nothing to be predicted. Leave it out.")
    observed = (~missing).sum(axis=0)
    needed = len(names) + 2
    scarce = [at for at in range(len(names)) if missing[:, at].any() and observed[at] < needed]
    if scarce:
        raise DataError(
            f"{names[scarce[0]]!r} has {observed[scarce[0]]} values{where}, too few to be predicted from {len(names) - 1} other variables. "
            f"At least {needed} are needed: name fewer variables=."
        )
    complete = rows[~missing.any(axis=1)]
    if len(complete) > needed and (complete.std(axis=0) > 0.0).all():
        involved, sentence = dependent_variables(np.asarray(np.corrcoef(complete.T), dtype=np.float64), names)
        if involved:
            raise DataError(f"Variables cannot be told apart{where}: {sentence} Leave one of them out of variables=.")


def _frame(data: Any, table: Table, columns: dict[str, Reals]) -> pd.DataFrame:
    """Return the data as a pandas frame of its own with `columns` replaced."""
    import pandas as pd

    frame = table.frame.copy() if table.frame is not None else pd.DataFrame({name: table.values(name) for name in table.names})
    for name, values in columns.items():
        frame[name] = values
    return frame
