"""The probe: what it counts, that it does not depend on who does the work, and what it says where nothing can be drawn."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.severity.altered import population_of
from trustsem.appraisal.severity.imitation import imitate
from trustsem.appraisal.severity.probe import probe
from trustsem.appraisal.severity.probing import Fitters, Outcome, Trial, fitters_like, prepare_work
from trustsem.appraisal.severity.severity import severity
from trustsem.errors import DataError, OptionError

KEEP = ("Trust", "Capability", "Motivation", "Commitment")


@pytest.fixture(scope="module")
def core() -> Any:
    whole = ts.load_theory("metz2022")
    return whole.drop(*(one.name for one in whole.nodes if one.name not in KEEP))


@pytest.fixture(scope="module")
def exact(core: Any) -> Any:
    population = core.population("calibrated")
    cov = pd.DataFrame(population.cov, index=population.names, columns=population.names)
    return quietly(ts.appraise, core, sample_cov=cov, sample_nobs=300)


@pytest.fixture(scope="module")
def found(exact: Any) -> Any:
    return probe(exact, ["Trust -> Capability", "Capability -> Commitment"], worlds=("0", "-d", 0.25), replications=60, seed=3, executor="serial")


def test_shares_add_up(found: Any) -> None:
    table = found.frame
    assert table["world"].tolist() == ["b = 0", "b = -d", "b = 0.25"] * 2
    assert table["value"].tolist() == [0.0, -0.1, 0.25] * 2
    assert (table["supported"] + table["denied"] + table["undetermined"] + table["no_verdict"]).to_numpy() == pytest.approx(1.0)
    assert (table["contradicted"] + table["negligible"]).to_numpy() == pytest.approx(table["denied"].to_numpy())
    assert (table["replications"] == 60).all()
    assert (table["mc_error"] <= 0.5 / math.sqrt(60) + 1e-12).all()
    # Estimates are where the path was set.
    assert np.all(np.abs(table["mean_std"] - table["value"]) < 4 * table["sd_std"] / math.sqrt(60) + 0.02)
    assert table["mean_se"].to_numpy() == pytest.approx(table["sd_std"].to_numpy(), rel=0.35)
    assert table.loc[2, "supported"] > table.loc[0, "supported"]


def test_what_is_expected_stands_beside(found: Any, exact: Any) -> None:
    expected = severity(exact).frame.set_index("id")
    for row in found.frame.itertuples():
        if row.world == "b = 0":
            assert row.supported_expected == expected.loc[row.id, "supported_if_zero"]
            assert row.denied_expected == expected.loc[row.id, "denied_if_zero"]
        if row.world == "b = 0.25":
            assert math.isnan(row.supported_expected)


def test_results_do_not_depend_on_who_does_the_work_nor_on_what_else_is_asked(found: Any, exact: Any) -> None:
    again = probe(exact, "Capability -> Commitment", worlds=("-d",), replications=60, seed=3, executor="threads:2")
    own = found.frame[(found.frame["effect"] == "Commitment") & (found.frame["world"] == "b = -d")].reset_index(drop=True)
    pd.testing.assert_frame_equal(again.frame, own)
    other = probe(exact, "Capability -> Commitment", worlds=("-d",), replications=60, seed=4, executor="serial")
    assert other.frame["mean_std"][0] != own["mean_std"][0]


@pytest.mark.slow
def test_processes_give_the_same(found: Any, exact: Any) -> None:
    again = probe(exact, ["Trust -> Capability", "Capability -> Commitment"], worlds=("0", "-d", 0.25), replications=60, seed=3, executor=2)
    pd.testing.assert_frame_equal(again.frame, found.frame)


def test_the_survey_is_imitated(core: Any) -> None:
    given = quietly(ts.appraise, core, ts.load_dataset("survey"), estimator="MLR", missing="fiml", cluster="team")
    result = probe(given, "Capability -> Commitment", worlds=("0",), replications=6, executor="serial")
    assert result.frame["no_verdict"][0] == 0.0
    said = " ".join(result.notes)
    for word in ("480 rows", "missing where they were", "observed sizes", "values that were observed"):
        assert word in said
    assert json.loads(json.dumps(result.to_dict()))["rows"][0]["world"] == "b = 0"
    assert "denied_expected" in str(result)


def test_claims_and_worlds_by_default(exact: Any) -> None:
    result = probe(exact, replications=1, executor="serial")
    assert len(result.frame) == 2 * len(exact.claims)
    by_id = probe(exact, exact.claims[0].id, worlds=("d",), replications=1, executor="serial")
    assert by_id.frame["value"].tolist() == [0.1]


def test_an_appraisal_without_verdicts_gives_the_reason_first(exact: Any) -> None:
    result = probe(replace(exact, withheld="the fit did not converge."), replications=5)
    assert result.notes == ("No verdicts: the fit did not converge.",)
    assert result.frame[["supported", "denied"]].isna().all(axis=None)
    assert (result.frame["reason"] == "the fit did not converge.").all()


def test_a_world_that_is_impossible_says_so(exact: Any) -> None:
    result = probe(exact, "Capability -> Commitment", worlds=(0.99, "0"), replications=2, executor="serial")
    assert "not possible here" in result.frame["reason"][0]
    assert result.frame["replications"].tolist() == [0, 2]
    assert "Capability -> Commitment: b = 0.99" in result.notes[-1]


def test_negative_claims_are_counted_from_their_side(exact: Any) -> None:
    at = [claim.path for claim in exact.claims].index("Trust -> Capability")
    claims = tuple(replace(claim, sign="-") if k == at else claim for k, claim in enumerate(exact.claims))
    result = probe(replace(exact, claims=claims), "Trust -> Capability", worlds=(0.3,), replications=20, executor="serial")
    assert result.frame["mean_std"][0] == pytest.approx(0.3, abs=0.06)
    assert result.frame["supported"][0] > 0.5


def test_bootstrap_errors_are_replaced_and_said(core: Any) -> None:
    data = ts.load_dataset("survey").dropna()
    small = core.drop("Commitment", "Motivation")
    given = quietly(ts.appraise, small, data, estimator="ML", se="bootstrap", bootstrap=30, seed=1, missing="listwise")
    assert fitters_like(given.fit).near.options.se == "standard"
    result = probe(given, worlds=("0",), replications=3, executor="serial")
    assert any("bootstrap" in note for note in result.notes)
    assert result.frame["no_verdict"][0] == 0.0


def test_samples_that_cannot_be_analysed_are_counted(exact: Any) -> None:
    class Nothing:
        notes = ()

        def sample(self, rng: np.random.Generator) -> Any:
            raise DataError("No.")

    fitters = fitters_like(exact.fit)
    assert isinstance(fitters, Fitters)
    work = prepare_work(exact, [Trial(0, Nothing())], 1)  # type: ignore[arg-type]
    assert work([(0, 0)])[0].verdict == "not analysable"
    # A fit without standard errors gives no verdict either.
    population = population_of(exact.fit)
    trial = Trial(0, imitate(exact.fit, population).of(population))
    silent = replace(fitters.near, options=replace(fitters.near.options, se="none"))
    work = replace(prepare_work(exact, [trial], 1), fitters=Fitters(silent, silent))
    assert isinstance(work([(0, 0)])[0], Outcome)
    assert math.isnan(work([(0, 0)])[0].std)


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ({"claims": "Trust -> Capabilty"}, "Did you mean"),
        ({"worlds": ("-2d",)}, "'-d'"),
        ({"worlds": (1.5,)}, "between -1 and 1"),
        ({"replications": 0}, "replications=0"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_mistakes(exact: Any, options: dict[str, Any], fragment: str) -> None:
    with pytest.raises(OptionError, match=fragment):
        probe(exact, **options)
