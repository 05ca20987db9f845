"""The documents run, and say what the library says."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib as mpl
import pytest

import trustsem as ts
from trustsem.errors import WARNING_REMEDIES
from trustsem.spec.refusals import HEADERS, MODIFIERS, OPERATORS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
RUNNABLE = [ROOT / "README.md", DOCS / "quickstart.md"]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(text: str, language: str) -> list[tuple[str, str]]:
    """Return (title, content) of the fenced blocks in a language."""
    return [(m[1] or "", m[2]) for m in re.finditer(rf'^```{language}(?: title="(.*?)")?\n(.*?)^```$', text, flags=re.MULTILINE | re.DOTALL)]


PARTS = ("severity", "calibrate", "forbidden", "mechanism", "rivals", "equivalent", "adjustment", "identification", "sensitivity", "waves", "roles")
APPRAISED = [DOCS / f"{name}.md" for name in ("appraisal", *PARTS)]
STUDIED = [DOCS / "simulation.md", DOCS / "studies.md", DOCS / "planning.md"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*TS-:trustsem.errors.TrustsemWarning")
@pytest.mark.parametrize("page", STUDIED, ids=lambda page: page.name)
def test_examples_of_simulation_run_and_print_what_the_page_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = text_of(page)
    for title, content in blocks(text, "toml"):
        Path(title).write_text(content, encoding="utf-8")
    names: dict[str, Any] = {}
    for _, code in blocks(text, "python"):
        exec(compile(code, page.name, "exec"), names)
    printed = capsys.readouterr().out
    shown = [line for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [line for line in printed.splitlines() if re.match(r"\| \d+ \|", line)] == shown
    if page.name == "studies.md":
        assert len(shown) == 12
        assert {path.name for path in Path("tables").iterdir()} == {"performance.csv", "fit_indices.csv", "failures.csv"}
        assert Path("coverage.png").stat().st_size > 10_000
        assert "<h1>Simulation study: teams</h1>" in Path("report.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*TS-:trustsem.errors.TrustsemWarning")
@pytest.mark.parametrize("page", APPRAISED, ids=lambda page: page.name)
def test_examples_of_appraisal_run_and_print_what_the_page_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    mpl.use("agg")
    text = text_of(page)
    names: dict[str, Any] = {"ts": ts}
    codes = [content for _, content in blocks(text, "python")]
    assert codes
    for code in codes:
        exec(compile(code, page.name, "exec"), names)
    printed = " ".join(capsys.readouterr().out.split())
    shown = [line.strip(" .") for _, content in blocks(text, "text") for line in content.splitlines()]
    missing = [line for line in shown if line and " ".join(line.split()) not in printed]
    assert missing == []


@pytest.mark.filterwarnings("ignore:.*TS-:trustsem.errors.TrustsemWarning")
@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    mpl.use("agg")
    text = text_of(page)
    for title, content in blocks(text, "toml"):
        Path(title).write_text(content, encoding="utf-8")
    names: dict[str, Any] = {}
    codes = [content for _, content in blocks(text, "python")]
    assert codes
    for code in codes:
        exec(compile(code, page.name, "exec"), names)
    printed = capsys.readouterr().out
    assert "verdict" in printed
    assert (tmp_path / "verdicts.png").stat().st_size > 10_000


def test_the_output_in_the_readme_is_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    text = text_of(ROOT / "README.md")
    exec(compile(blocks(text, "python")[0][1], "README.md", "exec"), {})
    printed = capsys.readouterr().out
    lines = [line.removesuffix(" ...") for _, content in blocks(text, "text") for line in content.splitlines()]
    shown = [line for line in lines if line.strip(" .")]
    assert len(shown) >= 15
    assert [line for line in shown if line not in printed] == []


def test_the_example_of_the_readme_has_about_ten_lines() -> None:
    (_, code), *_ = blocks(text_of(ROOT / "README.md"), "python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", text):
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve()
        assert path.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", text_of(path), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_every_warning_is_documented() -> None:
    page = text_of(DOCS / "warnings.md")
    assert page == load(DOCS / "make_pages.py").warnings_page()
    for code, remedy in WARNING_REMEDIES.items():
        assert f"## {code}\n\n{remedy}\n" in page


def test_every_code_in_the_source_has_a_remedy_and_is_used() -> None:
    source = {path: text_of(path) for path in (ROOT / "src").rglob("*.py") if path.name != "errors.py"}
    used = {code for text in source.values() for code in re.findall(r"TS-[A-Z]+-\d\d", text)}
    assert used <= set(WARNING_REMEDIES)


def test_the_syntax_page_names_everything_that_is_refused() -> None:
    page = text_of(DOCS / "syntax.md").replace("&#124;", "|")
    for operator in OPERATORS:
        assert f" {operator} " in page
    for name in (*MODIFIERS, *(f"{header}:" for header in HEADERS)):
        assert f"`{name}" in page or f" `{name}" in page


@pytest.mark.parametrize("operator", ["=~", "~", "~~", ":=", "==", "<", ">"])
def test_the_syntax_page_names_every_operator(operator: str) -> None:
    assert f" {operator} " in text_of(DOCS / "syntax.md")


def test_the_estimators_page_names_every_estimator() -> None:
    from trustsem.estimators import available

    page = text_of(DOCS / "estimators.md")
    for name in available():
        assert f"`{name}`" in page
        assert any(re.search(rf"\b{name}\b", text_of(path)) for path in (DOCS / "estimators").glob("*.md"))


def test_the_fit_measures_page_names_real_measures() -> None:
    fit = ts.cfa("f =~ x1 + x2 + x3 + x4", ts.load_dataset("holzinger_swineford"), meanstructure=True)
    table = text_of(DOCS / "fit_measures.md").split("We print no cut-offs")[0]
    named = {name for line in table.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert len(named) > 20
    assert named <= set(fit.fit_measures().index)


def constants(path: Path, *names: str) -> dict[str, str]:
    """Return the source of module constants, without running the module."""
    text = text_of(path)
    assigned = [node for node in ast.parse(text).body if isinstance(node, ast.Assign)]
    found = {
        target.id: ast.get_source_segment(text, node.value) or "" for node in assigned for target in node.targets if isinstance(target, ast.Name)
    }
    return {name: found[name] for name in names}


def test_the_ledger_has_every_exception_of_the_parity_tests() -> None:
    ledger = text_of(DOCS / "ledger.md")
    source = constants(ROOT / "tests" / "reference" / "test_lavaan_parity.py", "SHARED", "SKIPPED", "LAVAAN_WRONG")
    cases = set(re.findall(r'\("(\w+)", "\w+"\)', source["SKIPPED"] + source["LAVAAN_WRONG"]))
    cases |= set(" ".join(re.findall(r'"(.*?)"', source["SHARED"])).split())
    assert len(cases) > 20
    assert sorted(case for case in cases if f"`{case}`" not in ledger) == []


def test_the_reference_has_every_public_name() -> None:
    page = text_of(DOCS / "reference.md")
    listed = {target.rsplit(".", 1)[-1] for target in re.findall(r"^::: ([\w.]+)", page, flags=re.MULTILINE)}
    errors = {name for name in ts.__all__ if isinstance(getattr(ts, name), type) and issubclass(getattr(ts, name), Exception | Warning)}
    assert set(ts.__all__) - errors - {"__version__"} <= listed
    assert "errors" in listed


def test_the_public_page_gives_each_name_and_no_other() -> None:
    for name in ts.__all__:
        assert getattr(ts, name) is not None
        assert name in dir(ts)
    with pytest.raises(AttributeError, match=r"module 'trustsem' has no attribute 'apraise'\. Did you mean 'appraise'"):
        ts.apraise  # noqa: B018


def test_the_public_page_says_the_same_to_type_checkers_and_at_run_time() -> None:
    tree = ast.parse(text_of(ROOT / "src" / "trustsem" / "__init__.py"))
    (branch,) = [node for node in tree.body if isinstance(node, ast.If)]
    checked = {alias.name: node.module for node in branch.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    (homes,) = [node.value for node in branch.orelse if isinstance(node, ast.Assign)]
    looked_up = {name: module for module, names in ast.literal_eval(homes) for name in names.split()}
    assert looked_up == checked
    assert set(checked) <= set(ts.__all__)


def test_roles_of_docstrings_become_plain_code() -> None:
    hooks = load(DOCS / "hooks.py")
    assert hooks.on_page_content("see :func:<code>trustsem.fit</code> and :meth:<code>~a.B.c</code>, not: <code>x</code>", page=None) == (
        "see <code>fit</code> and <code>c</code>, not: <code>x</code>"
    )
