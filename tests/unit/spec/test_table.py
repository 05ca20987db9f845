from __future__ import annotations

import math

from trustsem.spec import build_table, defaults_for


def test_frame_has_lavaans_columns() -> None:
    frame = build_table("y ~ a*x + upper(2)*x\nd := a*2\na > 0", defaults_for("sem")).frame()
    assert list(frame.columns) == ["id", "lhs", "op", "rhs", "user", "block", "group", "level", "free", "ustart", "exo", "label", "lower", "upper"]
    assert frame["id"].tolist() == [1, 2, 3, 4, 5]
    assert frame["free"].tolist() == [1, 2, 0, 0, 0]
    assert frame["exo"].tolist() == [0, 0, 1, 0, 0]
    assert frame["block"].tolist() == [1, 1, 1, 0, 0]
    assert frame["label"].tolist() == ["a", "", "", "d", ""]
    assert frame["upper"].tolist() == [2.0, *[math.inf] * 2, *[math.inf] * 2]


def test_names_of_parameters() -> None:
    table = build_table("y ~ c(a, NA)*x + z", defaults_for("sem"), n_groups=2)
    assert table.parameter_names() == ("a", "y~z", "y~~y", "y~1", "y~x.g2", "y~z.g2", "y~~y.g2", "y~1.g2")
    assert (table.n_blocks, table.has_means) == (2, True)
