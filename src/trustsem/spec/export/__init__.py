"""A parameter table written in the language of another program."""

from __future__ import annotations

from trustsem.spec.export.dagitty import to_dagitty
from trustsem.spec.export.lavaan import to_lavaan
from trustsem.spec.export.mplus import to_mplus
from trustsem.spec.export.openmx import to_openmx

__all__ = ["to_dagitty", "to_lavaan", "to_mplus", "to_openmx"]
