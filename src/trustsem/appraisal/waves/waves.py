"""Several waves: the theory with effects that take time, from one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from trustsem.appraisal.estimation import choose_estimation
from trustsem.appraisal.told import Told
from trustsem.appraisal.verdicts import RULE
from trustsem.appraisal.waves.wave_columns import read_waves
from trustsem.appraisal.waves.wave_estimates import growth_frame, judged_frame, path_frame, transition_frame
from trustsem.appraisal.waves.wave_models import FORMS, WaveModel
from trustsem.appraisal.waves.wave_reading import chosen_theory, read_lagged, wave_model
from trustsem.appraisal.waves.wave_rivals import compare_growth, compare_waves
from trustsem.appraisal.withholding import why_withheld
from trustsem.errors import OptionError
from trustsem.fitting.fit import Fit
from trustsem.fitting.sem import sem
from trustsem.inference.fit_measures import Chisq
from trustsem.inference.small_sample import swain
from trustsem.options import check_flag, check_level, choose
from trustsem.theory import Proposition, Theory

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Waves", "fit_waves"]

_TITLES: Mapping[str, str] = MappingProxyType(
    {"cross_lagged": "cross-lagged panel model", "random_intercept": "random intercept cross-lagged panel model", "growth": "latent growth model"}
)
_CAUSES = "That a cause comes first is tested, that nothing else moves both is not: a common cause that changes over time would look the same."
_LAG = "One wave is assumed to be the time that an effect takes; longer or shorter times give other sizes."
_MEANING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cross_lagged": (
            "Lasting differences between people are mixed with change within them. Where there are such traits, cross-lagged effects can be "
            "artefacts; form='random_intercept' takes them apart (three waves or more).",
            _CAUSES,
            _LAG,
        ),
        "random_intercept": (
            "Effects are within persons: of a deviation from one's own level on the next wave's. Traits may covary freely.",
            _CAUSES,
            _LAG,
        ),
        "growth": (
            "Claims are about slopes: those in whom the cause grows more, the effect grows more. Both grow at once, so direction is assumed.",
            "Growth is linear in time; levels depend on levels as the theory says (in by_wave, not judged).",
        ),
    }
)
_SHOWN = ("cause", "effect", "sign", "est", "std", "ci_lower", "ci_upper", "p_zero", "verdict", "size_shown")


@dataclass(frozen=True, eq=False, repr=False)
class Waves(Told):
    """A theory fitted to several waves; prints itself.

    Attributes
    ----------
    theory : Theory
        As fitted (constructs that were left out are projected out).
    form, measurement : str
    waves : tuple of str
        What the names of the columns of each wave end in.
    text : str
        The model as lavaan syntax.
    fit : Fit
    frame : DataFrame
        One row per arrow: ``id cause effect sign est se std std_se ci_lower ci_upper p_zero p_equivalent p_size sesoi verdict size_shown added
        mark``. `std` is the standardized effect of one wave on the next (with random intercepts, of the part within persons), averaged over the pairs
        of waves; p-values are Holm-adjusted, the interval is not.
    autoregressions : DataFrame
        The same for each construct on itself: ``construct est se std std_se ci_lower ci_upper``; for growth levels and slopes, ``construct level_mean
        level_var slope_mean slope_se slope_p slope_var``.
    by_wave : DataFrame
        Every arrow and autoregression for every pair of waves: ``cause effect from to est se std std_se ci_lower ci_upper``.
    models, tests, rivals : Told or None
        The models compared, the difference tests between them, and each claim against its reverse; the last two are None for growth, all with
        ``compare=False``.
    withheld : str
        Why there are no verdicts; empty if there are.
    heading : str
    notes : tuple of str
    """

    theory: Theory
    form: str
    measurement: str
    waves: tuple[str, ...]
    text: str
    fit: Fit
    frame: pd.DataFrame
    autoregressions: pd.DataFrame
    by_wave: pd.DataFrame
    models: Told | None
    tests: Told | None
    rivals: Told | None
    withheld: str
    heading: str
    notes: tuple[str, ...]
    shown = _SHOWN

    @property
    def rule(self) -> str:
        """The rule behind the verdicts, in words."""
        return RULE

    @property
    def parts(self) -> tuple[Told, ...]:
        """The other tables that there are."""
        return tuple(part for part in (self.rivals, self.tests, self.models) if part is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON knows it, the model text included."""
        own = {**Told.to_dict(self), "form": self.form, "measurement": self.measurement, "waves": list(self.waves), "text": self.text}
        named = (("rivals", self.rivals), ("tests", self.tests), ("models", self.models))
        return own | {name: part.to_dict() for name, part in named if part is not None}


