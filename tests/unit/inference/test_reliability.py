"""Reliability: values from spelled-out formulas, derivatives from finite differences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from helpers import CASES, Case, admissible_point, model_of, numerical_jacobian, problem_of, random_sample
from trustsem.inference.reliability import MEASURES, alpha, alpha_error, bilinear_slopes, quantities, scale_slopes, scale_values, scales
from trustsem.model.problem import ImpliedBlock, Problem, implied

MODELS = {
    "factor": CASES["factor"],
    "std_lv": CASES["factors_std_lv"],
    "means": CASES["factors_means"],
    "shared_labels": CASES["shared_labels"],
    "second_order": CASES["second_order"],
    "structural": CASES["structural"],
    "feedback": CASES["feedback_latent"],
    "groups": CASES["groups_shared"],
    "cross_loading": Case("f =~ a + b + c + d\ng =~ d + e + h + c\na ~~ e\nb ~~ c", "cfa"),
    "bifactor": Case("s =~ a + b + c + d + e + h + i\nf =~ a + b + c\ng =~ d + e + h", "cfa", defaults={"std_lv": True, "orthogonal": True}),
    "mixed_second_order": Case("f =~ a + b + c\ng =~ d + e + h\ns =~ f + g + i + j"),
    "growth": CASES["growth"],
}


def point_of(name: str, seed: int = 4) -> tuple[Problem, Any, tuple[ImpliedBlock, ...]]:
    rng = np.random.default_rng(seed)
    model = model_of(MODELS[name])
    problem = problem_of(model, random_sample(model, rng), "ML")
    theta = admissible_point(problem, rng)
    return problem, theta, implied(problem.structure, theta)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("reverse", [True, False])
def test_derivatives_equal_finite_differences(name: str, reverse: bool) -> None:
    problem, theta, blocks = point_of(name)
    chosen = scales(problem.model, blocks, reverse)
    slopes = scale_slopes(problem.model, problem.structure, blocks, chosen)
    steps = 1e-4 * np.maximum(1.0, np.abs(theta))
    numbers = numerical_jacobian(lambda t: quantities(problem.model, problem.structure, t, chosen), theta, steps)
    assert slopes.shape == (len(chosen), len(MEASURES), theta.size)
    np.testing.assert_allclose(slopes, numbers, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["structural", "feedback", "second_order"])
def test_derivatives_of_a_bilinear_form(name: str) -> None:
    problem, theta, blocks = point_of(name)
    rng = np.random.default_rng(8)
    u, w = rng.standard_normal((2, len(blocks[0].V)))
    numbers = numerical_jacobian(lambda t: u @ implied(problem.structure, t)[0].V @ w, theta, 1e-4 * np.maximum(1.0, np.abs(theta)))
    np.testing.assert_allclose(bilinear_slopes(problem.structure, 0, blocks[0], u, w), numbers, rtol=1e-6, atol=1e-7)


def spelled_out(block: ImpliedBlock, items: list[int], factor: int, loads: dict[int, Any], indicators: list[int]) -> list[float]:
    """Return the measures of one factor from the loadings (items,) of each factor on its items."""
    Sigma = block.V[np.ix_(items, items)]
    names = list(loads)
    L = np.column_stack([loads[k] for k in names])
    common = L @ block.V[np.ix_(names, names)] @ L.T
    own = sum_effects(block, items, factor)
    phi = block.V[factor, factor]
    explained = [block.A[j, factor] ** 2 * phi for j in indicators]
    variances = [block.V[j, j] for j in indicators]
    return [
        common.sum() / Sigma.sum(),
        own.sum() ** 2 * phi / Sigma.sum(),
        sum(explained) / sum(variances),
        float(np.mean([e / v for e, v in zip(explained, variances, strict=True)])),
        phi * own @ np.linalg.inv(Sigma) @ own,
    ]


def sum_effects(block: ImpliedBlock, items: list[int], factor: int) -> Any:
    """Return direct loadings and those through one level of factors."""
    through = block.A[np.ix_(items, range(block.p, len(block.A)))] @ block.A[block.p :, factor]
    return block.A[items, factor] + through


@pytest.mark.parametrize("name", ["cross_loading", "bifactor", "second_order", "mixed_second_order"])
def test_values_from_the_formulas(name: str) -> None:
    problem, theta, blocks = point_of(name)
    block = blocks[0]
    chosen = scales(problem.model, blocks, False)
    found = quantities(problem.model, problem.structure, theta, chosen)
    latent = range(block.p, len(block.A))
    for scale, values in zip(chosen, found, strict=True):
        items = scale.items.tolist()
        loads = {k: block.A[items, k] for k in latent}
        np.testing.assert_allclose(values, spelled_out(block, items, scale.factor, loads, scale.indicators.tolist()), rtol=1e-10)


def test_a_second_order_factor_has_the_items_of_its_factors() -> None:
    problem, _, blocks = point_of("mixed_second_order")
    layout = problem.model.blocks[0]
    items = {layout.variables[scale.factor]: [layout.observed[k] for k in scale.items] for scale in scales(problem.model, blocks, True)}
    assert items == {"f": ["a", "b", "c"], "g": ["d", "e", "h"], "s": ["a", "b", "c", "d", "e", "h", "i", "j"]}


def test_a_loading_fixed_to_zero_is_no_loading() -> None:
    problem, _, blocks = point_of("growth")
    layout = problem.model.blocks[0]
    items = {layout.variables[scale.factor]: [layout.observed[k] for k in scale.items] for scale in scales(problem.model, blocks, True)}
    assert items == {"i": ["a", "b", "c", "d"], "s": ["b", "c", "d"]}


def with_loadings(loadings: list[float], residual: float = 0.5) -> tuple[Problem, Any]:
    model = model_of(Case("f =~ " + " + ".join("abcdefg"[: len(loadings)]), "cfa", defaults={"std_lv": True}))
    problem = problem_of(model, random_sample(model, np.random.default_rng(1)), "ML")
    theta = np.array(loadings + [residual] * len(loadings))
    return problem, theta


def test_items_that_load_against_the_others_are_reversed() -> None:
    problem, theta = with_loadings([0.7, -0.6, 0.8, 0.5])
    blocks = implied(problem.structure, theta)
    (reversed_, as_they_are) = (scales(problem.model, blocks, reverse)[0] for reverse in (True, False))
    assert reversed_.signs.tolist() == [1.0, -1.0, 1.0, 1.0]
    assert as_they_are.signs.tolist() == [1.0] * 4
    mirror, positive = with_loadings([0.7, 0.6, 0.8, 0.5])
    expected = quantities(mirror.model, mirror.structure, positive, [as_they_are])
    np.testing.assert_allclose(quantities(problem.model, problem.structure, theta, [reversed_]), expected, rtol=1e-12)
    assert quantities(problem.model, problem.structure, theta, [as_they_are])[0, 0] == pytest.approx(1.4**2 / (1.4**2 + 2.0))


def test_most_items_negative_reverses_the_rest() -> None:
    problem, theta = with_loadings([-0.7, -0.6, 0.8])
    assert scales(problem.model, implied(problem.structure, theta), True)[0].signs.tolist() == [1.0, 1.0, -1.0]


def test_maximal_reliability_is_that_of_independent_errors() -> None:
    loadings = [0.9, 0.7, 0.4, 0.2]
    problem, theta = with_loadings(loadings)
    ratio = sum(value**2 / 0.5 for value in loadings)
    (values,) = quantities(problem.model, problem.structure, theta, scales(problem.model, implied(problem.structure, theta), True))
    assert values[MEASURES.index("h")] == pytest.approx(ratio / (1.0 + ratio), rel=1e-12)
    assert values[MEASURES.index("h")] > values[MEASURES.index("omega_h")]


def test_items_without_errors_have_no_most_reliable_sum() -> None:
    problem, theta = with_loadings([1.0, 1.0, 1.0], residual=0.0)
    (values,) = quantities(problem.model, problem.structure, theta, scales(problem.model, implied(problem.structure, theta), True))
    assert values[0] == 1.0
    assert math.isnan(values[MEASURES.index("h")])


def test_draws_give_what_each_of_them_gives() -> None:
    problem, theta, blocks = point_of("second_order")
    chosen = scales(problem.model, blocks, True)
    draws = theta * (1.0 + 0.02 * np.random.default_rng(0).standard_normal((5, theta.size)))
    points = [implied(problem.structure, draw)[0] for draw in draws]
    stack = (points[0]._replace(**{name: np.stack([getattr(point, name) for point in points]) for name in ("A", "S", "m", "B", "V", "mu")}),)
    expected = [quantities(problem.model, problem.structure, draw, chosen) for draw in draws]
    np.testing.assert_allclose(scale_values(problem.model, stack, chosen), expected, rtol=1e-12)


def test_observed_variances_replace_the_implied_ones() -> None:
    problem, _, blocks = point_of("mixed_second_order")
    chosen = scales(problem.model, blocks, False)
    observed = [2.0 * block.sigma for block in blocks]
    plain, halved = scale_values(problem.model, blocks, chosen), scale_values(problem.model, blocks, chosen, observed)
    np.testing.assert_allclose(halved[:, :2], plain[:, :2] / 2.0, rtol=1e-12)
    np.testing.assert_allclose(halved[:2, 2], plain[:2, 2] / 2.0, rtol=1e-12)
    np.testing.assert_allclose(halved[:, 3:], plain[:, 3:], rtol=1e-12)
    variances = np.diag(blocks[0].V)
    indicators = chosen[2].indicators
    doubled = sum(variances[j] * (2.0 if j < blocks[0].p else 1.0) for j in indicators)
    assert halved[2, 2] == pytest.approx(plain[2, 2] * variances[indicators].sum() / doubled)


# ---- alpha ------------------------------------------------------------------------------------------------------------------------------


def random_cov(k: int, seed: int = 0) -> Any:
    root = np.random.default_rng(seed).standard_normal((k, k))
    return root @ root.T + k * np.eye(k)


def test_alpha_is_a_ratio_of_variances() -> None:
    cov = random_cov(5)
    assert alpha(cov, np.ones(5))[0] == pytest.approx(5 / 4 * (1.0 - np.trace(cov) / cov.sum()), rel=1e-14)
    signs = np.array([1.0, -1.0, 1.0, 1.0, -1.0])
    assert alpha(cov, signs)[0] == pytest.approx(alpha(cov * np.outer(signs, signs), np.ones(5))[0], rel=1e-14)


def test_derivatives_of_alpha() -> None:
    cov, signs = random_cov(4), np.array([1.0, -1.0, 1.0, 1.0])
    numbers = numerical_jacobian(lambda x: np.array(alpha(x.reshape(4, 4), signs)[0]), cov.ravel(), np.full(16, 1e-3))
    np.testing.assert_allclose(alpha(cov, signs)[1].ravel(), numbers, rtol=1e-7, atol=1e-9)


def test_the_standard_error_of_alpha_is_that_of_van_zyl() -> None:
    k, n, cov = 6, 250, random_cov(6, 3)
    total, trace = cov.sum(), np.trace(cov)
    square = 2.0 * k**2 / ((k - 1) ** 2 * total**3) * (total * (np.trace(cov @ cov) + trace**2) - 2.0 * trace * (cov @ cov).sum())
    assert alpha_error(cov, np.ones(k), n) == pytest.approx(math.sqrt(square / n), rel=1e-12)


def test_a_single_item_has_no_alpha() -> None:
    assert math.isnan(alpha(np.ones((1, 1)), np.ones(1))[0])
    assert math.isnan(alpha_error(np.ones((1, 1)), np.ones(1), 100))
