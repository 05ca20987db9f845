"""How causes reach outcomes: routes, totals, tiers, contrasts, and whether everything goes through one construct."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.mechanism.bypass import bypass_pairs
from trustsem.appraisal.mechanism.mechanism import Mechanism, mechanism
from trustsem.appraisal.mechanism.routes import essential, reach_of
from trustsem.appraisal.result import Appraisal
from trustsem.errors import NotAvailableError, OptionError
from trustsem.fitting.monte_carlo import monte_carlo
from trustsem.inference import routes as formulas
from trustsem.inference.importance import importance
from trustsem.model.problem import implied
from trustsem.theory import Theory, parse_theory


def small(arrows: list[str], signs: str = "", covariances: tuple[tuple[str, str], ...] = (), items: int = 1) -> Theory:
    """Return a theory of observed constructs (or with `items` indicators each) with these arrows."""
    pairs = [tuple(arrow.split(" -> ")) for arrow in arrows]
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    graph = nx.DiGraph(pairs)
    tier = {name: 1 + max((nx.shortest_path_length(graph, a, name) for a in nx.ancestors(graph, name)), default=0) for name in names}
    lines = ['id = "small"', 'title = "Small"']
    for name in names:
        columns = [name.lower()] if items == 1 else [f"{name.lower()}{k}" for k in range(1, items + 1)]
        lines += ["[[construct]]", f'name = "{name}"', 'definition = "A thing."', f"tier = {tier[name]}", f"indicators = {columns}", 'mark = "I"']
    for k, (cause, effect) in enumerate(pairs):
        sign = signs[k] if signs else "+"
        lines += [
            "[[proposition]]",
            f'id = "P{k}"',
            f'cause = "{cause}"',
            f'effect = "{effect}"',
            f'sign = "{sign}"',
            'statement = "So."',
            'mark = "I"',
        ]
    for one, other in covariances:
        lines += ["[[covariance]]", f'left = "{one}"', f'right = "{other}"', 'mark = "I"']
    return parse_theory("\n".join(lines) + "\n")


def moments(theory: Theory, seed: int = 1, size: float = 0.4) -> tuple[np.ndarray, list[str]]:
    """Return covariances of the observed variables of a theory in random units."""
    rng = np.random.default_rng(seed)
    names = [column for node in theory.nodes for column in node.indicators]
    p = len(names)
    root = np.eye(p) + size * np.tril(rng.uniform(0.2, 1.0, (p, p)), -1)
    return root @ root.T * 1.3, names


def appraised(theory: Theory, seed: int = 1, n: int = 300, **options: Any) -> Appraisal:
    cov, names = moments(theory, seed)
    return quietly(ts.appraise, theory, sample_cov=pd.DataFrame(cov, names, names), sample_nobs=n, **options)


@cache
def survey() -> Appraisal:
    return quietly(ts.appraise, "metz2022", ts.load_dataset("survey"), estimator="MLR", missing="fiml", cluster="team")


@cache
def told() -> Mechanism:
    return mechanism(survey())


def slopes_by_differences(fit: ts.Fit, function: Callable[[Any], np.ndarray]) -> np.ndarray:
    """Return the derivatives of a function of the first implied block."""
    columns = []
    for k in range(fit.model.n_theta):
        h = 1e-5 * max(1.0, abs(fit.estimate.theta[k]))
        up, down = fit.estimate.theta.copy(), fit.estimate.theta.copy()
        up[k] += h
        down[k] -= h
        columns.append((function(implied(fit.problem.structure, up)[0]) - function(implied(fit.problem.structure, down)[0])) / (2.0 * h))
    return np.array(columns).T


DIAMOND = ["A -> M", "B -> M", "M -> X", "M -> Y", "X -> Y", "A -> B"]


def test_derivatives_are_those_of_differences() -> None:
    fit = survey().fit
    block, variables = fit.implied_blocks[0], fit.model.blocks[0].variables
    at = {name: variables.index(name) for name in ("Relational", "Trust", "Motivation", "Commitment", "Outcomes")}
    route = tuple((at[effect], at[cause]) for cause, effect in pairwise(at))
    first, last = [at["Relational"]], [at["Outcomes"]]

    def ratio(found: Any) -> np.ndarray:
        return np.sqrt(found.V[first, first] / found.V[last, last])

    value, slopes = formulas.route_products(block.A, [route]), formulas.route_slopes(fit.model, 0, block, [route])
    std = formulas.standardized_effects(fit.model, 0, block, last, first, value, slopes)
    want = slopes_by_differences(fit, lambda found: formulas.route_products(found.A, [route]) * ratio(found))
    np.testing.assert_allclose(std[0], value * ratio(block), rtol=1e-12)
    np.testing.assert_allclose(std[1], want, rtol=1e-5, atol=1e-8)
    total = formulas.total_slopes(fit.model, 0, block, last, first)
    np.testing.assert_allclose(total, slopes_by_differences(fit, lambda found: found.B[last, first]), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("seed", range(8))
def test_routes_are_those_of_networkx(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = list("ABCDEFG")
    arrows = [f"{names[i]} -> {names[j]}" for i in range(7) for j in range(i + 1, 7) if rng.uniform() < 0.4] or ["A -> B"]
    theory = small(arrows)
    graph = nx.DiGraph([tuple(arrow.split(" -> ")) for arrow in arrows])
    reach = reach_of(theory)
    assert set(reach.sources) == {name for name in graph if graph.in_degree(name) == 0}
    assert set(reach.outcomes) == {name for name in graph if graph.out_degree(name) == 0}
    want = {tuple(path) for one in reach.sources for other in reach.outcomes for path in nx.all_simple_paths(graph, one, other)}
    assert set(reach.routes) == want
    assert len(reach.routes) == len(want)
    inside = set(graph) - set(reach.sources) - set(reach.outcomes)
    cuts = {name for name in inside if all(name in path for path in want)}
    assert set(essential(theory, reach.routes)) == cuts


def test_totals_are_sums_of_routes_and_equal_those_of_the_fit() -> None:
    appraisal = survey()
    found = told()
    effects = appraisal.fit.effects(standardized=True).set_index(["effect", "rhs", "lhs"])
    for row in found.frame[found.frame["kind"] == "total"].itertuples():
        routes = found.routes.frame[(found.routes.frame["cause"] == row.cause) & (found.routes.frame["outcome"] == row.outcome)]
        assert row.std == pytest.approx(routes["std"].sum(), rel=1e-12)
        want = effects.loc["total", row.cause, row.outcome]
        assert (row.est, row.se, row.std) == pytest.approx((want["est"], want["se"], want["est_std"]), rel=1e-9)


def test_an_effect_of_one_arrow_has_the_error_of_the_standardized_solution() -> None:
    appraisal = appraised(small(["A -> B"]))
    row, claim = mechanism(appraisal).frame.iloc[0], appraisal.verdicts.iloc[0]
    assert (row["std"], row["std_se"], row["se"]) == pytest.approx((claim["std"], claim["std_se"], claim["se"]), rel=1e-10)
    assert row["verdict"] == claim["verdict"]


def test_a_tier_adds_up_to_the_total() -> None:
    found = told()
    for (cause, _, tier), part in found.tiers.frame.groupby(["cause", "outcome", "tier"]):
        total = found.frame[(found.frame["kind"] == "total") & (found.frame["cause"] == cause)]["std"].iloc[0]
        assert part["std"].sum() == pytest.approx(total, rel=1e-10), tier
        assert part["share"].sum() == pytest.approx(1.0, rel=1e-10)
    assert found.tiers.frame[found.tiers.frame["through"] == "Trust"]["share_se"].eq(0.0).all()


def test_direct_and_indirect_parts_and_what_passes_a_tier() -> None:
    found = mechanism(appraised(small(["X -> M", "M -> Y", "X -> Y"])))
    table = found.frame.set_index("kind")
    assert table.loc["direct", "est"] + table.loc["indirect", "est"] == pytest.approx(table.loc["total", "est"])
    assert table.loc["proportion mediated", "est"] == pytest.approx(table.loc["indirect", "est"] / table.loc["total", "est"])
    assert table.loc["proportion mediated", "std"] == pytest.approx(table.loc["proportion mediated", "est"])
    assert table.loc["proportion mediated", "se"] > 0.0
    assert list(found.tiers.frame["through"]) == ["M", "(past it)"]
    assert found.bypass is None
    assert any("No construct lies on every route" in note for note in found.notes)


def test_sobel_s_formula() -> None:
    """Of a chain of observed variables: the variance is b1^2 v2 + b2^2 v1."""
    appraisal = appraised(small(["X -> M", "M -> Y"]))
    claims = appraisal.verdicts
    (a, b), (va, vb) = claims["est"], claims["se"] ** 2
    row = mechanism(appraisal).routes.frame.iloc[0]
    assert row["est"] == pytest.approx(a * b)
    assert row["se"] == pytest.approx(np.sqrt(a * a * vb + b * b * va), rel=1e-8)
    assert row["p_joint"] == pytest.approx(max(2.0 * (1.0 - _phi(abs(c["std"] / c["std_se"]))) for c in claims.to_dict("records")), abs=1e-12)


def _phi(z: float) -> float:
    from scipy.stats import norm

    return float(norm.cdf(z))


def test_signs_of_routes_multiply_and_opposite_routes_state_none() -> None:
    found = mechanism(appraised(small(["A -> B", "B -> C", "A -> C"], signs="--+")))
    assert list(found.routes.frame["sign"]) == ["+", "+"]
    found = mechanism(appraised(small(["A -> B", "B -> C", "A -> C"], signs="-++")))
    assert sorted(found.routes.frame["sign"]) == ["+", "-"]
    assert found.frame["verdict"].iloc[0] == "no direction stated"
    assert "contradicted" in set(found.routes.frame["verdict"])


def test_drawn_intervals_are_percentiles_of_the_same_draws() -> None:
    appraisal = survey()
    found = mechanism(appraisal, interval="monte_carlo", draws=400, seed=3).frame.iloc[0]
    draws = monte_carlo(appraisal.fit, 400, seed=3)
    table = draws.effects(standardized=True)
    want = table[(table["effect"] == "total") & (table["lhs"] == "Outcomes") & (table["rhs"] == "Relational")].iloc[0]
    assert (found["ci_lower"], found["ci_upper"]) == pytest.approx((want["ci_lower"], want["ci_upper"]), rel=1e-9)
    assert 0.0 < found["mc_lower"] < found["std_se"]


def test_the_bootstrap_does_not_depend_on_who_draws() -> None:
    appraisal = survey()
    tables = [mechanism(appraisal, interval="bootstrap", draws=12, seed=5, executor=who, progress=False) for who in ("serial", "threads")]
    assert tables[0].frame.equals(tables[1].frame)
    assert tables[0].routes.frame.equals(tables[1].routes.frame)
    assert "whole clusters" in tables[0].notes[0]


# Through one construct only


def test_arrows_past_a_construct() -> None:
    theory = small(["A -> B", "B -> M", "A -> C", "C -> M", "M -> X", "X -> Y"], covariances=(("B", "Y"),))
    assert bypass_pairs(theory, "M") == (("A", "X"), ("A", "Y"), ("B", "X"), ("C", "X"), ("C", "Y"))


def test_what_goes_past_is_what_total_and_route_differ_by() -> None:
    found = told().bypass
    assert found is not None
    assert found.fit is not None
    effects = found.fit.effects(standardized=True).set_index(["effect", "rhs", "lhs"])["est_std"]
    for row in found.effects.itertuples():
        total = effects["total", row.cause, row.outcome]
        via = effects["total", row.cause, "Trust"] * effects["total", "Trust", row.outcome]
        assert (row.total, row.via, row.past, row.share) == pytest.approx((total, via, total - via, via / total), rel=1e-9)
        assert row.share_se > 0.0
    assert found.verdict == "cannot tell"
    assert set(found.frame["verdict"]) <= {"acts past it", "acts past it, but small", "negligible", "cannot tell"}


@pytest.mark.parametrize(
    ("past", "n", "verdict"), [(0.0, 150, "cannot tell"), (0.0, 20_000, "holds"), (0.3, 400, "violated"), (0.05, 20_000, "violated, but small")]
)
def test_each_verdict_on_one_construct_is_reached(past: float, n: int, verdict: str) -> None:
    A = np.array([[0, 0, 0], [0.5, 0, 0], [past, 0.4, 0]])
    B = np.linalg.inv(np.eye(3) - A)
    cov = pd.DataFrame(B @ B.T, list("xmy"), list("xmy"))
    appraisal = quietly(ts.appraise, small(["X -> M", "M -> Y"]), sample_cov=cov, sample_nobs=n)
    found = mechanism(appraisal).bypass
    assert found is not None
    assert found.verdict == verdict
    assert found.through == "M"
    assert found.frame["std"].iloc[0] == pytest.approx(past * B[0, 0] / np.sqrt(cov.loc["y", "y"]), abs=1e-7)


def test_a_restriction_that_cannot_be_tested_says_why() -> None:
    theory = small(["X -> M", "M -> Y"], covariances=(("X", "Y"),))
    appraisal = appraised(theory)
    found = mechanism(appraisal).bypass
    assert found is not None
    assert found.verdict == "no verdict"
    assert "residuals are free to covary" in found.notes[0]
    assert len(found.frame) == 0


def test_without_a_test_statistic_arrows_judge() -> None:
    found = mechanism(appraised(small(["X -> M", "M -> Y"]), test="none")).bypass
    assert found is not None
    assert np.isnan(found.test.statistic)
    assert any("no test statistic" in note for note in found.notes)


# Contrasts


def test_a_contrast_is_the_difference_of_two_effects() -> None:
    appraisal = survey()
    found = told().contrasts.frame
    assert list(found["on"]) == ["Trust", "Outcomes"]
    std = appraisal.fit.standardized_solution().set_index(["lhs", "op", "rhs"])["est_std"]
    assert found["std"].iloc[0] == pytest.approx(std["Trust", "~", "Relational"] - std["Trust", "~", "Technical"], rel=1e-10)
    free = quietly(
        ts.sem,
        appraisal.theory.syntax().replace("Trust ~ Relational + Technical", "Trust ~ a*Relational + b*Technical\nd := a - b"),
        ts.load_dataset("survey"),
        estimator="MLR",
        missing="fiml",
        cluster="team",
    )
    want = free.parameter_estimates().set_index("lhs").loc["d"]
    assert (found["est"].iloc[0], found["se"].iloc[0]) == pytest.approx((want["est"], want["se"]), rel=1e-5)


def test_many_causes_are_compared_on_request_only() -> None:
    theory = small(["A -> M", "B -> M", "C -> M", "D -> M", "M -> Y"])
    appraisal = appraised(theory)
    found = mechanism(appraisal)
    assert len(found.contrasts.frame) == 0
    assert "contrast=" in found.contrasts.notes[0]
    found = mechanism(appraisal, contrast=["A", "D"])
    assert found.contrasts.frame[["first", "second", "on"]].to_numpy().tolist() == [["A", "D", "M"], ["A", "D", "Y"]]


# Other theories, samples and fits


@pytest.mark.parametrize("form", ["composites", "predictors"])
def test_other_forms_of_the_strategies(form: str) -> None:
    theory = ts.load_theory("metz2022").with_strategies(form)
    data = ts.load_dataset("survey")
    data = theory.composites(data, minimum=1) if form == "composites" else data
    found = mechanism(quietly(ts.appraise, theory, data))
    assert len(found.routes.frame) == (12 if form == "composites" else 54)
    assert np.isfinite(found.frame[found.frame["kind"] == "total"]["std_se"].to_numpy(float)).all()
    assert found.bypass is not None
    assert found.bypass.through == "Trust"
    assert found.bypass.test.df == (12 if form == "composites" else 54)


def test_two_latent_constructs() -> None:
    found = mechanism(appraised(small(["A -> B"], items=3)))
    assert list(found.frame["kind"]) == ["total", "direct"]
    assert found.bypass is None
    assert len(found.tiers.frame) == 0
    assert str(found)


def test_a_theory_without_arrows() -> None:
    theory = ts.load_theory("metz2022").with_indicators({"Relational": "r", "Technical": "t"})
    cov = pd.DataFrame([[1.0, 0.5], [0.5, 1.0]], ["r", "t"], ["r", "t"])
    fit = quietly(ts.sem, "r ~~ t", sample_cov=cov, sample_nobs=100)
    found = mechanism(replace(survey(), theory=theory, fit=fit, claims=(), sesoi=()))
    assert len(found.frame) == 0
    assert "no routes" in found.heading
    assert json.loads(json.dumps(found.to_dict()))["rows"] == []
    assert "no two causes" in str(mechanism(appraised(small(["A -> B"]))))


def test_complete_rows_by_maximum_likelihood() -> None:
    data = ts.load_dataset("survey").dropna()
    found = mechanism(quietly(ts.appraise, "metz2022", data, estimator="ML"))
    assert found.bypass is not None
    assert "Chi-square difference test of" in " ".join(found.bypass.notes)


def test_several_groups_and_levels_are_refused() -> None:
    theory = small(["X1 -> X4", "X4 -> X7"])
    data = ts.load_dataset("holzinger_swineford")
    groups = quietly(ts.sem, "x4 ~ x1\nx7 ~ x4", data, group="school")
    appraisal = replace(appraised(theory), fit=groups, withheld="there are several groups.")
    with pytest.raises(NotAvailableError, match="one group at a time"):
        mechanism(appraisal)
    rows = ts.load_dataset("survey")
    levels = quietly(ts.sem, "level: 1\nt1 ~ c1\nlevel: 2\nt1 ~ c1", rows.dropna(), cluster="team")
    with pytest.raises(NotAvailableError, match="two-level model"):
        mechanism(replace(appraisal, fit=levels))


@pytest.mark.parametrize("interval", ["delta", "bootstrap"])
def test_no_verdict_where_the_appraisal_has_none(interval: str) -> None:
    appraisal = replace(survey(), withheld="the solution is inadmissible: a reason.")
    found = mechanism(appraisal, **({} if interval == "delta" else {"interval": interval, "seed": 1}))
    assert found.notes[0] == "No verdicts: the solution is inadmissible: a reason."
    assert set(found.routes.frame["verdict"]) == {"no verdict"}
    assert set(found.frame[found.frame["kind"] == "total"]["verdict"]) == {"no verdict"}
    assert set(found.contrasts.frame["verdict"]) == {"no verdict"}
    assert found.bypass is not None
    assert found.bypass.verdict == "no verdict"
    assert found.bypass.fit is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_fit_without_standard_errors_gets_none() -> None:
    appraisal = appraised(small(["X -> M", "M -> Y"]), se="none")
    found = mechanism(appraisal)
    assert "no standard errors" in found.notes[0]
    assert found.routes.frame["est"].notna().all()
    assert found.routes.frame["se"].isna().all()


def test_it_tells_itself() -> None:
    found = told()
    text, page = str(found), found._repr_html_()
    for words in ("Along each route", "Through each construct", "through Trust only", "Contrasts of causes", "by construction, not by finding"):
        assert words in text
        assert words in page
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert set(values) == {"heading", "rows", "notes", "routes", "tiers", "contrasts", "bypass"}
    assert values["bypass"]["test"]["df"] == 12


def test_a_construct_that_is_not_on_every_route_is_refused() -> None:
    with pytest.raises(OptionError, match=r"through='Motivation' is not on every route.*Capability.*on every route: Trust"):
        mechanism(survey(), through="Motivation")


# Shares of explained variance


def test_lmg_is_the_average_over_orders() -> None:
    from itertools import permutations

    import statsmodels.api as sm

    rng = np.random.default_rng(4)
    X = rng.standard_normal((80, 4)) @ (np.eye(4) + 0.5 * rng.standard_normal((4, 4)))
    y = X @ [0.5, -0.2, 0.1, 0.3] + rng.standard_normal(80)
    found = importance(np.cov(np.column_stack([X, y]).T))
    square = {(): 0.0}
    for order in permutations(range(4)):
        for k in range(1, 5):
            inside = tuple(sorted(order[:k]))
            if inside not in square:
                square[inside] = sm.OLS(y, sm.add_constant(X[:, list(inside)])).fit().rsquared
    want = np.zeros(4)
    for order in permutations(range(4)):
        for k in range(4):
            want[order[k]] += (square[tuple(sorted(order[: k + 1]))] - square[tuple(sorted(order[:k]))]) / 24.0
    np.testing.assert_allclose(found.lmg, want, rtol=1e-10)
    assert found.lmg.sum() == pytest.approx(found.rsquare)
    assert found.weights.sum() == pytest.approx(found.rsquare)
    whole = sm.OLS(y, sm.add_constant(pd.DataFrame(X))).fit()
    assert found.rsquare == pytest.approx(whole.rsquared)
    # What R squared loses without a predictor: t^2 (1 - R^2) / df.
    np.testing.assert_allclose(found.loss, whole.tvalues.to_numpy()[1:] ** 2 * (1.0 - whole.rsquared) / whole.df_resid, rtol=1e-9)
