"""Every mistake gets the right error with a message that helps, and every `raise` of the core is reached by one of them."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import trustsem as ts
from helpers import SOURCE
from messages import (
    appraisal,
    appraisal_forbidden,
    appraisal_mechanism,
    appraisal_miiv,
    appraisal_rivals,
    appraisal_sensitivity,
    appraisal_severity,
    appraisal_theory,
    appraisal_waves,
    cases,
    comparison,
    distributions,
    imputed,
    planning,
    populations,
    quality,
    resampling,
    responses,
    robust,
    studies,
    study_files,
    teams,
    two_level,
)
from messages.cases import BAD_DATA, ONE, cfa

MODULES = (
    cases,
    robust,
    imputed,
    resampling,
    comparison,
    quality,
    two_level,
    distributions,
    responses,
    teams,
    populations,
    studies,
    study_files,
    planning,
    appraisal,
    appraisal_forbidden,
    appraisal_mechanism,
    appraisal_miiv,
    appraisal_rivals,
    appraisal_sensitivity,
    appraisal_severity,
    appraisal_theory,
    appraisal_waves,
)
MISTAKES = {name: mistake for module in MODULES for name, mistake in module.MISTAKES.items()}
CORE = ("kernels", "model", "populations", "estimators", "inference", "fitting", "simulators", "studies", "appraisal", "planning", "options.py")


def test_no_mistake_hides_another_of_the_same_name() -> None:
    assert len(MISTAKES) == sum(len(module.MISTAKES) for module in MODULES)


@pytest.mark.parametrize("name", MISTAKES)
def test_the_message_helps(name: str) -> None:
    mistake = MISTAKES[name]
    with pytest.raises(mistake.error) as caught:
        mistake.call()
    text = str(caught.value)
    for fragment in mistake.helpful:
        assert fragment in text, f"{fragment!r} is not in {text!r}"
    sentence = text.split("\n")[0]
    sentence = re.sub(r" \(line \d+, column \d+\)$", "", sentence)
    assert sentence[0].isupper() or re.match(r"[a-z_0-9']+(=|\(|\[|'| )", sentence), text
    assert sentence[-1] in ".?", text


@pytest.mark.parametrize("name", MISTAKES)
def test_the_class_is_exactly_the_one_promised(name: str) -> None:
    mistake = MISTAKES[name]
    with pytest.raises(ts.TrustsemError) as caught:
        mistake.call()
    assert isinstance(caught.value, mistake.error)
    assert caught.value.__cause__ is None or isinstance(caught.value.__cause__, Exception)


@pytest.mark.parametrize("estimator", ["ML", "GLS", "ULS"])
@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_are_refused_by_name(name: str, estimator: str) -> None:
    with pytest.raises(ts.DataError) as caught:
        cfa(ONE, BAD_DATA[name], estimator=estimator)
    assert re.search(r"x[123]\b|rows?\b|Rescale", str(caught.value)), str(caught.value)


# ---- every raise is reached -----------------------------------------------------------------------------------------------------------


def core_files() -> list[Path]:
    found: list[Path] = []
    for name in CORE:
        found += [SOURCE / name] if name.endswith(".py") else sorted((SOURCE / name).rglob("*.py"))
    return [path for path in found if "__pycache__" not in path.parts]


def raise_lines(path: Path) -> dict[int, str]:
    """Return first line and source of every raise statement."""
    text = path.read_text(encoding="utf-8")
    return {node.lineno: ast.get_source_segment(text, node) or "" for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Raise)}


def reached_lines(files: set[str]) -> set[tuple[str, int]]:
    """Make every mistake once and return the lines (file, line) of `files` that ran."""
    reached: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            reached.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for mistake in MISTAKES.values():
            try:
                mistake.call()
            except ts.TrustsemError:
                continue
    finally:
        sys.settrace(before)
    return reached


def test_every_raise_of_the_core_is_reached() -> None:
    lines = {(str(path), line): source for path in core_files() for line, source in raise_lines(path).items()}
    assert len(lines) > 40
    reached = reached_lines({path for path, _ in lines})
    missed = {f"{Path(path).name}:{line} {source[:90]}" for (path, line), source in lines.items() if (path, line) not in reached}
    assert not missed, "no test reaches these raise statements:\n" + "\n".join(sorted(missed))


# ---- how messages are written -----------------------------------------------------------------------------------------------------------


def literal_ends(node: ast.expr) -> tuple[str, str]:
    """Return the literal beginning and end of a message; empty where a value stands there."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value, node.value
    if isinstance(node, ast.JoinedStr) and node.values:
        first, last = node.values[0], node.values[-1]
        return (
            str(first.value) if isinstance(first, ast.Constant) else "",
            str(last.value) if isinstance(last, ast.Constant) else "",
        )
    return "", ""


def messages() -> list[tuple[str, ast.expr]]:
    """Return the message of every error of the library that is raised with one directly."""
    names = {name for name, thing in vars(ts).items() if isinstance(thing, type) and issubclass(thing, Exception)} - {"TrustsemWarning"}
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name) and node.exc.func.id in names:
                place = f"{path.relative_to(SOURCE)}:{node.lineno}"
                assert node.exc.args, f"{place} raises without a message"
                found.append((place, node.exc.args[0]))
    return found


def test_messages_begin_with_a_capital_or_the_argument_and_end_with_a_full_stop() -> None:
    found = messages()
    assert len(found) > 60
    wrong = []
    for place, node in found:
        first, last = literal_ends(node)
        # A message may begin with the argument or the call it is about, written as the user writes it.
        if first and not (first[0].isupper() or first[0] in "'\"`" or re.match(r"(--)?[a-z_]+(=|\(|\[| is | has | and --)", first)):
            wrong.append(f"{place} begins {first[:40]!r}")
        if last and last.rstrip()[-1:] not in ".?":
            wrong.append(f"{place} ends {last[-40:]!r}")
    assert not wrong, "\n".join(wrong)


def test_no_message_is_written_with_percent_or_format() -> None:
    wrong = [place for place, node in messages() if isinstance(node, ast.BinOp | ast.Call) and "format" in ast.dump(node)]
    assert not wrong, wrong


def test_only_the_errors_of_the_library_are_raised() -> None:
    """A bare ValueError would slip past `except TrustsemError`."""
    names = {name for name, thing in vars(ts).items() if isinstance(thing, type) and issubclass(thing, Exception)}
    allowed = names
    wrong = []
    for path in core_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and node.exc is not None:
                called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                if not (isinstance(called, ast.Name) and called.id in allowed):
                    wrong.append(f"{path.relative_to(SOURCE)}:{node.lineno}")
    assert not wrong, wrong
