"""The two-level likelihood equals that of each cluster's big joint normal, spelled out; its derivatives are exact; lavaan finds the same maxima."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers import DATA, complex_step, reference_moments
from trustsem.data.two_level import TwoLevelData, cluster_moments, joint_order, sort_clusters
from trustsem.data.two_level_saturated import independent_levels, saturated_levels
from trustsem.kernels.scoring import CONVERGED, STATUS, VALUE, X, advance, new_search
from trustsem.kernels.two_level import evaluate_two_level
from trustsem.kernels.two_level_rows import clusters_scores, evaluate_clusters
from trustsem.model.ram import compile_model
from trustsem.model.two_level import TwoLevelLikelihood
from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for

NOTHING, NO_MATRIX = np.empty(0), np.empty((0, 0))
LAVAAN = DATA.parent / "two_level"

# Level 1 and level 2. Variables y are of both levels, x of level 1 only, w of level 2 only.
MODELS = {
    "factors": ("f =~ y1 + a*y2 + y3 + y4\nf ~ x1 + x2\nx1 ~~ x2", "g =~ y1 + a*y2 + y3 + y4\ng ~ w1\nw2 ~ g"),
    "no_own_variables": ("f =~ y1 + y2 + y3\ny1 ~ 0*1\ny2 ~ 0*1\ny3 ~ 0*1", "y1 ~~ y2 + y3\ny2 ~~ y3"),
    "regression": ("y1 ~ x1", "y1 ~ w1"),
    "feedback": ("y1 ~ y2 + x1\ny2 ~ y1 + x2", "y1 ~ y2 + w1\ny2 ~ y1 + w2"),
    "one_variable": ("y1 ~~ v*y1\ny1 ~ 0*1", "y1 ~~ y1"),
    "other_order": ("y3 ~ y1 + x1\ny3 ~~ y3", "w1 ~ y3\ny1 ~ w1 + w2"),
}
COLUMNS = ("y1", "y2", "y3", "y4", "x1", "x2", "w1", "w2")


def model_of(name):
    first, second = MODELS[name]
    defaults = replace(defaults_for("sem"), meanstructure=True, fixed_x=False)
    return compile_model(build_table(f"group: 1\n{first}\ngroup: 2\n{second}", defaults, n_groups=2))


def columns_of(model, names):
    return [[names.index(name) for name in block.observed] for block in model.blocks]


def random_rows(rng, *, clusters=25, missing=0.0, sizes=(1, 6)):
    """Return shuffled rows and their clusters, w constant within clusters."""
    size = rng.integers(sizes[0], sizes[1] + 1, clusters)
    codes = np.repeat(np.arange(clusters), size)
    v = len(COLUMNS)
    shared = rng.standard_normal((clusters, v)) @ (rng.standard_normal((v, v)) * 0.4 + np.eye(v))
    own = rng.standard_normal((codes.size, v)) @ (rng.standard_normal((v, v)) * 0.4 + np.eye(v))
    rows = 0.7 * shared[codes] + own + np.arange(v)
    rows[:, 4:6] = own[:, 4:6] + 2.0
    rows[:, 6:] = shared[codes][:, 6:]
    holes = rng.random(rows.shape) < missing
    holes[:, 6:] = (rng.random((clusters, 2)) < missing)[codes]
    rows[holes] = np.nan
    shuffle = rng.permutation(codes.size)
    return rows[shuffle], codes[shuffle]


def random_theta(model, rng):
    theta = np.empty(model.n_theta)
    for k in model.free_rows:
        row = model.table.rows[k]
        positive = row.op == "=~" or (row.op == "~~" and row.lhs == row.rhs)
        theta[model.theta_of_row[k]] = rng.uniform(0.7, 1.2) if positive else rng.uniform(-0.4, 0.4)
    return theta


def setting(name, *, missing=0.0, seed=4, **options):
    rng = np.random.default_rng(seed)
    model = model_of(name)
    rows, codes = random_rows(rng, missing=missing, **options)
    return model, rows, codes, columns_of(model, COLUMNS), random_theta(model, rng)


# ---- the spelled-out reference --------------------------------------------------------------------------------------------------------


def joint_normals(model, rows, codes, columns, theta):
    """Yield each cluster's observed values, their means and their covariances; `theta` may be complex."""
    within, between = columns
    own = [column for column in between if column not in within]
    order = own + within
    place, z = [order.index(column) for column in between], len(own)
    stub = SimpleNamespace(model=model, blocks=(None, None))
    (Sw, mw), (Sb_own, mb) = (reference_moments(stub, level, theta) for level in (0, 1))
    Sb, mean = np.zeros((len(order), len(order)), theta.dtype), np.zeros(len(order), theta.dtype)
    Sb[np.ix_(place, place)] = Sb_own
    mean[place] += mb
    mean[z:] += mw
    for cluster in range(codes.max() + 1):
        people = rows[codes == cluster]
        n = len(people)
        covariances = np.block(
            [
                [Sb[:z, :z], np.kron(np.ones((1, n)), Sb[:z, z:])],
                [np.kron(np.ones((n, 1)), Sb[z:, :z]), np.kron(np.ones((n, n)), Sb[z:, z:]) + np.kron(np.eye(n), Sw)],
            ]
        )
        values = np.concatenate([people[0, own], people[:, within].ravel()])
        seen = ~np.isnan(values)
        yield values[seen], np.concatenate([mean[:z], np.tile(mean[z:], n)])[seen], covariances[np.ix_(seen, seen)]


