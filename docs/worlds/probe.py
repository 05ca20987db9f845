"""World: what severity() expects of a design by large-sample theory, against what the design does in simulated samples."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

import trustsem as ts
from trustsem.appraisal.severity.probe import probe

TITLE = "The probe: large-sample theory against simulation"
TEXT = (
    "How often would the design have supported or denied a claim, were it false? By large-sample theory (`severity`) and simulated (`probe`), for "
    "two designs: 300 complete normal rows whose moments are exactly those of the theory's preset, without strategies, and the shipped survey with "
    "its five answers, missing values and 40 teams. Promised: in the first, both agree within simulation error and .03, and the mean estimate is the "
    "value that was set within .02; in the second, within .15, because the observed standard errors, from which the expectation is scaled, come "
    "from 40 teams and are uncertain themselves. A false claim is supported in at most 5 % of samples."
)
SMALL, FULL = 40, 500

_DESIGNS = {"normal, complete": (2.0, 0.03), "survey": (1.0, 0.15)}  # share of the replications, and what is allowed
_WORLDS = ("0", "-d")


def appraisals() -> dict[str, Any]:
    """Return the appraisal of each design."""
    theory = ts.load_theory("metz2022").drop("Relational", "Technical", "Resilience")
    population = theory.population("calibrated")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exact = ts.appraise(theory, sample_cov=_frame(population), sample_nobs=300, sesoi=0.15)
        survey = ts.appraise("metz2022", ts.load_dataset("survey"), estimator="MLR", missing="fiml", cluster="team")
    return {"normal, complete": exact, "survey": survey}


def _frame(population: Any) -> Any:
    import pandas as pd

    return pd.DataFrame(population.cov, index=population.names, columns=population.names)


def measure(replications: int, executor: Any = None) -> list[dict[str, Any]]:
    """Return one row per design, claim, world and conclusion."""
    rows = []
    for (design, appraisal), claims in zip(
        appraisals().items(), (["Trust -> Capability", "Motivation -> Commitment"], ["Capability -> Commitment"]), strict=True
    ):
        count = int(replications * _DESIGNS[design][0])
        found = probe(
            appraisal, claims, worlds=_WORLDS, replications=count, seed=7, executor="serial" if executor is None else executor, progress=False
        )
        for one in found.frame.to_dict("records"):
            own = {"design": design, "claim": f"{one['cause']} -> {one['effect']}", "value": one["value"]}
            for name in ("supported", "denied"):
                rate = one[name]
                error = math.sqrt(rate * (1.0 - rate) / count)
                rows.append({**own, "question": name, "expected": one[f"{name}_expected"], "rate": rate, "mc_error": error, "used": count})
            error = one["sd_std"] / math.sqrt(count)
            rows.append({**own, "question": "mean estimate", "expected": one["value"], "rate": one["mean_std"], "mc_error": error, "used": count})
    return rows


def check(rows: list[dict[str, Any]]) -> None:
    """Assert that theory and simulation agree as far as promised."""
    for row in rows:
        error = row["mc_error"]
        if row["question"] == "mean estimate":
            assert abs(row["rate"] - row["expected"]) <= 3.5 * error + 0.02, row
            continue
        expected = row["expected"]
        error = max(error, math.sqrt(expected * (1.0 - expected) / row["used"]))
        assert abs(row["rate"] - expected) <= 3.5 * error + _DESIGNS[row["design"]][1], row
        if row["question"] == "supported":
            assert row["rate"] <= 0.05 + 3.5 * error, row
        assert np.isfinite(row["rate"]), row
