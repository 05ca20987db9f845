"""Pictures of rivals."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.appraise import appraise
from trustsem.appraisal.rivals.cross_validation import cross_validate
from trustsem.appraisal.rivals.distinguish import distinguishability
from trustsem.appraisal.rivals.selection import selection_frequency
from trustsem.appraisal.rivals.tournament import tournament
from trustsem.reporting.rival_plots import RIVALLED, plot_rivals


@cache
def results() -> dict[str, Any]:
    theory = ts.load_theory("metz2022")
    own = appraise(theory, ts.simulate(theory, n=300, seed=2), estimator="ML")
    some = ["R1", "R3", "R4"]
    return {
        "tournament": tournament(own),
        "prediction": cross_validate(own, rivals=some),
        "selection": selection_frequency(own, 4, seed=1, rivals=some, executor="serial"),
        "confusion": distinguishability(own, 3, seed=1, rivals=some, executor="serial"),
        "nothing": tournament(quietly(appraise, theory, ts.simulate(theory, n=300, seed=2), estimator="ML", se="none")),
    }


@pytest.mark.parametrize("name", ["tournament", "prediction", "selection", "confusion", "nothing"])
def test_each_has_its_picture(name: str, tmp_path: Path) -> None:
    source = results()[name]
    assert isinstance(source, RIVALLED)
    figure = plot_rivals(source)
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5_000


def test_rivals_that_were_compared_are_drawn() -> None:
    (ax,) = plot_rivals(results()["tournament"]).axes
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert sum(name.startswith("R1 ") for name in names) == 1
    assert not any(name.startswith("R6") for name in names)


def test_the_matrix_shows_its_numbers() -> None:
    source = results()["confusion"]
    left, right = plot_rivals(source).axes
    share = source.matrix("bic").iloc[0, 0]
    assert any(text.get_text().startswith(f"{share:.2f}") for text in left.texts)
    assert len(left.texts) == len(right.texts) == 2 * source.matrix().size
    assert left.get_title(loc="left") == "Chosen by BIC"
