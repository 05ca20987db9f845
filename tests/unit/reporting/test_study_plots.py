"""Plots of studies: every kind, for designs of every shape, and why there is nothing to plot."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from matplotlib.text import Text

import trustsem as ts
from trustsem.reporting.study_plots import KINDS

VALUES = {"y~x": 0.3, "y~~y": 0.91, "x~~x": 1.0}
POPULATION = ts.Population("y ~ x", VALUES)
ML, MLR = ts.Analysis(), ts.Analysis(options={"estimator": "MLR"})


def run(**changes: Any) -> ts.StudyResult:
    study = ts.Study(**{"population": POPULATION, "replications": 20, "n": 40, "seed": 4, **changes})
    return ts.run(study, executor="serial", progress=False)


@pytest.fixture(scope="module")
def plain() -> ts.StudyResult:
    return run()


@pytest.fixture(scope="module")
def crossed() -> ts.StudyResult:
    return run(conditions={"n": [30, 60, 120], "y~x": [0.0, 0.3]}, analyses={"ML": ML, "robust": MLR})


@pytest.fixture(scope="module")
def theory() -> ts.StudyResult:
    reduced = ts.load_theory("metz2022").strict().drop("Capability", "Opportunity", "Resilience", "Outcomes")
    return run(population=reduced, n=80, replications=4, conditions={"preset": ["calibrated", "conservative"]})


@pytest.fixture(scope="module")
def failed() -> ts.StudyResult:
    return run(n=2, replications=3)


def words(figure: Any) -> list[str]:
    figure.canvas.draw()
    ticks = [label for ax in figure.axes for label in (*ax.get_xticklabels(), *ax.get_yticklabels())]
    return [text.get_text() for text in (*figure.findobj(Text), *ticks) if text.get_text()]


def titles(figure: Any) -> list[str]:
    return [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]


def listed(figure: Any) -> list[str]:
    return [text.get_text() for one in figure.legends for text in one.get_texts()]


# Numbers -------------------------------------------------------------------------------------------------------------------------------


def test_curves_go_through_the_values_and_bands_are_their_monte_carlo_errors(crossed: ts.StudyResult) -> None:
    figure = ts.plot(crossed, "coverage", parameters="y~x", analyses="ML")
    table = crossed.performance("coverage", parameters="y~x", analyses="ML")
    (ax,) = figure.axes
    drawn = {line.get_label(): line for line in ax.lines if not str(line.get_label()).startswith("_")}
    assert list(drawn) == ["y~x = 0.0", "y~x = 0.3"]
    for level in (0.0, 0.3):
        rows = table[table["y~x"] == level]
        line = drawn[f"y~x = {level}"]
        assert list(line.get_xdata()) == [30, 60, 120]
        assert list(line.get_ydata()) == pytest.approx(list(rows["value"]))
    band = ax.collections[0].get_paths()[0].vertices
    rows = table[table["y~x"] == 0.0]
    assert band[:, 1].min() == pytest.approx((rows["value"] - 1.959964 * rows["mc_error"]).min(), abs=1e-6)
    assert band[:, 1].max() <= 1.0


def test_a_zip_plot_sorts_intervals_and_marks_those_that_miss(plain: ts.StudyResult) -> None:
    (ax,) = ts.plot(plain, "zip").axes
    held, missed = ax.collections
    table = plain.estimates.query("parameter == 'y~x'")
    wide = 1.959964 * table["se"]
    misses = int(((table["est"] - 0.3).abs() > wide).sum())
    assert len(missed.get_segments()) == misses
    assert len(held.get_segments()) == 20 - misses
    distance = [abs(segment[:, 0].mean() - 0.3) / (segment[1, 0] - segment[0, 0]) for segment in held.get_segments()]
    assert distance == sorted(distance)
    assert all(segment[0, 0] <= 0.3 <= segment[1, 0] for segment in held.get_segments())


def test_the_map_of_convergence_shows_shares(crossed: ts.StudyResult, failed: ts.StudyResult) -> None:
    figure = ts.plot(crossed, "convergence")
    assert titles(figure) == ["Converged (%)", "Converged and admissible (%)"]
    assert words(figure).count("100") == 24
    assert "n = 30, y~x = 0.0" in words(figure)
    first, second = figure.axes
    assert first.get_ylim() == second.get_ylim() == (5.5, -0.5), "the first condition stands on top"
    assert words(ts.plot(failed, "convergence")).count("0.0") == 2


# Designs of every shape ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_one_condition_without_factors(plain: ts.StudyResult, kind: str) -> None:
    figure = ts.plot(plain, kind)
    assert figure.axes
    assert "0.02" not in words(figure), "an axis without a factor has no numbers"
    if kind in ("power", "coverage", "bias"):
        (bar,) = figure.axes[0].collections
        assert len(bar.get_segments()) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_several_analyses_are_told_apart(crossed: ts.StudyResult, kind: str) -> None:
    assert {"ML", "robust"} <= {part for word in words(ts.plot(crossed, kind)) for part in word.split(", ")}


def test_a_line_has_one_colour_in_all_panels(crossed: ts.StudyResult) -> None:
    figure = ts.plot(crossed, "coverage", parameters=["y~x", "y~~y"])
    first, second = ({line.get_label(): line.get_color() for line in ax.lines if len(line.get_xdata()) == 3} for ax in figure.axes)
    assert first == second
    assert len(set(first.values())) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_factors_that_are_no_numbers(theory: ts.StudyResult, kind: str) -> None:
    shown = " ".join(words(ts.plot(theory, kind)))
    assert "calibrated" in shown
    assert "conservative" in shown


def test_conditions_that_leave_factors_out_are_drawn() -> None:
    result = run(n=80, conditions=[{"n": 30}, {"n": 60, "y~x": 0.1}, {"y~x": 0.5}])
    (ax,) = ts.plot(result, "power").axes
    marks = sorted((float(line.get_xdata()[0]), str(line.get_label())) for line in ax.lines if len(line.get_xdata()) == 1)
    assert [label for _, label in marks] == ["default", "y~x = 0.1", "y~x = 0.5"]
    assert [place for place, _ in marks] == pytest.approx([30, 60, 80], abs=2)


def test_another_factor_on_the_axis(crossed: ts.StudyResult) -> None:
    figure = ts.plot(crossed, "coverage", x="y~x", analyses="ML")
    assert figure.axes[0].get_xlabel() == "y~x"
    assert listed(figure) == ["n = 30", "n = 60", "n = 120"]


def test_many_parameters_and_lines_are_cut_and_it_is_said(theory: ts.StudyResult) -> None:
    names = list(dict.fromkeys(theory.performance("bias")["parameter"]))
    assert len(names) > 20
    figure = ts.plot(theory, "coverage", parameters=names)
    assert len(titles(figure)) == 12
    assert f"{len(names) - 12} more parameters not shown" in " ".join(figure.get_suptitle().split())
    many = run(replications=4, analyses={f"a{k}": ML for k in range(9)})
    assert "2 more lines not shown" in " ".join(ts.plot(many, "power").get_suptitle().split())
    wide = ts.plot(theory, "zip", parameters=names[:8])
    assert "4 more panels not shown" in wide.get_suptitle()


def test_relative_bias_where_there_is_a_size_and_bias_where_there_is_none() -> None:
    none = run(conditions={"n": [30, 60]}, population=ts.Population("y ~ x", {**VALUES, "y~x": 0.0}))
    assert ts.plot(none, "bias", parameters="y~x").axes[0].get_ylabel() == "bias"
    assert ts.plot(none, "bias", parameters="y~~y").axes[0].get_ylabel() == "relative bias"


@pytest.mark.parametrize("kind", KINDS)
def test_names_in_any_script_and_with_signs_that_mean_something_elsewhere(kind: str, tmp_path: Path) -> None:
    values = {"größe~信頼": 0.3, "größe~~größe": 0.91, "信頼~~信頼": 1.0}
    analyses = {"_under": ML, r"$\frac": MLR, "<b>&": ts.Analysis(options={"estimator": "GLS"})}
    result = run(population=ts.Population("größe ~ 信頼", values), analyses=analyses, conditions={"n": [30, 60]}, replications=10)
    figure = ts.plot(result, kind, path=tmp_path / "plot.svg")
    shown = {part.strip() for word in words(figure) for part in word.split(", ")}
    assert set(analyses) <= shown
    assert (tmp_path / "plot.svg").read_text(encoding="utf-8").startswith("<?xml")
    if kind != "convergence":
        assert any(word.startswith("größe~") for word in shown)


# Bytes ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "ending"), [*((kind, "svg") for kind in KINDS), ("power", "png"), ("power", "pdf")])
def test_equal_input_gives_equal_bytes(crossed: ts.StudyResult, kind: str, ending: str, tmp_path: Path) -> None:
    again = run(conditions={"n": [30, 60, 120], "y~x": [0.0, 0.3]}, analyses={"ML": ML, "robust": MLR}) if kind == "power" else crossed
    ts.plot(crossed, kind, path=tmp_path / f"a.{ending}")
    ts.plot(again, kind, path=tmp_path / f"b.{ending}")
    assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


# Nothing to plot -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["power", "coverage", "bias", "zip"])
def test_where_everything_failed_the_message_says_so(failed: ts.StudyResult, kind: str) -> None:
    with pytest.raises(ts.OptionError, match=r"There is nothing to plot\. No replication that is there has a result\. See `result\.failures`"):
        ts.plot(failed, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_study_that_has_no_results_yet(kind: str, tmp_path: Path) -> None:
    ts.run(ts.Study(POPULATION, replications=3, n=40, conditions={"n": [30, 60]}), tmp_path / "s", executor="serial", progress=False)
    shutil.rmtree(tmp_path / "s" / "chunks")
    (tmp_path / "s" / "chunks").mkdir()
    result = ts.load_result(tmp_path / "s")
    assert result.counts == (0, 0)
    if kind == "convergence":
        assert words(ts.plot(result, kind)).count("none yet") == 4
    else:
        with pytest.raises(ts.OptionError, match="There is nothing to plot"):
            ts.plot(result, kind)


def test_panels_without_results_are_counted() -> None:
    result = run(conditions={"n": [2, 40]}, replications=4)
    figure = ts.plot(result, "zip")
    assert titles(figure) == ["n = 40"]
    assert "1 more panels without results not shown" in " ".join(figure.get_suptitle().split())


MISTAKES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "kind": ({"kind": "powr"}, ("kind='powr'", "'power', 'coverage', 'bias', 'zip', 'convergence'", "Did you mean 'power'")),
    "factor": ({"x": "m"}, ("x='m' is no factor with several levels", "There are n, y~x")),
    "factor of a map": ({"x": "m", "kind": "convergence"}, ("x='m' is no factor",)),
    "parameter": ({"parameters": "y~z"}, ("parameters= names 'y~z'", "Did you mean 'y~x'")),
    "parameter of a zip plot": ({"parameters": "y~z", "kind": "zip"}, ("parameters= names 'y~z'",)),
    "one of several": ({"parameters": ["y~x", "z"], "kind": "bias"}, ("parameters= names 'z'",)),
    "analysis": ({"analyses": "MLM"}, ("analyses= names 'MLM'", "ML, robust")),
    "analysis of a zip plot": ({"analyses": ["ML", "MLM"], "kind": "zip"}, ("analyses= names 'MLM'",)),
    "analysis of a map": ({"analyses": "MLM", "kind": "convergence"}, ("analyses= names 'MLM'",)),
    "format": ({"path": "plot.bmp"}, ("plot.bmp",)),
    "no parameters": ({"parameters": []}, ("There is nothing to plot",)),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(crossed: ts.StudyResult, name: str) -> None:
    options, fragments = MISTAKES[name]
    with pytest.raises(ts.OptionError) as caught:
        ts.plot(crossed, **options)
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_a_factor_that_does_not_vary_is_no_axis(plain: ts.StudyResult) -> None:
    with pytest.raises(ts.OptionError, match=r"x='n' is no factor with several levels\. There are none\."):
        ts.plot(plain, x="n")


def test_no_true_value_no_zip_plot() -> None:
    likert = run(generator=ts.Likert(ts.Gaussian()), replications=3)
    with pytest.raises(ts.OptionError, match="has no true value"):
        ts.plot(likert, "zip", parameters="y~x")
    with pytest.raises(ts.OptionError, match="It needs a true value"):
        ts.plot(likert, "coverage", parameters="y~x")
