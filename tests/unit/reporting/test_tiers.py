from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustsem.reporting.layout import spaced
from trustsem.reporting.tiers import arrange, causal_tiers, crossings, feedback

NAMES = list("abcdef")
PAIRS = [pair for pair in itertools.product(NAMES, NAMES) if pair[0] != pair[1]]


def is_acyclic(arrows):
    left = set(arrows)
    while left:
        caused = {effect for _, effect in left}
        free = {pair for pair in left if pair[0] not in caused}
        if not free:
            return False
        left -= free
    return True


def test_tiers_are_longest_chains():
    tier = causal_tiers(list("abcd"), [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")])
    assert tier == {"a": 0, "b": 1, "c": 2, "d": 0}


def test_a_cycle_is_broken_where_it_closes():
    assert feedback(list("abc"), [("a", "b"), ("b", "c"), ("c", "a")]) == {("c", "a")}
    assert causal_tiers(list("abc"), [("a", "b"), ("b", "c"), ("c", "a")]) == {"a": 0, "b": 1, "c": 2}


@given(st.sets(st.sampled_from(PAIRS), max_size=14))
def test_without_feedback_there_is_no_cycle_and_arrows_point_right(arrows):
    listed = sorted(arrows)
    back = feedback(NAMES, listed)
    assert is_acyclic(arrows - back)
    assert not back or not is_acyclic(arrows)
    tier = causal_tiers(NAMES, listed)
    for cause, effect in listed:
        assert tier[cause] != tier[effect]
        if (cause, effect) not in back and not back:
            assert tier[cause] < tier[effect]


def test_place_holders_follow_arrows_that_skip_columns():
    columns, chains = arrange({"a": 0, "b": 1, "c": 2}, [("a", "b"), ("b", "c"), ("a", "c")])
    assert [len(column) for column in columns] == [1, 2, 1]
    assert list(chains) == [("a", "c")]
    assert chains["a", "c"][0] in columns[1]
    backwards, held = arrange({"a": 0, "b": 1, "c": 2, "d": 3}, [("d", "a"), ("a", "b"), ("b", "c"), ("c", "d")])
    assert [next(k for k, column in enumerate(backwards) if name in column) for name in held["d", "a"]] == [2, 1]


def test_crossings_are_removed_and_ties_keep_the_written_order():
    tier = {"a": 0, "b": 0, "x": 1, "y": 1}
    columns, _ = arrange(tier, [("a", "y"), ("b", "x")])
    assert crossings(columns, [("a", "y"), ("b", "x")]) == 0
    kept, _ = arrange(tier, [(cause, effect) for cause in "ab" for effect in "xy"])
    assert kept == [["a", "b"], ["x", "y"]]


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 2)), min_size=1, max_size=8))
def test_spaced_keeps_distances_and_is_nearest(items):
    wanted, gaps = [a for a, _ in items], [b for _, b in items][1:]
    found = spaced(wanted, gaps)
    for first, second, gap in zip(found[:-1], found[1:], gaps, strict=True):
        assert second - first >= gap - 1e-9
    cost = sum((a - b) ** 2 for a, b in zip(found, wanted, strict=True))
    for shift in (-0.01, 0.01):
        moved = [value + shift for value in found]
        assert sum((a - b) ** 2 for a, b in zip(moved, wanted, strict=True)) >= cost - 1e-9


def test_spaced_leaves_what_has_room():
    assert spaced([0.0, 5.0], [1.0]) == [0.0, 5.0]
    assert spaced([1.0, 1.0], [1.0]) == pytest.approx([0.5, 1.5])
