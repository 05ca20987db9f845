"""A theory as lavaan model text, complete enough that no default adds a claim."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from trustsem.theory.types import Construct, Proposition, ResidualCovariance

__all__ = ["lavaan_syntax"]


def lavaan_syntax(nodes: Sequence[Construct], claims: Sequence[Proposition], covariances: Sequence[ResidualCovariance]) -> str:
    """Return model text for ``sem``.

    Parameters
    ----------
    nodes : sequence of Construct
        Latent if they have several indicators, else one column.
    claims : sequence of Proposition
        Regressions.
    covariances : sequence of ResidualCovariance
        Free, or fixed to zero.

    Returns
    -------
    str
        Lines of lavaan syntax. ``sem`` frees covariances among outcomes that predict nothing; those that the theory does not claim are
        written ``0*``. It leaves out covariances of latent with observed predictors; they are written.
    """
    variable = {node.name: node.variable for node in nodes}
    sections = [
        ("Measurement", [f"{node.name} =~ {' + '.join(node.indicators)}" for node in nodes if not node.observed]),
        ("Claims", _regressions(nodes, claims, variable)),
        ("Associations of predictors", _predictors(nodes, claims, covariances)),
        ("Residual covariances", _residuals(nodes, claims, covariances, variable)),
    ]
    return "\n".join("\n".join([f"# {title}", *lines]) for title, lines in sections if lines) + "\n"


def _regressions(nodes: Sequence[Construct], claims: Sequence[Proposition], variable: dict[str, str]) -> list[str]:
    lines = []
    for node in nodes:
        causes = [variable[claim.cause] for claim in claims if claim.effect == node.name]
        if causes:
            lines.append(f"{node.variable} ~ {' + '.join(causes)}")
    return lines


def _predictors(nodes: Sequence[Construct], claims: Sequence[Proposition], covariances: Sequence[ResidualCovariance]) -> list[str]:
    effects = {claim.effect for claim in claims}
    causes = {claim.cause for claim in claims}
    joined = {name for covariance in covariances for name in covariance.pair}
    exogenous = [node for node in nodes if node.name not in effects]
    observed = [node for node in exogenous if node.observed]
    # Observed predictors are fixed covariates, unless something else has to covary with them.
    if len(observed) == len(exogenous) and all(node.name in causes - joined for node in observed):
        return []
    written = {covariance.pair for covariance in covariances}
    pairs = [(a, b) for a, b in combinations(exogenous, 2) if (a.observed or b.observed) and frozenset((a.name, b.name)) not in written]
    return [f"{node.variable} ~~ {node.variable}" for node in observed] + [f"{a.variable} ~~ {b.variable}" for a, b in pairs]


def _residuals(
    nodes: Sequence[Construct], claims: Sequence[Proposition], covariances: Sequence[ResidualCovariance], variable: dict[str, str]
) -> list[str]:
    stated = {covariance.pair: covariance.free for covariance in covariances}
    effects = {claim.effect for claim in claims}
    causes = {claim.cause for claim in claims}
    ends = {node.name for node in nodes if node.name in effects - causes}
    lines = []
    for one, two in combinations([node.name for node in nodes], 2):
        free = stated.get(frozenset((one, two)))
        if free:
            lines.append(f"{variable[one]} ~~ {variable[two]}")
        elif free is False or {one, two} <= ends:
            lines.append(f"{variable[one]} ~~ 0*{variable[two]}")
    return lines
