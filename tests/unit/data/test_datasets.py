from __future__ import annotations

import hashlib
import sys
import tomllib
from fractions import Fraction
from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trustsem.data import datasets, load_dataset, load_summary, sample_from_frame
from trustsem.data.datasets import load_codebook
from trustsem.errors import OptionError

REAL = Path(__file__).resolve().parents[3] / "data" / "real"
NAMES = sorted(path.parent.name for path in REAL.glob("*/manifest.toml"))


def test_the_list() -> None:
    frame = datasets()
    assert list(frame) == ["name", "kind", "rows", "columns", "source", "terms"]
    assert {"holzinger_swineford", "longley", "political_democracy", "readiness"} <= set(frame["name"])
    assert frame["name"].is_unique
    assert frame["terms"].str.len().min() > 10


@pytest.mark.parametrize("name", NAMES)
def test_manifests_tell_the_truth(name: str) -> None:
    content = (REAL / name / "data.csv").read_bytes()
    manifest = tomllib.loads((REAL / name / "manifest.toml").read_text(encoding="utf-8"))
    assert hashlib.sha256(content).hexdigest() == manifest["sha256"]
    assert {"title", "kind", "source", "citation", "terms", "n", "columns"} <= set(manifest)
    listed = datasets().set_index("name").loc[name]
    if manifest["kind"] == "summary":
        sample = load_summary(name)
        assert sample.nobs == manifest["n"] == listed["rows"]
        assert list(sample.names) == list(manifest["columns"])
    else:
        data = load_dataset(name)
        assert len(data) == manifest["n"] == listed["rows"]
        assert list(data) == list(manifest["columns"])
        assert listed["columns"] == data.shape[1]


def test_holzinger_swineford_has_lavaans_moments() -> None:
    # R: library(lavaan); d <- HolzingerSwineford1939; sum(is.na(d)); colMeans(d[7:15]); var(d$x1); cov(d$x4, d$x5)
    data = load_dataset("holzinger_swineford")
    assert data["school"].value_counts().to_dict() == {"Pasteur": 156, "Grant-White": 145}
    assert data["grade"].isna().sum() == data.isna().sum().sum() == 1
    block = sample_from_frame(data, [f"x{at}" for at in range(1, 10)]).blocks[0]
    np.testing.assert_allclose(
        block.mean,
        [
            4.9357696563787377,
            6.088039867109635,
            2.2504152823920265,
            3.0609080868438538,
            4.3405315614617939,
            2.1855719017607975,
            4.1859020667774089,
            5.5270764119601328,
            5.3741232916943522,
        ],
        rtol=1e-14,
    )
    assert block.cov[0, 0] == pytest.approx(1.3628977449977859, rel=1e-13)
    assert block.cov[3, 4] == pytest.approx(1.1014119575116832, rel=1e-13)


def test_political_democracy_has_lavaans_moments() -> None:
    # R: colMeans(PoliticalDemocracy)[c("y1", "x3")]; cov(PoliticalDemocracy$y1, PoliticalDemocracy$y5)
    block = sample_from_frame(load_dataset("political_democracy"), ["y1", "y5", "x3"]).blocks[0]
    np.testing.assert_allclose(block.mean[[0, 2]], [5.464666666666667, 3.5576897866666668], rtol=1e-14)
    assert block.cov[0, 1] == pytest.approx(5.0638108147027028, rel=1e-13)


def solve_exactly(matrix: list[list[Fraction]], right: list[list[Fraction]]) -> list[list[Fraction]]:
    rows = [[*left, *more] for left, more in zip(matrix, right, strict=True)]
    for at in range(len(rows)):
        rows[at] = [value / rows[at][at] for value in rows[at]]
        for other in range(len(rows)):
            if other != at:
                factor = rows[other][at]
                rows[other] = [a - factor * b for a, b in zip(rows[other], rows[at], strict=True)]
    return [row[len(matrix) :] for row in rows]


