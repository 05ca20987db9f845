"""A population of one wave unfolded over several: model text and values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, groupby
from typing import NamedTuple

import numpy as np

from trustsem.kernels.structure import Reals
from trustsem.model.population import Population
from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for
from trustsem.spec.table import Row

__all__ = ["Dynamics", "Waves"]


@dataclass(frozen=True, eq=False)
class Dynamics:
    """How k constructs with q items move from wave to wave, in the units of the population.

    Attributes
    ----------
    waves : int
    constructs, items : tuple of str
    lags : (k, k) float
        Effects of the moving parts one wave before, ``[i, j]`` from j to i.
    moving, lasting : (k, k) float
        Covariances of the moving parts (in every wave) and of the traits.
    growth, slopes : (k,) float
        Mean slope per wave, and the variance of people's slopes.
    stability : (q,) float
        Correlation of an item's residuals between waves.
    """

    waves: int
    constructs: tuple[str, ...]
    items: tuple[str, ...]
    lags: Reals
    moving: Reals
    lasting: Reals
    growth: Reals
    slopes: Reals
    stability: Reals

    @cached_property
    def innovations(self) -> Reals:
        """Covariances (k, k) of what is new in a wave, such that those of the moving parts stay the same."""
        return np.asarray(self.moving - self.lags @ self.moving @ self.lags.T)


class _Term(NamedTuple):
    """One parameter with its value; what is not shown is added by the defaults of ``sem``, which would fix what is freed."""

    lhs: str
    op: str
    rhs: str
    value: float
    fixed: bool = False
    shown: bool = True
    label: str = ""
    freed: bool = False

    @property
    def key(self) -> tuple[str, frozenset[str] | tuple[str, str]]:
        """What identifies the parameter in a table."""
        return (self.op, frozenset((self.lhs, self.rhs)) if self.op == "~~" else (self.lhs, self.rhs))

    @property
    def text(self) -> str:
        """The term as it is written right of the operator."""
        short = f"{self.value:g}"
        number = short if float(short) == self.value else repr(float(self.value))
        modifier = f"{number}*" if self.fixed else f"{self.label}*" if self.label else "NA*" if self.freed else ""
        return f"{modifier}{self.rhs or '1'}"


@dataclass(frozen=True, eq=False)
class Waves:
    """The model of all waves.

    A construct with a trait or with individual slopes is their sum and a moving part, ``Trust_within_w1``; other constructs themselves move. The text
    is complete: neither ``sem`` nor lavaan adds a covariance to it.

    Attributes
    ----------
    source : Population
        Of one wave.
    dynamics : Dynamics
    equal : bool
        Whether effects of one wave on the next carry a label, such as ``Motivation_from_Trust``, that holds them equal over waves.
    """

    source: Population
    dynamics: Dynamics
    equal: bool = False

    @cached_property
    def terms(self) -> dict[str, list[_Term]]:
        """All parameters, by the title of the section."""
        sections = {f"Wave {wave}": list(self._measurement(wave)) for wave in self._numbers}
        return {
            **sections,
            "What lasts and what moves": list(self._parts()),
            "From wave to wave": list(self._lags()),
            "What moves together": list(self._associations()),
            "What is unrelated": list(self._zeros()),
            "What is stable about items": list(self._stable_items()),
            "Means": list(self._means()) if self._has_means else [],
        }

    @cached_property
    def text(self) -> str:
        """The model with free parameters, as lavaan syntax."""
        parts = []
        for title, terms in self.terms.items():
            shown = [term for term in terms if term.shown]
            if shown:
                lines = (
                    f"{lhs} {'~' if op == '~1' else op} {' + '.join(term.text for term in members)}"
                    for (lhs, op), members in groupby(shown, key=lambda term: (term.lhs, term.op))
                )
                parts.append("\n".join([f"# {title}", *lines]))
        return "\n".join(parts) + "\n"

    @cached_property
    def population(self) -> Population:
        """The population of all waves."""
        table = build_table(self.text, replace(defaults_for("sem"), fixed_x=False))
        values = {term.key: term.value for terms in self.terms.values() for term in terms}
        free = [row for row in table.rows if row.free]
        return Population(
            table, {name: values[_Term(row.lhs, row.op, row.rhs, 0.0).key] for name, row in zip(table.parameter_names(), free, strict=True)}
        )

    # ---- names ------------------------------------------------------------------------------------------------------------------------

    @property
    def _numbers(self) -> range:
        return range(1, self.dynamics.waves + 1)

    @cached_property
    def _has_means(self) -> bool:
        return self.source.table.has_means or bool(self.dynamics.growth.any())

    @cached_property
    def _latent(self) -> frozenset[str]:
        return frozenset(self.source.compiled.blocks[0].latent)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.source.compiled.blocks[0].variables)}

    @cached_property
    def _rows(self) -> dict[tuple[str, frozenset[str] | tuple[str, str]], Row]:
        return {_Term(row.lhs, row.op, row.rhs, 0.0).key: row for row in self.source.table.rows}

    def _split(self, i: int) -> bool:
        """Whether construct `i` is split into parts."""
        return bool(self.dynamics.lasting[i, i] > 0.0 or self.dynamics.slopes[i] > 0.0)

    def _moving(self, i: int, wave: int) -> str:
        return f"{self.dynamics.constructs[i]}_within_w{wave}" if self._split(i) else f"{self.dynamics.constructs[i]}_w{wave}"

    def _constructs(self) -> Iterator[tuple[int, str]]:
        return enumerate(self.dynamics.constructs)

    # ---- sections ---------------------------------------------------------------------------------------------------------------------

    def _measurement(self, wave: int) -> Iterator[_Term]:
        block, at, items = self.source.implied_blocks[0], self._index, set(self.dynamics.items)
        rows = list(self._rows.values())
        alone = set()
        for name in self.dynamics.constructs:
            loadings = [row for row in rows if row.op == "=~" and row.lhs == name and (row.free or row.ustart)]
            scaled = any(not row.free for row in loadings)  # if nothing sets the unit, the first loading keeps its value
            for k, row in enumerate(loadings):
                value, fixed = float(block.A[at[row.rhs], at[name]]), not row.free or (k == 0 and not scaled)
                yield _Term(f"{name}_w{wave}", "=~", f"{row.rhs}_w{wave}", value, fixed, freed=k == 0)
            alone |= {row.rhs for row in loadings} if len(loadings) == 1 else set()
        for row in rows:
            if row.op == "~" and row.lhs in items and (row.free or row.ustart):
                yield _Term(f"{row.lhs}_w{wave}", "~", f"{row.rhs}_w{wave}", float(block.A[at[row.lhs], at[row.rhs]]), not row.free)
        for name in self.dynamics.items:
            own = self._rows.get(("~~", frozenset((name,))))
            fixed = own is None or not own.free
            yield _Term(f"{name}_w{wave}", "~~", f"{name}_w{wave}", float(block.S[at[name], at[name]]), fixed, fixed or name in alone, freed=True)
        for row in rows:
            if row.op == "~~" and row.lhs != row.rhs and row.lhs in items and (row.free or row.ustart):
                yield _Term(f"{row.lhs}_w{wave}", "~~", f"{row.rhs}_w{wave}", float(block.S[at[row.lhs], at[row.rhs]]), not row.free)

    def _parts(self) -> Iterator[_Term]:
        own = self.dynamics
        for i, name in self._constructs():
            if not self._split(i):
                continue
            if own.lasting[i, i] > 0.0:
                yield from (_Term(f"{name}_trait", "=~", f"{name}_w{wave}", 1.0, True) for wave in self._numbers)
                yield _Term(f"{name}_trait", "~~", f"{name}_trait", float(own.lasting[i, i]), shown=False)
            if own.slopes[i] > 0.0:
                yield from (_Term(f"{name}_slope", "=~", f"{name}_w{wave}", wave - 1.0, True) for wave in self._numbers)
                yield _Term(f"{name}_slope", "~~", f"{name}_slope", float(own.slopes[i]), shown=False)
            for wave in self._numbers:
                yield _Term(self._moving(i, wave), "=~", f"{name}_w{wave}", 1.0, True)
                yield _Term(f"{name}_w{wave}", "~~", f"{name}_w{wave}", 0.0, True)

    def _lags(self) -> Iterator[_Term]:
        for wave in self._numbers[1:]:
            for i, _ in self._constructs():
                for j in dict.fromkeys([i, *np.flatnonzero(self.dynamics.lags[i]).tolist()]):
                    label = f"{self.dynamics.constructs[i]}_from_{self.dynamics.constructs[j]}" if self.equal else ""
                    yield _Term(self._moving(i, wave), "~", self._moving(j, wave - 1), float(self.dynamics.lags[i, j]), label=label)

    def _associations(self) -> Iterator[_Term]:
        own = self.dynamics
        # Covariates that are nothing but observed have moments of their own, which the defaults add.
        covariates = not any(self._split(i) or name in self._latent for i, name in self._constructs())
        for wave in self._numbers:
            first, matrix = wave == 1, own.moving if wave == 1 else own.innovations
            for i, j in combinations(range(len(own.constructs)), 2):
                yield _Term(self._moving(i, wave), "~~", self._moving(j, wave), float(matrix[i, j]), shown=not (first and covariates))
            for i, _ in self._constructs():
                yield _Term(self._moving(i, wave), "~~", self._moving(i, wave), float(matrix[i, i]), shown=False)
        for i, j in combinations(np.flatnonzero(np.diag(own.lasting)).tolist(), 2):
            yield _Term(f"{own.constructs[i]}_trait", "~~", f"{own.constructs[j]}_trait", float(own.lasting[i, j]))

    def _zeros(self) -> Iterator[_Term]:
        own = self.dynamics
        traits = [f"{name}_trait" for i, name in self._constructs() if own.lasting[i, i] > 0.0]
        slopes = [f"{name}_slope" for i, name in self._constructs() if own.slopes[i] > 0.0]
        # Observed variables do not covary with latent ones unless it is written.
        moving = [self._moving(i, 1) for i, name in self._constructs() if self._split(i) or name in self._latent]
        for k, name in enumerate(slopes):
            yield from (_Term(name, "~~", other, 0.0, True) for other in [*slopes[k + 1 :], *traits, *moving])
        for name in traits:
            yield from (_Term(name, "~~", other, 0.0, True) for other in moving)

    def _stable_items(self) -> Iterator[_Term]:
        own, S, at = self.dynamics, self.source.implied_blocks[0].S, self._index
        for name, stability in zip(own.items, own.stability.tolist(), strict=True):
            value = stability * float(S[at[name], at[name]])
            if value:
                yield from (_Term(f"{name}_w{one}", "~~", f"{name}_w{other}", value) for one, other in combinations(self._numbers, 2))

    def _means(self) -> Iterator[_Term]:
        """Yield intercepts; those of items are equal over the waves if constructs grow, whose means would be arbitrary otherwise."""
        own, at = self.dynamics, self._index
        block = self.source.implied_blocks[0]
        places = [at[name] for name in own.constructs]
        base = np.array([0.0 if name in self._latent else block.mu[place] for (_, name), place in zip(self._constructs(), places, strict=True)])
        grows = bool(own.growth.any())
        for wave in self._numbers:
            for name in own.items:
                value = float(block.mu[at[name]] - block.A[at[name], places] @ base)
                yield _Term(f"{name}_w{wave}", "~1", "", value, label=f"{name}_int" if grows else "")
        moving = np.array([not self._split(i) for i, _ in self._constructs()])
        for wave in self._numbers:
            mean, before = base + own.growth * (wave - 1), moving * (base + own.growth * (wave - 2))
            brought = own.lags @ before if wave > 1 else np.zeros(len(base))
            for i, name in self._constructs():
                yield from self._intercept(i, f"{name}_w{wave}", float(base[i]), float(mean[i]), float(brought[i]), wave)
        for i, name in self._constructs():
            if own.slopes[i] > 0.0 and grows:
                yield _Term(f"{name}_slope", "~1", "", float(own.growth[i]))

    def _intercept(self, i: int, name: str, base: float, mean: float, brought: float, wave: int) -> Iterator[_Term]:
        """Yield the intercept of a construct at one wave, if it has one; latent variables have mean 0 in wave 1."""
        own, latent = self.dynamics, self.dynamics.constructs[i] in self._latent
        if own.slopes[i] > 0.0:
            if not latent:
                yield _Term(name, "~1", "", base, label=f"{own.constructs[i]}_int" if own.growth.any() else "")
        elif not latent:
            # In wave 1 it is a covariate: written, its intercept would be a parameter.
            yield _Term(name, "~1", "", mean if self._split(i) else mean - brought, shown=wave > 1 or self._split(i))
        elif wave > 1 and (own.growth[i] or (not self._split(i) and brought)):
            yield _Term(name, "~1", "", mean if self._split(i) else mean - brought)
