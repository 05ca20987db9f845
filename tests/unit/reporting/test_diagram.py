from __future__ import annotations

import re
import warnings
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Ellipse, Polygon, Rectangle

from trustsem.errors import OptionError
from trustsem.fitting.sem import growth, sem
from trustsem.reporting.diagram import diagram, figure_bytes
from trustsem.reporting.typeface import MISSING, typeface_for, wrapped
from trustsem.reporting.verdicts import VERDICT_STYLES

DATA = Path(__file__).parents[2] / "reference" / "data"
THREE = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
GROWTH = "i =~ 1*t1 + 1*t2 + 1*t3 + 1*t4\ns =~ 0*t1 + 1*t2 + 2*t3 + 3*t4\ni ~ x1 + x2\ns ~ x1 + x2"
DEMOCRACY = """ind60 =~ x1 + x2 + x3
dem60 =~ y1 + y2 + y3 + y4
dem65 =~ y5 + y6 + y7 + y8
dem60 ~ ind60
dem65 ~ ind60 + dem60
y1 ~~ y5
y2 ~~ y4 + y6
y3 ~~ y7
y4 ~~ y8
y6 ~~ y8"""
PATH = "rating ~ learning + complaints + privileges\nlearning ~ complaints\nadvance ~ rating + complaints"
CYCLE = "complaints ~ rating\nrating ~ complaints + learning\nadvance ~ rating\nlearning ~ advance + privileges"


class Seen:
    """What a figure shows, read from its artists; places in inches, y pointing down."""

    def __init__(self, figure):
        (axes,) = figure.axes
        self.width, self.height = figure.get_size_inches()
        self.texts = [(text.get_text(), *text.get_position(), text.get_fontsize()) for text in axes.texts]
        patches = [(patch.get_gid() or "", patch) for patch in axes.patches]
        self.nodes = [patch for gid, patch in patches if gid.startswith("node-")]
        self.tags = [patch for gid, patch in patches if gid.startswith("tag-")]
        self.heads = [patch for _, patch in patches if isinstance(patch, Polygon) and not isinstance(patch, Rectangle)]
        self.lines = [np.column_stack(line.get_data()) for line in axes.lines]
        self.limits = (*axes.get_xlim(), *axes.get_ylim())
        self.styles = [(line.get_color(), line.get_linestyle(), line.get_linewidth()) for line in axes.lines]

    def text(self):
        return " ".join(text for text, *_ in self.texts)

    def words(self):
        return {text for text, *_ in self.texts}


def outline(patch):
    """Return points on the outline of an oval or a box."""
    if isinstance(patch, Ellipse):
        angle = np.linspace(0, 2 * np.pi, 200)
        x, y = patch.get_center()
        return np.column_stack([x + patch.get_width() / 2 * np.cos(angle), y + patch.get_height() / 2 * np.sin(angle)])
    (x, y), w, h = patch.get_xy(), patch.get_width(), patch.get_height()
    side = np.linspace(0, 1, 50)
    zero, one = np.zeros(50), np.ones(50)
    edges = np.concatenate([np.column_stack(pair) for pair in ((side, zero), (one, side), (side, one), (zero, side))])
    return edges * (w, h) + (x, y)


def inside(points, patch, margin=0.0):
    if isinstance(patch, Ellipse):
        x, y = patch.get_center()
        u, v = (points[:, 0] - x) / (patch.get_width() / 2 - margin), (points[:, 1] - y) / (patch.get_height() / 2 - margin)
        return u * u + v * v < 1
    (x, y), w, h = patch.get_xy(), patch.get_width(), patch.get_height()
    within_x = (points[:, 0] > x + margin) & (points[:, 0] < x + w - margin)
    return within_x & (points[:, 1] > y + margin) & (points[:, 1] < y + h - margin)


def collide(first, second):
    grid = np.vstack([outline(first), [[first.get_x() + first.get_width() / 2, first.get_y() + first.get_height() / 2]]])
    return bool(inside(grid, second).any() or inside(outline(second), first).any())


def assert_legible(figure):
    """Assert what a reader needs: nothing covered, nothing cut off, nothing too small."""
    seen = Seen(figure)
    for k, tag in enumerate(seen.tags):
        assert not any(collide(tag, node) for node in seen.nodes)
        assert not any(collide(tag, other) for other in seen.tags[:k])
    for k, node in enumerate(seen.nodes):
        assert not any(inside(outline(node), other).any() for other in seen.nodes[:k])
    for line in seen.lines:
        dense = np.vstack([np.linspace(a, b, 20) for a, b in pairwise(line)])
        assert not any(inside(dense, node, margin=0.005).any() for node in seen.nodes)
    left, right, bottom, top = seen.limits
    everything = np.vstack([*map(outline, [*seen.nodes, *seen.tags]), *seen.lines])
    assert left <= everything[:, 0].min() <= everything[:, 0].max() <= right
    assert top <= everything[:, 1].min() <= everything[:, 1].max() <= bottom
    assert seen.width <= 7.0 + 1e-6
    assert right - left == pytest.approx(seen.width)
    assert min(size for *_, size in seen.texts) >= 8.0
    return seen


