"""From the options that a user gave to those of the fit: what the estimator and the data imply where nothing was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from trustsem.errors import OptionError, closest
from trustsem.estimators import Estimator
from trustsem.options import SE_KINDS, TESTS, FitOptions, missing_treatment

__all__ = ["fit_options"]

_SE_ALIASES = MappingProxyType(
    {"mlr": "robust_huber_white", "huber_white": "robust_huber_white", "mlf": "first_order", "boot": "bootstrap", "cluster": "robust_cluster"}
)
_TEST_ALIASES = MappingProxyType(
    {
        "chisq": "standard",
        "sb": "satorra_bentler",
        "satorra": "satorra_bentler",
        "mean_adjusted": "satorra_bentler",
        "mean_var": "mean_var_adjusted",
        "yb": "yuan_bentler",
        "yb_mplus": "yuan_bentler_mplus",
    }
)


def fit_options(estimator: Estimator, settings: Mapping[str, Any]) -> FitOptions:
    """Return the options of a fit.

    Parameters
    ----------
    estimator : Estimator
    settings : mapping
        What the user gave, by name.

    Raises
    ------
    OptionError
        For a value that does not exist, or that contradicts another.
    NotAvailableError
        For a treatment of missing values that this version does not have.
    """
    missing = missing_treatment(settings.get("missing", "listwise"))
    if missing != "listwise" and not estimator.takes_incomplete_rows:
        raise OptionError(
            f"missing={settings['missing']!r} needs a likelihood of incomplete rows, which estimator={estimator.name!r} does not have. "
            "Use estimator='ML' or 'MLR', or missing='listwise'."
        )
    se, tests = _standard_errors(estimator, settings, missing), _tests(estimator, settings, missing)
    if not estimator.has_likelihood:
        _refuse_likelihood(estimator, settings, se, tests)
    if settings.get("cluster") is not None:
        _refuse_independence(se, tests)
    for name in ("bootstrap", "seed"):
        if name in settings and se != "bootstrap":
            raise OptionError(
                f"{name}={settings[name]!r} belongs to se='bootstrap', but the standard errors are se={se!r}. "
                f"Leave {name}= out, give se='bootstrap', or call ts.bootstrap() with the fit."
            )
    sandwich = se in ("robust_huber_white", "robust_cluster")
    observed = missing != "listwise" or estimator.information == "observed" or (estimator.has_likelihood and (sandwich or _sampled(settings)))
    return FitOptions(
        estimator=estimator.name,
        likelihood=settings.get("likelihood", "normal"),
        information=settings.get("information", "observed" if observed else "expected"),
        se=se,
        test=tests,
        missing=missing,
        engine=settings.get("engine", "trustsem"),
    )


def _refuse_likelihood(estimator: Estimator, settings: Mapping[str, Any], se: str, tests: Sequence[str]) -> None:
    """Refuse what is made of casewise likelihoods for an estimator that has none."""
    wrong = [f"se={se!r}"] if se in ("robust_huber_white", "robust_cluster", "first_order") else []
    wrong += [f"test={name!r}" for name in tests if name.startswith("yuan")]
    wrong += ["cluster="] if settings.get("cluster") is not None else []
    if wrong:
        raise OptionError(f"{wrong[0]} needs a likelihood, which estimator={estimator.name!r} does not have. Use estimator='MLR', or leave it out.")


def _refuse_independence(se: str, tests: Sequence[str]) -> None:
    """Refuse, where rows come in clusters, what takes them for independent."""
    wrong = [] if se in ("none", "bootstrap", "robust_cluster", "robust_two_stage") else [f"se={se!r}"]
    if se != "robust_two_stage":
        wrong += [f"test={name!r}" for name in tests if name not in ("standard", "none") and not name.startswith("yuan")]
    if wrong:
        raise OptionError(f"{wrong[0]} takes rows for independent, which cluster= denies. Use estimator='ML' or 'MLR', or leave cluster= out.")


def _sampled(settings: Mapping[str, Any]) -> bool:
    """Whether rows are not a simple random sample."""
    return settings.get("cluster") is not None or settings.get("sampling_weights") is not None


def _standard_errors(estimator: Estimator, settings: Mapping[str, Any], missing: str) -> str:
    given = settings.get("se")
    clustered = settings.get("cluster") is not None
    if given is None or given == "default":
        if missing in ("two_stage", "robust_two_stage"):
            return missing
        if not _sampled(settings) or not estimator.has_likelihood or estimator.se not in ("standard", "robust_huber_white"):
            return estimator.se
        return "robust_cluster" if clustered else "robust_huber_white"
    name = given.lower().replace(".", "_") if isinstance(given, str) else given
    if name == "robust":
        if clustered:
            return "robust_cluster"
        return "robust_huber_white" if missing in ("fiml", "fiml_x") or estimator.se == "robust_huber_white" else "robust_sem"
    name = _SE_ALIASES.get(name, name) if isinstance(name, str) else name
    if name not in SE_KINDS:
        raise OptionError(f"Unknown se={given!r}. Allowed are {', '.join(map(repr, SE_KINDS))}.{closest(str(given), SE_KINDS)}")
    if name == "robust_cluster" and not clustered:
        raise OptionError("se='robust_cluster' needs cluster=, the column that says which cluster a row belongs to.")
    if name in ("two_stage", "robust_two_stage") and missing != name:
        raise OptionError(f"se={given!r} belongs to missing={name!r}. Give that instead.")
    return str(name)


def _tests(estimator: Estimator, settings: Mapping[str, Any], missing: str) -> tuple[str, ...]:
    given = settings.get("test")
    if given is None or given == "default":
        if missing in ("two_stage", "robust_two_stage"):
            return ("standard", "satorra_bentler")
        sampled = _sampled(settings) and estimator.has_likelihood and estimator.test == ("standard",)
        return ("standard", "yuan_bentler_mplus") if sampled else estimator.test
    wanted = [given] if isinstance(given, str) or not isinstance(given, Sequence) else list(given)
    names: list[str] = []
    for value in wanted:
        name = value.lower().replace(".", "_").replace("-", "_") if isinstance(value, str) else value
        name = _TEST_ALIASES.get(name, name) if isinstance(name, str) else name
        if name not in TESTS:
            raise OptionError(f"Unknown test={value!r}. Allowed are {', '.join(map(repr, TESTS))}.{closest(str(value), TESTS)}")
        names.append(str(name))
    if "none" in names:
        return ("none",)
    return tuple(dict.fromkeys(["standard", *names]))
