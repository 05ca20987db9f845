"""The tables of a fit, an appraisal or a study as CSV files, with every digit; and tables as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustsem.display import number
from trustsem.errors import OptionError
from trustsem.reporting.files import write_text
from trustsem.reporting.graph import is_appraisal, is_fit
from trustsem.studies.result import StudyResult

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["all_tables", "residual_correlations", "side_by_side", "to_markdown", "write_tables"]


def write_tables(source: Any, folder: str | Path) -> tuple[Path, ...]:
    """Write the tables of a fit, an appraisal or a study as CSV files (UTF-8, full precision, blank where there is no value).

    Parameters
    ----------
    source : Fit, Appraisal or StudyResult
    folder : str or Path
        Made if it does not exist; files of the same names are replaced.

    Returns
    -------
    tuple of Path
        ``estimates.csv``, ``standardized.csv``, ``fit_measures.csv``, ``residual_correlations.csv``, ``rsquare.csv`` and ``effects.csv``;
        for an appraisal also ``verdicts.csv`` and one file for each of its parts; for a study ``performance.csv``, ``fit_indices.csv`` and
        ``failures.csv``.

    Raises
    ------
    OptionError
        For something else than those, and for a folder that cannot be written.
    """
    target = Path(folder)
    tables = all_tables(source)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"folder={str(folder)!r} cannot be made: {error.strerror or error}. Give a folder that you may write to.") from error
    return tuple(write_text(target / f"{name}.csv", frame.to_csv(index=False, lineterminator="\n")) for name, frame in tables.items())


def all_tables(source: Any) -> dict[str, pd.DataFrame]:
    """Return the tables that :func:`write_tables` writes, by file name without ending."""
    import pandas as pd

    if isinstance(source, StudyResult):
        return {"performance": source.performance(), "fit_indices": source.fit_indices(), "failures": source.failures}
    fit = fit_of(source)
    measures = fit.fit_measures()
    tables = {
        "estimates": fit.parameter_estimates(standardized=True),
        "standardized": fit.standardized_solution(),
        "fit_measures": pd.DataFrame({"measure": list(measures.index), "value": measures.to_numpy()}),
        "residual_correlations": residual_correlations(fit),
        "rsquare": _rsquare(fit),
        "effects": fit.effects(standardized=True),
    }
    if not is_appraisal(source):
        return tables
    return {"verdicts": source.verdicts} | tables | {name: source.part(name).frame for name in source.parts}


def to_markdown(table: pd.DataFrame) -> str:
    """Return a data frame as a Markdown table: numbers on the right, texts as they are, its index left out.

    Parameters
    ----------
    table : DataFrame
        Such as :meth:`StudyResult.table` gives.
    """
    right = [table[name].dtype.kind in "iuf" for name in table.columns]
    rows = [[str(name) for name in table.columns]]
    rows += [[number(value) if isinstance(value, float) else str(value) for value in record] for record in table.itertuples(index=False, name=None)]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("---:" if one else "---" for one in right) + "|", *lines[1:]])


def fit_of(source: Any) -> Any:
    """Return the fit behind a fit or an appraisal.

    Raises
    ------
    OptionError
        For something else.
    """
    if is_appraisal(source):
        return source.fit
    if not is_fit(source):
        raise OptionError(f"Tables and reports are made of a Fit or an Appraisal, not of {type(source).__name__!r}. Fit the model first.")
    return source


def by_group(fit: Any, value: Any) -> list[tuple[str, Any]]:
    """Return pairs of group (and level) label, empty for a single block, and value."""
    return list(value.items()) if len(fit.model.blocks) > 1 else [("", value)]


def residual_correlations(fit: Any) -> pd.DataFrame:
    """Return one row per pair of observed variables: ``[group] first second residual``, the residual being sample minus implied correlation."""
    import pandas as pd

    records = []
    for group, moments in by_group(fit, fit.residuals("cor")):
        matrix = moments["cov"]
        names = list(matrix.index)
        for i, second in enumerate(names):
            records += [(group, first, second, float(matrix.iloc[i, j])) for j, first in enumerate(names[:i])]
    frame = pd.DataFrame(records, columns=["group", "first", "second", "residual"])
    return frame if len(fit.model.blocks) > 1 else frame.drop(columns="group")


def _rsquare(fit: Any) -> pd.DataFrame:
    import pandas as pd

    records = [(group, str(name), float(value)) for group, series in by_group(fit, fit.rsquare()) for name, value in series.items()]
    frame = pd.DataFrame(records, columns=["group", "variable", "rsquare"])
    return frame if len(fit.model.blocks) > 1 else frame.drop(columns="group")


def side_by_side(source: Any, *, level: float = 0.95) -> pd.DataFrame:
    """Return unstandardized and standardized estimates side by side, as papers report them.

    Parameters
    ----------
    source : Fit or Appraisal
    level : float
        Confidence level.

    Returns
    -------
    DataFrame
        Columns ``[group] lhs op rhs label est se ci_lower ci_upper pvalue std_all``; the test belongs to the unstandardized estimate. Moments of
        fixed covariates are left out.
    """
    fit = fit_of(source)
    frame = fit.parameter_estimates(standardized=True, level=level)
    exogenous = [row.exo for row in fit.model.table.rows]
    kept = [not exo for exo in exogenous] + [True] * (len(frame) - len(exogenous))
    columns = ["lhs", "op", "rhs", "label", "est", "se", "ci_lower", "ci_upper", "pvalue", "std_all"]
    result: pd.DataFrame = frame.loc[kept, (["group"] if "group" in frame else []) + columns].reset_index(drop=True)
    return result
