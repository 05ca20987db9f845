"""Where the variables of a diagram stand: causes to the left of effects, indicators on the free side of their latent variable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from trustsem.reporting.graph import Graph
from trustsem.reporting.shapes import Shape
from trustsem.reporting.tiers import arrange, causal_tiers
from trustsem.reporting.typeface import Typeface, wrapped

__all__ = ["Layout", "Style", "lay_out"]

Pair = tuple[str, str]
_ROW_DROP, _ROW_SPACE = 0.5, 0.08


@dataclass(frozen=True)
class Style:
    """Sizes that are adjusted until everything fits: points, characters per line, inches between columns, stretch of vertical distances."""

    size: float = 9.0
    small: float = 8.0
    limit: int = 14
    gap: float = 0.8
    spread: float = 1.0


@dataclass(frozen=True)
class Layout:
    """Places in inches, y pointing down.

    Attributes
    ----------
    shapes : dict of Shape by name
    lines : dict of the lines of text in each shape
    columns : tuple of tuple of str
        Names from left to right and from top to bottom; indicators below their latent variable are in none.
    stops : dict of place holders' points by (cause, effect)
    below : set of indicators in a row below their latent variable
    """

    shapes: dict[str, Shape]
    lines: dict[str, tuple[str, ...]]
    columns: tuple[tuple[str, ...], ...]
    stops: dict[Pair, list[tuple[float, float]]]
    below: frozenset[str]
    n_gaps: int


def lay_out(graph: Graph, labels: Mapping[str, str], face: Typeface, style: Style) -> Layout:
    """Return the layout of `graph` with the texts `labels` by name."""
    tier, rows = _tiers(graph)
    in_column = [(arrow.cause, arrow.effect) for arrow in graph.arrows if arrow.cause in tier and arrow.effect in tier]
    columns, chains = arrange(tier, in_column, above=bool(rows))
    lines, sizes = _sizes(graph, labels, face, style, columns)
    row_width = {name: sum(sizes[k][0] + _ROW_SPACE for k in below) - _ROW_SPACE for name, below in rows.items()}
    widths = [max([sizes[name][0] for name in column if name in sizes] + [row_width.get(name, 0.0) for name in column] + [0.1]) for column in columns]
    height = _column_heights(graph, columns, sizes, rows, style, in_column, chains)
    shapes: dict[str, Shape] = {}
    points: dict[str, tuple[float, float]] = {}
    ovals = {node.name for node in graph.nodes if node.latent}
    left = 0.0
    for column, width in zip(columns, widths, strict=True):
        x = left + width / 2
        for name in column:
            if name in sizes:
                shapes[name] = Shape(x, height[name], *sizes[name], name in ovals)
            points[name] = (x, height[name])
        left += width + style.gap
    for latent, row in rows.items():
        start = shapes[latent].x - row_width[latent] / 2
        for name in row:
            w, h = sizes[name]
            shapes[name] = Shape(start + w / 2, shapes[latent].y + shapes[latent].h / 2 + _ROW_DROP * style.spread + h / 2, w, h)
            start += w + _ROW_SPACE
    stops = {pair: [points[name] for name in held] for pair, held in chains.items()}
    below = frozenset(name for row in rows.values() for name in row)
    return Layout(shapes, lines, tuple(tuple(name for name in column if name in sizes) for column in columns), stops, below, len(columns) - 1)


def _tiers(graph: Graph) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Return the column of every variable, and the rows of indicators that stand below their latent variable."""
    structural = [node.name for node in graph.nodes if not node.indicator]
    arrows = [(arrow.cause, arrow.effect) for arrow in graph.arrows if not graph.node(arrow.effect).indicator]
    tier = causal_tiers(structural, arrows)
    last = max(tier.values(), default=0)
    causing = {cause for cause, _ in arrows}
    owners: dict[str, list[str]] = {}
    for arrow in graph.arrows:
        if graph.node(arrow.effect).indicator:
            owners.setdefault(arrow.effect, []).append(arrow.cause)
    rows: dict[str, list[str]] = {}
    column: dict[str, int] = {}
    for name, latents in owners.items():
        at_end = all(tier[latent] == last and latent not in causing for latent in latents)
        at_start = last > 0 and all(tier[latent] == 0 for latent in latents)
        if at_end or at_start:
            column[name] = last + 1 if at_end else -1
        elif len(latents) == 1:
            rows.setdefault(latents[0], []).append(name)
        else:
            column[name] = max(tier[latent] for latent in latents) + 1
    _join_rows(graph, owners, rows, column)
    if not arrows:
        tier |= dict.fromkeys(_specific(owners), 2)
    shift = 1 if -1 in column.values() else 0
    return {name: k + shift for name, k in (tier | column).items()}, rows


def _join_rows(graph: Graph, owners: Mapping[str, Sequence[str]], rows: dict[str, list[str]], column: dict[str, int]) -> None:
    """Move indicators on the right below their latent variable if their residuals covary with those below another: arcs between rows are legible."""
    for arc in graph.arcs:
        for name, other in ((arc.first, arc.second), (arc.second, arc.first)):
            latent = owners.get(name, [""])[0]
            whole = [key for key, latents in owners.items() if list(latents) == [latent]]
            if column.get(name, -1) > 0 and name in whole and any(other in row for row in rows.values()):
                rows[latent] = whole
                for key in whole:
                    column.pop(key, None)