def reference_parts(*problem):
    parts = []
    for values, mean, covariances in joint_normals(*problem):
        gap = values - mean
        parts.append(np.log(np.linalg.det(covariances)) + gap @ np.linalg.solve(covariances, gap) if gap.size else 0.0)
    return np.array(parts)


def reference_value(*problem):
    return reference_parts(*problem).sum()


def reference_expected(model, rows, codes, columns, theta):
    total = np.zeros((theta.size, theta.size))
    pieces = list(joint_normals(model, rows, codes, columns, theta))
    slopes = [
        complex_step(lambda point, j=j, what=what: list(joint_normals(model, rows, codes, columns, point))[j][what], theta)
        for what in (1, 2)
        for j in range(len(pieces))
    ]
    for j, (_, _, covariances) in enumerate(pieces):
        weight = np.linalg.inv(covariances)
        mean_slope, cov_slope = slopes[j], slopes[len(pieces) + j]
        turned = np.einsum("ab,bck->ack", weight, cov_slope)
        total += np.einsum("abk,bal->kl", turned, turned) + 2.0 * mean_slope.T @ weight @ mean_slope
    return total


def evaluate(kernel, model, data, theta, share=1.0):
    gradient, hessian = np.zeros(theta.size), np.zeros((theta.size, theta.size))
    return kernel(model.structure, 0, data, share, theta, gradient, hessian), gradient, hessian


def likelihood_of(rows, codes, columns):
    return TwoLevelLikelihood((TwoLevelData(rows, codes, tuple(columns[0]), tuple(columns[1])),), np.array([float(len(rows)), 0.0]))


def gradient_of(model, data, theta):
    return evaluate(evaluate_clusters, model, data, theta)[1]


# ---- complete data --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_complete_data_equal_the_reference(name):
    problem = setting(name)
    model, rows, codes, columns, theta = problem
    value, gradient, hessian = evaluate(evaluate_two_level, model, cluster_moments(rows, codes, *columns), theta)
    assert value == pytest.approx(reference_value(*problem), rel=1e-12)
    wanted = complex_step(lambda point: reference_value(*problem[:4], point), theta)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-9, atol=1e-9 * abs(value))
    expected = reference_expected(*problem)
    np.testing.assert_allclose(hessian, expected, rtol=1e-9, atol=1e-11 * np.abs(expected).max())
    np.testing.assert_array_equal(hessian, hessian.T)


