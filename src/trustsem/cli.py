"""The command line: a thin door. Every command reads its arguments, makes one public call and prints what it returns.

Exit codes: 0 fine, 2 bad input (one clear line on standard error), 3 fitted but not converged or not admissible (the numbers are still printed).
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import trustsem as ts
from trustsem.errors import DataError, OptionError, TrustsemError, TrustsemWarning

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["app", "main"]

FINE, BAD_INPUT, NOT_USABLE, INTERRUPTED = 0, 2, 3, 130
SIMULATED = "The theory of Metz et al. (2022), fitted to trust_survey: 400 SIMULATED rows. The theory is true in them by construction."
STUDY_PLOTS = ("power", "coverage", "bias", "zip", "convergence")
FORMATS = ("lavaan", "mplus", "openmx", "dagitty")
# The root of what the parser raises on wrong arguments; its module has moved between versions of typer.
_WRONG_USAGE: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException" and issubclass(kind, Exception))

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
    help="State a theory of change, simulate it, fit it, and say what the data support. Start with: trustsem demo",
    epilog="Exit codes: 0 fine, 2 bad input, 3 fitted but not converged or not admissible, 130 interrupted.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

study = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="Simulation studies: new, run, summarise, replay.")
app.add_typer(study, name="study")

TheoryOption = Annotated[str, typer.Option("--theory", metavar="NAME|PATH", help="A built-in theory, or the path of a theory file (.toml).")]
TheoryArgument = Annotated[str, typer.Argument(metavar="[NAME|PATH]", help="A built-in theory, or the path of a theory file (.toml).")]
DataArgument = Annotated[Path, typer.Argument(metavar="DATA", help="CSV, TSV, Parquet or Stata file, one row per observation.")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process if left out.

    Returns
    -------
    int
        The exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")
    try:
        with _warnings_as_lines():
            code = app(args=None if arguments is None else list(arguments), prog_name="trustsem", standalone_mode=False)
            sys.stdout.flush()
    except _WRONG_USAGE as error:
        return _refuse(_usage(error))
    except TrustsemError as error:
        return _refuse(str(error))
    except (BrokenPipeError, SystemExit):  # the reader of a pipe (head, less) has gone; the parser exits where it notices
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except OSError as error:
        return _refuse(f"{error.strerror or error}: {error.filename!r}." if error.filename else f"{error}.")
    return code if isinstance(code, int) else FINE


def _usage(error: Any) -> str:
    """Return what is wrong with the arguments and where to look, from an exception of the parser."""
    where = error.ctx.command_path if getattr(error, "ctx", None) else "trustsem"
    return f"{str(error.format_message()).rstrip('. ')}. See `{where} --help`."


def _refuse(line: str) -> int:
    print(f"Error: {line}", file=sys.stderr)
    return BAD_INPUT


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Print every warning once, as one line on standard error, instead of with file and line of our source."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", TrustsemWarning)
        shown: set[str] = set()

        def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
            line = f"Warning {message}" if isinstance(message, TrustsemWarning) else f"Warning ({category.__name__}): {message}"
            if line not in shown:
                shown.add(line)
                print(line, file=sys.stderr)

        warnings.showwarning = show
        yield


def _version(wanted: bool) -> None:
    if wanted:
        print(f"trustsem {ts.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")] = False,
) -> None:
    """Print the help if there is no command."""
    if context.invoked_subcommand is None:
        print(context.get_help())


# Commands ------------------------------------------------------------------------------------------------------------------------------


@app.command()
def demo(out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("trustsem-demo")) -> int:
    """Judge the built-in theory on shipped simulated data."""
    _make(out)
    print(f"{SIMULATED}\n", flush=True)
    code = _appraised(ts.appraise("metz2022", ts.load_dataset("trust_survey")), out)
    print(f"{_write(out / 'README.txt', SIMULATED)} says that the data are simulated; keep it with the rest.")
    print("\nNext: `trustsem theory --provenance` shows what the theory rests on, `trustsem appraise DATA.csv` judges it on your data.")
    return code


@app.command()
def theory(
    name: TheoryArgument = "metz2022",
    syntax: Annotated[bool, typer.Option("--syntax", help="Print the model instead of the theory.")] = False,
    format: Annotated[str, typer.Option("--format", metavar="|".join(FORMATS), help="Language of the model; implies --syntax.")] = "",
    provenance: Annotated[bool, typer.Option("--provenance", help="Print where every claim comes from.")] = False,
) -> int:
    """Print a theory, its model, or where its claims come from."""
    loaded = ts.load_theory(name)
    if provenance and (syntax or format):
        raise OptionError("--provenance and --syntax print different things. Give one of them.")
    if provenance:
        _print_provenance(loaded.provenance)
    elif syntax or format:
        print(_written(loaded, format or "lavaan").rstrip())
    else:
        print(loaded)
    return FINE


@app.command()
def simulate(
    n: Annotated[int, typer.Option("--n", "-n", help="Number of rows.")],
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same data.")],
    theory: TheoryOption = "metz2022",
    preset: Annotated[str, typer.Option(help="Population values of the theory to use.")] = "calibrated",
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE.csv", help="File to write; standard output if left out.")] = None,
) -> int:
    """Simulate multivariate normal data from a theory, as CSV."""
    frame = ts.simulate(ts.load_theory(theory), n=n, seed=seed, preset=preset)
    text = frame.to_csv(index=False, lineterminator="\n")
    if out is None:
        sys.stdout.write(text)
    else:
        print(f"Wrote {_write(out, text)}: {len(frame)} rows, {frame.shape[1]} columns, preset {preset!r}, seed {seed}.")
    return FINE


@app.command()
def fit(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Text file with a model in lavaan syntax.")],
    data: DataArgument,
    estimator: Annotated[str, typer.Option(help="ML, MLR, MLM, GLS, ULS, WLS, DWLS, ...")] = "ML",
    group: Annotated[str | None, typer.Option(metavar="COLUMN", help="Grouping variable.")] = None,
    missing: Annotated[str, typer.Option(help="listwise, fiml, fiml_x, two_stage or robust_two_stage.")] = "listwise",
    cluster: Annotated[str | None, typer.Option(metavar="COLUMN", help="Team (cluster) of each row.")] = None,
    weights: Annotated[str | None, typer.Option("--weights", metavar="COLUMN", help="Sampling weights.")] = None,
    std_lv: Annotated[bool, typer.Option("--std-lv", help="Fix variances of latent variables to 1 instead of first loadings.")] = False,
    meanstructure: Annotated[bool, typer.Option("--meanstructure", help="Model the means.")] = False,
    standardized: Annotated[bool, typer.Option("--standardized", help="Print standardized estimates as well.")] = False,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write the fit as JSON.")] = None,
    cov: Annotated[int | None, typer.Option("--cov", metavar="N", help="DATA holds the covariance matrix of N observations, not rows.")] = None,
) -> int:
    """Fit a model in lavaan syntax and print the summary."""
    text, table = _read(model), ts.read_table(data)
    moments = {"data": table} if cov is None else {"sample_cov": _square(table, data), "sample_nobs": cov}
    means = True if meanstructure else None
    sampling: dict[str, Any] = {name: value for name, value in (("cluster", cluster), ("sampling_weights", weights)) if value is not None}
    fitted = ts.sem(text, estimator=estimator, group=group, missing=missing, std_lv=std_lv, meanstructure=means, **sampling, **moments)
    print(str(fitted.summary(fit_measures=True, standardized=standardized)).rstrip())
    if json is not None:
        print(f"\nWrote {_write(json, fitted.to_json())}.")
    return _code(fitted)


@app.command()
def appraise(
    data: DataArgument,
    theory: TheoryOption = "metz2022",
    sesoi: Annotated[float | None, typer.Option(help="Smallest effect size of interest, standardized; the theory's own if left out.")] = None,
    alpha: Annotated[float, typer.Option(help="Level of each family of tests.")] = 0.05,
    cluster: Annotated[str | None, typer.Option(metavar="COLUMN", help="Team (cluster) of each row.")] = None,
    weights: Annotated[str | None, typer.Option("--weights", metavar="COLUMN", help="Sampling weights.")] = None,
    estimator: Annotated[str | None, typer.Option(help="ML, MLR, ...; the data decide if left out, and the output says why.")] = None,
    missing: Annotated[str | None, typer.Option(help="listwise, fiml, ...; the data decide if left out.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for the evidence: page, diagram, tables, JSON, models.")] = None,
) -> int:
    """Judge every claim of a theory on your data."""
    if out is not None:
        _make(out)
    given = {"cluster": cluster, "sampling_weights": weights, "estimator": estimator, "missing": missing}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return _appraised(ts.appraise(theory, ts.read_table(data), sesoi=sesoi, alpha=alpha, **options), out)


# Simulation studies --------------------------------------------------------------------------------------------------------------------


@study.command("new")
def study_new(
    path: Annotated[Path, typer.Argument(metavar="STUDY.toml", help="File to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> int:
    """Write a commented study file to start from."""
    if path.exists() and not force:
        raise OptionError(f"{str(path)!r} is there already. Give another name, or --force.")
    print(f"Wrote {_write(path, ts.study_skeleton())}. Edit it, then: trustsem study run {path} RESULTS")
    return FINE


@study.command("run")
def study_run(
    path: Annotated[Path, typer.Argument(metavar="STUDY.toml", help="The study.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where results go; a run that was interrupted goes on.")],
    processes: Annotated[int | None, typer.Option("--processes", "-p", min=1, help="Local processes; one for each core by default.")] = None,
    dask: Annotated[str | None, typer.Option("--dask", metavar="ADDRESS", help="Dask scheduler, such as tcp://10.0.0.1:8786.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="MEASURE=ERROR", help="Stop where the Monte Carlo error is small enough.")] = None,
    extend: Annotated[bool, typer.Option("--extend", help="Add replications to a folder with fewer.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> int:
    """Run a study, or go on with one that was interrupted."""
    if processes is not None and dask is not None:
        raise OptionError("--processes and --dask name two places to work. Give one of them.")
    stop = None if until is None else _stop_rule(until)
    try:
        result = ts.run(ts.load_study(path), folder, executor=dask or processes, stop=stop, extend=extend, progress=False if quiet else None)
    except KeyboardInterrupt:
        print(f"\nInterrupted. What was finished is in {folder}/; the same command goes on.", file=sys.stderr)
        return INTERRUPTED
    print(f"{result}\n\nResults are in {folder}/. Next: trustsem study summarise {folder} --out TABLES")
    return FINE


@study.command("summarise")
def study_summarise(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Results of a study, finished or not.")],
    measures: Annotated[str, typer.Option(help="Performance measures to print, separated by commas.")] = "power,coverage,relative_bias",
    parameters: Annotated[str | None, typer.Option(help="Parameters to print, separated by commas; paths by default.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for tables (CSV), plots (PNG) and the page.")] = None,
) -> int:
    """Print how the analyses of a study performed."""
    result = ts.load_result(folder)
    if out is not None:
        _make(out)
    table = result.table(_words(measures), parameters=result.paths if parameters is None else _words(parameters))
    print(f"{result}\n\nIn brackets: Monte Carlo standard errors.")
    print(table.to_string(index=False))
    if out is not None:
        paths = [*ts.write_tables(result, out), *_plots(result, out), ts.report(result, out / "report.html")]
        print(f"\nWrote {len(paths)} files to {out}/: {', '.join(path.name for path in paths)}.")
    return FINE


def _plots(result: ts.StudyResult, folder: Path) -> list[Path]:
    """Draw what there is to be drawn; the page says why something is missing."""
    written = []
    for kind in STUDY_PLOTS:
        with suppress(OptionError):
            ts.plot(result, kind, path=folder / f"{kind}.png")
            written.append(folder / f"{kind}.png")
    return written


@study.command("replay")
def study_replay(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Results of a study.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="Of a replication, from failures.csv or the column key of the results.")],
    analysis: Annotated[str | None, typer.Option(help="Analysis to show; the first by default.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE.csv", help="Also write the data of the replication.")] = None,
) -> int:
    """Do one replication again and print its fit."""
    again = ts.replay(ts.load_result(folder), key)
    if out is not None:
        print(f"Wrote {_write(out, again.data.to_csv(index=False, lineterminator=chr(10)))}.\n")
    fitted = again.fit(analysis)
    for warning in fitted.warnings:
        print(f"Warning {warning}", file=sys.stderr)
    print(str(fitted.summary(fit_measures=fitted.converged)).rstrip())
    return _code(fitted)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _stop_rule(text: str) -> ts.StopRule:
    measure, _, error = text.partition("=")
    try:
        return ts.StopRule(measure.strip(), float(error))
    except ValueError as problem:
        if isinstance(problem, TrustsemError):
            raise
        raise OptionError(f"--until={text!r} is not a measure with a Monte Carlo error. Write it as --until power=0.01.") from None


# What the commands share ---------------------------------------------------------------------------------------------------------------


def _appraised(appraisal: ts.Appraisal, out: Path | None) -> int:
    from trustsem.fitting.serialise import key_measures

    print(appraisal)
    print("\nFit of the whole model: " + "; ".join(f"{name} {value}" for name, value in key_measures(appraisal.fit)) + ".")
    if out is not None:
        print(f"\nComputing its {len(appraisal.parts)} further parts and writing everything; this takes some ten seconds.", flush=True)
        paths = _write_folder(appraisal, out)
        print(f"\nWrote {len(paths)} files to {out}/: {', '.join(str(path.relative_to(out)) for path in paths)}.")
        print(f"Open {out / 'report.html'} in a browser to read all of it.")
    return _code(appraisal.fit)


def _code(fitted: ts.Fit) -> int:
    return FINE if fitted.converged and fitted.admissible else NOT_USABLE


def _make(folder: Path) -> None:
    """Make a folder before the work starts, so that a wrong name costs nothing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"--out={str(folder)!r} cannot be made a folder ({error.strerror}). Give another name.") from None