def assert_texts_fit(figure):
    """Assert that the rendered letters lie inside their oval or box, and those of numbers inside their patch."""
    renderer = figure.canvas.get_renderer()
    (axes,) = figure.axes
    invert = axes.transData.inverted()
    boxes = [patch for patch in axes.patches if patch.get_gid()]
    for text in axes.texts:
        owner = [patch for patch in boxes if inside(np.array([text.get_position()]), patch)[0]]
        if owner:
            corners = invert.transform(text.get_window_extent(renderer).corners())
            assert inside(corners, owner[-1], margin=-0.03).all(), text.get_text()


def test_the_full_theory_with_estimates_is_legible(theory_fit):
    figure = diagram(theory_fit)
    seen = assert_legible(figure)
    assert_texts_fit(figure)
    assert len(seen.nodes) == 9
    assert all(isinstance(node, Ellipse) for node in seen.nodes)
    assert len(seen.tags) == 13 + 5
    estimates = theory_fit.parameter_estimates(standardized=True)
    for _, row in estimates[estimates.op == "~"].iterrows():
        assert f"{row.std_all:.2f}".replace("0.", ".").replace("-", "\N{MINUS SIGN}") in seen.words()
    assert "27 indicators are not drawn." in seen.text()
    assert "n = 400." in seen.text()
    assert f"R\N{SUPERSCRIPT TWO} = {theory_fit.rsquare()['Trust']:.2f}".replace("0.", ".") in seen.words()


def test_causes_stand_to_the_left_of_effects(theory_fit):
    seen = Seen(diagram(theory_fit))
    x = {text: position for text, position, *_ in seen.texts}
    for earlier, later in (("Relational", "Trust"), ("Trust", "Motivation"), ("Capability", "Resilience"), ("Commitment", "Outcomes")):
        assert x[earlier] < x[later]
    assert x["Capability"] == x["Opportunity"] == x["Motivation"]
    y = {text: position for text, _, position, _ in seen.texts}
    assert y["Capability"] < y["Opportunity"] < y["Motivation"]


def test_residual_covariances_are_dashed_and_double_headed(theory_fit):
    figure = diagram(theory_fit)
    seen = Seen(figure)
    dashed = [style for _, style, _ in seen.styles if style == "--"]
    assert len(dashed) == 4
    assert len(seen.heads) == 13 + 2 * 5
    assert "Dashed: covariances of residuals." in seen.text()


def test_without_estimates_no_numbers(theory_fit):
    figure = diagram(theory_fit, estimates=None)
    seen = assert_legible(figure)
    assert not seen.tags
    assert not re.search(r"R\N{SUPERSCRIPT TWO}", seen.text())


@pytest.mark.parametrize("model", [THREE, DEMOCRACY, PATH, CYCLE])
def test_model_text_is_legible(model):
    assert_legible(diagram(model))


@pytest.mark.parametrize("estimates", ["std_all", "est"])
def test_fits_are_legible(school, cfa_fit, estimates):
    democracy = sem(DEMOCRACY, pd.read_csv(DATA / "PoliticalDemocracy.csv"))
    second = sem(THREE + "\ng =~ visual + textual + speed", school)
    path = sem(PATH, pd.read_csv(DATA / "attitude.csv"))
    curves = growth(GROWTH, pd.read_csv(DATA / "Demo_growth.csv"))
    for fit in (cfa_fit, democracy, second, path, curves):
        figure = diagram(fit, estimates=estimates)
        assert_legible(figure)
        assert_texts_fit(figure)


def test_many_factors_are_legible():
    factors = "\n".join(f"f{k} =~ " + " + ".join(f"{'abcde'[k]}{j}" for j in range(5)) for k in range(5))
    seen = assert_legible(diagram(factors))
    assert len(seen.nodes) == 30


def test_bifactor_model_has_specific_factors_on_the_other_side():
    items = [f"a{k}" for k in range(4)] + [f"b{k}" for k in range(4)]
    model = f"g =~ {' + '.join(items)}\na =~ {' + '.join(items[:4])}\nb =~ {' + '.join(items[4:])}\ng ~~ 0*a + 0*b\na ~~ 0*b"
    seen = assert_legible(diagram(model))
    x = {text: position for text, position, *_ in seen.texts}
    assert x["g"] < x["a0"] < x["a"]
    assert "--" not in [style for _, style, _ in seen.styles]