def test_longley_is_nists() -> None:
    # Least squares in rational arithmetic must reproduce all 15 certified digits: then every one of the 112 values is NIST's.
    certified = tomllib.loads((REAL / "longley" / "manifest.toml").read_text(encoding="utf-8"))["certified"]
    data = load_dataset("longley")
    y = [Fraction(str(value)) for value in data["TOTEMP"].tolist()]
    X = [[Fraction(1), *(Fraction(str(value)) for value in row)] for row in data.drop(columns="TOTEMP").itertuples(index=False)]
    k = 7
    cross = [[sum(row[i] * row[j] for row in X) for j in range(k)] for i in range(k)]
    right = [[sum(row[i] * value for row, value in zip(X, y, strict=True)), *(Fraction(int(i == j)) for j in range(k))] for i in range(k)]
    solution = solve_exactly(cross, right)
    estimate = [row[0] for row in solution]
    residual = sum((value - sum(b * x for b, x in zip(estimate, row, strict=True))) ** 2 for row, value in zip(X, y, strict=True)) / (16 - k)
    np.testing.assert_allclose([float(value) for value in estimate], certified["estimate"], rtol=5e-15)
    np.testing.assert_allclose([sqrt(residual * solution[at][1 + at]) for at in range(k)], certified["standard_error"], rtol=5e-15)
    assert sqrt(residual) == pytest.approx(certified["residual_standard_deviation"], rel=5e-15)


def test_longley_survives_the_moments_to_nine_digits() -> None:
    certified = tomllib.loads((REAL / "longley" / "manifest.toml").read_text(encoding="utf-8"))["certified"]
    sample = sample_from_frame(load_dataset("longley"))
    cov = sample.blocks[0].cov
    scale = np.sqrt(np.diagonal(cov))
    R = cov / np.outer(scale, scale)
    slopes = np.linalg.solve(R[1:, 1:], R[1:, 0]) * scale[0] / scale[1:]
    np.testing.assert_allclose(slopes, certified["estimate"][1:], rtol=1e-9)


def test_readiness_reproduces_the_published_regression() -> None:
    sample = load_summary("readiness")
    (block,) = sample.blocks
    assert block.n == 30
    assert [notice.code for notice in sample.notices] == ["TS-DATA-03"]
    R = sample.select(["AC", "SE", "IR"]).blocks[0].cov
    np.testing.assert_allclose(np.linalg.solve(R[:2, :2], R[:2, 2]), [0.765, -0.032], atol=5e-4)


def test_names_that_do_not_exist() -> None:
    with pytest.raises(OptionError, match=r"There is no data set 'longly'\. Did you mean 'longley'\? There are: holzinger_swineford, "):
        load_dataset("longly")
    with pytest.raises(OptionError, match=r"There is no data set '\.\./real/longley'"):
        load_summary("../real/longley")
    with pytest.raises(OptionError, match=r"There is no data set 'survy'\. Did you mean 'survey'\?"):
        load_codebook("survy")


def test_rows_and_summaries_are_told_apart() -> None:
    with pytest.raises(OptionError, match=r"Of 'readiness' only summary statistics are known, not the rows\. Use load_summary\('readiness'\)\."):
        load_dataset("readiness")
    with pytest.raises(OptionError, match=r"'longley' has rows\. Use load_dataset\('longley'\)\."):
        load_summary("longley")


def test_an_installed_package_brings_its_data_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "trustsem"
    folder = package / "shipped" / "simulated" / "toy"
    folder.mkdir(parents=True)
    (package / "data").mkdir()
    (folder / "data.csv").write_text("x\n1\n2\n")
    (folder / "manifest.toml").write_text('kind = "rows"\nn = 2\nsource = "made up"\nterms = "none at all"\n[columns]\nx = "A number."\n')
    monkeypatch.setattr(sys.modules[load_dataset.__module__], "__file__", str(package / "data" / "datasets.py"))
    assert datasets()["name"].tolist() == ["toy"]
    pd.testing.assert_frame_equal(load_dataset("toy"), pd.DataFrame({"x": [1, 2]}))
    pd.testing.assert_frame_equal(load_codebook("toy"), pd.DataFrame({"column": ["x"], "text": ["A number."]}))
    (folder / "codebook.csv").write_text('column,construct,text\nx,,"A number, it is."\ny,Trust,Another.\n')
    expected = pd.DataFrame({"column": ["x", "y"], "construct": ["", "Trust"], "text": ["A number, it is.", "Another."]})
    pd.testing.assert_frame_equal(load_codebook("toy"), expected)


@pytest.mark.parametrize("name", NAMES)
def test_codebooks_of_real_data_are_their_columns(name: str) -> None:
    book = load_codebook(name)
    assert list(book) == ["column", "text"]
    assert len(book) == datasets().set_index("name").loc[name, "columns"]
    assert (book["text"].str.len() > 3).all()
