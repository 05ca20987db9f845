"""The theory against its rivals."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.appraise import appraise
from trustsem.appraisal.result import Appraisal
from trustsem.appraisal.rivals.contenders import line_up, log_likelihood
from trustsem.appraisal.rivals.nested import scaled_difference_test, stand
from trustsem.appraisal.rivals.tournament import tournament
from trustsem.fitting.differences import choose_method, difference_test

THEORY = ts.load_theory("metz2022")
DIRECT = THEORY.with_path("Trust", "Outcomes", value=0.3)


@cache
def data(n: int = 400) -> pd.DataFrame:
    return ts.simulate(THEORY, n=n, seed=11)


@cache
def plain() -> Appraisal:
    return appraise(THEORY, data(), estimator="ML")


@cache
def survey() -> Appraisal:
    return quietly(appraise, THEORY, ts.load_dataset("survey"), estimator="MLR", missing="fiml", cluster="team")


def row(found: Any, name: str) -> dict[str, Any]:
    return {str(key): value for key, value in found.frame.set_index("id").loc[name].to_dict().items()}


# ---- what each comparison is ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("appraisal", [plain, survey], ids=["complete", "survey"])
def test_every_rival_has_a_row_and_a_reason(appraisal: Any) -> None:
    found = tournament(appraisal())
    assert found.frame["id"].tolist() == [rival.id for rival in THEORY.rivals()]
    assert (found.frame["reason"].str.len() > 20).all()
    assert set(found.frame["verdict"]) <= {"refused", "equivalent", "not needed", "undecided", "theory preferred", "rival preferred", "suffices"}
    assert set(found.fits) == {"theory", *found.frame.loc[found.frame["verdict"] != "refused", "id"]}
    for name in ("R6", "R7", "R8", "R13", "R14"):
        assert row(found, name)["verdict"] == "refused"


def test_equivalent_rivals_are_never_chosen() -> None:
    found = tournament(survey())
    for name in ("R4", "R5"):
        own = row(found, name)
        assert (own["relation"], own["verdict"], own["test"]) == ("equivalent", "equivalent", "")
        assert own["class"] == "theory = R4 = R5"
        assert abs(own["bic_diff"]) < 1e-6
        assert "cannot" in own["reason"]


def test_nested_rivals_are_tested_as_anova_tests_them() -> None:
    found = tournament(survey())
    fits, tested = found.fits, ["R1", "R2"]
    for name in tested:
        table = ts.anova(fits[name], fits["theory"])
        own = row(found, name)
        assert own["relation"] == "theory nested in rival"
        assert own["statistic"] == pytest.approx(table.frame["chisq_diff"].iloc[1], rel=1e-9)
        assert own["p"] == pytest.approx(table.frame["pvalue"].iloc[1], rel=1e-9)
    family = found.frame[found.frame["test"] == "difference"]
    smallest = family.loc[family["p"].idxmin()]
    assert smallest["p_holm"] == pytest.approx(min(len(family) * smallest["p"], 1.0), rel=1e-12)


def test_the_short_way_to_the_scaled_difference_is_the_long_way() -> None:
    line = line_up(survey(), ["R1", "R2"])
    for one in line.rivals:
        assert one.fit is not None
        long = difference_test(line.theory, one.fit, choose_method([line.theory, one.fit], "default", True))
        np.testing.assert_allclose(scaled_difference_test(line.theory, one.fit), long, rtol=1e-9)


def test_other_rivals_are_compared_as_vuong_compares_them() -> None:
    found = tournament(survey(), ["R3"])
    own, test = row(found, "R3"), ts.vuong(found.fits["theory"], found.fits["R3"])
    assert own["statistic"] == pytest.approx(test.frame.loc["plain", "z"], rel=1e-12)
    assert own["apart_p"] == pytest.approx(test.variance_test.pvalue, abs=1e-12)
    assert own["p"] == pytest.approx(2.0 * test.frame.loc["plain", ["pvalue_first", "pvalue_second"]].min(), rel=1e-12)
    assert "40 teams" in own["reason"]


def test_criteria_and_weights() -> None:
    found = tournament(survey())
    models = found.models.set_index("name")
    for name, fit in found.fits.items():
        for measure in ("logl", "aic", "bic"):
            assert models.loc[name, measure] == pytest.approx(fit.fit_measures([measure]).iloc[0], rel=1e-11)
    heads = models.drop_duplicates("class")
    for name in ("aic", "bic"):
        raw = np.exp(-0.5 * (heads[name] - heads[name].min()))
        np.testing.assert_allclose(heads[f"{name}_weight"], raw / raw.sum(), rtol=1e-9)
    assert models.loc["R4", "bic_weight"] == models.loc["theory", "bic_weight"]
    assert any("480 rows" in note and "40 teams" in note for note in found.notes)


def test_added_claims_are_judged() -> None:
    found = tournament(plain())
    own = found.added[found.added["rival"] == "R1"].iloc[0]
    table = found.fits["R1"].standardized_solution()
    expected = table[(table["lhs"] == "Outcomes") & (table["rhs"] == "Trust")].iloc[0]
    assert own["std"] == expected["est_std"]
    assert own["verdict"] in ("undetermined", "negligible")
    assert set(found.added["rival"]) == {"R1", "R2", "R3"}


# ---- truth is found -------------------------------------------------------------------------------------------------------------------


def test_a_rival_that_is_true_is_preferred() -> None:
    appraisal = appraise(THEORY, ts.simulate(DIRECT, n=800, seed=2), estimator="ML")
    own = row(tournament(appraisal), "R1")
    assert (own["verdict"], own["p_holm"] < 0.001, own["bic_diff"] < -6.0) == ("rival preferred", True, True)


def test_a_theory_with_a_needless_arrow_is_told_that_less_suffices() -> None:
    appraisal = appraise(THEORY.with_path("Relational", "Outcomes"), data(), estimator="ML")
    own = row(tournament(appraisal, {"less": THEORY}), "less")
    assert (own["relation"], own["verdict"]) == ("rival nested in theory", "suffices")
    assert "says less" in own["reason"]


def test_the_theory_is_preferred_to_a_false_rival_that_is_not_nested() -> None:
    own = row(tournament(appraise(THEORY, data(800), estimator="ML"), ["R3"]), "R3")
    assert (own["relation"], own["test"], own["verdict"]) == ("not nested", "Vuong", "theory preferred")
    assert own["bic_diff"] > 10.0


def test_an_arrow_the_wrong_way_round_is_not_equivalent_here() -> None:
    """Outside of its tier the direction has consequences, which a BIC sees before a test does."""
    wrong = THEORY.without_path("Trust", "Motivation").with_path("Motivation", "Trust")
    own = row(tournament(plain(), {"wrong": wrong}), "wrong")
    assert (own["title"], own["relation"], own["test"]) == ("your theory", "not nested", "Vuong")
    assert own["bic_diff"] > 0.0


def test_models_that_cannot_be_told_apart_are_undecided() -> None:
    """Two arrows whose true value is 0, in different models."""
    one, other = THEORY.with_path("Technical", "Outcomes"), THEORY.with_path("Relational", "Resilience")
    own = row(tournament(appraise(one, data(), estimator="ML"), {"other": other}), "other")
    assert (own["verdict"], math.isnan(own["p"])) == ("undecided", True)
    assert "cannot tell the two apart" in own["reason"]


# ---- edges ----------------------------------------------------------------------------------------------------------------------------


def test_a_method_factor_is_tested_at_the_edge() -> None:
    found = tournament(survey(), ["R10"])
    own = row(found, "R10")
    assert own["p"] == pytest.approx(0.5 * chi2.sf(own["statistic"], 1), rel=1e-12)
    assert "mixture" in own["reason"]


def test_a_method_factor_that_does_less_than_nothing_is_the_theory() -> None:
    """In these data the variance would be negative; the rival is then the theory with one parameter more."""
    found = tournament(appraise(THEORY, ts.simulate(THEORY, n=300, seed=3), estimator="ML"), ["R10"])
    own = row(found, "R10")
    assert log_likelihood(found.fits["R10"]) == pytest.approx(log_likelihood(found.fits["theory"]), abs=1e-6)
    assert own["bic_diff"] == pytest.approx(math.log(300), abs=1e-5)
    assert (own["statistic"], own["p"], own["verdict"], own["flag"]) == (pytest.approx(0.0, abs=1e-6), 1.0, "not needed", "")


def test_factors_that_merge_lie_at_the_edge_too() -> None:
    own = row(tournament(survey(), ["R10b"]), "R10b")
    assert (own["relation"], own["verdict"]) == ("rival nested in theory", "theory preferred")
    assert "rough guide" in own["reason"]


def test_a_renamed_factor_is_not_at_the_edge() -> None:
    text = THEORY.syntax().replace("Trust", "Confidence")
    assert row(tournament(plain(), {"renamed": text}), "renamed")["verdict"] == "equivalent"


# ---- other data -----------------------------------------------------------------------------------------------------------------------


def test_summary_statistics_have_no_vuong() -> None:
    columns = [name for node in THEORY.nodes for name in node.indicators]
    found = tournament(appraise(THEORY, sample_cov=data()[columns].cov(), sample_nobs=400))
    own, rows = row(found, "R3"), tournament(plain())
    assert (own["verdict"], own["test"]) == ("undecided", "")
    assert "needs the rows" in own["reason"]
    assert "BIC is lower for the theory" in own["reason"]
    np.testing.assert_allclose(found.frame["bic_diff"], rows.frame["bic_diff"], atol=1e-5)
    np.testing.assert_allclose(found.frame["p"].drop(2), rows.frame["p"].drop(2), atol=1e-6)


def test_an_estimator_without_likelihood_has_difference_tests_only() -> None:
    found = tournament(appraise(THEORY, data(), estimator="GLS"))
    assert row(found, "R1")["test"] == "difference"
    assert found.frame["bic_diff"].isna().all()
    assert "estimator='GLS'" in row(found, "R3")["reason"]
    assert "No BIC" in row(found, "R1")["reason"]


@pytest.mark.parametrize("form", ["composites", "predictors"])
def test_observed_strategies(form: str) -> None:
    theory = THEORY.with_strategies(form)
    frame = theory.composites(data()) if form == "composites" else data()
    found = tournament(appraise(theory, frame, estimator="ML"), ["R1", "R2", "R4"])
    assert found.frame["verdict"].tolist() == ["not needed", "not needed", "equivalent"]
    # Conditional on the covariates, as the theory's own fit is.
    assert found.models["logl"].iloc[0] == pytest.approx(found.fits["theory"].fit_measures(["logl"]).iloc[0], rel=1e-12)


def test_other_covariates_are_modelled_in_all() -> None:
    theory = THEORY.with_indicators({"Trust": "t1", "Motivation": "m1", "Commitment": "k1"}).without_path("Trust", "Commitment")
    found = tournament(appraise(theory, data(), estimator="ML"), {"back": "t1 ~ m1\nm1 ~ k1", "fork": "t1 ~ m1\nk1 ~ m1\nt1 ~~ 0*k1"})
    assert row(found, "back")["verdict"] == "equivalent"
    assert row(found, "fork")["verdict"] == "equivalent"
    assert any("covariates' moments are therefore modelled" in note for note in found.notes)
    assert not found.fits["theory"].model.blocks[0].fixed


def test_two_constructs() -> None:
    theory = THEORY.with_indicators({"Trust": ["t1", "t2", "t3"], "Motivation": ["m1", "m2", "m3"]})
    back = theory.without_path("Trust", "Motivation").with_path("Motivation", "Trust")
    own = row(tournament(appraise(theory, data(), estimator="ML"), {"back": back}), "back")
    assert own["verdict"] == "equivalent"
    assert "No data of this kind can choose" in own["reason"]


def test_constructs_that_the_data_measure_bring_their_rivals() -> None:
    theory = THEORY.with_construct("Safety", ["s1", "s2", "s3"], beside="Trust")
    rng = np.random.default_rng(5)
    factor = 0.5 * data()["t1"].to_numpy() + rng.standard_normal(400)
    frame = data().assign(**{f"s{k}": factor + rng.standard_normal(400) for k in (1, 2, 3)})
    own = row(tournament(appraise(theory, frame, estimator="ML"), ["R8"]), "R8")
    assert (own["relation"], own["verdict"]) == ("not nested", "theory preferred")


def test_no_verdicts_where_the_theory_has_none() -> None:
    frame = data(400).assign(site=np.arange(400) % 2)
    found = tournament(quietly(appraise, THEORY, frame, group="site"))
    assert set(found.frame["verdict"]) == {"refused", "no verdict"}
    assert found.notes[0].startswith("No verdicts: there are several groups")
    assert len(found.models) == 0
    assert found.fits.keys() == {"theory"}


# ---- rivals of one's own --------------------------------------------------------------------------------------------------------------


def test_own_rivals_come_from_both_doors() -> None:
    own = {"reversed": "x ~ y"}
    assert tournament(appraise(THEORY, data(), estimator="ML", rivals=own)).frame["id"].iloc[-1] == "reversed"
    found = row(tournament(plain(), own), "reversed")
    assert (found["verdict"], found["relation"]) == ("refused", "")
    assert "other observed variables" in found["reason"]


def test_models_of_another_kind_are_refused() -> None:
    found = tournament(plain(), {"two": "level: 1\nt1 ~ t2\nlevel: 2\nt1 ~ t2", "many": THEORY.syntax() + "\n" + "\n".join(_everything())})
    assert "other levels" in row(found, "two")["reason"]
    assert "cannot be fitted" in row(found, "many")["reason"]


def _everything() -> list[str]:
    columns = [name for node in THEORY.nodes for name in node.indicators]
    return [f"{one} ~~ {other}" for k, one in enumerate(columns) for other in columns[:k]]


def test_a_rival_that_is_not_identified_gets_no_verdict() -> None:
    text = THEORY.syntax() + "\nTrust ~ Motivation"
    own = row(tournament(plain(), {"loop": text + "\nMotivation ~ Relational\nTrust ~~ Motivation"}), "loop")
    if own["flag"] in ("not identified", "not converged"):
        assert own["verdict"] == "no verdict"
        assert "not identified" in own["reason"] or "did not converge" in own["reason"]
    else:
        assert own["verdict"] in ("not needed", "rival preferred", "undecided", "equivalent")


def test_standing_of_a_model_to_itself() -> None:
    fit = plain().fit
    assert stand(fit, fit, 0.05).relation == "equivalent"


# ---- telling --------------------------------------------------------------------------------------------------------------------------


def test_it_tells_itself() -> None:
    found = tournament(plain())
    text = str(found)
    assert "R4" in text
    assert "equivalent" in text
    assert found._repr_html_().count("<tr") >= len(found.frame)
    told = json.loads(json.dumps(found.to_dict()))
    assert [each["id"] for each in told["rows"]] == found.frame["id"].tolist()
    assert {"models", "added", "notes", "heading"} <= told.keys()


def test_only_some_rivals() -> None:
    assert tournament(plain(), ["R3", "R1"]).frame["id"].tolist() == ["R1", "R3"]
