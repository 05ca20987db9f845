"""Simulated worlds with known truth: does the appraisal say what it promises? Runs every file of docs/worlds and writes docs/worlds.md.

python docs/make_worlds.py             # the page from docs/worlds.json
python docs/make_worlds.py --measure   # first measure everything at full size (half an hour on two cores)
python docs/make_worlds.py --measure severity forbidden   # only some of them
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
STORE, PAGE = HERE / "worlds.json", HERE / "worlds.md"
OPENING = """# Simulated worlds

Every part of an appraisal makes promises: errors at a stated rate, severities that are frequencies, tipping points that tip. Here each is kept
or broken in worlds whose truth is known, with Monte Carlo errors. The same worlds run at small size with every test of the library. To measure again:
`python docs/make_worlds.py --measure`.
"""


def worlds() -> dict[str, ModuleType]:
    """Return the modules of docs/worlds by name."""
    found = {}
    for path in sorted((HERE / "worlds").glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"worlds_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        # Workers that are not forked find the functions of a world under this name.
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        found[path.stem] = module
    return found


def cell(value: Any) -> str:
    """Return a value as it is printed in a table."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "" if value != value else f"{value:.3f}"
    return "" if value is None else str(value).replace("|", "\\|")


def section(module: ModuleType, measured: dict[str, Any]) -> str:
    """Return the part of the page about one world."""
    rows = measured["rows"]
    header = list(dict.fromkeys(name for row in rows for name in row))
    lines = [f"## {module.TITLE}", "", module.TEXT.strip(), ""]
    lines += ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(cell(row.get(name)) for name in header) + " |" for row in rows]
    return "\n".join([*lines, "", f"{measured['replications']} replications."])


def main(arguments: list[str]) -> None:
    """Measure what is asked for and write the page."""
    store = json.loads(STORE.read_text(encoding="utf-8")) if STORE.exists() else {}
    found = worlds()
    if "--measure" in arguments:
        for name in [argument for argument in arguments if argument != "--measure"] or list(found):
            began = time.perf_counter()
            rows = found[name].measure(found[name].FULL)
            found[name].check(rows)
            store[name] = {"replications": found[name].FULL, "rows": rows}
            print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
            STORE.write_text(json.dumps(store, indent=1) + "\n", encoding="utf-8")
    parts = [OPENING, *(section(module, store[name]) for name, module in found.items() if name in store)]
    PAGE.write_text("\n\n".join(part.strip() for part in parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
