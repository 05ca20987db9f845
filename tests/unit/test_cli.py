"""The command line: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import trustsem as ts
from trustsem.cli import main
from trustsem.theory import MARKS

CFA = "visual  =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed   =~ x7 + x8 + x9\n"
ITEMS = [f"x{at}" for at in range(1, 10)]
Run = tuple[int, str, str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder with a model and data."""
    monkeypatch.chdir(tmp_path)
    data = ts.load_dataset("holzinger_swineford")
    data.to_csv("hs.csv", index=False)
    data[ITEMS].cov().to_csv("cov.csv")
    Path("cfa.txt").write_text(CFA)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Run:
    code = main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def process(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    source = Path(ts.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONIOENCODING": "ascii"}
    return subprocess.run([sys.executable, *arguments], capture_output=True, env=environment, check=False, **options)  # type: ignore[call-overload, no-any-return]


# Fine ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_names_every_command(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    for command in ("demo", "theory", "simulate", "fit", "appraise"):
        assert f"\n  {command} " in out
    assert "..." not in out.split("Commands:")[1]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == (0, f"trustsem {ts.__version__}\n", "")


def test_help_does_not_wait_for_heavy_packages() -> None:
    done = process("-X", "importtime", "-m", "trustsem.cli", "--help")
    assert done.returncode == 0
    loaded = {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.decode().splitlines()}
    assert "trustsem" in loaded
    assert not loaded & {"numba", "numpy", "pandas", "scipy", "matplotlib", "statsmodels"}


def test_fit_prints_the_summary_and_writes_json(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, err = run(capsys, "fit", "cfa.txt", "hs.csv", "--standardized", "--json", "fit.json")
    assert (code, err) == (0, "")
    fit = ts.sem(CFA, pd.read_csv("hs.csv"))
    assert out == f"{str(fit.summary(fit_measures=True, standardized=True)).rstrip()}\n\nWrote fit.json.\n"
    stored = json.loads((folder / "fit.json").read_text(encoding="utf-8"))
    assert stored["fit_measures"]["chisq"] == pytest.approx(85.30552, abs=1e-5)


def test_fit_passes_its_options_on(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, _ = run(
        capsys, "fit", "cfa.txt", "hs.csv", "--estimator", "gls", "--group", "school", "--std-lv", "--meanstructure", "--missing", "listwise"
    )
    expected = ts.sem(CFA, pd.read_csv("hs.csv"), estimator="GLS", group="school", std_lv=True, meanstructure=True)
    assert code == 0
    assert out.rstrip() == str(expected.summary(fit_measures=True)).rstrip()


@pytest.mark.parametrize("named", [True, False])
def test_fit_to_a_covariance_matrix(capsys: pytest.CaptureFixture[str], folder: Path, named: bool) -> None:
    pd.read_csv("cov.csv", index_col=0).to_csv("moments.csv", index=named)
    code, out, _ = run(capsys, "fit", "cfa.txt", "moments.csv", "--cov", "301")
    assert code == 0
    assert "85.306" in out


def test_warnings_are_one_line_each_with_code_and_remedy(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    data = pd.read_csv("hs.csv")
    data.loc[:99, "x1"] = None
    data.to_csv("holes.csv", index=False)
    code, out, err = run(capsys, "fit", "cfa.txt", "holes.csv")
    assert code == 0
    (line,) = err.splitlines()
    assert line.startswith("Warning [TS-DATA-01] ")
    assert line.endswith(ts.errors.WARNING_REMEDIES["TS-DATA-01"])
    assert " 201         301" in out


def test_simulate_is_the_public_call(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, err = run(capsys, "simulate", "-n", "5", "--seed", "3", "--preset", "conservative")
    expected = ts.simulate(ts.load_theory("metz2022"), n=5, seed=3, preset="conservative")
    assert (code, err) == (0, "")
    assert out == expected.to_csv(index=False, lineterminator="\n")
    code, out, _ = run(capsys, "simulate", "--n", "5", "--seed", "3", "--preset", "conservative", "--out", "rows.csv")
    assert code == 0
    assert out == "Wrote rows.csv: 5 rows, 32 columns, preset 'conservative', seed 3.\n"
    pd.testing.assert_frame_equal(ts.read_table("rows.csv"), expected, check_exact=True)


def test_theory_prints_claims_models_and_provenance(capsys: pytest.CaptureFixture[str]) -> None:
    theory = ts.load_theory("metz2022")
    assert run(capsys, "theory") == (0, f"{theory}\n", "")
    assert run(capsys, "theory", "metz2022", "--syntax")[1].rstrip() == theory.syntax().rstrip()
    for name, writer in (("mplus", ts.to_mplus), ("openmx", ts.to_openmx), ("dagitty", ts.to_dagitty)):
        assert run(capsys, "theory", "--format", name)[1].rstrip() == writer(theory.model()).rstrip()
    code, out, _ = run(capsys, "theory", "--provenance")
    assert code == 0
    assert len(re.findall(rf"^  \[({'|'.join(MARKS)}), ", out, flags=re.MULTILINE)) == len(theory.provenance)
    assert "not verified" in out
    assert " nan" not in out


def test_a_theory_from_a_file(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "mine.toml").write_text(ts.load_theory("metz2022").to_toml().replace('title = "Building', 'title = "Re-building', 1), encoding="utf-8")
    code, out, _ = run(capsys, "theory", "mine.toml")
    assert code == 0
    assert out.startswith("Re-building trusting relationships")


WRITTEN = {
    "report.html",
    "diagram.png",
    "diagram.svg",
    "appraisal.json",
    "model_lavaan.txt",
    "model_mplus.txt",
    "tables/verdicts.csv",
    "tables/estimates.csv",
}


def test_demo_writes_everything_it_says(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, err = run(capsys, "demo", "--out", "d")
    assert (code, err) == (0, "")
    assert "SIMULATED" in out
    assert "Direction assumed, not tested" in out
    appraisal = ts.appraise("metz2022", ts.load_dataset("trust_survey"))
    assert str(appraisal) in out
    listed = out.split("files to d/: ")[1].split(".\n")[0].split(", ")
    there = {str(path.relative_to(folder / "d")) for path in (folder / "d").rglob("*") if path.is_file()}
    assert {*listed, "README.txt"} == there >= WRITTEN
    assert "SIMULATED" in (folder / "d/README.txt").read_text(encoding="utf-8")
    assert json.loads((folder / "d/appraisal.json").read_text(encoding="utf-8"))["verdicts"][0]["verdict"] == "supported"
    assert (folder / "d/model_lavaan.txt").read_text(encoding="utf-8") == appraisal.theory.syntax()
    assert (folder / "d/diagram.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "d/report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert 'src="http' not in page


def test_appraise_says_what_the_public_call_says(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    theory = ts.load_theory("metz2022")
    data = ts.simulate(theory, n=150, seed=4, preset="conservative")
    data.to_csv("rows.csv", index=False)
    code, out, _ = run(capsys, "appraise", "rows.csv", "--sesoi", "0.2", "--alpha", "0.1")
    appraisal = ts.appraise(theory, ts.read_table("rows.csv"), sesoi=0.2, alpha=0.1)
    assert str(appraisal) in out
    assert code == (0 if appraisal.fit.converged and appraisal.fit.admissible else 3)
    assert "files to" not in out


def test_output_is_utf8_without_colour_even_where_the_locale_is_ascii(folder: Path) -> None:
    (folder / "unicode.txt").write_text("größe =~ x1 + x2 + x3\n", encoding="utf-8")
    done = process("-m", "trustsem.cli", "fit", "unicode.txt", "hs.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "größe" in done.stdout.decode("utf-8")
    assert b"\x1b[" not in done.stdout + done.stderr


# Not usable ----------------------------------------------------------------------------------------------------------------------------


def test_an_inadmissible_fit_ends_with_3_and_prints_its_numbers(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    rows = {"a": [1.0, 0.5, 0.7], "b": [0.5, 1.0, 0.2], "c": [0.7, 0.2, 1.0]}
    (pd.DataFrame(rows) * 2.0).to_csv("heywood.csv", index=False)
    (folder / "one.txt").write_text("f =~ a + b + c")
    code, out, err = run(capsys, "fit", "one.txt", "heywood.csv", "--cov", "100")
    assert code == 3
    assert "Warning [TS-FIT-02] Inadmissible: the variance of a is negative" in err
    assert "f =~" in out


def test_a_fit_that_does_not_converge_ends_with_3(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "negative.txt").write_text("f =~ x1 + x2 + x3\nf ~~ -1*f")
    code, out, err = run(capsys, "fit", "negative.txt", "hs.csv")
    assert code == 3
    assert "did NOT end normally" in out
    assert "Warning [TS-FIT-01]" in err


# Bad input -----------------------------------------------------------------------------------------------------------------------------

BAD = {
    "bogus": "No such command 'bogus'. See `trustsem --help`.",
    "fit cfa.txt": "Missing argument 'DATA'. See `trustsem fit --help`.",
    "fit cfa.txt hs.csv --bogus": "No such option",
    "fit no.txt hs.csv": "There is no file 'no.txt'. Check the path of the model.",
    "fit . hs.csv": "'.' is a folder. Give the path of a text file with a model.",
    "fit latin.txt hs.csv": "'latin.txt' is not a text file in UTF-8. The first argument is the model, the second the data.",
    "fit cfa.txt no.csv": "There is no file 'no.csv'. Did you mean",
    "fit cfa.txt hs.csv --estimator PML": "estimator='PML' is not available yet.",
    "fit cfa.txt hs.csv --group schol": "data= has no column 'schol'. Did you mean 'school'?",
    "fit cfa.txt hs.csv --missing pairwise": "missing='pairwise' is not available",
    "fit cfa.txt hs.csv --cov 301": "'hs.csv' has 301 rows and 15 columns, so it is not a covariance matrix.",
    "fit cfa.txt hs.csv --cov many": "Invalid value for '--cov':",
    "fit cfa.txt hs.csv --json no/fit.json": "path='no/fit.json' cannot be written: No such file or directory.",
    "appraise hs.csv": "The data lack 32 of the theory's 32 indicators:",
    "appraise hs.csv --theory nope": "There is no theory 'nope'. Built in are metz2022;",
    "appraise hs.csv --out cfa.txt": "--out='cfa.txt' cannot be made a folder (File exists). Give another name.",
    "demo --out cfa.txt": "--out='cfa.txt' cannot be made a folder (File exists). Give another name.",
    "simulate --n 5": "Missing option '--seed'. See `trustsem simulate --help`.",
    "simulate --n 0 --seed 1": "n=0 is not a number of rows.",
    "simulate --n 5 --seed 1 --preset nope": "metz2022 has no preset 'nope'.",
    "theory nope": "There is no theory 'nope'.",
    "theory --format latex": "Unknown format='latex'. Allowed are 'lavaan', 'mplus', 'openmx', 'dagitty'.",
    "theory --syntax --provenance": "--provenance and --syntax print different things. Give one of them.",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_input_is_one_clear_line(capsys: pytest.CaptureFixture[str], folder: Path, arguments: str) -> None:
    (folder / "latin.txt").write_bytes("f =~ gr\xf6sse".encode("latin-1"))
    code, _, err = run(capsys, *arguments.split())
    assert code == 2
    (line,) = err.splitlines()
    assert line.startswith(f"Error: {BAD[arguments]}")


def test_a_syntax_error_points_at_the_token(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "bad.txt").write_text("visual =~ x1 + x2\ntextual = x4\n")
    code, out, err = run(capsys, "fit", "bad.txt", "hs.csv")
    assert (code, out) == (2, "")
    first, source, marker = err.splitlines()
    assert first.startswith("Error: '=' is not an operator of model text.")
    assert first.endswith("(line 2, column 9)")
    assert source[marker.index("^")] == "="


def test_a_file_that_may_not_be_read(capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", "cfa.txt")

    monkeypatch.setattr(Path, "read_text", refuse)
    assert run(capsys, "fit", "cfa.txt", "hs.csv") == (2, "", "Error: Permission denied: 'cfa.txt'.\n")


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_a_reader_that_goes_away_is_no_error(folder: Path) -> None:
    command = f"set -o pipefail; {sys.executable} -m trustsem.cli simulate --n 20000 --seed 1 | head -n 1"
    environment = {**os.environ, "PYTHONPATH": str(Path(ts.__file__).parents[1])}
    done = subprocess.run(["bash", "-c", command], capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"vul,")
