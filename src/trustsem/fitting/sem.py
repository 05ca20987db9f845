"""The entry points: text and data in, a fit out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from trustsem.data.columns import open_table
from trustsem.data.frames import sample_from_frame
from trustsem.data.groups import read_grouping
from trustsem.data.sample import Sample
from trustsem.data.summary import sample_from_moments
from trustsem.errors import DataError, NotAvailableError, OptionError, TrustsemWarning, closest
from trustsem.estimators import find
from trustsem.fitting.bootstrap import bootstrap
from trustsem.fitting.choices import fit_options
from trustsem.fitting.fit import Fit, check_counting_rule
from trustsem.fitting.fitter import Fitter, issue, make_fitter
from trustsem.fitting.semopy_engine import fit_with_semopy
from trustsem.fitting.two_level import two_level_options
from trustsem.model.ram import compile_model
from trustsem.options import check_flag, missing_treatment, refuse_later
from trustsem.spec.auxiliary import baseline_table, with_auxiliary
from trustsem.spec.build import build_table
from trustsem.spec.defaults import Defaults, defaults_for
from trustsem.spec.table import ParameterTable

__all__ = ["cfa", "compile", "growth", "lavaan", "sem"]


@runtime_checkable
class HasSyntax(Protocol):
    """Anything that states a model in lavaan syntax (a theory of change)."""

    def syntax(self) -> str:
        """Return the model text."""
        ...


ModelLike = str | ParameterTable | HasSyntax

_DEFAULT_FIELDS = tuple(field.name for field in fields(Defaults))
_FLAGS = (*_DEFAULT_FIELDS, "sample_cov_rescale")
_FIT_FIELDS = ("bootstrap", "seed", "likelihood", "information", "se", "test", "missing", "engine")
_CASEWISE = ("fiml", "fiml_x")
_DATA_FIELDS = ("auxiliary", "cluster", "sampling_weights", "group", "group_label", "sample_cov", "sample_mean", "sample_nobs", "sample_cov_rescale")
_TABLE_FIELDS = ("group_equal", "group_partial", "constraints")
_LATER_FIELDS = ("ordered", "parameterization", "conditional_x", "effect_coding")
_KNOWN = (*_DEFAULT_FIELDS, *_FIT_FIELDS, *_DATA_FIELDS, *_TABLE_FIELDS, *_LATER_FIELDS, "estimator", "start", "bounds")


def sem(
    model: ModelLike,
    data: Any = None,
    *,
    estimator: str = "ML",
    missing: str = "listwise",
    ordered: Any = None,
    group: str | None = None,
    group_equal: Sequence[str] | str = (),
    group_partial: Sequence[str] | str = (),
    cluster: str | None = None,
    sampling_weights: str | None = None,
    sample_cov: Any = None,
    sample_mean: Any = None,
    sample_nobs: Any = None,
    meanstructure: bool | None = None,
    std_lv: bool = False,
    orthogonal: bool = False,
    fixed_x: bool | None = None,
    likelihood: str = "normal",
    information: str | None = None,
    se: str | None = None,
    test: str | None = None,
    bootstrap: int | None = None,
    parameterization: str = "delta",
    start: Mapping[str, float] | Fit | None = None,
    bounds: str | None = None,
    engine: str = "trustsem",
    **options: Any,
) -> Fit:
    """Fit a structural equation model.

    Parameters
    ----------
    model : str, ParameterTable or Theory
        lavaan model syntax, a parameter table, or a theory of change.
    data : data frame, mapping or Sample, optional
        Rows of observations (pandas, polars, or name to array), of which only the model's variables are read; or a sample made before.
    estimator : {"ML", "MLR", "MLM", "MLMV", "MLMVS", "MLF", "GLS", "ULS", "WLS", "DWLS", ...}
        Discrepancy to be minimised, and what goes with it: the robust variants of ML choose standard errors and test.
    missing : {"listwise", "fiml", "fiml_x", "two_stage", "robust_two_stage"}
        Listwise: rows with missing values are dropped, and recorded. ``"fiml"`` (also ``"ml"``, ``"direct"``) uses all values of every row (ML and
        MLR), but drops rows with a missing fixed covariate, which ``"fiml_x"`` (``"ml_x"``) keeps. The two-stage methods fit the model to the
        saturated moments of incomplete rows.
    cluster : str, optional
        Column that says which team (cluster) a row belongs to: standard errors and tests allow for dependence within clusters.
    sampling_weights : str, optional
        Column of sampling weights; they are scaled to add up to the number of rows.
    bootstrap : int, optional
        Number of draws for ``se="bootstrap"``, 1,000 by default; ``seed`` (among the options) says which. For intervals see ``ts.bootstrap``.
    ordered, parameterization
        Known to lavaan users, not available yet: anything but the default is refused.
    group : str, optional
        Grouping variable. Every group gets its own parameters unless labels or `group_equal` say otherwise.
    group_equal, group_partial : str or sequence of str
        Kinds of parameters held equal over groups, and exceptions from that.
    sample_cov, sample_mean, sample_nobs : optional
        Summary statistics instead of data: unbiased covariances, means, number of observations; dict by group label or list for groups.
    meanstructure : bool, optional
        Model the means. By default if the model mentions an intercept or there are groups.
    std_lv : bool
        Fix the variances of latent variables to 1 instead of their first loadings.
    orthogonal : bool
        Fix the covariances of exogenous latent variables to 0.
    fixed_x : bool, optional
        Treat exogenous observed covariates as fixed. By default for ML; not for GLS and ULS, as in lavaan.
    likelihood : {"normal", "wishart"}
        Divisor N or N - 1 (ML).
    information : {"expected", "observed"}, optional
        Information matrix behind the standard errors; expected by default, observed with missing values and for MLR.
    se : str, optional
        Standard errors: ``"standard"``, ``"robust_sem"``, ``"robust_huber_white"``, ``"first_order"``, ``"robust_cluster"``, ``"bootstrap"``,
        ``"none"``; ``"robust"`` chooses.
    test : str or sequence of str, optional
        Test statistics: ``"standard"``, ``"satorra_bentler"``, ``"mean_var_adjusted"``, ``"scaled_shifted"``, ``"yuan_bentler"``,
        ``"yuan_bentler_mplus"``, ``"browne_residual_adf"``, ``"browne_residual_nt"``, ``"none"``.
    start : mapping or Fit, optional
        Starting values by parameter name, or another fit's estimates.
    bounds : {None, "pos_var"}
        Keep estimated variances from being negative.
    engine : {"trustsem", "semopy"}
        ``"semopy"`` takes point estimates from semopy, for comparison; complete continuous data, one group.
    **options
        ``auxiliary`` (with missing values): variables outside the model that tell about what is missing. lavaan's other options under their
        snake_case names (``auto_var``, ``int_ov_free``, ``group_label``, ...).

    Returns
    -------
    Fit

    Raises
    ------
    ModelSyntaxError, ModelError, IdentificationError
        If the model cannot be read, means nothing, or has more parameters than moments.
    DataError
        If the data cannot be analysed.
    OptionError, NotAvailableError
        For an unknown option or value, and for one that is known but not available.

    Warns
    -----
    TrustsemWarning
        With a code; the same warnings are in ``fit.warnings``.
    """
    given = {name: value for name, value in locals().items() if name not in ("model", "data", "options")}
    return _run("sem", model, data, given | options)


def cfa(model: ModelLike, data: Any = None, **options: Any) -> Fit:
    """Fit a confirmatory factor analysis model; options as for :func:`sem`."""
    return _run("cfa", model, data, options)


def growth(model: ModelLike, data: Any = None, **options: Any) -> Fit:
    """Fit a growth curve model: intercepts of observed variables are 0 and latent means free; options as for :func:`sem`."""
    return _run("growth", model, data, options)


def lavaan(model: ModelLike, data: Any = None, **options: Any) -> Fit:
    """Fit a model with no automatic defaults: only what the text says is a parameter; options as for :func:`sem`."""
    return _run("lavaan", model, data, options)


def compile(model: ModelLike, like: Any = None, *, function: str = "sem", **options: Any) -> Fitter:
    """Compile a model once, to fit it to many samples.

    Parameters
    ----------
    model : str, ParameterTable or Theory
    like : Sample or data frame, optional
        A sample of the kind that will be fitted; needed only for its groups.
    function : {"sem", "cfa", "growth", "lavaan"}
        Whose defaults to apply.
    **options
        As for :func:`sem`, without data.

    Returns
    -------
    Fitter
    """
    settings = _checked(options)
    labels = _group_labels(like, settings) if like is not None else ("",)
    return _fitter(function, model, settings, labels)


def _run(function: str, model: ModelLike, data: Any, options: Mapping[str, Any]) -> Fit:
    settings = _checked(options)
    labels = _group_labels(data, settings)
    fitter = _fitter(function, model, settings, labels)
    sample = _sample(fitter, data, settings, labels)
    if settings.get("engine") == "semopy":
        for name in ("se", "test"):
            if settings.get(name, "none") != "none":
                raise NotAvailableError(f"{name}={settings[name]!r} is not available with engine='semopy', of which only the estimates are taken.")
        fit = fit_with_semopy(fitter, sample)
    else:
        fit = fitter.fit_sample(sample)
        if settings.get("auxiliary") and fit.options.missing in _CASEWISE:
            base = make_fitter(compile_model(baseline_table(fitter.model.table, _words(settings["auxiliary"]))), fitter.options)
            fit = replace(fit, reference=base.fit_sample(sample))
        if fit.options.se == "bootstrap" and fit.converged:
            fit = _resampled(fit, settings)
    issue(fit.warnings, stacklevel=3)
    return fit


def _resampled(fit: Fit, settings: Mapping[str, Any]) -> Fit:
    """Return `fit` with the covariance matrix of its estimates over bootstrap draws; draws that failed are left out, and reported."""
    clustered = fit.sample.cluster is not None
    found = bootstrap(fit, settings.get("bootstrap", 1000), kind="cluster" if clustered else "nonparametric", seed=settings.get("seed", 1))
    theta = found.theta[found.converged]
    if len(theta) < 2:
        raise DataError(
            f"Only {len(theta)} of {len(found.theta)} bootstrap draws could be fitted, and standard errors need at least two. Ask for more, such as "
            "bootstrap=1000; if most fail, look at the model and the data."
        )
    failed = len(found.theta) - len(theta)
    notices = fit.notices
    if failed:
        notices += (TrustsemWarning("TS-BOOT-01", f"{failed} of {len(found.theta)} draws were left out."),)
    return replace(fit, resampled=np.atleast_2d(np.cov(theta, rowvar=False)), notices=notices)


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse unknown options; return those that were given a value."""
    for name in options:
        if name not in _KNOWN:
            raise OptionError(f"Unknown option {name}=.{closest(name, _KNOWN)} See `help(trustsem.sem)` for all of them.")
    refuse_later(options)
    _check_types(options)
    return {name: value for name, value in options.items() if value is not None}


