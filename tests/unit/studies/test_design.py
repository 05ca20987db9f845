"""A study is a value: written to a file and back, with a hash of what matters and a stream for every replication."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trustsem as ts
from trustsem.studies.conditions import expand
from trustsem.studies.design import Analysis, Study
from trustsem.studies.files import parse_study, study_skeleton, study_text
from trustsem.studies.prepare import prepare
from trustsem.studies.store import differences

TEXT = "y ~ x"
VALUES = {"y~x": 0.3, "y~~y": 0.91, "x~~x": 1.0}
POPULATION = ts.Population(TEXT, VALUES)


def study(**changes):
    return Study(**{"population": POPULATION, "conditions": {"n": [50, 100]}, "replications": 20, "seed": 3, **changes})


THEORY = ts.load_theory("metz2022")
STUDIES = {
    "model": study(),
    "theory": Study(THEORY, conditions={"n": [100], "preset": ["conservative", "calibrated"]}),
    "variant": Study(THEORY.strict().drop("Resilience"), conditions={"Trust -> Motivation": [0.1, 0.3]}, preset="conservative"),
    "indicators": Study(THEORY.with_indicators({"Trust": ["a", "b", "c"], "Motivation": ["d", "e", "f"]})),
    "added path": Study(THEORY.with_path("Trust", "Outcomes", value=0.12)),
    "cells": study(conditions=[{"n": 50, "y~x": 0.1}, {"n": 70}]),
    "analyses": study(analyses={"a": Analysis(options={"estimator": "MLR"}), "b": Analysis("y ~ 0*x", standardized=True, measures=("rmsea",))}),
    "unicode": study(name="Vertrauen ↔ «Wirkung»", description='with "quotes"\nand lines'),
    "table": Study(ts.Population(THEORY.strict().model(), THEORY.strict().population("calibrated").values)),
}


@pytest.mark.parametrize("name", STUDIES)
def test_the_file_gives_the_study_back(name):
    one = STUDIES[name]
    again = parse_study(study_text(one))
    assert again.entry() == one.entry()
    assert again.hash == one.hash
    assert (again.name, again.description) == (one.name, one.description)
    assert study_text(again) == study_text(one)
    np.testing.assert_array_equal(prepare(again, again.cells[0]).sampler.moments.cov, prepare(one, one.cells[0]).sampler.moments.cov)


@pytest.mark.parametrize("name", STUDIES)
def test_studies_survive_pickling(name):
    assert pickle.loads(pickle.dumps(STUDIES[name])).hash == STUDIES[name].hash


def test_every_hash_is_different():
    assert len({one.hash for one in STUDIES.values()}) == len(STUDIES) - 1  # "unicode" is "model" under another name
    assert STUDIES["unicode"].hash == STUDIES["model"].hash


def test_the_skeleton_is_a_study():
    one = parse_study(study_skeleton())
    assert len(one.cells) == 6
    assert set(one.analyses) == {"FIML", "two_stage"}
    assert type(one.generator).__name__ == "Missing"


def test_factors_are_crossed_the_last_one_fastest():
    cells = expand({"n": [1, 2], "a": ["x", "y"]}, ("n", "a"))
    assert [dict(cell.settings) for cell in cells] == [{"n": 1, "a": "x"}, {"n": 1, "a": "y"}, {"n": 2, "a": "x"}, {"n": 2, "a": "y"}]


def test_streams_depend_on_seed_condition_and_replication_and_on_nothing_else():
    small, large = study(), study(conditions={"n": [30, 50, 100]}, replications=5)
    ready = prepare(small, small.cells[0])
    first = ready.stream(3).standard_normal(5)
    same = prepare(large, large.cells[1])  # n = 50, another place in a larger design
    np.testing.assert_array_equal(same.stream(3).standard_normal(5), first)
    others = [ready.stream(4), prepare(small, small.cells[1]).stream(3), prepare(study(seed=4), small.cells[0]).stream(3)]
    for other in others:
        assert not np.isclose(other.standard_normal(5), first).any()


def test_streams_of_many_replications_are_uncorrelated():
    ready = prepare(study(), study().cells[0])
    draws = np.array([ready.stream(r).standard_normal(200) for r in range(100)])
    r = np.corrcoef(draws)[np.triu_indices(100, 1)]
    assert abs(r.std() * np.sqrt(200) - 1.0) < 0.05
    assert np.abs(r).max() < 5.0 / np.sqrt(200)


def test_equal_conditions_have_equal_streams_however_they_are_written():
    holes = ts.Missing(ts.Gaussian())
    keys = {
        study(generator=holes, conditions=[cell]).cells[0].key
        for cell in ({"rate": 0}, {"rate": 0.0}, {"rate": -0.0}, {"Missing.rate": 0}, {"Missing.rate": 0.0})
    }
    assert len(keys) == 1
    with pytest.raises(ts.OptionError, match="Conditions 1 and 2 are the same"):
        study(generator=holes, conditions={"rate": [0, 0.0]})
    with pytest.raises(ts.OptionError, match=r"'Missing\.rate' two values"):
        study(generator=holes, conditions=[{"rate": 0.1, "Missing.rate": 0.2}])


def test_options_have_short_names_where_they_are_unambiguous():
    names = study(generator=ts.Gaussian()).options()
    assert names["empirical"] == ("Gaussian", "empirical") == names["Gaussian.empirical"]


def test_differences_name_the_place():
    assert differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": 1}) == ["a.c: 2 there, 3 now", "d: None there, 1 now"]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["n", "y~x", "x~~x", "Gaussian.empirical"]),
        st.lists(st.one_of(st.integers(1, 10**6), st.floats(0.01, 0.9)), min_size=1, max_size=4, unique_by=str),
        max_size=3,
    ),
    st.text(max_size=30),
    st.integers(1, 10**9),
    st.integers(0, 2**63),
)
def test_any_study_is_written_and_read(conditions, name, replications, seed):
    conditions = {key: [int(value) or 1 for value in levels] if key == "n" else levels for key, levels in conditions.items()}
    conditions = {key: list(dict.fromkeys(levels)) for key, levels in conditions.items()}
    try:
        one = study(conditions=conditions, name=name, replications=replications, seed=seed)
    except ts.OptionError:
        return
    again = parse_study(study_text(one))
    assert again.hash == one.hash
    assert again.name == one.name == name.replace("\r\n", "\n").replace("\r", "\n")


def test_the_ends_of_lines_do_not_make_another_study(tmp_path):
    """Text from an editor of another system has other ends of lines, and so may the file that is written there."""
    unix = study(population=ts.Population("y ~ x\n# why", VALUES), analyses={"a": Analysis("y ~ x\n")})
    other = study(population=ts.Population("y ~ x\r\n# why", VALUES), analyses={"a": Analysis("y ~ x\r\n")})
    assert other.hash == unix.hash
    (tmp_path / "study.toml").write_bytes(study_text(unix).replace("\n", "\r\n").encode())
    assert ts.load_study(tmp_path / "study.toml").hash == unix.hash