@pytest.mark.parametrize("name", MODELS)
def test_complete_rows_equal_their_moments(name):
    model, rows, codes, columns, theta = setting(name, seed=9)
    moments = evaluate(evaluate_two_level, model, cluster_moments(rows, codes, *columns), theta)
    direct = evaluate(evaluate_clusters, model, sort_clusters(rows, codes, *columns), theta)
    for got, wanted in zip(direct, moments, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-10 * np.abs(wanted).max())


# ---- missing values -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [0.0, 0.15, 0.5])
@pytest.mark.parametrize("name", MODELS)
def test_missing_values_equal_the_reference(name, missing):
    problem = setting(name, missing=missing)
    model, rows, codes, columns, theta = problem
    data = sort_clusters(rows, codes, *columns)
    value, gradient, _ = evaluate(evaluate_clusters, model, data, theta)
    assert value == pytest.approx(reference_value(*problem), rel=1e-12)
    wanted = complex_step(lambda point: reference_parts(*problem[:4], point), theta)
    scores = clusters_scores(model.structure, 0, data, theta)
    np.testing.assert_allclose(scores, -0.5 * wanted, rtol=1e-8, atol=1e-9 * np.abs(wanted).max())
    np.testing.assert_allclose(gradient, wanted.sum(axis=0), rtol=1e-8, atol=1e-9 * abs(value))


@pytest.mark.parametrize("missing", [0.0, 0.15, 0.5])
@pytest.mark.parametrize("name", MODELS)
def test_hessians_are_exact(name, missing):
    problem = setting(name, missing=missing, clusters=12)
    model, rows, codes, columns, theta = problem
    likelihood, data = likelihood_of(rows, codes, columns), sort_clusters(rows, codes, *columns)
    expected = reference_expected(*problem)
    size = np.abs(expected).max()
    np.testing.assert_allclose(likelihood.expected(model.structure, theta), expected, rtol=1e-9, atol=1e-11 * size)
    observed = likelihood.hessian(model.structure, theta)
    step = 1e-4
    for k in range(theta.size):
        shift = step * np.eye(theta.size)[k]
        near, far = (gradient_of(model, data, theta + factor * shift) - gradient_of(model, data, theta - factor * shift) for factor in (1, 2))
        wanted = (8.0 * near - far) / (12.0 * step)
        np.testing.assert_allclose(observed[k], wanted, rtol=1e-6, atol=1e-9 * np.abs(observed).max())
    np.testing.assert_allclose(observed, observed.T, rtol=1e-12, atol=1e-12 * size)


@pytest.mark.parametrize(("missing", "low", "high"), [(0.0, 0.9999, 1.0001), (0.1, 0.9, 1.15), (0.4, 0.7, 1.6)])
def test_the_hessian_of_the_search_is_near_the_expected_one(missing, low, high):
    model, rows, codes, columns, theta = setting("no_own_variables", missing=missing, clusters=60)
    data = sort_clusters(rows, codes, *columns)
    _, _, hessian = evaluate(evaluate_clusters, model, data, theta)
    ratios = np.linalg.eigvals(np.linalg.solve(likelihood_of(rows, codes, columns).expected(model.structure, theta), hessian)).real
    assert low < ratios.min()
    assert ratios.max() < high


def test_clusters_without_people_or_without_own_values_count_for_what_they_have():
    model, rows, codes, columns, theta = setting("factors", missing=0.1)
    rows[codes == 3, :6] = np.nan  # only w is known
    rows[codes == 4, 6:] = np.nan  # no w
    rows[codes == 5] = np.nan  # nothing
    rows[codes == 6, 0] = np.nan  # nobody has y1
    problem = (model, rows, codes, columns)
    data = sort_clusters(rows, codes, *columns)
    wanted = complex_step(lambda point: reference_parts(*problem, point), theta)
    scores = clusters_scores(model.structure, 0, data, theta)
    np.testing.assert_allclose(scores, -0.5 * wanted, rtol=1e-8, atol=1e-9 * np.abs(wanted).max())
    np.testing.assert_array_equal(scores[5], 0.0)
    assert evaluate(evaluate_clusters, model, data, theta)[0] == pytest.approx(reference_value(*problem, theta), rel=1e-12)
    np.testing.assert_allclose(
        likelihood_of(rows, codes, columns).expected(model.structure, theta), reference_expected(*problem, theta), rtol=1e-8, atol=1e-8
    )


