"""What is claimed: constructs, propositions, measures, strategies, where each comes from, variants and rivals."""

from __future__ import annotations

from trustsem.theory.load import load_theory, parse_theory, theories
from trustsem.theory.marks import MARKS, Fact, Provenance, Source
from trustsem.theory.presets import implied_loading
from trustsem.theory.rival_claim import RivalClaim
from trustsem.theory.rivals import Rival
from trustsem.theory.theory import Theory
from trustsem.theory.types import Construct, Measure, Preset, Proposition, ResidualCovariance, Strategy

__all__ = [
    "MARKS",
    "Construct",
    "Fact",
    "Measure",
    "Preset",
    "Proposition",
    "Provenance",
    "ResidualCovariance",
    "Rival",
    "RivalClaim",
    "Source",
    "Strategy",
    "Theory",
    "implied_loading",
    "load_theory",
    "parse_theory",
    "theories",
]
