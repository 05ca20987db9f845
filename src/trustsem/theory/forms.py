"""The three forms of the strategies: indicators of latent variables, observed composites, or one predictor each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from trustsem.errors import DataError, TheoryError, closest
from trustsem.theory.columns import check_columns
from trustsem.theory.marks import Provenance
from trustsem.theory.presets import FALLBACK_LOADING, split_preset
from trustsem.theory.types import Construct, Proposition, Step, Strategy
from trustsem.theory.variants import recorded

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.theory.theory import Theory

__all__ = ["FORMS", "composite_means", "with_strategies"]

FORMS = ("reflective", "composites", "predictors")


def with_strategies(theory: Theory, form: str) -> Theory:
    """See :meth:`trustsem.theory.Theory.with_strategies`."""
    if form not in FORMS:
        raise TheoryError(f"Unknown strategies={form!r}. Allowed are {', '.join(map(repr, FORMS))}.{closest(str(form), FORMS)}")
    if form == theory.form:
        return theory
    if theory.form != "reflective":
        raise TheoryError(f"The strategies are {theory.form} already, which cannot become {form}. Start from the theory as it was loaded.")
    groups = [node for node in theory.nodes if not node.observed and any(practice.construct == node.name for practice in theory.practices)]
    if not groups:
        raise TheoryError(f"{theory.id} has no strategies with several columns, hence no {form}. Leave strategies= out.")
    changed = _composites(theory, groups) if form == "composites" else _predictors(theory, groups)
    check_columns(changed.nodes)
    return recorded(replace(changed, form=form), theory, Step("with_strategies", (form,)))


def _composites(theory: Theory, groups: Sequence[Construct]) -> Theory:
    names = {node.name for node in groups}
    nodes = tuple(replace(n, indicators=(n.name.lower(),), items=n.indicators) if n.name in names else n for n in theory.nodes)
    return replace(theory, nodes=nodes)


def _predictors(theory: Theory, groups: Sequence[Construct]) -> Theory:
    split = {node.name: node for node in groups}
    explained = [claim.effect for claim in theory.claims if claim.effect in split]
    if explained:
        raise TheoryError(f"{explained[0]} is explained by others, so that its strategies cannot be predictors. Use strategies='composites'.")
    known = {practice.indicator: practice for practice in theory.practices if practice.construct in split}
    parts = {name: tuple(_part(node, column, known.get(column)) for column in node.indicators) for name, node in split.items()}
    nodes = tuple(part for node in theory.nodes for part in parts.get(node.name, (node,)))
    claims = tuple(new for claim in theory.claims for new in _claims(claim, parts.get(claim.cause)))
    loading = {name: FALLBACK_LOADING if node.loading is None else float(node.loading.value) for name, node in split.items()}
    shares = {name: (tuple(part.name for part in members), loading[name]) for name, members in parts.items()}
    return replace(
        theory,
        nodes=nodes,
        claims=claims,
        practices=tuple(replace(p, construct=p.indicator) if p.indicator in known else p for p in theory.practices),
        instruments=tuple(measure for measure in theory.instruments if measure.construct not in split),
        presets=tuple(preset if preset.rival else split_preset(preset, shares) for preset in theory.presets),
    )


def _part(node: Construct, column: str, practice: Strategy | None) -> Construct:
    note = Provenance("I", what="a strategy as a predictor of its own", note=f"One of the {len(node.indicators)} of {node.title.lower()}.")
    if practice is None:
        return replace(node, name=column, title=column, indicators=(column,), loading=None, provenance=(note,))
    return replace(
        node,
        name=column,
        title=practice.title,
        definition=f"For example: {practice.activity}",
        indicators=(column,),
        loading=None,
        provenance=(*practice.provenance, note),
    )


def _claims(claim: Proposition, parts: Sequence[Construct] | None) -> tuple[Proposition, ...]:
    if parts is None:
        return (claim,)
    verb = {"+": "raises", "-": "lowers", "?": "changes"}[claim.sign]
    note = Provenance("I", what="derived by splitting a set of strategies", note=f"Follows from {claim.path} if every strategy works by itself.")
    return tuple(
        replace(
            claim,
            id=f"{claim.id}.{part.name}",
            cause=part.name,
            statement=f"{part.title} {verb} {claim.effect}, the other strategies being equal.",
            provenance=(*claim.provenance, note),
            derived=True,
            routes=(f"part of {claim.path}",),
        )
        for part in parts
    )


def composite_means(frame: pd.DataFrame, items: Mapping[str, Sequence[str]], minimum: int | None = None) -> pd.DataFrame:
    """Return `frame` with mean composites.

    Parameters
    ----------
    frame : DataFrame
        With the items as columns.
    items : mapping of str to sequence of str
        Items by name of the composite.
    minimum : int, optional
        Smallest number of answered items for which the mean of those is taken; all of them if left out. Rows with fewer are missing.

    Returns
    -------
    DataFrame
        A copy with one column more for each composite.

    Raises
    ------
    DataError
        If items are missing from the frame, are not numbers, a composite is there already, or `minimum` is out of range.
    """
    import pandas as pd

    result = frame.copy()
    for name, columns in items.items():
        absent = [column for column in columns if column not in frame.columns]
        if absent:
            raise DataError(f"The items {', '.join(absent)} of {name!r} are not in the data. Name the columns with with_indicators().")
        if name in frame.columns:
            raise DataError(f"The data have a column {name!r} already. Rename it, or give it to with_indicators() as the composite.")
        texts = [column for column in columns if not pd.api.types.is_numeric_dtype(frame[column])]
        if texts:
            raise DataError(f"The items {', '.join(texts)} of {name!r} are not numbers. Convert them first.")
        needed = len(columns) if minimum is None else minimum
        if not 1 <= needed <= len(columns):
            raise DataError(f"minimum={minimum} is impossible for the {len(columns)} items of {name!r}. Give a number from 1 to {len(columns)}.")
        block = frame[list(columns)]
        result[name] = block.mean(axis=1).where(block.notna().sum(axis=1) >= needed)
    return result
