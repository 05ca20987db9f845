"""A population with other coefficients: what was asked for is there, and everything else is where it was."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trustsem as ts
from helpers import quietly
from trustsem.populations.altering import alter
from trustsem.populations.coefficients import read_coefficients, read_confounders
from trustsem.populations.standardizing import solve_errors, standardized

MODEL = "f =~ a + b + c\ng =~ d + e + h\ng ~ f"
VALUES = {"f=~b": 0.8, "f=~c": 1.1, "g=~e": 0.9, "g=~h": 1.2, "g~f": 0.5, "f~~f": 1.4, "g~~g": 0.7} | {f"{v}~~{v}": 0.6 for v in "abcdeh"}
PATHS = "m ~ x\ny ~ m + x\nz ~ y\nx ~~ x"
PATH_VALUES = {"m~x": 0.5, "y~m": 0.4, "y~x": 0.1, "z~y": -0.3, "m~~m": 1.0, "y~~y": 2.0, "z~~z": 1.5, "x~~x": 3.0}


@pytest.fixture(scope="module")
def small() -> ts.Population:
    return ts.Population(MODEL, VALUES)


@pytest.fixture(scope="module")
def observed() -> ts.Population:
    return ts.Population(PATHS, PATH_VALUES)


def fitted(model, population: ts.Population, **options) -> ts.Fit:
    cov = pd.DataFrame(population.cov, population.names, population.names)
    means = {"sample_mean": pd.Series(population.mean, population.names)} if options.pop("means", False) else {}
    return quietly(ts.sem, model, sample_cov=cov, sample_nobs=10_000, likelihood="wishart", fixed_x=False, **means, **options)


def std_of(population: ts.Population) -> dict[str, float]:
    """Return the standardized values by name as the fitted truth reports them."""
    table = fitted(population.table, population).standardized_solution()
    return {f"{row.lhs}{row.op}{row.rhs}": float(row.est_std) for row in table.itertuples()}


def differences(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {name: after[name] for name in after if abs(after[name] - before.get(name, 0.0)) > 1e-7}


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        ({"paths": {"f -> g": 0.2}}, "g~f", 0.2),
        ({"paths": {"g~f": -0.4}}, "g~f", -0.4),
        ({"paths": {"f -> e": 0.3}}, "e~f", 0.3),
        ({"covariances": {"a~~d": 0.25}}, "a~~d", 0.25),
        ({"covariances": {"e ~~ d": -0.25}}, "d~~e", -0.25),
        ({"loadings": {"f=~d": 0.2}}, "f=~d", 0.2),
        ({"loadings": {"f -> b": 0.3}}, "f=~b", 0.3),
        ({"loadings": {"f=~a": 0.5}}, "f=~a", 0.5),
    ],
)
def test_one_coefficient_moves_and_no_other(small: ts.Population, change: dict[str, dict[str, float]], name: str, value: float) -> None:
    changed = alter(small, **change)
    moved = differences(std_of(small), std_of(changed))
    # Residual variances are what gives way.
    assert {n for n in moved if n.partition("~~")[0] != n.partition("~~")[2]} == {name}
    assert moved[name] == pytest.approx(value, abs=1e-7)
    np.testing.assert_allclose(np.diag(changed.cov), np.diag(small.cov), rtol=1e-13)
    assert changed.names == small.names


def test_every_other_parameter_keeps_its_value_to_the_last_bit(small: ts.Population) -> None:
    changed = alter(small, loadings={"f=~d": 0.2})
    for name, value in small.values.items():
        if name != "d~~d":
            assert changed.value(name) == value
    assert changed.compiled.n_theta == small.compiled.n_theta + 1


def test_nothing_asked_nothing_changed(small: ts.Population) -> None:
    assert alter(small) is small
    assert alter(small, paths={}, means={}) is small


def test_residual_variances_of_a_path_model(observed: ts.Population) -> None:
    """1 - b'Rb, worked out here for y on m, x with a residual correlation added elsewhere."""
    changed = alter(observed, paths={"m -> y": 0.6, "z~x": 0.2})
    own, sd = standardized(observed), np.sqrt(np.diag(observed.cov))
    names = list(observed.names)
    r = observed.cov[names.index("m"), names.index("x")] / (sd[names.index("m")] * sd[names.index("x")])
    b = 0.1 * sd[names.index("x")] / sd[names.index("y")]
    wanted = (1.0 - (0.6**2 + b**2 + 2 * 0.6 * b * r)) * sd[names.index("y")] ** 2
    assert changed.value("y~~y") == pytest.approx(wanted, rel=1e-12)
    assert changed.value("y~m") == pytest.approx(0.6 * sd[names.index("y")] / sd[names.index("m")], rel=1e-12)
    assert changed.value("z~x") == pytest.approx(0.2 * sd[names.index("z")] / sd[names.index("x")], rel=1e-12)
    assert changed.value("m~~m") == observed.value("m~~m")
    assert sorted(changed.names) == sorted(observed.names)
    assert own.names == observed.names


