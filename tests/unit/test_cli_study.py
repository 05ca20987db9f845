"""The command line of simulation studies: new, run, summarise, replay; what is wrong is one clear line, and nothing is lost."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

import trustsem as ts
from trustsem.cli import main

Run = tuple[int, str, str]

POPULATION = '[population]\nmodel = "y ~ x"\nvalues = { "y~x" = 0.4, "y~~y" = 0.84, "x~~x" = 1.0 }\n'
STUDY = f"""name = "small"
replications = 12
seed = 3
{POPULATION}
[conditions]
n = [30, 60]

[analyses.ML]
[analyses.robust]
estimator = "MLR"
"""
FAILING = f"replications = 4\nn = 2\n{POPULATION}"  # two rows have no covariance matrix of two variables
WRITTEN = {
    "performance.csv",
    "fit_indices.csv",
    "failures.csv",
    "power.png",
    "coverage.png",
    "bias.png",
    "zip.png",
    "convergence.png",
    "report.html",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder with study files."""
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(STUDY, encoding="utf-8")
    Path("failing.toml").write_text(FAILING, encoding="utf-8")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], arguments: str) -> Run:
    code = main(arguments.split())
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def computed(file: str = "small.toml", folder: str = "results") -> ts.StudyResult:
    return ts.run(ts.load_study(file), folder, executor="serial", chunk_size=6, progress=False)


def chunks(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "results" / "chunks").glob("c*.parquet")}


# Fine ----------------------------------------------------------------------------------------------------------------------------------


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "study --help")
    assert (code, err) == (0, "")
    for command in ("new", "run", "summarise", "replay"):
        assert f"\n  {command} " in out


