"""Plots of plans show what was simulated, with its error, and say what their lines mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from trustsem.model.population import Population
from trustsem.planning.answer import Plan
from trustsem.planning.budget import best_design
from trustsem.planning.costs import CostModel
from trustsem.planning.curve import Tally
from trustsem.planning.cutoffs import Cutoffs
from trustsem.planning.plan import plan
from trustsem.planning.region import PowerRegion, power_region
from trustsem.planning.separation import Cutoff
from trustsem.reporting.charts import COLOURS
from trustsem.reporting.planning_plots import plot_planned
from trustsem.reporting.plots import plot

REGRESSION = Population("y ~ x", {"y~x": 0.3, "y~~y": 0.91, "x~~x": 1.0})


@pytest.fixture(scope="module")
def found() -> Plan:
    return plan(REGRESSION, "y~x", precision=0.03, executor="serial")


def region_of(factors, cells, *, numeric=True) -> PowerRegion:
    tallies = tuple(Tally(float("nan"), 100, 40 + 10 * place, 100, 100) for place in range(len(cells)))
    count = len(factors) + 1 + (len(factors) == 2)
    covariance = tuple(tuple(row) for row in (0.01 * np.eye(count)).tolist())
    surface = ((0.8,) + (0.3,) * (count - 1), covariance, (12.0, 0.15)[: len(factors)], (1.0,) * len(factors)) if numeric else ((), (), (), ())
    return PowerRegion("a -> b", factors, 0.05, cells, tallies, *surface)


def words(ax) -> set[str]:
    return {text.get_text() for text in ax.texts}


def entries(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_plan_shows_its_answer_every_level_and_what_the_lines_mean(found):
    figure = plot_planned(found)
    ax = figure.axes[0]
    assert words(ax) == {f"n = {found.answer}"}
    assert set(entries(figure)) == {"fitted, with 95 % band", "wanted: 0.8", "answer, 95 % interval", "simulated, 95 % (area: replications)"}
    points = next(one for one in ax.collections if one.get_label().startswith("simulated"))
    np.testing.assert_allclose(points.get_offsets(), found.evaluated[["n", "value"]])
    bars = next(one for one in ax.collections if hasattr(one, "get_segments"))
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    np.testing.assert_allclose(np.diff(ends, axis=1)[:, 0], 2 * 1.959964 * found.evaluated["mc_error"], rtol=1e-6)


def test_a_plan_without_an_answer_marks_none(found):
    figure = plot_planned(replace(found, answer=None, interval=None))
    assert words(figure.axes[0]) == set()
    assert "answer, 95 % interval" not in entries(figure)


def test_many_propositions_do_not_run_out_of_the_figure(found):
    names = ", ".join(f"Cause{k} -> Effect{k}" for k in range(6))
    figure = plot_planned(replace(found, what=f"all of 13 propositions ({names} ...), significant"))
    lines = figure.axes[0].get_title(loc="left").split("\n")
    assert len(lines) <= 2
    assert max(map(len, lines)) <= 62
    figure.draw_without_rendering()
    assert figure.axes[0]._left_title.get_window_extent().x1 <= figure.bbox.x1


def test_a_region_shows_the_rate_of_every_cell_inside_the_axes():
    region = region_of(("n", "rate"), ((100, 0.0), (100, 0.3), (200, 0.0), (200, 0.3)))
    figure = plot_planned(region)
    ax, bar = figure.axes
    assert words(ax) == {"0.40", "0.50", "0.60", "0.70"}
    low, high = ax.get_xlim()
    assert low < 100 < 200 < high
    assert ax.get_title(loc="left").endswith("line: .80")
    assert bar.get_ylabel() == "power (smoothed)"


def test_the_line_is_announced_only_where_it_is():
    region = region_of(("n", "rate"), ((100, 0.0), (100, 0.3), (200, 0.0), (200, 0.3)))
    ax = plot_planned(replace(region, coefficients=(-2.0, 0.0, 0.0, 0.0))).axes[0]
    assert ax.get_title(loc="left") == "a -> b"


def test_one_factor_is_a_line_with_errors():
    figure = plot_planned(region_of(("n",), ((100,), (200,), (300,))))
    (ax,) = figure.axes
    line = ax.containers[0].lines[0]
    np.testing.assert_allclose(line.get_xydata(), [[100, 0.4], [200, 0.5], [300, 0.6]])
    assert line.get_linestyle() == "-"
    assert ax.get_xlabel() == "n"


def test_a_factor_without_numbers_gives_one_line_for_each_level():
    cells = ((100, "strong"), (200, "strong"), (100, "weak"), (200, "weak"))
    figure = plot_planned(region_of(("n", "preset"), cells, numeric=False))
    (ax,) = figure.axes
    assert entries(figure) == ["preset: strong, 95 %", "preset: weak, 95 %"]
    np.testing.assert_allclose(ax.containers[1].lines[0].get_xydata(), [[100, 0.6], [200, 0.7]])


def test_names_are_not_joined_by_a_line():
    figure = plot_planned(region_of(("preset",), (("strong",), ("weak",)), numeric=False))
    (ax,) = figure.axes
    assert ax.containers[0].lines[0].get_linestyle() == "None"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["strong", "weak"]


def test_a_factor_with_one_level_needs_no_surface():
    figure = plot_planned(region_of(("n", "rate"), ((100, 0.1), (200, 0.1))))
    assert len(figure.axes) == 1
    assert figure.axes[0].containers[0].get_label() == "rate = 0.1, 95 %"


def test_a_region_that_was_simulated_is_plotted(tmp_path):
    region = power_region(REGRESSION, factors={"n": [50, 100]}, replications=20, executor="serial")
    plot(region, path=tmp_path / "region.svg")
    assert (tmp_path / "region.svg").stat().st_size > 3000


def test_designs_show_size_and_cost_and_tell_simulation_from_formula():
    designs = best_design(
        REGRESSION,
        "y~x",
        budget=1000,
        cost=CostModel(per_person=10),
        designs={"all": {}, "half": {"n": 50}, "too many": {"n": 5000}},
        simulate=1,
        replications=50,
        executor="serial",
    )
    figure = plot_planned(designs)
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["half\nn = 50, cost 500", "all\nn = 100, cost 1,000"]
    assert entries(figure) == ["simulated, 95 % band", "by formula"]


def cutoff(misfit: str, measure: str, value: float) -> Cutoff:
    return Cutoff(misfit, measure, value, 0.001, 0.95 if value == value else 0.2, 0.03, 0.07, 0.002, 0.5, 500, 500)


def test_a_cutoff_that_does_not_exist_is_hollow_and_explained():
    rows = tuple(cutoff(name, measure, value) for name, value in (("a", 0.05), ("b", float("nan"))) for measure in ("srmr", "rmsea"))
    figure = plot_planned(Cutoffs(300, rows, 0.95, 0.05, 500))
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert words(ax) == {"95 % found, 3 % false alarms", "20 % found, 3 % false alarms"}
    marks = [container.lines[0] for container in ax.containers]
    assert [float(mark.get_xdata()[0]) for mark in marks] == [0.05, 0.07]
    assert [to_hex(mark.get_markerfacecolor()).upper() for mark in marks] == [COLOURS[0], "#FFFFFF"]
    assert entries(figure) == ["cut-off", "no value meets both demands: the strictest allowed"]


def test_without_any_cutoff_the_axis_says_what_is_shown():
    figure = plot_planned(Cutoffs(300, (cutoff("a", "srmr", float("nan")),), 0.95, 0.05, 500))
    assert figure.axes[0].get_xlabel() == "strictest value allowed, 95 % band"
