"""Mistakes with what a path diagram alone can say: equivalent theories, adjustment sets, instruments."""

from __future__ import annotations

import trustsem as ts
from messages.cases import Mistake, cfa
from trustsem.appraisal.diagrams.adjustment import adjustment_sets, instruments
from trustsem.appraisal.diagrams.equivalent import equivalent_theories

METZ = ts.load_theory("metz2022")

MISTAKES: dict[str, Mistake] = {
    "equivalents of a number": Mistake(lambda: equivalent_theories(3), ts.OptionError, ("'int'", "theory, model text")),  # type: ignore[arg-type]
    "equivalents of one construct": Mistake(lambda: equivalent_theories("f =~ x1 + x2 + x3"), ts.ModelError, ("fewer than two", "Add a construct")),
    "no equivalents listed": Mistake(lambda: equivalent_theories(METZ, limit=0), ts.OptionError, ("limit=0", "from 1")),
    "equivalents of a cycle": Mistake(lambda: equivalent_theories("a ~ b\nb ~ a"), ts.NotAvailableError, ("cycle", "Take out an arrow")),
    "equivalents of a second order": Mistake(
        lambda: equivalent_theories("f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6\nh =~ f + g"),
        ts.NotAvailableError,
        ("h has no indicators", "Give the model"),
    ),
    "equivalents of groups": Mistake(lambda: equivalent_theories(cfa(group="school")), ts.NotAvailableError, ("2 groups", "one group")),
    "adjustment for nothing": Mistake(lambda: adjustment_sets(METZ, "Trst", "Outcomes"), ts.OptionError, ("cause='Trst'", "'Trust'")),
    "instrument for nothing": Mistake(lambda: instruments(METZ, "Trust", "Outcome"), ts.OptionError, ("effect='Outcome'", "'Outcomes'")),
    "adjustment for itself": Mistake(lambda: adjustment_sets(METZ, "Trust", "Trust"), ts.OptionError, ("the same", "two constructs")),
    "adjustment of a kind": Mistake(
        lambda: adjustment_sets(METZ, "Trust", "Outcomes", effect_kind="whole"), ts.OptionError, ("effect_kind='whole'", "'total'", "'direct'")
    ),
}
