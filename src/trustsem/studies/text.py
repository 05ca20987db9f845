"""A study result in words: how far it is, what failed, and the worst that can be said of each analysis."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from trustsem.display import heading, number, text_table

if TYPE_CHECKING:
    from trustsem.studies.result import StudyResult

__all__ = ["describe"]

_NUMBER = re.compile(r"\d+")


def describe(result: StudyResult) -> str:
    """Return a summary of at most some thirty lines."""
    study = result.study
    counts = result.counts
    total = study.replications * len(counts)
    lines = [f"{study.name}: {len(counts)} condition(s), {sum(counts):,} of {total:,} replications, seed {study.seed}", ""]
    rows, reasons, examples = [], Counter[str](), dict[str, str]()
    for condition, layout in enumerate(result.layout):
        for at, analysis in enumerate(layout.analyses):
            found = result.outcomes(condition, at)
            for reason in found.reason[~found.converged]:
                kind = _NUMBER.sub("#", reason)  # reasons that differ in their numbers only are counted together
                reasons[kind] += 1
                examples.setdefault(kind, reason)
            n = max(len(found), 1)
            label = ", ".join(f"{name}={value}" for name, value in layout.settings.items()) or "all"
            shares = [number(100.0 * float(share.sum()) / n, 1) for share in (found.converged, found.converged & found.admissible)]
            rows.append([label, analysis.name, str(len(found)), *shares])
    lines += text_table(["condition", "analysis", "n", "% converged", "% admissible"], rows[:24], align="llrrr")
    if len(rows) > 24:
        lines.append(f"  ... and {len(rows) - 24} more")
    if reasons:
        lines += ["", heading("Without a result")]
        lines += [f"  {count:>6} {examples[kind]}" for kind, count in reasons.most_common(5)]
    return "\n".join(lines)
