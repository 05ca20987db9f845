"""The measurement part of a model in blocks that can be fitted by themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from trustsem.appraisal.structure import graph_of_table, saturated_table, structural_names
from trustsem.errors import NotAvailableError, OptionError, closest
from trustsem.fitting.fit import Fit, check_counting_rule
from trustsem.fitting.fitter import make_fitter
from trustsem.inference.moment_errors import SampledMoments
from trustsem.model.ram import Model, compile_model
from trustsem.options import FitOptions
from trustsem.spec.table import ParameterTable, Row

__all__ = ["Split", "fit_blocks", "marker_table", "random_table", "split_model", "unbiased", "without_means"]


@dataclass(frozen=True, eq=False)
class Split:
    """A model taken apart.

    Attributes
    ----------
    table : ParameterTable
        The model, without means, every latent variable in the scale of an indicator.
    names : tuple of str
        The structural variables.
    blocks : tuple of ParameterTable
        Measurement models of some latent variables each, whose covariances are free.
    latent : tuple of tuple of str
        The latent variables of each block.
    structural : ParameterTable
        The structural part, with the structural variables as observed ones.
    rescaled : tuple of str
        Latent variables whose scale the model sets by a variance.
    joined : tuple of tuple of str
        Blocks of latent variables that no block of their own would identify.
    """

    table: ParameterTable
    names: tuple[str, ...]
    blocks: tuple[ParameterTable, ...]
    latent: tuple[tuple[str, ...], ...]
    structural: ParameterTable
    rescaled: tuple[str, ...]
    joined: tuple[tuple[str, ...], ...]


def without_means(table: ParameterTable) -> ParameterTable:
    """Return the table without intercepts."""
    return replace(table, rows=tuple(row for row in table.rows if row.op != "~1"))


def random_table(table: ParameterTable) -> ParameterTable:
    """Return the table with the moments of fixed covariates as parameters."""
    return replace(table, rows=tuple(row._replace(free=True, exo=False, ustart=math.nan) if row.exo else row for row in table.rows))


def marker_table(table: ParameterTable) -> tuple[ParameterTable, tuple[str, ...]]:
    """Return the table with the first loading of every latent variable fixed, and the names of those whose variance was."""
    given = {row.lhs for row in table.rows if row.op == "=~" and not row.free and row.ustart != 0.0}
    latent = tuple(dict.fromkeys(row.lhs for row in table.rows if row.op == "=~"))
    unmarked = tuple(name for name in latent if name not in given)
    seen: set[str] = set()
    rows: list[Row] = []
    for row in table.rows:
        if row.op == "=~" and row.lhs in unmarked and row.free and row.lhs not in seen:
            seen.add(row.lhs)
            rows.append(row._replace(free=False, ustart=1.0, label=""))
        elif row.op == "~~" and row.lhs == row.rhs and row.lhs in unmarked:
            rows.append(row._replace(free=True, ustart=math.nan))
        else:
            rows.append(row)
    return replace(table, rows=tuple(rows)), unmarked


def split_model(model: Model, blocks: Sequence[Sequence[str]] | None = None) -> Split:
    """Take a model of one block apart.

    Parameters
    ----------
    model : Model
    blocks : sequence of sequences of str, optional
        The latent variables that are measured together. By default those with a common indicator or with correlated errors of their indicators; one
        that could not be identified alone is joined with its neighbours in the structural part.

    Raises
    ------
    NotAvailableError
        If the two parts cannot be told apart, or there are constraints between parameters.
    OptionError
        If `blocks` is not a partition of the latent variables, or parts what the model joins.
    """
    free = [int(k) for k in model.theta_of_row if k >= 0]
    if len(set(free)) < len(free):
        raise NotAvailableError("The model holds parameters equal, which may not be in the same step. Leave the shared labels out.")
    table, rescaled = marker_table(without_means(model.table))
    whole = saturated_table(table)
    names = structural_names(table)
    latent = tuple(dict.fromkeys(row.lhs for row in table.rows if row.op == "=~"))
    ties = _ties(table, names, latent)
    joined: tuple[tuple[str, ...], ...] = ()
    if blocks is None:
        found = _components(latent, ties)
        found, joined = _identified(whole, table, found)
    else:
        found = _chosen(blocks, latent, ties)
    tables = tuple(_block_table(whole, own) for own in found)
    structural = replace(table, rows=tuple(row for row in table.rows if row.op in ("~", "~~") and {row.lhs, row.rhs} <= set(names)))
    return Split(table, names, tables, found, structural, rescaled, joined)


def _ties(table: ParameterTable, names: tuple[str, ...], latent: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Return pairs of latent variables that have to be measured together, with the reason."""
    owners: dict[str, list[str]] = {}
    for row in table.rows:
        if row.op == "=~" and (row.free or row.ustart != 0.0):
            owners.setdefault(row.rhs, []).append(row.lhs)
    ties = [(one, other, f"the indicator {item}") for item, own in owners.items() for one, other in combinations(own, 2)]
    for row in table.rows:
        if row.op != "~~" or row.lhs == row.rhs or {row.lhs, row.rhs} <= set(names) or not (row.free or row.ustart != 0.0):
            continue
        if row.lhs not in owners or row.rhs not in owners:
            raise NotAvailableError(
                f"The covariance {row.lhs} ~~ {row.rhs} joins an indicator with a structural variable, so that measurement and structural part "
                "cannot be told apart. Leave it out."
            )
        reason = f"{row.lhs} ~~ {row.rhs}"
        ties += [(one, other, reason) for one in owners[row.lhs] for other in owners[row.rhs] if one != other]
    return ties


