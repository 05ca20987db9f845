"""Rows of people in clusters, some values missing, and what their normal likelihood needs of each cluster (see :mod:`trustsem.kernels.sharing`).

A pattern of missing values costs what its few holes cost (see :mod:`trustsem.kernels.missing`), and all else is done once for each cluster.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trustsem.kernels.compiled import kernel
from trustsem.kernels.levels import Levels
from trustsem.kernels.linear import multiply
from trustsem.kernels.patterns import gap_rows
from trustsem.kernels.sharing import combine, complete, conditional, regress
from trustsem.kernels.structure import Integers, Reals

__all__ = ["Clusters", "Solved", "solve_clusters"]


class Clusters(NamedTuple):
    """Rows of clustered data, sorted by cluster and, within clusters, by pattern of missing values (a *set* is the rows of one pattern).

    Attributes
    ----------
    place : (p2,) int
        Where each variable of level 2 stands in joint order.
    gap_start, gaps : (P + 1,) and (sum,) int
        The missing variables of pattern k are ``gaps[gap_start[k]:gap_start[k + 1]]``.
    own : (J, p - p1) float
        Values of the clusters' own variables, zero where missing.
    seen : (J, p - p1) bool
        Which of them are not.
    start : (J + 1,) int
        Where each cluster's sets begin.
    pattern : (S,) int
        Pattern of each set.
    first : (S + 1,) int
        Where each set's rows begin.
    rows : (n, p1) float
        Values of level 1, zero where missing.
    """

    place: Integers
    gap_start: Integers
    gaps: Integers
    own: Reals
    seen: NDArray[np.bool_]
    start: Integers
    pattern: Integers
    first: Integers
    rows: Reals


class Solved(NamedTuple):
    """What the likelihood and its derivatives need of each cluster at some theta.

    Attributes
    ----------
    U : (gaps, p1) float
        For each pattern the rows of ``L^-1 W[m, :]`` (see :mod:`trustsem.kernels.missing`): ``W_i = W - U'U``.
    extra : (P,) float
        Log-determinant of the observed part of Sw less that of Sw.
    E : (n, p1) float
        Weighted deviations ``W_i (y - mean)`` of the rows; with derivatives, the conditional mean of the shared part is taken off y, too.
    size : (n,) float
        Squared length of each row's deviation from the mean in the metric of ``W_i``.
    M, R : (J, p1, p1) float
        Sum of the weights ``W_i`` of a cluster's people, and what the gaps take off from ``n W``.
    A, a : (J, p, p) and (J, p) float
        In joint order, sums over people of the inverse V^-1 of all its values' covariances and of ``V^-1 r``, with r their deviations from the means;
        zero for missing z.
    C, shift : (J, p1, p1) and (J, p1) float
        Covariances and mean of the shared part, given the data.
    P : (J, z, p1) float
        Regression of the shared part on z.
    inner : (J, p1, p1) float
        Derivatives of its part of minus twice the log-likelihood by Sw.
    value : (J,) float
        Minus twice its log-likelihood; NaN if undefined.
    """

    U: Reals
    extra: Reals
    E: Reals
    size: Reals
    M: Reals
    R: Reals
    A: Reals
    a: Reals
    C: Reals
    shift: Reals
    P: Reals
    inner: Reals
    value: Reals


@kernel
def _new_solved(data: Clusters, p1: int) -> Solved:
    n, J, z, patterns = data.rows.shape[0], data.start.shape[0] - 1, data.own.shape[1], data.gap_start.shape[0] - 1
    p, square = z + p1, (J, p1, p1)
    return Solved(
        np.empty((data.gaps.shape[0], p1)),
        np.zeros(patterns),
        np.empty((n, p1)),
        np.zeros(n),
        np.empty(square),
        np.zeros(square),
        np.zeros((J, p, p)),
        np.zeros((J, p)),
        np.empty(square),
        np.empty((J, p1)),
        np.zeros((J, z, p1)),
        np.empty(square),
        np.empty(J),
    )


@kernel
def _take_off(U: Reals, first: int, last: int, x: Reals, y: Reals) -> None:
    """Take ``U'U x`` off y, with rows `first` to `last` of U."""
    for a in range(first, last):
        inner = 0.0
        for i in range(x.shape[0]):
            inner += U[a, i] * x[i]
        for i in range(x.shape[0]):
            y[i] -= inner * U[a, i]


@kernel
def _weigh_rows(data: Clusters, levels: Levels, s: Solved) -> None:
    """Write U, `extra` (NaN where undefined), E and `size`."""
    n, p1 = data.rows.shape
    z = levels.mean.shape[0] - p1
    for k in range(s.extra.shape[0]):
        start, end = data.gap_start[k], data.gap_start[k + 1]
        if end > start:
            s.extra[k] = gap_rows(levels.W, data.gaps, start, end, s.U[start:end])
    D = np.empty((n, p1))
    for q in range(data.pattern.shape[0]):
        k = data.pattern[q]
        for row in range(data.first[q], data.first[q + 1]):
            for i in range(p1):
                D[row, i] = data.rows[row, i] - levels.mean[z + i]
            for g in range(data.gap_start[k], data.gap_start[k + 1]):
                D[row, data.gaps[g]] = 0.0
    multiply(D, levels.W, s.E)
    for q in range(data.pattern.shape[0]):
        k = data.pattern[q]
        for row in range(data.first[q], data.first[q + 1]):
            _take_off(s.U, data.gap_start[k], data.gap_start[k + 1], D[row], s.E[row])
            for i in range(p1):
                s.size[row] += D[row, i] * s.E[row, i]


