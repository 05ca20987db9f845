"""Writes the page "Published results, reproduced" from simulation studies that are run anew.

``python docs/make_published.py`` writes the table of ``docs/published.md`` from ``docs/published.json``; ``--measure`` runs the studies first
(some four minutes on two cores). ``tests/calibration/test_published.py`` repeats them with fewer replications in every build.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import trustsem as ts

PAGE = Path(__file__).with_name("published.md")
STORE = Path(__file__).with_name("published.json")
REPLICATIONS = 10_000
SEED = 20261126


class Quantity(NamedTuple):
    """A published number, how many replications it rests on (0 for an exact one), and where ours comes from."""

    source: str
    what: str
    published: float
    replications: int
    measure: Callable[[ts.StudyResult], tuple[float, float]]


class Reproduction(NamedTuple):
    """A study and the published numbers that it reproduces."""

    study: ts.Study
    quantities: tuple[Quantity, ...]


# ---- what is read from a result ---------------------------------------------------------------------------------------------------------


def performance(measure: str, parameter: str) -> Callable[[ts.StudyResult], tuple[float, float]]:
    """Return a reader of one performance measure and its Monte Carlo error."""

    def read(result: ts.StudyResult) -> tuple[float, float]:
        row = result.performance(measure, parameters=parameter).iloc[0]
        return float(row["value"]), float(row["mc_error"])

    return read


def average(parameter: str) -> Callable[[ts.StudyResult], tuple[float, float]]:
    """Return a reader of the mean estimate."""

    def read(result: ts.StudyResult) -> tuple[float, float]:
        row = result.performance("bias", parameters=parameter).iloc[0]
        return float(row["truth"] + row["value"]), float(row["mc_error"])

    return read


def share(hits: np.ndarray) -> tuple[float, float]:
    """Return a proportion and its Monte Carlo error."""
    p = float(hits.mean())
    return p, math.sqrt(p * (1.0 - p) / hits.size)


def jointly(*parameters: str) -> Callable[[ts.StudyResult], tuple[float, float]]:
    """Return a reader of how often all of some parameters are significant in the same replication."""

    def read(result: ts.StudyResult) -> tuple[float, float]:
        names = result.layout[0].analyses[0].parameters
        found = result.outcomes(0)
        kept = found.converged
        z = np.column_stack([found.est[kept, names.index(name)] / found.se[kept, names.index(name)] for name in parameters])
        return share((np.abs(z) > 1.959963984540054).all(axis=1))

    return read


def difference_test(result: ts.StudyResult) -> tuple[float, float]:
    """Return how often the chi-square difference between the second analysis and the first (df = 1) is significant."""
    free, restricted = result.outcomes(0, 0), result.outcomes(0, 1)
    both = free.converged & restricted.converged
    at = result.layout[0].analyses[0].measures.index("chisq")
    return share(restricted.measures[both, at] - free.measures[both, at] > 3.841458820694124)


# ---- the studies ------------------------------------------------------------------------------------------------------------------------

MUTHEN = (
    "Muthén & Muthén (2002), Structural Equation Modeling 9:599-620: the article's design, run by Mplus 8.3 with 10,000 replications (outputs in the "
    "public repository garberadamc/project-site)"
)
MACKINNON = (
    "MacKinnon, Lockwood, Hoffman, West & Sheets (2002), Psychological Methods 7:83-104, doi 10.1037/1082-989X.7.1.83, table 6, first-order (Sobel) "
    "test"
)
FRITZ = "Fritz & MacKinnon (2007), Psychological Science 18:233-239, doi 10.1111/j.1467-9280.2007.01882.x, table 3, a = b = .14: this n has power .80"
SEMPOWER = "semPower 2, manual by Moshagen & Bader (article: Behavior Research Methods 56:2901-2922, doi 10.3758/s13428-023-02254-7)"

CFA = "f1 =~ NA*y1 + y2 + y3 + y4 + y5\nf2 =~ NA*y6 + y7 + y8 + y9 + y10\nf1 ~~ 1*f1\nf2 ~~ 1*f2\nf1 ~~ f2"
CFA_VALUES = {f"f1=~y{k}": 0.8 for k in range(1, 6)} | {f"f2=~y{k}": 0.8 for k in range(6, 11)} | {f"y{k}~~y{k}": 0.36 for k in range(1, 11)}
CFA_VALUES |= {"f1~~f2": 0.25}


def cfa(n: int, generator: Any, options: dict[str, Any], replications: int) -> ts.Study:
    """Return the confirmatory factor analysis of Muthén & Muthén: two correlated factors, five indicators each."""
    analysis = ts.Analysis(options={"information": "observed", "meanstructure": True, **options})
    population = ts.Population(CFA, CFA_VALUES)
    return ts.Study(population, {"ML": analysis}, replications=replications, seed=SEED, n=n, generator=generator, name=f"cfa {n}")


def mediation(path: float, n: int, replications: int) -> ts.Study:
    """Return complete mediation with two equal paths and unit error variances; the analysis has the direct effect, as that of the papers."""
    text = "m ~ a*x\ny ~ b*m + x\nab := a*b"
    population = ts.Population("m ~ x\ny ~ m", {"m~x": path, "y~m": path, "m~~m": 1.0, "y~~y": 1.0, "x~~x": 1.0})
    return ts.Study(population, {"ML": ts.Analysis(text)}, replications=replications, seed=SEED, n=n, name=f"mediation {path} {n}")


def correlated(n: int, replications: int) -> ts.Study:
    """Return two factors that correlate .20, three indicators each, with and without the correlation in the model."""
    text = "f =~ NA*a + b + c\ng =~ NA*d + e + h\nf ~~ 1*f\ng ~~ 1*g\n"
    values = dict.fromkeys(("f=~a", "f=~b", "f=~c", "g=~d", "g=~e", "g=~h"), 0.5) | {f"{v}~~{v}": 0.75 for v in "abcdeh"} | {"f~~g": 0.2}
    analyses = {"free": ts.Analysis(text + "f ~~ g"), "zero": ts.Analysis(text + "f ~~ 0*g")}
    return ts.Study(ts.Population(text + "f ~~ g", values), analyses, replications=replications, seed=SEED, n=n, name=f"correlation {n}")


def reproductions(replications: int = REPLICATIONS) -> tuple[Reproduction, ...]:
    """Return every study with the numbers that it should give."""
    half = ts.Missing(ts.Gaussian(), 0.5, columns=tuple(f"y{k}" for k in range(6, 11)))
    factors, loading = "f1~~f2", "f2=~y6"
    complete = (0.809, 0.942, 0.2507, 0.0873, 0.951)
    incomplete = (0.812, 0.941, 0.2504, 0.0876, 0.944)

    def muthen(design: str, power: float, coverage: float, mean: float, sd: float, loading_coverage: float) -> tuple[Quantity, ...]:
        def row(what: str, value: float, read: Any) -> Quantity:
            return Quantity(MUTHEN, f"{design}: {what}", value, 10_000, read)

        return (
            row("power for the factor correlation", power, performance("power", factors)),
            row("coverage, factor correlation", coverage, performance("coverage", factors)),
            row("mean estimate, factor correlation", mean, average(factors)),
            row("standard deviation of the estimates", sd, performance("empirical_se", factors)),
            row("coverage, loading of y6", loading_coverage, performance("coverage", loading)),
        )

    def sobel(n: int, path: float, power: float) -> Reproduction:
        quantity = Quantity(MACKINNON, f"a = b = {path}, n = {n}: power", power, 500, performance("power", "ab"))
        return Reproduction(mediation(path, n, replications), (quantity,))

    def required(n: int, test: str, read: Any) -> Reproduction:
        return Reproduction(mediation(0.14, n, replications), (Quantity(FRITZ, f"n = {n}: power of the {test}", 0.80, 0, read),))

    def latent(n: int, power: float) -> Reproduction:
        quantity = Quantity(SEMPOWER, f"latent correlation .20, n = {n}: power of the likelihood ratio test", power, 0, difference_test)
        return Reproduction(correlated(n, replications), (quantity,))

    return (
        Reproduction(cfa(150, ts.Gaussian(), {}, replications), muthen("complete, n = 150", *complete)),
        Reproduction(cfa(175, half, {"missing": "fiml"}, replications), muthen("half of y6-y10 missing, n = 175", *incomplete)),
        sobel(500, 0.14, 0.562),
        sobel(1000, 0.14, 0.976),
        sobel(100, 0.39, 0.862),
        required(667, "Sobel test", performance("power", "ab")),
        required(530, "test of joint significance", jointly("a", "b")),
        latent(783, 0.80),
    )


# ---- running and writing ----------------------------------------------------------------------------------------------------------------


def measured(reproduction: Reproduction, executor: Any = None) -> list[dict[str, Any]]:
    """Run one study and return its rows: the published number, ours, and how far they are apart in Monte Carlo errors."""
    result = ts.run(reproduction.study, executor=executor)
    converged = float(np.mean(result.fits["converged"]))
    rows = []
    for quantity in reproduction.quantities:
        ours, error = quantity.measure(result)
        theirs = _published_error(quantity, error, result.study.replications)
        z = (ours - quantity.published) / math.hypot(error, theirs)
        rows.append(
            {
                "source": quantity.source,
                "what": quantity.what,
                "published": quantity.published,
                "ours": ours,
                "mc_error": error,
                "published_error": theirs,
                "z": z,
                "converged": converged,
            }
        )
    return rows


def _published_error(quantity: Quantity, error: float, replications: int) -> float:
    """Return the Monte Carlo error of a published number: ours, for the replications that it rests on."""
    return error * math.sqrt(replications / quantity.replications) if quantity.replications else 0.0


def page(rows: list[dict[str, Any]]) -> str:
    """Return the page."""
    head = PAGE.read_text(encoding="utf-8").split("<!-- table -->")[0] if PAGE.exists() else ""
    lines = [head + "<!-- table -->", ""]
    for source in dict.fromkeys(row["source"] for row in rows):
        lines += [f"**{source}**", "", "| | published | trustsem | Monte Carlo errors apart | converged |", "|---|---:|---:|---:|---:|"]
        for row in rows:
            if row["source"] == source:
                digits = 4 if abs(row["published"]) < 0.3 and "power" not in row["what"] else 3
                lines.append(
                    f"| {row['what']} | {row['published']:.{digits}f} | {row['ours']:.{digits}f} ({row['mc_error']:.4f}) | {row['z']:+.1f} "
                    f"| {100 * row['converged']:.2f} % |"
                )
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true", help="run the studies anew")
    if parser.parse_args().measure:
        rows = [row for one in reproductions() for row in measured(one)]
        STORE.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(json.loads(STORE.read_text(encoding="utf-8"))), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