def _specific(owners: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the latent variables whose indicators all belong to a general factor as well (bifactor models): they stand on the other side."""
    sets: dict[str, set[str]] = {}
    for indicator, latents in owners.items():
        for latent in latents:
            sets.setdefault(latent, set()).add(indicator)
    return {name for name, own in sets.items() if any(own < other for other in sets.values())}


def _sizes(
    graph: Graph, labels: Mapping[str, str], face: Typeface, style: Style, columns: Sequence[Sequence[str]]
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[float, float]]]:
    lines: dict[str, tuple[str, ...]] = {}
    sizes: dict[str, tuple[float, float]] = {}
    for node in graph.nodes:
        text = wrapped(face.drawable(labels[node.name]), style.limit if not node.indicator else 18)
        w, h = face.size_of(text, style.small if node.indicator else style.size)
        if node.r2 == node.r2 and not node.indicator:
            r2 = _r2_text(node.r2)
            w2, h2 = face.size_of([r2], style.small)
            w, h, text = max(w, w2), h + h2, (*text, r2)
        lines[node.name] = text
        sizes[node.name] = (max(0.7, 1.16 * w + 0.2), h * 1.3 + 0.16) if node.latent else (w + 0.16, h + 0.12)
    ovals = {node.name for node in graph.nodes if node.latent}
    tallest = max((sizes[name][1] for name in ovals), default=0.0)
    for column in columns:
        for kind in (ovals, set(sizes) - ovals):
            members = [name for name in column if name in kind]
            widest = max((sizes[name][0] for name in members), default=0.0)
            for name in members:
                sizes[name] = (widest, tallest if kind is ovals else sizes[name][1])
    return lines, sizes


def _r2_text(r2: float) -> str:
    """Return ``R2 = .45`` with a superscript."""
    return f"R\N{SUPERSCRIPT TWO} = {r2:.2f}".replace("0.", ".").replace("-", "\N{MINUS SIGN}")


def _column_heights(
    graph: Graph,
    columns: Sequence[Sequence[str]],
    sizes: Mapping[str, tuple[float, float]],
    rows: Mapping[str, Sequence[str]],
    style: Style,
    arrows: Sequence[Pair],
    chains: Mapping[Pair, Sequence[str]],
) -> dict[str, float]:
    """Return the y of every variable and place holder: the tallest column is packed, the others follow their neighbours."""
    owner: dict[str, set[str]] = {}
    for arrow in graph.arrows:
        if graph.node(arrow.effect).indicator:
            owner.setdefault(arrow.effect, set()).add(arrow.cause)
    arcs = {frozenset((arc.first, arc.second)) for arc in graph.arcs}

    def extent(name: str) -> tuple[float, float]:
        half = sizes[name][1] / 2 if name in sizes else 0.04
        below = max((sizes[k][1] for k in rows.get(name, ())), default=0.0)
        return half, half + (below + _ROW_DROP * style.spread if below else 0.0)

    def distance(first: str, second: str) -> float:
        room = extent(first)[1] + extent(second)[0]
        if first not in sizes or second not in sizes:
            return room + 0.16 * style.spread
        if first in owner and second in owner:
            return room + (0.07 if owner[first] & owner[second] else 0.2) * style.spread
        return room + (0.52 if frozenset((first, second)) in arcs else 0.36) * style.spread

    steps: dict[str, list[str]] = {name: [] for column in columns for name in column}
    for pair in arrows:
        chain = [pair[0], *chains.get(pair, ()), pair[1]]
        for first, second in pairwise(chain):
            steps[first].append(second)
            steps[second].append(first)
    gaps = [[distance(a, b) for a, b in pairwise(column)] for column in columns]
    tallest = max(range(len(columns)), key=lambda c: sum(gaps[c]))
    y: dict[str, float] = {}
    for c in [tallest, *range(tallest + 1, len(columns)), *range(tallest - 1, -1, -1)]:
        middle = _middle(y) if y else 0.0
        seen = [[y[other] for other in steps[name] if other in y] for name in columns[c]]
        wanted = [sum(values) / len(values) if values else middle for values in seen]
        y |= dict(zip(columns[c], spaced(wanted, gaps[c]), strict=True))
    return y


def _middle(y: Mapping[str, float]) -> float:
    return (min(y.values()) + max(y.values())) / 2


def spaced(wanted: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """Return the places nearest to `wanted` (least squares) that keep their order and the minimum distances `gaps` (pool adjacent violators)."""
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    blocks: list[tuple[float, int]] = []
    for target, offset in zip(wanted, offsets, strict=True):
        total, count = target - offset, 1
        while blocks and blocks[-1][0] / blocks[-1][1] >= total / count:
            before = blocks.pop()
            total, count = total + before[0], count + before[1]
        blocks.append((total, count))
    levels = [total / count for total, count in blocks for _ in range(count)]
    return [level + offset for level, offset in zip(levels, offsets, strict=True)]
