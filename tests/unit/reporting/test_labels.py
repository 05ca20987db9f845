from __future__ import annotations

import numpy as np

from trustsem.reporting.labels import Tag, ambiguous, place_tags
from trustsem.reporting.shapes import Shape, overlaps

LINE = np.array([[0.0, 0.0], [2.0, 0.0]])


def moved(points, x, y):
    return points + np.array([x, y])


def tag(track, text=".50"):
    return Tag(text, 0.3, 0.15, track)


def test_a_lone_tag_stands_in_the_middle_of_its_line():
    (place,) = place_tags([tag(LINE)], [], [])
    assert (place.x, place.y) == (1.0, 0.0)
    assert ambiguous([tag(LINE)], [place]) == 0


def test_tags_of_crossing_lines_keep_apart():
    tags = [tag(np.array([[0.0, 0.0], [2.0, 1.0]])), tag(np.array([[0.0, 1.0], [2.0, 0.0]]))]
    first, second = place_tags(tags, [], [])
    assert not overlaps(first, second)
    assert ambiguous(tags, [first, second]) == 0


def test_tags_avoid_variables():
    blocker = Shape(1.0, 0.0, 0.6, 0.6)
    (place,) = place_tags([tag(LINE)], [blocker], [])
    assert not overlaps(place, blocker)


def test_no_room_is_reported_not_hidden():
    assert place_tags([tag(LINE)], [Shape(1.0, 0.0, 5.0, 5.0)], []) is None
    short = np.array([[0.0, 0.0], [0.05, 0.0]])
    assert place_tags([tag(short) for _ in range(4)], [], []) is None


def test_a_short_line_stays_visible():
    short = np.array([[0.0, 0.0], [0.4, 0.0]])
    (place,) = place_tags([tag(short)], [], [])
    assert abs(place.y) > 0.07


def test_ambiguous_counts_tags_on_foreign_lines():
    tags = [tag(LINE), tag(moved(LINE, 0.0, 1.0))]
    assert ambiguous(tags, [Shape(1.0, 1.0, 0.3, 0.15), Shape(1.0, 1.0, 0.3, 0.15)]) == 1
    assert ambiguous([], []) == 0