def test_a_marker_keeps_its_loading_and_the_latent_variable_gets_another_unit(small: ts.Population) -> None:
    changed = alter(small, loadings={"f=~a": 0.5})
    assert changed.table == small.table
    var_a = small.cov[0, 0]
    assert changed.value("f~~f") == pytest.approx(0.25 * var_a, rel=1e-12)
    assert changed.value("a~~a") == pytest.approx(0.75 * var_a, rel=1e-12)


def test_a_fixed_residual_variance_keeps_its_value() -> None:
    model = "f =~ NA*a + b + c\nf ~~ 1*f\ng =~ NA*d + e + h\ng ~~ 1*g\ng ~ f"
    values = {"f=~a": 0.7, "f=~b": 0.8, "f=~c": 0.6, "g=~d": 0.5, "g=~e": 0.4, "g=~h": 0.6, "g~f": 0.5} | {f"{v}~~{v}": 0.6 for v in "abcdeh"}
    before = ts.Population(model, values)
    changed = alter(before, paths={"f -> g": 0.2})
    assert changed.table == before.table
    assert changed.value("g~f") == pytest.approx(0.2 / np.sqrt(1 - 0.04), rel=1e-12)
    assert std_of(changed)["g=~d"] == pytest.approx(std_of(before)["g=~d"], abs=1e-7)
    np.testing.assert_allclose(np.diag(changed.cov), np.diag(before.cov), rtol=1e-13)


def test_rows_fixed_at_zero_become_free() -> None:
    before = ts.Population(MODEL + "\na ~~ 0*d\nf =~ 0*e", VALUES | {"g=~e": 0.9})
    changed = alter(before, covariances={"a~~d": 0.2}, loadings={"f=~e": 0.1})
    assert changed.value("a~~d") == pytest.approx(0.2 * np.sqrt(0.6 * changed.value("d~~d")), rel=1e-12)
    assert changed.value("f=~e") > 0.0
    assert len(changed.table.rows) == len(before.table.rows)


def test_rows_that_shared_a_label_lose_it_if_they_now_differ() -> None:
    before = ts.Population("f =~ a + k*b + k*c + d\nr := k*k", {"k": 0.8, "f=~d": 1.0, "f~~f": 1.0} | {f"{v}~~{v}": 0.6 for v in "abcd"})
    changed = alter(before, loadings={"f=~b": 0.5})
    assert changed.value("k") == 0.8
    assert changed.value("f=~b") == pytest.approx(0.5 * np.sqrt(before.cov[1, 1]), rel=1e-12)
    both = alter(before, loadings={"f=~b": 0.5, "f=~c": 0.5})
    assert both.table == before.table  # still alike
    assert both.value("k") == pytest.approx(changed.value("f=~b"), rel=1e-12)


# ---- unmeasured causes ----------------------------------------------------------------------------------------------------------------


def test_a_confounder_is_a_covariance_of_the_residuals(small: ts.Population) -> None:
    changed = alter(small, confounder={"f, g": (0.5, 0.4)})
    sd_f, sd_g = np.sqrt(1.4), np.sqrt(0.25 * 1.4 + 0.7)
    assert changed.value("f~~g") == pytest.approx(0.2 * sd_f * sd_g, rel=1e-12)
    beta = 0.5 * sd_f / sd_g
    assert changed.value("g~~g") == pytest.approx((1 - beta**2 - 2 * beta * 0.2) * sd_g**2, rel=1e-12)
    np.testing.assert_allclose(np.diag(changed.cov), np.diag(small.cov), rtol=1e-13)