def _components(latent: tuple[str, ...], ties: Sequence[tuple[str, str, str]]) -> tuple[tuple[str, ...], ...]:
    group = {name: {name} for name in latent}
    for one, other, _ in ties:
        union = group[one] | group[other]
        for name in union:
            group[name] = union
    return tuple(dict.fromkeys(tuple(name for name in latent if name in group[own]) for own in latent))


def _chosen(blocks: Any, latent: tuple[str, ...], ties: Sequence[tuple[str, str, str]]) -> tuple[tuple[str, ...], ...]:
    found = tuple((own,) if isinstance(own, str) else tuple(own) for own in blocks)
    named = [name for own in found for name in own]
    for name in named:
        if name not in latent:
            raise OptionError(f"blocks= names {name!r}, which is no latent variable of the model.{closest(str(name), latent)}")
    if sorted(named) != sorted(latent):
        raise OptionError(f"blocks= must name each latent variable once: {', '.join(latent)}. It names {', '.join(named) or 'none'}.")
    place = {name: k for k, own in enumerate(found) for name in own}
    for one, other, reason in ties:
        if place[one] != place[other]:
            raise OptionError(f"blocks= parts {one} and {other}, which {reason} joins. Put them into one block.")
    return found


def _identified(
    whole: ParameterTable, table: ParameterTable, found: tuple[tuple[str, ...], ...]
) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """Join blocks with more parameters than moments with a neighbour until there are none, or one block is left."""
    graph = graph_of_table(table)
    neighbours = [set(pair) for pair in (*graph.arrows, *graph.spouses)]
    order = [name for own in found for name in own]
    joined: list[tuple[str, ...]] = []
    blocks = list(found)
    while len(blocks) > 1:
        poor = next((own for own in blocks if _short(_block_table(whole, own))), None)
        if poor is None:
            break
        near = [own for own in blocks if own is not poor and any(pair & set(poor) and pair & set(own) for pair in neighbours)]
        other = near[0] if near else next(own for own in blocks if own is not poor)
        union = tuple(name for name in order if name in {*poor, *other})
        joined = [own for own in joined if not set(own) <= set(union)] + [union]
        at = min(blocks.index(poor), blocks.index(other))
        blocks = [own for own in blocks if own is not poor and own is not other]
        blocks.insert(at, union)
    return tuple(blocks), tuple(joined)


def _short(table: ParameterTable) -> bool:
    model = compile_model(table)
    return model.n_theta > model.n_moments


def _block_table(whole: ParameterTable, latent: tuple[str, ...]) -> ParameterTable:
    """Return the measurement model of some latent variables, variances of errors not negative."""
    items = {row.rhs for row in whole.rows if row.op == "=~" and row.lhs in latent}
    rows = []
    for row in whole.rows:
        if (row.op == "=~" and row.lhs in latent) or (row.op == "~~" and {row.lhs, row.rhs} <= {*items, *latent}):
            bounded = row.op == "~~" and row.lhs == row.rhs and row.free
            rows.append(row._replace(lower=max(row.lower, 0.0)) if bounded else row)
    return replace(whole, rows=tuple(rows))


def fit_blocks(split: Split, moments: SampledMoments) -> tuple[Fit, ...]:
    """Fit every measurement block by maximum likelihood to its part of the moments.

    Raises
    ------
    IdentificationError
        If a block has more parameters than moments.
    """
    fits = []
    for table in split.blocks:
        model = compile_model(table)
        check_counting_rule(model)
        at = moments.at(model.blocks[0].observed)
        fits.append(make_fitter(model, FitOptions()).fit_moments(unbiased(moments.cov[np.ix_(at, at)], moments.n), moments.n))
    return tuple(fits)


def unbiased(cov: np.ndarray, n: int) -> np.ndarray:
    """Return covariances with divisor n - 1 from those with divisor n."""
    return np.asarray(cov * (n / (n - 1.0)))
