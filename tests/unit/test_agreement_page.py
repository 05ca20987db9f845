"""The page "Agreement with other software" is what the code gives today, and its comparison notices what is not."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "make_agreement.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_agreement", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def written(script: ModuleType) -> str:
    return str(script.PAGE.read_text(encoding="utf-8"))


def test_page_is_up_to_date(script: ModuleType, written: str) -> None:
    assert script.differences(written, script.page()) == []


def test_every_case_is_on_the_page(script: ModuleType, written: str) -> None:
    for title, _ in script.CASES.values():
        assert f"## {title}\n" in written
    for measure in script.MEASURES:
        assert written.count(f"| `{measure}` |") == len(script.CASES)


def test_digits(script: ModuleType) -> None:
    assert script.digits(1.0, 1.0) == "11"
    assert script.digits(1.0, 1.00011) == "3"
    assert script.digits(1.0, 2.0) == "0"
    assert script.digits(1.0, -5.0) == "0"
    assert script.digits(1e-15, 3e-13) == ""
    assert script.digits(math.nan, 1.0) == ""


ROWS = "| parameter | trustsem | lavaan | digits | semopy | semopy digits |\n| `a` | 1.5 | 1.5 | 9 | {} | {} |"


@pytest.mark.parametrize(
    ("number", "common", "same"), [("1.500001", "6", True), ("1.500001", "7", True), ("1.5001", "6", False), ("1.5", "8", False), ("", "6", False)]
)
def test_only_semopy_may_move(script: ModuleType, number: str, common: str, same: bool) -> None:
    found = script.differences(ROWS.format("1.5", "6"), ROWS.format(number, common))
    assert (found == []) is same


def test_our_numbers_may_move_by_the_last_digit(script: ModuleType) -> None:
    page = ROWS.format("1.5", "6")
    assert script.differences(page, page.replace("| 1.5 | 1.5 |", "| 1.500001 | 1.5 |", 1)) == []
    assert script.differences(page, page.replace("| 1.5 | 1.5 |", "| 1.500004 | 1.5 |", 1))
    assert script.differences(page, page.replace("| 1.5 | 1.5 |", "|  | 1.5 |", 1))
    assert script.differences(page, page.replace("| 9 |", "| 7 |")) == []
    assert script.differences(page, page.replace("| 9 |", "| 5 |"))
    assert script.differences(page, page.replace("`a`", "`b`"))
    assert script.differences(page, page + "\n") == []
    assert script.differences(page, page + "\nmore")
    assert script.differences("a line", "another line")