def test_paths_fixed_to_zero_are_not_drawn_and_fixed_loadings_of_growth_factors_are_numbered():
    figure = diagram(GROWTH)
    seen = assert_legible(figure)
    assert sorted(text for text in seen.words() if re.fullmatch(r"\d\.\d\d", text)) == ["1.00", "2.00", "3.00"]
    assert sum(text == "1.00" for text, *_ in seen.texts) == 5


def test_indicators_can_be_asked_for_and_left_out(cfa_fit):
    assert len(Seen(diagram(cfa_fit)).nodes) == 12
    without = Seen(diagram(cfa_fit, indicators=False))
    assert len(without.nodes) == 3
    assert "9 indicators are not drawn." in without.text()
    residual = Seen(diagram(THREE + "\nx1 ~~ x4", indicators=False))
    assert "1 covariances of their residuals are not drawn." in residual.text()
    assert len(residual.lines) == 3


def test_covariances_of_many_covariates_are_left_out_and_counted():
    model = "y ~ " + " + ".join(f"x{k}" for k in range(6))
    seen = Seen(diagram(model))
    assert "The covariances of the 6 covariates are not drawn." in seen.text()
    assert len(seen.lines) == 6
    assert len(Seen(diagram("y ~ a + b + c")).lines) == 6


def test_feedback_is_drawn_both_ways():
    seen = assert_legible(diagram("a ~ b\nb ~ a + c\nd ~ a"))
    assert len(seen.heads) == 4


def test_too_many_tiers_for_the_width_make_the_figure_wider_not_the_letters_smaller():
    model = "\n".join(f"a_rather_long_name_{k + 1} ~ a_rather_long_name_{k}" for k in range(14))
    figure = diagram(model)
    seen = Seen(figure)
    assert seen.width > 7.0
    assert min(size for *_, size in seen.texts) >= 8.0
    assert not any(collide(tag, node) for tag in seen.tags for node in seen.nodes)


def test_an_inadmissible_fit_says_so_in_the_figure(bad_fit):
    seen = assert_legible(diagram(bad_fit))
    assert any(text.startswith("! TS-FIT-02: Inadmissible: the variance of visual is negative") for text in seen.words())


def test_groups(groups_fit):
    first, second = Seen(diagram(groups_fit)), Seen(diagram(groups_fit, group="Grant-White"))
    assert "Group Pasteur (1 of 2), n = 156." in first.text()
    assert "Group Grant-White (2 of 2), n = 145." in second.text()
    assert first.words() != second.words()
    assert Seen(diagram(groups_fit, group=2)).words() == second.words()
    with pytest.raises(OptionError, match=r"group='Pastuer' does not exist.*Did you mean 'Pasteur'"):
        diagram(groups_fit, group="Pastuer")
    with pytest.raises(OptionError, match=r"group=3 does not exist: the model has 1 group"):
        diagram(THREE, group=3)


# Verdicts


def test_verdicts_have_colour_sign_and_legend(appraisal):
    figure = diagram(appraisal)
    seen = assert_legible(figure)
    assert_texts_fit(figure)
    assert {colour for colour, *_ in seen.styles} == {style.colour for style in VERDICT_STYLES.values()}
    for name, style in VERDICT_STYLES.items():
        assert f"{style.sign} {name}" in seen.words()
        numbered = [text for text in seen.words() if re.fullmatch(rf"\N{{MINUS SIGN}}?\.\d\d {re.escape(style.sign)}", text)]
        assert numbered
    assert len({style.sign for style in VERDICT_STYLES.values()}) == len(VERDICT_STYLES)


def test_verdicts_without_arrow_or_colour_are_named(appraisal):
    verdicts = pd.DataFrame(
        {"cause": ["Trust", "Trust", "Trust"], "effect": ["Outcomes", "Capability", "Motivation"], "verdict": ["negligible", "", "supported"]}
    )
    seen = assert_legible(diagram(SimpleNamespace(verdicts=verdicts, fit=appraisal.fit)))
    assert "Not coloured: Trust to Outcomes: negligible; Trust to Capability: no verdict." in seen.text()
    assert f"{VERDICT_STYLES['supported'].sign} supported" in seen.words()
    assert f"{VERDICT_STYLES['negligible'].sign} negligible" not in seen.words()


# Files and input


@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
def test_same_input_gives_the_same_bytes(theory_fit, tmp_path, ending):
    first, second = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    diagram(theory_fit, path=first)
    diagram(theory_fit, path=second)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size > 5_000
    assert not list(tmp_path.glob(".*"))


def test_svg_has_no_date_and_does_not_depend_on_the_hash_seed(theory_fit):
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "something else"}):
        text = figure_bytes(diagram(theory_fit), "svg").decode()
        assert matplotlib.rcParams["svg.hashsalt"] == "something else"
    assert text == figure_bytes(diagram(theory_fit), "svg").decode()
    assert "date" not in text.lower()
    assert not re.search(r"matplotlib|dc:", text, re.IGNORECASE)


