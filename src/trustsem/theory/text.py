"""A theory in words, for the terminal and for notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from trustsem.theory.marks import MARKS, UNVERIFIED
from trustsem.theory.rival_claim import RivalClaim

if TYPE_CHECKING:
    from trustsem.theory.theory import Theory

__all__ = ["block", "html", "plain", "rival"]


def plain(theory: Theory) -> str:
    """Return the theory as text: constructs by tier, claims with their marks, what was changed, what may be claimed."""
    width = max((len(claim.path) for claim in theory.claims), default=0)
    lines = [f"{theory.title} ({theory.id})", theory.citation, "", "Constructs"]
    for tier in sorted({node.tier for node in theory.nodes}):
        members = (f"{n.name} ({'column ' + n.variable if n.observed else f'{len(n.indicators)} columns'})" for n in theory.nodes if n.tier == tier)
        lines.append(f"  {tier}  {', '.join(members)}")
    lines += ["", "Claims"]
    lines += [f"  {claim.path:<{width}}  {claim.sign}  {_standing(claim.mark, claim.derived)}" for claim in theory.claims]
    free = [f"{c.left} ~~ {c.right}" for c in theory.covariances if c.free]
    fixed = [f"{c.left} ~~ {c.right}" for c in theory.covariances if not c.free]
    lines += ["", f"Residual covariances free: {', '.join(free) or 'none'}."]
    lines += [f"Residual covariances fixed to zero: {', '.join(fixed)}."] if fixed else []
    lines += [f"Strategies: {theory.form}."] if theory.practices else []
    lines += [f"Changed by: {', '.join(step.kind for step in theory.steps)}."] if theory.steps else []
    lines += ["", *(str(warning) for warning in theory.warnings)] if theory.notices else []
    for heading, claims in (("May be claimed", theory.may_claim), ("May not be claimed", theory.may_not_claim)):
        lines += ["", heading, *(f"  - {claim}" for claim in claims)] if claims else []
    return "\n".join(lines)


def _standing(mark: str, derived: bool) -> str:
    words = UNVERIFIED if mark == "K" else f"[{mark}] {MARKS[mark]}"
    return f"{words}; derived" if derived else words


def html(theory: Theory) -> str:
    """Return the theory as HTML that takes its colours from the page around it."""
    return "".join(_parts(theory))


def _parts(theory: Theory) -> Iterator[str]:
    yield f"<h4>{escape(theory.title)}</h4><p>{escape(theory.summary)}</p><p><small>{escape(theory.citation)}</small></p>"
    yield _table(
        ("Construct", "Meaning", "Columns", "Mark"),
        [(n.name, n.definition, ", ".join(n.indicators), _standing(n.mark, False)) for n in theory.nodes],
    )
    yield _table(("Claim", "Sign", "In words", "Mark"), [(c.path, c.sign, c.statement, _standing(c.mark, c.derived)) for c in theory.claims])
    yield from (f"<p><strong>{escape(str(warning))}</strong></p>" for warning in theory.warnings)
    for heading, claims in (("May be claimed", theory.may_claim), ("May not be claimed", theory.may_not_claim)):
        if claims:
            yield f"<p>{heading}</p><ul>{''.join(f'<li>{escape(claim)}</li>' for claim in claims)}</ul>"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def rival(claim: RivalClaim, refusal: str | None, equivalent: str | None) -> str:
    """Return a rival as text."""
    lines = [f"{claim.id}  {claim.title}  {_standing(claim.mark, False)}", f"  {claim.says}"]
    lines += [f"  What would be seen: {claim.difference}", f"  Data it takes: {claim.needs}"]
    lines += [f"  Not fitted: {refusal}"] if refusal else []
    lines += [f"  Covariance-equivalent: {equivalent}"] if equivalent else []
    return "\n".join(lines)


def block(text: str) -> str:
    """Return plain text as preformatted HTML."""
    return f"<pre>{escape(text)}</pre>"
