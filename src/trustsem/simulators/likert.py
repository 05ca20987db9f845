"""Answers on a K-point scale."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import ndtri

from trustsem.errors import OptionError
from trustsem.kernels.structure import Reals
from trustsem.model.population import Moments, Population
from trustsem.options import check_count, choose
from trustsem.populations.ordinal import answer_moments, equal_thresholds, rounded_normal, sd_bounds, thresholds_of
from trustsem.populations.per_item import check_items, check_number, each_number, for_items, name_tuple, plain
from trustsem.simulators import Generator, Rows, Sampler, WrappedSampler, Wrapper, chain, pooled_moments

__all__ = ["Likert"]

_WAYS = ("mean", "proportions", "thresholds", "ceiling")
_PILOT_ROWS, _PILOT_SEED = 100_000, 20_221_117
_EVERY = "every item"

ItemNumbers = float | Mapping[str, float] | None
ItemTuples = tuple[float, ...] | Mapping[str, tuple[float, ...]] | None


@dataclass(frozen=True)
class Likert(Wrapper):
    """Columns become answers 1..K: standardized by their exact moments and cut at thresholds; missing values stay missing.

    Every item gets its thresholds in one way: `mean` with `sd`, `proportions`, `thresholds`, or `ceiling`; mappings may use another way for each
    item. Where none is used at all, the categories are equally wide from -2.5 to 2.5 sd, the outer ones open: the symmetric condition of Rhemtulla,
    Brosseau-Liard and Savalei (2012), Psychological Methods 17, 354-373, whose results say what estimators do with such answers (five categories:
    7, 24, 38, 24 and 7 %).

    Parameters
    ----------
    inner : Generator
    categories : int or mapping of str to int
        K, at least 2.
    mean, sd : float or mapping of str to float, optional
        Published mean and sd of the answers. The answer is a normal variable on the K-point scale, rounded and censored to 1..K, whose own mean and
        sd are solved so that the answers have exactly these. Needs K of at least 3.
    proportions : tuple of K floats or mapping of str to such, optional
        Shares of the categories, which sum to 1. A category may be empty.
    thresholds : tuple of K - 1 floats or mapping of str to such, optional
        Increasing, in sds from the mean of the column.
    ceiling : float or mapping of str to float, optional
        Share of answers in the top category. The categories are as wide as by default and moved together.
    acquiescence : float
        Sd of a shift of all of a person's items in the same direction, in sds of the column.
    extreme : float
        Sd of the logarithm of a factor that stretches all of a person's deviations from the middle of the scale (category or threshold).
    careless : float
        Share of respondents, at least 0 and below 1, who do not read the items.
    careless_kind : {"random", "straight"}
        They answer at random, each category being as likely; or give the same answer throughout, which is random (and relative, if K differs).
    columns : tuple of str, optional
        Which observed variables become answers; by default all. Columns that the inner generator adds never do.

    Notes
    -----
    Thresholds are for answers without response styles, which distort them afterwards: published figures are met exactly if the columns are normal
    and there are no styles. Where the inner sampler knows no exact means and variances, columns are standardized by those of a pilot sample of
    100,000 rows with a fixed seed, to about 0.3 % of an sd if rows are independent.

    `moments` of the sampler are exact if the columns are normal (a `Gaussian` in nothing but generators of the kinds "clusters" and "population"
    with exact moments of their own) and there are no styles; else None. `metric` is False.

    Raises
    ------
    OptionError
        For options that are not possible, such as an sd that no answers with that mean can have, and, when prepared, for items that are not there or
        have no thresholds.
    """

    kind = "response"
    wraps = ("distribution", "clusters", "trial", "population")

    inner: Generator
    categories: int | Mapping[str, int] = 5
    mean: ItemNumbers = None
    sd: ItemNumbers = None
    proportions: ItemTuples = None
    thresholds: ItemTuples = None
    ceiling: ItemNumbers = None
    acquiescence: float = 0.0
    extreme: float = 0.0
    careless: float = 0.0
    careless_kind: str = "random"
    columns: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        self.check_inner()
        for name in ("categories", "mean", "sd", *_WAYS[1:], "acquiescence", "extreme", "careless"):
            object.__setattr__(self, name, plain(getattr(self, name)))
        if self.columns is not None:
            object.__setattr__(self, "columns", name_tuple("columns", self.columns))
        object.__setattr__(self, "careless_kind", choose("careless_kind", self.careless_kind, ("random", "straight")))
        for count in self.categories.values() if isinstance(self.categories, Mapping) else (self.categories,):
            check_count("categories", count, 2)
        each_number("mean", self.mean, "a finite number on the scale of the answers")
        each_number("sd", self.sd, "a finite number of at least 0", 0.0)
        each_number("ceiling", self.ceiling, "a share between 0 and 1", np.nextafter(0.0, 1.0), 1.0)
        for name in ("acquiescence", "extreme"):
            check_number(name, getattr(self, name), "a standard deviation: a number of at least 0 and below 10", 0.0, 10.0)
        check_number("careless", self.careless, "a share of at least 0 and below 1", 0.0, 1.0)
        # What can be refused before the items are known is refused here: with the items named by options, else with one that stands for all.
        mappings = [one for one in (self.categories, self.mean, self.sd, *(getattr(self, way) for way in _WAYS[1:])) if isinstance(one, Mapping)]
        self._plan(self.columns or dict.fromkeys(item for one in mappings for item in one) or (_EVERY,))

    def _plan(self, items: Collection[str]) -> dict[str, tuple[str, int, Any]]:
        """Return the way, K and target of every item."""
        categories = for_items(self.categories, items)
        given = {name: for_items(getattr(self, name), items) for name in (*_WAYS, "sd")}
        for name, values in {"categories": categories, **given}.items():
            check_items(name, values, items)
        plan: dict[str, tuple[str, int, Any]] = {}
        for item in items:
            ways = [way for way in _WAYS if item in given[way]]
            called = item if item == _EVERY else repr(item)
            if item not in categories:
                raise OptionError(f"categories= has no number for {called}. Add it, or leave {called} out with columns=.")
            if (item in given["mean"]) != (item in given["sd"]):
                raise OptionError(f"mean= and sd= belong together, but only one of them is given for {called}. Give both.")
            if len(ways) > 1:
                raise OptionError(f"The thresholds of {called} are given in more than one way: by {'= and '.join(ways)}=. Give one of them.")
            if not ways and any(given.values()):
                raise OptionError(f"There are no thresholds for {called}, but for other items. Give them, or leave {called} out with columns=.")
            way = ways[0] if ways else "equal"
            target = (given["mean"][item], given["sd"][item]) if way == "mean" else given[way][item] if ways else None
            _check_target(called, way, categories[item], target)
            plan[item] = (way, categories[item], target)
        return plan

    def prepare(self, population: Population) -> LikertSampler:
        """Return the sampler for `population`."""
        inner = self.inner.prepare(population)
        # Of groups that differ, means and variances of all together are known, though the mixture is not normal.
        moments = pooled_moments(inner)
        names = (moments or inner.population or population).names
        items = names if self.columns is None else self.columns
        check_items("columns", items, names)
        cuts = _solve(self._plan(items))
        places = np.array([names.index(item) for item in items], dtype=np.intp)
        if moments is None:
            pilot = inner.rows(_PILOT_ROWS, np.random.default_rng(_PILOT_SEED)).values[:, places]
            centre, spread = np.nanmean(pilot, axis=0), np.nanstd(pilot, axis=0)
        else:
            centre, spread = moments.mean[places], np.sqrt(np.diag(moments.cov)[places])
        table = np.full((max((len(own) for own in cuts), default=0), len(cuts)), np.inf)
        for at, own in enumerate(cuts):
            table[: len(own), at] = own
        *wrappers, core = chain(self.inner)
        normal = type(core).__name__ == "Gaussian" and all(one.kind in ("clusters", "population") for one in wrappers)
        counts = np.array([len(own) + 1 for own in cuts], dtype=np.intp)
        middle = np.array([_middle(own) for own in cuts])
        return LikertSampler(inner, places, centre, spread, table, counts, middle, self, normal)


def _check_target(called: str, way: str, categories: int, target: Any) -> None:
    """Refuse a target of the item `called` so that K categories cannot meet."""
    if way == "mean":
        mean, sd = target
        if categories < 3:
            raise OptionError(f"With categories=2 the mean decides the sd of {called}. Give proportions= instead of mean= and sd=.")
        if not 1.0 < mean < categories:
            raise OptionError(
                f"mean={mean!r} of {called} is not possible for answers 1 to {categories}. Give one between these, or other categories=."
            )
        low, high = sd_bounds(mean, categories)
        if not low < sd < high:
            raise OptionError(
                f"sd={sd!r} of {called} is not possible: answers 1 to {categories} with mean {mean!r} have an sd between {low:.4g} and {high:.4g}. "
                "Look for a misprint, or give other categories=."
            )
    if way in ("proportions", "thresholds"):
        wanted = categories - (way == "thresholds")
        if not isinstance(target, tuple) or len(target) != wanted:
            raise OptionError(
                f"{way}={target!r} of {called} do not fit categories={categories}. Give a tuple of {wanted} numbers, or other categories=."
            )
        low = 0.0 if way == "proportions" else -np.inf
        for one in target:
            check_number(way, one, "shares of at least 0" if way == "proportions" else "finite numbers", low, of=f" of {called}")
    if way == "proportions" and not (abs(sum(target) - 1.0) < 1e-9 and max(target) < 1.0):
        raise OptionError(f"proportions={target!r} of {called} must sum to 1, with at least two categories in use. Divide them by their sum.")
    if way == "thresholds" and any(later <= earlier for earlier, later in pairwise(target)):
        raise OptionError(f"thresholds={target!r} of {called} do not increase. Give them in increasing order.")


def _solve(plan: Mapping[str, tuple[str, int, Any]]) -> list[Reals]:
    """Return the thresholds (K - 1,) of every item, in sds from the mean of the column."""
    published = [(count, target) for way, count, target in plan.values() if way == "mean"]
    counts = np.array([count for count, _ in published])
    mean, sd = np.array([target for _, target in published], dtype=float).reshape(-1, 2).T
    solved = zip(*rounded_normal(mean, sd, counts), strict=True)
    ways: Mapping[str, Callable[[int, Any], Reals]] = {
        "thresholds": lambda count, target: np.array(target, dtype=float),
        "proportions": lambda count, target: thresholds_of(target),
        "ceiling": lambda count, target: equal_thresholds(count) - equal_thresholds(count)[-1] - ndtri(target),
        "equal": lambda count, target: equal_thresholds(count),
    }
    cuts = []
    for way, count, target in plan.values():
        if way == "mean":
            mu, sigma = next(solved)
            cuts.append((np.arange(1, count) + 0.5 - mu) / sigma)
        else:
            cuts.append(ways[way](count, target))
    return cuts


def _middle(cuts: Reals) -> float:
    """Return the middle of the middle category, or the middle threshold if K is even; empty outer categories do not count."""
    finite = cuts[np.isfinite(cuts)]
    held = np.clip(cuts, finite[0], finite[-1])
    return float(held[(len(cuts) - 1) // 2] + held[len(cuts) // 2]) / 2.0


@dataclass(frozen=True, eq=False)
class LikertSampler(WrappedSampler):
    """Draws answers.

    Attributes
    ----------
    inner : Sampler
    places : (q,) int
        Places of the columns that become answers.
    centre, spread : (q,) float
        Means and sds that standardize them.
    cuts : (K - 1, q) float
        Thresholds in sds, infinite where an item has fewer.
    counts : (q,) int
        K of each item.
    middle : (q,) float
        Middle of each scale, in sds.
    options : Likert
    normal : bool
        Whether the columns are normal.
    """

    inner: Sampler
    places: np.ndarray
    centre: Reals
    spread: Reals
    cuts: Reals
    counts: np.ndarray
    middle: Reals
    options: Likert
    normal: bool
    metric: bool = False

    @cached_property
    def moments(self) -> Moments | None:
        """Exact moments of answers and other columns; None if the columns are not normal or there are response styles."""
        latent = self.inner.moments
        if latent is None or not self.normal or self.options.acquiescence or self.options.extreme or self.options.careless:
            return None
        thresholds: list[Reals | None] = [None] * len(latent.names)
        for place, count, own in zip(self.places, self.counts, self.cuts.T, strict=True):
            thresholds[place] = own[: count - 1]
        return Moments(latent.names, *answer_moments(latent.mean, latent.cov, thresholds))

    def rows(self, n: int, rng: np.random.Generator) -> Rows:
        """Return `n` rows of answers."""
        rows = self.inner.rows(n, rng)
        z = (rows.values[:, self.places] - self.centre) / self.spread
        if self.options.extreme:
            z = self.middle + np.exp(self.options.extreme * rng.standard_normal((n, 1))) * (z - self.middle)
        if self.options.acquiescence:
            z = z + self.options.acquiescence * rng.standard_normal((n, 1))
        answers = np.ones(z.shape)
        for cut in self.cuts:
            answers += z > cut
        if self.options.careless:
            self._careless(answers, rng)
        values = rows.values.copy()
        values[:, self.places] = np.where(np.isnan(z), np.nan, answers)
        return Rows(rows.names, values, rows.extra)

    def _careless(self, answers: Reals, rng: np.random.Generator) -> None:
        """Overwrite the answers of careless respondents."""
        who = np.flatnonzero(rng.random(len(answers)) < self.options.careless)
        width = answers.shape[1] if self.options.careless_kind == "random" else 1
        answers[who] = 1.0 + np.floor(rng.random((len(who), width)) * self.counts)
