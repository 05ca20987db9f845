"""Who does the work and how often it is interrupted makes no difference; nothing is lost, and nothing is overwritten."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import trustsem as ts
from trustsem.studies import store as storing
from trustsem.studies.design import Analysis, Study
from trustsem.studies.result import load_result
from trustsem.studies.run import replay, run
from trustsem.studies.stopping import StopRule

sys.path.insert(0, str(Path(__file__).parent))
from worker import small

THEORY = ts.load_theory("metz2022").strict()


def content(folder):
    """Return the SHA-256 of every file of a finished study."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.name != "lock"
    }


@pytest.fixture(scope="module")
def theory_study():
    analyses = {"ML": Analysis(), "standardized": Analysis(standardized=True)}
    return Study(THEORY, conditions={"n": [150, 300]}, analyses=analyses, replications=12, seed=5)


@pytest.fixture(scope="module")
def reference(theory_study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("serial") / "study"
    return content(folder) if run(theory_study, folder, executor="serial", chunk_size=5).finished else None


@pytest.mark.parametrize("executor", ["threads:1", "threads:3", "processes:2", 3, "thread pool", "process pool"])
def test_results_are_byte_identical_whoever_does_the_work(executor, theory_study, reference, tmp_path):
    made = {"thread pool": lambda: ThreadPoolExecutor(2), "process pool": lambda: ProcessPoolExecutor(2)}.get(executor)
    if made is None:
        run(theory_study, tmp_path / "s", executor=executor, chunk_size=5)
    else:
        with made() as pool:
            run(theory_study, tmp_path / "s", executor=pool, chunk_size=5)
    assert content(tmp_path / "s") == reference


def test_memory_and_folder_hold_the_same(theory_study, reference, tmp_path):
    kept = run(theory_study, executor="serial", chunk_size=7)
    there = run(theory_study, tmp_path / "s", executor="serial", chunk_size=5)
    assert kept.fingerprint() == there.fingerprint()
    assert content(tmp_path / "s") == reference


def test_a_finished_study_is_not_run_again(tmp_path):
    run(small(10), tmp_path / "s", executor="serial")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "s" / "chunks").iterdir()}
    again = run(small(10), tmp_path / "s", executor="serial")
    assert again.finished
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "s" / "chunks").iterdir()} == before
    assert load_result(tmp_path / "s").fingerprint() == again.fingerprint()


@pytest.mark.parametrize("chunks", [1, 4])
def test_killed_at_any_moment_it_goes_on_where_it_stopped(chunks, tmp_path):
    """The process is killed without warning once so many chunks are there, and the finished study equals one that ran through."""
    folder = tmp_path / "s"
    script = [sys.executable, str(Path(__file__).parent / "worker.py"), str(folder), "30", "0.05"]
    with subprocess.Popen(script) as process:
        deadline = time.monotonic() + 60
        while len(list((folder / "chunks").glob("*.parquet"))) < chunks and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    there = content(folder)
    assert 0 < sum(name.endswith(".parquet") for name in there) < 12
    run(small(30), folder, executor="serial")
    run(small(30), tmp_path / "whole", executor="serial", chunk_size=5)
    finished = content(folder)
    whole = content(tmp_path / "whole")
    assert {name: finished[name] for name in there if not Path(name).name.startswith(".")} == {
        name: there[name] for name in there if not Path(name).name.startswith(".")
    }
    assert {name: digest for name, digest in finished.items() if not Path(name).name.startswith(".")} == whole


def test_drafts_left_by_a_killed_run_do_not_count(tmp_path):
    run(small(10), tmp_path / "s", executor="serial", chunk_size=5)
    (tmp_path / "s" / "chunks" / ".c0000-r0000000-0000005.parquet.99").write_bytes(b"half")
    assert load_result(tmp_path / "s").counts == (10, 10)