# ---- borders --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variance", [0.0, -0.02])
def test_level_2_may_have_no_variance_or_a_small_negative_one(variance):
    problem = setting("one_variable", missing=0.1, clusters=8)
    model, rows, codes, columns, theta = problem
    theta[next(int(model.theta_of_row[k]) for k in model.free_rows if model.table.rows[k].block == 2 and model.table.rows[k].op == "~~")] = variance
    data = sort_clusters(rows, codes, *columns)
    value, gradient, _ = evaluate(evaluate_clusters, model, data, theta)
    assert value == pytest.approx(reference_value(*problem), rel=1e-12)
    np.testing.assert_allclose(gradient, complex_step(lambda point: reference_value(*problem[:4], point), theta), rtol=1e-9)


@pytest.mark.parametrize(("level", "variance"), [(1, -0.5), (1, np.nan), (1, np.inf), (2, -2.0), (2, np.nan)])
def test_undefined_points_are_infinite_not_an_exception(level, variance):
    model, rows, codes, columns, theta = setting("one_variable")
    place = next(int(model.theta_of_row[k]) for k in model.free_rows if model.table.rows[k].block == level and model.table.rows[k].op == "~~")
    theta[place] = variance
    data = sort_clusters(rows, codes, *columns)
    assert evaluate(evaluate_two_level, model, cluster_moments(rows, codes, *columns), theta)[0] == np.inf
    assert evaluate(evaluate_clusters, model, data, theta)[0] == np.inf
    assert np.isnan(clusters_scores(model.structure, 0, data, theta)).all()
    assert np.isnan(likelihood_of(rows, codes, columns).expected(model.structure, theta)).all()


def test_own_variables_without_variance_are_undefined():
    model, rows, codes, columns, theta = setting("regression")
    place = next(int(model.theta_of_row[k]) for k in model.free_rows if model.table.rows[k].name == "w1~~w1")
    theta[place] = -1.0
    assert evaluate(evaluate_two_level, model, cluster_moments(rows, codes, *columns), theta)[0] == np.inf
    assert evaluate(evaluate_clusters, model, sort_clusters(rows, codes, *columns), theta)[0] == np.inf


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_derivatives_are_added_with_their_share_and_only_where_they_are_wanted(missing):
    model, rows, codes, columns, theta = setting("regression", missing=missing)
    data = sort_clusters(rows, codes, *columns) if missing else cluster_moments(rows, codes, *columns)
    kernel = evaluate_clusters if missing else evaluate_two_level
    value, gradient, hessian = evaluate(kernel, model, data, theta)
    again, matrix = np.full(theta.size, 3.0), np.full((theta.size, theta.size), 5.0)
    assert kernel(model.structure, 0, data, 0.25, theta, again, NO_MATRIX) == pytest.approx(0.25 * value, rel=1e-14)
    np.testing.assert_allclose(again, 3.0 + 0.25 * gradient, rtol=1e-13)
    assert kernel(model.structure, 0, data, 0.25, theta, NOTHING, matrix) == pytest.approx(0.25 * value, rel=1e-14)
    np.testing.assert_allclose(matrix, 5.0 + 0.25 * hessian, rtol=1e-13)
    assert kernel(model.structure, 0, data, 1.0, theta, NOTHING, NO_MATRIX) == value


