"""Monte Carlo intervals against what is known of the distribution that is drawn from."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import holzinger, quietly
from trustsem.errors import OptionError
from trustsem.fitting.monte_carlo import monte_carlo

TEXT = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9\nspeed ~ a*visual + b*textual\ntextual ~ c*visual\ncb := c*b"


@pytest.fixture(scope="module")
def fit() -> ts.Fit:
    return quietly(ts.sem, TEXT, holzinger())


def test_plain_parameters_have_their_own_distribution(fit: ts.Fit) -> None:
    found = monte_carlo(fit, 20_000, seed=1).parameter_estimates()
    plain = fit.parameter_estimates()
    free = (plain["se"] > 0) & (plain["op"] != ":=")
    # Standard deviations and 2.5 % points of 20,000 normal draws: relative errors of 0.5 % and 1.35 %.
    assert np.abs(found["se"][free] / plain["se"][free] - 1.0).max() < 4.0 * 0.005
    error = 0.0190 * plain["se"][free]  # sqrt(.025 * .975 / 20000) / density
    assert (np.abs(found["ci_lower"] - plain["ci_lower"])[free] < 4.0 * error).all()
    assert (np.abs(found["ci_upper"] - plain["ci_upper"])[free] < 4.0 * error).all()
    assert list(found.columns) == ["lhs", "op", "rhs", "label", "est", "se", "ci_lower", "ci_upper", "n_used"]


def test_draws_have_the_covariances_of_the_estimates(fit: ts.Fit) -> None:
    theta = monte_carlo(fit, 20_000, seed=2).theta
    scale = np.sqrt(np.diag(fit.theta_vcov))
    np.testing.assert_allclose(np.cov(theta.T) / np.outer(scale, scale), fit.theta_vcov / np.outer(scale, scale), atol=4.0 * math.sqrt(2.0 / 20_000))


def test_a_product_has_the_variance_of_a_product(fit: ts.Fit) -> None:
    """Goodman's formula for two normal estimates, with their covariance (Bohrnstedt & Goldberger 1969)."""
    vcov, coef = fit.vcov(), fit.coef()
    c, b = coef["c"], coef["b"]
    vc, vb, cov = vcov.loc["c", "c"], vcov.loc["b", "b"], vcov.loc["c", "b"]
    wanted = math.sqrt(c * c * vb + b * b * vc + 2 * c * b * cov + vc * vb + cov**2)
    table = monte_carlo(fit, 20_000, seed=3).parameter_estimates()
    found = table[table["lhs"] == "cb"].iloc[0]
    assert found["se"] == pytest.approx(wanted, rel=0.03)
    # The product is skewed towards the side of its sign, which a symmetric interval cannot show.
    assert (found["ci_upper"] - found["est"]) / (found["est"] - found["ci_lower"]) != pytest.approx(1.0, abs=0.02)


def test_effects_and_standardized_values_come_from_the_same_draws(fit: ts.Fit) -> None:
    found = monte_carlo(fit, 2_000, seed=4)
    table, effects = found.parameter_estimates(), found.effects()
    chosen = effects[(effects["effect"] == "indirect") & (effects["lhs"] == "speed") & (effects["rhs"] == "visual")].iloc[0]
    defined = table[table["lhs"] == "cb"].iloc[0]
    for name in ("est", "se", "ci_lower", "ci_upper"):
        assert chosen[name] == pytest.approx(defined[name], rel=1e-10)
    delta = fit.standardized_solution()
    solution = found.standardized_solution()
    path = (solution["op"] == "~").to_numpy()
    np.testing.assert_allclose(solution["se"][path], delta["se"][path], rtol=0.15)
    assert list(found.effects(standardized=True).columns)[4] == "est_std"


def test_the_seed_decides(fit: ts.Fit) -> None:
    found = monte_carlo(fit, 50, seed=1)
    np.testing.assert_array_equal(found.theta, monte_carlo(fit, 50, seed=1).theta)
    assert not np.array_equal(found.theta, monte_carlo(fit, 50, seed=2).theta)
    assert repr(found) == "<MonteCarloResult: 50 draws, seed 1>"
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(found)).effects(), found.effects())


def test_equality_constraints_hold_in_every_draw() -> None:
    fit = quietly(ts.sem, TEXT + "\na == 2*b", holzinger())
    theta = monte_carlo(fit, 100, seed=1).theta
    names = dict(zip(fit.model.table.parameter_names(), fit.model.free_rows, strict=True))
    a, b = (theta[:, fit.model.theta_of_row[names[name]]] for name in "ab")
    np.testing.assert_allclose(a, 2.0 * b, atol=1e-7)


def test_moments_are_enough(fit: ts.Fit) -> None:
    cov = holzinger()[[f"x{k}" for k in range(1, 10)]].cov()
    from_moments = quietly(ts.sem, TEXT, sample_cov=cov, sample_nobs=301)
    pd.testing.assert_frame_equal(
        monte_carlo(from_moments, 50, seed=1).parameter_estimates(), monte_carlo(fit, 50, seed=1).parameter_estimates(), rtol=1e-6
    )


def test_what_has_no_distribution_is_refused(fit: ts.Fit) -> None:
    with pytest.raises(OptionError, match="no covariance matrix of its estimates"):
        monte_carlo(quietly(ts.sem, TEXT, holzinger(), se="none"), seed=1)
    with pytest.raises(OptionError, match=r"draws=0 is not possible"):
        monte_carlo(fit, 0, seed=1)
    with pytest.raises(OptionError, match=r"seed=None is not possible"):
        monte_carlo(fit, 10, seed=None)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"level=1 is not a confidence level"):
        monte_carlo(fit, 10, seed=1).effects(level=1)
