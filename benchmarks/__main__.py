"""Speed against lavaan (if R has it) and semopy, on one core: ``python -m benchmarks [NAME|all] [--json FILE] [--page FILE]``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, pin

HOW = """# Speed

Written by `python -m benchmarks --page docs/speed.md`. Every ratio was measured in one run, on one core and with one BLAS thread for R and
Python alike. The contestants take turns, round by round and in alternating order, so that drift of the machine cancels; a ratio is the median
of the rounds' ratios. lavaan is timed inside one R process, so that starting R is not counted. Its shortest refit hands over options,
parameter table and model of an earlier fit (`slotOptions`, `slotParTable`, `slotModel`) without baseline model, saturated model and checks;
that gives the same estimates, standard errors and chi-square. semopy stops at its default tolerance, with three or four digits.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks asked for and print their tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="?", default="all", choices=["fit", "first", "scale", "missing", "bootstrap", "two_level", "study", "all"])
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--page", type=Path, help="write the tables to this file, as Markdown")
    parser.add_argument("--rounds", type=int, default=25, help="rounds of the comparison with lavaan and semopy")
    asked = parser.parse_args(arguments)
    pinned = pin()
    from benchmarks import bootstrap, first, fit, missing, scale, study, two_level
    from benchmarks.lavaan import MISSING, running

    with running() as lavaan:
        machine = [*describe(pinned), f"lavaan: {MISSING}" if lavaan is None else lavaan.version]
        print("\n".join(machine), flush=True)
        pages: list[str] = []
        numbers: dict[str, dict[str, Any]] = {}
        jobs: dict[str, Callable[[], fit.Result]] = {
            "fit": lambda: fit.run(lavaan, rounds=asked.rounds),
            "first": first.run,
            "scale": lambda: scale.run(lavaan),
            "missing": lambda: missing.run(lavaan),
            "bootstrap": lambda: bootstrap.run(lavaan),
            "two_level": lambda: two_level.run(lavaan),
            "study": lambda: study.run(lavaan),
        }
        for name, job in jobs.items():
            if asked.what in (name, "all"):
                result = job()
                print("\n" + "\n".join(result.lines), flush=True)
                pages.append("\n".join(result.lines))
                numbers[name] = result.numbers
    if asked.json:
        asked.json.write_text(json.dumps({"machine": machine, **numbers}, indent=1), encoding="utf-8")
    if asked.page:
        text = "\n\n".join([HOW.strip(), "Measured on: " + "; ".join(machine) + ".", *pages])
        asked.page.write_text(text + "\n", encoding="utf-8")
    return 0


def cell(p: int, n: int) -> int:
    """Measure one cell of the table of :mod:`benchmarks.scale`, in this process."""
    pin()
    from benchmarks.scale import measure

    print(json.dumps(measure(p, n)))
    return 0


if __name__ == "__main__":
    sys.exit(cell(int(sys.argv[2]), int(sys.argv[3])) if sys.argv[1:2] == ["cell"] else main())
