"""Probabilities of holes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from trustsem.populations.holes import composite, probit_chances, standard_scores


def test_standard_scores_pass_over_holes_and_constants():
    values = np.array([[1.0, 5.0, 0.1], [np.nan, 5.0, 0.1], [3.0, 5.0, 0.1], [5.0, 5.0, 0.1]])
    z = standard_scores(values)
    there = z[[0, 2, 3], 0]
    np.testing.assert_allclose([there.mean(), there.std()], [0.0, 1.0], atol=1e-15)
    assert np.isnan(z[1, 0])
    assert not z[:, 1:].any()


def test_a_composite_is_standardized_over_the_rows_that_have_any_value():
    rng = np.random.default_rng(1)
    values = rng.normal(5.0, [1.0, 20.0], (200, 2))
    np.testing.assert_allclose(composite(values[:, [0]]), (values[:, 0] - values[:, 0].mean()) / values[:, 0].std())
    both = sum((values[:, j] - values[:, j].mean()) / values[:, j].std() for j in (0, 1))
    np.testing.assert_allclose(composite(values), both / both.std())
    values[3] = np.nan
    values[4, 0] = np.nan
    z = composite(values)
    assert z[3] == 0.0
    assert z[4] != 0.0
    rest = np.delete(z, 3)
    np.testing.assert_allclose([rest.mean(), rest.std()], [0.0, 1.0], atol=1e-12)
    assert not composite(np.empty((5, 0))).any()


@given(st.integers(0, 2**32 - 1), st.floats(-30.0, 30.0), st.floats(0.0005, 0.9995), st.integers(1, 60))
def test_the_mean_probability_is_the_rate(seed, strength, rate, n):
    z = np.random.default_rng(seed).standard_normal((n, 1))
    chances = probit_chances(z, np.array([rate]), strength)
    assert chances.mean() == pytest.approx(rate, abs=1e-10)
    # A probit: the probits differ as strength times the scores do.
    inner = (chances > 1e-12) & (chances < 1.0 - 1e-4)
    shift = norm.ppf(chances[inner]) - strength * z[inner]
    np.testing.assert_allclose(shift, shift.mean() if shift.size else 0.0, atol=1e-5)


def test_many_columns_holes_and_zeros():
    rng = np.random.default_rng(2)
    z = rng.standard_normal((300, 4))
    z[:40, 1] = np.nan
    z[:, 3] = np.nan
    rates = np.array([0.3, 0.2, 0.0, 0.4])
    chances = probit_chances(z, rates, 1.5)
    np.testing.assert_allclose(chances[:, [0, 2]].mean(axis=0), [0.3, 0.0], atol=1e-10)
    assert chances[40:, 1].mean() == pytest.approx(0.2, abs=1e-10)
    assert not chances[:40, 1].any()
    assert not chances[:, 3].any()
    shared = probit_chances(z[:, [0]], np.array([0.3, 0.1, 0.3]), 1.5)
    np.testing.assert_allclose(shared[:, 0], shared[:, 2])
    np.testing.assert_allclose(shared[:, 0], chances[:, 0])
    np.testing.assert_allclose(probit_chances(z[:, [0]], rates, 0.0), np.broadcast_to(rates, (300, 4)))
    assert probit_chances(np.empty((0, 2)), rates[:2], 1.0).shape == (0, 2)