def test_joint_order_puts_the_clusters_own_variables_first():
    order, place = joint_order([4, 0, 2], [0, 7, 2, 6])
    assert order.tolist() == [7, 6, 4, 0, 2]
    assert place.tolist() == [3, 0, 4, 1]


# ---- two groups -----------------------------------------------------------------------------------------------------------------------


def test_groups_add_up_and_share_parameters():
    first, second = MODELS["regression"]
    defaults = replace(defaults_for("sem"), meanstructure=True, fixed_x=False)
    text = "\n".join(f"group: {k + 1}\n{level}" for k, level in enumerate([first, second, first.replace("x1", "s*x1"), second.replace("w1", "s*w1")]))
    model = compile_model(build_table(text, defaults, n_groups=4))
    rng = np.random.default_rng(2)
    theta = random_theta(model, rng)
    columns = columns_of(model, COLUMNS)
    groups = []
    for g in range(2):
        rows, codes = random_rows(rng, missing=0.1, clusters=60)
        groups.append(TwoLevelData(rows, codes, tuple(columns[2 * g]), tuple(columns[2 * g + 1])))
    likelihood = TwoLevelLikelihood(tuple(groups), np.array([0.4, 0.0, 0.6, 0.0]))
    parts = [likelihood.value(model.structure, theta, share) for share in np.eye(4)]
    assert parts[1] == parts[3] == 0.0
    assert likelihood.value(model.structure, theta) == pytest.approx(0.4 * parts[0] + 0.6 * parts[2], rel=1e-13)
    _, gradient = likelihood.slope(model.structure, theta)
    scores = likelihood.scores(model.structure, theta)
    wanted = -2.0 * sum(share * score.sum(axis=0) / len(group.values) for share, score, group in zip((0.4, 0.6), scores, groups, strict=True))
    np.testing.assert_allclose(gradient, wanted, rtol=1e-10)
    step = 1e-5 * np.eye(theta.size)
    numeric = np.array([(likelihood.slope(model.structure, theta + s)[1] - likelihood.slope(model.structure, theta - s)[1]) / 2e-5 for s in step])
    np.testing.assert_allclose(likelihood.hessian(model.structure, theta), numeric, rtol=1e-6, atol=1e-8)


# ---- lavaan ---------------------------------------------------------------------------------------------------------------------------

DEMO = {
    "factors": ("fw =~ y1 + y2 + y3\ngw =~ y4 + y5 + y6", "fb =~ y1 + y2 + y3\ngb =~ y4 + y5 + y6"),
    "covariates": ("fw =~ y1 + y2 + y3\nfw ~ x1 + x2 + x3\nx1 ~~ x2 + x3\nx2 ~~ x3", "fb =~ y1 + y2 + y3\nfb ~ w1 + w2\nw1 ~~ w2"),
}
DEMO["holes"] = DEMO["factors"]


def demo(name):
    """Return model, data, rows with clusters and columns, the constant by which lavaan's deviance differs (no covariates), and the frame."""
    first, second = DEMO[name]
    zero = "".join(f"\n{y} ~ 0*1" for y in ("y1", "y2", "y3", "y4", "y5", "y6") if y in first)
    defaults = replace(defaults_for("sem"), meanstructure=True, fixed_x=False)
    model = compile_model(build_table(f"group: 1\n{first}{zero}\ngroup: 2\n{second}", defaults, n_groups=2))
    frame = pd.read_csv(LAVAAN / ("demo_holes.csv" if name == "holes" else "demo.csv"))
    codes, rows = pd.factorize(frame["cluster"])[0].astype(np.int64), frame.to_numpy(dtype=float)
    columns = columns_of(model, list(frame.columns))
    constant = np.log(2.0 * np.pi) * (~np.isnan(rows[:, columns[0]])).sum()
    if name == "covariates":
        constant += np.log(2.0 * np.pi) * 2 * 200
        for values in (frame[["x1", "x2", "x3"]], frame.groupby("cluster")[["w1", "w2"]].first()):
            n, p = values.shape
            constant -= n * (np.linalg.slogdet(np.cov(values.T, bias=True))[1] + p * (1.0 + np.log(2.0 * np.pi)))
    data = sort_clusters(rows, codes, *columns) if name == "holes" else cluster_moments(rows, codes, *columns)
    return model, data, (rows, codes, columns), constant, frame


