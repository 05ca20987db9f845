"""Mistakes with simulation studies: what they are made of, their files, their folders, and who should do the work."""

from __future__ import annotations

import tempfile
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

import trustsem as ts
from messages.cases import Mistake
from trustsem.model.population import Moments
from trustsem.simulators import find, with_options
from trustsem.studies.entries import plain
from trustsem.studies.files import parse_study
from trustsem.studies.source import read_source
from trustsem.studies.store import FolderStore
from trustsem.studies.task import Chunk, Outcome
from trustsem.theory.rivals import repeat_step
from trustsem.theory.types import Step

POPULATION = ts.Population("y ~ x", {"y~x": 0.3, "y~~y": 0.91, "x~~x": 1.0})
TEXT = 'replications = 2\n[population]\nmodel = "y ~ x"\nvalues = {"y~x" = 0.3, "y~~y" = 0.91, "x~~x" = 1.0}\n'


def study(**changes: Any) -> ts.Study:
    return ts.Study(**{"population": POPULATION, "replications": 2, "n": 20, **changes})


def run(one: Any = None, /, *arguments: Any, **options: Any) -> ts.StudyResult:
    return ts.run(study() if one is None else one, *arguments, **{"executor": "serial", "progress": False, **options})


def folder() -> Path:
    return Path(tempfile.mkdtemp())


def damaged(name: str, content: str) -> ts.StudyResult:
    """Damage a file of a finished study, and open it."""
    place = folder() / "s"
    run(None, place)
    (place / name).write_text(content)
    return ts.load_result(place)


def damaged_chunk() -> Any:
    place = folder() / "s"
    run(None, place)
    next((place / "chunks").glob("*.parquet")).write_bytes(b"no table")
    return ts.load_result(place).fits


def in_use() -> Any:
    place = folder() / "s"
    run(None, place)
    with FolderStore(place).locked():
        return run(None, place)


def twice() -> None:
    place = folder() / "s"
    run(None, place)
    nothing = np.empty(0)
    FolderStore(place).add(Chunk(0, 0, ((Outcome("converged", True, nothing, nothing, nothing),) * 2,)))


def changed() -> Any:
    place = folder() / "s"
    run(None, place)
    return run(study(seed=7), place)


def unwritable() -> Any:
    place = folder() / "file"
    place.write_text("")
    return run(None, place / "below")


def no_rename() -> Any:
    """A folder stands where a file should go."""
    place = folder() / "s"
    run(None, place)
    (place / "run.json").unlink()
    (place / "study.toml").unlink()
    (place / "study.toml").mkdir()
    for chunk in (place / "chunks").iterdir():
        chunk.unlink()
    return run(None, place)


class Dying(Executor):
    """Workers that die before they do anything."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        from concurrent.futures import Future
        from concurrent.futures.process import BrokenProcessPool

        future: Future[Any] = Future()
        future.set_exception(BrokenProcessPool("a worker died"))
        return future


class Dead(Executor):
    """Workers that died before anything was handed to them."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        from concurrent.futures.process import BrokenProcessPool

        raise BrokenProcessPool("all workers died")


def dying_processes() -> Any:
    from trustsem.studies import executors

    make = executors._processes
    executors._processes = lambda workers: Dying()
    try:
        return run(executor="processes:2")
    finally:
        executors._processes = make


def in_a_worker() -> Any:
    import multiprocessing

    there = multiprocessing.parent_process
    multiprocessing.parent_process = lambda: object()  # type: ignore[assignment, return-value]
    try:
        return run(executor="processes:2")
    finally:
        multiprocessing.parent_process = there


def without_dask() -> Any:
    import sys

    there = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "distributed"}
    for name in there:
        del sys.modules[name]
    sys.modules["distributed"] = None  # type: ignore[assignment]
    try:
        return run(executor="tcp://127.0.0.1:1")
    finally:
        del sys.modules["distributed"]
        sys.modules.update(there)


