"""Worlds with known truth, at small size; docs/worlds.md has them at full size."""

from __future__ import annotations

import importlib.util
import json
import sys

import pytest

from helpers import SOURCE

DOCS = SOURCE.parents[1] / "docs"


def runner():
    spec = importlib.util.spec_from_file_location("make_worlds", DOCS / "make_worlds.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


RUNNER = runner()
WORLDS = RUNNER.worlds()


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_the_promises_are_kept(name):
    world = WORLDS[name]
    world.check(world.measure(world.SMALL, executor="serial"))


@pytest.mark.parametrize("name", WORLDS)
def test_the_published_figures_keep_the_promises(name):
    """And are those of the page."""
    store = json.loads(RUNNER.STORE.read_text(encoding="utf-8"))
    assert store[name]["replications"] == WORLDS[name].FULL
    WORLDS[name].check(store[name]["rows"])
    assert RUNNER.section(WORLDS[name], store[name]) in RUNNER.PAGE.read_text(encoding="utf-8")
