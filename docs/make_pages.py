"""Write the parts of the documentation that the library itself knows: the page of warnings and the figure of the first page."""

from __future__ import annotations

from pathlib import Path

import trustsem as ts
from trustsem.errors import WARNING_REMEDIES

HERE = Path(__file__).resolve().parent
HEAD = """# Warnings

Warnings have stable codes. They are issued as `ts.TrustsemWarning` (with attributes `code`, `detail` and `remedy`), kept in `fit.warnings`, and
printed in every summary and report. To make one an error: `warnings.filterwarnings("error", message=r"\\[TS-FIT-02\\]")`.

<!-- Written by docs/make_pages.py from trustsem.errors.WARNING_REMEDIES. -->

"""


def warnings_page() -> str:
    """Return the page of warnings: every code with what it means and what to do."""
    return HEAD + "\n".join(f"## {code}\n\n{remedy}\n" for code, remedy in WARNING_REMEDIES.items())


if __name__ == "__main__":
    (HERE / "warnings.md").write_text(warnings_page(), encoding="utf-8", newline="\n")
    (HERE / "images").mkdir(exist_ok=True)
    ts.diagram(ts.appraise("metz2022", ts.load_dataset("trust_survey")), path=HERE / "images" / "verdicts.svg")
