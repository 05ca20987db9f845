"""Structural equation modelling of a theory of change: state it, simulate it, fit it, and say what the data support."""

from typing import TYPE_CHECKING

from trustsem.errors import (
    ConvergenceError,
    DataError,
    IdentificationError,
    ModelError,
    ModelSyntaxError,
    NotAvailableError,
    OptionError,
    StudyError,
    TheoryError,
    TrustsemError,
    TrustsemWarning,
)

if TYPE_CHECKING:
    from trustsem.appraisal.appraise import Appraisal, appraise
    from trustsem.data import cor2cov, cov_from_lower, datasets, load_dataset, load_summary, read_table
    from trustsem.data.imputation import impute
    from trustsem.data.sample import Sample
    from trustsem.fitting.bootstrap import BootstrapResult, bootstrap
    from trustsem.fitting.comparison import Comparison, anova
    from trustsem.fitting.discriminant import discriminant_validity, htmt, merge_factors
    from trustsem.fitting.fit import Fit
    from trustsem.fitting.fitter import Fitter
    from trustsem.fitting.imputed import ImputedFit, sem_mi
    from trustsem.fitting.invariance import Invariance, invariance
    from trustsem.fitting.monte_carlo import MonteCarloResult, monte_carlo
    from trustsem.fitting.nesting import Nesting, nested
    from trustsem.fitting.score import ScoreTest, score_test
    from trustsem.fitting.sem import cfa, compile, growth, lavaan, sem
    from trustsem.fitting.two_level import icc
    from trustsem.fitting.vuong import Vuong, vuong
    from trustsem.fitting.wald import WaldTest, wald_test
    from trustsem.model.population import Population
    from trustsem.reporting.diagram import diagram
    from trustsem.reporting.html import report
    from trustsem.reporting.tables import write_tables
    from trustsem.simulators import simulate
    from trustsem.simulators.gaussian import Gaussian
    from trustsem.spec.export import to_dagitty, to_lavaan, to_mplus, to_openmx
    from trustsem.spec.table import ParameterTable
    from trustsem.theory import Theory, load_theory, theories

    __version__: str

else:
    # Names are looked up when they are first used, so that `import trustsem` and `trustsem --help` do not wait for numba and pandas.
    _HOMES = (
        ("trustsem.appraisal.appraise", "Appraisal appraise"),
        ("trustsem.data", "cor2cov cov_from_lower datasets load_dataset load_summary read_table"),
        ("trustsem.data.imputation", "impute"),
        ("trustsem.data.sample", "Sample"),
        ("trustsem.fitting.bootstrap", "BootstrapResult bootstrap"),
        ("trustsem.fitting.discriminant", "discriminant_validity htmt merge_factors"),
        ("trustsem.fitting.fit", "Fit"),
        ("trustsem.fitting.fitter", "Fitter"),
        ("trustsem.fitting.imputed", "ImputedFit sem_mi"),
        ("trustsem.fitting.monte_carlo", "MonteCarloResult monte_carlo"),
        ("trustsem.fitting.sem", "cfa compile growth lavaan sem"),
        ("trustsem.fitting.comparison", "Comparison anova"),
        ("trustsem.fitting.invariance", "Invariance invariance"),
        ("trustsem.fitting.nesting", "Nesting nested"),
        ("trustsem.fitting.score", "ScoreTest score_test"),
        ("trustsem.fitting.two_level", "icc"),
        ("trustsem.fitting.vuong", "Vuong vuong"),
        ("trustsem.fitting.wald", "WaldTest wald_test"),
        ("trustsem.model.population", "Population"),
        ("trustsem.reporting.diagram", "diagram"),
        ("trustsem.reporting.html", "report"),
        ("trustsem.reporting.tables", "write_tables"),
        ("trustsem.simulators", "simulate"),
        ("trustsem.simulators.gaussian", "Gaussian"),
        ("trustsem.spec.export", "to_dagitty to_lavaan to_mplus to_openmx"),
        ("trustsem.spec.table", "ParameterTable"),
        ("trustsem.theory", "Theory load_theory theories"),
    )

    def __getattr__(name):
        """Import a public name from its module and keep it."""
        if name == "__version__":
            from importlib.metadata import PackageNotFoundError, version

            try:
                value = version("trustsem")
            except PackageNotFoundError:  # a source tree that was not installed
                value = "0+unknown"
        else:
            from importlib import import_module

            home = next((module for module, names in _HOMES if name in names.split()), None)
            if home is None:
                from trustsem.errors import closest

                raise AttributeError(f"module 'trustsem' has no attribute {name!r}.{closest(name, __all__)}")
            value = getattr(import_module(home), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *__all__})


__all__ = [
    "Appraisal",
    "BootstrapResult",
    "Comparison",
    "ConvergenceError",
    "DataError",
    "Fit",
    "Fitter",
    "Gaussian",
    "IdentificationError",
    "ImputedFit",
    "Invariance",
    "ModelError",
    "ModelSyntaxError",
    "MonteCarloResult",
    "Nesting",
    "NotAvailableError",
    "OptionError",
    "ParameterTable",
    "Population",
    "Sample",
    "ScoreTest",
    "StudyError",
    "Theory",
    "TheoryError",
    "TrustsemError",
    "TrustsemWarning",
    "Vuong",
    "WaldTest",
    "__version__",
    "anova",
    "appraise",
    "bootstrap",
    "cfa",
    "compile",
    "cor2cov",
    "cov_from_lower",
    "datasets",
    "diagram",
    "discriminant_validity",
    "growth",
    "htmt",
    "icc",
    "impute",
    "invariance",
    "lavaan",
    "load_dataset",
    "load_summary",
    "load_theory",
    "merge_factors",
    "monte_carlo",
    "nested",
    "read_table",
    "report",
    "score_test",
    "sem",
    "sem_mi",
    "simulate",
    "theories",
    "to_dagitty",
    "to_lavaan",
    "to_mplus",
    "to_openmx",
    "vuong",
    "wald_test",
    "write_tables",
]
