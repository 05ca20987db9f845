"""The shape of the house: layers, lazy imports, no hidden state, files and functions of a size that can be read."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import SOURCE

# From left to right; a layer imports nothing to its right, and nothing of a sibling. `compiled` code and the page itself stand outside.
LAYERS = (
    {"errors", "display"},
    {"options"},
    {"kernels"},
    {"spec", "data"},
    {"model"},
    {"populations"},
    {"theory"},
    {"estimators"},
    {"inference"},
    {"fitting"},
    {"simulators"},
    {"studies"},
    {"appraisal"},
    {"planning"},
    {"reporting"},
    {"cli"},
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
LAZY = {"pandas", "polars", "scipy.optimize", "scipy.stats", "statsmodels", "semopy", "matplotlib", "narwhals", "typer"}
LAZY |= {"networkx", "pyarrow", "filelock", "threadpoolctl", "tqdm", "distributed"}
HEAVY = ("pandas", "matplotlib", "semopy", "statsmodels", "scipy.stats", "scipy.optimize", "polars", "sklearn", "sympy")
LONGEST_FILE, LONGEST_FUNCTION = 300, 60
# Longer than the aim, with the reason. A file may not be added to make a test pass without one.
LONG_FILES = {
    "__init__.py": "the public names, once for type checkers and once for those who look one up",
    "fitting/fit.py": "one class, mostly docstrings",
    "fitting/summary.py": "one text in lavaan's order",
    "fitting/sem.py": "one public signature with its documentation",
    "model/starts.py": "one algorithm over one record of arrays",
    "theory/theory.py": "one class, mostly docstrings",
    "kernels/scoring.py": "one search",
    "appraisal/result.py": "one result and how it is told",
    "cli.py": "one short function for each subcommand",
}
LONG_FUNCTIONS = {
    "kernels/scoring.py:scoring": "a whole search is one kernel, because every kernel costs compilation time",
    "kernels/discrepancy.py:evaluate": "a whole evaluation is one kernel",
    "kernels/discrepancy.py:_add_derivatives": "one pass over the cells",
    "model/ram.py:_structure": "one pass that lays the blocks end to end",
    "fitting/sem.py:sem": "the public signature and its documentation",
}


def files() -> list[Path]:
    return [path for path in sorted(SOURCE.rglob("*.py")) if "__pycache__" not in path.parts]


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def layer_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imports(tree: ast.AST) -> Iterator[tuple[str, int, bool]]:
    """Yield (module, line, within a function) of every import; those for type checkers only are left out."""

    def walk(node: ast.AST, inside: bool) -> Iterator[tuple[str, int, bool]]:
        for child in ast.iter_child_nodes(node):
            if is_type_checking(child):
                continue
            if isinstance(child, ast.Import):
                yield from ((alias.name, child.lineno, inside) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, "relative imports hide where a name comes from"
                yield child.module or "", child.lineno, inside
                yield from ((f"{child.module}.{alias.name}", child.lineno, inside) for alias in child.names)
            else:
                yield from walk(child, inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    yield from walk(tree, False)


PAGE = {"__init__", "__main__"}


def test_every_folder_has_a_layer() -> None:
    unknown = {layer_of(path) for path in files()} - set(RANK) - PAGE
    assert not unknown, f"these have no place in the order of layers: {unknown}"


@pytest.mark.parametrize("path", files(), ids=name_of)
def test_left_imports_nothing_to_its_right(path: Path) -> None:
    own = layer_of(path)
    if own in PAGE:
        return
    wrong = []
    for module, line, _ in imports(parsed(path)):
        parts = module.split(".")
        if parts[0] != "trustsem" or len(parts) == 1:
            assert module != "trustsem" or own == "cli", f"{name_of(path)}:{line} imports the public page"
            continue
        other = parts[1]
        if other in RANK and other != own and RANK[other] >= RANK[own]:
            wrong.append(f"{name_of(path)}:{line} ({own}) imports {module}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", files(), ids=name_of)
def test_imports_inside_functions_are_for_speed_only(path: Path) -> None:
    wrong = []
    for module, line, inside in imports(parsed(path)):
        parts = module.split(".")
        own = parts[0] == "trustsem"
        third_party = any(module == name or module.startswith(name + ".") for name in LAZY)
        if inside and not third_party and parts[0] not in sys.stdlib_module_names and layer_of(path) not in {"cli", *PAGE}:
            # A module of our own may be put off where it is the way to a heavy library, never to dodge a cycle.
            target = SOURCE.joinpath(*parts[1:]).with_suffix(".py") if own else SOURCE
            target = target if target.is_file() else target.parent.with_suffix(".py")
            heavy = own and target.is_file() and any(name.split(".")[0] in LAZY for name, _, _ in imports(parsed(target)))
            if not heavy:
                wrong.append(f"{name_of(path)}:{line} imports {module} inside a function")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", ["estimators", "simulators"])
def test_nothing_lists_the_plug_ins(folder: str) -> None:
    """Adding an estimator or a generator is adding a file: no other module names one."""
    plugins = {path.stem for path in (SOURCE / folder).glob("*.py")} - {"__init__"}
    assert plugins
    allowed = {"__init__.py", "simulators/__init__.py"}  # the public page, and the default generator
    wrong = []
    for path in files():
        if layer_of(path) == folder and path.stem in plugins:
            continue
        for module, line, _ in imports(parsed(path)):
            parts = module.split(".")
            if parts[:2] == ["trustsem", folder] and len(parts) > 2 and parts[2] in plugins and name_of(path) not in allowed:
                wrong.append(f"{name_of(path)}:{line} imports {module}")
    assert not wrong, "\n".join(wrong)


def mutable(node: ast.expr) -> bool:
    if isinstance(node, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
        return True
    if isinstance(node, ast.Call):
        called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""
        return called in {"list", "dict", "set", "defaultdict", "OrderedDict", "deque", "Counter", "array", "zeros", "ones", "empty", "default_rng"}
    return False


@pytest.mark.parametrize("path", files(), ids=name_of)
def test_no_mutable_state_in_a_module(path: Path) -> None:
    wrong = []
    for node in parsed(path).body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if names and names != ["__all__"] and node.value is not None and mutable(node.value):  # type: ignore[attr-defined]
            wrong.append(f"{name_of(path)}:{node.lineno} {names[0]}")
    wrong += [f"{name_of(path)}:{node.lineno} global" for node in ast.walk(parsed(path)) if isinstance(node, ast.Global)]
    assert not wrong, "put constants into a tuple, a frozenset or a MappingProxyType:\n" + "\n".join(wrong)


@pytest.mark.parametrize("path", files(), ids=name_of)
def test_no_random_numbers_without_a_generator(path: Path) -> None:
    wrong = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "random":
            legacy = node.attr not in {"Generator", "default_rng", "SeedSequence", "BitGenerator", "PCG64DXSM"}
            if legacy:
                wrong.append(f"{name_of(path)}:{node.lineno} numpy.random.{node.attr}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", files(), ids=name_of)
def test_nothing_is_evaluated_or_unpickled(path: Path) -> None:
    """Model text is never code, and result files are never pickles."""
    wrong = [
        f"{name_of(path)}:{node.lineno} {node.func.id}"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec", "compile"}
    ]
    wrong += [f"{name_of(path)}:{line} imports pickle" for module, line, _ in imports(parsed(path)) if module.split(".")[0] == "pickle"]
    assert not wrong, "\n".join(wrong)


def test_importing_is_light() -> None:
    code = f"import sys, trustsem; trustsem.sem, trustsem.simulate, trustsem.appraise; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True, timeout=120)
    assert done.stdout.split() == []
    assert done.stderr == ""


def test_the_public_page_is_complete() -> None:
    import trustsem

    for name in trustsem.__all__:
        assert hasattr(trustsem, name), name
    assert len(set(trustsem.__all__)) == len(trustsem.__all__)
    assert list(trustsem.__all__) == sorted(trustsem.__all__, key=lambda name: (not name.isupper(), name))


@pytest.mark.parametrize("path", files(), ids=name_of)
def test_what_a_module_exports_exists(path: Path) -> None:
    tree = parsed(path)
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    exported = [ast.literal_eval(node.value) for node in assigned if "__all__" in ast.unparse(node.targets[0])]
    if not exported or layer_of(path) in PAGE:
        return
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            defined |= {part.id for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            defined.add(node.target.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            defined |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Try):
            defined |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    assert set(exported[0]) <= defined, f"{name_of(path)} exports what it does not have: {set(exported[0]) - defined}"


def test_files_can_be_read_at_a_sitting() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files()}
    long = {name: length for name, length in lengths.items() if length > LONGEST_FILE and name not in LONG_FILES}
    assert not long, f"over {LONGEST_FILE} lines: {long}"


def functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield names and numbers of lines, without the docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and isinstance(body[0].value.value, str):
                body = body[1:]
            signature = (body[0].lineno if body else node.lineno) - node.lineno
            yield node.name, ((node.end_lineno or 0) - body[0].lineno + 1 if body else 0) if signature else 1


def test_functions_can_be_read_at_a_glance() -> None:
    lengths = {f"{name_of(path)}:{name}": length for path in files() for name, length in functions(parsed(path))}
    long = {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION and name not in LONG_FUNCTIONS}
    assert not long, f"over {LONGEST_FUNCTION} lines: {long}"


def test_there_is_no_prose_about_how_the_code_came_to_be() -> None:
    words = ("chatgpt", "copilot", "language model", "claude", "todo", "fixme", "xxx", "/tmp/", "/work/", "/root/")
    wrong = [f"{name_of(path)}: {word}" for path in files() for word in words if word in path.read_text(encoding="utf-8").lower()]
    assert not wrong, wrong
