"""Names of columns: what can stand in model text, and that no column serves twice."""

from __future__ import annotations

from collections.abc import Sequence

from trustsem.errors import ModelError, TheoryError
from trustsem.spec.tokens import tokenize
from trustsem.theory.types import Construct

__all__ = ["check_columns", "is_name"]


def is_name(text: str) -> bool:
    """Whether `text` can be the name of a variable in model text."""
    try:
        tokens = tokenize(text)
    except ModelError:
        return False
    return [token.kind for token in tokens] == ["name", "end"] and tokens[0].text == text


def check_columns(nodes: Sequence[Construct]) -> None:
    """Refuse columns that model text cannot hold, or that mean two things.

    Raises
    ------
    TheoryError
        Naming the column and the construct.
    """
    latent = {node.name for node in nodes if not node.observed}
    owner: dict[str, str] = {}
    for node in nodes:
        for column in (*node.indicators, *node.items):
            if not is_name(column):
                raise TheoryError(
                    f"The column {column!r} of {node.name} cannot stand in model text. Rename it: letters, digits, '_' and '.', no digit first."
                )
            if column in owner:
                raise TheoryError(f"The column {column!r} is given for {owner[column]} and for {node.name}. Give every column once.")
            if column in latent:
                raise TheoryError(f"The column {column!r} of {node.name} has the name of a construct with several columns. Rename the column.")
            owner[column] = node.name