def _check_types(options: Mapping[str, Any]) -> None:
    """Refuse values that Python would take for true, and names that are not text."""
    for name in _FLAGS:
        if options.get(name) is not None:
            check_flag(name, options[name])
    group = options.get("group")
    if not (group is None or isinstance(group, str)):
        raise OptionError(f"group={group!r} is not the name of a column. Give one name as text.")
    for name in ("group_equal", "group_partial", "auxiliary"):
        words = options.get(name, ())
        if not (words is None or isinstance(words, str) or (isinstance(words, Iterable) and all(isinstance(word, str) for word in words))):
            raise OptionError(f"{name}={words!r} is not a list of names. Give texts, such as {name}=['loadings'].")


def _fitter(function: str, model: ModelLike, settings: Mapping[str, Any], labels: tuple[str, ...]) -> Fitter:
    estimator = find(settings.get("estimator", "ML"))
    table = _table(function, model, settings, labels, estimator.fixed_x)
    options = (two_level_options if table.n_levels > 1 else fit_options)(estimator, settings)
    compiled = compile_model(_bounded(table, settings.get("bounds")))
    check_counting_rule(compiled)
    notices = _written_moments(table) if settings.get("fixed_x", estimator.fixed_x) and isinstance(model, str) else ()
    return make_fitter(compiled, options, _start(settings.get("start")), notices)


