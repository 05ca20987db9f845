"""Simulate every data set of this folder anew, from its manifest, and compare with what is there.

``python data/simulated/regenerate.py`` leaves equal files alone and ends with 0. It replaces data and codebooks that differ, enters checksum and
truth in the manifest, says so and ends with 1: the data of a release must not change unnoticed.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import trustsem as ts
from trustsem.populations.roles import roles_of
from trustsem.populations.standardizing import standardized
from trustsem.simulators import Generator, chain
from trustsem.simulators.clustered import ClusteredSampler
from trustsem.simulators.grouped import GroupedSampler
from trustsem.simulators.trial import TrialSampler
from trustsem.studies.entries import read_generator

HERE = Path(__file__).resolve().parent
TRUTH = "# What is true in the population, entered by regenerate.py: standardized, of the items before they became answers."
DIGITS = 4
Truth = dict[str, dict[str, float]]


# ---- data -----------------------------------------------------------------------------------------------------------------------------------


def population_of(settings: Mapping[str, Any]) -> ts.Population:
    """Return the population of one wave, of one group, without strategies."""
    theory = ts.load_theory(settings["theory"])
    if "indicators" in settings:
        theory = theory.with_indicators(settings["indicators"])
    if settings.get("form", "default") == "strict":
        theory = theory.strict()
    return theory.population(settings["preset"], paths=settings.get("paths"))


def simulated(manifest: Mapping[str, Any]) -> pd.DataFrame:
    """Return the data that a manifest describes, rounded as it says."""
    settings = manifest["simulation"]
    frame = ts.simulate(population_of(settings), n=manifest["n"], seed=settings["seed"], generator=read_generator(settings["generator"]))
    columns = list(manifest["columns"])
    if sorted(columns) != sorted(frame.columns):
        raise SystemExit(f"The manifest describes the columns {columns}, simulated are {list(frame.columns)}.")
    numbers = frame.select_dtypes("number").columns
    frame[numbers] = frame[numbers].round(settings["decimals"]) + 0.0  # no negative zeros
    whole = [name for name in numbers if (frame[name].dropna() % 1.0 == 0.0).all()]
    return frame[columns].astype(dict.fromkeys(whole, "Int64"))


def stored(folder: Path, manifest: Mapping[str, Any]) -> pd.DataFrame:
    """Return data that are kept as they were drawn (the manifest says why), if their checksum is that of the manifest.

    Raises
    ------
    SystemExit
        If they are others.
    """
    content = (folder / "data.csv").read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
        raise SystemExit(f"{folder.name}/data.csv is not what its manifest says, and cannot be drawn anew. Restore it.")
    frame = pd.read_csv(io.BytesIO(content))
    numbers = frame.select_dtypes("number").columns
    whole = [name for name in numbers if (frame[name].dropna() % 1.0 == 0.0).all()]
    return frame.astype(dict.fromkeys(whole, "Int64"))


def as_csv(frame: pd.DataFrame) -> bytes:
    """Return the content of a file: UTF-8, line feeds."""
    return frame.to_csv(index=False, lineterminator="\n").encode()


def simulated_csv(manifest: Mapping[str, Any]) -> bytes:
    """Return the content of data.csv that a manifest describes."""
    return as_csv(simulated(manifest))


# ---- codebook -------------------------------------------------------------------------------------------------------------------------------


def codebook(manifest: Mapping[str, Any], frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per column: what it is, what it says, how it is scaled, and how its values are distributed."""
    construct = {item: name for name, items in manifest["constructs"].items() for item in items}
    rows = []
    for name, text in manifest["columns"].items():
        other = manifest.get("other", {}).get(name, {})
        role, scale = ("item", manifest["scale"]) if name in construct else (other["role"], other["scale"])
        row = {"column": name, "construct": construct.get(name, ""), "role": role, "text": text, "scale": scale}
        rows.append(row | {"missing": round(float(frame[name].isna().mean()), DIGITS)} | described(frame[name], role))
    return pd.DataFrame(rows, dtype=object)  # whole numbers stay whole


def described(column: pd.Series, role: str) -> dict[str, float | int | None]:
    """Return least and greatest value, and where that makes sense mean and standard deviation."""
    if not pd.api.types.is_numeric_dtype(column):
        return dict.fromkeys(("min", "max", "mean", "sd"))
    least, greatest = column.min().item(), column.max().item()
    if role == "identifier":
        return {"min": least, "max": greatest, "mean": None, "sd": None}
    values = column.dropna().to_numpy(dtype=float)
    return {"min": least, "max": greatest, "mean": round(float(values.mean()), DIGITS), "sd": round(float(values.std(ddof=1)), DIGITS)}


# ---- truth ----------------------------------------------------------------------------------------------------------------------------------


def truth(manifest: Mapping[str, Any]) -> Truth:
    """Return what is true in the population that data were drawn from, in tables of numbers."""
    population, generator = population_of(manifest["simulation"]), read_generator(manifest["simulation"]["generator"])
    tables = coefficients(population)
    for sampler in samplers(generator, population):
        if isinstance(sampler, ClusteredSampler):
            found = sampler.iccs()
            tables["icc"] = dict(zip(found["variable"], found["icc"], strict=True))
        elif isinstance(sampler, TrialSampler):
            effects = sampler.estimands().set_index("construct")
            tables |= {"effect_of_arm": dict(effects["itt_std"]), "effect_of_full_dose_and_fidelity": dict(effects["full_std"])}
        elif isinstance(sampler, GroupedSampler):
            tables |= differences(sampler)
    for part in chain(generator):
        if isinstance(part, ts.Panel):
            tables |= dynamics(part, population)
    return tables


