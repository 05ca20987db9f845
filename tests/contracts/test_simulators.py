"""What every generator owes, found in its folder: a new file is tested without editing this one."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pickle
import pkgutil
import re
import tomllib

import numpy as np
import pandas as pd
import pytest
import tomli_w

import trustsem as ts
from trustsem import simulators
from trustsem.model.population import Population
from trustsem.studies.entries import generator_entry, read_generator

MODEL = "f =~ a + b + c\ng =~ d + e + h\ng ~ f\na ~ 1"
VALUES = {"f=~b": 0.8, "f=~c": 1.1, "g=~e": 0.9, "g=~h": 1.2, "g~f": 0.5, "f~~f": 1.0, "g~~g": 0.7}
VALUES |= {f"{v}~~{v}": 0.6 for v in "abcdeh"} | {f"{v}~1": 0.25 * k for k, v in enumerate("abcdeh")}


def generators():
    """Return every generator that can be made without arguments, by module and class name."""
    found = {}
    for module in pkgutil.iter_modules(simulators.__path__):
        contents = vars(importlib.import_module(f"trustsem.simulators.{module.name}"))
        classes = {
            name: thing
            for name, thing in contents.items()
            if inspect.isclass(thing) and thing.__module__ == f"trustsem.simulators.{module.name}" and hasattr(thing, "draw")
        }
        assert classes, f"simulators/{module.name}.py has no generator: nothing else belongs in this folder"
        found |= {f"{module.name}.{name}": thing for name, thing in classes.items()}
    return found


GENERATORS = generators()


def make(kind):
    """Make one with its defaults; a wrapper is given the plain generator, one for waves a panel."""
    needed = [p for p in inspect.signature(kind).parameters.values() if p.default is inspect.Parameter.empty]
    return kind(*[ts.Panel(ts.Gaussian()) if kind is ts.Dropout else ts.Gaussian() for _ in needed])


def names_of(generator, population):
    """Return the observed variables that a generator gives: those of the population, unless it is about another one (waves)."""
    sampler = generator.prepare(population)
    return (sampler.moments or sampler.population).names


@pytest.fixture(scope="module")
def population():
    return Population(MODEL, VALUES)


@pytest.mark.parametrize("name", GENERATORS)
def test_rows_and_columns(name, population):
    generator = make(GENERATORS[name])
    frame = generator.draw(population, 50, np.random.default_rng(1))
    names = names_of(generator, population)
    assert isinstance(frame, pd.DataFrame)
    assert len(frame) == 50
    assert list(frame.columns)[: len(names)] == list(names)
    assert frame[list(names)].dtypes.map(pd.api.types.is_numeric_dtype).all()
    assert set(population.names) == {re.sub(r"_w\d+$", "", variable) for variable in names}


@pytest.mark.parametrize("name", GENERATORS)
def test_prepared_once_it_draws_the_same_rows(name, population):
    generator = make(GENERATORS[name])
    sampler = generator.prepare(population)
    copy = pickle.loads(pickle.dumps(sampler))
    for seed in (1, 2):
        wanted = generator.draw(population, 60, np.random.default_rng(seed))
        pd.testing.assert_frame_equal(sampler.rows(60, np.random.default_rng(seed)).frame(), wanted)
        pd.testing.assert_frame_equal(copy.rows(60, np.random.default_rng(seed)).frame(), wanted)


@pytest.mark.parametrize("name", GENERATORS)
def test_exact_moments_are_those_of_many_rows(name, population):
    """Wherever a sampler states moments, many rows have them, within Monte Carlo error; holes hide some of them (at random, by default)."""
    sampler = make(GENERATORS[name]).prepare(population)
    if sampler.moments is None or isinstance(make(GENERATORS[name]), ts.Dropout):  # who drops out depends on values by default
        pytest.skip("states no moments of what is observed")
    n, batches = 4_000, 30
    draws = [sampler.rows(n, np.random.default_rng(seed)).frame()[list(sampler.moments.names)] for seed in range(batches)]
    means = np.array([frame.mean().to_numpy() for frame in draws])
    covs = np.array([frame.cov().to_numpy() for frame in draws])
    for found, wanted in ((means, sampler.moments.mean), (covs, sampler.moments.cov)):
        error = found.std(axis=0, ddof=1) / np.sqrt(batches)
        assert (np.abs(found.mean(axis=0) - wanted) < 5.5 * error + 1e-12).all()


@pytest.mark.parametrize("name", GENERATORS)
def test_it_is_a_value(name):
    """Equal options, equal generators; nothing can be changed; a study file gives it back."""
    kind = GENERATORS[name]
    generator = make(kind)
    assert generator == make(kind)
    first = dataclasses.fields(generator)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(generator, first, None)
    again = read_generator(tomllib.loads(tomli_w.dumps(generator_entry(generator))))
    assert again == generator
    assert repr(again) == repr(generator)


@pytest.mark.parametrize("name", GENERATORS)
def test_the_seed_is_everything(name, population):
    generator = make(GENERATORS[name])
    before = (repr(generator), np.random.get_state()[1].tobytes())  # noqa: NPY002
    first = generator.draw(population, 40, np.random.default_rng(7))
    other = generator.draw(population, 40, np.random.default_rng(8))
    again = generator.draw(population, 40, np.random.default_rng(7))
    copy = pickle.loads(pickle.dumps(generator)).draw(pickle.loads(pickle.dumps(population)), 40, np.random.default_rng(7))
    pd.testing.assert_frame_equal(first, again)
    pd.testing.assert_frame_equal(first, copy)
    assert not first.equals(other)
    assert (repr(generator), np.random.get_state()[1].tobytes()) == before  # noqa: NPY002


@pytest.mark.parametrize("name", GENERATORS)
def test_simulate_passes_the_seed_on(name, population):
    generator = make(GENERATORS[name])
    wanted = generator.draw(population, 30, np.random.default_rng(3))
    pd.testing.assert_frame_equal(ts.simulate(population, n=30, seed=3, generator=generator), wanted)
    pd.testing.assert_frame_equal(ts.simulate(population, n=30, seed=np.random.default_rng(3), generator=generator), wanted)


def test_normal_data_have_the_population_moments(population):
    n = 200_000
    frame = ts.simulate(population, n=n, seed=5)
    cov = population.cov
    error = np.sqrt((np.outer(np.diag(cov), np.diag(cov)) + cov**2) / n)
    assert (np.abs(frame.cov().to_numpy() - cov) < 5.0 * error).all()
    assert (np.abs(frame.mean().to_numpy() - population.mean) < 5.0 * np.sqrt(np.diag(cov) / n)).all()
    z = (frame - frame.mean()) / frame.std()
    assert (np.abs((z**3).mean()) < 5.0 * np.sqrt(6.0 / n)).all()
    assert (np.abs((z**4).mean() - 3.0) < 5.0 * np.sqrt(24.0 / n)).all()


def test_empirical_data_have_them_exactly(population):
    frame = ts.simulate(population, n=12, seed=5, generator=ts.Gaussian(empirical=True))
    np.testing.assert_allclose(frame.cov(), population.cov, atol=1e-12)
    np.testing.assert_allclose(frame.mean(), population.mean, atol=1e-12)


def test_a_fit_to_empirical_data_returns_the_population(population):
    frame = ts.simulate(population, n=400, seed=1, generator=ts.Gaussian(empirical=True))
    fit = ts.sem(MODEL, frame, likelihood="wishart")
    found = fit.coef()
    assert fit.chisq.statistic == pytest.approx(0.0, abs=1e-9)
    for name, value in VALUES.items():
        assert found[name] == pytest.approx(value, abs=1e-7), name