def test_a_missing_chunk_is_made_again(tmp_path):
    run(small(20), tmp_path / "s", executor="serial", chunk_size=5)
    before = content(tmp_path / "s")
    (tmp_path / "s" / "chunks" / "c0001-r0000005-0000010.parquet").unlink()
    assert load_result(tmp_path / "s").counts == (20, 15)
    run(small(20), tmp_path / "s", executor="serial")
    assert content(tmp_path / "s") == before


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "text"])
def test_a_damaged_chunk_is_named_and_nothing_is_lost(damage, tmp_path):
    run(small(20), tmp_path / "s", executor="serial", chunk_size=5)
    before = content(tmp_path / "s")
    place = tmp_path / "s" / "chunks" / "c0001-r0000005-0000010.parquet"
    whole = place.read_bytes()
    middle = len(whole) // 4
    flipped = whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :]
    place.write_bytes({"cut": whole[:-100], "empty": b"", "flipped": flipped, "text": b"not a table"}[damage])
    with pytest.raises(ts.StudyError, match=r"c0001-r0000005-0000010\.parquet' is damaged .*Delete it and run the study again"):
        run(small(20), tmp_path / "s", executor="serial")
    place.unlink()
    run(small(20), tmp_path / "s", executor="serial")
    assert content(tmp_path / "s") == before


def test_a_damaged_description_of_columns_is_made_anew(tmp_path):
    run(small(10), tmp_path / "s", executor="serial")
    before = content(tmp_path / "s")
    (tmp_path / "s" / "layout.json").write_text('[{"key": ')
    with pytest.raises(ts.StudyError, match=r"layout\.json' is damaged .*Delete it and run the study again"):
        load_result(tmp_path / "s")
    (tmp_path / "s" / "layout.json").unlink()
    run(small(10), tmp_path / "s", executor="serial")
    assert content(tmp_path / "s") == before


def test_another_study_is_refused_and_the_difference_named(tmp_path):
    run(small(10), tmp_path / "s", executor="serial")
    before = content(tmp_path / "s")
    changed = Study(small(10).population, conditions={"n": [50, 120]}, replications=10, seed=4)
    with pytest.raises(ts.StudyError, match=r"seed: 3 there, 4 now; conditions.n: \[50, 100\] there, \[50, 120\] now"):
        run(changed, tmp_path / "s", executor="serial")
    assert content(tmp_path / "s") == before


def test_replications_are_added_when_asked_for(tmp_path):
    run(small(10), tmp_path / "s", executor="serial", chunk_size=5)
    with pytest.raises(ts.StudyError, match=r"replications: 10 there, 25 now. Give extend=True"):
        run(small(25), tmp_path / "s", executor="serial")
    more = run(small(25), tmp_path / "s", executor="serial", extend=True)
    assert more.counts == (25, 25)
    assert more.fingerprint() == run(small(25), executor="serial").fingerprint()
    with pytest.raises(ts.StudyError, match=r"replications: 25 there, 10 now\. Give another folder"):
        run(small(10), tmp_path / "s", executor="serial", extend=True)


def test_two_runs_do_not_share_a_folder(tmp_path):
    run(small(10), tmp_path / "s", executor="serial")
    with storing.FolderStore(tmp_path / "s").locked(), pytest.raises(ts.StudyError, match="Another run is writing into"):
        run(small(20), tmp_path / "s", executor="serial", extend=True)
    assert run(small(20), tmp_path / "s", executor="serial", extend=True).finished  # the lock goes with its holder


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ts.StudyError, match=r"holds 'notes\.txt' and no study"):
        run(small(10), tmp_path, executor="serial")
    with pytest.raises(ts.StudyError, match="is not a folder"):
        run(small(10), tmp_path / "notes.txt", executor="serial")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_full_disk_loses_nothing(number, tmp_path, monkeypatch):
    """The third chunk cannot be written; what was there stays, and the run goes on once there is room."""
    written = []
    fsync = os.fsync

    def full(descriptor):
        written.append(descriptor)
        if len(written) == 6:  # study.toml, layout.json, run.json, two chunks
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    words = "the disk is full" if number == errno.ENOSPC else "it cannot be written"
    with pytest.raises(ts.StudyError, match=f"{words}.*everything before it is safe"):
        run(small(20), tmp_path / "s", executor="serial", chunk_size=5)
    assert load_result(tmp_path / "s").counts == (10, 0)
    assert not list((tmp_path / "s" / "chunks").glob(".*"))
    assert run(small(20), tmp_path / "s", executor="serial").fingerprint() == run(small(20), executor="serial").fingerprint()