def fit_waves(
    theory: Theory | str,
    data: Any = None,
    *,
    form: str = "cross_lagged",
    waves: Sequence[str] | None = None,
    constructs: Sequence[str] | None = None,
    measurement: str = "latent",
    equal: bool = True,
    invariance: str | None = None,
    lagged: str | Iterable[str] | Mapping[str, str] = (),
    times: Sequence[float] | None = None,
    compare: bool = True,
    alpha: float = 0.05,
    sesoi: float | None = None,
    level: float = 0.95,
    **options: Any,
) -> Waves:
    """Fit a theory to several waves of the same people, and judge its claims as effects that take time.

    Parameters
    ----------
    theory : Theory or str
        Whose indicators are the names of the columns without the wave: ``t1`` for ``t1_w1``, ``t1_w2``.
    data : data frame, optional
        One row per person. Or ``sample_cov`` (a frame) and ``sample_nobs``.
    form : {"cross_lagged", "random_intercept", "growth"}
        Every construct depends on itself and on its causes one wave before; the same within persons, after what lasts was taken out (three waves or
        more); or slopes depend on slopes (three waves or more).
    waves : sequence of str, optional
        What the columns of each wave end in, in order; found by themselves if they end in numbers (``_w1``, ``_t2``, ``.3``).
    constructs : sequence of str, optional
        Use these only; the others are projected out (see :meth:`trustsem.theory.Theory.drop`).
    measurement : {"latent", "composite"}
        Latent variables measured by the items of their wave, or means of the items.
    equal : bool
        Hold effects of one wave on the next equal over waves (not for growth).
    invariance : {"none", "loadings", "scalar"}, optional
        What the measurement of latent variables has equal over waves; loadings if left out, intercepts as well for growth.
    lagged : str, sequence of str, or mapping of str to {"+", "-"}
        Further effects on the next wave, such as ``"Outcomes -> Trust"``. They are judged with the claims.
    times : sequence of float, optional
        Of growth: when the waves were; 0, 1, 2, ... if left out.
    compare : bool
        Also fit the models without and with reversed effects, and test between them; for growth, the cross-lagged model.
    alpha, level : float
        Level of each family of tests, and confidence level.
    sesoi : float, optional
        Smallest effect size of interest for all arrows instead of the theory's.
    **options
        As for :func:`trustsem.sem`; estimator and treatment of missing values are chosen as :func:`trustsem.appraise` does.

    Returns
    -------
    Waves
        Without verdicts if the fit is not converged, not identified or not admissible.

    Raises
    ------
    TheoryError
        For a theory or a construct that is none.
    DataError
        If there are fewer than two waves, or columns are missing.
    OptionError
        For values that are not possible, and with fewer than three waves for random intercepts and growth.
    NotAvailableError
        For several groups, and where means are needed that the data do not have.

    Notes
    -----
    Cross-lagged with random intercepts: Hamaker, Kuiper & Grasman 2015 (doi 10.1037/a0038889); with several indicators Mulder & Hamaker 2021 (doi
    10.1080/10705511.2020.1784738). An added arrow, such as from outcomes back to trust, is a hypothesis like the claims.
    """
    check_level(level)
    for name, flag in (("equal", equal), ("compare", compare)):
        check_flag(name, flag)
    if not isinstance(alpha, float) or not 0.0 < alpha < 1.0:
        raise OptionError(f"alpha={alpha!r} is not a significance level. Give a number between 0 and 1, such as 0.05.")
    choose("form", form, FORMS)
    choose("measurement", measurement, ("latent", "composite"))
    chosen = chosen_theory(theory, constructs, "fit_waves")
    claims, added = (_sized(some, sesoi) for some in (tuple(chosen.claims), read_lagged(chosen, form, lagged)))
    found = read_waves(chosen, data, waves, measurement, options)
    model = wave_model(chosen, found, form, [(claim.cause, claim.effect) for claim in (*claims, *added)], equal, invariance, times)
    columns = [column for part in found.constructs for wave in part.columns for column in wave]
    choice = choose_estimation(found.data, columns, found.options)
    # Waves are outcomes of waves: nothing is a fixed covariate.
    fit = sem(model.text, found.data, **{**choice.options, "fixed_x": False, "meanstructure": model.means or None})
    withheld = why_withheld(fit)
    compared = compare_waves(fit, model, claims, added, alpha) if compare and form != "growth" else None
    return Waves(
        theory=chosen,
        form=form,
        measurement=measurement,
        waves=found.suffixes,
        text=model.text,
        fit=fit,
        frame=judged_frame(fit, model, claims, added, withheld, alpha, level),
        autoregressions=growth_frame(fit, model) if form == "growth" else path_frame(fit, model, level),
        by_wave=transition_frame(fit, model, level),
        models=compare_growth(fit, model) if compare and form == "growth" else compared and compared.models,
        tests=compared and compared.tests,
        rivals=compared and compared.rivals,
        withheld=withheld,
        heading=f"{chosen.title}: {_TITLES[form]} of {len(found.suffixes)} waves, {fit.nobs} observations ({fit.options.estimator})",
        notes=(*_notes(fit, model, withheld), *_through(claims, form), *found.notes, *choice.reasons, *map(str, (*chosen.warnings, *fit.warnings))),
    )


