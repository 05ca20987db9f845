"""What can be written but not yet estimated, refused by name. Whoever adds an estimator for one of these deletes its line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from trustsem.errors import NotAvailableError
from trustsem.spec.statements import Formula, Header, Statement

__all__ = ["refuse_unavailable"]

OPERATORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "|": "thresholds",
        "~*~": "scaling factors",
        "<~": "composites",
        "|~": "instruments",
        ":~": "data-moderated parameters",
    }
)
MODIFIERS: Final[Mapping[str, str]] = MappingProxyType({"efa": "exploratory blocks", "rv": "random slopes"})
HEADERS: Final[Mapping[str, str]] = MappingProxyType({"block": "several blocks (write 'group:' for groups, 'level:' for levels)"})


def refuse_unavailable(statements: Iterable[Statement], text: str) -> None:
    """Refuse statements that this version cannot estimate.

    Parameters
    ----------
    statements : iterable of Statement
        The whole model.
    text : str
        The model text, to name the line.

    Raises
    ------
    NotAvailableError
        Naming the operator and the line.
    """
    seen: dict[str, int] = {}
    for statement in statements:
        if isinstance(statement, Header):
            seen[statement.kind] = seen.get(statement.kind, 0) + 1
            if statement.kind in HEADERS and seen[statement.kind] > 1:
                raise _refusal(f"{statement.kind}:", HEADERS[statement.kind], text, statement.position)
        elif isinstance(statement, Formula):
            if statement.op in OPERATORS:
                raise _refusal(statement.op, OPERATORS[statement.op], text, statement.position)
            for term in statement.left + statement.right:
                if ":" in term.name:
                    raise _refusal(term.name, "interactions", text, term.position, "compute the product as a column before")
                for modifier in term.modifiers:
                    if modifier.kind in MODIFIERS:
                        raise _refusal(f"{modifier.kind}()", MODIFIERS[modifier.kind], text, modifier.position)


def _refusal(what: str, meaning: str, text: str, position: int, remedy: str = "leave it out of the model") -> NotAvailableError:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return NotAvailableError(f"{what!r} in line {line}, column {column} of the model: {meaning} cannot be estimated by this version; {remedy}.")
