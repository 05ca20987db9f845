from __future__ import annotations

import pytest

from trustsem.errors import NotAvailableError
from trustsem.spec import build_table, defaults_for


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y ~ x\ny | t1 + t2", "'\\|' in line 2, column 3 .*thresholds"),
        ("y ~ x\ny ~*~ y", "'~\\*~' in line 2.*scaling factors"),
        ("f <~ x1 + x2", "'<~' in line 1.*composites"),
        ("y |~ z", "'\\|~'.*instruments"),
        ("y :~ z", "':~'.*data-moderated"),
        ("efa('b')*f =~ x1 + x2", "'efa\\(\\)' in line 1, column 1 .*exploratory"),
        ("f =~ x1\ny ~ rv('s')*x", "'rv\\(\\)' in line 2, column 5 .*random slopes"),
        ("y ~ a:b", "'a:b' in line 1, column 5 .*interactions.*compute the product"),
        ("level: 1\ny ~ x\nlevel: 2\ny ~ w\nlevel: 3\ny ~ v", "'level: 3' begins a third level"),
        ("block: 1\ny ~ x\nblock: 2\ny ~ w", "'block:'.*write 'group:'"),
    ],
)
def test_refused_by_name_and_place(text: str, message: str) -> None:
    with pytest.raises(NotAvailableError, match=message):
        build_table(text, defaults_for("sem"))


def test_one_level_is_no_level() -> None:
    assert build_table("level: 1\ny ~ x", defaults_for("sem")).rows == build_table("y ~ x", defaults_for("sem")).rows