def test_a_confounder_is_what_a_real_common_cause_would_do(observed: ts.Population) -> None:
    """Write the unmeasured variable into the model and compare the moments."""
    changed = alter(observed, confounder={"m, z": (0.4, -0.3)})
    own = standardized(observed)
    sd = dict(zip(own.names, own.sd, strict=True))
    model = PATHS + "\nu =~ NA*m + z\nu ~~ 1*u\nu ~~ 0*x"
    values = {name: changed.value(name) for name in PATH_VALUES}
    values |= {"u=~m": 0.4 * sd["m"], "u=~z": -0.3 * sd["z"]}
    values["m~~m"] -= values["u=~m"] ** 2
    values["z~~z"] -= values["u=~z"] ** 2
    real = ts.Population(model, values)
    order = [real.names.index(name) for name in changed.names]
    np.testing.assert_allclose(real.cov[np.ix_(order, order)], changed.cov, rtol=1e-12)


def test_a_confounder_biases_as_omitted_variables_do(small: ts.Population) -> None:
    """The slope of g on f gains a * b / Var(f): 0.12 in standardized units."""
    before = std_of(small)["g~f"]
    changed = alter(small, confounder={"f,g": (0.3, 0.4)})
    wrong = fitted(MODEL, changed)
    assert wrong.chisq.statistic == pytest.approx(0.0, abs=1e-6)  # nothing in the fit tells
    found = wrong.standardized_solution().set_index(["lhs", "op", "rhs"])["est_std"]
    assert found["g", "~", "f"] == pytest.approx(before + 0.12, abs=1e-7)


def test_an_omitted_path_biases_as_omitted_variables_do() -> None:
    before = ts.Population("y ~ x\nx ~~ r*w\nx ~~ x\nw ~~ w", {"y~x": 0.3, "r": 0.5, "x~~x": 1.0, "w~~w": 1.0, "y~~y": 0.91})
    changed = alter(before, paths={"w -> y": 0.4})
    slope = fitted("y ~ x", changed).coef()["y~x"]
    assert slope == pytest.approx(0.3 + 0.4 * 0.5, abs=1e-8)


def test_a_method_factor_adds_its_products(small: ts.Population) -> None:
    loadings = dict(zip("abcdeh", (0.1, 0.2, 0.3, 0.15, 0.25, 0.2), strict=True))
    changed = alter(small, factors={"Method": loadings})
    sd = np.sqrt(np.diag(small.cov))
    lam = np.array(list(loadings.values())) * sd
    wanted = small.cov + np.outer(lam, lam)
    np.fill_diagonal(wanted, np.diag(small.cov))
    np.testing.assert_allclose(changed.cov, wanted, rtol=1e-12)
    assert changed.value("Method=~a") == pytest.approx(lam[0])


# ---- means ----------------------------------------------------------------------------------------------------------------------------


def test_a_mean_moves_what_it_causes(small: ts.Population) -> None:
    changed = alter(small, means={"f": -0.3})
    sd_f = np.sqrt(1.4)
    wanted = -0.3 * sd_f * np.array([1.0, 0.8, 1.1, 0.5, 0.5 * 0.9, 0.5 * 1.2])
    np.testing.assert_allclose(changed.mean, wanted, rtol=1e-12)
    np.testing.assert_array_equal(changed.cov, small.cov)
    assert changed.value("f~1") == pytest.approx(-0.3 * sd_f)
    assert all(changed.value(f"{item}~1") == 0.0 for item in "abcdeh")


def test_what_is_named_moves_as_far_as_is_said(small: ts.Population) -> None:
    changed = alter(small, means={"f": 0.5, "g": 0.1, "h": 1.0})
    sd_g = np.sqrt(0.25 * 1.4 + 0.7)
    assert changed.mean[3] == pytest.approx(0.1 * sd_g)
    assert changed.mean[5] == pytest.approx(np.sqrt(small.cov[5, 5]))
    assert changed.value("g~1") == pytest.approx(0.1 * sd_g - 0.5 * 0.5 * np.sqrt(1.4))


