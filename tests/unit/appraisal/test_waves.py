"""A theory over several waves."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.waves.wave_models import FORMS, Repeated, WaveModel
from trustsem.appraisal.waves.wave_rivals import feedback_arrows
from trustsem.appraisal.waves.waves import Waves, fit_waves
from trustsem.inference.standardized import standardize
from trustsem.model.problem import implied

ITEMS = {"Relational": ["vul", "bid"], "Technical": ["fre", "res"], "Trust": ["t1", "t2", "t4"], "Capability": ["c1", "c2"]}
ITEMS |= {"Opportunity": ["o1", "o3"], "Motivation": ["m1", "m2"], "Commitment": ["k1", "k2"], "Resilience": ["r1", "r2"], "Outcomes": ["acc", "app"]}
THREE = ["Relational", "Trust", "Motivation"]


@cache
def theory(*names: str) -> ts.Theory:
    whole = ts.load_theory("metz2022").with_indicators(ITEMS)
    others = [node.name for node in whole.nodes if names and node.name not in names]
    return whole.drop(*others) if others else whole


@cache
def single(*names: str) -> ts.Theory:
    """The theory with one column for each construct."""
    return ts.load_theory("metz2022").with_indicators({name: name.lower() for name in names})


@cache
def panel() -> pd.DataFrame:
    return ts.load_dataset("panel")


def waves(*arguments: Any, **options: Any) -> Waves:
    found = quietly(fit_waves, *arguments, **options)
    assert isinstance(found, Waves)
    return found


@cache
def shipped() -> Waves:
    return waves(theory(), panel(), constructs=THREE, lagged="Motivation -> Trust")


def exact(population: ts.Population, n: int = 100_000) -> dict[str, Any]:
    """Return the moments of a population as options: unbiased, so that those of maximum likelihood are exact."""
    cov = pd.DataFrame(population.cov * (n / (n - 1)), index=population.names, columns=population.names)
    return {"sample_cov": cov, "sample_nobs": n}


# ---- the text ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("invariance", ["none", "loadings", "scalar"])
def test_text_leaves_nothing_to_defaults(form: str, invariance: str) -> None:
    """What the defaults add are variances, intercepts and fixed values, no covariance and no path."""
    parts = (
        Repeated("A", tuple((f"a1_w{w}", f"a2_w{w}") for w in (1, 2, 3)), ("a1", "a2")),
        Repeated("B", tuple((f"b_w{w}",) for w in (1, 2, 3)), ("b",)),
        Repeated("C", tuple((f"c1_w{w}", f"c2_w{w}", f"c3_w{w}") for w in (1, 2, 3)), ("c1", "c2", "c3")),
    )
    model = WaveModel(form, parts, ("_w1", "_w2", "_w3"), (("A", "B"), ("B", "C")), (), True, invariance, invariance == "scalar" or form == "growth")
    added = [row for row in model.table().rows if row.user != 1 and (row.free or row.ustart not in (0.0, 1.0))]
    assert all(row.op == "~1" or (row.op == "~~" and row.lhs == row.rhs) for row in added)


def test_feedback_leads_from_the_end_to_the_beginning() -> None:
    arrows = [(claim.cause, claim.effect) for claim in ts.load_theory("metz2022").claims]
    assert feedback_arrows(arrows) == (("Outcomes", "Trust"),)
    assert feedback_arrows([("A", "B")]) == ()


# ---- numbers ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trait", [0.0, 0.4])
def test_exact_moments_give_back_the_panel(trait: float) -> None:
    own = theory()
    population = own.population("calibrated")
    unfolded = ts.Panel(ts.Gaussian(), waves=4, autoregression=0.4, trait=trait, item_stability=0.2, lagged={"Outcomes -> Trust": 0.1}).unfold(
        population
    )
    form = "random_intercept" if trait else "cross_lagged"
    found = waves(own, form=form, lagged={"Outcomes -> Trust": "+"}, compare=False, **exact(unfolded.population))
    assert found.fit.chisq.statistic == pytest.approx(0.0, abs=1e-4)
    dynamics = unfolded.dynamics
    place = {name: k for k, name in enumerate(dynamics.constructs)}
    want = [dynamics.lags[place[row.effect], place[row.cause]] for row in found.frame.itertuples()]
    np.testing.assert_allclose(found.frame["est"], want, atol=1e-6)
    np.testing.assert_allclose(
        found.autoregressions["est"], np.diag(dynamics.lags)[[place[name] for name in found.autoregressions["construct"]]], atol=1e-6
    )
    assert (found.frame["verdict"] == "supported").sum() >= 12


def test_averages_are_those_of_the_waves() -> None:
    for equal in (True, False):
        found = waves(theory(*THREE), panel(), equal=equal, compare=False)
        means = found.by_wave.groupby(["cause", "effect"])[["est", "std"]].mean()
        for row in found.frame.itertuples():
            assert [row.est, row.std] == pytest.approx(means.loc[row.cause, row.effect].tolist())
        same = found.by_wave.groupby(["cause", "effect"])["est"].nunique() == 1
        assert same.all() == equal


def test_standardized_error_of_an_average_by_finite_differences() -> None:
    """The delta method over both pairs of waves, spelled out: std as a function of the parameters."""
    found = waves(single("Trust", "Outcomes"), sample_cov=_small_moments(), sample_nobs=300, compare=False)
    fit = found.fit
    rows = [k for k, row in enumerate(fit.model.table.rows) if row.op == "~" and row.lhs.startswith("outcomes") and row.rhs.startswith("trust")]

    def average(theta: np.ndarray) -> float:
        return float(standardize(fit.model, implied(fit.problem.structure, theta), "std_all")[0][rows].mean())

    theta = fit.estimate.theta
    step = 1e-6
    slopes = np.array([(average(theta + step * unit) - average(theta - step * unit)) / (2 * step) for unit in np.eye(theta.size)])
    assert found.frame["std"][0] == pytest.approx(average(theta))
    assert found.frame["std_se"][0] == pytest.approx(float(np.sqrt(slopes @ fit.theta_vcov @ slopes)), rel=1e-6)


def _small_moments() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    rows, names = [rng.standard_normal((300, 2))], ["trust_w1", "outcomes_w1"]
    for wave in (2, 3):
        rows.append(rows[-1] @ np.array([[0.5, 0.3], [0.1, 0.4]]) * 1.3 + rng.standard_normal((300, 2)))
        names += [f"trust_w{wave}", f"outcomes_w{wave}"]
    return pd.DataFrame(np.hstack(rows), columns=names).cov()


def test_times_are_the_unit_of_slopes() -> None:
    one = waves(theory("Trust", "Motivation"), panel(), form="growth")
    two = waves(theory("Trust", "Motivation"), panel(), form="growth", times=[0.0, 2.0, 4.0])
    np.testing.assert_allclose(two.autoregressions["slope_mean"], one.autoregressions["slope_mean"] / 2.0, rtol=1e-5)
    np.testing.assert_allclose(two.autoregressions["slope_var"], one.autoregressions["slope_var"] / 4.0, rtol=1e-4)
    assert two.fit.chisq.statistic == pytest.approx(one.fit.chisq.statistic, rel=1e-7)
    assert one.rivals is None
    assert one.models is not None
    assert one.models.frame["model"].tolist() == ["growth", "cross-lagged"]
    assert "BIC prefers cross-lagged" in str(one)


def test_composites_of_rows_and_of_moments() -> None:
    complete = panel().dropna()
    items = [name for name in complete.columns if name.split("_")[0] in {"vul", "bid", "t1", "t2", "t4", "m1", "m2"}]
    rows = waves(theory(*THREE), complete, measurement="composite", estimator="ML", compare=False)
    moments = waves(theory(*THREE), sample_cov=complete[items].cov(), sample_nobs=len(complete), measurement="composite", compare=False)
    by_hand = pd.DataFrame({f"{name}_w{w}": complete[[f"{item}_w{w}" for item in ITEMS[name]]].mean(axis=1) for name in THREE for w in (1, 2, 3)})
    assert rows.fit.sample.blocks[0].cov == pytest.approx(by_hand[list(rows.fit.sample.names)].cov().to_numpy())
    np.testing.assert_allclose(moments.frame["std"], rows.frame["std"], rtol=1e-6)
    np.testing.assert_allclose(moments.frame["std_se"], rows.frame["std_se"], rtol=1e-6)


def test_teams_change_errors_and_not_estimates() -> None:
    frame = panel().assign(team=np.arange(len(panel())) // 8)
    plain = waves(theory(*THREE), panel(), measurement="composite", compare=False)
    teams = waves(theory(*THREE), frame, measurement="composite", cluster="team", compare=False)
    np.testing.assert_allclose(teams.frame["est"], plain.frame["est"], rtol=1e-6)
    assert not np.allclose(teams.frame["std_se"], plain.frame["std_se"], rtol=1e-3)


# ---- what is found ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("endings", [["_w1", "_w2"], [".1", ".2"], ["_t2", "_t10"], ["w1", "w2"]])
def test_waves_are_found_by_the_numbers_at_the_end(endings: list[str]) -> None:
    frame = pd.DataFrame(
        np.random.default_rng(1).standard_normal((60, 4)), columns=[name + end for end in reversed(endings) for name in ("trust", "outcomes")]
    )
    found = waves(single("Trust", "Outcomes"), frame, compare=False)
    assert found.waves == tuple(endings)


def test_waves_may_have_any_names() -> None:
    frame = pd.DataFrame(np.random.default_rng(1).standard_normal((60, 4)), columns=["trust_pre", "outcomes_pre", "trust_post", "outcomes_post"])
    assert waves(single("Trust", "Outcomes"), frame, waves=["_pre", "_post"]).waves == ("_pre", "_post")


def test_the_shipped_panel() -> None:
    found = waves(theory(), panel(), measurement="composite", lagged="Outcomes -> Trust")
    frame = found.frame.set_index(["cause", "effect"])
    assert frame.loc[("Outcomes", "Trust"), "verdict"] == "supported"
    assert frame.loc[("Outcomes", "Trust"), "added"]
    assert frame.loc[("Relational", "Trust"), "mark"] == "I"
    assert found.rivals is not None
    assert found.tests is not None
    directions = found.rivals.frame.set_index(["cause", "effect"])["direction"]
    assert directions["Trust", "Outcomes"] == "feedback"
    assert not directions.isin(["reversed", "both ways"]).any()
    tests = found.tests.frame.set_index("question")["pvalue"]
    assert tests["Are the theory's effects needed beside the reversed ones?"] < 0.001
    assert tests["Are effects equal over waves?"] > 0.05
    assert "Are loadings equal over waves?" not in tests


def test_everything_is_told() -> None:
    found = shipped()
    shown = str(found)
    for words in (
        "cross-lagged panel model of 3 waves",
        "Each claim against its reverse",
        "Difference tests",
        "Models compared",
        "Test of exact fit",
    ):
        assert words in shown
    assert "<table" in found._repr_html_()
    record = json.loads(json.dumps(found.to_dict()))
    assert record["form"] == "cross_lagged"
    assert len(record["rows"]) == len(found.frame) == 3
    assert "Trust_w2 ~" in record["text"]
    assert len(found.parts) == 3
    assert "Supported" in found.rule


def test_scalar_invariance_is_tested_against_loadings() -> None:
    found = waves(theory("Trust", "Motivation"), panel(), invariance="scalar")
    assert found.tests is not None
    assert "Are intercepts equal over waves?" in found.tests.frame["question"].tolist()


def test_random_intercepts_are_tested() -> None:
    frame = _with_traits(500)
    found = waves(single("Trust", "Outcomes"), frame, form="random_intercept", lagged="Outcomes -> Trust")
    assert found.withheld == ""
    assert found.tests is not None
    row = found.tests.frame.set_index("question").loc["Is there something that lasts (traits)?"]
    assert row["df_diff"] == 3
    assert row["pvalue"] < 0.001
    assert found.frame["verdict"].tolist()[1] == "undetermined"


def _with_traits(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    trait, within, columns = rng.standard_normal((n, 2)), rng.standard_normal((n, 2)), {}
    for wave in range(1, 5):
        columns |= {f"trust_w{wave}": trait[:, 0] + within[:, 0], f"outcomes_w{wave}": trait[:, 1] + 0.5 * trait[:, 0] + within[:, 1]}
        within = within @ np.array([[0.4, 0.3], [0.0, 0.3]]) + rng.standard_normal((n, 2))
    return pd.DataFrame(columns)


# ---- what is not concluded --------------------------------------------------------------------------------------------------------------


def test_no_verdict_from_an_inadmissible_fit() -> None:
    found = waves(theory("Trust", "Motivation"), panel(), form="random_intercept")
    assert found.withheld.startswith("the solution is inadmissible")
    assert set(found.frame["verdict"]) == {"no verdict"}
    assert found.frame["p_zero"].isna().all()
    assert found.notes[0].startswith("No verdicts: the solution is inadmissible")
    assert found.rivals is not None
    assert set(found.rivals.frame["direction"]) == {"no verdict"}


def test_no_verdict_without_standard_errors() -> None:
    found = waves(theory("Trust", "Motivation"), panel(), se="none", compare=False)
    assert "no standard errors" in found.notes[0]


def test_no_test_of_models_without_a_test() -> None:
    found = waves(theory("Trust", "Motivation"), panel().dropna(), estimator="ML", test="none")
    assert found.tests is not None
    assert found.tests.frame.empty
    assert "without a test" in found.tests.notes[0]


def test_an_effect_without_a_stated_direction() -> None:
    own = ts.load_theory("metz2022").with_path("Trust", "Outcomes", sign="-").with_indicators({"Trust": "trust", "Outcomes": "outcomes"})
    found = waves(own, _with_traits(300), compare=True)
    assert found.frame["sign"].tolist() == ["?"]
    assert found.frame["verdict"].tolist() == ["no direction stated"]


def test_other_forms_of_strategies() -> None:
    separate = theory("Relational", "Trust").with_strategies("predictors")
    found = waves(separate, panel(), compare=False)
    assert found.frame["cause"].tolist() == ["vul", "bid"]
    composite = ts.load_theory("metz2022").with_indicators({"Relational": "relational", "Trust": ["t1", "t2", "t4"]})
    frame = panel().assign(**{f"relational_w{w}": panel()[[f"vul_w{w}", f"bid_w{w}"]].mean(axis=1) for w in (1, 2, 3)})
    assert waves(composite, frame, compare=False).frame["cause"].tolist() == ["Relational"]


def test_a_sample_is_taken_as_it_is() -> None:
    fit = shipped().fit
    found = waves(theory(*THREE), fit.sample, lagged="Motivation -> Trust", estimator="MLR", missing="fiml", compare=False)
    np.testing.assert_allclose(found.frame["est"], shipped().frame["est"], rtol=1e-7)


def test_an_arrow_that_stands_for_a_chain_says_so() -> None:
    found = waves(theory("Trust", "Outcomes"), panel(), measurement="composite", compare=False)
    assert any(note.startswith("Derived: Trust -> Outcomes. What is left out on the way") for note in found.notes)


def test_sesoi_of_all_arrows() -> None:
    found = waves(theory(*THREE), panel(), measurement="composite", sesoi=0.3, compare=False, lagged=["Motivation -> Trust"])
    assert set(found.frame["sesoi"]) == {0.3}
