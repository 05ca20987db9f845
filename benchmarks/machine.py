"""One core, one BLAS thread; and what the figures were measured on. Imports nothing that loads a BLAS."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS")


def pin() -> bool:
    """Limit this process and its children (R too) to one BLAS thread and one core; return whether the core could be fixed.

    Raises
    ------
    RuntimeError
        If numpy is loaded already: its BLAS has then started its threads.
    """
    if "numpy" in sys.modules:
        raise RuntimeError("Call pin() before numpy is imported.")
    for name in THREAD_VARIABLES:
        os.environ[name] = "1"
    if not hasattr(os, "sched_setaffinity"):
        return False
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return True


def describe(pinned: bool) -> list[str]:
    """Return what a reader needs to know about the machine; not its name."""
    import numpy as np

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    cores = f"{os.cpu_count()} cores, one used" + (" (fixed)" if pinned else " (not fixed: the system has no call for it)")
    return [
        f"{platform.system()} {platform.machine()}, {cores}, one BLAS thread",
        f"Python {platform.python_version()}, numpy {np.__version__} with {blas['name']} {blas['version']}",
    ]


def peak_memory() -> float:
    """Return the largest resident size of this process so far, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # here getrusage would count the parent's memory too, as it was when this process was forked
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
        return float(line.split()[1]) / 1024
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1 << 20 if sys.platform == "darwin" else 1 << 10)
