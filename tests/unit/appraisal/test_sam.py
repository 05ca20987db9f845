"""Structural after measurement: blocks, the mapping, and derivatives of both steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import trustsem as ts
from helpers import holzinger, quietly
from trustsem.appraisal.identification.measurement_blocks import split_model
from trustsem.appraisal.identification.reading import read_model
from trustsem.appraisal.identification.sam import sam
from trustsem.appraisal.identification.two_steps import estimate_in_two_steps, measure, two_step_errors
from trustsem.model.problem import implied

THREE = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9\ntextual ~ visual\nspeed ~ visual + textual"
CHAIN = THREE.replace("speed ~ visual + textual", "speed ~ textual")


def steps(text: str, data: Any = None, method: str = "local", **options: Any) -> Any:
    reading = read_model(text, data, options, "sam")
    return estimate_in_two_steps(measure(split_model(reading.model), reading.moments), method)


def test_population_moments_give_population_values() -> None:
    truth = {"f=~b": 0.8, "f=~c": 1.2, "g=~e": 0.7, "g=~h": 1.1, "g~f": 0.4, "g~x": 0.2, "y~f": 0.3, "y~g": 0.5, "f~~f": 1.3, "g~~g": 0.9}
    truth |= {"y~~y": 0.6, "x~~x": 1.0, "f~~x": 0.2} | {f"{name}~~{name}": 0.5 for name in "abcdeh"}
    text = "f =~ a + b + c\ng =~ d + e + h\ng ~ f + x\ny ~ f + g\nx ~~ x\nf ~~ x"
    population = ts.Population(text, truth)
    frame = pd.DataFrame(population.cov, index=population.names, columns=population.names)
    for method in ("local", "global"):
        found = sam(text, sample_cov=frame * 500 / 499, sample_nobs=500, method=method)
        for row in found.frame.itertuples(index=False):
            names = (f"{row.lhs}{row.op}{row.rhs}", f"{row.rhs}{row.op}{row.lhs}")
            assert row.est == pytest.approx(next(truth[name] for name in names if name in truth), abs=2e-6)


@pytest.mark.parametrize("method", ["local", "global"])
@pytest.mark.parametrize("text", [THREE, CHAIN, THREE + "\nx3 ~~ x9", CHAIN + "\nspeed ~ age"], ids=["three", "chain", "error", "covariate"])
def test_slopes_are_derivatives(text: str, method: str) -> None:
    """At moments that the model implies, where the information is the Hessian."""
    model = read_model(text, None, {"sample_cov": start_cov(text), "sample_nobs": 400, "fixed_x": False}, "sam").model
    theta = np.random.default_rng(3).uniform(0.5, 0.9, model.n_theta)
    cov = implied(model.structure, theta)[0].sigma
    names, n = model.blocks[0].observed, 4_000

    def found(matrix: Any) -> Any:
        frame = pd.DataFrame(matrix * (n / (n - 1)), index=list(names), columns=list(names))
        return steps(text, None, method, sample_cov=frame, sample_nobs=n)

    at = found(cov)
    i, j = np.tril_indices(len(names))
    order = [read_model(text, None, {"sample_cov": start_cov(text), "sample_nobs": 400}, "sam").moments.names.index(name) for name in names]
    places = np.empty((len(names), len(names)), dtype=int)
    places[i, j] = places[j, i] = len(names) + np.arange(i.size)
    for k in range(0, i.size, 6):
        up, down = cov.copy(), cov.copy()
        for matrix, sign in ((up, 1.0), (down, -1.0)):
            matrix[i[k], j[k]] += sign * 1e-4
            if i[k] != j[k]:
                matrix[j[k], i[k]] += sign * 1e-4
        column = places[order[i[k]], order[j[k]]]
        one, other = found(up), found(down)
        assert_allclose((one.estimate - other.estimate) / 2e-4, at.slopes[:, column], atol=2e-4)
        assert_allclose((one.standardized - other.standardized) / 2e-4, at.standardized_slopes[:, column], atol=2e-4)


def start_cov(text: str) -> pd.DataFrame:
    names = [f"x{k}" for k in range(1, 10)] + (["age"] if "age" in text else [])
    return pd.DataFrame(np.eye(len(names)) + 0.3, index=names, columns=names)


def test_two_step_errors_are_those_of_the_derivatives_in_large_samples() -> None:
    model = read_model(CHAIN, None, {"sample_cov": start_cov(CHAIN), "sample_nobs": 400}, "sam").model
    cov = implied(model.structure, np.random.default_rng(3).uniform(0.5, 0.9, model.n_theta))[0].sigma
    frame = pd.DataFrame(cov, index=list(model.blocks[0].observed), columns=list(model.blocks[0].observed))
    found = steps(CHAIN, None, "global", sample_cov=frame, sample_nobs=100_000)
    assert_allclose(np.sqrt(np.diag(found.measured.moments.spread(found.slopes))), two_step_errors(found), rtol=1e-4)


def test_correlated_errors_join_blocks() -> None:
    found = sam(CHAIN + "\nx1 ~~ x4", holzinger())
    assert found.blocks["block"].tolist() == [1, 1, 2]
    assert "x1 ~~ x4" in [f"{row.lhs} {row.op} {row.rhs}" for row in found.measurement.itertuples()]


def test_blocks_of_the_user() -> None:
    one = sam(CHAIN, holzinger(), blocks=[["visual", "textual", "speed"]])
    assert one.blocks["block"].tolist() == [1, 1, 1]
    whole = ts.cfa("visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9", holzinger())
    loadings = whole.parameter_estimates().query("op == '=~'").set_index("rhs")["est"]
    assert_allclose(one.measurement.query("op == '=~'")["est"], loadings[one.measurement.query("op == '=~'")["rhs"]], atol=1e-6)


def test_a_model_without_latent_variables_is_fitted_as_it_is() -> None:
    text = "x4 ~ x1 + x2\nx9 ~ x4"
    found, fit = sam(text, holzinger()), ts.sem(text, holzinger())
    table = fit.parameter_estimates().set_index(["lhs", "op", "rhs"])
    for row in found.frame.query("op == '~'").itertuples(index=False):
        assert row.est == pytest.approx(table.loc[(row.lhs, row.op, row.rhs), "est"], abs=1e-7)
        assert row.se == pytest.approx(table.loc[(row.lhs, row.op, row.rhs), "se"], rel=1e-6)
    assert len(found.blocks) == 0


def test_unit_variances_are_replaced_by_indicators() -> None:
    marked, unit = sam(CHAIN, holzinger()), sam(CHAIN, holzinger(), std_lv=True)
    assert_allclose(marked.frame["est"], unit.frame["est"])
    assert "visual, textual, speed" in " ".join(unit.notes)


def test_robust_errors_and_missing_values() -> None:
    frame = holzinger()[[f"x{k}" for k in range(1, 10)]]
    plain, robust = sam(CHAIN, frame), sam(CHAIN, frame, estimator="MLR")
    assert_allclose(plain.frame["est"], robust.frame["est"], atol=1e-8)
    ratio = (robust.frame["se"] / plain.frame["se"])[robust.frame["se"] > 0]
    assert ((ratio > 0.6) & (ratio < 1.7)).all()
    holes = frame.mask(np.random.default_rng(1).uniform(size=frame.shape) < 0.1)
    found = sam(CHAIN, holes, missing="fiml")
    assert_allclose(found.frame["est"], plain.frame["est"], atol=0.25)
    assert "saturated moments" in " ".join(found.notes)
    assert_allclose(sam(CHAIN, frame, missing="fiml").frame["est"], plain.frame["est"], atol=1e-6)


def test_a_block_that_the_data_do_not_identify_is_told() -> None:
    """Zero correlations of the third item leave two loadings without a value."""
    cov = pd.DataFrame(np.eye(6), index=list("abcdeh"), columns=list("abcdeh"))
    cov.loc["d", "e"] = cov.loc["e", "d"] = cov.loc["d", "h"] = cov.loc["h", "d"] = cov.loc["e", "h"] = cov.loc["h", "e"] = 0.5
    found = sam("f =~ a + b + c\ng =~ d + e + h\ng ~ f", sample_cov=cov, sample_nobs=200)
    assert not found.converged
    assert found.frame["est"].isna().all()
    assert found.notes[0].startswith("No estimates: the measurement block of f ")
    assert str(found)


def test_it_tells_itself() -> None:
    found = sam(CHAIN, holzinger())
    assert "speed   ~  textual" in str(found)
    assert "Measurement blocks" in repr(found)
    assert "<table" in found._repr_html_()
    told = found.to_dict()
    assert len(told["blocks"]) == 3
    assert told["method"] == "local"
    assert found.latent_cov.shape == (3, 3)
    assert (found.blocks["reliability"].between(0.3, 1.0)).all()


def test_theories_of_every_form() -> None:
    survey = ts.load_dataset("survey")
    theory = ts.load_theory("metz2022")
    found = quietly(sam, theory.with_strategies("predictors"), survey, missing="fiml", cluster="team", estimator="MLR")
    assert found.converged
    assert (found.frame.query("op == '~'")["se"] > 0).all()