def _written_moments(table: ParameterTable) -> tuple[TrustsemWarning, ...]:
    """Warn of covariates that are not fixed because the text writes a moment of theirs."""
    first = [row for row in table.rows if row.block == 1]
    causes = {row.rhs for row in first if row.op == "~"}
    others = {row.lhs for row in first if row.op in ("~", "=~")} | {row.rhs for row in first if row.op == "=~"}
    written = {name for row in first if row.user == 1 and row.op in ("~~", "~1") for name in (row.lhs, row.rhs)}
    named = sorted(causes & written - others)
    return (TrustsemWarning("TS-MODEL-01", f"Random, not fixed: {', '.join(named)}."),) if named else ()


def _table(function: str, model: ModelLike, settings: Mapping[str, Any], labels: tuple[str, ...], fixed_x: bool) -> ParameterTable:
    defaults = replace(defaults_for(function), fixed_x=fixed_x)
    if "sample_cov" in settings and "sample_mean" not in settings:
        defaults = replace(defaults, meanstructure=False)  # no means to be modelled, not even for groups
    missing = missing_treatment(settings.get("missing", "listwise"))
    auxiliary = _words(settings.get("auxiliary", ()))
    if auxiliary:
        if missing == "listwise":
            raise OptionError(f"auxiliary={list(auxiliary)!r} tells about missing values, which missing='listwise' drops. Give missing='fiml'.")
        if missing in _CASEWISE:
            defaults = replace(defaults, fixed_x=False)  # covariates covary with the auxiliary variables
    if missing != "listwise":
        defaults = replace(defaults, meanstructure=True)  # what is observed of a row depends on the means
    if settings.get("cluster") is not None:
        defaults = replace(defaults, meanstructure=True)  # as in lavaan
    given = {name: settings[name] for name in _DEFAULT_FIELDS if name in settings}
    if isinstance(model, HasSyntax):
        model = model.syntax()
    if not isinstance(model, str | ParameterTable):
        raise OptionError(f"model= must be model syntax, a ParameterTable or a Theory, not {type(model).__name__!r}.")
    if isinstance(model, str) and settings.get("constraints"):
        model = f"{model}\n{settings['constraints']}"
    table = build_table(
        model,
        replace(defaults, **given),
        n_groups=len(labels),
        group_labels=labels if len(labels) > 1 else (),
        group_equal=_words(settings.get("group_equal", ())),
        group_partial=_words(settings.get("group_partial", ())),
    )
    return with_auxiliary(table, auxiliary) if auxiliary and missing in _CASEWISE else table


