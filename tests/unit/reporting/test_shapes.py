from __future__ import annotations

import numpy as np
import pytest

from trustsem.reporting.shapes import (
    Shape,
    after_leaving,
    bezier,
    clipped,
    count_crossings,
    hits,
    length,
    overlaps,
    overlaps_many,
    point_at,
    share_inside,
    share_near,
    through,
)

OVAL = Shape(0.0, 0.0, 2.0, 1.0, True)
BOX = Shape(0.0, 0.0, 2.0, 1.0)


def moved(points, x, y):
    return points + np.array([x, y])


def test_contains():
    points = np.array([[0.0, 0.0], [0.99, 0.0], [0.9, 0.45], [1.01, 0.0]])
    assert OVAL.contains(points).tolist() == [True, True, False, False]
    assert BOX.contains(points).tolist() == [True, True, True, False]
    assert BOX.grown(0.02).contains(points).all()


def test_a_box_in_the_corner_of_an_oval_does_not_overlap_it():
    corner = Shape(0.95, 0.45, 0.1, 0.1)
    assert overlaps(corner, BOX)
    assert not overlaps(corner, OVAL)
    assert overlaps(Shape(1.0, 0.0, 0.1, 0.1), OVAL)
    boxes = np.array([[0.95, 0.45, 0.1, 0.1], [1.0, 0.0, 0.1, 0.1]])
    assert overlaps_many(boxes, OVAL).tolist() == [False, True]
    assert overlaps_many(boxes, BOX).tolist() == [True, True]


def test_bezier_and_through_pass_their_ends():
    assert bezier((0.0, 0.0), (1.0, 1.0)).tolist() == [[0.0, 0.0], [1.0, 1.0]]
    curve = bezier((0.0, 0.0), (1.0, 2.0), (2.0, 0.0))
    assert curve[0].tolist() == [0.0, 0.0]
    assert curve[-1].tolist() == [2.0, 0.0]
    assert curve[:, 1].max() == pytest.approx(1.0, abs=1e-2)
    winding = through([(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)])
    assert winding[:, 1].max() == pytest.approx(1.0)


def test_clipping_ends_on_the_boundaries():
    line = np.array([[0.0, 0.0], [5.0, 0.0]])
    seen = clipped(line, OVAL, Shape(5.0, 0.0, 2.0, 2.0))
    assert seen[0].tolist() == pytest.approx([1.0, 0.0], abs=1e-3)
    assert seen[-1].tolist() == pytest.approx([4.0, 0.0], abs=1e-3)
    assert after_leaving(line[::-1], OVAL) is not None
    assert len(after_leaving(np.array([[0.0, 0.0], [0.1, 0.0]]), OVAL)) == 1
    outside = np.array([[3.0, 0.0], [4.0, 0.0]])
    assert after_leaving(outside, OVAL) is outside


def test_lengths_and_points():
    corner = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]])
    assert length(corner) == 7.0
    assert point_at(corner, 0.5) == pytest.approx((3.0, 0.5))


def test_hits_and_crossings():
    line = np.array([[-2.0, 0.0], [2.0, 0.0]])
    assert hits(line, [OVAL], 0.0)
    assert not hits(moved(line, 0.0, 0.6), [OVAL], 0.05)
    assert hits(moved(line, 0.0, 0.52), [OVAL], 0.05)
    upright = np.array([[0.0, -1.0], [0.0, 1.0]])
    assert count_crossings(line, [upright, moved(upright, 9.0, 0.0), moved(upright, 0.0, 5.0)]) == 1


def test_shares():
    track = np.column_stack([np.linspace(0.0, 1.0, 101), np.zeros(101)])
    assert share_inside(np.array([[0.25, 0.0, 0.5, 0.1]]), track, 0.0)[0] == pytest.approx(0.5, abs=0.02)
    assert share_near(track, [], 0.1) == 0.0
    assert share_near(track, [moved(track, 0.0, 0.05)], 0.1) == 1.0
    assert share_near(track, [moved(track, 0.0, 0.5)], 0.1) == 0.0