def _write_folder(appraisal: ts.Appraisal, folder: Path) -> list[Path]:
    for name in ("diagram.png", "diagram.svg"):
        ts.diagram(appraisal, path=folder / name)
    return [
        ts.report(appraisal, folder / "report.html"),
        folder / "diagram.png",
        folder / "diagram.svg",
        _write(folder / "appraisal.json", appraisal.to_json()),
        _write(folder / "model_lavaan.txt", _written(appraisal.theory, "lavaan")),
        _write(folder / "model_mplus.txt", _written(appraisal.theory, "mplus")),
        *ts.write_tables(appraisal, folder / "tables"),
    ]


def _written(theory: ts.Theory, language: str) -> str:
    from trustsem.options import choose

    writers = {"mplus": ts.to_mplus, "openmx": ts.to_openmx, "dagitty": ts.to_dagitty}
    language = choose("format", language, FORMATS)
    return theory.syntax() if language == "lavaan" else writers[language](theory.model())


def _print_provenance(frame: pd.DataFrame) -> None:
    from trustsem.display import wrap

    for kind, entries in frame.groupby("kind", sort=False):
        print(f"{str(kind).capitalize()}:")
        for row in entries.to_dict("records"):
            source = f" Source: {row['source']}." if row["source"] else ""
            note = f" {row['note']}" if row["note"] else ""
            print("\n".join(wrap(f"[{row['mark']}, {row['meaning']}] {row['id']}: {row['claim']}.{source}{note}".replace("..", "."), 110, "  ")))
        print()


def _read(path: Path) -> str:
    if path.is_dir():
        raise OptionError(f"{str(path)!r} is a folder. Give the path of a text file with a model.")
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise OptionError(f"There is no file {str(path)!r}. Check the path of the model.") from None
    except UnicodeDecodeError:
        raise OptionError(f"{str(path)!r} is not a text file in UTF-8. The first argument is the model, the second the data.") from None


def _square(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return a covariance matrix whose rows are named, from a file with or without a first column of names."""
    first = table.columns[0]
    matrix = table if table[first].dtype.kind in "fiu" else table.set_index(first)
    if matrix.shape[0] != matrix.shape[1]:
        size = f"{matrix.shape[0]} rows and {matrix.shape[1]} columns"
        raise DataError(f"{str(path)!r} has {size}, so it is not a covariance matrix. Leave --cov out if it holds observations.")
    return matrix if matrix is not table else matrix.set_axis(table.columns, axis=0)


def _write(path: Path, text: str) -> Path:
    from trustsem.reporting.files import write_text

    return write_text(path, text)


if __name__ == "__main__":
    sys.exit(main())