def test_an_interrupted_run_keeps_what_is_finished(tmp_path, monkeypatch):
    add = storing.FolderStore.add
    count = []

    def interrupt(self, chunk):
        count.append(chunk)
        if len(count) == 3:
            raise KeyboardInterrupt
        add(self, chunk)

    monkeypatch.setattr(storing.FolderStore, "add", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(small(20), tmp_path / "s", executor="threads:2", chunk_size=5)
    monkeypatch.undo()
    assert sum(load_result(tmp_path / "s").counts) == 10
    assert run(small(20), tmp_path / "s", executor="serial").finished


def test_a_worker_that_dies_is_replaced(tmp_path):
    """A worker is killed while it works; its chunks are done by another, and the result is the same."""
    study = Study(THEORY, conditions={"n": [300]}, replications=60, seed=5)
    whole = run(study, executor="serial").fingerprint()
    script = (
        "import sys, trustsem as ts\n"
        "from trustsem.studies.run import run\n"
        "from trustsem.studies.files import load_study\n"
        "if __name__ == '__main__':\n"
        "    import multiprocessing, os, signal, threading, time\n"
        "    def kill():\n"
        "        while not multiprocessing.active_children():\n"
        "            time.sleep(0.001)\n"
        "        time.sleep(0.05)\n"
        "        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)\n"
        "        print('killed', flush=True)\n"
        "    from trustsem.studies import executors\n"
        "    make = executors._processes\n"
        "    first = []\n"
        "    def watched(workers):\n"
        "        pool = make(workers)\n"
        "        if not first:\n"
        "            first.append(threading.Timer(0.0, kill))\n"
        "            first[0].start()\n"
        "        return pool\n"
        "    executors._processes = watched\n"
        "    print(run(load_study(sys.argv[1]), executor='processes:2', chunk_size=5, progress=False).fingerprint())\n"
    )
    from trustsem.studies.files import study_text

    (tmp_path / "study.toml").write_text(study_text(study))
    (tmp_path / "main.py").write_text(script)
    found = subprocess.run([sys.executable, tmp_path / "main.py", tmp_path / "study.toml"], capture_output=True, text=True, timeout=120, check=False)
    assert found.stdout.split() == ["killed", whole], found.stderr[-2000:]


# ---- one replication, stop rules, failures --------------------------------------------------------------------------------------------


def test_one_replication_is_done_again_alone(theory_study):
    result = run(theory_study, executor="serial")
    table = result.fits
    key = table.loc[(table["n"] == 300) & (table["replication"] == 7), "key"].iloc[0]
    again = replay(result, key)
    kept = result.outcomes(1, "ML")
    fit = again.fit()
    np.testing.assert_array_equal(fit.coef().to_numpy(), kept.est[7])
    np.testing.assert_array_equal(np.sqrt(np.diag(fit.vcov())), kept.se[7])
    assert again.data.equals(replay(theory_study, (1, 7)).data)
    assert len(again.data) == 300


def test_a_stop_rule_stops_each_condition_by_itself(tmp_path):
    population = ts.Population("y ~ x", {"y~x": 0.3, "y~~y": 0.91, "x~~x": 1.0})
    study = Study(population, conditions={"n": [30, 400]}, replications=400, seed=3)
    rule = StopRule("power", 0.04, "y~x", every=50)
    result = run(study, executor="serial", stop=rule)
    small_n, large_n = result.counts
    assert large_n == 50  # power is nearly 1
    assert 100 <= small_n < 400  # p (1 - p) / 0.04^2 is 150 at power .4 or .6
    table = result.performance("power", parameters="y~x")
    assert (table["mc_error"] <= 0.04).all()
    for executor in ("threads:3", "processes:2"):
        assert run(study, executor=executor, stop=rule).fingerprint() == result.fingerprint()
    one = run(study, tmp_path / "s", executor="serial", stop=StopRule("power", 0.2, "y~x", every=50))
    assert one.counts == (50, 50)
    assert run(study, tmp_path / "s", executor="serial", stop=rule).fingerprint() == result.fingerprint()  # goes on with a finer rule


def test_failures_are_rows_with_a_reason_and_bound_the_rates():
    """Four variables, two factors, eleven people: many searches fail; power is bounded by what the failures could have been."""
    text = "f =~ a + b\ng =~ c + d\ng ~ f"
    values = {"f=~b": 1.0, "g=~d": 1.0, "g~f": 0.4, "f~~f": 0.3, "g~~g": 0.3} | {f"{v}~~{v}": 1.0 for v in "abcd"}
    study = Study(ts.Population(text, values), conditions={"n": [11]}, replications=60, seed=1)
    result = run(study, executor="serial")
    table = result.failures
    assert len(table) == 60 - int(result.outcomes(0).converged.sum()) > 5
    assert table["reason"].str.len().min() > 10
    row = result.performance("power", parameters="g~f").iloc[0]
    hits = row["value"] * row["n_used"]
    assert row["n_used"] == 60 - len(table)
    assert row["lower"] == pytest.approx(hits / 60)
    assert row["upper"] == pytest.approx((hits + len(table)) / 60)
    strict = result.performance("power", parameters="g~f", usable="admissible").iloc[0]
    assert strict["n_used"] < row["n_used"]
    again = replay(result, table["key"].iloc[0]).fit()
    assert not again.converged
    assert again.reason == table["reason"].iloc[0]


def test_an_error_in_a_replication_is_a_row_and_does_not_stop_the_study():
    """With two people the covariance matrix is singular: every replication fails, with the message of the error."""
    result = run(Study(small(5).population, conditions={"n": [2, 50]}, replications=5, seed=3), executor="serial")
    assert result.finished
    assert result.failures["reason"].str.startswith("DataError").all()
    assert len(result.failures) == 5
    assert "% converged" in repr(result)
    assert "DataError" in repr(result)


def test_other_versions_in_a_folder_are_told(tmp_path):
    run(small(5), tmp_path / "s", executor="serial")
    about = json.loads((tmp_path / "s" / "run.json").read_text())
    about["versions"]["numpy"] = "1.0"
    (tmp_path / "s" / "run.json").write_text(json.dumps(about))
    with pytest.warns(ts.TrustsemWarning, match=r"TS-STUDY-01.*numpy 1\.0 there"):
        run(small(5), tmp_path / "s", executor="serial")


def test_an_interrupted_command_says_how_to_go_on(tmp_path):
    """Ctrl-C reaches the command and its workers; one line, no traceback, and the same command finishes."""
    from trustsem.studies.files import study_text

    (tmp_path / "study.toml").write_text(study_text(Study(THEORY, conditions={"n": [300]}, replications=4000, seed=5)))
    command = [sys.executable, "-m", "trustsem.cli", "study", "run", "study.toml", "results", "-q", "--processes", "2"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        deadline = time.monotonic() + 60
        while len(list((tmp_path / "results" / "chunks").glob("*.parquet"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.split("\n") == ["", "Interrupted. What was finished is in results/; the same command goes on.", ""]
    assert 0 < sum(load_result(tmp_path / "results").counts) < 4000
