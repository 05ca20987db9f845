"""Definitions and constraints: names looked up, definitions expanded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trustsem.errors import ModelError, ModelSyntaxError, closest
from trustsem.spec.expressions import Expression, Step
from trustsem.spec.statements import StatedRelation
from trustsem.spec.table import Relation, Row

__all__ = ["build_relations"]


def build_relations(stated: Sequence[StatedRelation], rows: Sequence[Row], text: str) -> tuple[Relation, ...]:
    """Resolve the names of definitions and constraints.

    Parameters
    ----------
    stated : sequence of StatedRelation
        In the order of the text.
    rows : sequence of Row
        All parameters.
    text : str
        The model text, for messages.

    Returns
    -------
    tuple of Relation
        Every name is the label of a free parameter: definitions are expanded, labels of fixed parameters replaced by their values.

    Raises
    ------
    ModelSyntaxError
        For a name that is neither a label nor defined, pointing at it.
    ModelError
        For a name defined twice, defined in terms of itself, or that is also the label of a parameter; for a constraint without any free
        parameter.
    """
    labels = {row.label: row for row in rows if row.label}
    definitions = _definitions(stated, labels, text)
    values = {label: Expression((Step("number", "", row.ustart),)) for label, row in labels.items() if not row.free and not row.exo}
    known = definitions | values
    relations = []
    for relation in stated:
        if relation.op == ":=":
            relations.append(Relation(relation.op, relation.lhs, relation.rhs, relation.left, definitions[relation.lhs].substitute(values)))
            continue
        left, right = (side.substitute(known).substitute(values) for side in (relation.left, relation.right))
        if not left.names() and not right.names():
            raise ModelError(f"The constraint '{relation.lhs} {relation.op} {relation.rhs}' involves no free parameter. Remove it.")
        relations.append(Relation(relation.op, relation.lhs, relation.rhs, left, right))
    return tuple(relations)


def _definitions(stated: Sequence[StatedRelation], labels: Mapping[str, Row], text: str) -> dict[str, Expression]:
    """Expand every definition down to labels, whatever the order they are written in."""
    raw: dict[str, Expression] = {}
    for relation in stated:
        if relation.op == ":=":
            if relation.lhs in raw:
                raise ModelError(f"The name {relation.lhs!r} is defined twice with ':='. Rename one of the two.")
            if relation.lhs in labels:
                raise ModelError(f"The name {relation.lhs!r} is the label of a parameter and is defined with ':=' as well. Rename one of the two.")
            raw[relation.lhs] = relation.right
    allowed = [*labels, *raw]
    for relation in stated:
        for name, position in relation.names:
            if name not in labels and name not in raw:
                hint = closest(name, allowed) or (f" Labels here: {', '.join(allowed[:12])}." if allowed else " No parameter has a label.")
                problem = f"No parameter has the label {name!r}.{hint} A label is given by a modifier, such as 'y ~ {name}*x'."
                raise ModelSyntaxError(problem, text, position, len(name))
    done: dict[str, Expression] = {}
    waiting = dict(raw)
    while waiting:
        ready = [name for name, expression in waiting.items() if not any(other in waiting for other in expression.names())]
        if not ready:
            raise ModelError(f"The definition of {next(iter(waiting))!r} leads back to itself. Definitions may not go round in a circle.")
        for name in ready:
            done[name] = waiting.pop(name).substitute(done)
    return done
