"""What is told of a study outside Python: the page, the CSV files, and tables in Markdown."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import trustsem as ts
from trustsem.studies.files import parse_study

POPULATION = ts.Population("y ~ x", {"y~x": 0.3, "y~~y": 0.91, "x~~x": 1.0})


def run(**changes: Any) -> ts.StudyResult:
    study = ts.Study(**{"population": POPULATION, "replications": 12, "seed": 4, "conditions": {"n": [2, 40]}, **changes})
    return ts.run(study, executor="serial", progress=False)


@pytest.fixture(scope="module")
def result() -> ts.StudyResult:
    """A study of which one condition has no results."""
    return run(
        name="Größe <b> & co", description="Does a & b <i>hold</i>?", analyses={"ML": ts.Analysis(), "<R>": ts.Analysis(options={"estimator": "MLR"})}
    )


@pytest.fixture(scope="module")
def page(result: ts.StudyResult, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    assert ts.report(result, path) == path
    return path.read_text(encoding="utf-8")


# The page ------------------------------------------------------------------------------------------------------------------------------


def test_the_page_has_everything(page: str, result: ts.StudyResult) -> None:
    for heading in (
        "What was done",
        "Power",
        "Coverage",
        "Bias",
        "Zip",
        "Convergence",
        "Performance",
        "Without a result",
        "The study file",
        "Provenance",
    ):
        assert f"<h2>{heading}</h2>" in page or f">{heading}<" in page, heading
    assert page.count("<svg") == 5
    assert result.fingerprint() in page
    assert result.study.hash in page
    assert ts.__version__ in page
    assert "2 rows are too few for 2 variables" in page


def test_the_page_loads_nothing_and_runs_nothing(page: str) -> None:
    assert "<script" not in page
    assert not re.search(r"(src|href)=\"https?:", page)
    assert "@import" not in page


def test_texts_of_the_user_are_escaped(page: str) -> None:
    assert "Größe &lt;b&gt; &amp; co" in page
    assert "Does a &amp; b &lt;i&gt;hold&lt;/i&gt;?" in page
    assert "&lt;R&gt;" in page
    assert not re.search(r"<b>|<i>|<R>", page)


def test_identifiers_of_the_figures_do_not_collide(page: str) -> None:
    found = re.findall(r'\bid="([^"]+)"', page)
    assert len(found) == len(set(found))


def test_the_study_file_on_the_page_is_the_study(page: str, result: ts.StudyResult) -> None:
    (text,) = [part for part in re.findall(r"<pre>(.*?)</pre>", page, flags=re.DOTALL) if "[population]" in part]
    assert parse_study(unescape(text)).hash == result.study.hash


def test_equal_input_gives_equal_bytes(page: str, result: ts.StudyResult, tmp_path: Path) -> None:
    assert ts.report(result, tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_a_study_in_which_everything_failed_has_a_page(tmp_path: Path) -> None:
    page = ts.report(run(conditions={"n": [2]}), tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 1
    assert page.count("No plot: There is nothing to plot.") == 4


def test_a_page_that_cannot_be_written(result: ts.StudyResult, tmp_path: Path) -> None:
    with pytest.raises(ts.OptionError, match="cannot be written"):
        ts.report(result, tmp_path / "no" / "report.html")


# Tables --------------------------------------------------------------------------------------------------------------------------------


def test_tables_have_every_digit(result: ts.StudyResult, tmp_path: Path) -> None:
    paths = ts.write_tables(result, tmp_path / "new" / "tables")
    assert [path.name for path in paths] == ["performance.csv", "fit_indices.csv", "failures.csv"]
    performance, indices, failures = (pd.read_csv(path) for path in paths)
    pd.testing.assert_frame_equal(performance.fillna({"parameter": ""}), result.performance(), check_dtype=False, rtol=1e-14)
    pd.testing.assert_frame_equal(indices, result.fit_indices(), check_dtype=False, rtol=1e-14)
    pd.testing.assert_frame_equal(failures, result.failures, check_dtype=False)
    assert len(failures) == 24
    assert all(b"\r" not in path.read_bytes() for path in paths)


def test_markdown_is_the_table(result: ts.StudyResult) -> None:
    table = result.table(["coverage", "bias"], parameters="y~x", analyses="ML")
    lines = ts.to_markdown(table).split("\n")
    assert lines[0] == "| n | analysis | parameter | coverage | bias |"
    assert lines[1] == "|---:|---|---|---|---|"
    assert len(lines) == 2 + len(table)
    for line, record in zip(lines[2:], table.to_dict("records"), strict=True):
        assert line == "| " + " | ".join(str(value) for value in record.values()) + " |"


def test_a_stroke_in_a_name_does_not_break_markdown() -> None:
    text = ts.to_markdown(pd.DataFrame({"a|b": ["x|y"], "value": [0.5], "count": [3]}))
    assert text == "| a\\|b | value | count |\n|---|---:|---:|\n| x\\|y | 0.500 | 3 |"


def test_bounds_hold_what_the_failures_could_have_been() -> None:
    """Of 40 replications some have no result; coverage is between all of those missing and all of those hit."""
    result = run(conditions={"n": [7]}, replications=40, generator=ts.Missing(ts.Gaussian(), rate=0.4))
    lost = len(result.failures)
    assert 0 < lost < 40
    row = result.performance("coverage", parameters="y~x").iloc[0]
    hits = round(row["value"] * (40 - lost))
    assert (row["lower"], row["upper"]) == pytest.approx((hits / 40, (hits + lost) / 40))
    (cell,) = result.table("coverage", parameters="y~x", bounds=True)["coverage"]
    assert re.fullmatch(rf"{row['value']:.3f} \({row['mc_error']:.3f}\) \[{hits / 40:.3f}, {(hits + lost) / 40:.3f}\]", cell)