def test_means_stay_when_paths_change() -> None:
    means = {"a~1": 1.0, "b~1": 2.0, "c~1": 3.0, "d~1": 0.0, "e~1": 0.0, "h~1": 1.0, "f~1": 0.7}
    before = ts.Population(MODEL + "\na ~ 1\nf ~ NA*1", VALUES | means)
    changed = alter(before, paths={"f -> g": 0.1}, loadings={"f=~b": 0.4})
    np.testing.assert_allclose(changed.mean, before.mean, atol=1e-12)
    assert changed.value("g~1") != 0.0
    assert changed.value("b~1") != 2.0
    assert changed.value("a~1") == 1.0


def test_observed_means(observed: ts.Population) -> None:
    changed = alter(observed, means={"x": 1.0})
    at = {name: k for k, name in enumerate(changed.names)}
    assert changed.mean[at["x"]] == pytest.approx(np.sqrt(3.0))
    assert changed.mean[at["m"]] == pytest.approx(0.5 * np.sqrt(3.0))
    assert changed.mean[at["z"]] == pytest.approx(-0.3 * (0.4 * 0.5 + 0.1) * np.sqrt(3.0))


# ---- the algorithm --------------------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_variances_are_one_and_errors_are_as_asked(seed: int, common: bool) -> None:
    rng = np.random.default_rng(seed)
    k = 6
    A = np.tril(rng.uniform(-0.25, 0.25, (k, k)), -1)
    raw = rng.uniform(-0.15, 0.15, (k, k))
    R = np.eye(k) + np.tril(raw, -1) + np.tril(raw, -1).T
    causes = rng.uniform(-0.3, 0.3, (k, 2)) if common else np.zeros((k, 2))
    shuffled = rng.permutation(k)
    back = np.argsort(shuffled)
    C = causes @ causes.T
    found = solve_errors(
        A[np.ix_(shuffled, shuffled)], R[np.ix_(shuffled, shuffled)], back.tolist(), common=C[np.ix_(shuffled, shuffled)] if common else None
    )
    assert found.short is None
    np.testing.assert_allclose(np.diag(found.phi), 1.0, atol=1e-12)
    B = np.linalg.inv(np.eye(k) - A)
    psi = found.psi[np.ix_(back, back)]
    np.testing.assert_allclose(B @ psi @ B.T, found.phi[np.ix_(back, back)], atol=1e-12)
    own = psi - C
    sd = np.sqrt(np.diag(own))
    np.testing.assert_allclose(own / np.outer(sd, sd), R, atol=1e-12)


def test_variables_without_residual_stay_without(small: ts.Population) -> None:
    """A trait and a moving part that add up to x exactly."""
    model = "t =~ 1*x1 + 1*x2\nw1 =~ 1*x1\nw2 =~ 1*x2\nx1 ~~ 0*x1\nx2 ~~ 0*x2\nw2 ~ w1\nt ~~ 0*w1"
    before = ts.Population(model, {"t~~t": 0.4, "w1~~w1": 0.6, "w2~~w2": 0.5, "w2~w1": 0.4})
    changed = alter(before, paths={"w1 -> w2": 0.7})
    assert changed.value("w2~~w2") == pytest.approx(before.implied_blocks[0].V[4, 4] * (1 - 0.49), rel=1e-12)
    np.testing.assert_allclose(np.diag(changed.cov), np.diag(before.cov), rtol=1e-12)


# ---- reading --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["Trust -> Outcomes", "Trust->Outcomes", "Outcomes~Trust", " Outcomes ~ Trust "])
def test_ways_to_write_a_path(key: str) -> None:
    assert read_coefficients("paths", {key: 0.1}) == {("Trust", "Outcomes"): 0.1}


def test_ways_to_write_a_confounder() -> None:
    assert read_confounders("confounder", {"a,b , c": [0.1, 0.2, 0.3]}) == {("a", "b", "c"): (0.1, 0.2, 0.3)}


def test_a_cycle_is_shown_in_the_direction_of_its_arrows(observed: ts.Population) -> None:
    with pytest.raises(ts.ModelError) as caught:
        alter(observed, paths={"z -> x": 0.1})
    shown = str(caught.value).partition(": ")[2].partition(".")[0].split(" -> ")
    arrows = set(pairwise(shown))
    assert arrows <= {("x", "m"), ("m", "y"), ("x", "y"), ("y", "z"), ("z", "x")}
    assert shown[0] == shown[-1]
