"""One R process that times lavaan, so that R's start-up and just-in-time compiler are paid for once and not counted."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.timing import Run

SCRIPT = Path(__file__).parent / "lavaan.R"
MISSING = "not available"


class Lavaan:
    """A running R process with lavaan loaded."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        version, *rest = self._line().split(" ")
        self.version = f"lavaan {version} ({' '.join(rest)})"

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("The R process ended.")
        return line.strip()

    def ask(self, *words: object) -> str:
        """Send one line and return the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write("\t".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        return self._line()

    def read(self, model: Path, data: Path) -> None:
        """Give R its model and data."""
        self.ask("read", model, data)

    def job(self, name: str) -> Run:
        """Return the contestant `name` of ``lavaan.R``; the loop runs inside R."""
        return lambda repetitions: [float(word) for word in self.ask(name, repetitions).split()]


@contextmanager
def running() -> Iterator[Lavaan | None]:
    """Start R with lavaan, or yield None where either is missing."""
    rscript = shutil.which("Rscript")
    present = rscript is not None and subprocess.run([rscript, "-e", "library(lavaan)"], capture_output=True, check=False).returncode == 0
    if rscript is None or not present:
        yield None
        return
    with subprocess.Popen([rscript, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield Lavaan(process)
        finally:
            if process.stdin is not None:
                process.stdin.close()
