"""Simulation studies of the full theory: 1,000 replications on two cores against the same loop with lavaan on one; and memory in a long one."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.fit import DATA, THEORY, Result
from benchmarks.lavaan import MISSING, Lavaan
from benchmarks.process import Process, talking
from benchmarks.tables import goal, table
from benchmarks.timing import ratio, seconds, spread, take_turns

REPLICATIONS, CORES, WANTED = 1_000, 2, 60.0
LAVAAN_REPETITIONS = {"ML": 20, "FIML": 1}
OUR_REPLICATIONS = {"ML": REPLICATIONS, "FIML": 100}
LONG, SHORT = 100_000, 10_000


def run(lavaan: Lavaan | None, *, rounds: int = 3, long: int = LONG, short: int = SHORT) -> Result:
    """Measure and print ratios; lavaan makes fewer replications, and its time is scaled to as many."""
    result = Result(lines=[f"## A simulation study: {REPLICATIONS:,} replications of the full theory", ""])
    with talking([sys.executable, "-m", "benchmarks.study"]) as process:
        ours = Process(process)
        players = {f"trustsem {name}": ours.job(name) for name in OUR_REPLICATIONS}
        if lavaan is not None:
            lavaan.read(THEORY, DATA)
            players |= {f"lavaan {name}": lavaan.job(f"replication_{name}") for name in LAVAAN_REPETITIONS}
        times = take_turns(players, rounds, {f"lavaan {name}": count for name, count in LAVAAN_REPETITIONS.items()})
        memory = [float(word) for word in ours.ask("memory", short, long).split()]
    for name, replications in OUR_REPLICATIONS.items():
        times[f"trustsem {name}"] = [value * REPLICATIONS / replications for value in times[f"trustsem {name}"]]
        times[f"lavaan {name}"] = [value * REPLICATIONS for value in times.get(f"lavaan {name}", [])]
    result.numbers = {name: spread(values)._asdict() for name, values in times.items() if values}
    result.lines += [
        "32 indicators, 400 rows, data drawn anew in every replication, standard errors and fit measures kept.",
        f"trustsem on {CORES} processes (started within the time shown; compiled code loaded), lavaan in a loop on one core.",
        f"Replications a round: {REPLICATIONS:,} against {LAVAAN_REPETITIONS['ML']} with ML, {OUR_REPLICATIONS['FIML']} against "
        f"{LAVAAN_REPETITIONS['FIML']} with 8 % of the cells missing; times are scaled to {REPLICATIONS:,}.",
        "",
    ]
    rows = []
    for name in OUR_REPLICATIONS:
        fast, slow = times[f"trustsem {name}"], times[f"lavaan {name}"]
        if not slow:
            rows.append([name, seconds(spread(fast).median), MISSING, "", "", ""])
            continue
        found = ratio(slow, fast)
        result.numbers[f"lavaan {name} / trustsem {name}"] = found._asdict()
        shown = f"{found.median:.0f} times ({found.lower:.0f} to {found.upper:.0f})"
        rows.append([name, seconds(spread(fast).median), seconds(spread(slow).median), shown, f"{WANTED:.0f}", goal(found.median >= WANTED)])
    result.lines += table(["", "trustsem", "lavaan, scaled", "faster by", "goal", ""], rows)
    early, late, took, size = memory
    result.numbers["memory in MB"] = {"early": early, "late": late}
    result.lines += [
        "",
        f"Memory of all processes together, libraries not counted: {early:,.0f} MB after {short:,} replications, {late:,.0f} MB after {long:,} "
        f"({took:,.0f} s, {size:,.0f} MB of results on disk).",
    ]
    return result


def serve() -> None:
    """Answer "ML 3" with the seconds of three studies, and "memory SHORT LONG" with what a long one takes."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    import trustsem as ts

    theory = ts.load_theory("metz2022").strict()
    studies = {
        "ML": ts.Study(theory, replications=OUR_REPLICATIONS["ML"], n=400),
        "FIML": ts.Study(
            theory,
            {"FIML": ts.Analysis(options={"missing": "fiml"})},
            replications=OUR_REPLICATIONS["FIML"],
            n=400,
            generator=ts.Missing(ts.Gaussian(), 0.08),
        ),
    }
    print("trustsem", flush=True)
    for line in sys.stdin:
        name, *numbers = line.split()
        if name == "memory":
            print(*_memory(theory, *(int(number) for number in numbers)), flush=True)
            continue
        found = []
        for _ in range(int(numbers[0])):
            begin = time.perf_counter()
            result = ts.run(studies[name], executor=CORES, progress=False, chunk_size=50 if name == "ML" else 5)
            found.append(time.perf_counter() - begin)
            assert result.finished
            assert len(result.failures) == 0
        print(*found, flush=True)


def _memory(theory: object, short: int, long: int) -> tuple[float, float, float, float]:
    """Return the memory (MB) after `short` and after `long` replications, the seconds, and the size of the results (MB)."""
    import trustsem as ts
    from trustsem.studies.store import FolderStore

    seen: list[float] = []
    add = FolderStore.add

    def counted(self: FolderStore, chunk: object) -> None:
        add(self, chunk)  # type: ignore[arg-type]
        counted.done += 50  # type: ignore[attr-defined]
        if counted.done in (short, long):  # type: ignore[attr-defined]
            seen.append(_resident())

    counted.done = 0  # type: ignore[attr-defined]
    FolderStore.add = counted  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        ts.run(ts.Study(theory, replications=long, n=400), Path(folder) / "study", executor=CORES, progress=False)
        took = time.perf_counter() - begin
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.parquet")) / 1e6
    FolderStore.add = add  # type: ignore[method-assign]
    return seen[0], seen[-1], took, size


def _resident() -> float:
    """Return the memory (MB) of this process and its workers that is theirs alone (anonymous pages), without files such as libraries."""
    import multiprocessing

    def own(pid: int) -> float:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
        return float(next(line for line in text.splitlines() if line.startswith("Anonymous:")).split()[1]) / 1024

    return own(os.getpid()) + sum(own(child.pid) for child in multiprocessing.active_children() if child.pid is not None)


if __name__ == "__main__":
    serve()
