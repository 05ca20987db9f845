from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from trustsem.errors import OptionError, TrustsemError
from trustsem.fitting.search import SearchOptions
from trustsem.fitting.sem import cfa
from trustsem.fitting.sem import compile as compiled
from trustsem.reporting import html
from trustsem.reporting.html import report, report_html


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.headings, self.words, self._open = [], [], [], [], []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br"):
            self._open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "xlink:href"):
                self.links.append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in ("meta", "br"):
            self._open.pop()

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self._open and self._open[-1] in ("h1", "h2"):
            self.headings.append(data)


def assert_self_contained(text):
    page = Page(text)
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(page.ids)
    assert not re.search(r"<script|<link|@import|url\((?!#)|<img|<iframe", text)
    assert set(re.findall(r'https?://[^"\s<]+', text)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    return page


def test_report_of_a_fit(cfa_fit, tmp_path):
    path = report(cfa_fit, tmp_path / "fit.html")
    page = assert_self_contained(path.read_text(encoding="utf-8"))
    wanted = ["Diagram", "Fit", "Estimates", "Explained variance", "Residual correlations", "Model", "Conventions and provenance"]
    assert page.headings == ["Fit of a model to 301 observations", *wanted]
    words = " ".join(page.words)
    assert cfa_fit.sample.fingerprint() in words
    assert "85.306, df = 24, p < .001" in words
    assert "All 4" in words
    assert "The search converged." in words
    assert "visual =~ 1*x1" in words
    assert [path.name for path in tmp_path.iterdir()] == ["fit.html"]


def test_equal_input_gives_equal_pages(theory_fit):
    assert report_html(theory_fit) == report_html(theory_fit)


def test_every_group_has_a_diagram_with_identifiers_of_its_own(groups_fit):
    text = report_html(groups_fit)
    page = assert_self_contained(text)
    assert text.count("<svg") == 2
    assert {name.split("-")[0] for name in page.ids} == {"d1", "d2"}
    assert "observations in Grant-White" in page.words


def test_structural_models_show_effects_and_the_largest_residuals(theory_fit):
    page = assert_self_contained(report_html(theory_fit))
    assert "Total, direct and indirect effects" in page.headings
    words = " ".join(page.words)
    assert f"The 15 largest of {27 * 26 // 2} in absolute value." in words
    shown = theory_fit.effects(standardized=True)
    row = shown[(shown.effect == "indirect") & (shown.lhs == "Outcomes") & (shown.rhs == "Trust")].iloc[0]
    assert f"{row.est:.3f}" in page.words


def test_warnings_come_before_the_numbers(bad_fit):
    text = report_html(bad_fit)
    assert_self_contained(text)
    assert text.index("The solution is NOT admissible.") < text.index('role="alert"') < text.index("<table")
    assert "TS-FIT-02" in text


def test_an_unconverged_fit_is_reported_as_such(school):
    fitter = replace(compiled("f =~ x1 + x2 + x3 + x4", function="cfa"), search_options=SearchOptions(limit=1, restarts=0))
    fit = fitter.fit(school)
    assert not fit.converged
    page = assert_self_contained(report_html(fit))
    assert any("The search did NOT converge" in text for text in page.words)
    assert "Residual correlations" not in page.headings


def test_report_of_an_appraisal(appraisal):
    page = assert_self_contained(report_html(appraisal))
    assert page.headings[:3] == ["Appraisal of metz2022", "Verdicts", "Diagram"]
    assert "Smallest effect of interest .10 & alpha .05." in page.words
    assert "One wave: direction assumed, <not> tested." in page.words
    assert "20220601" in page.words
    assert page.words.count("contradicted") == (appraisal.verdicts["verdict"] == "contradicted").sum()


def test_dropped_rows_are_part_of_the_provenance(school):
    frame = school.astype({"x1": float})
    frame.loc[:2, "x1"] = float("nan")
    page = Page(report_html(cfa("f =~ x1 + x2 + x3 + x4", frame)))
    assert page.words[page.words.index("rows dropped") + 1].startswith("3 (")


def test_a_diagram_that_cannot_be_drawn_does_not_spoil_the_page(cfa_fit, monkeypatch):
    def refuse(*args, **options):
        raise OptionError("The model has too many arrows for a legible diagram.")

    monkeypatch.setattr(html, "diagram", refuse)
    assert "No diagram: The model has too many arrows" in report_html(cfa_fit)


def test_a_path_that_cannot_be_written_leaves_nothing_behind(cfa_fit, tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(TrustsemError, match=r"path=.*taken' cannot be written: .*Give a file in a folder that exists"):
        report(cfa_fit, tmp_path / "taken")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_an_existing_page_is_replaced_whole(cfa_fit, tmp_path):
    path = tmp_path / "fit.html"
    path.write_text("x" * 1_000_000)
    report(cfa_fit, path)
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_something_else_is_refused():
    with pytest.raises(OptionError, match="not of 'int'"):
        report_html(3)
