"""Model text to tokens: one regular expression, every token with its place."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from trustsem.errors import ModelSyntaxError

__all__ = ["Token", "tokenize"]


class Token(NamedTuple):
    """One token of model text.

    Attributes
    ----------
    kind : str
        One of ``name number string op newline header end``.
    text : str
        As written; quotes are kept, white space inside an operator is removed. A header is a whole line such as ``group: 1``.
    position : int
        Offset in the model text.
    """

    kind: str
    text: str
    position: int


# Letters, digits and underscores of any script, and dots. Python's \w leaves out combining marks, which Indic, Thai, Hebrew and Arabic
# words need, so those blocks are named.
_MARKS: Final = "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u109f\u1780-\u17d3\u200c\u200d"
_NAME: Final = rf"(?:[^\W\d]|\.(?![0-9]))[\w.{_MARKS}]*"

_PATTERN: Final = re.compile(
    rf"""
    (?P<name>{_NAME})
  | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
  | (?P<newline>[\n;])
  | (?P<op>=[^\S\n]*~|~\*~|~~|<~|:=|==|\|~|:~|<=|>=|!=|\*\*|[-+*/^(),~|<>=:?])
  | (?P<string>"[^"\n]*"|'[^'\n]*')
  | (?P<skip>[^\S\n]+|[#!][^\n]*)
    """,
    re.VERBOSE,
)


# What follows the colon is the label of a group in the data, so it may be anything.
_HEADER: Final = re.compile(r"(?:group|level|block)[^\S\n]*:(?![=~])[^\n;#!]*", re.IGNORECASE)


def tokenize(text: str) -> list[Token]:
    """Split model text into tokens.

    Parameters
    ----------
    text : str
        Model text. ``#`` and ``!`` start a comment that ends with the line.

    Returns
    -------
    list of Token
        White space and comments are left out; the last token has kind ``"end"``.

    Raises
    ------
    ModelSyntaxError
        For a character that means nothing here, a quote without its partner, or a name that begins with a digit.
    """
    tokens: list[Token] = []
    position = 0
    match = _PATTERN.match
    while position < len(text):
        found = match(text, position)
        if found is None:
            raise _unreadable(text, position)
        kind, written, start = str(found.lastgroup), found.group(), position
        position = found.end()
        if kind == "skip":
            continue
        if kind == "name" and (not tokens or tokens[-1].kind == "newline") and (header := _HEADER.match(text, start)):
            kind, written, position = "header", header.group().rstrip(), header.end()
        elif kind == "op" and written[0] == "=":
            written = "".join(written.split())
        elif kind == "name" and tokens and tokens[-1].kind == "number" and tokens[-1].position + len(tokens[-1].text) == start:
            before = tokens[-1]
            problem = f"A name cannot begin with a digit: {before.text + written!r}. Names begin with a letter or a dot."
            raise ModelSyntaxError(problem, text, before.position, len(before.text) + len(written))
        tokens.append(Token(kind, written, start))
    tokens.append(Token("end", "", len(text)))
    return tokens


def _unreadable(text: str, position: int) -> ModelSyntaxError:
    """Say what is wrong with the character at `position`."""
    character = text[position]
    if character in "\"'":
        return ModelSyntaxError("This quote is not closed on the same line.", text, position)
    return ModelSyntaxError(
        f"The character {character!r} has no meaning in model text; names consist of letters, digits, '_' and '.'.", text, position
    )
