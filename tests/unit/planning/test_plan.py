"""Plans: against closed forms, joint claims, intervals, rivals, factors other than n, limits, determinism."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2, nct

import trustsem as ts
from trustsem.model.population import Population
from trustsem.planning.answer import Plan
from trustsem.planning.plan import plan
from trustsem.planning.question import significant
from trustsem.simulators.clustered import Clustered
from trustsem.simulators.gaussian import Gaussian
from trustsem.simulators.missing import Missing
from trustsem.simulators.panel import Panel
from trustsem.studies.design import Analysis, Study
from trustsem.studies.run import run

LINE = ts.Population("y~x", {"y~x": 0.3, "y~~y": 1.0, "x~~x": 1.0})
CHAIN = ts.Population("m~a*x\ny~b*m+x", {"a": 0.35, "b": 0.3, "y~x": 0.2, "m~~m": 1.0, "y~~y": 1.0, "x~~x": 1.0})
PLAIN = Analysis()
CLUSTERED = Analysis(standardized=True, options={"estimator": "MLR", "cluster": "team"})


def regression_power(n: int, slope: float) -> float:
    """Power of the test of a simple regression with a normal predictor: z^2 = t^2 n / (n - 2), and t is noncentral given the predictor."""
    chances = (np.arange(400) + 0.5) / 400
    spread = chi2(n - 1).ppf(chances)  # of the sum of squares of the predictor
    critical = 1.959963985 * math.sqrt((n - 2) / n)
    return float(np.mean(nct.sf(critical, n - 2, slope * np.sqrt(spread))))


def simple(**options: object) -> Plan:
    return plan(LINE, "y~x", **{"analysis": PLAIN, "precision": 0.02, "executor": "serial", **options})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def planned() -> Plan:
    return simple(precision=0.012)


def test_the_interval_covers_the_exact_size(planned: Plan) -> None:
    exact = next(n for n in range(20, 400) if regression_power(n, 0.3) >= 0.8)
    assert planned.interval is not None
    low, high = planned.interval
    assert low <= exact <= high
    assert high - low < 0.2 * exact
    assert isinstance(planned.answer, int)
    assert planned.answer > low


def test_power_and_its_error_are_those_at_the_answer(planned: Plan) -> None:
    assert planned.answer is not None
    assert planned.mc_error <= 0.0121
    assert abs(planned.power - regression_power(int(planned.answer), 0.3)) < 3.0 * planned.mc_error
    assert 0.8 <= planned.power < 0.82  # the first whole number at which the curve is above
    assert planned.convergence == 1.0
    assert planned.rows == planned.answer


def test_the_formula_stands_beside_it(planned: Plan) -> None:
    assert planned.analytic == math.ceil(((1.959964 + 0.841621) / 0.3) ** 2)
    assert "large-sample" in planned.analytic_note


def test_everything_that_was_simulated_is_shown(planned: Plan) -> None:
    table = planned.evaluated
    assert list(table.columns) == ["n", "replications", "successes", "value", "mc_error", "converged", "admissible"]
    assert table["replications"].sum() == planned.replications
    assert (table["value"] == table["successes"] / table["replications"]).all()
    assert table["n"].is_monotonic_increasing
    assert table["n"].is_unique


def test_the_curve_is_for_plotting(planned: Plan) -> None:
    curve = planned.curve()
    assert len(curve) == 101
    assert ((curve["lower"] < curve["value"]) & (curve["value"] < curve["upper"])).all()
    at = planned.curve([float(planned.answer or 0)])
    assert at["value"].iloc[0] == pytest.approx(planned.power)


def test_a_user_understands_what_is_printed(planned: Plan) -> None:
    text = repr(planned)
    for part in ("Plan for power of 0.8: y~x", f"n = {planned.answer}", "95 % interval", "Monte Carlo error", "By formula: n = 88", "replications"):
        assert part in text


def test_the_answer_does_not_depend_on_who_does_the_work() -> None:
    options = {"precision": 0.03, "seed": 4}
    one = simple(**options)
    assert one == simple(**options)
    assert one == simple(**options, executor="threads:2")
    assert one != simple(precision=0.03, seed=5)


def test_no_batch_draws_what_another_one_drew() -> None:
    """Batches at the same n are different samples: at a limit, where several are made, all results would be equal otherwise."""
    found = simple(limits=(93, 140), precision=0.01)
    hits = [one.successes / one.replications for one in found.tallies if one.level == 93.0]
    assert len(hits) > 2
    assert len(set(hits)) > 1


def test_all_claims_together_need_more_than_each() -> None:
    options = {"precision": 0.02, "executor": "serial"}
    both = plan(CHAIN, "all", **options)  # type: ignore[arg-type]
    single = [plan(CHAIN, name, **options) for name in ("x -> m", "m -> y", "x -> y")]  # type: ignore[arg-type]
    sizes = [one.answer for one in single]
    assert both.answer is not None
    assert both.answer > max(size for size in sizes if size is not None)
    # The joint answer of theory is that of a normal distribution; simulation agrees up to its error and the theory's.
    assert both.analytic == pytest.approx(both.answer, rel=0.12)
    assert "all of 3 propositions" in repr(both)


def test_joint_success_is_every_claim_in_the_same_replication() -> None:
    found = plan(CHAIN, ["a", "b"], executor="serial", precision=0.03)
    study = Study(CHAIN, {"analysis": Analysis(standardized=True, measures=())}, n=int(found.answer or 0), replications=800, seed=99)
    result = run(study, executor="serial", progress=False).outcomes(0)
    names = ["a", "b"]
    places = [run(study, executor="serial", progress=False).layout[0].analyses[0].parameters.index(name) for name in names]
    joint = float(np.mean(np.all(np.abs(result.est[:, places] / result.se[:, places]) > 1.959964, axis=1)))
    assert abs(joint - found.power) < 4.0 * math.hypot(math.sqrt(joint * (1 - joint) / 800), found.mc_error)


def test_holm_within_all_claims_needs_more() -> None:
    plain, holm = (plan(CHAIN, "x -> y", adjust=adjust, executor="serial", precision=0.025) for adjust in ("none", "holm"))
    assert holm.answer is not None
    assert plain.answer is not None
    assert holm.answer > plain.answer


def test_holm_adjusts_as_the_verdicts_do() -> None:
    from trustsem.appraisal.verdicts import holm
    from trustsem.planning.claims import Claims
    from trustsem.studies.chunks import Outcomes

    rng = np.random.default_rng(1)
    est = rng.normal(2.4, 1.0, (200, 3))
    found = Outcomes(np.arange(200), np.full(200, "converged", dtype=object), np.ones(200, dtype=bool), est, np.ones_like(est), np.empty((200, 0)))
    from scipy.special import ndtr

    expected = np.array([holm(row) < 0.05 for row in 2.0 * ndtr(-np.abs(est))]) & (est > 0)
    assert 0.2 < expected.mean() < 0.9
    claims = Claims(("c", "a"), ("c", "a"), (1.0, 1.0))
    np.testing.assert_array_equal(significant(found, ("a", "b", "c"), claims, 0.05, "holm", ("a", "b", "c")), expected[:, [2, 0]])


def test_failures_and_wrong_signs_are_no_success() -> None:
    from trustsem.planning.claims import Claims
    from trustsem.studies.chunks import Outcomes

    reasons = np.array(["converged", "converged", "no minimum", "converged"], dtype=object)
    est, se = np.array([[5.0], [-5.0], [np.nan], [5.0]]), np.array([[1.0], [1.0], [np.nan], [0.0]])
    found = Outcomes(np.arange(4), reasons, np.ones(4, dtype=bool), est, se, np.empty((4, 0)))
    claims = Claims(("a",), ("a",), (0.3,))
    assert significant(found, ("a",), claims, 0.05).ravel().tolist() == [True, False, False, False]
    assert significant(found, ("a",), claims, 0.05, "holm", ("a",)).ravel().tolist() == [True, False, False, False]


def test_widths_of_a_regression() -> None:
    found = simple(goal="ci_width", target=0.25)

    # se = sqrt(SSE / n / Sxx), with independent chi distributions of n - 2 and n - 1 degrees of freedom.
    def width(n: int) -> float:
        residual = math.sqrt(2.0) * math.exp(math.lgamma((n - 1) / 2) - math.lgamma((n - 2) / 2))
        predictor = math.exp(math.lgamma((n - 2) / 2) - math.lgamma((n - 1) / 2)) / math.sqrt(2.0)
        return 2.0 * 1.959964 * residual * predictor / math.sqrt(n)

    exact = next(n for n in range(20, 1000) if width(n) <= 0.25)
    assert found.interval is not None
    assert found.interval[0] <= exact <= found.interval[1]
    assert found.interval[1] - found.interval[0] < 0.06 * exact
    assert found.power == pytest.approx(0.25, rel=0.02)
    assert "average width" in repr(found).lower()


def test_the_right_model_is_chosen_more_often_in_larger_samples() -> None:
    rival = "m~x\ny~m\nm~~0*y"
    found = plan(CHAIN, goal="model_choice", rival=rival, executor="serial", precision=0.025)
    # The rival lacks one path: BIC prefers the truth where the statistic exceeds log(n).
    from scipy.stats import ncx2

    from trustsem.planning.analytic import satorra_saris

    assert found.answer is not None
    discrepancy = satorra_saris(CHAIN, "y~x", 100).discrepancy
    exact = next(n for n in range(50, 3000) if ncx2.sf(math.log(n), 1, n * discrepancy) >= 0.8)
    assert found.interval is not None
    assert found.interval[0] <= exact <= found.interval[1]
    assert found.analytic == pytest.approx(exact, rel=0.1)


def test_a_target_out_of_reach_has_no_answer_but_a_reason() -> None:
    found = simple(limits=(20, 50))
    assert found.answer is None
    assert found.interval is None
    assert "not reached for n between 20 and 50" in found.reason
    assert found.reason in repr(found).replace("\n  ", " ")
    assert found.power == max(found.evaluated["value"])
    assert abs(found.power - regression_power(50, 0.3)) < 0.15


def test_a_target_met_at_the_limit_is_said_to_be() -> None:
    found = simple(limits=(300, 900))
    assert found.answer == 300
    assert "already at the limit" in found.reason


def test_rates_of_missing_values_that_can_be_borne() -> None:
    found = plan(
        LINE,
        "y~x",
        over="Missing.rate",
        limits=(0.0, 0.9),
        fixed={"n": 180},
        generator=Missing(Gaussian()),
        analysis=PLAIN,
        precision=0.02,
        executor="serial",
    )
    # Listwise, two columns: (1 - rate)^2 of the rows are complete.
    exact = 1.0 - math.sqrt(next(n for n in range(20, 400) if regression_power(n, 0.3) >= 0.8) / 180)
    assert found.answer is not None
    assert abs(found.answer - exact) < 0.05
    assert not isinstance(found.answer, int)
    assert found.analytic is None
    assert found.rows == 180


def test_teams_bring_their_people() -> None:
    found = plan(LINE, "y~x", over="teams", generator=Clustered(Gaussian(), size=5), analysis=CLUSTERED, precision=0.03, executor="serial")
    assert found.answer is not None
    assert found.rows == 5 * found.answer
    assert 12 <= found.answer <= 26  # 88 people if teams did not matter


def test_more_people_in_the_same_teams_help_less_and_no_formula_is_shown() -> None:
    """The standard error does not fall with the root of n then; a formula that says so would be wrong."""
    few = Clustered(Gaussian(), teams=15, icc=0.3)
    found = plan(LINE, "y~x", generator=few, analysis=CLUSTERED, precision=0.04, executor="serial")
    assert found.analytic is None
    assert found.limits[0] == 30.0
    assert found.answer is not None
    wide = plan(LINE, "y~x", over="size", generator=few, analysis=CLUSTERED, precision=0.06, limits=(2, 40), executor="serial")
    assert wide.analytic is None
    assert wide.rows == 15 * (wide.answer or 0)


def test_large_samples_keep_the_sizes_of_teams() -> None:
    from trustsem.planning.asymptotic import expected
    from trustsem.planning.setting import base_study, open_setting

    analyses = {"analysis": Analysis(standardized=True, measures=(), options=CLUSTERED.options)}
    errors = []
    for generator in (Clustered(Gaussian(), teams=10, icc=0.3), Clustered(Gaussian(), size=20, icc=0.3)):
        setting = open_setting(base_study(LINE, generator=generator, analyses=analyses), "n", None, None)
        found = expected(setting, 200, ("y~x",))
        assert found is not None
        errors.append(float(found.errors(200)[0]))
    assert errors[0] == pytest.approx(errors[1], rel=1e-9)


def test_factors_that_are_fixed_matter() -> None:
    weak = simple(fixed={"y~x": 0.2}, precision=0.03)
    assert weak.analytic == math.ceil(((1.959964 + 0.841621) / 0.2) ** 2)
    assert weak.answer is not None
    assert weak.answer > 150


def test_claims_of_a_theory_go_by_several_names() -> None:
    theory = ts.load_theory("metz2022").strict()
    names = ("Trust -> Capability", "Capability~Trust")
    found = [plan(theory, name, precision=0.1, executor="serial") for name in names]
    assert len({(one.answer, one.interval, one.power) for one in found}) == 1
    assert "Trust -> Capability" in repr(found[0])


@pytest.mark.slow
def test_intervals_of_plans_cover_the_exact_size() -> None:
    exact = next(n for n in range(20, 400) if regression_power(n, 0.3) >= 0.8)
    runs = 60
    covered = 0
    for seed in range(runs):
        found = simple(precision=0.03, seed=seed)
        assert found.interval is not None
        covered += found.interval[0] <= exact <= found.interval[1]
    # Three binomial standard errors below 95 %; whole numbers make intervals a little longer.
    assert covered / runs >= 0.95 - 3.0 * math.sqrt(0.95 * 0.05 / runs)


def test_the_number_of_waves_is_planned() -> None:
    """With every wave the analysis is another model, in which the claim stands elsewhere; more waves tell more about an effect that recurs."""
    population = Population("m ~ x\ny ~ m", {"m~x": 0.5, "y~m": 0.4, "x~~x": 1.0, "m~~m": 0.75, "y~~y": 0.84})
    generator = Panel(Gaussian(), lagged={"x -> m": 0.16}, lag_share=0.0, equal=True)
    found = plan(population, "m_from_x", over="waves", limits=(2, 12), fixed={"n": 60}, generator=generator, precision=0.03, executor="serial")
    study = Study(population, {"ML": Analysis(standardized=True)}, conditions={"waves": [2, 6]}, n=60, replications=400, generator=generator)
    few, many = run(study, executor="serial", progress=False).performance("power", parameters="m_from_x")["value"]
    assert few < 0.5 < 0.8 < many
    assert found.answer is not None
    assert 2 < found.answer <= 6