def _sized(claims: tuple[Proposition, ...], sesoi: float | None) -> tuple[Proposition, ...]:
    if sesoi is None:
        return claims
    if not sesoi > 0.0:
        raise OptionError(f"sesoi={sesoi!r} is no smallest effect size of interest. Give a positive number on the standardized scale.")
    return tuple(replace(claim, sesoi=float(sesoi)) for claim in claims)


def _through(claims: tuple[Proposition, ...], form: str) -> tuple[str, ...]:
    """Return what a lag of one wave means for arrows that stand for routes through constructs that were left out."""
    derived = [claim.path for claim in claims if claim.derived and any(route.count("->") > 1 for route in claim.routes)]
    if not derived or form == "growth":
        return ()
    return (
        f"Derived: {', '.join(derived)}. What is left out on the way takes waves of its own, so that an effect one wave later may be small, or of "
        "either sign, though the theory is right. Judge such arrows only where waves are so far apart that the whole chain has worked.",
    )


def _notes(fit: Fit, model: WaveModel, withheld: str) -> list[str]:
    lines = [f"No verdicts: {withheld}"] if withheld else []
    lines += list(_MEANING[model.form])
    if model.form != "growth" and len(model.suffixes) > 2:
        lines.append(
            "Effects are held equal over waves in their own units; `std` averages their standardized values."
            if model.equal
            else "Effects are free over waves; `est` and `std` are their averages, `by_wave` has each."
        )
    lines.append("Intervals are unadjusted for the number of claims; p-values and verdicts are adjusted (Holm).")
    if fit.converged and fit.df > 0 and fit.options.tests:
        plain = Chisq(fit.scaled.statistic, fit.scaled.df) if fit.options.scaled_test is not None else fit.chisq
        corrected = swain(plain, len(fit.model.blocks[0].observed), fit.nobs)
        lines.append(
            f"Test of exact fit: chi-square({plain.df:g}) = {corrected.statistic:.2f}, p = {corrected.pvalue:.3f} with Swain's correction "
            f"(uncorrected {plain.statistic:.2f}, p = {plain.pvalue:.3f})."
        )
    return lines
