"""The simulated data sets are what their manifests say, bit for bit."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from trustsem.data.datasets import load_codebook

SIMULATED = Path(__file__).resolve().parents[2] / "data" / "simulated"
NAMES = ["groups", "panel", "survey", "trial", "trust_survey"]
ITEMS = {item for node in ts.load_theory("metz2022").nodes for item in node.indicators}
# A few words each from instruments that are in use, none of which may turn up in ours.
PUBLISHED = (
    "meets my approval",
    "appealing to me",
    "seems fitting",
    "good match",
    "seems doable",
    "easy to use",
    "held against",
    "bounce back",
    "implementing this change",
    "do whatever it takes",
    "take a risk",
)


def manifest_of(name: str) -> dict[str, Any]:
    return tomllib.loads((SIMULATED / name / "manifest.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("regenerate", SIMULATED / "regenerate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_of_them_are_listed() -> None:
    assert sorted(path.parent.name for path in SIMULATED.glob("*/manifest.toml")) == NAMES
    listed = ts.datasets().set_index("name").loc[NAMES]
    assert dict(listed["rows"]) == {"groups": 600, "panel": 320, "survey": 480, "trial": 480, "trust_survey": 400}
    assert dict(listed["columns"]) == {"groups": 33, "panel": 57, "survey": 33, "trial": 36, "trust_survey": 32}
    assert listed["source"].str.contains("Nobody was asked").all()


# ---- files -------------------------------------------------------------------------------------------------------------------------------


def alike(new: pd.DataFrame, kept: pd.DataFrame, items: list[str]) -> None:
    """Data drawn anew are from the same population: the same columns, teams and design, and moments that differ by chance only."""
    assert list(new.columns) == list(kept.columns)
    assert len(new) == len(kept)
    np.testing.assert_array_equal(new["team"], kept["team"])
    assert len(items) == 32
    one, two = new[items].astype(float), kept[items].astype(float)
    # Teams of 12 with ICC .12 make rows worth a third of independent ones.
    error = np.sqrt(2.0 * one.var() / (len(new) / 3.0))
    assert ((one.mean() - two.mean()).abs() / error).max() < 4.5
    assert (one.corr() - two.corr()).abs().to_numpy().max() < 4.5 * np.sqrt(2.0 / (len(new) / 3.0))
    assert abs(one.isna().to_numpy().mean() - two.isna().to_numpy().mean()) < 0.02


def test_kept_data_that_were_changed_are_noticed(script: ModuleType, tmp_path: Path) -> None:
    shutil.copytree(SIMULATED / "survey", tmp_path / "survey")
    (tmp_path / "survey" / "data.csv").write_bytes((SIMULATED / "survey" / "data.csv").read_bytes() + b"\n")
    with pytest.raises(SystemExit, match="cannot be drawn anew"):
        script.refresh(tmp_path / "survey")


@pytest.mark.parametrize("name", NAMES)
def test_checksum_and_regeneration(script: ModuleType, name: str) -> None:
    folder, manifest = SIMULATED / name, manifest_of(name)
    stored = (folder / "data.csv").read_bytes()
    assert len(stored) < 250_000
    assert hashlib.sha256(stored).hexdigest() == manifest["sha256"]
    if manifest.get("kept"):
        frame = script.stored(folder, manifest)
        assert script.as_csv(frame) == stored
        alike(script.simulated(manifest), frame, [item for items in manifest["constructs"].values() for item in items])
    else:
        frame = script.simulated(manifest)
        assert script.simulated_csv(manifest) == stored == script.as_csv(frame)
    assert script.as_csv(script.codebook(manifest, frame)) == (folder / "codebook.csv").read_bytes()
    text = (folder / "manifest.toml").read_text(encoding="utf-8")
    assert text.endswith("\n\n" + script.truth_text(script.truth(manifest)))
    assert b"\r" not in stored + (folder / "codebook.csv").read_bytes() + text.encode()


def test_the_bytes_of_the_demo_stay() -> None:
    assert manifest_of("trust_survey")["sha256"] == "333e647a190f6b3169d98d9b04f5c75dfca488ea07e4c6e11efcae968623e7fa"


def test_a_change_is_noticed_and_undone(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "trust_survey"
    shutil.copytree(SIMULATED / "trust_survey", copy)
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    monkeypatch.setattr(script, "HERE", tmp_path)
    assert script.main() == 0
    assert capsys.readouterr().out == "trust_survey: unchanged\n"
    changes = {
        "data.csv": (b"1", b"2"),
        "codebook.csv": (b"item", b"itme"),
        "manifest.toml": (b'sha256 = "', b'sha256 = "0'),
    }
    for file, change in changes.items():
        (copy / file).write_bytes(before[file].replace(*change, 1))
        assert script.main() == 1
        assert capsys.readouterr().out == "trust_survey: CHANGED, files rewritten\n"
        assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    (copy / "manifest.toml").write_bytes(before["manifest.toml"].replace(b'"Trust ~ Relational" = 0.4', b'"Trust ~ Relational" = 0.5'))
    assert script.main() == 1
    assert (copy / "manifest.toml").read_bytes() == before["manifest.toml"]


def test_columns_that_are_not_simulated(script: ModuleType) -> None:
    manifest = manifest_of("trust_survey")
    manifest["columns"] = {"vul": "", "x": ""}
    with pytest.raises(SystemExit, match=r"The manifest describes the columns \['vul', 'x'\], simulated are \['vul', 'aut'"):
        script.simulated_csv(manifest)


def test_the_strict_form_and_other_paths(script: ModuleType) -> None:
    settings = manifest_of("trust_survey")["simulation"] | {"form": "strict", "paths": {"Trust -> Motivation": 0.1}}
    truth = script.truth({"simulation": settings})
    assert truth["correlations"] == {"Relational ~~ Technical": pytest.approx(0.5)}
    assert truth["paths"]["Motivation ~ Trust"] == pytest.approx(0.1)


# ---- manifests and codebooks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_is_complete(name: str) -> None:
    manifest = manifest_of(name)
    wanted = {"title", "kind", "n", "description", "source", "citation", "terms", "sha256", "scale", "simulation", "truth", "constructs", "columns"}
    assert wanted <= set(manifest)
    assert {"trustsem", "theory", "form", "preset", "seed", "decimals", "generator"} <= set(manifest["simulation"])
    assert manifest["simulation"]["decimals"] == 4
    assert {"paths", "correlations", "loadings"} <= set(manifest["truth"])
    theory = ts.load_theory(manifest["simulation"]["theory"])
    items = manifest["simulation"].get("indicators", {node.name: list(node.indicators) for node in theory.nodes})
    waves = [""] if name != "panel" else ["_w1", "_w2", "_w3"]
    assert manifest["constructs"] == {f"{construct}{wave}": [f"{item}{wave}" for item in own] for wave in waves for construct, own in items.items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_data_are_as_described(name: str) -> None:
    manifest, data = manifest_of(name), ts.load_dataset(name)
    assert len(data) == manifest["n"]
    assert list(data) == list(manifest["columns"])
    numbers = data.select_dtypes("number")
    np.testing.assert_array_equal(numbers.to_numpy(), numbers.to_numpy().round(4))
    if manifest["scale"].startswith("1 = "):
        items = data[[item for items in manifest["constructs"].values() for item in items]].to_numpy()
        assert set(np.unique(items[~np.isnan(items)])) == {1.0, 2.0, 3.0, 4.0, 5.0}


@pytest.mark.parametrize("name", NAMES)
def test_the_codebook_covers_every_column(name: str) -> None:
    manifest, data, book = manifest_of(name), ts.load_dataset(name), load_codebook(name)
    assert list(book) == ["column", "construct", "role", "text", "scale", "missing", "min", "max", "mean", "sd"]
    assert list(book["column"]) == list(data)
    assert dict(zip(book["column"], book["text"], strict=True)) == manifest["columns"]
    assert (book["text"].str.len() > 20).all()
    assert (book["scale"].str.len() > 10).all()
    items = book[book["role"] == "item"].set_index("column")
    for construct, own in manifest["constructs"].items():
        assert set(items.loc[own, "construct"]) == {construct}
    others = book[book["role"] != "item"]
    assert len(items) + len(others) == len(book)
    assert set(others["construct"]) <= {""}
    assert set(others["column"]) == set(manifest.get("other", {}))
    described = data[items.index].agg(["min", "max", "mean", "std"]).T
    np.testing.assert_allclose(items[["min", "max", "mean", "sd"]].to_numpy(float), described.to_numpy(), atol=6e-5)
    np.testing.assert_allclose(book["missing"], data.isna().mean(), atol=6e-5)


@pytest.mark.parametrize("name", NAMES)
def test_wordings_are_the_same_everywhere_and_our_own(name: str) -> None:
    manifest, ours = manifest_of(name), manifest_of("trust_survey")["columns"]
    assert set(ours) == ITEMS
    assert len(set(ours.values())) == len(ours)
    for items in manifest["constructs"].values():
        for item in items:
            assert manifest["columns"][item] == ours[item.partition("_w")[0]]
    for text in manifest["columns"].values():
        assert text.endswith(".")
        assert not any(words in text.lower() for words in PUBLISHED)


# ---- what each of them shows -------------------------------------------------------------------------------------------------------------


def test_the_data_have_the_moments_of_the_population() -> None:
    data = ts.load_dataset("trust_survey")
    population = ts.load_theory("metz2022").population("calibrated")
    wanted = population.cov[np.ix_(*2 * [[population.names.index(name) for name in data]])]
    # A sample correlation of 400 rows has a standard error of at most .05; 496 of them stay within 4.5 of it.
    assert np.abs(data.corr().to_numpy() - wanted).max() < 4.5 * 0.05


def test_survey_teams_and_missing_answers() -> None:
    data, truth = ts.load_dataset("survey"), manifest_of("survey")["truth"]
    sizes = data["team"].value_counts()
    assert set(sizes.index) == set(range(1, 41))
    assert sizes.mean() == 12
    assert 0.25 < sizes.std() / sizes.mean() < 0.6
    assert not data[["team", "t1", "t4"]].isna().any().any()
    holes = data.drop(columns=["team", "t1", "t4"]).isna()
    # 14,400 independent chances of .06 on average: standard error .002.
    assert holes.to_numpy().mean() == pytest.approx(0.06, abs=0.008)
    trust = data["t1"] + data["t4"]
    assert holes[trust < trust.median()].to_numpy().mean() > 2 * holes[trust > trust.median()].to_numpy().mean()
    assert {name: truth["icc"][name] for name in ("Trust", "Commitment", "Outcomes")} == {"Trust": 0.12, "Commitment": 0.12, "Outcomes": 0.15}
    assert truth["icc"]["t1"] == pytest.approx(0.75**2 * 0.12 + (1 - 0.75**2) * 0.05, abs=5e-5)
    assert data["t3"].value_counts(normalize=True)[5.0] > 0.4  # a ceiling


def test_survey_paths_are_found_again() -> None:
    data, truth = ts.load_dataset("survey"), manifest_of("survey")["truth"]
    with pytest.warns(ts.TrustsemWarning, match="TS-CLUSTER-01"):
        fit = ts.sem(ts.load_theory("metz2022"), data, estimator="MLR", missing="fiml", cluster="team")
    assert fit.admissible
    assert fit.nobs == 480
    solution = fit.standardized_solution()
    paths = solution[solution["op"] == "~"]
    wanted = np.array([truth["paths"][f"{lhs} ~ {rhs}"] for lhs, rhs in zip(paths["lhs"], paths["rhs"], strict=True)])
    assert len(wanted) == 13
    # 13 estimates stay within 3.5 standard errors.
    assert np.abs((paths["est_std"] - wanted) / paths["se"]).max() < 3.5


def test_panel_leaves_step_by_step() -> None:
    data, truth = ts.load_dataset("panel"), manifest_of("panel")["truth"]
    there = np.column_stack([data.filter(regex=f"_w{wave}$").notna() for wave in (1, 2, 3)]).reshape(len(data), 3, 19)
    assert (there.all(axis=2) == there.any(axis=2)).all()  # whole waves
    here = there[:, :, 0]
    assert here[:, 0].all()
    assert not (~here[:, 1] & here[:, 2]).any()
    # Shares of 320 and 260 people: standard errors .022 and .025.
    assert 1 - here[:, 1].mean() == pytest.approx(0.2, abs=0.09)
    assert 1 - here[here[:, 1], 2].mean() == pytest.approx(0.2, abs=0.1)
    trust = data[["t1_w1", "t2_w1", "t4_w1"]].mean(axis=1)
    assert trust[here[:, 1]].mean() > trust[~here[:, 1]].mean() + 0.3
    assert truth["autoregression"] == dict.fromkeys(truth["autoregression"], 0.45)
    assert truth["one_wave_later"]["Motivation ~ Trust"] == pytest.approx(0.55 * 0.5)
    assert truth["one_wave_later"]["Trust ~ Outcomes"] == 0.2
    assert truth["correlation_with_the_next_wave"]["Relational"] == 0.45
    assert "trait" not in truth


def test_panel_analysis_finds_the_feedback() -> None:
    # The matching model of the data: with it, an early outcome that raises trust is told apart from trust that raises outcomes.
    from trustsem.studies.entries import read_generator

    data, settings = ts.load_dataset("panel"), manifest_of("panel")["simulation"]
    keep = ("Trust", "Motivation", "Commitment", "Outcomes")
    theory = ts.load_theory("metz2022")
    theory = theory.drop(*[node.name for node in theory.nodes if node.name not in keep])
    theory = theory.with_indicators({name: settings["indicators"][name] for name in keep})
    model = read_generator(settings["generator"]).inner.syntax(theory.population("calibrated"))
    fit = ts.sem(model, data, missing="fiml")
    assert fit.admissible
    solution = fit.standardized_solution().set_index(["lhs", "rhs"])
    for wave in (2, 3):
        row = solution.loc[(f"Trust_w{wave}", f"Outcomes_w{wave - 1}")]
        assert abs(row["est_std"] - 0.2) < 3.5 * row["se"]


def test_trial_is_randomised_by_team() -> None:
    data, truth = ts.load_dataset("trial"), manifest_of("trial")["truth"]
    teams = data.groupby("team")["arm"]
    assert teams.nunique().eq(1).all()
    assert teams.first().value_counts().to_dict() == {0: 24, 1: 24}
    assert data.groupby("team")["fidelity"].nunique().eq(1).all()
    assert (data.loc[data["arm"] == 0, ["dose", "fidelity"]] == 0.0).all().all()
    treated = data[data["arm"] == 1]
    assert treated["dose"].mean() == pytest.approx(0.8, abs=4.5 * 0.15 / np.sqrt(len(treated)))
    assert treated.groupby("team")["fidelity"].first().mean() == pytest.approx(0.85, abs=4.5 * 0.1 / np.sqrt(24))
    effect = 0.6 * 0.8 * 0.85
    assert truth["effect_of_arm"]["Relational"] == truth["effect_of_arm"]["Technical"] == effect
    assert truth["effect_of_arm"]["Trust"] == pytest.approx(effect * (0.4 + 0.25), abs=5e-5)
    assert truth["effect_of_arm"]["Motivation"] == pytest.approx(effect * 0.65 * 0.5, abs=5e-5)
    assert truth["effect_of_full_dose_and_fidelity"]["Technical"] == 0.6
    model = "Relational =~ vul + aut + bid + col + emp\nTechnical =~ fre + res + exp_ + qui\nRelational + Technical ~ arm\nRelational ~~ Technical"
    estimates = ts.sem(model, data, estimator="MLR", cluster="team").parameter_estimates(standardized=True)
    found = estimates[(estimates["op"] == "~") & (estimates["rhs"] == "arm")]
    in_sds, se = found["std_lv"], found["se"] * found["std_lv"] / found["est"]
    assert (np.abs(in_sds - effect) < 3.5 * se).all()
    assert (in_sds > 1.96 * se).all()


def test_groups_differ_in_what_is_said() -> None:
    data, truth = ts.load_dataset("groups"), manifest_of("groups")["truth"]
    assert data["role"].value_counts().to_dict() == {"practitioner": 210, "knowledge_mobiliser": 120, "academic": 120, "community": 150}
    assert not data.isna().any().any()
    assert truth["knowledge_mobiliser_unlike_practitioner"] == {"Trust ~ Technical": 0.55}
    assert "academic_unlike_practitioner" not in truth
    community = truth["community_unlike_practitioner"]
    assert community["Trust =~ t3"] == 0.4
    assert community["Trust mean"] == -0.4
    assert community["Capability mean"] == pytest.approx(-0.4 * 0.35)
    assert set(community) == {"Trust =~ t3"} | {
        f"{name} mean" for name in ("Trust", "Capability", "Opportunity", "Motivation", "Commitment", "Resilience", "Outcomes")
    }


def test_groups_lower_trust_of_community_members_is_found() -> None:
    data = ts.load_dataset("groups")
    invariance = ts.invariance(
        "Trust =~ t1 + t2 + t3 + t4 + t5",
        data,
        group="role",
        levels=("configural", "metric", "scalar"),
        estimator="MLR",
        group_partial=("Trust=~t3", "t3~1"),
    )
    means: pd.DataFrame = invariance.latent_means().set_index("group")
    assert abs(means.loc["community", "d"] + 0.4) < 3.5 * means.loc["community", "d_se"]
    assert means.loc["community", "ci_upper"] < 0.0
    loadings = invariance.fits["configural"].standardized_solution()
    t3 = loadings[(loadings["op"] == "=~") & (loadings["rhs"] == "t3")].set_index("group")["est_std"]
    assert t3.idxmin() == 4  # the group of community members
