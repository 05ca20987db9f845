"""Whatever an appraisal returns prints itself, in every place where a value is shown, and can be stored."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil

import pandas as pd
import pytest

import trustsem.appraisal
from trustsem.appraisal.told import Told

for module in pkgutil.walk_packages(trustsem.appraisal.__path__, "trustsem.appraisal."):
    importlib.import_module(module.name)


def kinds(cls: type) -> list[type]:
    return [kind for child in cls.__subclasses__() for kind in (child, *kinds(child))]


KINDS = [kind for kind in kinds(Told) if kind.__module__.startswith("trustsem.")]


def test_there_are_some() -> None:
    assert len(KINDS) > 25


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_is_shown_is_what_is_printed(kind: type) -> None:
    assert kind.__repr__ is Told.__repr__
    assert kind.__dataclass_params__.frozen
    assert inspect.getdoc(kind)


def test_a_table_with_notes_in_text_html_and_json() -> None:
    class Small(Told):
        heading = "Two claims"
        frame = pd.DataFrame({"claim": ["a", "<b>"], "p": [0.0001, float("nan")], "shown": [True, False], "n": [1, 2]})
        notes = ("A note that is long enough to be broken over several lines, because it has more letters than a line of one hundred and ten.",)

    told = Small()
    text = str(told)
    assert "< 0.001" in text
    assert "\n  lines, because" in text or "\n  " in text.split("- A note")[1]
    assert "&lt;b&gt;" in told._repr_html_()
    stored = json.loads(json.dumps(told.to_dict(), allow_nan=False))
    assert stored["rows"][1]["p"] is None
    assert stored["rows"][0] == {"claim": "a", "p": 0.0001, "shown": True, "n": 1}
