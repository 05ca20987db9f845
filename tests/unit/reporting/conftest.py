from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from trustsem.errors import TrustsemWarning
from trustsem.fitting.sem import cfa, sem
from trustsem.reporting.verdicts import VERDICT_STYLES

DATA = Path(__file__).parents[2] / "reference" / "data"
THREE = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
STRUCTURE = """Trust ~ Relational + Technical
Capability ~ Trust
Opportunity ~ Trust
Motivation ~ Trust
Commitment ~ Capability + Opportunity + Motivation
Resilience ~ Capability + Opportunity + Motivation
Outcomes ~ Commitment + Resilience
Capability ~~ Opportunity + Motivation
Opportunity ~~ Motivation
Commitment ~~ Resilience
"""
CONSTRUCTS = ("Relational", "Technical", "Trust", "Capability", "Opportunity", "Motivation", "Commitment", "Resilience", "Outcomes")
THEORY = "\n".join(f"{name} =~ " + " + ".join(f"{name[:3].lower()}{k}" for k in (1, 2, 3)) for name in CONSTRUCTS) + "\n" + STRUCTURE
CAUSES = {
    "Technical": {"Relational": 0.5},
    "Trust": {"Relational": 0.4, "Technical": 0.25},
    "Capability": {"Trust": 0.35},
    "Opportunity": {"Trust": 0.45},
    "Motivation": {"Trust": 0.5},
    "Commitment": {"Capability": 0.15, "Opportunity": 0.2, "Motivation": 0.5},
    "Resilience": {"Capability": 0.25, "Opportunity": 0.25, "Motivation": 0.3},
    "Outcomes": {"Commitment": 0.35, "Resilience": 0.3},
}


def theory_data(n=400, seed=1):
    rng = np.random.default_rng(seed)
    scores = {}
    for name in CONSTRUCTS:
        scores[name] = sum((b * scores[cause] for cause, b in CAUSES.get(name, {}).items()), 0.8 * rng.normal(size=n))
    return pd.DataFrame({f"{name[:3].lower()}{k}": 0.8 * scores[name] + 0.6 * rng.normal(size=n) for name in CONSTRUCTS for k in (1, 2, 3)})


@pytest.fixture(scope="session")
def school():
    return pd.read_csv(DATA / "HolzingerSwineford1939.csv")


@pytest.fixture(scope="session")
def theory_fit():
    return sem(THEORY, theory_data())


@pytest.fixture(scope="session")
def cfa_fit(school):
    return cfa(THREE, school)


@pytest.fixture(scope="session")
def groups_fit(school):
    return cfa(THREE, school, group="school")


@pytest.fixture(scope="session")
def bad_fit(school):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrustsemWarning)
        return sem(THREE + "\ng =~ visual + textual + speed\ng ~ ageyr + sex", school, fixed_x=False)


@pytest.fixture(scope="session")
def appraisal(theory_fit):
    pairs = [(row.rhs, row.lhs) for row in theory_fit.model.table.rows if row.op == "~"]
    names = list(VERDICT_STYLES)
    verdicts = pd.DataFrame(
        {
            "cause": [cause for cause, _ in pairs],
            "effect": [effect for _, effect in pairs],
            "verdict": [names[k % len(names)] for k in range(len(pairs))],
            "std": [0.1 * k for k in range(len(pairs))],
        }
    )
    return SimpleNamespace(
        verdicts=verdicts,
        fit=theory_fit,
        theory=SimpleNamespace(title="metz2022"),
        rule="Smallest effect of interest .10 & alpha .05.",
        notes=["One wave: direction assumed, <not> tested."],
        parts=(),
        seeds={"cross_validation": 20220601},
    )
