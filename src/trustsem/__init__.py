"""Structural equation modelling of a theory of change: state it, simulate it, fit it, and say what the data support."""

from importlib.metadata import PackageNotFoundError, version

from trustsem.appraisal.appraise import Appraisal, appraise
from trustsem.data import cor2cov, cov_from_lower, datasets, load_dataset, load_summary, read_table
from trustsem.data.sample import Sample
from trustsem.errors import (
    ConvergenceError,
    DataError,
    IdentificationError,
    ModelError,
    ModelSyntaxError,
    NotAvailableError,
    OptionError,
    TheoryError,
    TrustsemError,
    TrustsemWarning,
)
from trustsem.fitting.fit import Fit
from trustsem.fitting.fitter import Fitter
from trustsem.fitting.sem import cfa, compile, growth, lavaan, sem
from trustsem.model.population import Population
from trustsem.simulators import simulate
from trustsem.simulators.gaussian import Gaussian
from trustsem.spec.export import to_dagitty, to_lavaan, to_mplus, to_openmx
from trustsem.spec.table import ParameterTable
from trustsem.theory import Theory, load_theory, theories

try:
    __version__ = version("trustsem")
except PackageNotFoundError:  # a source tree that was not installed
    __version__ = "0+unknown"

__all__ = [
    "Appraisal",
    "ConvergenceError",
    "DataError",
    "Fit",
    "Fitter",
    "Gaussian",
    "IdentificationError",
    "ModelError",
    "ModelSyntaxError",
    "NotAvailableError",
    "OptionError",
    "ParameterTable",
    "Population",
    "Sample",
    "Theory",
    "TheoryError",
    "TrustsemError",
    "TrustsemWarning",
    "__version__",
    "appraise",
    "cfa",
    "compile",
    "cor2cov",
    "cov_from_lower",
    "datasets",
    "growth",
    "lavaan",
    "load_dataset",
    "load_summary",
    "load_theory",
    "read_table",
    "sem",
    "simulate",
    "theories",
    "to_dagitty",
    "to_lavaan",
    "to_mplus",
    "to_openmx",
]
