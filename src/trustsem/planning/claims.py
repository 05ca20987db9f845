"""Which propositions a plan is about, under the names that users know them by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trustsem.errors import OptionError, closest
from trustsem.studies.prepare import PreparedAnalysis
from trustsem.studies.source import Source, TheorySource

__all__ = ["Claims", "find_claims", "parameter_of"]


@dataclass(frozen=True)
class Claims:
    """The propositions of a plan.

    Attributes
    ----------
    labels : tuple of str
        As written by the user, or by the theory.
    parameters : tuple of str
        Names of their parameters in the analysis.
    truth : tuple of float
        Values in the population, in the metric of the analysis.
    """

    labels: tuple[str, ...]
    parameters: tuple[str, ...]
    truth: tuple[float, ...]

    @property
    def text(self) -> str:
        """The propositions in words."""
        shown = ", ".join(self.labels[:6]) + (" ..." if len(self.labels) > 6 else "")
        return shown if len(self.labels) == 1 else f"all of {len(self.labels)} propositions ({shown})"


def known_names(source: Source) -> dict[str, str]:
    """Return the names of the parameters of the claims of a theory by everything that they can be called."""
    if not isinstance(source, TheorySource):
        return {}
    theory = source.theory
    variable = {node.name: node.variable for node in theory.nodes}
    found: dict[str, str] = {}
    for claim in theory.claims:
        parameter = f"{variable[claim.effect]}~{variable[claim.cause]}"
        found |= {claim.path: parameter, claim.id: parameter}
    return found


def parameter_of(name: str, source: Source) -> str:
    """Return the name of a parameter: that of a claim of a theory, ``"a -> b"`` read as ``"b~a"``, anything else without spaces."""
    names = known_names(source)
    if name in names:
        return names[name]
    if "->" in name:
        cause, _, effect = (part.strip() for part in name.partition("->"))
        return f"{effect}~{cause}"
    return "".join(name.split())


def find_claims(wanted: Any, source: Source, analysis: PreparedAnalysis, *, zero: bool = False) -> Claims:
    """Return the propositions that `wanted` names.

    Parameters
    ----------
    wanted : None, str or sequence of str
        Propositions as ``"Trust -> Outcomes"``, by the number of a claim (``"P3"``), or names of parameters; ``None`` or ``"all"`` for all claims of
        a theory, or all paths of a model.
    source : Source
    analysis : PreparedAnalysis
    zero : bool
        Accept propositions whose value in the population is 0.

    Raises
    ------
    OptionError
        For propositions that the analysis does not have, or whose true value is 0 or unknown.
    """
    labels = _labels(wanted, source, analysis)
    table = analysis.fitter.model.table
    aliases = dict(zip((row.name for row in table.rows if row.free), table.parameter_names(), strict=True))  # a label takes the place of the name
    known = analysis.parameters
    parameters = tuple(aliases.get(name, name) if name not in known else name for name in (parameter_of(label, source) for label in labels))
    for label, parameter in zip(labels, parameters, strict=True):
        if parameter not in known:
            offered = [*known_names(source), *known]
            raise OptionError(
                f"proposition= names {label!r}, but the analysis has no parameter {parameter!r}.{closest(label, offered)} Paths of the analysis: "
                f"{', '.join(dict.fromkeys(aliases[row.name] for row in table.rows if row.free and row.op == '~')) or 'none'}."
            )
    truth = tuple(float(analysis.truth[known.index(parameter)]) for parameter in parameters)
    for label, value in zip(labels, truth, strict=True):
        if math.isnan(value):
            raise OptionError(
                f"{label!r} has no true value in this population, so nothing says what should be found. Give analysis=Analysis(standardized=True), "
                "or another proposition."
            )
        if value == 0.0 and not zero:
            raise OptionError(
                f"The value of {label!r} in the population is 0: there is nothing to be detected. Name other propositions, or give it a value, by "
                "another preset= or by fixed={'cause -> effect': 0.2}."
            )
    return Claims(labels, parameters, truth)


def _labels(wanted: Any, source: Source, analysis: PreparedAnalysis) -> tuple[str, ...]:
    if wanted is None or wanted == "all":
        if isinstance(source, TheorySource):
            return tuple(claim.path for claim in source.theory.claims if claim.path and parameter_of(claim.path, source) in analysis.parameters)
        table = analysis.fitter.model.table
        free = zip((row.op for row in table.rows if row.free), table.parameter_names(), strict=True)
        paths = tuple(dict.fromkeys(name for op, name in free if op == "~" and name in analysis.parameters))
        if not paths:
            raise OptionError("proposition='all' stands for the paths of the model, and it has none. Name parameters, such as proposition='f=~x2'.")
        return paths
    names = (wanted,) if isinstance(wanted, str) else tuple(wanted) if isinstance(wanted, Sequence) and not isinstance(wanted, Mapping) else ()
    if not names or not all(isinstance(name, str) for name in names):
        raise OptionError(f"proposition={wanted!r} is not possible. Give a name such as 'Trust -> Outcomes', a list of names, or 'all'.")
    return tuple(dict.fromkeys(names))
