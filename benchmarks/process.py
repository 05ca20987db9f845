"""A process that is asked for timings: one line in, one line out. Its start is not counted."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.timing import Run


class Process:
    """A running process that answers lines with lines; the first that it writes says what it is."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.first = self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("The process ended.")
        return line.strip()

    def ask(self, *words: object) -> str:
        """Send one line and return the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write("\t".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        return self._line()

    def job(self, name: str) -> Run:
        """Return the contestant `name` of the process, which does the loop itself."""
        return lambda repetitions: [float(word) for word in self.ask(name, repetitions).split()]


@contextmanager
def talking(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """Start a process to talk to; it is told to end by the end of its input."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            if process.stdin is not None:
                process.stdin.close()
