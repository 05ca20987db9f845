"""Writes cases.json: theories as lavaan text in which every route, total effect and difference is a defined parameter.

python make_cases.py   (from this folder; then Rscript make.R)
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx

import trustsem as ts
from trustsem.theory import Theory, parse_theory

HERE = Path(__file__).parent

DEMOCRACY = {"Industry": ["x1", "x2", "x3"], "Dem60": ["y1", "y2", "y3", "y4"], "Dem65": ["y5", "y6", "y7", "y8"]}
VISUAL = {"Visual": ["x1", "x2", "x3"], "Cubes": ["x4"], "Textual": ["x5", "x6"], "Speed": ["x7", "x8", "x9"]}
CARS = {"Weight": ["wt"], "Cylinders": ["cyl"], "Power": ["hp"], "Gallon": ["mpg"]}


def stated(name: str, constructs: dict[str, list[str]], arrows: list[str]) -> str:
    """Return a theory file; a construct is in the tier of its longest route from a cause."""
    pairs = [tuple(arrow.split(" -> ")) for arrow in arrows]
    graph = nx.DiGraph(pairs)
    tier: dict[str, int] = {}
    for node in nx.topological_sort(graph):
        tier[node] = 1 + max((tier[cause] for cause in graph.predecessors(node)), default=0)
    lines = [f'id = "{name}"', f'title = "{name}"']
    for construct, items in constructs.items():
        lines += [
            "[[construct]]",
            f'name = "{construct}"',
            'definition = "A thing."',
            f"tier = {tier[construct]}",
            f"indicators = {json.dumps(items)}",
            'mark = "I"',
        ]
    for k, (cause, effect) in enumerate(pairs):
        lines += [
            "[[proposition]]",
            f'id = "P{k + 1}"',
            f'cause = "{cause}"',
            f'effect = "{effect}"',
            'sign = "+"',
            'statement = "It does."',
            'mark = "I"',
        ]
    return "\n".join(lines) + "\n"


CASES: dict[str, dict[str, Any]] = {
    "cars": {
        "theory": stated("cars", CARS, ["Weight -> Power", "Cylinders -> Power", "Weight -> Gallon", "Power -> Gallon"]),
        "data": "../data/mtcars.csv",
        "options": {"fixed_x": False},
    },
    "democracy": {
        "theory": stated("democracy", DEMOCRACY, ["Industry -> Dem60", "Dem60 -> Dem65", "Industry -> Dem65"]),
        "data": "../data/PoliticalDemocracy.csv",
        "options": {},
    },
    "mixed_mlr": {
        "theory": stated("mixed", VISUAL, ["Visual -> Textual", "Cubes -> Textual", "Textual -> Speed"]),
        "data": "../data/HolzingerSwineford1939.csv",
        "options": {"estimator": "MLR"},
        "through": "Textual",
    },
    "survey": {"theory": "metz2022", "data": "../../../data/simulated/survey/data.csv", "options": {}, "through": "Trust"},
    "survey_mlr": {
        "theory": "metz2022",
        "data": "../../../data/simulated/survey/data.csv",
        "options": {"estimator": "MLR", "missing": "fiml", "cluster": "team"},
        "through": "Trust",
    },
}


def read(text: str) -> Theory:
    """Return the theory of a case."""
    return ts.load_theory(text) if text == "metz2022" else parse_theory(text)


def labelled(theory: Theory) -> tuple[str, dict[tuple[str, str], str]]:
    """Return the theory's text with a label on every arrow, and the labels."""
    names = {node.name: node.variable for node in theory.nodes}
    labels = {(claim.cause, claim.effect): f"b{k + 1}" for k, claim in enumerate(theory.claims)}
    lines = []
    for line in theory.syntax().splitlines():
        if " ~ " in line:
            effect, causes = line.split(" ~ ")
            of = next(name for name, variable in names.items() if variable == effect)
            by = {variable: name for name, variable in names.items()}
            line = f"{effect} ~ " + " + ".join(f"{labels[by[cause], of]}*{cause}" for cause in causes.split(" + "))
        lines.append(line)
    return "\n".join(lines), labels


def definitions(theory: Theory, labels: dict[tuple[str, str], str]) -> list[dict[str, str]]:
    """Return routes, totals and differences of totals as expressions."""
    graph = nx.DiGraph(list(labels))
    sources = [node.name for node in theory.nodes if graph.in_degree(node.name) == 0]
    found: list[dict[str, str]] = []

    def total(cause: str, effect: str) -> str:
        return " + ".join("*".join(labels[a, b] for a, b in pairwise(path)) for path in nx.all_simple_paths(graph, cause, effect))

    for source in sources:
        for node in theory.nodes:
            if graph.out_degree(node.name) == 0 and nx.has_path(graph, source, node.name):
                found.append({"kind": "total", "key": f"{source} -> {node.name}", "expression": total(source, node.name)})
                for path in nx.all_simple_paths(graph, source, node.name):
                    product = "*".join(labels[a, b] for a, b in pairwise(path))
                    found.append({"kind": "route", "key": " -> ".join(path), "expression": product})
    if len(sources) == 2:
        for node in theory.nodes:
            if all(nx.has_path(graph, source, node.name) and source != node.name for source in sources):
                one, other = (total(source, node.name) for source in sources)
                found.append({"kind": "contrast", "key": node.name, "expression": f"{one} - ({other})"})
    return [{"name": f"d{k + 1}", **entry} for k, entry in enumerate(found)]


def freed(theory: Theory, through: str) -> str:
    """Return the text of the model in which everything before `through` also acts past it."""
    graph = nx.DiGraph([(claim.cause, claim.effect) for claim in theory.claims])
    names = {node.name: node.variable for node in theory.nodes}
    pairs = [(a, b) for a in names for b in names if a in nx.ancestors(graph, through) and b in nx.descendants(graph, through)]
    return theory.syntax() + "\n".join(f"{names[b]} ~ {names[a]}" for a, b in pairs) + "\n"


def main() -> None:
    """Write the cases."""
    cases = {}
    for name, case in CASES.items():
        theory = read(case["theory"])
        text, labels = labelled(theory)
        defined = definitions(theory, labels)
        lines = [f"{entry['name']} := {entry['expression']}" for entry in defined]
        cases[name] = {**case, "text": text.splitlines() + lines, "definitions": defined}
        if "through" in case:
            cases[name]["freed"] = freed(theory, case["through"]).splitlines()
    (HERE / "cases.json").write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
