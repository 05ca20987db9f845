"""Who contends: the theory, its rivals and those of the user, fitted to the same rows in the same way, and which of them imply the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trustsem.appraisal.refitting import refit, table_like
from trustsem.errors import DataError, ModelError, NotAvailableError, OptionError, TheoryError, closest
from trustsem.estimators import find
from trustsem.fitting.fit import Fit
from trustsem.fitting.nesting import check_nesting
from trustsem.inference.likelihood import log_likelihoods
from trustsem.model.layout import layouts
from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for
from trustsem.spec.table import ParameterTable
from trustsem.theory import Theory

if TYPE_CHECKING:
    from trustsem.appraisal.result import Appraisal

__all__ = ["THEORY", "Contender", "LineUp", "RivalsOption", "has_likelihood", "line_up", "log_likelihood", "no_likelihood"]

THEORY = "theory"
_NOT_COMPARABLE = (
    "Not all models have the same observed covariates, and with the covariates' moments modelled the theory cannot be fitted to these data."
)
RivalsOption = Mapping[str, "Theory | str"] | Sequence[str] | None


@dataclass(frozen=True, eq=False)
class Contender:
    """A rival, as far as these data can address it.

    Attributes
    ----------
    name, title : str
    text : str
        Model text; empty if it is refused.
    refusal : str
        Why it cannot be compared; empty if it can.
    theory : Theory or None
        None for a rival that is no theory (one of measurement, or the user's own text).
    equivalent : str
        Why the theory says that no covariances can tell the two apart; empty if it does not say so.
    fit : Fit or None
        None if it is refused, or there are no verdicts.
    """

    name: str
    title: str
    text: str
    refusal: str = ""
    theory: Theory | None = None
    equivalent: str = ""
    fit: Fit | None = None

    @property
    def usable(self) -> bool:
        """Whether it converged and is identified, so that it may be compared."""
        return self.fit is not None and self.fit.converged and self.fit.identified


@dataclass(frozen=True, eq=False)
class LineUp:
    """The theory and its rivals.

    Attributes
    ----------
    theory : Fit
        Of the theory.
    rivals : tuple of Contender
    classes : mapping of str to str
        For the theory and every usable rival, the first contender that implies the same moments; itself, if it is the first.
    notes : tuple of str
    """

    theory: Fit
    rivals: tuple[Contender, ...]
    classes: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def fits(self) -> dict[str, Fit]:
        """The fits that may be compared, by name, the theory first."""
        return {THEORY: self.theory, **{rival.name: rival.fit for rival in self.rivals if rival.usable and rival.fit is not None}}

    @property
    def heads(self) -> dict[str, Fit]:
        """One fit for each class of models that imply the same."""
        return {name: fit for name, fit in self.fits.items() if self.classes[name] == name}

    def members(self, head: str) -> str:
        """Return the names of a class, joined by ``=``."""
        return " = ".join(name for name, first in self.classes.items() if first == head)


def line_up(appraisal: Appraisal, rivals: RivalsOption = None) -> LineUp:
    """Fit the rivals of an appraisal.

    Parameters
    ----------
    appraisal : Appraisal
    rivals : mapping of str to Theory or str, or sequence of str, optional
        Further rivals by name: theories or model text about the same observed variables. Or the names of those rivals of the theory (and of
        :func:`trustsem.appraise`) that are wanted. All of these by default.

    Raises
    ------
    OptionError
        For rivals that are neither, a name that is taken, or one that does not exist.
    ModelSyntaxError, ModelError
        For model text that cannot be read.
    """
    contenders = _contenders(appraisal, rivals)
    fit = appraisal.fit
    if appraisal.withheld:
        return LineUp(fit, tuple(contenders), {THEORY: THEORY})
    tables = [table_like(fit, one.text) if one.text else None for one in contenders]
    contenders = [_addressed(one, table, fit) for one, table in zip(contenders, tables, strict=True)]
    notes: tuple[str, ...] = ()
    if any(table is not None and not one.refusal and _fixed(table) != _fixed(fit.model.table) for one, table in zip(contenders, tables, strict=True)):
        # Conditional likelihoods given different covariates are likelihoods of different variables.
        notes = ("Not all models have the same observed covariates; the covariates' moments are therefore modelled in all of them.",)
        tables = [_random_covariates(fit, one.text) if one.text else None for one in contenders]
        fit = refit(fit, _random_covariates(fit, appraisal.theory.syntax()))
        if not (fit.converged and fit.identified):
            return LineUp(appraisal.fit, tuple(replace(one, refusal=one.refusal or _NOT_COMPARABLE) for one in contenders), {THEORY: THEORY}, notes)
    tables = [None if table is None else _bounded(table, fit.model.table) for table in tables]
    fitted = tuple(_fitted(one, table, fit) for one, table in zip(contenders, tables, strict=True))
    line = LineUp(fit, fitted, {}, notes)
    return replace(line, classes=_classes(line.fits))


def _contenders(appraisal: Appraisal, rivals: RivalsOption) -> list[Contender]:
    found = [
        Contender(rival.id, rival.title, _text(rival), rival.refusal or "", rival.theory, rival.covariance_equivalent or "")
        for rival in appraisal.theory.rivals()
    ]
    own: dict[str, Theory | str] = dict(appraisal.own_rivals)
    wanted: Sequence[str] | None = None
    if isinstance(rivals, Mapping):
        own |= dict(rivals)
    elif rivals is not None:
        if isinstance(rivals, str) or not isinstance(rivals, Sequence) or not all(isinstance(name, str) for name in rivals):
            raise OptionError(f"rivals={rivals!r} are no rivals. Give a mapping of names to theories or model text, or a list of names of rivals.")
        wanted = rivals
    taken = {THEORY, *(one.name for one in found)}
    for name, model in own.items():
        if name in taken:
            raise OptionError(f"rivals= names {name!r}, which is taken: {', '.join(sorted(taken))} are the theory and its rivals. Give another name.")
        found.append(_own(name, model, appraisal.theory.title))
    if wanted is None:
        return found
    names = [one.name for one in found]
    for name in wanted:
        if name not in names:
            raise OptionError(f"rivals= names {name!r}, but the rivals are {', '.join(names) or 'none'}.{closest(name, names)}")
    return [one for one in found if one.name in wanted]


def _text(rival: object) -> str:
    """Return the model text of a rival of the theory; empty if it is refused."""
    text = getattr(rival, "syntax", None)
    if text is not None:
        return str(text)
    theory = getattr(rival, "theory", None)
    return "" if theory is None else str(theory.syntax())


def _own(name: str, model: Theory | str, usual: str) -> Contender:
    if isinstance(model, Theory):
        return Contender(name, "your theory" if model.title == usual else model.title, model.syntax(), theory=model)
    if isinstance(model, str):
        return Contender(name, "your model", model)
    raise OptionError(f"rivals[{name!r}] is of type {type(model).__name__!r}, not a Theory or model text. Give one of these.")


def _addressed(one: Contender, table: ParameterTable | None, fit: Fit) -> Contender:
    """Return the contender, refused if it is about something else than the theory."""
    if table is None or one.refusal:
        return one
    if table.n_levels > 1 or table.n_groups != fit.model.table.n_groups:
        return replace(one, text="", refusal="It is a model of other levels or groups than the theory. Compare models of the same kind.")
    mine, theirs = (set(layouts(each)[0].observed) for each in (fit.model.table, table))
    if mine == theirs:
        return one
    odd = ", ".join(sorted(mine ^ theirs)[:6]) + (" ..." if len(mine ^ theirs) > 6 else "")
    return replace(
        one, text="", refusal=f"It is about other observed variables than the theory ({odd} in only one of them), so the two explain different data."
    )


def _fixed(table: ParameterTable) -> set[str]:
    return {name for layout in layouts(table) for name in layout.fixed}


def _random_covariates(fit: Fit, text: str) -> ParameterTable:
    defaults = replace(defaults_for("sem"), fixed_x=False, meanstructure=fit.model.has_means)
    return build_table(text, defaults, n_groups=fit.model.table.n_groups)


def _bounded(table: ParameterTable, theory: ParameterTable) -> ParameterTable:
    """Return a table in which factors that the theory does not have cannot have a negative variance.

    Such a factor (of a common method, for instance) is a rival only if it varies; a solution in which it does less than nothing would count for it.
    """
    known, mine = ({row.lhs for row in each.rows if row.op == "=~"} for each in (theory, table))
    if len(mine) <= len(known):
        return table
    return replace(
        table,
        rows=tuple(
            row._replace(lower=max(row.lower, 0.0)) if row.op == "~~" and row.lhs == row.rhs and row.free and row.lhs in mine - known else row
            for row in table.rows
        ),
    )


def _fitted(one: Contender, table: ParameterTable | None, fit: Fit) -> Contender:
    if table is None or one.refusal:
        return one
    try:
        return replace(one, fit=refit(fit, table))
    except (ModelError, DataError, NotAvailableError, TheoryError) as error:
        return replace(one, refusal=f"It cannot be fitted to these data. {error}")


def _classes(fits: Mapping[str, Fit]) -> dict[str, str]:
    """Return for each model the first that implies the same moments."""
    heads: list[str] = []
    found = {}
    for name, fit in fits.items():
        same = (head for head in heads if fits[head].df == fit.df and check_nesting(head, fits[head], name, fit).nested)
        found[name] = next(same, name)
        if found[name] == name:
            heads.append(name)
    return found


def has_likelihood(fit: Fit) -> bool:
    """Whether the discrepancy of a fit is a likelihood of its rows."""
    return bool(find(fit.options.estimator).has_likelihood) and fit.options.missing not in ("two_stage", "robust_two_stage")


def no_likelihood(fit: Fit) -> str:
    """Return why there is no likelihood to compare models by; empty if there is one."""
    if has_likelihood(fit):
        return ""
    return (
        f"estimator={fit.options.estimator!r} with missing={fit.options.missing!r} has no likelihood. Appraise with estimator='ML' or 'MLR', and "
        "missing='listwise' or 'fiml'."
    )


def log_likelihood(fit: Fit) -> float:
    """Return the log-likelihood at the estimates, given fixed covariates; NaN if the estimator has none, or the fit did not converge."""
    if not (fit.converged and has_likelihood(fit)):
        return math.nan
    return float(log_likelihoods(fit.problem, fit.estimate.theta)[0])
