"""Planned missing forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from probes import Probe, one_factor
from trustsem.simulators.gaussian import Gaussian
from trustsem.simulators.planned import PlannedMissing

POPULATION = one_factor("x a b c d e f g")
NAMES = ["x", *"abcdefg"]


def draw(generator, n=90, seed=1):
    rows = generator.prepare(POPULATION).rows(n, np.random.default_rng(seed))
    return rows.values, rows.extra["form"]


def lacking(values, forms, form):
    """Return the items that a form lacks; all of its persons lack the same."""
    missing = np.isnan(values[forms == form])
    assert (missing == missing[0]).all()
    return [name for name, gone in zip(NAMES, missing[0], strict=True) if gone]


def test_items_are_dealt_in_turn():
    values, forms = draw(PlannedMissing(Gaussian(), anchors="x"))
    assert [lacking(values, forms, form) for form in (1, 2, 3)] == [["a", "d", "g"], ["b", "e"], ["c", "f"]]


def test_blocks_may_be_given():
    blocks = [["a", "b"], ["c"], ["g"], ["d"]]
    values, forms = draw(PlannedMissing(Gaussian(), forms=4, blocks=blocks))
    assert [lacking(values, forms, form) for form in (1, 2, 3, 4)] == blocks


@settings(max_examples=30)
@given(st.integers(1, 200), st.integers(3, 6), st.integers(0, 1000))
def test_forms_are_balanced(n, forms, seed):
    values, form = draw(PlannedMissing(Gaussian(), forms=forms), n, seed)
    counts = np.bincount(form, minlength=forms + 1)[1:]
    assert counts.max() - counts.min() <= 1
    assert set(form) <= set(range(1, forms + 1))
    assert len(values) == n


def test_forms_are_dealt_at_random():
    sampler = PlannedMissing(Gaussian()).prepare(POPULATION)
    drawn = np.array([sampler.rows(10, np.random.default_rng(seed)).extra["form"] for seed in range(3000)])
    # Each person gets each form as often as the others, and so does the form that is dealt once more.
    counts = np.array([np.bincount(column, minlength=4)[1:] for column in drawn.T])
    assert (((counts - 1000.0) ** 2 / 1000.0).sum(axis=1) < chi2.isf(1e-5, 2)).all()
    # Neighbours are of one team often: whether two of them get the same form is left to chance. 10 persons of 4, 3 and 3 make 12 of 45 such pairs.
    for other in (1, 2, 3):
        same = (drawn[:, 0] == drawn[:, other]).mean()
        assert abs(same - 12 / 45) < 4.5 * np.sqrt(12 / 45 * 33 / 45 / 3000)
    surplus = np.bincount([np.bincount(one, minlength=4).argmax() for one in drawn], minlength=4)[1:]
    assert ((surplus - 1000.0) ** 2 / 1000.0).sum() < chi2.isf(1e-5, 2)


def test_every_two_items_are_seen_together():
    values, _ = draw(PlannedMissing(Gaussian(), forms=3), 9)
    there = (~np.isnan(values)).astype(int)
    assert (there.T @ there).min() >= 3


def test_values_that_are_there_are_those_of_the_seed():
    values, _ = draw(PlannedMissing(Gaussian()), 60, 4)
    plain = Gaussian().prepare(POPULATION).rows(60, np.random.default_rng(4)).values
    there = ~np.isnan(values)
    np.testing.assert_array_equal(values[there], plain[there])


def test_what_comes_from_inside_is_kept():
    inner = Probe(Gaussian(), extra={"arm": [0, 1]}, holes=("x",))
    sampler = PlannedMissing(inner, anchors=["x"]).prepare(POPULATION)
    rows = sampler.rows(14, np.random.default_rng(1))
    assert list(rows.extra) == ["arm", "form"]
    assert np.isnan(rows.values[[0, 7], 0]).all()
    assert sampler.population is POPULATION
    assert sampler.metric
    np.testing.assert_array_equal(sampler.moments.cov, POPULATION.cov)


@pytest.mark.parametrize("n", [1, 2])
def test_fewer_rows_than_forms(n):
    assert len(set(draw(PlannedMissing(Gaussian()), n)[1])) == n
