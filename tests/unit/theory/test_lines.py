from __future__ import annotations

from trustsem.theory.lines import find_places

TEXT = '''\
id = "a # no comment ["
list = [  # a [ in a comment
  "x = 1",
  { mark = "I", note = "]" },
]
long = """
[[fake]]
y = 2 "quoted" [
"""
[[thing]]
name = "one"
[thing.values]
"A -> B" = 1
[[thing]]
name = "two"
[thing.values]
"A -> B" = 2
"C -> D" = 3
'''


def test_lines_of_keys_tables_and_tokens():
    places = find_places(TEXT)
    assert places.line("", 0, "id") == 1
    assert places.line("", 0, "list") == 2
    assert places.line("", 0, "list", '"I"') == 4
    assert places.line("", 0, "long") == 6
    assert places.line("thing", 0, "name") == 11
    assert places.line("thing", 1, "name") == 15
    assert places.line("thing", 1, "values", "A -> B") == 17
    assert places.line("thing", 1, "values", "C -> D") == 18
    assert places.line("thing", 1, "values") == 16
    assert places.line("thing", 1, "missing") == 14
    assert places.line("other", 0, "missing") == 1
    assert ("fake", 0) not in places.headers
    assert ("", 0, "y") not in places.keys
