"""Common causes and method factors of known strength: is the estimate right once they are held at it?"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

import trustsem as ts
from trustsem.appraisal.appraise import appraise
from trustsem.appraisal.repeating import repeat
from trustsem.appraisal.sensitivity.sensitivity_curve import sensitivity_curve
from trustsem.populations.altering import alter
from trustsem.theory import Theory

TITLE = "Sensitivity: what is left out, held at its true strength"
TEXT = """
A chain of trust, motivation and commitment, three to five items each, with paths that are known. In one world an unmeasured common cause has effects
of .4 on trust and on motivation; in another all items load .3 on a common-method factor. The theory knows of neither, and its estimates of the first
path are too large. Held at its true strength (`ts.sensitivity_curve`), the estimate is unbiased and its interval covers the truth as often as it
says; held at half of it, it is not. Intervals are those of maximum likelihood, a little short in small samples: 1 % is allowed at n = 200, half a
percent at 800.
"""
SMALL, FULL = 60, 1200
CLAIM = "Trust -> Motivation"
SIZES = (200, 800)
WORLDS = ("common cause .4", "method factor .3")
STRENGTHS = {"common cause .4": (0.0, 0.2, 0.4), "method factor .3": (0.0, 0.15, 0.3)}
ALLOWED = {200: 0.01, 800: 0.005}  # coverage of intervals from estimated errors, in small samples
BIAS_ALLOWED = 0.005  # of a standardized estimate at n = 200, which is of order 1 / n


def theory() -> Theory:
    """Return the theory as it is appraised."""
    own = ts.load_theory("metz2022")
    return own.drop(*(node.name for node in own.nodes if node.name not in ("Trust", "Motivation", "Commitment")))


def population(world: str) -> ts.Population:
    """Return a world in which something is left out."""
    own = theory().population("calibrated")
    if world == WORLDS[0]:
        return alter(own, confounder={"Trust, Motivation": (0.4, 0.4)})
    items = [name for node in theory().nodes for name in node.indicators]
    return alter(own, factors={"Halo": dict.fromkeys(items, 0.3)})


def truth() -> float:
    """Return the standardized path of the claim, the same in all worlds."""
    block, names = theory().population("calibrated").implied_blocks[0], theory().population("calibrated").compiled.blocks[0].variables
    i, j = names.index("Motivation"), names.index("Trust")
    return float(block.A[i, j] * math.sqrt(block.V[j, j] / block.V[i, i]))


def work(items: Sequence[tuple[str, int, int]]) -> list[list[tuple[float, float]]]:
    """Return estimate and standard error at every strength for each (world, n, seed)."""
    result, own = [], theory()
    for world, n, seed in items:
        data = ts.simulate(
            population(world), n=n, seed=np.random.default_rng(np.random.SeedSequence(20250, spawn_key=(WORLDS.index(world), n, seed)))
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            appraisal = appraise(own, data, estimator="ML")
            by = "confounder" if world == WORLDS[0] else "method"
            frame = sensitivity_curve(appraisal, CLAIM, STRENGTHS[world], by=by).frame if not appraisal.withheld else None
        result.append([(math.nan, math.nan)] * 3 if frame is None else list(zip(frame["std"], frame["se"], strict=True)))
    return result


def measure(replications: int, executor: Any = None) -> list[dict[str, Any]]:
    """Return bias and coverage at every strength."""
    cells = [(world, n) for world in WORLDS for n in SIZES]
    found = repeat(work, [(world, n, k) for world, n in cells for k in range(replications)], executor=executor, progress=False)
    rows, true = [], truth()
    for place, (world, n) in enumerate(cells):
        values = np.array(found[place * replications : (place + 1) * replications])
        for k, strength in enumerate(STRENGTHS[world]):
            std, se = values[:, k, 0], values[:, k, 1]
            usable = np.isfinite(std) & np.isfinite(se)
            std, se = std[usable], se[usable]
            covered = float(np.mean(np.abs(std - true) <= 1.959964 * se))
            rows.append(
                {
                    "world": world,
                    "n": n,
                    "held at": strength,
                    "true path": true,
                    "mean estimate": float(std.mean()),
                    "mc_error": float(std.std(ddof=1) / math.sqrt(std.size)),
                    "coverage": covered,
                    "coverage mc_error": math.sqrt(max(covered * (1.0 - covered), 0.25 / std.size) / std.size),
                    "fits": int(std.size),
                }
            )
    return rows


def check(rows: list[dict[str, Any]]) -> None:
    """Assert that the estimate is unbiased and intervals cover at the true strength, and that nothing held is biased upwards."""
    for row in rows:
        true_strength = STRENGTHS[row["world"]][-1]
        error, nominal = row["mc_error"], math.sqrt(0.95 * 0.05 / row["fits"])
        if row["held at"] == true_strength:
            assert abs(row["mean estimate"] - row["true path"]) <= 3.5 * error + BIAS_ALLOWED, row
            assert abs(row["coverage"] - 0.95) <= 3.5 * nominal + ALLOWED[row["n"]], row
        elif row["held at"] == 0.0:
            assert row["mean estimate"] - row["true path"] > 3.5 * error, row
