"""Execute every notebook of this folder in a temporary folder; a cell that fails, fails the run.

``python notebooks/execute.py`` changes nothing here. With ``--write`` the outputs in this folder are replaced by the new ones.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = Path(__file__).resolve().parent
SECONDS = 300


def executed(path: Path) -> nbformat.NotebookNode:
    """Return the notebook at `path` with fresh outputs."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": folder}}, record_timing=False).execute()
    # The version of the interpreter would change with the machine.
    notebook.metadata = nbformat.from_dict({"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}})
    return notebook


def main() -> int:
    """Execute all notebooks; return 1 if one fails."""
    parser = argparse.ArgumentParser(description="Execute every notebook of this folder.")
    parser.add_argument("--write", action="store_true", help="replace the outputs in this folder")
    write = parser.parse_args().write
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    failed = 0
    for path in sorted(HERE.glob("*.ipynb")):
        try:
            notebook = executed(path)
        except CellExecutionError as error:
            print(f"{path.name}: FAILED\n{error}", file=sys.stderr)
            failed = 1
            continue
        if write:
            nbformat.write(notebook, path)
        print(f"{path.name}: executed{', outputs written' if write else ''}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
