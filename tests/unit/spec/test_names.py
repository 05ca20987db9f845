from __future__ import annotations

from trustsem.spec.names import block_names
from trustsem.spec.table import Row


def test_order_and_roles() -> None:
    rows = [
        Row("w", "~", "z"),
        Row("w", "~", "f"),
        Row("g", "~", "f"),
        Row("f", "=~", "x1"),
        Row("g", "=~", "y1"),
        Row("u", "~~", "v"),
        Row("t", "~1", ""),
    ]
    names = block_names(rows)
    assert names.observed == ("x1", "y1", "w", "z", "u", "v", "t")
    assert names.latent == ("f", "g")
    assert names.exogenous == ("z",)
    assert names.latent_exogenous == ("f",)
    assert names.outcomes == ("g", "w")


def test_covariates_with_written_moments_are_not_exogenous() -> None:
    paths = [Row("y", "~", "x1"), Row("y", "~", "x2"), Row("y", "~", "x3")]
    assert block_names([*paths, Row("x1", "~~", "x1"), Row("x3", "~1", "")]).exogenous == ("x2",)
    automatic = [Row("x1", "~~", "x2", user=0), Row("x3", "~~", "x3", free=False, exo=True)]
    assert block_names([*paths, *automatic]).exogenous == ("x1", "x2", "x3")
