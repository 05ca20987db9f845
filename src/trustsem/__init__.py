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
    from trustsem.appraisal.appraise import appraise
    from trustsem.appraisal.diagrams.adjustment import AdjustmentSets, Instruments, adjustment_sets, instruments
    from trustsem.appraisal.diagrams.equivalent import EquivalentTheories, equivalent_theories
    from trustsem.appraisal.forbidden.basis import ImpliedIndependencies, implied_independencies
    from trustsem.appraisal.forbidden.forbidden import Forbidden, forbidden
    from trustsem.appraisal.forbidden.independencies import Independencies, independencies
    from trustsem.appraisal.forbidden.tetrads import Tetrads, tetrads
    from trustsem.appraisal.groups.homology import Homology, homology
    from trustsem.appraisal.groups.roles import Roles, compare_roles
    from trustsem.appraisal.identification.miiv import MIIV, miiv
    from trustsem.appraisal.identification.sam import SAM, sam
    from trustsem.appraisal.identification.triangulate import Triangulation, triangulate
    from trustsem.appraisal.mechanism.importance import StrategyProfile, strategy_profile
    from trustsem.appraisal.mechanism.mechanism import Mechanism, mechanism
    from trustsem.appraisal.mechanism.what_if import WhatIf, what_if
    from trustsem.appraisal.result import Appraisal
    from trustsem.appraisal.rivals.cross_validation import CrossValidation, cross_validate
    from trustsem.appraisal.rivals.distinguish import Distinguishability, distinguishability
    from trustsem.appraisal.rivals.selection import SelectionFrequency, selection_frequency
    from trustsem.appraisal.rivals.tournament import Tournament, tournament
    from trustsem.appraisal.sensitivity.noninvariance import EPCInterest, epc_interest
    from trustsem.appraisal.sensitivity.sensitivity import Sensitivity, sensitivity
    from trustsem.appraisal.sensitivity.sensitivity_curve import SensitivityCurve, sensitivity_curve
    from trustsem.appraisal.severity.calibrate import Calibration, calibrate
    from trustsem.appraisal.severity.probe import Probe, probe
    from trustsem.appraisal.severity.severity import Severity, severity
    from trustsem.appraisal.waves.waves import Waves, fit_waves
    from trustsem.data import cor2cov, cov_from_lower, datasets, load_codebook, load_dataset, load_summary, read_table
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
    from trustsem.planning.analytic import required_n, rmsea_power, rmsea_required_n, satorra_saris, wald_power
    from trustsem.planning.answer import Plan
    from trustsem.planning.budget import best_design
    from trustsem.planning.costs import BestDesign, CostModel
    from trustsem.planning.cutoffs import Cutoffs, cutoffs
    from trustsem.planning.detectable import DetectableEffect, minimum_detectable_effect
    from trustsem.planning.plan import plan
    from trustsem.planning.region import PowerRegion, power_region
    from trustsem.populations.altering import alter
    from trustsem.reporting.diagram import diagram
    from trustsem.reporting.html import report
    from trustsem.reporting.plots import plot
    from trustsem.reporting.tables import to_markdown, write_tables
    from trustsem.simulators import simulate
    from trustsem.simulators.clustered import Clustered
    from trustsem.simulators.dropout import Dropout
    from trustsem.simulators.gaussian import Gaussian
    from trustsem.simulators.grouped import Grouped
    from trustsem.simulators.independent import IndependentGenerator
    from trustsem.simulators.likert import Likert
    from trustsem.simulators.missing import Missing
    from trustsem.simulators.misspecified import Misspecified
    from trustsem.simulators.panel import Panel
    from trustsem.simulators.pearson import Pearson
    from trustsem.simulators.planned import PlannedMissing
    from trustsem.simulators.trial import Trial
    from trustsem.simulators.vale_maurelli import ValeMaurelli
    from trustsem.spec.export import to_dagitty, to_lavaan, to_mplus, to_openmx
    from trustsem.spec.table import ParameterTable
    from trustsem.studies.design import Analysis, Study
    from trustsem.studies.files import load_study, study_skeleton, study_text
    from trustsem.studies.result import StudyResult, load_result
    from trustsem.studies.run import Replay, replay, run
    from trustsem.studies.stopping import StopRule, replications_for
    from trustsem.theory import Theory, load_theory, theories

    __version__: str