@kernel
def _sum_weights(data: Clusters, j: int, levels: Levels, s: Solved, m: Reals) -> float:
    """Write M, R and ``m = sum W_i (y - mean)`` of cluster j; return the part of the value that the people have on their own."""
    p1 = m.shape[0]
    M, R = s.M[j], s.R[j]
    value, people = 0.0, data.first[data.start[j + 1]] - data.first[data.start[j]]
    for i in range(p1):
        m[i] = 0.0
    for q in range(data.start[j], data.start[j + 1]):
        k, count = data.pattern[q], data.first[q + 1] - data.first[q]
        value += count * (levels.log_determinant + s.extra[k])
        for row in range(data.first[q], data.first[q + 1]):
            value += s.size[row]
            for i in range(p1):
                m[i] += s.E[row, i]
        for a in range(data.gap_start[k], data.gap_start[k + 1]):
            for i in range(p1):
                factor = count * s.U[a, i]
                for t in range(i + 1):
                    R[i, t] += factor * s.U[a, t]
    for i in range(p1):
        for t in range(i + 1):
            R[t, i] = R[i, t]
            M[i, t] = people * levels.W[i, t] - R[i, t]
            M[t, i] = M[i, t]
    return value


@kernel
def _observed_variables(data: Clusters, j: int, p1: int) -> Integers:
    """Return the variables of level 1 that anybody in cluster j has."""
    index = np.empty(p1, np.int64)
    sets = data.start[j + 1] - data.start[j]
    missing = np.zeros(p1, np.int64)
    for q in range(data.start[j], data.start[j + 1]):
        k = data.pattern[q]
        for g in range(data.gap_start[k], data.gap_start[k + 1]):
            missing[data.gaps[g]] += 1
    count = 0
    for i in range(p1):
        if missing[i] < sets:
            index[count] = i
            count += 1
    return index[:count]


@kernel
def _within_part(data: Clusters, j: int, W: Reals, s: Solved) -> None:
    """Write ``sum W_i - W_i C W_i - e e'`` of cluster j to `inner`, and ``e = W_i (y - mean - shift)`` to its rows of E."""
    p1 = W.shape[0]
    C, R, M, U, E, inner = s.C[j], s.R[j], s.M[j], s.U, s.E, s.inner[j]
    first, last = data.first[data.start[j]], data.first[data.start[j + 1]]
    WC, WCW, WCR, cross, UC = np.empty((p1, p1)), np.empty((p1, p1)), np.empty((p1, p1)), np.empty((p1, p1)), np.empty((p1, p1))
    plain, corrected = np.zeros(p1), np.empty(p1)
    multiply(W, C, WC)
    multiply(WC, W, WCW)
    multiply(WC, R, WCR)
    for i in range(p1):
        for k in range(p1):
            plain[i] += W[i, k] * s.shift[j, k]
            inner[i, k] = M[i, k] - (last - first) * WCW[i, k] + WCR[i, k] + WCR[k, i]
    for q in range(data.start[j], data.start[j + 1]):
        count, start, end = data.first[q + 1] - data.first[q], data.gap_start[data.pattern[q]], data.gap_start[data.pattern[q] + 1]
        for i in range(p1):
            corrected[i] = plain[i]
        _take_off(U, start, end, s.shift[j], corrected)
        for row in range(data.first[q], data.first[q + 1]):
            for i in range(p1):
                E[row, i] -= corrected[i]
        if end > start:
            multiply(U[start:end], C, UC[: end - start])
            for a in range(end - start):
                for b in range(end - start):
                    value = 0.0
                    for i in range(p1):
                        value += UC[a, i] * U[start + b, i]
                    for i in range(p1):
                        factor = count * value * U[start + a, i]
                        for k in range(p1):
                            inner[i, k] -= factor * U[start + b, k]
    multiply(E[first:last].T, E[first:last], cross)
    for i in range(p1):
        for k in range(p1):
            inner[i, k] -= cross[i, k]


@kernel
def solve_clusters(data: Clusters, levels: Levels, derivatives: bool) -> Solved:
    """Return what the likelihood needs of every cluster; without `derivatives`, only its `value` is meant to be used."""
    p1, z = data.rows.shape[1], data.own.shape[1]
    s = _new_solved(data, p1)
    _weigh_rows(data, levels, s)
    S, T, own, m, lift = np.empty((z, z)), np.empty((p1, p1)), np.empty(z), np.empty(p1), np.empty(p1)
    log_own = 0.0
    for j in range(s.value.shape[0]):
        same = j > 0
        for i in range(z):
            same = same and data.seen[j, i] == data.seen[j - 1, i]
        if same:
            for i in range(z):
                for k in range(p1):
                    s.P[j, i, k] = s.P[j - 1, i, k]
        else:
            log_own = regress(data.seen[j], levels.between, S, s.P[j], T)
        value = log_own + _sum_weights(data, j, levels, s, m)
        for k in range(p1):
            lift[k] = 0.0
        for i in range(z):
            own[i] = data.own[j, i] - levels.mean[i] if data.seen[j, i] else 0.0
            for k in range(p1):
                lift[k] += s.P[j, i, k] * own[i]
        for i in range(z):
            for k in range(z):
                value += own[i] * S[i, k] * own[k]
        for i in range(p1):
            value -= lift[i] * m[i]
            for k in range(p1):
                m[i] -= s.M[j, i, k] * lift[k]
        for i in range(p1):
            value -= lift[i] * m[i]
        s.value[j] = value + combine(_observed_variables(data, j, p1), T, s.M[j], m, s.A[j], s.a[j])
        if derivatives:
            complete(own, S, s.P[j], s.A[j], s.a[j])
            conditional(T, lift, s.A[j], s.a[j], s.C[j], s.shift[j])
            _within_part(data, j, levels.W, s)
    return s
