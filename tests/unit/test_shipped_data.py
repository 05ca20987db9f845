"""The simulated data sets are what their manifests say, bit for bit."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import trustsem as ts

SIMULATED = Path(__file__).resolve().parents[2] / "data" / "simulated"
NAMES = sorted(path.parent.name for path in SIMULATED.glob("*/manifest.toml"))


def manifest_of(name: str) -> dict[str, object]:
    return tomllib.loads((SIMULATED / name / "manifest.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("regenerate", SIMULATED / "regenerate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_the_data_set_of_the_demo() -> None:
    assert "trust_survey" in NAMES
    listed = ts.datasets().set_index("name").loc["trust_survey"]
    assert listed["rows"] == 400
    assert listed["columns"] == 32
    assert "Nobody was asked" in listed["source"]


@pytest.mark.parametrize("name", NAMES)
def test_checksum_and_regeneration(script: ModuleType, name: str) -> None:
    stored = (SIMULATED / name / "data.csv").read_bytes()
    manifest = manifest_of(name)
    assert hashlib.sha256(stored).hexdigest() == manifest["sha256"]
    assert script.simulated_csv(manifest) == stored


@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_describes_the_columns(name: str) -> None:
    manifest = manifest_of(name)
    data = ts.load_dataset(name)
    theory = ts.load_theory(manifest["simulation"]["theory"])  # type: ignore[index]
    assert len(data) == manifest["n"]
    assert list(data) == list(manifest["columns"])  # type: ignore[call-overload]
    assert manifest["constructs"] == {node.name: list(node.indicators) for node in theory.nodes}
    assert not data.isna().any().any()
    np.testing.assert_array_equal(data.to_numpy(), data.to_numpy().round(4))


def test_the_data_have_the_moments_of_the_population() -> None:
    data = ts.load_dataset("trust_survey")
    population = ts.load_theory("metz2022").population("calibrated")
    wanted = population.cov[np.ix_(*2 * [[population.names.index(name) for name in data]])]
    # A sample correlation of 400 rows has a standard error of at most .05; 496 of them stay within 4.5 of it.
    assert np.abs(data.corr().to_numpy() - wanted).max() < 4.5 * 0.05


def test_a_change_is_noticed_and_undone(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "trust_survey"
    shutil.copytree(SIMULATED / "trust_survey", copy)
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    (copy / "data.csv").write_bytes(before["data.csv"].replace(b"1", b"2", 1))
    manifest = copy / "manifest.toml"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('sha256 = "', 'sha256 = "0', 1), encoding="utf-8")
    monkeypatch.setattr(script, "HERE", tmp_path)
    assert script.main() == 1
    assert capsys.readouterr().out == "trust_survey: CHANGED, files rewritten\n"
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert script.main() == 0
    assert capsys.readouterr().out == "trust_survey: unchanged\n"


def test_columns_that_the_theory_does_not_have(script: ModuleType) -> None:
    manifest = manifest_of("trust_survey")
    manifest["columns"] = {"vul": "", "x": ""}
    with pytest.raises(SystemExit, match=r"The manifest describes the columns \['vul', 'x'\], the theory has \['vul', 'aut'"):
        script.simulated_csv(manifest)
