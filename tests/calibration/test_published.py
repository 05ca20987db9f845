"""Published power and coverage come out of the study engine: the studies of ``docs/make_published.py``, with fewer replications."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def load():
    spec = importlib.util.spec_from_file_location("make_published", DOCS / "make_published.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_published"] = module  # its records look their types up there
    spec.loader.exec_module(module)
    return module


PUBLISHED = load()
FEWER = PUBLISHED.reproductions(1_000)


@pytest.mark.slow
@pytest.mark.parametrize("reproduction", FEWER, ids=lambda one: one.study.name)
def test_what_was_published_comes_out(reproduction):
    for row in PUBLISHED.measured(reproduction, executor="serial"):
        assert abs(row["z"]) < 3.0, row
        assert row["converged"] > 0.99


def test_the_page_says_what_was_measured():
    rows = json.loads((DOCS / "published.json").read_text(encoding="utf-8"))
    assert PUBLISHED.page(rows) == (DOCS / "published.md").read_text(encoding="utf-8")
    wanted = [(quantity.source, quantity.what, quantity.published) for one in PUBLISHED.reproductions() for quantity in one.quantities]
    assert [(row["source"], row["what"], row["published"]) for row in rows] == wanted
    assert len({row["source"] for row in rows}) >= 4
    for row in rows:
        assert row["z"] == pytest.approx((row["ours"] - row["published"]) / math.hypot(row["mc_error"], row["published_error"]))
        assert abs(row["z"]) < 3.0