else:
    # Names are looked up when they are first used, so that `import trustsem` and `trustsem --help` do not wait for numba and pandas.
    _HOMES = (
        ("trustsem.appraisal.appraise", "appraise"),
        ("trustsem.appraisal.result", "Appraisal"),
        ("trustsem.appraisal.diagrams.adjustment", "AdjustmentSets Instruments adjustment_sets instruments"),
        ("trustsem.appraisal.severity.calibrate", "Calibration calibrate"),
        ("trustsem.appraisal.rivals.cross_validation", "CrossValidation cross_validate"),
        ("trustsem.appraisal.rivals.distinguish", "Distinguishability distinguishability"),
        ("trustsem.appraisal.diagrams.equivalent", "EquivalentTheories equivalent_theories"),
        ("trustsem.appraisal.forbidden.forbidden", "Forbidden forbidden"),
        ("trustsem.appraisal.groups.homology", "Homology homology"),
        ("trustsem.appraisal.mechanism.importance", "StrategyProfile strategy_profile"),
        ("trustsem.appraisal.forbidden.basis", "ImpliedIndependencies implied_independencies"),
        ("trustsem.appraisal.forbidden.independencies", "Independencies independencies"),
        ("trustsem.appraisal.mechanism.mechanism", "Mechanism mechanism"),
        ("trustsem.appraisal.identification.miiv", "MIIV miiv"),
        ("trustsem.appraisal.severity.probe", "Probe probe"),
        ("trustsem.appraisal.groups.roles", "Roles compare_roles"),
        ("trustsem.appraisal.identification.sam", "SAM sam"),
        ("trustsem.appraisal.rivals.selection", "SelectionFrequency selection_frequency"),
        ("trustsem.appraisal.sensitivity.sensitivity_curve", "SensitivityCurve sensitivity_curve"),
        ("trustsem.appraisal.sensitivity.noninvariance", "EPCInterest epc_interest"),
        ("trustsem.appraisal.sensitivity.sensitivity", "Sensitivity sensitivity"),
        ("trustsem.appraisal.severity.severity", "Severity severity"),
        ("trustsem.appraisal.forbidden.tetrads", "Tetrads tetrads"),
        ("trustsem.appraisal.rivals.tournament", "Tournament tournament"),
        ("trustsem.appraisal.identification.triangulate", "Triangulation triangulate"),
        ("trustsem.appraisal.waves.waves", "Waves fit_waves"),
        ("trustsem.appraisal.mechanism.what_if", "WhatIf what_if"),
        ("trustsem.data", "cor2cov cov_from_lower datasets load_codebook load_dataset load_summary read_table"),
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
        ("trustsem.reporting.tables", "to_markdown write_tables"),
        ("trustsem.simulators", "simulate"),
        ("trustsem.simulators.gaussian", "Gaussian"),
        ("trustsem.planning.analytic", "required_n rmsea_power rmsea_required_n satorra_saris wald_power"),
        ("trustsem.planning.answer", "Plan"),
        ("trustsem.planning.budget", "best_design"),
        ("trustsem.planning.costs", "BestDesign CostModel"),
        ("trustsem.planning.cutoffs", "Cutoffs cutoffs"),
        ("trustsem.planning.detectable", "DetectableEffect minimum_detectable_effect"),
        ("trustsem.planning.plan", "plan"),
        ("trustsem.planning.region", "PowerRegion power_region"),
        ("trustsem.populations.altering", "alter"),
        ("trustsem.reporting.plots", "plot"),
        ("trustsem.simulators.clustered", "Clustered"),
        ("trustsem.simulators.dropout", "Dropout"),
        ("trustsem.simulators.grouped", "Grouped"),
        ("trustsem.simulators.independent", "IndependentGenerator"),
        ("trustsem.simulators.likert", "Likert"),
        ("trustsem.simulators.missing", "Missing"),
        ("trustsem.simulators.misspecified", "Misspecified"),
        ("trustsem.simulators.panel", "Panel"),
        ("trustsem.simulators.pearson", "Pearson"),
        ("trustsem.simulators.planned", "PlannedMissing"),
        ("trustsem.simulators.trial", "Trial"),
        ("trustsem.simulators.vale_maurelli", "ValeMaurelli"),
        ("trustsem.studies.design", "Analysis Study"),
        ("trustsem.studies.files", "load_study study_skeleton study_text"),
        ("trustsem.studies.result", "StudyResult load_result"),
        ("trustsem.studies.run", "Replay replay run"),
        ("trustsem.studies.stopping", "StopRule replications_for"),
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
    "MIIV",
    "SAM",
    "AdjustmentSets",
    "Analysis",
    "Appraisal",
    "BestDesign",
    "BootstrapResult",
    "Calibration",
    "Clustered",
    "Comparison",
    "ConvergenceError",
    "CostModel",
    "CrossValidation",
    "Cutoffs",
    "DataError",
    "DetectableEffect",
    "Distinguishability",
    "Dropout",
    "EPCInterest",
    "EquivalentTheories",
    "Fit",
    "Fitter",
    "Forbidden",
    "Gaussian",
    "Grouped",
    "Homology",
    "IdentificationError",
    "ImpliedIndependencies",
    "ImputedFit",
    "Independencies",
    "IndependentGenerator",
    "Instruments",
    "Invariance",
    "Likert",
    "Mechanism",
    "Missing",
    "Misspecified",
    "ModelError",
    "ModelSyntaxError",
    "MonteCarloResult",
    "Nesting",
    "NotAvailableError",
    "OptionError",
    "Panel",
    "ParameterTable",
    "Pearson",
    "Plan",
    "PlannedMissing",
    "Population",
    "PowerRegion",
    "Probe",
    "Replay",
    "Roles",
    "Sample",
    "ScoreTest",
    "SelectionFrequency",
    "Sensitivity",
    "SensitivityCurve",
    "Severity",
    "StopRule",
    "StrategyProfile",
    "Study",
    "StudyError",
    "StudyResult",
    "Tetrads",
    "Theory",
    "TheoryError",
    "Tournament",
    "Trial",
    "Triangulation",
    "TrustsemError",
    "TrustsemWarning",
    "ValeMaurelli",
    "Vuong",
    "WaldTest",
    "Waves",
    "WhatIf",
    "__version__",
    "adjustment_sets",
    "alter",
    "anova",
    "appraise",
    "best_design",
    "bootstrap",
    "calibrate",
    "cfa",
    "compare_roles",
    "compile",
    "cor2cov",
    "cov_from_lower",
    "cross_validate",
    "cutoffs",
    "datasets",
    "diagram",
    "discriminant_validity",
    "distinguishability",
    "epc_interest",
    "equivalent_theories",
    "fit_waves",
    "forbidden",
    "growth",
    "homology",
    "htmt",
    "icc",
    "implied_independencies",
    "impute",
    "independencies",
    "instruments",
    "invariance",
    "lavaan",
    "load_codebook",
    "load_dataset",
    "load_result",
    "load_study",
    "load_summary",
    "load_theory",
    "mechanism",
    "merge_factors",
    "miiv",
    "minimum_detectable_effect",
    "monte_carlo",
    "nested",
    "plan",
    "plot",
    "power_region",
    "probe",
    "read_table",
    "replay",
    "replications_for",
    "report",
    "required_n",
    "rmsea_power",
    "rmsea_required_n",
    "run",
    "sam",
    "satorra_saris",
    "score_test",
    "selection_frequency",
    "sem",
    "sem_mi",
    "sensitivity",
    "sensitivity_curve",
    "severity",
    "simulate",
    "strategy_profile",
    "study_skeleton",
    "study_text",
    "tetrads",
    "theories",
    "to_dagitty",
    "to_lavaan",
    "to_markdown",
    "to_mplus",
    "to_openmx",
    "tournament",
    "triangulate",
    "vuong",
    "wald_power",
    "wald_test",
    "what_if",
    "write_tables",
]