def no_dask_there() -> Any:
    from trustsem.studies import executors

    make = executors.Any

    class Client:
        def __init__(self, *_: Any, **__: Any) -> None:
            raise OSError("Timed out")

    import sys
    import types

    there = sys.modules.get("distributed")
    sys.modules["distributed"] = types.SimpleNamespace(Client=Client)  # type: ignore[assignment]
    try:
        assert make is not None
        return run(executor="tcp://127.0.0.1:1")
    finally:
        if there is None:
            del sys.modules["distributed"]
        else:
            sys.modules["distributed"] = there


LABELLED = ts.Population("y ~ b*x\nz ~ b*x", {"b": 0.3, "y~~y": 0.91, "x~~x": 1.0, "z~~z": 0.9, "y~~z": 0.0})
GROUPED = ts.Population(
    ts.compile("y ~ x", like={"y": [1.0, 2.0], "x": [1.0, 3.0], "g": ["a", "b"]}, group="g", fixed_x=False, meanstructure=False).model.table,
    {name + suffix: value for name, value in POPULATION.values.items() for suffix in ("", ".g2")},
)
OPTION, STUDY = ts.OptionError, ts.StudyError

MISTAKES: dict[str, Mistake] = {
    # what a study is made of
    "population of a study": Mistake(lambda: study(population="y ~ x"), OPTION, ("population=", "'str'", "ts.Population")),
    "population with labels": Mistake(
        lambda: study(population=ts.Population(LABELLED.table, LABELLED.values)), OPTION, ("labels", "Build it from model text")
    ),
    "no replications": Mistake(lambda: study(replications=0), OPTION, ("replications=0", "at least 1")),
    "rows of a study": Mistake(lambda: study(n=2.5), OPTION, ("n=2.5", "whole number")),
    "rows of a condition": Mistake(lambda: study(conditions={"n": [0]}), OPTION, ("n=0", "at least 1")),
    "generator of a study": Mistake(lambda: study(generator="Gaussian"), OPTION, ("generator='Gaussian'", "ts.Gaussian()")),
    "no analyses": Mistake(lambda: study(analyses={}), OPTION, ("analyses=", "at least one")),
    "analysis as text": Mistake(lambda: study(analyses={"a": "y ~ x"}), OPTION, ("'a'", "Analysis")),
    "model of an analysis": Mistake(lambda: ts.Analysis(3), OPTION, ("model=", "'int'")),
    "misspelt fit measure": Mistake(lambda: ts.Analysis(measures=["rmsae"]), OPTION, ("'rmsae'", "Did you mean 'rmsea'")),
    "data of an analysis": Mistake(lambda: ts.Analysis(options={"sample_cov": 1}), OPTION, ("'sample_cov'", "every replication")),
    "conditions as text": Mistake(lambda: study(conditions="n"), OPTION, ("conditions='n'", "{'n': [200, 400]}")),
    "a level that is no list": Mistake(lambda: study(conditions={"n": 100}), OPTION, ("'n'", "100", "list")),
    "no conditions": Mistake(lambda: study(conditions=[]), OPTION, ("empty list", "leave conditions= out")),
    "unknown factor": Mistake(lambda: study(conditions={"nn": [3]}), OPTION, ("'nn'", "Did you mean 'n'")),
    "equal conditions": Mistake(lambda: study(conditions=[{"n": 30}, {"n": 30}]), OPTION, ("1 and 2 are the same", "n=30")),
    "a set as level": Mistake(lambda: study(conditions={"n": [{3}]}), OPTION, ("{3}", "no file can hold it")),
    "a value that no file holds": Mistake(lambda: plain({3}), OPTION, ("{3}", "no file can hold it")),
    "a setting that no file holds": Mistake(lambda: study(conditions={"y~x": [object()]}).cells, OPTION, ("no file can hold it",)),
    "variable of an analysis": Mistake(lambda: run(study(analyses={"a": ts.Analysis("y ~ xx")})), OPTION, ("'a'", "'xx'", "Did you mean 'x'")),
    "generator that is not in the chain": Mistake(
        lambda: with_options(ts.Missing(ts.Gaussian()), {"Likert": {}}), OPTION, ("no 'Likert'", "Missing around Gaussian")
    ),
    "option that the generator lacks": Mistake(
        lambda: with_options(ts.Gaussian(), {"Gaussian": {"rate": 1}}), OPTION, ("no option 'rate'", "empirical")
    ),
    "unknown generator": Mistake(lambda: find("Gausian"), OPTION, ("'Gausian'", "Did you mean 'Gaussian'")),
    "wrapping nothing": Mistake(lambda: ts.Missing(None), OPTION, ("Missing wraps a generator", "None")),
    "the wrong way round": Mistake(
        lambda: ts.Clustered(ts.Likert(ts.Gaussian())), OPTION, ("cannot be put around Likert", "`Likert(Clustered(...))`")
    ),
    "twice the same": Mistake(lambda: ts.Likert(ts.Likert(ts.Gaussian())), OPTION, ("cannot be put around Likert", "Use one of them")),
    "a population of very different sizes": Mistake(
        lambda: ts.Gaussian().prepare(Moments(("a", "b"), np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]]))),
        ts.ModelError,
        ("not positive definite", "orders of magnitude"),
    ),
    "rows of several groups": Mistake(lambda: ts.simulate(GROUPED, n=10, seed=1), ts.ModelError, ("several groups", "ts.Grouped")),
    "two values of an option": Mistake(
        lambda: study(generator=ts.Missing(ts.Gaussian()), conditions=[{"rate": 0.1, "Missing.rate": 0.2}]), OPTION, ("'Missing.rate' two values",)
    ),
    "a population that breaks its constraint": Mistake(
        lambda: ts.Population("y ~ a*x + b*z\nb == 2*a", {"a": 0.3, "b": 0.9, "y~~y": 1.0, "x~~x": 1.0, "z~~z": 1.0, "x~~z": 0.0}),
        ts.ModelError,
        ("`b == 2*a`", "leave the constraint out"),
    ),
    "value of a population": Mistake(lambda: POPULATION.value("y~z"), ts.ModelError, ("'y~z'", "Did you mean 'y~x'")),
    "change of a theory": Mistake(lambda: repeat_step(ts.load_theory("metz2022"), Step("dropp")), ts.TheoryError, ("'dropp'", "Did you mean 'drop'")),
    # files
    "no study file": Mistake(lambda: ts.load_study("nowhere.toml"), OPTION, ("'nowhere.toml'", "cannot be read")),
    "not TOML": Mistake(lambda: parse_study("a = "), OPTION, ("not TOML", "missing quote")),
    "unknown key of a study": Mistake(lambda: parse_study(TEXT.replace("replications", "repetitions")), OPTION, ("'repetitions'", "replications")),
    "no population": Mistake(lambda: parse_study("n = 3"), OPTION, ("has no [population]", "theory= or model=")),
    "population as text": Mistake(lambda: parse_study("population = 'y ~ x'"), OPTION, ("population must be a table", "[population]")),
    "analysis that is no table": Mistake(lambda: parse_study(TEXT + "[analyses]\na = 3\n"), OPTION, ("analyses.a must be a table", "[analyses.a]")),
    "generator without kind": Mistake(lambda: parse_study(TEXT + "[generator]\nrate = 0.1\n"), OPTION, ("kind=",)),
    "generator with an unknown option": Mistake(
        lambda: parse_study(TEXT + '[generator]\nkind = "Gaussian"\nrate = 0.1\n'), OPTION, ("Gaussian", "'rate'", "empirical")
    ),
    "population of nothing": Mistake(lambda: read_source({}), OPTION, ("theory=", "model=")),
    "population with an unknown key": Mistake(lambda: read_source({"model": "y ~ x", "value": {}}), OPTION, ("'value'", "Did you mean 'values'")),
    # folders
    "a folder without results": Mistake(lambda: ts.load_result(folder()), STUDY, ("no results",)),
    "run.json damaged": Mistake(lambda: damaged("run.json", "{"), STUDY, ("run.json", "damaged")),
    "results of another format": Mistake(lambda: damaged("run.json", '{"schema": 99, "chunk_size": 5, "versions": {}}'), STUDY, ("format 99",)),
    "layout damaged": Mistake(lambda: damaged("layout.json", "[3]"), STUDY, ("layout.json", "damaged")),
    "chunk damaged": Mistake(damaged_chunk, STUDY, ("is damaged", "Delete it and run the study again")),
    "folder in use": Mistake(in_use, STUDY, ("Another run is writing", "another folder")),
    "chunk written twice": Mistake(twice, STUDY, ("is there already and is not overwritten",)),
    "another study in the folder": Mistake(changed, STUDY, ("seed: 1 there, 7 now", "another folder")),
    "folder with something else": Mistake(lambda: run(None, Path(__file__).parent), STUDY, ("and no study", "new or empty folder")),
    "folder that cannot be made": Mistake(unwritable, STUDY, ("cannot be made",)),
    "file that cannot be written": Mistake(no_rename, STUDY, ("it cannot be written", "goes on where it stopped")),
    # who does the work
    "a study that is none": Mistake(lambda: run("study.toml"), OPTION, ("needs a Study", "ts.load_study")),
    "chunks of nothing": Mistake(lambda: run(chunk_size=0), OPTION, ("chunk_size=0",)),
    "unknown executor": Mistake(lambda: run(executor="cluster"), OPTION, ("executor='cluster'", "'processes'", "Dask")),
    "no processes": Mistake(lambda: run(executor=0), OPTION, ("executor=0",)),
    "foreign workers that die": Mistake(lambda: run(executor=Dying()), STUDY, ("workers of executor= died", "goes on where it stopped")),
    "foreign workers that are dead": Mistake(lambda: run(executor=Dead()), STUDY, ("workers of executor= died (all workers died)",)),
    "workers that die again and again": Mistake(dying_processes, STUDY, ("died 3 times", "executor=1")),
    "processes in a process": Mistake(in_a_worker, STUDY, ("__main__", "executor='serial'")),
    "Dask that is not installed": Mistake(without_dask, OPTION, ("not installed", "trustsem[dask]")),
    "Dask that is not there": Mistake(no_dask_there, OPTION, ("no Dask scheduler answers there", "Timed out")),
    # results
    "unknown measure": Mistake(lambda: run().performance("powr"), OPTION, ("'powr'", "Did you mean 'power'")),
    "unknown parameter": Mistake(lambda: run().performance(parameters="y~z"), OPTION, ("'y~z'", "y~x")),
    "usable results": Mistake(lambda: run().performance(usable="all"), OPTION, ("usable='all'", "'converged'")),
    "level of performance": Mistake(lambda: run().performance(level=95), OPTION, ("level=95",)),
    "no such replication": Mistake(lambda: ts.replay(run(), "abc-1"), OPTION, ("key='abc-1'", "column 'key'")),
    "no such analysis": Mistake(lambda: ts.replay(run(), (0, 1)).fit("MLR"), OPTION, ("'MLR'", "There are ML")),
    "an error to stop at": Mistake(lambda: ts.StopRule("power", 0.0), OPTION, ("error=0.0", "0.01")),
    "looks of a stop rule": Mistake(lambda: ts.StopRule("power", 0.1, every=1), OPTION, ("every=1",)),
    "replications for nothing": Mistake(lambda: ts.replications_for(0.01), OPTION, ("proportion=", "sd=")),
    "replications for no error": Mistake(lambda: ts.replications_for(0, sd=1), OPTION, ("error=0",)),
    "replications for a certainty": Mistake(lambda: ts.replications_for(0.01, proportion=1), OPTION, ("proportion=1", "0.5")),
    "replications without spread": Mistake(lambda: ts.replications_for(0.01, sd=-1), OPTION, ("sd=-1",)),
}
