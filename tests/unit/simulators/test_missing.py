"""Item non-response: how much, where, and on what it depends."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import norm

from probes import Probe, one_factor
from trustsem.simulators.gaussian import Gaussian
from trustsem.simulators.missing import Missing

N = 100_000
NAMES = ("a", "b", "c", "d")
POPULATION = one_factor("a b c d", loading=0.8, mean=3.0, sd=2.0)


def draw(generator, n=N, seed=1):
    return generator.prepare(POPULATION).rows(n, np.random.default_rng(seed))


def holes(generator, n=N, seed=1):
    return np.isnan(draw(generator, n, seed).values)


def share_is(found, wanted, n=N, width=5.0):
    wanted = np.asarray(wanted)
    assert (np.abs(found - wanted) <= width * np.sqrt(wanted * (1.0 - wanted) / n)).all(), (found, wanted)


def probit(hit, *causes):
    """Return slopes and their z statistics of a probit regression."""
    fit = sm.Probit(hit.astype(float), sm.add_constant(np.column_stack(causes).astype(float))).fit(disp=0)
    return fit.params[1:], fit.tvalues[1:]


MECHANISMS = [{"mechanism": "MCAR"}, {"mechanism": "mar", "on": "d"}, {"mechanism": "MNAR", "strength": -2.0}]


@pytest.mark.parametrize("options", MECHANISMS)
def test_values_that_are_there_are_those_of_the_seed(options):
    drawn = draw(Missing(Gaussian(), 0.4, **options), 500, 8).values
    plain = draw(Gaussian(), 500, 8).values
    missing = np.isnan(drawn)
    assert missing.any()
    np.testing.assert_array_equal(drawn[~missing], plain[~missing])


@pytest.mark.parametrize("options", MECHANISMS)
def test_the_rate_is_met(options):
    wanted = np.array([0.1, 0.3, 0.0, 0.0])
    share_is(holes(Missing(Gaussian(), {"a": 0.1, "b": 0.3}, **options)).mean(axis=0), wanted)


@pytest.mark.parametrize("options", MECHANISMS)
def test_the_expected_rate_is_met_in_every_sample(options):
    sampler = Missing(Gaussian(), 0.15, **options).prepare(POPULATION)
    for seed in range(3):
        rows = sampler.inner.rows(25, np.random.default_rng(seed))
        chances = np.broadcast_to(sampler._chances(rows, rows.values[:, sampler.at]), (25, len(sampler.at)))
        np.testing.assert_allclose(chances.mean(axis=0), 0.15, atol=1e-10)


def test_which_columns_get_holes():
    assert (holes(Missing(Gaussian(), 0.5), 200).any(axis=0) == [True] * 4).all()
    assert (holes(Missing(Gaussian(), 0.5, on=("b",)), 200).any(axis=0) == [True, False, True, True]).all()
    assert (holes(Missing(Gaussian(), 0.5, "MAR", on=["b", "c"]), 200).any(axis=0) == [True, False, False, True]).all()
    assert (holes(Missing(Gaussian(), 0.5, columns="c"), 200).any(axis=0) == [False, False, True, False]).all()
    assert (holes(Missing(Gaussian(), {"d": 0.5}), 200).any(axis=0) == [False, False, False, True]).all()
    assert not holes(Missing(Gaussian(), 0.0, "MNAR"), 200).any()


def test_holes_completely_at_random_depend_on_nothing():
    values = draw(Gaussian(), 20_000).values
    missing = holes(Missing(Gaussian(), 0.3), 20_000)
    _, z = probit(missing[:, 0], values[:, 0], values[:, 1], missing[:, 1])
    assert (np.abs(z) < 4.0).all()


def test_holes_at_random_depend_on_the_other_columns_alone():
    """The check that tells the mechanisms apart: given the causes, neither the value itself nor the other holes say anything."""
    n, on = 20_000, ("c", "d")
    values = draw(Gaussian(), n).values
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    cause = standard[:, 2] + standard[:, 3]
    cause = cause / cause.std()
    missing = holes(Missing(Gaussian(), 0.3, "MAR", on=on, strength=0.8), n)
    slope, z = probit(missing[:, 0], cause, standard[:, 0], missing[:, 1])
    assert slope[0] == pytest.approx(0.8, abs=0.06)
    assert (np.abs(z[1:]) < 4.0).all(), z
    # Without the causes, both do: the check has power.
    assert abs(probit(missing[:, 0], standard[:, 0])[1][0]) > 10.0
    assert abs(probit(missing[:, 0], missing[:, 1])[1][0]) > 10.0


def test_holes_not_at_random_are_found_by_the_same_check():
    n = 20_000
    values = draw(Gaussian(), n).values
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    missing = holes(Missing(Gaussian(), 0.3, "MNAR", on=("c", "d"), strength=0.8), n)
    slope, z = probit(missing[:, 0], standard[:, 0], standard[:, 2], standard[:, 3])
    assert z[0] > 10.0
    assert slope[0] == pytest.approx(0.8, abs=0.08)
    assert (np.abs(z[1:]) < 4.0).all()


def test_negative_strength_loses_low_values():
    values, missing = draw(Gaussian()).values, holes(Missing(Gaussian(), 0.3, "MNAR", strength=-1.0))
    # For normal z, E(z | missing) = s / sqrt(1 + s^2) phi(q) / rate, q the rate's probit.
    wanted = -1.0 / np.sqrt(2.0) * norm.pdf(norm.ppf(0.3)) / 0.3
    z = (values[:, 0] - 3.0) / 2.0
    lost = z[missing[:, 0]]
    assert lost.mean() == pytest.approx(wanted, abs=5.0 * lost.std() / np.sqrt(len(lost)))


def test_holes_may_depend_on_columns_that_are_added():
    inner = Probe(Gaussian(), extra={"arm": [0, 1, 1, 1], "site": ["x"]})
    rows = draw(Missing(inner, 0.2, "MAR", on=("arm",), strength=0.5))
    missing, arm = np.isnan(rows.values), rows.extra["arm"]
    z = np.array([-0.75, 0.25]) / np.sqrt(0.1875)
    found = np.array([missing[arm == one].mean() for one in (0, 1)])
    assert 0.25 * found[0] + 0.75 * found[1] == pytest.approx(0.2, abs=0.005)
    assert norm.ppf(found[1]) - norm.ppf(found[0]) == pytest.approx(0.5 * (z[1] - z[0]), abs=0.03)


def test_a_constant_cause_contributes_nothing():
    inner = Probe(Gaussian(), constant={"c": 7.0})
    share_is(holes(Missing(inner, 0.2, "MAR", on=("c",)), 50_000)[:, [0, 1, 3]].mean(axis=0), 0.2, 50_000)


def test_earlier_holes_stay_and_the_rate_is_of_what_is_there():
    inner = Probe(Gaussian(), holes=("a",))
    before = holes(inner)
    for mechanism in ("MCAR", "MNAR"):
        after = holes(Missing(inner, 0.25, mechanism))
        assert (after | ~before).all()
        share_is(after[~before[:, 0], 0].mean(), 0.25, (~before[:, 0]).sum())


def test_rows_without_any_value_are_kept():
    rows = draw(Missing(Gaussian(), 0.9), 300)
    assert np.isnan(rows.values).all(axis=1).any()
    assert len(rows.values) == 300


def test_the_sampler_is_that_of_the_complete_columns():
    sampler = Missing(Gaussian()).prepare(POPULATION)
    assert sampler.population is POPULATION
    np.testing.assert_array_equal(sampler.moments.cov, POPULATION.cov)
    assert sampler.metric
