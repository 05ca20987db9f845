"""Drop-out: monotone, at the right rates, and dependent on what was seen before."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from probes import Probe, one_factor
from trustsem.simulators.dropout import Dropout
from trustsem.simulators.gaussian import Gaussian
from trustsem.simulators.missing import Missing

N = 100_000
NAMES = ("t_w1", "c_w1", "age", "t_w2", "c_w2", "t_w3", "c_w3")
POPULATION = one_factor(list(NAMES), loading=0.7, mean=4.0, sd=1.5)
WAVES = ([0, 1], [3, 4], [5, 6])


def draw(generator, n=N, seed=1, population=POPULATION):
    return generator.prepare(population).rows(n, np.random.default_rng(seed)).values


def here(values):
    """Return who is there (n, 3) at each wave; all columns of a wave agree."""
    missing = np.isnan(values)
    for wave in WAVES:
        assert (missing[:, wave[0]] == missing[:, wave[1]]).all()
    assert not missing[:, 2].any()
    return ~missing[:, [wave[0] for wave in WAVES]]


def share_is(found, wanted, n, width=5.0):
    assert abs(found - wanted) < width * np.sqrt(wanted * (1.0 - wanted) / n), (found, wanted)


@pytest.mark.parametrize("on", ["previous", ("t",), ()])
@pytest.mark.parametrize("rate", [0.2, (0.1, 0.4)])
def test_who_leaves_stays_away(on, rate):
    present = here(draw(Dropout(Gaussian(), rate, on, strength=-1.5)))
    assert present[:, 0].all()
    assert (present[:, 1] >= present[:, 2]).all()
    first, second = rate if isinstance(rate, tuple) else (rate, rate)
    share_is(1.0 - present[:, 1].mean(), first, N)
    share_is(1.0 - present[present[:, 1], 2].mean(), second, present[:, 1].sum())


def test_values_that_are_there_are_those_of_the_seed():
    drawn, plain = draw(Dropout(Gaussian()), 400, 9), draw(Gaussian(), 400, 9)
    there = ~np.isnan(drawn)
    assert not there.all()
    np.testing.assert_array_equal(drawn[there], plain[there])


def probit(hit, *causes):
    fit = sm.Probit(hit.astype(float), sm.add_constant(np.column_stack(causes))).fit(disp=0)
    return fit.params[1:], fit.tvalues[1:]


def test_leaving_depends_on_the_wave_before_alone():
    n = 20_000
    plain = draw(Gaussian(), n)
    present = here(draw(Dropout(Gaussian(), 0.3, ("t",), strength=-0.8), n))
    z = (plain - plain.mean(axis=0)) / plain.std(axis=0)
    slope, t = probit(~present[:, 1], z[:, 0], z[:, 1], z[:, 3])
    assert slope[0] == pytest.approx(-0.8, abs=0.06)
    assert (np.abs(t[1:]) < 4.0).all()
    # At wave 3 it is wave 2 that counts, standardized among those who are still there.
    stayed = present[:, 1]
    score = plain[stayed, 3]
    slope, t = probit(~present[stayed, 2], (score - score.mean()) / score.std(), z[stayed, 0], z[stayed, 5])
    assert slope[0] == pytest.approx(-0.8, abs=0.08)
    assert (np.abs(t[1:]) < 4.0).all()
    # Not knowing the cause, later values predict leaving: the check has power.
    assert abs(probit(~present[:, 1], z[:, 3])[1][0]) > 10.0


def test_all_columns_of_the_wave_before_count_alike():
    n = 20_000
    plain = draw(Gaussian(), n)
    present = here(draw(Dropout(Gaussian(), 0.3), n))
    z = (plain - plain.mean(axis=0)) / plain.std(axis=0)
    score = z[:, 0] + z[:, 1]
    slope, t = probit(~present[:, 1], score / score.std(), z[:, 0], z[:, 5])
    assert slope[0] == pytest.approx(1.0, abs=0.12)
    assert (np.abs(t[1:]) < 4.0).all()


def test_at_random_nothing_counts():
    n = 20_000
    plain = draw(Gaussian(), n)
    present = here(draw(Dropout(Gaussian(), 0.3, ()), n))
    assert (np.abs(probit(~present[:, 1], plain[:, 0], plain[:, 1], plain[:, 3])[1]) < 4.0).all()


def test_holes_of_another_generator_are_passed_over():
    inner = Missing(Gaussian(), {"t_w1": 0.5, "c_w1": 0.5})
    drawn = draw(Dropout(inner, 0.25, strength=2.0))
    before = draw(inner)
    gone = np.isnan(drawn[:, 3])
    share_is(gone.mean(), 0.25, N)
    # Who has neither value is taken for average, and so leaves less often than the strong dependence makes others leave.
    none = np.isnan(before[:, :2]).all(axis=1)
    high = np.nanmax(np.where(np.isnan(before[:, :2]), -np.inf, before[:, :2]), axis=1) > 6.0
    assert gone[high].mean() > 0.5 > gone[none].mean()


def test_waves_may_be_named():
    population = one_factor("base1 base2 end1 end2 sex")
    waves = [["base1", "base2"], ["end1", "end2"]]
    for on in ("previous", ("base2",), ()):
        drawn = draw(Dropout(Gaussian(), 0.3, on, waves=waves), 20_000, population=population)
        missing = np.isnan(drawn)
        assert (missing.any(axis=0) == [False, False, True, True, False]).all()
        assert (missing[:, 2] == missing[:, 3]).all()
        share_is(missing[:, 2].mean(), 0.3, 20_000)


def test_waves_are_in_the_order_of_their_numbers():
    population = one_factor("a_w10 a_w2 a_w1")
    missing = np.isnan(draw(Dropout(Gaussian(), 0.4), 2_000, population=population))
    assert not missing[:, 2].any()
    assert (missing[:, 0] >= missing[:, 1]).all()
    assert missing[:, 0].mean() > missing[:, 1].mean() > 0.3


def test_one_wave_loses_nobody_and_all_may_be_gone():
    assert not np.isnan(draw(Dropout(Gaussian()), 50, population=one_factor("a_w1 b_w1 c_w1"))).any()
    few = draw(Dropout(Gaussian(), (0.99, 0.5)), 3)
    assert np.isnan(few[:, 5:]).sum() >= 4


def test_the_sampler_is_that_of_the_complete_columns():
    generator = Dropout(Probe(Gaussian(), extra={"arm": [0, 1]}), [0.1, 0.2])
    assert generator.rate == (0.1, 0.2)
    sampler = generator.prepare(POPULATION)
    assert sampler.population is POPULATION
    np.testing.assert_array_equal(sampler.moments.cov, POPULATION.cov)
    assert sampler.metric
    assert list(sampler.rows(4, np.random.default_rng(1)).extra["arm"]) == [0, 1, 0, 1]
