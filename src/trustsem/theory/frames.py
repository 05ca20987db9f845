"""A theory as tables. Whatever nobody has checked says so in the cell itself or in a column of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from trustsem.theory.marks import MARKS, Fact, Provenance

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.theory.theory import Theory

__all__ = ["construct_frame", "measure_frame", "proposition_frame", "provenance_frame", "strategy_frame"]


def construct_frame(theory: Theory) -> pd.DataFrame:
    """Return columns ``name title definition tier level timing indicators variable observed loading loading_mark mark meaning``."""
    import pandas as pd

    columns = ["name", "title", "definition", "tier", "level", "timing"]
    columns += ["indicators", "variable", "observed", "loading", "loading_mark", "mark", "meaning"]
    rows = [
        (
            *(n.name, n.title, n.definition, n.tier, n.level, n.timing),
            *(", ".join(n.indicators), n.variable, n.observed, *_number(n.loading), n.mark, MARKS[n.mark]),
        )
        for n in theory.nodes
    ]
    return pd.DataFrame(rows, columns=columns)


def proposition_frame(theory: Theory) -> pd.DataFrame:
    """Return columns ``id cause effect sign statement sesoi sesoi_mark parameter derived routes mark meaning``."""
    import pandas as pd

    variable = {node.name: node.variable for node in theory.nodes}
    columns = ["id", "cause", "effect", "sign", "statement", "sesoi", "sesoi_mark", "parameter", "derived", "routes", "mark", "meaning"]
    rows = [
        (
            *(c.id, c.cause, c.effect, c.sign, c.statement, c.sesoi, theory.sesoi.mark),
            *(f"{variable[c.effect]}~{variable[c.cause]}", c.derived, "; ".join(c.routes), c.mark, MARKS[c.mark]),
        )
        for c in theory.claims
    ]
    return pd.DataFrame(rows, columns=columns)


def strategy_frame(theory: Theory) -> pd.DataFrame:
    """Return columns ``id title construct indicator activity mark meaning``."""
    import pandas as pd

    rows = [(s.id, s.title, s.construct, s.indicator, s.activity, s.mark, MARKS[s.mark]) for s in theory.practices]
    return pd.DataFrame(rows, columns=["id", "title", "construct", "indicator", "activity", "mark", "meaning"])


def measure_frame(theory: Theory) -> pd.DataFrame:
    """Return one row per instrument, with ``unverified`` naming the facts that nobody has checked."""
    import pandas as pd

    facts = ["citation", "doi", "items", "scale", "reliability", "structure", "licence"]
    columns = ["id", "construct", "name", *facts, "loading", "loading_mark", "unverified"]
    rows = [
        (m.id, m.construct, m.name, *(_shown(getattr(m, fact)) for fact in facts), *_number(m.loading), ", ".join(m.unverified))
        for m in theory.instruments
    ]
    return pd.DataFrame(rows, columns=columns)


def provenance_frame(theory: Theory) -> pd.DataFrame:
    """Return columns ``kind id claim mark meaning verified source note``: one row per claim or part of one."""
    import pandas as pd

    titles = {source.id: source.title for source in theory.sources}
    rows = []
    for kind, name, claim, entry in _entries(theory):
        what = f"{claim} ({entry.what})" if entry.what else claim
        source = "; ".join(titles[key] for key in entry.sources)
        rows.append((kind, name, what, entry.mark, entry.meaning, entry.mark != "K", source, entry.note))
    return pd.DataFrame(rows, columns=["kind", "id", "claim", "mark", "meaning", "verified", "source", "note"])


def _entries(theory: Theory) -> Iterator[tuple[str, str, str, Provenance]]:
    groups = [
        *(("construct", n.name, f"{n.title}: {n.definition}", n.provenance) for n in theory.nodes),
        *(("strategy", s.id, s.title, s.provenance) for s in theory.practices),
        *(("proposition", c.id, c.statement, c.provenance) for c in theory.claims),
        *(("covariance", f"{c.left} ~~ {c.right}", "free" if c.free else "fixed to zero", c.provenance) for c in theory.covariances),
        *(("measure", m.id, m.name, m.provenance) for m in theory.instruments),
        *(("preset", p.name, p.title, p.provenance) for p in theory.presets),
        *(("rival", r.id, r.title, r.provenance) for r in theory.contenders),
        *(("statement", s.about, s.text, s.provenance) for s in theory.statements),
    ]
    for kind, name, claim, entries in groups:
        for entry in entries:
            yield kind, name, claim, entry
    facts = [("theory", theory.id, "smallest effect of interest", theory.sesoi)]
    facts += [("construct", n.name, "loading in presets", n.loading) for n in theory.nodes if n.loading is not None]
    facts += [("measure", m.id, name, fact) for m in theory.instruments for name, fact in m.facts]
    for kind, name, what, fact in facts:
        yield kind, name, f"{what}: {fact}", fact.provenance


def _shown(fact: Fact | None) -> str:
    return "" if fact is None else str(fact)


def _number(fact: Fact | None) -> tuple[float, str]:
    return (math.nan, "") if fact is None else (float(fact.value), fact.mark)