def fitted(model, data, frame):
    theta = np.empty(model.n_theta)
    for k in model.free_rows:
        row = model.table.rows[k]
        if row.op == "~~" and row.lhs == row.rhs:
            theta[model.theta_of_row[k]] = 0.4 * frame[row.lhs].var() if row.lhs in frame else 0.4
        else:
            theta[model.theta_of_row[k]] = 1.0 if row.op == "=~" else 0.0
    bound = np.full(theta.size, np.inf)
    search = new_search(theta, NO_MATRIX, NOTHING, False, -bound, bound, theta.size, 200, 1e-15)
    kernel = evaluate_clusters if hasattr(data, "rows") else evaluate_two_level
    running = True
    while running:
        search.gradient[:], search.hessian[:] = 0.0, 0.0
        running = advance(search, kernel(model.structure, 0, data, 1.0 / len(frame), search.theta, search.gradient, search.hessian))
    assert search.counts[STATUS] == CONVERGED
    return search.points[X], search.numbers[VALUE] * len(frame)


@pytest.mark.parametrize("name", DEMO)
def test_lavaan_finds_the_same_maximum(name):
    model, data, rows, constant, frame = demo(name)
    theta, deviance = fitted(model, data, frame)
    lavaan = json.loads((LAVAAN / "expected.json").read_text())[name]
    assert -0.5 * (deviance + constant) == pytest.approx(lavaan["logl"], rel=1e-9)
    assert -0.5 * (deviance + constant) >= lavaan["logl"]
    likelihood = likelihood_of(*rows)
    vcov = np.linalg.inv(0.5 * likelihood.hessian(model.structure, theta))
    (scores,) = likelihood.scores(model.structure, theta)
    errors, robust = (np.sqrt(np.diag(matrix)) for matrix in (vcov, vcov @ scores.T @ scores @ vcov))
    place = {(row.lhs, row.op, row.rhs, row.block): int(model.theta_of_row[k]) for k, row in enumerate(model.table.rows)}
    order = [place[key] for key in zip(lavaan["lhs"], lavaan["op"], lavaan["rhs"], lavaan["level"], strict=True)]
    # lavaan stops before the last digits: its estimates are a thousandth of a standard error off.
    np.testing.assert_allclose(theta[order], lavaan["est"], atol=2e-3 * np.array(lavaan["se"]).max(), rtol=0)
    np.testing.assert_allclose(errors[order], lavaan["se"], rtol=2e-3)
    if lavaan["robust_se"] is not None:
        np.testing.assert_allclose(robust[order], lavaan["robust_se"], rtol=2e-3)


@pytest.mark.parametrize("name", DEMO)
def test_saturated_and_independence_model(name):
    model, data, _, constant, _ = demo(name)
    saturated = saturated_levels(data)
    exogenous = [[variable[0] in "xw" for variable in block.observed] for block in model.blocks]
    baseline = independent_levels(data, (exogenous[0], exogenous[1]))
    lavaan = json.loads((LAVAAN / "expected.json").read_text())[name]
    assert saturated.converged
    assert baseline.converged
    logl = -0.5 * (saturated.deviance + constant)
    # lavaan's saturated model is found by EM, which stops early: below the maximum, and by less than 0.005.
    assert lavaan["saturated"] - 1e-6 < logl < lavaan["saturated"] + 5e-3
    baseline_logl = lavaan["saturated"] - 0.5 * lavaan["baseline_chisq"]
    assert -0.5 * (baseline.deviance + constant) == pytest.approx(baseline_logl, rel=1e-8)


# ---- the saturated model --------------------------------------------------------------------------------------------------------------


