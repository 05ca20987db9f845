"""The part of a printed summary that is about fit: tests, likelihood, RMSEA and SRMR, each in a standard and, if there is one, a scaled column."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING

from trustsem.display import heading, number, pair, wrap

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.fitting.fit import Fit

__all__ = ["measure_sections", "model_test", "probability"]

_CORRECTIONS = MappingProxyType(
    {
        "satorra_bentler": "Satorra-Bentler correction",
        "mean_var_adjusted": "mean and variance adjusted correction",
        "scaled_shifted": "simple second-order correction",
        "yuan_bentler": "Yuan-Bentler correction",
        "yuan_bentler_mplus": "Yuan-Bentler correction (Mplus variant)",
    }
)


def probability(value: float) -> str:
    """Return a number as printed, ``"NA"`` if there is none."""
    return number(value) or "NA"


def _degrees(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else number(value)


def _both(measures: pd.Series[float], label: str, name: str) -> str:
    """Return a line with the standard and, if there is one, the scaled value."""
    show = _degrees if name.endswith("df") else probability
    scaled = f"{name}_scaled"
    return pair(label, show(float(measures[name])), *([show(float(measures[scaled]))] if scaled in measures else []))


def model_test(fit: Fit) -> list[str]:
    """Return the section on the test of the model."""
    if not fit.options.tests or not fit.converged:
        return []
    measures = fit.fit_measures()
    lines = [heading("Model Test User Model"), ""]
    if "chisq_scaled" in measures:
        lines.append(pair("", "Standard", "Scaled"))
    lines += [_both(measures, "Test statistic", "chisq"), _both(measures, "Degrees of freedom", "df")]
    if fit.df > 0:
        known = not math.isnan(measures["pvalue"])
        lines.append(_both(measures, f"P-value ({'Chi-square' if known else 'Unknown'})", "pvalue"))
    if "chisq_scaled" in measures:
        lines += _scaling(fit, measures)
    if len(fit.sample.blocks) > 1:
        lines.append("  Test statistic for each group:")
        lines += [pair(block.label, number(float(part)), indent=4) for block, part in zip(fit.sample.blocks, fit.block_chisq, strict=True)]
    tests = fit.tests()
    for name, chisq, pvalue in zip(tests["test"], tests["chisq"], tests["pvalue"], strict=True):
        if str(name).startswith("browne"):
            lines += [pair(f"Browne's residual test ({str(name).removeprefix('browne_residual_')})", number(float(chisq)))]
            lines += [pair("P-value (Chi-square)", probability(float(pvalue)), indent=4)]
    return lines


def _scaling(fit: Fit, measures: pd.Series[float]) -> list[str]:
    lines = [pair("Scaling correction factor", "", probability(measures["chisq_scaling_factor"]))]
    if fit.scaled.shift:
        lines.append(pair("Shift parameter", "", number(fit.scaled.shift)))
    return [*lines, f"    {_CORRECTIONS[fit.scaled.name]}"]


def measure_sections(fit: Fit) -> list[list[str]]:
    """Return the sections on fit measures."""
    measures = fit.fit_measures()
    if "cfi" not in measures:
        why = "the model did not converge" if not fit.converged else "no test was asked for (test='none')"
        return [wrap(f"Fit measures are not available: {why}.")]

    def section(title: str, *lines: str) -> list[str]:
        return [heading(title), "", *lines]

    def both(label: str, name: str) -> str:
        return _both(measures, label, name)

    def robust(label: str, name: str) -> list[str]:
        found = f"{name}_robust"
        if found not in measures:
            return []
        values = [probability(float(measures[found]))]
        return [pair(label, *(["", *values] if "chisq_scaled" in measures else values))]

    baseline = [both("Test statistic", "baseline_chisq"), both("Degrees of freedom", "baseline_df"), both("P-value", "baseline_pvalue")]
    if "baseline_chisq_scaling_factor" in measures:
        baseline.append(pair("Scaling correction factor", "", probability(measures["baseline_chisq_scaling_factor"])))
    compared = [both("Comparative Fit Index (CFI)", "cfi"), both("Tucker-Lewis Index (TLI)", "tli")]
    corrected = robust("Robust Comparative Fit Index (CFI)", "cfi") + robust("Robust Tucker-Lewis Index (TLI)", "tli")
    sections = [
        section("Model Test Baseline Model", *baseline),
        section("User Model versus Baseline Model", *compared, *(["", *corrected] if corrected else [])),
    ]
    if "logl" in measures:
        sections.append(section("Loglikelihood and Information Criteria", *_likelihood(measures)))
    rmsea = [
        both("RMSEA", "rmsea"),
        both("90 Percent confidence interval - lower", "rmsea_ci_lower"),
        both("90 Percent confidence interval - upper", "rmsea_ci_upper"),
        both("P-value H_0: RMSEA <= 0.050", "rmsea_pvalue"),
        both("P-value H_0: RMSEA >= 0.080", "rmsea_notclose_pvalue"),
    ]
    corrected = (
        robust("Robust RMSEA", "rmsea")
        + robust("90 Percent confidence interval - lower", "rmsea_ci_lower")
        + robust("90 Percent confidence interval - upper", "rmsea_ci_upper")
        + robust("P-value H_0: Robust RMSEA <= 0.050", "rmsea_pvalue")
        + robust("P-value H_0: Robust RMSEA >= 0.080", "rmsea_notclose_pvalue")
    )
    sections.append(section("Root Mean Square Error of Approximation", *rmsea, *(["", *corrected] if corrected else [])))
    names = {"srmr": "SRMR", "srmr_within": "SRMR (within)", "srmr_between": "SRMR (between)"}
    residual = [both(label, name) for name, label in names.items() if name in measures]
    sections.append(section("Standardized Root Mean Square Residual", *residual))
    return sections


def _likelihood(measures: pd.Series[float]) -> list[str]:
    def line(label: str, name: str) -> str:
        return pair(label, probability(float(measures[name])))

    lines = [line("Loglikelihood user model (H0)", "logl")]
    if "scaling_factor_h0" in measures:
        lines.append(pair("Scaling correction factor", "", probability(measures["scaling_factor_h0"]), indent=4))
    lines.append(line("Loglikelihood unrestricted model (H1)", "unrestricted_logl"))
    if "scaling_factor_h1" in measures:
        lines.append(pair("Scaling correction factor", "", probability(measures["scaling_factor_h1"]), indent=4))
    criteria = [line("Akaike (AIC)", "aic"), line("Bayesian (BIC)", "bic"), line("Sample-size adjusted Bayesian (SABIC)", "bic2")]
    return [*lines, "", *criteria]
