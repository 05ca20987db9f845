"""How a model is written: lavaan syntax, parameter tables, defaults, exports."""

from __future__ import annotations

from trustsem.spec.build import build_table
from trustsem.spec.defaults import Defaults, defaults_for
from trustsem.spec.expressions import Expression, compile_expression, parse_expression
from trustsem.spec.names import BlockNames, block_names
from trustsem.spec.programs import Program
from trustsem.spec.table import ParameterTable, Relation, Row

__all__ = [
    "BlockNames",
    "Defaults",
    "Expression",
    "ParameterTable",
    "Program",
    "Relation",
    "Row",
    "block_names",
    "build_table",
    "compile_expression",
    "defaults_for",
    "parse_expression",
]