def saturated_slopes(data, found):
    """Return the slopes of the deviance by (Sw, Sb) at the saturated estimates, from moved deviances."""
    p1, p2 = len(found.within), len(found.between)
    text = [
        "\n".join(f"v{i} ~~ v{j}" for i in range(p) for j in range(i + 1)) + "".join(f"\nv{i} ~ {'0*' * (level == 0)}1" for i in range(p))
        for level, p in enumerate((p1, p2))
    ]
    defaults = replace(defaults_for("sem"), meanstructure=True, fixed_x=False)
    model = compile_model(build_table(f"group: 1\n{text[0]}\ngroup: 2\n{text[1]}", defaults, n_groups=2))
    theta = np.empty(model.n_theta)
    for k in model.free_rows:
        row, cell = model.table.rows[k], model.cells[k]
        cov, mean = (found.within, found.within_mean) if row.block == 1 else (found.between, found.between_mean)
        theta[model.theta_of_row[k]] = cov[cell.row, cell.column] if row.op == "~~" else mean[cell.row]
    kernel = evaluate_clusters if hasattr(data, "rows") else evaluate_two_level
    value, gradient, _ = evaluate(kernel, model, data, theta)
    slopes = [np.zeros((p1, p1)), np.zeros((p2, p2))]
    means = []
    for k in model.free_rows:
        row, cell = model.table.rows[k], model.cells[k]
        if row.op == "~~":
            half = 1.0 if cell.row == cell.column else 0.5
            slopes[row.block - 1][cell.row, cell.column] = slopes[row.block - 1][cell.column, cell.row] = half * gradient[model.theta_of_row[k]]
        else:
            means.append(gradient[model.theta_of_row[k]])
    return value, slopes, np.array(means)


def y_data(rng, *, missing, shrink):
    frame = pd.read_csv(LAVAAN / "demo.csv")
    y = frame[[f"y{k}" for k in range(1, 7)]].to_numpy()
    codes = pd.factorize(frame["cluster"])[0].astype(np.int64)
    means = np.stack([np.bincount(codes, column) for column in y.T], axis=1) / np.bincount(codes)[:, None]
    y = y - means[codes] * np.array(shrink)
    if missing:
        y[rng.random(y.shape) < missing] = np.nan
    reduce = sort_clusters if missing else cluster_moments
    return reduce(y, codes, range(6), range(6))


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("shrink", [(0,) * 6, (0.7,) * 3 + (0,) * 3, (0.6,) * 6])
def test_saturated_estimates_are_optimal_among_semidefinite_matrices(missing, shrink):
    data = y_data(np.random.default_rng(0), missing=missing, shrink=shrink)
    found = saturated_levels(data)
    assert found.converged
    assert found.n_parameters == 48
    value, (inner, outer), means = saturated_slopes(data, found)
    assert value == pytest.approx(found.deviance, rel=1e-12)
    # No direction into the cone lowers the deviance, and along the estimate itself it is flat (Kuhn and Tucker).
    assert np.abs(inner).max() < 1e-3
    assert np.abs(means).max() < 1e-3
    assert np.linalg.eigvalsh(outer).min() > -1e-2
    assert np.abs(found.between @ outer).max() < 1e-3
    assert np.linalg.eigvalsh(found.between).min() > -1e-12
    free = saturated_levels(data, semidefinite=False)
    assert free.converged
    assert free.deviance <= found.deviance + 1e-9
    if not any(shrink):
        assert free.deviance == found.deviance


def test_saturated_model_with_fewer_clusters_than_variables_is_on_the_border():
    rng = np.random.default_rng(3)
    codes = np.repeat(np.arange(4), 30)
    y = rng.standard_normal((120, 6)) + rng.standard_normal((4, 6))[codes]
    found = saturated_levels(cluster_moments(y, codes, range(6), range(6)))
    assert found.converged
    assert np.linalg.matrix_rank(found.between, tol=1e-7) <= 3
