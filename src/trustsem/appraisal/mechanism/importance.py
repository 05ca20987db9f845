"""How are the strategies practised, and what does each contribute? Means of the strategies, their paths, and shares of the explained variance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.appraisal.estimation import choose_estimation
from trustsem.appraisal.mechanism.contributions import Contributions, contributions, lead, mean_errors, set_table, share_table
from trustsem.appraisal.mechanism.effect_draws import draw_effects
from trustsem.appraisal.mechanism.routes import Draws, pick, refuse_blocks
from trustsem.appraisal.told import Told, records
from trustsem.appraisal.verdicts import judge
from trustsem.appraisal.withholding import why_withheld
from trustsem.display import number
from trustsem.errors import NotAvailableError, OptionError, TheoryError
from trustsem.fitting.fit import Fit
from trustsem.fitting.sem import sem
from trustsem.inference.importance import MOST_PREDICTORS
from trustsem.options import check_level
from trustsem.theory import Proposition, Theory, load_theory

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StrategyProfile", "strategy_profile"]

_RULE = (
    "Verdicts are on the standardized paths, by the rule for propositions, with Holm's correction over the strategies: what each adds while the "
    "others stay as they are."
)
_MEASURES = (
    "r2_loss is what R squared loses without the strategy (the squared semipartial correlation). lmg is what it gains by the strategy, averaged over "
    "all orders of entry: contributions that several strategies share are split, and the column adds up to R squared. weight is Johnson's relative "
    "weight."
)
_LIMITS = (
    "Shares of explained variance describe these strategies in these data; they are not effects, and a strategy that hardly varies explains little "
    "however well it works."
)
_NEAR_ZERO = "Near 0 the normal intervals of r2_loss and lmg are only rough, because neither can be negative."


@dataclass(frozen=True, eq=False, repr=False)
class StrategyProfile(Told):
    """How strategies are practised and what each contributes; prints itself.

    Attributes
    ----------
    heading : str
    frame : DataFrame
        One row per direct cause of the target: ``strategy title set mean mean_se sd path se std std_se ci_lower ci_upper pvalue`` (interval and p
        of ``std``), ``r2_loss r2_loss_se lmg lmg_se lmg_lower lmg_upper lmg_share rank weight weight_se semipartial p_holm verdict``; with draws
        also ``mc_lower mc_upper`` (Monte Carlo errors of the interval of lmg) and ``first`` (share of draws in which its lmg is the largest).
    notes : tuple of str
    target : str
        The construct explained.
    rsquare, rsquare_se : float
    sets : DataFrame
        The same summed over each set of strategies: ``set mean lmg lmg_se pvalue lmg_lower lmg_upper lmg_share``; last the difference of the two
        sets, if there are two.
    fit : Fit
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    target: str
    rsquare: float
    rsquare_se: float
    sets: pd.DataFrame
    fit: Fit

    shown = ("strategy", "set", "mean", "std", "std_se", "p_holm", "verdict", "r2_loss", "lmg", "lmg_lower", "lmg_upper", "rank")

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the fit as JSON knows it."""
        rest = {"target": self.target, "rsquare": self.rsquare, "rsquare_se": self.rsquare_se, "sets": records(self.sets)}
        return super().to_dict() | {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in rest.items()}


def strategy_profile(
    theory: Theory | str,
    data: Any = None,
    *,
    target: str | None = None,
    alpha: float = 0.05,
    level: float = 0.95,
    interval: str = "delta",
    draws: int | None = None,
    seed: int | None = None,
    executor: Any = None,
    progress: bool | None = None,
    **options: Any,
) -> StrategyProfile:
    """Say how strategies are practised, and what each contributes to a construct such as trust.

    Parameters
    ----------
    theory : Theory or str
        In the form in which every strategy is a predictor of its own, ``theory.with_strategies("predictors")``.
    data : data frame, optional
        Observations; or give ``sample_cov`` and ``sample_nobs``.
    target : str, optional
        The construct to be explained; by default the one that the strategies point to.
    alpha : float
        Level of the tests.
    level : float
        Confidence level of the intervals, which are unadjusted.
    interval : {"delta", "monte_carlo", "bootstrap"}
        Intervals of lmg: see :func:`trustsem.appraisal.mechanism.mechanism.mechanism`, also for `draws`, `seed`, `executor` and `progress`.
    **options
        Passed to :func:`trustsem.sem`; ``estimator`` and ``missing`` are chosen by the data where they are left out. Predictors are random
        (``fixed_x=False``) and means are estimated, so that intervals hold for new people and rows with missing strategies are kept.

    Returns
    -------
    StrategyProfile
        Without verdicts, and with the reason, where the fit does not converge, is not identified or not admissible.

    Raises
    ------
    TheoryError
        For a theory whose strategies are not predictors of their own.
    OptionError
        For an impossible target, and other impossible options.
    NotAvailableError
        For several groups, and for more than 14 predictors.

    Notes
    -----
    Sources of the measures: :mod:`trustsem.inference.importance`. They are computed from the covariances that the model implies, so that the target
    may be latent and rows incomplete; standard errors follow by the delta method from those of the model's parameters.
    """
    theory = load_theory(theory) if isinstance(theory, str) else theory
    explained, causes = _target(theory, target)
    check_level(level)
    if not isinstance(alpha, int | float) or not 0.0 < alpha < 1.0:
        raise OptionError(f"alpha={alpha!r} is not a significance level. Give a number between 0 and 1, such as 0.05.")
    settings: dict[str, Any] = {"fixed_x": False, **options}
    if data is not None or "sample_mean" in options:
        settings.setdefault("meanstructure", True)
    columns = [name for node in theory.nodes for name in node.indicators]
    choice = choose_estimation(data, columns, settings)
    fit = sem(theory, data, **choice.options)
    refuse_blocks(fit, "The profile of strategies")
    withheld = why_withheld(fit)
    names = [theory.construct(name).variable for name in (*causes, explained)]
    places = [fit.model.blocks[0].variables.index(name) for name in names]
    drawn: Draws | None = None
    words = "delta method"
    if not withheld:
        drawn, words = draw_effects(fit, places, interval, draws=draws, seed=seed, executor=executor, progress=progress)
    found = contributions(fit, names, drawn)
    frame = _described(theory, fit, explained, causes, level).join(share_table(found, level))
    frame = frame.assign(**_judged(theory, explained, causes, frame, alpha, withheld))
    rsquare, rsquare_se = (float(found.rsquare.columns(found.vcov, level)[name][0]) for name in ("est", "se"))
    sets = set_table(found, frame, level)
    notes = [f"No verdicts: {withheld}"] if withheld else []
    notes += [f"R squared of {explained}: {number(rsquare)} (standard error {number(rsquare_se)}).", f"Intervals of lmg: {words}; unadjusted."]
    notes += [_RULE, _MEASURES, _NEAR_ZERO, *_reading(found, frame, withheld), _LIMITS, *choice.reasons, *(str(warning) for warning in fit.warnings)]
    return StrategyProfile(f"{theory.title}: strategies and {explained}", frame, tuple(notes), explained, rsquare, rsquare_se, sets, fit)


def _target(theory: Theory, target: str | None) -> tuple[str, tuple[str, ...]]:
    """Return what is explained, and its direct causes."""
    if not isinstance(theory, Theory):
        raise TheoryError(f"strategy_profile() needs a Theory, or the name or path of one, not {type(theory).__name__!r}.")
    if theory.form != "predictors":
        raise TheoryError(
            f"The strategies of {theory.id} are {theory.form} here, but a profile needs each as a predictor of its own: "
            "theory.with_strategies('predictors')."
        )
    found = tuple(dict.fromkeys(claim.effect for claim in theory.claims if _set_of(claim)))
    if target is None:
        if len(found) > 1:
            raise OptionError(f"The strategies point to {', '.join(found)}. Say which in target=, such as target={found[0]!r}.")
        target = found[0]
    pick("target", [target], found)
    causes = tuple(node.name for node in theory.nodes if any((c.cause, c.effect) == (node.name, target) for c in theory.claims))
    if len(causes) > MOST_PREDICTORS:
        raise NotAvailableError(
            f"{target} has {len(causes)} direct causes; contributions are computed for at most {MOST_PREDICTORS}. Leave some out."
        )
    return target, causes


def _set_of(claim: Proposition) -> str:
    """Return the set of strategies that the cause of a claim was split from; empty if it is no strategy."""
    parts = [route.removeprefix("part of ") for route in claim.routes if route.startswith("part of ")]
    return parts[0].split(" -> ")[0] if parts else ""


def _described(theory: Theory, fit: Fit, target: str, causes: Sequence[str], level: float) -> pd.DataFrame:
    """Return what the fit says of each cause: how it is distributed, and its path."""
    import pandas as pd

    variables = [theory.construct(name).variable for name in causes]
    layout, block = fit.model.blocks[0], fit.implied_blocks[0]
    places = [layout.variables.index(name) for name in variables]
    effect = theory.construct(target).variable
    row_of = {row.rhs: k for k, row in enumerate(fit.model.table.rows) if (row.lhs, row.op) == (effect, "~")}
    rows = [row_of[name] for name in variables]
    raw = fit.parameter_estimates(level=level).iloc[rows]
    std = fit.standardized_solution(level=level).iloc[rows]
    claims = {claim.cause: claim for claim in theory.claims if claim.effect == target}
    return pd.DataFrame(
        {
            "strategy": list(causes),
            "title": [theory.construct(name).title for name in causes],
            "set": [_set_of(claims[name]) for name in causes],
            "mean": block.mu[places] if fit.model.has_means else math.nan,
            "mean_se": mean_errors(fit, places),
            "sd": np.sqrt(np.diag(block.V)[places]),
            "path": raw["est"].to_numpy(),
            "se": raw["se"].to_numpy(),
            "std": std["est_std"].to_numpy(),
            "std_se": std["se"].to_numpy(),
            "ci_lower": std["ci_lower"].to_numpy(),
            "ci_upper": std["ci_upper"].to_numpy(),
            "pvalue": std["pvalue"].to_numpy(),
        }
    )


def _judged(theory: Theory, target: str, causes: Sequence[str], frame: pd.DataFrame, alpha: float, withheld: str) -> dict[str, Any]:
    """Return the semipartial correlations, adjusted p-values and verdicts."""
    std, se = frame["std"].to_numpy(float), frame["std_se"].to_numpy(float)
    with np.errstate(invalid="ignore"):
        semipartial = np.sign(std) * np.sqrt(np.maximum(frame["r2_loss"].to_numpy(float), 0.0))
    nothing = {"semipartial": semipartial, "p_holm": np.full(len(causes), math.nan), "verdict": ["no verdict"] * len(causes)}
    claims = {claim.cause: claim for claim in theory.claims if claim.effect == target}
    signs = [{"+": 1, "-": -1}.get(claims[name].sign, 0) for name in causes]
    if withheld or not np.all(se > 0.0):
        return nothing
    if 0 in signs:
        return nothing | {"verdict": ["no direction stated"] * len(causes)}
    judgement = judge(std, se, np.array([claims[name].sesoi for name in causes]), signs, alpha)
    return nothing | {"p_holm": judgement.p_zero, "verdict": list(judgement.verdict)}


def _reading(found: Contributions, frame: pd.DataFrame, withheld: str) -> list[str]:
    """Say which strategies stand out."""
    if withheld:
        return []
    order = np.argsort(frame["rank"].to_numpy(), kind="stable").tolist()
    best = frame.iloc[order[0]]
    lines = [f"{best['title']} has the largest share of R squared ({best['lmg_share']:.0%})."]
    if len(order) > 1:
        ahead, p = lead(found, order[0], order[1])
        second = frame["title"].iloc[order[1]]
        lines[0] += f" Its lmg exceeds that of {second}, the next, by {number(ahead)} (p = {number(p)}, of two that were chosen after the fact)."
    if frame["mean"].notna().all():
        means, titles = frame["mean"].to_numpy(), frame["title"].tolist()
        least, most = int(np.argmin(means)), int(np.argmax(means))
        lines.append(f"Practised least: {titles[least]} (mean {number(means[least])}); most: {titles[most]} (mean {number(means[most])}).")
    else:
        lines.append("The data have no means, so how much each strategy is practised is not known.")
    return lines
