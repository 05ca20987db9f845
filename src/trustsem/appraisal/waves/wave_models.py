"""The model of several waves written out as lavaan text: cross-lagged, with random intercepts, or growing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import NamedTuple

from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for
from trustsem.spec.table import ParameterTable

__all__ = ["FORMS", "INVARIANCE", "Arrow", "Repeated", "WaveModel"]

FORMS = ("cross_lagged", "random_intercept", "growth")
INVARIANCE = ("none", "loadings", "scalar")

Arrow = tuple[str, str]
Pair = tuple[str, str]


class Repeated(NamedTuple):
    """One construct that is measured in every wave.

    Attributes
    ----------
    name : str
        Name of the construct.
    columns : tuple of tuple of str
        Its columns, wave by wave, in the same order of items.
    items : tuple of str
        Names of the items without the wave; labels are made of them.
    """

    name: str
    columns: tuple[tuple[str, ...], ...]
    items: tuple[str, ...]

    @property
    def latent(self) -> bool:
        """Whether several columns measure it."""
        return len(self.items) > 1


@dataclass(frozen=True)
class WaveModel:
    """A theory over waves.

    Attributes
    ----------
    form : {"cross_lagged", "random_intercept", "growth"}
        Each construct depends on itself and on its causes one wave before; the same for what is left of it after a random intercept; or each
        construct has a level and a slope, and slopes depend on slopes.
    constructs : tuple of Repeated
    suffixes : tuple of str
        What a name ends in, wave by wave.
    arrows : tuple of (str, str)
        Pairs (cause, effect).
    associated : tuple of (str, str)
        Of growth: effects whose levels, and whose slopes, have a residual covariance.
    equal : bool
        Whether effects of one wave on the next are equal over waves.
    invariance : {"none", "loadings", "scalar"}
        What is equal over waves in the measurement of latent variables: nothing, loadings, or intercepts as well.
    means : bool
        Whether the model has means.
    times : tuple of float
        Of growth: when the waves were, in the unit of the slopes.

    Notes
    -----
    The text is complete: neither ``sem`` nor lavaan adds a covariance to it, provided that ``fixed_x=False``. Residuals of the same item covary over
    waves, innovations of the same wave covary between constructs.
    """

    form: str
    constructs: tuple[Repeated, ...]
    suffixes: tuple[str, ...]
    arrows: tuple[Arrow, ...]
    associated: tuple[Pair, ...] = ()
    equal: bool = True
    invariance: str = "loadings"
    means: bool = False
    times: tuple[float, ...] = ()

    @property
    def text(self) -> str:
        """The model as lavaan syntax."""
        sections = [
            ("Measurement", self._measurement()),
            ("Residuals of the same item over waves", self._stable_items()),
            ("What lasts and what moves" if self.form == "random_intercept" else "Level and slope", self._parts()),
            ("From wave to wave", self._lags()),
            ("Claims about levels and slopes", self._growth_paths()),
            ("Associations", self._associations()),
            ("Means", self._means()),
        ]
        written = [(title, list(lines)) for title, lines in sections]
        return "\n".join("\n".join([f"# {title}", *lines]) for title, lines in written if lines) + "\n"

    def table(self, means: bool = False) -> ParameterTable:
        """Return the model as a parameter table in which nothing is a fixed covariate; `means` are free where the model says nothing of them."""
        return build_table(self.text, replace(defaults_for("sem"), fixed_x=False, meanstructure=means or self.means))

    def with_arrows(self, arrows: Sequence[Arrow]) -> WaveModel:
        """Return the model with other arrows."""
        return replace(self, arrows=tuple(dict.fromkeys(arrows)))

    # ---- names ------------------------------------------------------------------------------------------------------------------------

    def variable(self, name: str, wave: int) -> str:
        """Return the variable that is construct `name` in wave `wave` (counted from 0)."""
        part = next(part for part in self.constructs if part.name == name)
        return f"{name}{self.suffixes[wave]}" if part.latent else part.columns[wave][0]

    def moving(self, name: str, wave: int) -> str:
        """Return the variable that moves from wave to wave: with random intercepts the part within persons."""
        return f"{name}_within{self.suffixes[wave]}" if self.form == "random_intercept" else self.variable(name, wave)

    def endpoints(self, cause: str, effect: str) -> tuple[tuple[str, str], ...]:
        """Return the variables (effect, cause) of every path that stands for one arrow."""
        if self.form == "growth":
            return ((f"{effect}_slope", f"{cause}_slope"),)
        return tuple((self.moving(effect, later), self.moving(cause, earlier)) for earlier, later in pairwise(self._waves))

    @property
    def _waves(self) -> range:
        return range(len(self.suffixes))

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.constructs)

    def _causes(self, effect: str) -> list[str]:
        return [cause for cause, other in self.arrows if other == effect]

    # ---- sections ---------------------------------------------------------------------------------------------------------------------

    def _measurement(self) -> Iterator[str]:
        held = self.invariance != "none"
        for wave in self._waves:
            for part in self.constructs:
                if part.latent:
                    later = zip(part.items[1:], part.columns[wave][1:], strict=True)
                    terms = [f"1*{part.columns[wave][0]}", *(f"{item}_loading*{column}" if held else column for item, column in later)]
                    yield f"{self.variable(part.name, wave)} =~ {' + '.join(terms)}"

    def _stable_items(self) -> Iterator[str]:
        for part in self.constructs:
            if part.latent:
                for columns in zip(*part.columns, strict=True):
                    yield from (f"{one} ~~ {other}" for one, other in combinations(columns, 2))

    def _parts(self) -> Iterator[str]:
        if self.form == "cross_lagged":
            return
        times = self.times or tuple(float(wave) for wave in self._waves)
        for name in self._names:
            variables = [self.variable(name, wave) for wave in self._waves]
            whole = " + ".join(f"1*{variable}" for variable in variables)
            if self.form == "growth":
                yield f"{name}_level =~ {whole}"
                yield f"{name}_slope =~ {' + '.join(f'{time:.10g}*{variable}' for time, variable in zip(times, variables, strict=True))}"
                continue
            yield f"{name}_trait =~ {whole}"
            for wave, variable in zip(self._waves, variables, strict=True):
                yield f"{self.moving(name, wave)} =~ 1*{variable}"
                yield f"{variable} ~~ 0*{variable}"

    def _lags(self) -> Iterator[str]:
        if self.form == "growth":
            return
        for earlier, later in pairwise(self._waves):
            for effect in self._names:
                causes = [effect, *self._causes(effect)]
                terms = [f"{effect}_from_{cause}*{self.moving(cause, earlier)}" if self.equal else self.moving(cause, earlier) for cause in causes]
                yield f"{self.moving(effect, later)} ~ {' + '.join(terms)}"

    def _growth_paths(self) -> Iterator[str]:
        if self.form == "growth":
            for kind in ("level", "slope"):
                for effect in self._names:
                    causes = self._causes(effect)
                    if causes:
                        yield f"{effect}_{kind} ~ {' + '.join(f'{cause}_{kind}' for cause in causes)}"

    def _associations(self) -> Iterator[str]:
        for wave in self._waves:
            variables = [self.moving(name, wave) for name in self._names]
            yield from (f"{one} ~~ {other}" for one, other in combinations(variables, 2))
        if self.form == "random_intercept":
            traits = [f"{name}_trait" for name in self._names]
            yield from (f"{one} ~~ {other}" for one, other in combinations(traits, 2))
            yield from (f"{trait} ~~ 0*{self.moving(name, 0)}" for trait in traits for name in self._names)
        if self.form == "growth":
            yield from self._growth_associations()

    def _growth_associations(self) -> Iterator[str]:
        """Yield covariances of levels and slopes: all of those that nothing explains, the stated ones of the others, and of level and slope."""
        explained, free = {effect for _, effect in self.arrows}, {frozenset(pair) for pair in self.associated}
        for one, other in combinations(self._names, 2):
            both = {one, other} & explained
            if len(both) == 1:
                continue
            mark = "0*" if both and frozenset((one, other)) not in free else ""
            yield from (f"{one}_{kind} ~~ {mark}{other}_{kind}" for kind in ("level", "slope"))
            yield from (f"{a}_level ~~ {'0*' if both else ''}{b}_slope" for a, b in ((one, other), (other, one)))
        yield from (f"{name}_level ~~ {name}_slope" for name in self._names)

    def _means(self) -> Iterator[str]:
        if not self.means:
            return
        scalar, grows = self.invariance == "scalar", self.form == "growth"
        for part in self.constructs:
            if part.latent and scalar:
                for columns in part.columns:
                    yield from (f"{column} ~ {item}_intercept*1" for item, column in zip(part.items, columns, strict=True))
                if not grows:
                    yield from (f"{self.variable(part.name, wave)} ~ 1" for wave in self._waves[1:])
            if grows:
                if not part.latent:
                    yield from (f"{column} ~ 0*1" for (column,) in part.columns)
                    yield f"{part.name}_level ~ 1"
                yield f"{part.name}_slope ~ 1"
