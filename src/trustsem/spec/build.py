"""Model text to a complete parameter table."""

from __future__ import annotations

from collections.abc import Sequence

from trustsem.errors import ModelError, OptionError
from trustsem.spec.automatic import BlockPlace, complete_block
from trustsem.spec.defaults import Defaults
from trustsem.spec.equality import apply_equal, apply_group_equal, group_equal_option, share_fixed_values
from trustsem.spec.names import block_names
from trustsem.spec.parser import parse
from trustsem.spec.refusals import refuse_unavailable
from trustsem.spec.relations import build_relations
from trustsem.spec.statements import StatedRelation
from trustsem.spec.table import ParameterTable
from trustsem.spec.written import Written, in_data_order, written_blocks

__all__ = ["build_table"]


def build_table(
    model: str | ParameterTable,
    defaults: Defaults,
    *,
    n_groups: int = 1,
    group_equal: str | Sequence[str] = (),
    group_partial: str | Sequence[str] = (),
    group_labels: Sequence[str] = (),
) -> ParameterTable:
    """Read model text and fill in what it leaves out, as lavaan does.

    Parameters
    ----------
    model : str or ParameterTable
        Lavaan model syntax; a table is returned as it is.
    defaults : Defaults
        What to fill in, such as ``defaults_for("sem")``.
    n_groups : int
        Number of groups. With 1, the number of ``group:`` headers in the text counts.
    group_equal : str or sequence of str
        Kinds of parameters that are equal over groups: ``loadings intercepts means residuals residual.covariances lv.variances
        lv.covariances regressions``.
    group_partial : str or sequence of str
        Parameters excepted from `group_equal`, such as ``"f=~x2"``.
    group_labels : sequence of str
        Labels of the groups in the data, in their order there. The sections of ``group:`` headers are put in this order by label, or by
        number if the headers are numbers; without labels, sections are taken in the order written.

    Returns
    -------
    ParameterTable

    Raises
    ------
    ModelSyntaxError
        For text that cannot be read; it points at the token.
    ModelError
        For text that can be read but not meant.
    NotAvailableError
        For operators and modifiers that nothing can estimate yet.
    OptionError
        For unknown kinds or parameters in `group_equal` and `group_partial`.
    """
    if isinstance(model, ParameterTable):
        return model
    if not isinstance(model, str):
        raise OptionError(f"model= is a {type(model).__name__}. Give model text or a ParameterTable.")
    kinds = group_equal_option(group_equal)
    statements = parse(model)
    refuse_unavailable(statements, model)
    stated = written_blocks(statements, n_groups, model)
    if stated.labels and group_labels:
        stated = in_data_order(stated, group_labels)
    written, headers, levels = stated
    means = (
        bool(defaults.meanstructure if defaults.meanstructure is not None else len(written) > 1)
        or levels > 1
        or any(entry.op == "~1" for block in written for entry in block)
        or (len(written) > 1 and bool({"intercepts", "means"} & set(kinds)))
    )
    rank = _rank(written if headers else written[:levels])
    blocks = []
    for number, block in enumerate(written):
        partner = written[number - number % levels + (number + 1) % levels] if levels > 1 else ()
        place = BlockPlace(number + 1, number // levels + 1, number % levels + 1)
        blocks.append(complete_block(block, defaults, rank=rank, means=means, place=place, partner=partner))
    if kinds and len(blocks) > levels:
        blocks = apply_group_equal(blocks, kinds, group_partial, defaults, levels=levels, loosen=not headers)
    blocks = apply_equal(blocks, written, model)
    rows = share_fixed_values([row for block in blocks for row in block])
    relations = build_relations([statement for statement in statements if isinstance(statement, StatedRelation)], rows, model)
    return ParameterTable(tuple(rows), relations, headers, n_groups=len(blocks) // levels, n_levels=levels)


def _rank(written: Sequence[Sequence[Written]]) -> dict[str, int]:
    """Order the variables of all groups, latent ones first."""
    names = block_names([entry for block in written for entry in block])
    if not names.observed:
        raise ModelError("The model has no observed variable. Say what measures the latent variables, such as 'f =~ x1 + x2 + x3'.")
    return {name: number for number, name in enumerate(names.latent + names.observed)}
