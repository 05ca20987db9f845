"""Fits of two levels: options, warnings, scores, and what is refused (numbers: tests/reference/test_two_level_parity.py)."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import DATA
from trustsem.fitting.two_level import saturated_notice

CFA = "level: 1\nfw =~ y1 + y2 + y3\nlevel: 2\nfb =~ y1 + y2 + y3"
MIMIC = "level: 1\nfw =~ y1 + y2 + y3\nfw ~ x1 + x2\nlevel: 2\nfb =~ y1 + y2 + y3\nfb ~ w1 + w2"


@pytest.fixture(scope="module")
def teams() -> pd.DataFrame:
    return pd.read_csv(DATA / "teams_demo.csv")


@pytest.fixture(scope="module")
def fit(teams):
    return ts.sem(MIMIC, teams, cluster="team")


def test_defaults_are_those_of_lavaan(fit, teams):
    assert (fit.options.se, fit.options.test, fit.options.information) == ("standard", ("standard",), "observed")
    robust = ts.sem(MIMIC, teams, cluster="team", estimator="MLR")
    assert (robust.options.se, robust.options.test) == ("robust_huber_white", ("standard", "yuan_bentler_mplus"))
    assert ts.sem(MIMIC, teams, cluster="team", se="robust").options.se == "robust_huber_white"


def test_expected_information_is_near_the_observed(fit, teams):
    expected = ts.sem(MIMIC, teams, cluster="team", information="expected")
    ratio = (expected.parameter_estimates()["se"] / fit.parameter_estimates()["se"]).dropna()
    assert ratio.between(0.9, 1.1).all()
    assert (ratio != 1.0).any()


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("level", [1, 2])
def test_regression_scores_are_conditional_means(teams, level, missing):
    data = teams.copy()
    if missing:
        holes = np.random.default_rng(0).random((800, 3)) < 0.2
        holes[7] = True
        data[["y1", "y2", "y3"]] = data[["y1", "y2", "y3"]].mask(holes)
    fit = ts.sem(MIMIC, data, cluster="team", missing="fiml")
    within, between = fit.implied_blocks
    scores = fit.predict(level=level).to_numpy()[:, 0]
    y, x, w = ["y1", "y2", "y3"], ["x1", "x2"], ["w1", "w2"]
    shared = np.zeros((5, 5))
    shared[:3, :3] = between.sigma[:3, :3]
    mean = within.mean + np.concatenate([between.mean[:3], np.zeros(2)])
    for number, team in enumerate(data["team"].unique()[:4]):
        rows = data[data["team"] == team]
        n = len(rows)
        values = np.concatenate([rows[w].iloc[0], rows[y + x].to_numpy().ravel()])
        cross = np.hstack([between.sigma[3:, :3], np.zeros((2, 2))])
        cov = np.block(
            [
                [between.sigma[3:, 3:], np.tile(cross, n)],
                [np.tile(cross, n).T, np.kron(np.ones((n, n)), shared) + np.kron(np.eye(n), within.sigma)],
            ]
        )
        centre = np.concatenate([between.mean[3:], np.tile(mean, n)])
        seen = ~np.isnan(values)
        weight = np.linalg.solve(cov[np.ix_(seen, seen)], (values - centre)[seen])
        if level == 2:
            factor = np.concatenate([between.V[5, 3:5], np.tile(np.concatenate([between.V[5, :3], np.zeros(2)]), n)])
            assert scores[number] == pytest.approx(between.mu[5] + factor[seen] @ weight, abs=1e-9)
            continue
        for person in range(n):
            factor = np.zeros(values.size)
            factor[2 + 5 * person : 7 + 5 * person] = within.V[5, :5]
            assert scores[rows.index[person]] == pytest.approx(within.mu[5] + factor[seen] @ weight, abs=1e-9)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("model", [MIMIC, "level: 1\ny1 ~ x1 + y2\nlevel: 2\ny1 ~ y2 + w1", "level: 1\ny1 ~ y2\nlevel: 2\ny1 ~ y2"])
def test_log_likelihood_is_that_of_the_outcomes_given_the_covariates(teams, model, missing):
    data = teams.copy()
    if missing:
        data["y1"] = data["y1"].mask(np.random.default_rng(1).random(800) < 0.2)
    fit = ts.sem(model, data, cluster="team", missing="fiml")
    joint = joint_log_likelihood(fit, data, fixed=False)
    assert fit.fit_measures()["logl"] == pytest.approx(joint - joint_log_likelihood(fit, data, fixed=True), rel=1e-10)


def joint_log_likelihood(fit, data, *, fixed):
    """Return the log-likelihood of all variables, or of the fixed covariates, from the joint normal distribution of every team."""
    first, second = fit.model.blocks
    within, between = fit.implied_blocks
    level1 = [name for name in first.observed if not fixed or name in first.fixed]
    level2 = [name for name in second.observed if not fixed or name in second.fixed]
    own = [name for name in level2 if name not in level1]
    order = own + level1

    def placed(names, block, layout):
        cov, mean = np.zeros((len(order), len(order))), np.zeros(len(order))
        at, source = [order.index(name) for name in names], [layout.observed.index(name) for name in names]
        cov[np.ix_(at, at)], mean[at] = block.sigma[np.ix_(source, source)], block.mean[source]
        return cov, mean

    (Sw, mw), (Sb, mb) = placed(level1, within, first), placed(level2, between, second)
    z, total = len(own), 0.0
    for _, rows in data.groupby("team", sort=False):
        n = len(rows)
        values = np.concatenate([rows[own].iloc[0], rows[level1].to_numpy().ravel()])
        cov = np.block(
            [
                [Sb[:z, :z], np.tile(Sb[:z, z:], n)],
                [np.tile(Sb[:z, z:], n).T, np.kron(np.ones((n, n)), Sb[z:, z:]) + np.kron(np.eye(n), Sw[z:, z:])],
            ]
        )
        mean = np.concatenate([mb[:z], np.tile((mb + mw)[z:], n)])
        seen = ~np.isnan(values)
        gap, V = (values - mean)[seen], cov[np.ix_(seen, seen)]
        total -= 0.5 * (seen.sum() * np.log(2.0 * np.pi) + np.linalg.slogdet(V)[1] + gap @ np.linalg.solve(V, gap))
    return total


def test_bartlett_scores_are_unbiased_for_exact_indicators(fit):
    regression, bartlett = fit.predict(level=2), fit.predict(level=2, method="bartlett")
    assert bartlett["fb"].var() > regression["fb"].var()
    assert np.corrcoef(bartlett["fb"], regression["fb"])[0, 1] > 0.95
    assert len(bartlett) == 64
    assert len(fit.predict()) == 800


def test_modification_index_is_the_drop_of_the_chi_square(teams):
    fit = ts.sem(CFA.replace("y3", "y3 + y4"), teams, cluster="team", group="half")
    found = fit.modindices(sort=True)
    top = found.iloc[0]
    text = CFA.replace("y3", "y3 + y4").split("level: 2")
    own = [f"\n{top.lhs} ~~ {top.rhs}" if top.level == level else "" for level in (1, 2)]
    groups = [f"group: {g}\n{text[0]}{own[0] if top.group == g else ''}\nlevel: 2{text[1]}{own[1] if top.group == g else ''}" for g in (1, 2)]
    freed = ts.sem("\n".join(groups), teams, cluster="team", group="half")
    drop = fit.chisq.statistic - freed.chisq.statistic
    assert top.mi == pytest.approx(drop, rel=0.15)


def test_tables_name_the_level(fit):
    assert fit.parameter_estimates()["level"].tolist()[:3] == [1, 1, 1]
    assert set(fit.standardized_solution()["level"]) == {1, 2}
    assert set(fit.effects()["level"]) == {1, 2}
    assert set(fit.reliability()["level"]) == {1, 2}
    assert list(fit.rsquare()) == ["within", "between"]
    assert list(fit.implied()) == ["within", "between"]
    assert "level" in fit.modindices()


def test_groups_have_both_levels(teams):
    fit = ts.sem(CFA, teams, cluster="team", group="half", group_equal=["loadings"])
    assert list(fit.rsquare()) == ["odd within", "odd between", "even within", "even between"]
    assert fit.block_chisq.shape == (2,)
    assert fit.block_chisq.sum() == pytest.approx(fit.chisq.statistic)
    assert set(fit.predict()) == {"odd", "even"}
    text = str(fit.summary(fit_measures=True, rsquare=True))
    assert text.count("Level 1 [within]:") == text.count("Level 2 [team]:") == text.count("R-Square") / 2 == 2
    assert set(ts.icc(fit)["group"]) == {1, 2}


def test_summary_and_exports(fit, tmp_path: Path):
    text = str(fit.summary(fit_measures=True, standardized=True, rsquare=True, modindices=True))
    for piece in ("Number of clusters [team]                         64", "SRMR (within)", "Level 1 [within]:", "Level 2 [team]:"):
        assert piece in text
    assert '"level": 2' in fit.to_json()
    assert "level: 2" in fit.to_json()
    ts.report(fit, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert "between" in page


def test_diagram_of_a_level_that_does_not_exist(fit):
    with pytest.raises(ts.OptionError, match=r"level=3 does not exist: the model has 2 level\(s\)"):
        ts.diagram(fit, level=3)


def test_icc_and_design_effect(fit, teams):
    found = ts.icc(fit).set_index("variable")
    assert found.loc["x1", "icc"] == 0.0
    assert found.loc["x1", "design_effect"] == 1.0
    size = teams.groupby("team").size()
    average = (len(teams) - (size**2).sum() / len(teams)) / (len(size) - 1)
    assert found.loc["y1", "design_effect"] == pytest.approx(1.0 + (average - 1.0) * found.loc["y1", "icc"])
    with pytest.raises(ts.OptionError, match="one level"):
        ts.icc(ts.sem("y1 ~ x1", teams))


def test_bootstrap_of_clusters(fit):
    found = ts.bootstrap(fit, draws=12, seed=3, kind="cluster")
    assert found.n_failed == 0 if hasattr(found, "n_failed") else "0 failed" in repr(found)
    with pytest.raises(ts.NotAvailableError, match=r"kind='nonparametric' is not available for a model of two levels\. Choose kind='cluster'"):
        ts.bootstrap(fit, draws=3, seed=3)


def test_difference_test(teams):
    fits = [ts.sem(f"level: 1\nf =~ a*y1 + {b}*y2 + y3\nlevel: 2\ng =~ a*y1 + {c}*y2 + y3", teams, cluster="team") for b, c in ("pq", "pp")]
    table = ts.anova(*fits).frame
    assert table["df_diff"].iloc[1] == 1
    assert table["chisq_diff"].iloc[1] == pytest.approx(fits[1].chisq.statistic - fits[0].chisq.statistic)


# ---- warnings and errors --------------------------------------------------------------------------------------------------------------


def test_few_clusters_are_warned_of(teams):
    few = teams[teams["team"].isin(teams["team"].unique()[:20])]
    for model in (CFA, "f =~ y1 + y2 + y3 + y4"):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ts.sem(model, few, cluster="team")
        assert any("[TS-CLUSTER-01]" in str(warning.message) and "20 clusters for" in str(warning.message) for warning in caught)
    with pytest.warns(ts.TrustsemWarning):
        groups = ts.sem(CFA, few.assign(half=few["team"].rank(method="dense") % 2), cluster="team", group="half")
    assert any("20 clusters (10, 10 in the groups) for 30 parameters" in str(warning) for warning in groups.warnings)


def test_enough_clusters_are_not_warned_of(fit):
    assert not [warning for warning in fit.warnings if warning.code == "TS-CLUSTER-01"]


def test_a_saturated_model_that_was_not_found_is_warned_of(fit):
    (group,) = fit.problem.objective.groups
    other = replace(group)
    other.__dict__["saturated"] = replace(group.saturated, converged=False)
    problem = replace(fit.problem, objective=replace(fit.problem.objective, groups=(other,)))
    assert saturated_notice(fit.problem) == ()
    (warning,) = saturated_notice(problem)
    assert warning.code == "TS-CLUSTER-02"
    assert "64 clusters, 5 variables of level 2" in warning.detail


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ts.OptionError, "cluster= is missing"),
        ({"cluster": "team", "estimator": "MLM"}, ts.NotAvailableError, "estimator='MLM' cannot fit a model of two levels"),
        ({"cluster": "team", "sampling_weights": "weight"}, ts.NotAvailableError, "sampling_weights="),
        ({"cluster": "team", "se": "robust_sem"}, ts.NotAvailableError, "se='robust_sem' is not available"),
        ({"cluster": "team", "test": "satorra_bentler"}, ts.NotAvailableError, "test='satorra_bentler' is not available"),
        ({"cluster": "team", "missing": "two_stage"}, ts.NotAvailableError, "missing='two_stage' is not available"),
        ({"cluster": "team", "likelihood": "wishart"}, ts.NotAvailableError, "likelihood='wishart' is not available"),
        ({"cluster": "team", "engine": "semopy"}, ts.NotAvailableError, "engine='semopy' is not available"),
    ],
)
def test_options_that_two_levels_do_not_have(teams, options, error, message):
    with pytest.raises(error, match=message):
        ts.sem(CFA, teams, **options)


def test_a_model_of_two_levels_needs_rows_with_clusters(teams):
    fitter = ts.compile(CFA, cluster="team")
    with pytest.raises(ts.DataError, match="needs the rows of the data and the cluster of each"):
        fitter.fit(teams)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda fit: fit.residuals("standardized"), "residuals\\(type='standardized'\\)"),
        (lambda fit: fit.parameter_estimates(fmi=True), "fmi=True"),
        (lambda fit: fit.stacked, "the moments of one level"),
        (lambda fit: fit.predict(data=pd.DataFrame()), "predict\\(data="),
        (lambda fit: ts.bootstrap(fit, draws=2, seed=1, kind="bollen_stine"), "kind='bollen_stine'"),
    ],
)
def test_what_is_not_available_is_said(fit, action, message):
    with pytest.raises(ts.NotAvailableError, match=message):
        action(fit)


@pytest.mark.parametrize(
    ("model", "level", "message"),
    [(MIMIC, 3, "level=3 does not exist"), (CFA.replace("fb =~ y1 + y2 + y3", "y1 ~~ y2"), 2, "no latent variables at level 2")],
)
def test_scores_of_a_level_without_latent_variables(teams, model, level, message):
    with pytest.raises(ts.OptionError, match=message):
        ts.sem(model, teams, cluster="team").predict(level=level)


def test_scores_of_level_2_of_a_model_of_one_level(teams):
    with pytest.raises(ts.OptionError, match="the model has one level"):
        ts.sem("f =~ y1 + y2 + y3", teams).predict(level=2)


def test_level_2_without_variance_is_fitted(teams):
    rng = np.random.default_rng(5)
    flat = pd.DataFrame(rng.standard_normal((800, 1)) + rng.standard_normal((800, 3)), columns=["y1", "y2", "y3"]).assign(team=teams["team"])
    with pytest.warns(ts.TrustsemWarning, match="TS-FIT-02"):
        fit = ts.sem("level: 1\nf =~ y1 + y2 + y3\nlevel: 2\ny1 ~~ y2 + y3\ny2 ~~ y3", flat, cluster="team")
    assert fit.converged
    saturated = fit.problem.blocks[1].cov
    assert np.linalg.eigvalsh(saturated)[0] > -1e-12
    assert np.isfinite(fit.fit_measures()["srmr_between"])
