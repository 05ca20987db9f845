"""Causal tiers: which column a variable stands in, and in which order the variables of a column stand.

The steps are those of layered graph drawing (Sugiyama, Tagawa & Toda 1981, doi 10.1109/TSMC.1981.4308636): longest paths, place holders for
arrows that skip a column, fewer crossings. Ties keep the order in which the model was written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

__all__ = ["Columns", "arrange", "causal_tiers", "feedback"]

Pair = tuple[str, str]
Columns = list[list[str]]
_SWEEPS = 24


def feedback(names: Sequence[str], arrows: Sequence[Pair]) -> set[Pair]:
    """Return arrows (cause, effect) without which there is no cycle: those that a depth-first walk in the given order finds pointing back."""
    effects: dict[str, list[str]] = {name: [] for name in names}
    for cause, effect in arrows:
        effects[cause].append(effect)
    caused = {effect for _, effect in arrows}
    back: set[Pair] = set()
    state: dict[str, int] = {}
    for root in [*(name for name in names if name not in caused), *names]:
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(effects[root]))]
        while stack:
            cause, rest = stack[-1]
            for effect in rest:
                if effect not in state:
                    state[effect] = 1
                    stack.append((effect, iter(effects[effect])))
                    break
                if state[effect] == 1:
                    back.add((cause, effect))
            else:
                state[cause] = 2
                stack.pop()
    return back


def causal_tiers(names: Sequence[str], arrows: Sequence[Pair]) -> dict[str, int]:
    """Return the tier of every variable, from 0: the length of the longest chain of causes before it.

    Arrows that close a cycle count in the other direction, so that both ends stand in different tiers.
    """
    back = feedback(names, arrows)
    forward = {(effect, cause) if (cause, effect) in back else (cause, effect) for cause, effect in arrows}
    tier = dict.fromkeys(names, 0)
    for _ in names:
        changed = False
        for cause, effect in sorted(forward):
            if tier[effect] < tier[cause] + 1:
                tier[effect] = tier[cause] + 1
                changed = True
        if not changed:
            break
    return tier


def arrange(tier: Mapping[str, int], arrows: Sequence[Pair], *, above: bool = False) -> tuple[Columns, dict[Pair, list[str]]]:
    """Return the columns of variables and place holders, top to bottom, and the place holders of each arrow, from cause to effect.

    Parameters
    ----------
    tier : mapping
        Column of every variable, in the order in which they should stand if nothing else matters.
    arrows : sequence of (cause, effect)
    above : bool
        Whether place holders start above the variables of their column instead of below.
    """
    columns: Columns = [[] for _ in range(max(tier.values(), default=0) + 1)]
    for name, column in tier.items():
        columns[column].append(name)
    chains: dict[Pair, list[str]] = {}
    for cause, effect in arrows:
        low, high = sorted((tier[cause], tier[effect]))
        held = [f"\0{cause}\0{effect}\0{column}" for column in range(low + 1, high)]
        for column, name in zip(range(low + 1, high), held, strict=True):
            columns[column].insert(0 if above else len(columns[column]), name)
        if held:
            chains[cause, effect] = held if tier[cause] < tier[effect] else held[::-1]
    steps = [step for pair in arrows for step in _steps(pair, chains.get(pair, []))]
    _reduce_crossings(columns, steps, list(chains.values()))
    return columns, chains


def _steps(pair: Pair, held: Sequence[str]) -> list[Pair]:
    stops = [pair[0], *held, pair[1]]
    return list(pairwise(stops))


def crossings(columns: Columns, steps: Sequence[Pair]) -> int:
    """Return how many pairs of steps between neighbouring columns cross."""
    place = {name: (c, k) for c, column in enumerate(columns) for k, name in enumerate(column)}
    between: dict[int, list[tuple[int, int]]] = {}
    for first, second in steps:
        (c, i), (d, j) = sorted((place[first], place[second]))
        if d == c + 1:
            between.setdefault(c, []).append((i, j))
    return sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for ends in between.values() for k, a in enumerate(ends) for b in ends[:k])


def _reduce_crossings(columns: Columns, steps: Sequence[Pair], chains: Sequence[Sequence[str]]) -> None:
    """Reorder the columns in place while that lowers the number of crossings."""
    best = crossings(columns, steps)
    neighbours: dict[str, list[str]] = {name: [] for column in columns for name in column}
    for first, second in steps:
        neighbours[first].append(second)
        neighbours[second].append(first)

    def attempt(trial: Columns) -> bool:
        nonlocal best
        count = crossings(trial, steps)
        if count >= best:
            return False
        best = count
        columns[:] = [list(column) for column in trial]
        return True

    for _ in range(_SWEEPS):
        if best == 0:
            return
        improved = False
        for c in range(len(columns)):
            improved |= attempt([_by_neighbours(columns, c, neighbours) if k == c else column for k, column in enumerate(columns)])
            for k in range(len(columns[c]) - 1):
                swapped = list(columns[c])
                swapped[k : k + 2] = swapped[k + 1], swapped[k]
                improved |= attempt([swapped if d == c else column for d, column in enumerate(columns)])
        for chain in chains:
            for top in (True, False):
                moved = [[name for name in column if name not in chain] for column in columns]
                for column, old in zip(moved, columns, strict=True):
                    own = [name for name in old if name in chain]
                    column[:] = own + column if top else column + own
                improved |= attempt(moved)
        if not improved:
            return


def _by_neighbours(columns: Columns, c: int, neighbours: Mapping[str, Sequence[str]]) -> list[str]:
    """Return column `c` ordered by the mean relative place of each variable's neighbours in other columns; without neighbours it stays."""
    place = {name: (k + 0.5) / len(column) for d, column in enumerate(columns) if d != c for k, name in enumerate(column)}
    size = len(columns[c])
    keys = {}
    for k, name in enumerate(columns[c]):
        seen = [place[other] for other in neighbours[name] if other in place]
        keys[name] = sum(seen) / len(seen) if seen else (k + 0.5) / size
    return sorted(columns[c], key=lambda name: keys[name])
