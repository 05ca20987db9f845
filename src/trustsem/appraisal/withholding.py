"""Why a fit gets no verdicts."""

from __future__ import annotations

from trustsem.fitting.fit import Fit

__all__ = ["why_withheld"]


def why_withheld(fit: Fit) -> str:
    """Return why nothing is concluded from `fit`, in words; empty if it can be."""
    if not fit.converged:
        return f"the fit did not converge. {fit.reason}"
    if not fit.identified:
        return f"the model is not identified by these data ({', '.join(fit.not_identified)})."
    if not fit.admissible:
        return f"the solution is inadmissible: {'; '.join(fit.inadmissible)}."
    if fit.options.se == "none":
        return "the fit has no standard errors."
    return ""
