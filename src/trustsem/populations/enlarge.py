"""A population with further causes and covariances, written as rows of its table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from trustsem.model.population import Population
from trustsem.spec.table import Row

__all__ = ["enlarged"]


def enlarged(
    population: Population, paths: Mapping[tuple[str, str], float], covariances: Mapping[tuple[str, str], float], means: Mapping[str, float]
) -> Population:
    """Return the population with more paths, and with something added to covariances.

    Parameters
    ----------
    population : Population
        Of one block.
    paths : mapping of (str, str) to float
        New paths, by effect and cause.
    covariances : mapping of (str, str) to float
        What is added to a (co)variance of disturbances; where the model has no such parameter it gets one.
    means : mapping of str to float
        Means of new variables, left out if the population has no mean structure.

    Returns
    -------
    Population
        A variance that was fixed stays fixed, at its new value; one that shared its label with others is set free of it.
    """
    rows, values = list(population.table.rows), dict(population.values)
    new = [(Row(effect, "~", cause), value) for (effect, cause), value in paths.items()]
    place = {frozenset((row.lhs, row.rhs)): k for k, row in enumerate(rows) if row.op == "~~"}
    labels = [row.label for row in rows if row.label]
    for (left, right), value in covariances.items():
        at = place.get(frozenset((left, right)))
        if at is None:
            new.append((Row(left, "~~", right), value))
            continue
        row = rows[at]
        if not row.free:
            rows[at] = row._replace(ustart=row.ustart + value)
            continue
        before = values[row.label or row.name]
        if labels.count(row.label) > 1:
            row = rows[at] = row._replace(label="")
        values[row.label or row.name] = before + value
    if population.table.has_means:
        new += [(Row(name, "~1", ""), value) for name, value in means.items()]
    rows += [row for row, _ in new]
    return Population(replace(population.table, rows=tuple(rows)), values | {row.name: value for row, value in new})
