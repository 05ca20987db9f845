"""A study run in a process of its own, so that tests can kill it. Arguments: folder, replications, seconds to sleep after each chunk."""

from __future__ import annotations

import sys
import time

import trustsem as ts
from trustsem.studies import run as running
from trustsem.studies.design import Study


def small(replications: int) -> Study:
    """Return the study that this script and the tests run."""
    population = ts.Population("y ~ x", {"y~x": 0.3, "y~~y": 0.91, "x~~x": 1.0})
    return Study(population, conditions={"n": [50, 100]}, replications=replications, seed=3)


if __name__ == "__main__":
    folder, replications, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    work = running.run_chunk

    def slowly(*arguments):
        time.sleep(pause)
        return work(*arguments)

    running.run_chunk = slowly
    running.run(small(replications), folder, executor="serial", chunk_size=5, progress=False)
