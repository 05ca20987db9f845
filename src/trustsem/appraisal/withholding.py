"""Why a fit gets no verdicts, and what is no appraisal at all."""

from __future__ import annotations

from trustsem.errors import OptionError
from trustsem.fitting.fit import Fit

__all__ = ["require_appraisal", "why_withheld"]


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


def require_appraisal(function: str, value: object) -> None:
    """Refuse what is no appraisal.

    Raises
    ------
    OptionError
    """
    if not (hasattr(value, "withheld") and hasattr(value, "claims") and hasattr(value, "fit")):
        raise OptionError(f"{function}() needs an Appraisal, not {type(value).__name__!r}. Make one with ts.appraise(theory, data).")
