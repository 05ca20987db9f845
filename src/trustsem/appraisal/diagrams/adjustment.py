"""What has to be held constant for an effect to be seen, and what can stand in for an experiment, by the path diagram alone.

An adjustment set of a total effect holds no effect of what lies on the way from cause to effect, and blocks every other way between the two
(Shpitser, VanderWeele & Robins 2010, doi 10.48550/arXiv.1203.3515; Perkovic et al. 2018, doi 10.48550/arXiv.1606.06903). That of a direct effect
(a single arrow) holds no effect of the effect, and blocks every way but the arrow (single-door criterion, Pearl 2009, section 5.3). Residuals
that covary count as an unmeasured common cause, which cannot be held constant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trustsem.appraisal.diagrams.diagram import Source, ancestors, descendants, node_of, path_diagram, withheld_notes
from trustsem.appraisal.diagrams.instrumenting import conditioned, why_not
from trustsem.appraisal.diagrams.separating import allowed_moral_graph, minimal_separators
from trustsem.appraisal.forbidden.basis import causal_order
from trustsem.appraisal.structure import Graph
from trustsem.appraisal.told import Told
from trustsem.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AdjustmentSets", "Instruments", "adjustment_sets", "instruments"]

_KINDS = ("total", "direct")
_LIMIT = 200
_CONSTRUCTS = (
    "Constructs are taken as measured. Where one is latent, hold the latent variable constant (in a model that has it), not the mean of its items."
)


@dataclass(frozen=True, eq=False, repr=False)
class AdjustmentSets(Told):
    """What has to be held constant for an effect to be a regression coefficient; prints itself.

    Attributes
    ----------
    cause, effect, effect_kind : str
    sets : tuple of tuple of str
        The sets of which nothing can be left out, smallest first; ``()`` if nothing has to be held constant.
    forbidden : tuple of str
        What must not be held constant, because the cause works through it, or it comes after the effect.
    frame : DataFrame
        One row per set: ``hold_constant size``.
    identified : bool
        Whether there is a set.
    heading, notes
        As printed.
    """

    cause: str
    effect: str
    effect_kind: str
    sets: tuple[tuple[str, ...], ...]
    forbidden: tuple[str, ...]
    frame: pd.DataFrame
    notes: tuple[str, ...]
    heading: str

    @property
    def identified(self) -> bool:
        """Whether there is an adjustment set."""
        return bool(self.sets)


@dataclass(frozen=True, eq=False, repr=False)
class Instruments(Told):
    """What can stand in for an experiment on a cause; prints itself.

    Attributes
    ----------
    cause, effect, effect_kind : str
    usable : tuple of (str, tuple of str)
        Instruments, each with what has to be held constant.
    frame : DataFrame
        One row per other construct: ``construct instrument given reason``.
    identified : bool
        Whether there is an instrument.
    heading, notes
        As printed.
    """

    cause: str
    effect: str
    effect_kind: str
    usable: tuple[tuple[str, tuple[str, ...]], ...]
    frame: pd.DataFrame
    notes: tuple[str, ...]
    heading: str

    @property
    def identified(self) -> bool:
        """Whether there is an instrument."""
        return bool(self.usable)


@dataclass(frozen=True)
class _Question:
    """An effect in a diagram.

    Attributes
    ----------
    graph : Graph
    cause, effect, kind : str
    bare : Graph
        The diagram without what the effect consists of: the arrow, or the first arrows of all ways from cause to effect.
    forbidden : frozenset of str
        What the removed arrows change: it can neither be held constant nor be an instrument.
    """

    graph: Graph
    cause: str
    effect: str
    kind: str
    bare: Graph
    forbidden: frozenset[str]

    @property
    def allowed(self) -> tuple[str, ...]:
        """What may be held constant."""
        return tuple(node for node in self.graph.nodes if node not in self.forbidden | {self.cause, self.effect})


def _question(source: Source, cause: str, effect: str, kind: str) -> _Question:
    graph = path_diagram(source)
    causal_order(graph)
    start, end = node_of(graph, source, cause, "cause"), node_of(graph, source, effect, "effect")
    if start == end:
        raise OptionError(f"cause={cause!r} and effect={effect!r} are the same. Name two constructs.")
    if kind not in _KINDS:
        raise OptionError(f"effect_kind={kind!r} is unknown. Allowed are 'total' (all ways from cause to effect) and 'direct' (the arrow alone).")
    if kind == "direct":
        gone = {(start, end)}
        forbidden = descendants(graph, {end})
    else:
        on_the_way = (descendants(graph, {start}) & ancestors(graph, {end})) - {start}
        gone = {(start, node) for node in on_the_way}
        forbidden = descendants(graph, on_the_way)
    bare = replace(graph, arrows=tuple(arrow for arrow in graph.arrows if arrow not in gone))
    return _Question(graph, start, end, kind, bare, frozenset(forbidden - {start}))


def adjustment_sets(source: Source, cause: str, effect: str, *, effect_kind: str = "total") -> AdjustmentSets:
    """Return the minimal adjustment sets of an effect.

    Parameters
    ----------
    source : Theory, Appraisal, str, ParameterTable or Fit
        What has the path diagram. Its nodes are constructs: latent variables, and observed ones that are no indicators.
    cause, effect : str
        Two of them.
    effect_kind : {"total", "direct"}
        All ways from cause to effect together, or the arrow alone.

    Returns
    -------
    AdjustmentSets
        In a regression of the effect on the cause and one of the sets, the coefficient of the cause is the effect, in every linear model with
        this diagram.

    Raises
    ------
    OptionError
        For unknown constructs, the same construct twice, another `effect_kind`, or a source that is no model.
    NotAvailableError
        For feedback, several groups, and two levels.

    Notes
    -----
    The first 200 sets are listed. Minimal sets hold no more than ancestors of cause and effect; larger ones can be more precise.
    """
    import pandas as pd

    asked = _question(source, cause, effect, effect_kind)
    joined = allowed_moral_graph(asked.bare, asked.cause, asked.effect, asked.allowed)
    found, complete = minimal_separators(joined, asked.cause, asked.effect, _LIMIT)
    place = asked.graph.nodes.index
    sets = sorted((tuple(sorted(members, key=place)) for members in found), key=lambda members: (len(members), [place(node) for node in members]))
    frame = pd.DataFrame([(", ".join(members) or "(nothing)", len(members)) for members in sets], columns=["hold_constant", "size"])
    forbidden = tuple(node for node in asked.graph.nodes if node in asked.forbidden - {asked.effect})
    notes = (*withheld_notes(source), *_adjustment_notes(asked, sets, forbidden, complete))
    heading = f"What to hold constant for the {effect_kind} effect of {asked.cause} on {asked.effect}"
    return AdjustmentSets(asked.cause, asked.effect, effect_kind, tuple(sets), forbidden, frame, notes, heading)


def _adjustment_notes(asked: _Question, sets: list[tuple[str, ...]], forbidden: tuple[str, ...], complete: bool) -> tuple[str, ...]:
    lines = _absent(asked)
    if not sets:
        joint = frozenset((asked.cause, asked.effect)) in asked.graph.spouses
        why = "their residuals covary" if joint else "a way between them stays open whatever is held constant"
        lines.append(f"No set of constructs makes the effect a regression coefficient: {why}. See instruments().")
    elif sets == [()]:
        lines.append("Nothing has to be held constant.")
    else:
        line = "Nothing can be left out of the set." if len(sets) == 1 else "Any one of the sets will do; of each, nothing can be left out."
        lines.append(line + ("" if complete else " Not all are listed."))
    if forbidden:
        why = "the cause works through it, or it follows from what it works through" if asked.kind == "total" else "it follows from the effect"
        lines.append(f"Not to be held constant: {', '.join(forbidden)} ({why}).")
    return (*lines, _CONSTRUCTS, "All this holds if the diagram does.")


def _absent(asked: _Question) -> list[str]:
    if asked.kind == "direct" and (asked.cause, asked.effect) not in asked.graph.arrows:
        return [f"The diagram has no arrow {asked.cause} -> {asked.effect}: by it, the direct effect is 0."]
    if asked.kind == "total" and asked.cause not in ancestors(asked.graph, {asked.effect}):
        return [f"No way leads from {asked.cause} to {asked.effect}: by the diagram, the total effect is 0."]
    return []


def instruments(source: Source, cause: str, effect: str, *, effect_kind: str = "total") -> Instruments:
    """Return the constructs that can be instruments for an effect, and what has to be held constant with each.

    Parameters
    ----------
    source, cause, effect, effect_kind
        As for :func:`adjustment_sets`.

    Returns
    -------
    Instruments
        For an instrument Z given W, cov(effect, Z | W) / cov(cause, Z | W) is the effect, in almost every linear model with this diagram.

    Raises
    ------
    OptionError, NotAvailableError
        As :func:`adjustment_sets`.

    Notes
    -----
    Z is an instrument given W if, in the diagram without what the effect consists of, W separates Z from the effect and not from the cause, and
    neither holds what the removed arrows change (Brito & Pearl 2002, doi 10.48550/arXiv.1301.0560). Sets W of ancestors of Z and of the effect
    are looked at, which suffices: if there is a conditional instrument at all, there is one with such a set (van der Zander, Textor & Liskiewicz
    2015, IJCAI). Each W is reduced until nothing can be left out.
    """
    import pandas as pd

    asked = _question(source, cause, effect, effect_kind)
    rows, usable = [], []
    for node in asked.graph.nodes:
        if node in (asked.cause, asked.effect):
            continue
        given = None if node in asked.forbidden else conditioned(asked.bare, node, asked.cause, asked.effect, asked.allowed)
        if given is None:
            rows.append((node, False, "", why_not(asked.bare, node, asked.cause, asked.effect, asked.forbidden, asked.allowed)))
        else:
            usable.append((node, given))
            rows.append((node, True, ", ".join(given), ""))
    frame = pd.DataFrame(rows, columns=["construct", "instrument", "given", "reason"])
    lines = [*withheld_notes(source), *_absent(asked)]
    if usable:
        lines.append(
            "Hold constant what stands under given; the ratio of the two partial covariances is the effect. "
            "More instruments than needed allow a test (miiv)."
        )
    else:
        lines.append("By this diagram nothing can stand in for an experiment on the cause.")
    heading = f"Instruments for the {effect_kind} effect of {asked.cause} on {asked.effect}"
    notes = (*lines, _CONSTRUCTS, "All this holds if the diagram does; an instrument that hardly moves the cause says hardly anything.")
    return Instruments(asked.cause, asked.effect, effect_kind, tuple(usable), frame, notes, heading)