def samplers(generator: Generator, population: ts.Population) -> Iterator[Any]:
    """Yield the sampler of a generator and those that it wraps."""
    sampler: Any = generator.prepare(population)
    while sampler is not None:
        yield sampler
        sampler = getattr(sampler, "inner", None)


def coefficients(population: ts.Population) -> Truth:
    """Return standardized paths, loadings, and correlations of what paths leave unexplained."""
    own, constructs = standardized(population), roles_of(population).constructs
    names, paths = own.names, own.paths
    tables: Truth = {"paths": {}, "correlations": {}, "loadings": {}}
    for i, j in np.argwhere(paths):
        of, op = ("paths", "~") if names[i] in constructs else ("loadings", "=~")
        left, right = (names[i], names[j]) if of == "paths" else (names[j], names[i])
        tables[of][f"{left} {op} {right}"] = paths[i, j]
    for i, j in combinations(range(len(names)), 2):
        if own.correlations[i, j]:
            tables["correlations"][f"{names[i]} ~~ {names[j]}"] = own.correlations[i, j]
    return tables


def differences(sampler: GroupedSampler) -> Truth:
    """Return means and coefficients of the groups that are not those of the first group."""
    first, *others = sampler.populations
    base = coefficients(sampler.populations[first])
    constructs = roles_of(sampler.populations[first])
    at = constructs.places(constructs.constructs)
    tables: Truth = {}
    for label in others:
        own = sampler.populations[label]
        mean, sd = own.implied_blocks[0].mu[at], np.sqrt(np.diag(own.implied_blocks[0].V)[at])
        found = {f"{name} mean": value for name, value in zip(constructs.constructs, mean / sd, strict=True)}
        for of, values in coefficients(own).items():
            found |= {name: value for name, value in values.items() if not np.isclose(value, base[of][name])}
        tables[f"{label}_unlike_{first}"] = {name: value for name, value in found.items() if abs(value) > 1e-9}
    return tables


def dynamics(panel: Any, population: ts.Population) -> Truth:
    """Return standardized effects of moving parts one wave later, and the shares of variance that last."""
    own = panel.unfold(population).dynamics
    moving, lasting = np.diag(own.moving), np.diag(own.lasting)
    lags = own.lags * np.sqrt(moving) / np.sqrt(moving)[:, None]
    tables: Truth = {"autoregression": dict(zip(own.constructs, np.diag(lags), strict=True)), "one_wave_later": {}}
    for i, j in np.argwhere(lags):
        if i != j:
            tables["one_wave_later"][f"{own.constructs[i]} ~ {own.constructs[j]}"] = lags[i, j]
    next_wave = (lasting + np.diag(own.lags @ own.moving)) / (lasting + moving)
    tables["correlation_with_the_next_wave"] = dict(zip(own.constructs, next_wave, strict=True))
    tables["trait"] = {name: share for name, share in zip(own.constructs, lasting / (lasting + moving), strict=True) if share}
    tables["item_stability"] = dict(zip(own.items, own.stability, strict=True))
    return tables


def truth_text(tables: Truth) -> str:
    """Return tables of numbers as the end of a manifest."""
    parts = [TRUTH]
    for title, values in tables.items():
        if not values:
            continue
        # First to 12 digits: what lies on an edge, such as .10625, falls on the same side on every machine.
        lines = [f"{quoted(name)} = {round(round(float(value), 12), DIGITS) + 0.0!r}" for name, value in values.items()]
        parts.append("\n".join([f"[truth.{quoted(title)}]", *lines]) + "\n")
    return "\n".join(parts)


def quoted(name: str) -> str:
    """Return a name as a key of TOML."""
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else json.dumps(name)


# ---- files ----------------------------------------------------------------------------------------------------------------------------------


def refresh(folder: Path) -> bool:
    """Write the files of one folder that differ from what the manifest gives; return whether none did."""
    path = folder / "manifest.toml"
    text = path.read_text(encoding="utf-8")
    manifest = tomllib.loads(text)
    frame = stored(folder, manifest) if manifest.get("kept") else simulated(manifest)
    data = as_csv(frame)
    entered = re.sub(r'^sha256 = ".*"$', f'sha256 = "{hashlib.sha256(data).hexdigest()}"', text, count=1, flags=re.MULTILINE)
    entered = entered.partition(TRUTH)[0].rstrip() + "\n\n" + truth_text(truth(manifest))
    wanted = {folder / "data.csv": data, folder / "codebook.csv": as_csv(codebook(manifest, frame)), path: entered.encode()}
    changed = {file: content for file, content in wanted.items() if not file.exists() or file.read_bytes() != content}
    for file, content in changed.items():
        file.write_bytes(content)
    return not changed


def main() -> int:
    """Refresh every data set; return 1 if one changed."""
    changed = 0
    for path in sorted(HERE.glob("*/manifest.toml")):
        equal = refresh(path.parent)
        changed |= not equal
        print(f"{path.parent.name}: {'unchanged' if equal else 'CHANGED, files rewritten'}")
    return changed


if __name__ == "__main__":
    sys.exit(main())
