"""An appraisal as a whole: what it holds, how it tells it, and what it says where there is nothing to say."""

from __future__ import annotations

import json
import pickle

import jsonschema
import numpy as np
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.serialise import schema_text

TWO = {"Trust": ["t1", "t2", "t3"], "Outcomes": ["acc", "app", "fea"]}


def survey() -> ts.Appraisal:
    return quietly(ts.appraise, "metz2022", ts.load_dataset("survey"), cluster="team")


def small(**options) -> ts.Appraisal:
    theory = quietly(ts.load_theory("metz2022").with_indicators, TWO)
    return quietly(ts.appraise, theory, ts.load_dataset("trust_survey"), **options)


def heywood() -> ts.Appraisal:
    """An inadmissible solution: a negative residual variance."""
    names = ["a", "b", "c", "y"]
    cov = np.array([[2.0, 1.0, 1.4, 0.4], [1.0, 2.0, 0.4, 0.3], [1.4, 0.4, 2.0, 0.4], [0.4, 0.3, 0.4, 2.0]])
    theory = quietly(ts.load_theory("metz2022").with_indicators, {"Trust": names[:3], "Outcomes": ["y"]})
    import pandas as pd

    return quietly(ts.appraise, theory, sample_cov=pd.DataFrame(cov, index=names, columns=names), sample_nobs=100)


def test_severity_of_the_stated_direction_is_the_one_sided_p_of_the_other() -> None:
    table = small().verdicts
    from scipy.stats import norm

    np.testing.assert_allclose(table["severity"], norm.cdf(table["std"] / table["std_se"]), rtol=1e-12)


@pytest.mark.parametrize("make", [survey, small, heywood])
def test_the_json_keeps_to_its_schema_and_to_the_tables(make) -> None:
    appraisal = make()
    stored = json.loads(appraisal.to_json())
    jsonschema.validate(stored, json.loads(schema_text()), cls=jsonschema.Draft202012Validator)
    assert [row["verdict"] for row in stored["verdicts"]] == list(appraisal.verdicts["verdict"])
    assert list(stored["parts"]) == list(appraisal.parts)
    assert stored["data"]["fingerprint"] == appraisal.fit.sample.fingerprint()
    for name, told in stored["parts"].items():
        assert len(told["rows"]) == len(appraisal.part(name).frame)
        assert told["rows"] or told["notes"], name


def test_no_verdict_is_told_for_an_inadmissible_fit() -> None:
    appraisal = heywood()
    assert set(appraisal.verdicts["verdict"]) == {"no verdict"}
    reason = "the solution is inadmissible: the variance of a is negative"
    assert reason in appraisal.withheld
    assert reason in " ".join(str(appraisal).split())
    assert reason in appraisal._repr_html_()
    for name in appraisal.parts:
        part = appraisal.part(name)
        for column in ("verdict", "status"):
            said = set(part.frame[column]) if column in part.frame else set()
            assert not said & {"supported", "supported but small", "contradicted", "negligible", "holds", "violated"}, name
        if "verdict" in part.frame:
            assert "inadmissible" in part.notes[0], name


def test_some_parts_can_be_left_out() -> None:
    assert json.loads(small().to_json(parts=[]))["parts"] == {}


def test_a_part_that_does_not_exist() -> None:
    with pytest.raises(ts.OptionError, match="has no part 'verdict'"):
        small().part("verdict")


def test_an_appraisal_survives_pickling() -> None:
    appraisal = small()
    again = pickle.loads(pickle.dumps(appraisal))
    assert str(again) == str(appraisal)


def test_a_part_is_computed_once() -> None:
    appraisal = small()
    for name in appraisal.parts:
        assert appraisal.part(name) is appraisal.part(name)


def test_several_groups_get_no_verdict_and_are_told_where_to_go() -> None:
    theory = quietly(ts.load_theory("metz2022").with_indicators, TWO)
    appraisal = quietly(ts.appraise, theory, ts.load_dataset("groups"), group="role")
    assert "ts.compare_roles" in appraisal.withheld
    assert set(appraisal.verdicts["verdict"]) == {"no verdict"}
