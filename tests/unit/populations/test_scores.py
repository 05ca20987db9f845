"""Quick quantiles against exact ones, and correlations of normal scores against closed forms and two-dimensional quadrature."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trustsem.populations.pearson import pearson
from trustsem.populations.scores import (
    REACH,
    correlation_reach,
    hermite_coefficients,
    normal_grid,
    solve_correlations,
    tabulate,
)

Z, WEIGHT = normal_grid()
PAIR = np.array([0]), np.array([1])


def column(quantiles, z):
    return quantiles.at(np.asarray(z)[:, None])[:, 0]


@settings(max_examples=20, deadline=None)
@given(st.floats(-3.0, 3.0), st.floats(0.03, 30.0))
def test_tables_have_the_moments(skewness, above):
    kurtosis = skewness**2 - 2.0 + above
    distribution = pearson(skewness, kurtosis)
    table = tabulate([distribution], np.array([0]))
    assert table.tabulated.all()
    inner = np.linspace(-REACH, REACH, 60_000)
    quick = column(table, inner)
    # Next to a bound the values are equal but for rounding.
    assert np.all(np.diff(quick) >= -4.0 * np.finfo(float).eps * np.maximum(1.0, np.abs(quick[1:])))
    # Nodes of the table have no error: the quadrature must have its points between them.
    z = Z[:-1] + 0.37 * (Z[1] - Z[0])
    weight = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi) * (Z[1] - Z[0])
    true, own = distribution.at(z), column(table, z)
    for power in (1, 2, 3, 4):
        size = max(1.0, float(weight @ np.abs(true) ** power))
        assert abs(float(weight @ (own**power - true**power))) / size < 1e-8, power
    between = inner[7::301]
    np.testing.assert_allclose(column(table, between), distribution.at(between), rtol=1e-7, atol=1e-7)


def test_beyond_the_table_quantiles_are_computed():
    distributions = [pearson(1.0, 3.0), pearson(-0.5, -1.0)]
    table = tabulate(distributions, np.array([0, 1, 0]))
    z = np.array([[-9.0, 9.5, 0.3], [12.0, -0.1, -30.0]])
    found = table.at(z)
    for at, row in enumerate((distributions[0], distributions[1], distributions[0])):
        np.testing.assert_allclose(found[:, at], row.at(z[:, at]), atol=1e-8)
    np.testing.assert_array_equal(found[0, :2], [distributions[0].at(z[0, :1])[0], distributions[1].at(z[0, 1:2])[0]])


def test_what_no_table_follows_is_computed():
    distributions = [pearson(0.0, -1.9995), pearson(0.0, 0.0)]
    table = tabulate(distributions, np.array([0, 1]))
    assert table.tabulated.tolist() == [False, True]
    z = np.random.default_rng(1).standard_normal((50, 2))
    np.testing.assert_array_equal(table.at(z)[:, 0], distributions[0].at(z[:, 0]))
    np.testing.assert_allclose(table.at(z)[:, 1], z[:, 1], atol=1e-14)


def test_tables_pickle():
    table = tabulate([pearson(1.0, 3.0)], np.array([0, 0]))
    z = np.random.default_rng(1).standard_normal((20, 2))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(table)).at(z), table.at(z))


@pytest.mark.parametrize("r", [-0.95, -0.4, 0.0, 0.3, 0.9, 0.99])
def test_uniform_variables_have_a_closed_form(r):
    values = pearson(0.0, -1.2).at(Z)[None]
    coefficients = hermite_coefficients(values, Z, WEIGHT, 120)
    target = 6.0 / np.pi * np.arcsin(r / 2.0)
    found, error = solve_correlations(coefficients, np.array([0]), np.array([0]), np.array([target]))
    assert found[0] == pytest.approx(r, abs=1e-10)
    assert error[0] < 1e-9


@pytest.mark.parametrize("r", [-0.9, -0.2, 0.5, 0.97])
def test_lognormal_variables_have_a_closed_form(r):
    """Functions need not be Pearson quantiles. Lognormal covariances are exp(s t r) - 1."""
    s, t = 0.5, 0.8

    def standardised(sigma):
        return (np.exp(sigma * Z) - np.exp(sigma**2 / 2)) / np.sqrt(np.exp(sigma**2) * np.expm1(sigma**2))

    target = np.expm1(s * t * r) / np.sqrt(np.expm1(s * s) * np.expm1(t * t))
    values = np.array([standardised(s), standardised(t)])
    found, error = solve_correlations(hermite_coefficients(values, Z, WEIGHT, 60), *PAIR, np.array([target]))
    assert found[0] == pytest.approx(r, abs=1e-10)
    assert error[0] < 1e-12
    low, high = correlation_reach(values, WEIGHT)
    assert high[0, 1] == pytest.approx(np.expm1(s * t) / np.sqrt(np.expm1(s * s) * np.expm1(t * t)), abs=1e-11)
    assert low[0, 1] == pytest.approx(np.expm1(-s * t) / np.sqrt(np.expm1(s * s) * np.expm1(t * t)), abs=1e-11)
    np.testing.assert_allclose(np.diag(high), 1.0, atol=1e-11)


@settings(max_examples=15, deadline=None)
@given(st.floats(-2.0, 2.0), st.floats(-2.0, 2.0), st.floats(0.4, 8.0), st.floats(0.4, 8.0), st.floats(-0.9, 0.9))
def test_correlations_by_two_dimensional_quadrature(s, t, above, beyond, share):
    first, second = pearson(s, s**2 - 2.0 + above), pearson(t, t**2 - 2.0 + beyond)
    values = np.array([first.at(Z), second.at(Z)])
    low, high = (bound[0, 1] for bound in correlation_reach(values, WEIGHT))
    target = share * (high if share > 0.0 else -low)
    found, error = solve_correlations(hermite_coefficients(values, Z, WEIGHT, 300), *PAIR, np.array([target]))
    assert error[0] < 1e-9
    r = found[0]
    z = np.arange(-9.0, 9.0, 0.03)
    weight = np.exp(-0.5 * z * z) * 0.03 / np.sqrt(2.0 * np.pi)
    x = first.at(z)
    y = np.interp((r * z[:, None] + np.sqrt(1.0 - r * r) * z).ravel(), Z, values[1]).reshape(len(z), -1)
    # Linear interpolation on this grid errs by about 1e-5.
    assert (weight * x) @ y @ weight == pytest.approx(target, abs=1e-4)
