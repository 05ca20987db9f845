"""A real Dask cluster on this machine: a scheduler and workers in processes of their own, one of which is killed while it works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import trustsem as ts
from trustsem.studies.design import Study
from trustsem.studies.run import run

distributed = pytest.importorskip("distributed")

THEORY = ts.load_theory("metz2022").strict()
STUDY = Study(THEORY, conditions={"n": [150, 300]}, replications=40, seed=5)


@pytest.fixture(scope="module")
def whole():
    return run(STUDY, executor="serial").fingerprint()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Start a scheduler and two workers by Dask's own commands; yield the address and the processes of the workers."""
    folder = tmp_path_factory.mktemp("dask")
    environment = {**os.environ, "DASK_DISTRIBUTED__ADMIN__LOG_LENGTH": "0", "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "10"}

    def start(*words):
        command = [sys.executable, "-m", "dask", *words]
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    place = folder / "scheduler.json"
    scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(place))
    options = ("--nthreads", "1", "--no-dashboard", "--no-nanny", "--local-directory", str(folder), "--scheduler-file", str(place))
    workers = [start("worker", *options) for _ in range(2)]
    deadline = time.monotonic() + 60
    while not place.exists() and time.monotonic() < deadline:
        time.sleep(0.05)

    address = json.loads(place.read_text())["address"]
    with distributed.Client(address, timeout="30s") as client:
        client.wait_for_workers(2, timeout=60)
    yield address, workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


@pytest.mark.slow
def test_the_workers_of_a_cluster_give_the_same_bytes(cluster, whole):
    address, _ = cluster
    assert run(STUDY, executor=address, chunk_size=5).fingerprint() == whole
    with distributed.Client(address) as client:
        assert run(STUDY, executor=client, chunk_size=10).fingerprint() == whole


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_makes_no_difference(cluster, whole, tmp_path):
    address, workers = cluster
    folder = tmp_path / "study"
    killed = []

    def kill():
        """Kill one worker once the first chunks are there."""
        deadline = time.monotonic() + 60
        while len(list((folder / "chunks").glob("*.parquet"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        killed.append(len(list((folder / "chunks").glob("*.parquet"))))
        workers[0].send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    result = run(STUDY, folder, executor=address, chunk_size=2)
    killer.join()
    assert killed[0] < 40  # it was in the middle
    assert workers[0].wait(timeout=10) == -signal.SIGKILL
    assert result.finished
    assert result.fingerprint() == whole


def test_no_scheduler_is_a_clear_error():
    with pytest.raises(ts.OptionError, match="no Dask scheduler answers there"):
        run(STUDY, executor="tcp://127.0.0.1:9")
