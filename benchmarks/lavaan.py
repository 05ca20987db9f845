"""One R process that times lavaan, so that R's start-up and just-in-time compiler are paid for once and not counted."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.process import Process, talking

SCRIPT = Path(__file__).parent / "lavaan.R"
MISSING = "not available"


class Lavaan(Process):
    """A running R process with lavaan loaded."""

    @property
    def version(self) -> str:
        """Versions of lavaan, R and its BLAS."""
        version, *rest = self.first.split(" ")
        return f"lavaan {version} ({' '.join(rest)})"

    def read(self, model: Path, data: Path) -> None:
        """Give R its model and data."""
        self.ask("read", model, data)


@contextmanager
def running() -> Iterator[Lavaan | None]:
    """Start R with lavaan, or yield None where either is missing."""
    rscript = shutil.which("Rscript")
    present = rscript is not None and subprocess.run([rscript, "-e", "library(lavaan)"], capture_output=True, check=False).returncode == 0
    if rscript is None or not present:
        yield None
        return
    with talking([rscript, str(SCRIPT)]) as process:
        yield Lavaan(process)
