from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from trustsem import display


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1.000"), (0.0004, "0.000"), (-0.0, "0.000"), (-0.1235, "-0.123"), (float("nan"), ""), (None, ""), (7, "7"), (float("inf"), "inf")],
)
def test_number(value, text):
    assert display.number(value) == text


def test_number_digits():
    assert display.number(2.0 / 3.0, 5) == "0.66667"


def test_width_counts_columns_of_a_terminal():
    assert display.text_width("abc") == 3
    assert display.text_width("信頼") == 4
    assert display.text_width("e\N{COMBINING ACUTE ACCENT}") == 1
    assert display.pad_right("信頼", 6) == "信頼  "
    assert display.pad_left("信頼", 6) == "  信頼"


def test_pair_has_lavaans_columns():
    assert display.pair("Number of observations", "301") == "  Number of observations                           301"
    assert display.pair("", "Used", "Total") == " " * 50 + "Used" + "       Total"
    assert display.pair("Title:") == "  Title:"
    assert display.pair("a label that is longer than the line has room for at all, really", "1").endswith("really 1")


def test_text_table_aligns_columns():
    lines = display.text_table(["name", "value"], [["a", "1.5"], ["信頼", "10.25"]], align="lr")
    assert lines == ["  name value", "  a      1.5", "  信頼 10.25"]
    assert display.text_table(["x"], []) == ["  x"]


def test_wrap_breaks_at_spaces_and_keeps_long_words():
    assert display.wrap("aa bb cc", 5) == ["aa bb", "cc"]
    assert display.wrap("abcdefgh ij", 4, indent=" ") == [" abcdefgh", " ij"]
    assert display.wrap("") == []


class _Balance(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def _parse(text):
    parser = _Balance()
    parser.feed(text)
    assert parser.open == []
    return "".join(parser.text)


NASTY = "<script>alert(\"x\")</script> & 'y'"


def test_html_table_escapes_everything():
    text = display.html_table([NASTY, "b"], [[NASTY, "2"]], caption=NASTY, align="lr")
    assert "<script" not in text
    assert _parse(text).count(NASTY) == 3
    assert "text-align:left" in text
    assert "text-align:right" in text


def test_html_table_leaves_colours_to_the_theme():
    text = display.html_table(["a"], [["1"]])
    assert "color:inherit" in text
    assert not re.search(r"(background(-color)?|[^-]color):\s*(#|white|black|rgb\()", text)


def test_html_banner_escapes():
    text = display.html_banner([NASTY, "second"])
    assert "<script" not in text
    assert _parse(text) == NASTY + "second"
    assert 'role="alert"' in text


def test_html_page_is_complete_and_loads_nothing():
    text = display.html_page(NASTY, "<p>body</p>")
    assert text.startswith("<!DOCTYPE html>")
    assert '<meta charset="utf-8">' in text
    assert "<script" not in text
    assert not re.search(r"(src|href)=|url\(|@import|https?:", text)
    assert "body" in _parse(text)


def test_heading():
    assert display.heading("Variances") == "Variances:"
