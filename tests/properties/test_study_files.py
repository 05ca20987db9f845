"""Any study file at all gives a study that can be written and read again, or one of the announced errors, and never anything else."""

from __future__ import annotations

import pickle
import random
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import tomli_w
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trustsem.errors import TrustsemError
from trustsem.studies.design import Study
from trustsem.studies.files import parse_study, study_skeleton, study_text

REDUCED = """
name = "größe"
replications = 3
[population]
theory = "metz2022"
preset = "calibrated"
steps = [["strict"], ["drop", "Capability", "Opportunity", "Resilience", "Outcomes"], ["without_path", "Trust", "Commitment"]]
[population.paths]
"Trust -> Motivation" = 0.4
[population.loadings]
Trust = 0.7
[generator]
kind = "Missing"
rate = 0.1
[generator.inner]
kind = "Likert"
categories = 5
[generator.inner.inner]
kind = "Clustered"
size = 15
icc = 0.1
[[conditions]]
n = 45
[[conditions]]
n = 90
"Missing.rate" = 0.2
[analyses.naive]
standardized = true
missing = "fiml"
[analyses.clustered]
measures = ["cfi", "rmsea"]
cluster = "team"
"""
OTHER = '''
description = "A model."
seed = 0
n = 50
[population]
model = """
y ~ b*x
z ~ y"""
function = "sem"
values = { b = 0.3, "z~y" = 0.1, "y~~y" = 0.91, "z~~z" = 1.0, "x~~x" = 1 }
[generator]
kind = "ValeMaurelli"
skewness = 1.0
kurtosis = 2
[conditions]
n = [30, 60]
b = [0.0, 0.3]
[analyses.ML]
[analyses.wrong]
model = "z ~ x"
function = "lavaan"
small_sample = false
'''
FILES = [REDUCED, OTHER, study_skeleton()]

junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers()
    | st.floats()
    | st.dates()
    | st.times()
    | st.text(max_size=6)
    | st.sampled_from(
        ["metz2022", "Gaussian", "Likert", "Panel", "n", "Missing.rate", "Trust -> Motivation", "loading: Trust", "y ~ x", "f =~ x1 + x2"]
    )
    | st.just([]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.sampled_from(["kind", "inner", "n"]), inner, max_size=3),
    max_leaves=5,
)


def places(thing: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to everything in nested lists and tables."""
    yield at
    for key, part in thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list) else ():
        yield from places(part, (*at, key))


def without_none(thing: Any) -> Any:
    """TOML has no null."""
    if isinstance(thing, dict):
        return {key: without_none(part) for key, part in thing.items() if part is not None}
    return [without_none(part) for part in thing if part is not None] if isinstance(thing, list) else thing


def outcome(text: str) -> Study | None:
    """Read a study; whatever is raised must be announced, and must print and pickle."""
    refusal: TrustsemError
    try:
        study = parse_study(text)
    except TrustsemError as error:
        refusal = error
    else:
        again = parse_study(study_text(study))
        assert again.hash == study.hash
        assert [one.key for one in again.cells] == [one.key for one in study.cells]
        return study
    message = str(refusal)
    assert message
    assert str(pickle.loads(pickle.dumps(refusal))) == message
    return None


@pytest.mark.parametrize("text", FILES)
def test_the_files_that_are_mutated_are_valid(text: str) -> None:
    assert outcome(text) is not None


@settings(max_examples=250, deadline=None)
@given(data=st.data(), text=st.sampled_from(FILES[:2]), count=st.integers(1, 3))
def test_values_of_any_kind_at_any_place(data: st.DataObject, text: str, count: int) -> None:
    entry = tomllib.loads(text)
    for _ in range(count):
        way = data.draw(st.sampled_from([way for way in places(entry) if way]))
        above = entry
        for key in way[:-1]:
            above = above[key]
        action = data.draw(st.sampled_from(["replace", "remove", "rename"]))
        if action == "replace":
            above[way[-1]] = data.draw(junk)
        elif action == "remove":
            del above[way[-1]]
        elif isinstance(above, dict):
            above[data.draw(st.text(max_size=6) | st.sampled_from(["n", "kind", "rate", "model", "theory"]))] = above.pop(way[-1])
    outcome(tomli_w.dumps(without_none(entry)))


@settings(max_examples=250, deadline=None)
@given(text=st.sampled_from(FILES), seed=st.integers(0, 10**9))
@example("[" * 5000, 0)
@example("\x00", 0)
def test_characters_lost_doubled_and_exchanged(text: str, seed: int) -> None:
    chance = random.Random(seed)
    letters = list(text)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(letters))
        match chance.randrange(4):
            case 0:
                del letters[at : at + chance.randint(1, 12)]
            case 1:
                letters[at:at] = letters[at : at + chance.randint(1, 20)]
            case 2:
                letters[at] = chance.choice("\"'[]{}=.,#\n 0-eé\x00")
            case _:
                letters = letters or ["x"]
        letters = letters or ["x"]
    outcome("".join(letters))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    outcome(text)


@settings(max_examples=60, deadline=None)
@given(n=st.lists(st.integers(1, 10**6), min_size=1, max_size=3, unique=True), seed=st.integers(0, 2**64), path=st.floats(-0.9, 0.9))
def test_what_is_said_is_what_is_read(n: list[int], seed: int, path: float) -> None:
    entry = tomllib.loads(OTHER)
    entry["conditions"] = {"n": n}
    entry["seed"] = seed
    entry["population"]["values"]["b"] = path
    study = parse_study(tomli_w.dumps(entry))
    assert [cell.settings["n"] for cell in study.cells] == n
    assert study.seed == seed
    assert study.source.entry()["values"]["b"] == path
