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


def test_an_item_coded_the_other_way_is_said_first() -> None:
    theory = quietly(ts.load_theory("metz2022").with_indicators, TWO)
    data = ts.load_dataset("trust_survey")
    usual = quietly(ts.appraise, theory, data)
    turned = quietly(ts.appraise, theory, data.assign(t1=-data["t1"]))
    assert "different directions" not in " ".join(usual.notes)
    assert turned.notes[0].startswith("Items of Trust point in different directions: t2, t3 against t1")
    assert turned.verdicts["std"][0] == pytest.approx(-usual.verdicts["std"][0], rel=1e-6)


def test_units_of_items_do_not_matter() -> None:
    theory = quietly(ts.load_theory("metz2022").with_indicators, TWO | {"Motivation": ["m1", "m2", "m3"]})
    data = ts.load_dataset("trust_survey")
    usual = quietly(ts.appraise, theory, data)
    other = quietly(ts.appraise, theory, data.assign(t1=data["t1"] * 100.0, app=data["app"] * 0.01))
    for name in usual.parts:
        one, two = usual.part(name).frame, other.part(name).frame
        for column in one.columns.intersection(two.columns):
            # Raw estimates have units, composites are means of items as they are, and a method factor with equal loadings is another one.
            if one[column].dtype.kind == "f" and column not in ("est", "se", "epc") and not column.startswith(("composite", "corrected")):
                kept = [k for k in range(len(one)) if "id" not in one or not str(one["id"][k]).startswith("R10")]
                if name == "rivals" and column == "bic_weight":
                    continue
                np.testing.assert_allclose(
                    one[column][kept].astype(float), two[column][kept].astype(float), rtol=2e-3, atol=2e-4, err_msg=f"{name} {column}"
                )


def test_the_order_of_rows_and_columns_does_not_matter() -> None:
    theory = quietly(ts.load_theory("metz2022").with_indicators, TWO)
    data = ts.load_dataset("survey")
    usual = quietly(ts.appraise, theory, data, cluster="team")
    other = quietly(ts.appraise, theory, data.sample(frac=1.0, random_state=1)[list(reversed(data.columns))], cluster="team")
    for column in ("std", "std_se", "p_zero", "severity"):
        np.testing.assert_allclose(usual.verdicts[column], other.verdicts[column], rtol=1e-5, atol=1e-9)


def test_no_rows_is_said_in_words() -> None:
    theory = quietly(ts.load_theory("metz2022").with_indicators, TWO)
    with pytest.raises(ts.DataError):
        ts.appraise(theory, ts.load_dataset("trust_survey").iloc[:0])


def test_sizes_stated_by_claims_are_said_to_be_theirs() -> None:
    theory = quietly(ts.load_theory("metz2022").with_indicators, TWO)
    appraisal = quietly(ts.appraise, theory, ts.load_dataset("trust_survey"), sesoi=0.2)
    assert any("d = 0.2 (standardized; set by you)" in note for note in appraisal.notes)


def test_a_probe_of_an_appraisal_without_verdicts_prints() -> None:
    told = str(ts.probe(heywood(), replications=1, executor="serial", progress=False))
    assert "inadmissible" in " ".join(told.split())
