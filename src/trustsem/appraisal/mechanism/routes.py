"""The routes of a theory, and the effects that they carry as functions of the parameters of its fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trustsem.errors import NotAvailableError, OptionError, closest
from trustsem.inference import routes as formulas
from trustsem.inference.many import implied_many
from trustsem.inference.quantities import Quantities
from trustsem.kernels.structure import Reals
from trustsem.model.problem import ImpliedBlock

if TYPE_CHECKING:
    from trustsem.fitting.fit import Fit
    from trustsem.theory import Theory

__all__ = ["Draws", "Effects", "Path", "Reach", "essential", "implied_draws", "pick", "reach_of", "refuse_blocks", "route_effects", "total_effects"]

Path = tuple[str, ...]  # constructs, from cause to outcome
_MOST_ROUTES = 5_000


class Draws(NamedTuple):
    """What draws of the parameters imply for some variables of one block.

    Attributes
    ----------
    places : tuple of int
        The m variables.
    A, B, V : (B, m, m) float
        Paths, total effects and covariances.
    """

    places: tuple[int, ...]
    A: Reals
    B: Reals
    V: Reals

    def among(self, places: Sequence[int]) -> list[int]:
        """Return where variables of the block are here."""
        return [self.places.index(place) for place in places]


def implied_draws(fit: Fit, places: Sequence[int], theta: Reals, borrowed: Reals) -> Draws:
    """Return what draws of theta (B, K), with moments of fixed covariates (B, R), imply for the variables at `places`."""
    at = np.array(places, dtype=np.int64)
    parts = [tuple(matrix[:, at[:, None], at] for matrix in (block.A, block.B, block.V)) for block in _blocks(fit, theta, borrowed)]
    A, B, V = (np.concatenate(matrices) for matrices in zip(*parts, strict=True))
    return Draws(tuple(places), A, B, V)


def _blocks(fit: Fit, theta: Reals, borrowed: Reals) -> Iterator[ImpliedBlock]:
    for _, (block,) in implied_many(fit.model, fit.problem.structure, theta, borrowed):
        yield block


class Effects(NamedTuple):
    """The same effects in the units of the data and in standard deviations."""

    raw: Quantities
    std: Quantities


@dataclass(frozen=True)
class Reach:
    """What leads where in a theory.

    Attributes
    ----------
    sources, outcomes : tuple of str
        Constructs that nothing explains but that explain something; those that are explained and explain nothing. In the order of the theory.
    routes : tuple of tuple of str
        Every directed route from a source to an outcome.
    """

    sources: tuple[str, ...]
    outcomes: tuple[str, ...]
    routes: tuple[Path, ...]


def refuse_blocks(fit: Fit, what: str) -> None:
    """Refuse several groups or levels.

    Raises
    ------
    NotAvailableError
    """
    table = fit.model.table
    if table.n_levels > 1:
        raise NotAvailableError(f"{what} of a two-level model is not available: effects differ by level. Fit one level, with cluster=.")
    if table.n_groups > 1:
        raise NotAvailableError(f"{what} of several groups is not available: effects differ by group. Appraise one group at a time.")


def pick(option: str, names: Sequence[str], allowed: Sequence[str]) -> tuple[str, ...]:
    """Return `names` if all of them are `allowed`.

    Raises
    ------
    OptionError
    """
    for name in names:
        if name not in allowed:
            raise OptionError(f"{option}= names {name!r}. Allowed are {', '.join(allowed) or 'none here'}.{closest(str(name), allowed)}")
    return tuple(names)


def reach_of(theory: Theory) -> Reach:
    """Return the sources, outcomes and routes of a theory.

    Raises
    ------
    NotAvailableError
        If there are too many routes to be listed.
    """
    names = [node.name for node in theory.nodes]
    children: dict[str, list[str]] = {name: [] for name in names}
    for claim in theory.claims:
        children[claim.cause].append(claim.effect)
    effects = {claim.effect for claim in theory.claims}
    sources = tuple(name for name in names if name not in effects and children[name])
    outcomes = tuple(name for name in names if name in effects and not children[name])
    for below in children.values():
        below.sort(key=names.index)
    routes: list[Path] = []
    for source in sources:
        _walk(children, (source,), routes)
    return Reach(sources, outcomes, tuple(routes))


def _walk(children: dict[str, list[str]], path: Path, found: list[Path]) -> None:
    """Add every route that continues `path`; the diagram has no cycles."""
    if not children[path[-1]]:
        found.append(path)
        if len(found) > _MOST_ROUTES:
            raise NotAvailableError(
                f"The theory has more than {_MOST_ROUTES:,} routes from causes to outcomes, which are too many to be listed. Drop constructs with "
                "theory.drop(), or look at fit.effects()."
            )
        return
    for child in children[path[-1]]:
        _walk(children, (*path, child), found)


def essential(theory: Theory, routes: Sequence[Path]) -> tuple[str, ...]:
    """Return the constructs that lie within every one of the routes, in the order of the theory."""
    inside = [set(route[1:-1]) for route in routes]
    return tuple(node.name for node in theory.nodes if inside and all(node.name in names for names in inside))


def route_effects(fit: Fit, places: dict[str, int], routes: Sequence[Path], draws: Draws | None = None) -> Effects:
    """Return the effect along each route: the product of its paths.

    Parameters
    ----------
    fit : Fit
        Of one block.
    places : dict of str to int
        Place of each construct among the variables of the fit.
    routes : sequence of tuple of str
    draws : Draws, optional
    """
    block = fit.implied_blocks[0]
    cells = [tuple((places[effect], places[cause]) for cause, effect in pairwise(route)) for route in routes]
    slopes = formulas.route_slopes(fit.model, 0, block, cells)
    first, last = [places[route[0]] for route in routes], [places[route[-1]] for route in routes]
    plain = Quantities(formulas.route_products(block.A, cells), slopes)
    if draws is not None:
        own = {place: k for k, place in enumerate(draws.places)}
        found = formulas.route_products(draws.A, [tuple((own[i], own[j]) for i, j in route) for route in cells])
        plain = Quantities(plain.value, slopes, found)
    return _with_standardized(fit, first, last, plain, draws)


def total_effects(fit: Fit, places: dict[str, int], pairs: Sequence[tuple[str, str]], draws: Draws | None = None) -> Effects:
    """Return the total effect of each pair (cause, effect); the rest as for :func:`route_effects`."""
    block = fit.implied_blocks[0]
    causes, effects = [places[cause] for cause, _ in pairs], [places[effect] for _, effect in pairs]
    slopes = formulas.total_slopes(fit.model, 0, block, effects, causes)
    found = None if draws is None else draws.B[:, draws.among(effects), draws.among(causes)]
    return _with_standardized(fit, causes, effects, Quantities(block.B[effects, causes], slopes, found), draws)


def _with_standardized(fit: Fit, causes: list[int], effects: list[int], plain: Quantities, draws: Draws | None) -> Effects:
    """Return effects and their standardized form."""
    value, slopes = formulas.standardized_effects(fit.model, 0, fit.implied_blocks[0], effects, causes, plain.value, plain.slopes)
    if draws is None or plain.draws is None:
        return Effects(plain, Quantities(value, slopes))
    with np.errstate(all="ignore"):
        sd = np.sqrt(np.diagonal(draws.V, axis1=1, axis2=2))
        scaled = plain.draws * sd[:, draws.among(causes)] / sd[:, draws.among(effects)]
    return Effects(plain, Quantities(value, slopes, scaled))