def _words(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _bounded(table: ParameterTable, bounds: str | None) -> ParameterTable:
    """Return the table with estimated variances bounded below by 0 if `bounds` is ``"pos_var"``."""
    if bounds is None or bounds == "none":
        return table
    if str(bounds).replace(".", "_") != "pos_var":
        raise OptionError(f"Unknown bounds={bounds!r}. Allowed are None and 'pos_var'; single bounds are written `lower(0)*x` in the model.")
    rows = (row._replace(lower=max(row.lower, 0.0)) if row.free and row.op == "~~" and row.lhs == row.rhs else row for row in table.rows)
    return replace(table, rows=tuple(rows))


def _start(start: Mapping[str, float] | Fit | None) -> Mapping[str, float] | None:
    if start is None or isinstance(start, Mapping):
        return start
    if isinstance(start, Fit):
        return {str(name): float(value) for name, value in start.coef().items()}
    raise OptionError(f"start= must be a mapping of parameter names to values, or a Fit, not {type(start).__name__!r}.")


def _group_labels(data: Any, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the labels of the groups, one empty label if there are none."""
    wanted = settings.get("group_label")
    if data is None:
        cov = settings.get("sample_cov")
        if isinstance(cov, Mapping):
            return tuple(str(label) for label in (wanted or cov))
        if isinstance(cov, list | tuple) and len(cov) and hasattr(cov[0], "shape"):
            return tuple(str(label) for label in (wanted or range(1, len(cov) + 1)))
        return ("",)
    group = settings.get("group")
    if isinstance(data, Sample):
        if group is not None and group != data.group:
            raise OptionError(f"group={group!r} cannot be applied to a Sample, which has its groups already. Leave group= out.")
        return data.group_labels
    if group is None:
        return ("",)
    return read_grouping(open_table(data, [group]).values(group), group, wanted).labels


def _sample(fitter: Fitter, data: Any, settings: Mapping[str, Any], labels: tuple[str, ...]) -> Sample:
    if (data is None) == ("sample_cov" not in settings):
        raise DataError("Give either data= or sample_cov= (with sample_nobs=), not both and not neither.")
    for name in ("cluster", "sampling_weights"):
        if name in settings and (data is None or isinstance(data, Sample)):
            raise OptionError(f"{name}= names a column of data=, and there is none. Give data=, or leave {name}= out.")
    if data is not None:
        for name in ("sample_mean", "sample_nobs"):
            if name in settings:
                raise DataError(f"{name}= belongs to sample_cov=; with data= the rows say it. Leave {name}= out.")
        if isinstance(data, Sample):
            return data.select(fitter.observed)
        return sample_from_frame(
            data,
            fitter.observed + _auxiliary(fitter, settings),
            group=settings.get("group"),
            missing=fitter.options.missing,
            required=fitter.covariates,
            group_label=settings.get("group_label"),
            cluster=settings.get("cluster"),
            sampling_weights=settings.get("sampling_weights"),
        )
    if settings.get("group_label") is not None and len(labels) == 1:
        raise OptionError("group_label= needs several groups. Give sample_cov= as a dict by group label, or leave group_label= out.")
    sample = sample_from_moments(
        settings["sample_cov"], settings.get("sample_nobs"), settings.get("sample_mean"), fitter.observed, settings.get("group_label")
    )
    return sample if settings.get("sample_cov_rescale", True) else _as_if_divided_by_n(sample)


def _auxiliary(fitter: Fitter, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the variables that only help to estimate the moments of incomplete rows in the first of two stages."""
    names = _words(settings.get("auxiliary", ()))
    if fitter.options.missing in _CASEWISE:
        return ()  # they are in the model already
    for name in names:
        if name in fitter.observed:
            raise OptionError(f"auxiliary= names {name!r}, which the model has already. Leave it out of auxiliary=.")
    return names


def _as_if_divided_by_n(sample: Sample) -> Sample:
    """Undo in advance what maximum likelihood does to unbiased covariances, for a matrix whose divisor was n already."""
    return replace(sample, blocks=tuple(replace(block, cov=block.cov * (block.n / (block.n - 1))) for block in sample.blocks))