def test_no_figure_is_registered_with_pyplot(cfa_fit):
    import matplotlib.pyplot as plt

    diagram(cfa_fit)
    assert plt.get_fignums() == []


def test_wrong_input_is_refused(cfa_fit, tmp_path):
    with pytest.raises(OptionError, match=r"A diagram is drawn of model text.*not of 'int'"):
        diagram(3)
    with pytest.raises(OptionError, match=r"Unknown estimates='std'"):
        diagram(cfa_fit, estimates="std")
    with pytest.raises(OptionError, match=r"must end in .svg, .pdf or .png"):
        diagram(cfa_fit, path=tmp_path / "a.jpg")
    with pytest.raises(OptionError, match=r"cannot be written: .*Give a file in a folder that exists"):
        diagram(cfa_fit, path=tmp_path / "nowhere" / "a.svg")
    with pytest.raises(OptionError, match=r"labels= names 'visuall', which is not in the diagram. Did you mean 'visual'"):
        diagram(cfa_fit, labels={"visuall": "Vision"})


def test_a_theory_is_anything_with_a_model_method(cfa_fit):
    theory = SimpleNamespace(model=lambda: cfa_fit.model.table)
    assert Seen(diagram(theory)).words() == Seen(diagram(cfa_fit.model.table)).words()


def test_labels_replace_names(cfa_fit):
    seen = assert_legible(diagram(cfa_fit, labels={"visual": "Visual perception of things"}))
    assert {"perception of", "things"} & seen.words()
    assert "visual" not in seen.words()


def test_non_latin_names_and_dollars_are_drawn_without_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = diagram("Доверие =~ a1 + a2 + a3\nεμπιστοσύνη =~ b1 + b2 + b3\nεμπιστοσύνη ~ Доверие", labels={"a1": "$x_1$", "a2": "ثقة"})
        seen = assert_legible(figure)
        figure_bytes(figure, "svg")
    assert {"Доверие", "εμπιστοσύνη", "$x_1$", "ثقة"} <= seen.words()


def test_characters_that_no_font_has_are_boxes_and_counted():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = diagram("y ~ x", labels={"x": "a\U0001e900\U0001e901"})
        figure_bytes(figure, "png")
    face = typeface_for(["a\U0001e900\U0001e901"])
    if face.lacking:  # no font for Adlam on this machine
        assert f"a{MISSING}{MISSING}" in Seen(figure).words()
        assert "No installed font has 2 of the characters" in Seen(figure).text()
    else:
        assert "a\U0001e900\U0001e901" in Seen(figure).words()


def test_wrapped():
    assert wrapped("Trust", 8) == ("Trust",)
    assert wrapped("a_b", 8) == ("a_b",)
    assert wrapped("relational_strategies used", 12) == ("relational", "strategies", "used")
    assert wrapped("incomprehensibilities", 8) == ("incomprehensibilities",)


def test_a_model_that_cannot_be_drawn_legibly_is_refused(monkeypatch):
    from trustsem.reporting import composition

    monkeypatch.setattr(composition, "route", lambda graph, layout: None)
    with pytest.raises(OptionError, match="too many arrows for a legible diagram"):
        diagram("y ~ x")


def test_a_dense_model_is_legible():
    model = "\n".join(f"y{k} ~ " + " + ".join(f"y{j}" for j in range(k)) for k in range(1, 6))
    figure = diagram(model)
    seen = Seen(figure)
    assert len(seen.heads) == 15
    for line in seen.lines:
        dense = np.vstack([np.linspace(a, b, 20) for a, b in pairwise(line)])
        assert not any(inside(dense, node, margin=0.005).any() for node in seen.nodes)


def test_local_fit_draws_what_is_missing_from_the_theory(appraisal):
    lhs, rhs = "Outcomes", "Trust"
    absences = pd.DataFrame(
        {
            "lhs": [lhs, "Trust", "Outcomes"],
            "op": ["~", "~~", "~"],
            "rhs": [rhs, "Outcomes", "Relational"],
            "epc": [0.4, 0.2, 0.0],
            "std": [0.33, 0.21, 0.01],
            "verdict": ["violated", "violated", "holds"],
        }
    )
    judged = SimpleNamespace(**{**vars(appraisal), "forbidden": absences})
    seen = Seen(diagram(judged, local_fit=True))
    words = " ".join(seen.words())
    assert ".33 !" in words
    assert ".21 !" in words
    assert "! missing from the theory" in words
    assert "1 hold, 2 are violated, 0 cannot be told" in words
    assert "missing from the theory" not in " ".join(Seen(diagram(judged)).words())


def test_local_fit_belongs_to_appraisals(theory_fit):
    with pytest.raises(OptionError, match="local_fit=True draws what an appraisal found"):
        diagram(theory_fit, local_fit=True)