def test_new_writes_a_study_that_can_be_read(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, err = run(capsys, "study new mine.toml")
    assert (code, err) == (0, "")
    assert out == "Wrote mine.toml. Edit it, then: trustsem study run mine.toml RESULTS\n"
    assert ts.load_study("mine.toml").name == "my study"
    (folder / "mine.toml").write_text("precious", encoding="utf-8")
    assert run(capsys, "study new mine.toml") == (2, "", "Error: 'mine.toml' is there already. Give another name, or --force.\n")
    assert (folder / "mine.toml").read_text(encoding="utf-8") == "precious"
    assert run(capsys, "study new mine.toml --force")[0] == 0
    assert ts.load_study("mine.toml").name == "my study"


def test_run_is_the_public_call(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, err = run(capsys, "study run small.toml results -p 1 -q")
    assert (code, err) == (0, "")
    result = ts.load_result("results")
    assert out == f"{result}\n\nResults are in results/. Next: trustsem study summarise results --out TABLES\n"
    assert result.finished
    assert result.fingerprint() == ts.run(ts.load_study("small.toml"), executor="serial", progress=False).fingerprint()


def test_a_run_that_was_interrupted_goes_on(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    whole = computed().fingerprint()
    before = chunks(folder)
    lost = sorted(before)[1]
    (folder / "results" / "chunks" / lost).unlink()
    code, out, _ = run(capsys, "study summarise results")
    assert code == 0
    assert "18 of 24 replications" in out
    code, out, _ = run(capsys, "study run small.toml results -p 1 -q")
    assert code == 0
    assert "24 of 24 replications" in out
    assert chunks(folder) == before
    assert ts.load_result("results").fingerprint() == whole


def test_more_replications_are_added_when_asked_for(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    computed()
    before = chunks(folder)
    (folder / "more.toml").write_text(STUDY.replace("replications = 12", "replications = 18"), encoding="utf-8")
    code, out, err = run(capsys, "study run more.toml results -p 1 -q")
    assert (code, out) == (2, "")
    assert "replications: 12 there, 18 now" in err
    assert "--extend" in err or "extend" in err
    assert chunks(folder) == before
    code, out, _ = run(capsys, "study run more.toml results -p 1 -q --extend")
    assert code == 0
    assert "36 of 36 replications" in out
    after = chunks(folder)
    assert {name: after[name] for name in before} == before
    again = ts.run(ts.load_study("more.toml"), executor="serial", progress=False)
    assert ts.load_result("results").fingerprint() == again.fingerprint()


def test_until_stops_where_the_error_is_small_enough(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "long.toml").write_text(STUDY.replace("replications = 12", "replications = 600"), encoding="utf-8")
    code, out, _ = run(capsys, "study run long.toml results -p 1 -q --until coverage=0.03")
    assert code == 0
    assert "400 of 1,200 replications" in out  # the first look is after 200; sqrt(.95 x .05 / 200) = .015


def test_summarise_prints_what_the_public_call_gives(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    result = computed()
    code, out, err = run(capsys, "study summarise results --measures bias,coverage --parameters y~x,y~~y")
    assert (code, err) == (0, "")
    table = result.table(["bias", "coverage"], parameters=["y~x", "y~~y"])
    assert out == f"{result}\n\nIn brackets: Monte Carlo standard errors.\n{table.to_string(index=False)}\n"


def test_summarise_writes_everything_it_says(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    result = computed()
    code, out, err = run(capsys, "study summarise results --out out/tables")
    assert (code, err) == (0, "")
    listed = out.split("files to out/tables/: ")[1].rstrip(".\n").split(", ")
    assert set(listed) == {path.name for path in (folder / "out/tables").iterdir()} == WRITTEN
    written = pd.read_csv("out/tables/performance.csv").fillna({"parameter": ""})
    pd.testing.assert_frame_equal(written, result.performance(), check_dtype=False, rtol=1e-12)
    assert (folder / "out/tables/zip.png").read_bytes().startswith(b"\x89PNG")
    assert result.fingerprint() in (folder / "out/tables/report.html").read_text(encoding="utf-8")


def test_replay_prints_the_fit_and_writes_the_data(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    result = computed()
    key = result.fits["key"].iloc[5]
    code, out, err = run(capsys, f"study replay results {key} --analysis robust --out rows.csv")
    assert (code, err) == (0, "")
    again = ts.replay(result, key)
    first, rest = out.split("\n", 1)
    assert first == "Wrote rows.csv."
    assert rest.strip() == str(again.fit("robust").summary(fit_measures=True)).strip()
    pd.testing.assert_frame_equal(pd.read_csv("rows.csv"), again.data, check_exact=False, rtol=1e-12)


# Replications without a result ---------------------------------------------------------------------------------------------------------


def test_a_study_in_which_everything_fails_is_told_all_the_same(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, err = run(capsys, "study run failing.toml results -p 1 -q")
    assert (code, err) == (0, "")
    assert "4 DataError: 2 rows are too few for 2 variables" in out
    code, out, err = run(capsys, "study summarise results --out tables")
    assert (code, err) == (0, "")
    assert (folder / "tables/convergence.png").exists()
    assert len(pd.read_csv("tables/failures.csv")) == 4
    assert "No plot:" in (folder / "tables/report.html").read_text(encoding="utf-8")


def test_replay_of_a_failure_says_what_went_wrong(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    key = computed("failing.toml").failures["key"].iloc[0]
    code, out, err = run(capsys, f"study replay results {key} --out rows.csv")
    assert code == 2
    assert err.startswith("Error: 2 rows are too few for 2 variables")
    assert len(err.splitlines()) == 1
    assert out.strip() == "Wrote rows.csv."
    assert len(pd.read_csv("rows.csv")) == 2


def test_replay_of_an_inadmissible_fit_ends_with_3(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    values = {"f=~b": 0.6, "f=~c": 0.6, "a~~a": 0.8, "b~~b": 0.9, "c~~c": 0.9, "f~~f": 0.2}
    study = ts.Study(ts.Population("f =~ a + b + c", values), n=40, replications=10, seed=1)
    result = ts.run(study, "results", executor="serial", progress=False)
    bad = result.fits[~result.fits["admissible"]]
    assert len(bad)
    code, out, _ = run(capsys, f"study replay results {bad['key'].iloc[0]}")
    assert code == 3
    assert "f =~" in out
    assert "This solution is inadmissible" in out


# Bad input -----------------------------------------------------------------------------------------------------------------------------

BAD = {
    "study nothing": "No such command 'nothing'. See `trustsem study --help`.",
    "study new": "Missing argument 'STUDY.toml'. See `trustsem study new --help`.",
    "study new no/mine.toml": "path='no/mine.toml' cannot be written: No such file or directory.",
    "study run small.toml": "Missing argument 'FOLDER'. See `trustsem study run --help`.",
    "study run no.toml NEW": "The study file 'no.toml' cannot be read (",
    "study run latin.toml NEW": "The study file 'latin.toml' cannot be read (",
    "study run not.toml NEW": "The study file not.toml is not TOML (",
    "study run key.toml NEW": "The study file key.toml has the unknown key 'repetitions'. Did you mean 'replications'?",
    "study run option.toml NEW": "Unknown option estimater=. Did you mean 'estimator'?",
    "study run variable.toml NEW": "The analysis 'a' has the variable 'xx', which the data of this study lack. Did you mean 'x'?",
    "study run factor.toml NEW": "conditions= varies 'm', which this study does not have.",
    "study run value.toml NEW": "The population lacks values for y~x, y~~y, x~~x.",
    "study run small.toml other": "The folder 'other' holds another study. It differs in replications: 2 there, 12 now; seed: 1 there, 3 now;",
    "study run small.toml full": "store='full' holds 'letter.txt' and no study.",
    "study run small.toml small.toml": "store='small.toml' is not a folder.",
    "study run small.toml NEW --until power": "--until='power' is not a measure with a Monte Carlo error. Write it as --until power=0.01.",
    "study run small.toml NEW --until power=little": "--until='power=little' is not a measure with a Monte Carlo error.",
    "study run small.toml NEW --until power=0": "error=0.0 is no Monte Carlo error to aim at.",
    "study run small.toml NEW --until power=nan": "error=nan is no Monte Carlo error to aim at.",
    "study run small.toml NEW --until powr=0.01": "Unknown measure='powr'. Allowed are 'bias', ",
    "study run small.toml NEW --dask tcp://127.0.0.1:1 -p 2": "--processes and --dask name two places to work. Give one of them.",
    "study run small.toml NEW -p 0": "Invalid value for '--processes' / '-p':",
    "study run small.toml NEW --dask nowhere": "executor='nowhere' is not possible.",
    "study summarise nowhere": "The folder 'nowhere' holds no results of a study.",
    "study summarise full": "The folder 'full' holds no results of a study.",
    "study summarise done --measures powr": "measures= names 'powr', which is not among ",
    "study summarise done --parameters y~z": "parameters= names 'y~z', which is not among ",
    "study summarise done --out small.toml": "--out='small.toml' cannot be made a folder (File exists). Give another name.",
    "study replay nowhere abc-1": "The folder 'nowhere' holds no results of a study.",
    "study replay done abc-1": "key='abc-1' is no replication of this study.",
    "study replay done": "Missing argument 'KEY'. See `trustsem study replay --help`.",
    "study replay done KEY --analysis MLM": "There is no analysis 'MLM'. There are ML, robust.",
    "study replay done KEY --out no/rows.csv": "path='no/rows.csv' cannot be written: No such file or directory.",
    "study summarise damaged": "The chunk 'damaged/chunks/c0000-r0000000-0000006.parquet' is damaged",
    "study run small.toml damaged": "The chunk 'damaged/chunks/c0000-r0000000-0000006.parquet' is damaged",
}
FILES = {
    "not.toml": "name = ",
    "key.toml": "repetitions = 3\n" + POPULATION,
    "option.toml": POPULATION + '[analyses.a]\nestimater = "ML"\n',
    "variable.toml": POPULATION + '[analyses.a]\nmodel = "y ~ xx"\n',
    "factor.toml": POPULATION + "[conditions]\nm = [3]\n",
    "value.toml": '[population]\nmodel = "y ~ x"\n',
}


@pytest.fixture
def wrong(folder: Path) -> Path:
    """Return the working folder with all that can be wrong in it."""
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "latin.toml").write_bytes("name = 'gr\xf6sse'".encode("latin-1"))
    (folder / "full").mkdir()
    (folder / "full" / "letter.txt").write_text("Dear")
    (folder / "tiny.toml").write_text("replications = 2\n" + POPULATION, encoding="utf-8")
    computed("tiny.toml", "other")
    computed(folder="done")
    computed(folder="damaged")
    (folder / "damaged/chunks/c0000-r0000000-0000006.parquet").write_bytes(b"no table")
    return folder


def test_bad_input_is_one_clear_line_and_makes_nothing(capsys: pytest.CaptureFixture[str], wrong: Path) -> None:
    key = ts.load_result("done").fits["key"].iloc[0]
    there = {path for path in wrong.rglob("*") if path.is_file()}
    said = {}
    for number, arguments in enumerate(BAD):
        words = arguments.replace("KEY", key).replace("NEW", f"new{number}")
        code, _, err = run(capsys, words + (" -q" if " run " in arguments else ""))
        said[arguments] = (code, err)
    for arguments, beginning in BAD.items():
        code, err = said[arguments]
        assert code == 2, (arguments, err)
        assert len(err.splitlines()) == 1, (arguments, err)
        assert err.startswith(f"Error: {beginning}"), (arguments, err)
    assert set(wrong.rglob("*.csv")) <= there
    assert not list(wrong.rglob("new*/chunks/*.parquet"))


def test_a_syntax_error_in_the_model_points_at_the_token(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "syntax.toml").write_text(POPULATION.replace("y ~ x", "y = x"), encoding="utf-8")
    code, _, err = run(capsys, "study run syntax.toml NEW -q")
    assert code == 2
    first, source, marker = err.splitlines()
    assert re.search(r"\(line 1, column 3\)$", first)
    assert source[marker.index("^")] == "="


def test_a_mark_of_byte_order_is_no_error(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "small.toml").write_text("\ufeff" + STUDY, encoding="utf-8")
    assert run(capsys, "study run small.toml results -p 1 -q")[0] == 0
