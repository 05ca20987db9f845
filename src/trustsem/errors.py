"""Every error and warning of trustsem, on one page.

Errors say what is wrong with the value, what is allowed, and what to do. Warnings carry a stable code, whose remedy is
documented in :data:`WARNING_REMEDIES`. Both survive pickling, so that a worker process can report them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

__all__ = [
    "WARNING_REMEDIES",
    "ConvergenceError",
    "DataError",
    "IdentificationError",
    "ModelError",
    "ModelSyntaxError",
    "NotAvailableError",
    "OptionError",
    "StudyError",
    "TheoryError",
    "TrustsemError",
    "TrustsemWarning",
    "closest",
]


class TrustsemError(Exception):
    """Base class of every error that trustsem raises on purpose."""


class OptionError(TrustsemError, ValueError):
    """An option that does not exist, or a value that it does not take."""


class NotAvailableError(TrustsemError, NotImplementedError):
    """Something well formed that this version cannot estimate, refused by name."""


class ModelError(TrustsemError, ValueError):
    """A model that parses but cannot mean anything (such as a path from a variable to itself)."""


class IdentificationError(ModelError):
    """A model whose parameters the moments cannot determine; names the parameters involved."""


class DataError(TrustsemError, ValueError):
    """Data or moments that cannot be analysed as asked."""


class TheoryError(TrustsemError, ValueError):
    """A theory that is malformed, or asked for something it does not contain."""


class ConvergenceError(TrustsemError, RuntimeError):
    """A fit that did not converge, raised only where the caller asked for it."""


class StudyError(TrustsemError, RuntimeError):
    """A simulation study that cannot go on: its folder, its workers or its disk. What was finished before is kept."""


class ModelSyntaxError(ModelError):
    """Model text that cannot be read, with the place.

    Parameters
    ----------
    problem : str
        What is wrong and what is allowed, as a sentence.
    text : str
        The whole model text.
    position : int
        Offset of the offending token in `text`.
    length : int
        Length of the offending token (at least 1 is shown).

    Attributes
    ----------
    line, column : int
        Place of the token, counted from 1.
    token : str
        The offending token; empty at the end of the text.
    """

    def __init__(self, problem: str, text: str, position: int, length: int = 1) -> None:
        super().__init__(problem, text, position, length)
        self.problem = problem
        self.text = text
        self.position = position
        self.length = length
        before = text[:position]
        self.line = before.count("\n") + 1
        start = before.rfind("\n") + 1
        self.column = position - start + 1
        self.token = text[position : position + length]
        end = text.find("\n", position)
        self._source = text[start : len(text) if end < 0 else end]

    def __str__(self) -> str:
        width = max(1, min(self.length, len(self._source) - self.column + 1))
        # Control characters would break the marker's alignment (and the reader's terminal).
        shown = "".join(c if c.isprintable() else " " for c in self._source)
        return f"{self.problem} (line {self.line}, column {self.column})\n    {shown}\n    {' ' * (self.column - 1)}{'^' * width}"


WARNING_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "TS-DATA-01": "Rows with missing values were dropped (listwise). Report how many; the complete rows are taken to be representative.",
        "TS-DATA-02": "Variances differ by a factor above 1,000,000. Estimates are unaffected, but rescaling makes them easier to read.",
        "TS-DATA-03": "The matrix has a unit diagonal: correlations are treated as covariances. The chi-square is right for a scale-free "
        "model; standard errors are not. Give standard deviations with `ts.cor2cov` where they are known.",
        "TS-DATA-04": "The sample is smaller than the number of free parameters. Standard errors and tests are not trustworthy; simplify the model.",
        "TS-DATA-05": "Too much is missing for the saturated model to be well determined: its likelihood, and the tests that use it, are "
        "approximate. Leave out the variables with most missing values.",
        "TS-CLUSTER-01": "Clusters are few: what is computed from their differences (robust standard errors and tests, all of level 2) is "
        "unstable, and standard errors are too small. Read p-values with caution; 30 clusters are a usual minimum, and there should be more "
        "clusters than parameters.",
        "TS-BOOT-01": "Some bootstrap draws could not be fitted and were left out of the standard errors. More than a few per cent speak of a model "
        "that the data hardly determine: look at `ts.bootstrap(fit, ...).failures`.",
        "TS-CLUSTER-02": "The saturated model of two levels was not found to full precision: clusters are few for so many variables, or some hardly "
        "vary between clusters. Its likelihood, and the tests that use it, are approximate. Use fewer variables at level 2.",
        "TS-ID-01": "The information matrix is singular: the parameters named are not identified. Fix one of them or add information.",
        "TS-FIT-01": "The search did not converge. Look at the starting values, at the scale of the variables and at the model itself.",
        "TS-FIT-02": "The solution is inadmissible (a negative variance, or a covariance matrix that is not positive definite). The numbers "
        "are shown as they are; do not interpret them before the cause is found (misspecification, small sample, outliers).",
        "TS-FIT-03": "Constraints or bounds are active: the standard errors of the parameters involved assume that they hold exactly.",
        "TS-MODEL-01": "An observed predictor has a variance, covariance or intercept in the model text; it is treated as random, not fixed.",
        "TS-CMP-01": "The difference test assumes that one model is nested in the other, which these are not (or could not be shown to be): do not "
        "interpret its p-value. Compare such models by `ts.vuong`, AIC or BIC.",
        "TS-CMP-02": "The scaled difference test does not exist for these models, because its scaling factor is not positive. Use "
        "method='satorra_bentler_2010', whose scaling factor always is.",
        "TS-STUDY-01": "The folder of this study was begun with other versions of software. Numbers agree to about eight digits, but the results are "
        "not those of one version, to the last bit. For a publication run the study into a new folder.",
        "TS-THEORY-01": "A construct of the theory has no indicators in these data; it was projected out and the derived arrows are marked.",
    }
)


class TrustsemWarning(UserWarning):
    """A warning with a stable code; the remedy is in :data:`WARNING_REMEDIES`.

    Parameters
    ----------
    code : str
        A key of :data:`WARNING_REMEDIES`.
    detail : str
        What happened here, with the numbers and names.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return WARNING_REMEDIES[self.code]

    def __str__(self) -> str:
        return f"[{self.code}] {self.detail} {self.remedy}"


def closest(name: str, allowed: Iterable[str], *, limit: int = 3) -> str:
    """Return ``" Did you mean ...?"`` for the allowed names nearest to `name`, or an empty string.

    Parameters
    ----------
    name : str
        What was given.
    allowed : iterable of str
        What exists.
    limit : int
        At most so many suggestions.

    Returns
    -------
    str
        Ready to be appended to a message.
    """
    options = list(allowed)
    near = difflib.get_close_matches(name, options, n=limit, cutoff=0.6)
    if not near:
        folded = {option.casefold(): option for option in options}
        near = [folded[match] for match in difflib.get_close_matches(name.casefold(), list(folded), n=limit, cutoff=0.6)]
    return f" Did you mean {' or '.join(repr(match) for match in near)}?" if near else ""
