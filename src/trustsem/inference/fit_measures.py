"""Fit measures: numbers in, numbers out. Names are lavaan's with dots as underscores.

Sources: Bentler 1990 (CFI, IFI), Tucker & Lewis 1973 (TLI), Bentler & Bonett 1980 (NFI), Bollen 1986, 1989 (RFI, IFI), McDonald & Marsh 1990 (RNI),
Steiger 1990 and Browne & Cudeck 1993 (RMSEA, ECVI), MacCallum, Browne & Sugawara 1996 (close fit), Bentler 1995 (SRMR), Maydeu-Olivares 2017 (CRMR),
Hoelter 1983 (CN), Joereskog & Soerbom 1984 (GFI, AGFI), McDonald 1989 (MFI), Mulaik et al. 1989 (PGFI, PNFI).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc, chdtri, chndtr

from trustsem.kernels.structure import Reals

__all__ = [
    "BlockResiduals",
    "Chisq",
    "absolute_measures",
    "goodness_of_fit",
    "incremental_measures",
    "information_criteria",
    "residual_measures",
    "rmsea_measures",
    "robust_measures",
]

RMSEA_LEVEL, CLOSE, NOT_CLOSE = 0.90, 0.05, 0.08
_ROUNDING = 1e-10  # a chi-square that exceeds its degrees of freedom by no more than this does so by rounding


class Chisq(NamedTuple):
    """A chi-square statistic and its degrees of freedom, which some scaled tests estimate."""

    statistic: float
    df: float

    @property
    def pvalue(self) -> float:
        """Upper tail probability; NaN without degrees of freedom."""
        return float(chdtrc(self.df, max(self.statistic, 0.0))) if self.df > 0 else math.nan


class BlockResiduals(NamedTuple):
    """Sample and implied moments of one block: n (or the sum of weights), covariances (p, p) and means (p,) or None."""

    n: float
    sample_cov: Reals
    implied_cov: Reals
    sample_mean: Reals | None
    implied_mean: Reals | None


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator != 0.0 else math.nan


def incremental_measures(model: Chisq, baseline: Chisq) -> dict[str, float]:
    """Return the measures that compare the model with the baseline model."""
    x, df = model
    xb, dfb = baseline
    excess, excess_b = max(x - df, 0.0), max(x - df, xb - dfb, 0.0)
    tli = _ratio(_ratio(xb, dfb) - _ratio(x, df), _ratio(xb, dfb) - 1.0) if df > 0 and dfb > 0 else 1.0
    nested = df <= dfb  # with more degrees of freedom than the baseline a model does not contain it, and these two mean nothing
    nfi = _ratio(xb - x, xb) if nested else math.nan
    rfi = _ratio(_ratio(xb, dfb) - _ratio(x, df), _ratio(xb, dfb)) if df > 0 and dfb > 0 else 1.0
    return {
        "baseline_chisq": xb,
        "baseline_df": float(dfb),
        "baseline_pvalue": baseline.pvalue,
        "cfi": 1.0 - excess / excess_b if excess_b > _ROUNDING else 1.0,
        "tli": tli,
        "nnfi": tli,
        "rfi": rfi if nested else math.nan,
        "nfi": nfi,
        "pnfi": _ratio(df, dfb) * _ratio(xb - x, xb),
        "ifi": _ratio(xb - x, xb - df),
        "rni": 1.0 - _ratio(x - df, xb - dfb),
    }


def robust_measures(model: Chisq, mean: float, baseline: Chisq, baseline_mean: float) -> dict[str, float]:
    """Return the incremental measures with the mean that a true model's statistic has in place of its degrees of freedom.

    Sources: Brosseau-Liard & Savalei 2014 (doi 10.1080/00273171.2014.933697), Zhang & Savalei 2023 for incomplete data.

    Parameters
    ----------
    model, baseline : Chisq
        Statistics without scaling.
    mean, baseline_mean : float
        Scaling factor times degrees of freedom.
    """
    excess, excess_b = model.statistic - mean, baseline.statistic - baseline_mean
    above = max(excess, excess_b, 0.0)
    defined = model.df > 0 and baseline.df > 0
    tli = 1.0 - _ratio(excess / model.df, excess_b / baseline.df) if defined else 1.0
    return {
        "cfi": 1.0 - max(excess, 0.0) / above if above > _ROUNDING else 1.0,
        "tli": tli,
        "nnfi": tli,
        "rni": 1.0 - _ratio(excess, excess_b),
    }


def information_criteria(logl: float, unrestricted: float, npar: int, n: int) -> dict[str, float]:
    """Return log-likelihoods and AIC, BIC and sample-size adjusted BIC (Sclove 1987)."""
    return {
        "logl": logl,
        "unrestricted_logl": unrestricted,
        "aic": -2.0 * logl + 2.0 * npar,
        "bic": -2.0 * logl + math.log(n) * npar,
        "ntotal": float(n),
        "bic2": -2.0 * logl + math.log((n + 2.0) / 24.0) * npar,
    }


def _noncentrality(x: float, df: float, probability: float) -> float:
    """Return the noncentrality at which P(chi-square <= x) equals `probability`; 0 if even the central one lies below it.

    The root is found by the Illinois variant of false position, which keeps it bracketed.
    """
    low, high = 0.0, max(x, 1.0)
    at_low = float(chndtr(x, df, low)) - probability
    if at_low <= 0.0:
        return 0.0
    at_high = float(chndtr(x, df, high)) - probability
    while at_high > 0.0:
        low, at_low = high, at_high
        high *= 2.0
        at_high = float(chndtr(x, df, high)) - probability
    side = 0
    for _ in range(200):
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        value = float(chndtr(x, df, middle)) - probability
        if value > 0.0:
            low, at_low = middle, value
            at_high *= 0.5 if side > 0 else 1.0
            side = 1
        else:
            high, at_high = middle, value
            at_low *= 0.5 if side < 0 else 1.0
            side = -1
        if abs(value) < 1e-15 or high - low <= 1e-13 * high:
            return middle
    return 0.5 * (low + high)


def rmsea_measures(model: Chisq, n: float, n_groups: int) -> dict[str, float]:
    """Return RMSEA with its 90 % interval and the tests of close and of not-close fit.

    Parameters
    ----------
    model : Chisq
    n : float
        Divisor of the noncentrality: N for maximum likelihood, N - 1 for a single group with least squares.
    n_groups : int
        RMSEA is multiplied by the square root of the number of groups (Steiger 1998).
    """
    x, df = model
    names = (
        "rmsea",
        "rmsea_ci_lower",
        "rmsea_ci_upper",
        "rmsea_ci_level",
        "rmsea_pvalue",
        "rmsea_close_h0",
        "rmsea_notclose_pvalue",
        "rmsea_notclose_h0",
    )
    if df == 0:
        return dict(zip(names, (0.0, 0.0, 0.0, RMSEA_LEVEL, math.nan, CLOSE, math.nan, NOT_CLOSE), strict=True))
    if not df > 0:  # a trace that serves as degrees of freedom may be negative in a small sample
        return dict(zip(names, (*[math.nan] * 3, RMSEA_LEVEL, math.nan, CLOSE, math.nan, NOT_CLOSE), strict=True))
    root = math.sqrt(n_groups / (n * df))
    tail = 0.5 * (1.0 - RMSEA_LEVEL)
    lower = math.sqrt(_noncentrality(x, df, 1.0 - tail)) * root
    upper = math.sqrt(_noncentrality(x, df, tail)) * root
    close = 1.0 - float(chndtr(x, df, n * df * CLOSE**2 / n_groups))
    not_close = float(chndtr(x, df, n * df * NOT_CLOSE**2 / n_groups))
    values = (math.sqrt(max(x - df, 0.0)) * root, lower, upper, RMSEA_LEVEL, close, CLOSE, not_close, NOT_CLOSE)
    return dict(zip(names, values, strict=True))


def _block_residual_measures(block: BlockResiduals) -> dict[str, float]:
    S, Sigma = block.sample_cov, block.implied_cov
    p = S.shape[0]
    lower = np.tril_indices(p)
    below = np.tril_indices(p, -1)
    sd, implied_sd = np.sqrt(np.diag(S)), np.sqrt(np.maximum(np.diag(Sigma), 0.0))
    raw = ((S - Sigma)[lower]) ** 2
    bentler = (((S - Sigma) / np.outer(sd, sd))[lower]) ** 2
    with np.errstate(all="ignore"):
        correlation = ((S / np.outer(sd, sd) - Sigma / np.outer(implied_sd, implied_sd))[below]) ** 2
    variance = ((np.diag(S) - np.diag(Sigma)) / np.diag(S)) ** 2
    mplus = np.concatenate([correlation, variance])
    result = {
        "rmr_nomean": float(np.mean(raw)),
        "srmr_bentler_nomean": float(np.mean(bentler)),
        "crmr_nomean": float(np.mean(correlation)) if p > 1 else 0.0,
        "srmr_mplus_nomean": float(np.mean(mplus)),
    }
    if block.sample_mean is None or block.implied_mean is None:
        result |= {name.removesuffix("_nomean"): value for name, value in result.items()}
    else:
        gap = block.sample_mean - block.implied_mean
        scaled = (gap / sd) ** 2
        with np.errstate(all="ignore"):
            standardized = block.sample_mean / sd - block.implied_mean / implied_sd
        result["rmr"] = float(np.mean(np.concatenate([raw, gap**2])))
        result["srmr_bentler"] = float(np.mean(np.concatenate([bentler, scaled])))
        result["crmr"] = float(np.mean(np.concatenate([correlation, scaled])))
        result["srmr_mplus"] = float(np.mean(np.concatenate([mplus, standardized**2])))
    return {name: math.sqrt(value) for name, value in result.items()}


def residual_measures(blocks: tuple[BlockResiduals, ...]) -> dict[str, float]:
    """Return the root mean square residuals; several blocks are averaged with weights n."""
    total = sum(block.n for block in blocks)
    sums: dict[str, float] = {}
    for block in blocks:
        for name, value in _block_residual_measures(block).items():
            sums[name] = sums.get(name, 0.0) + block.n / total * value
    order = ("rmr", "rmr_nomean", "srmr_bentler", "srmr_bentler_nomean", "crmr", "crmr_nomean", "srmr_mplus", "srmr_mplus_nomean")
    result = {name: sums[name] for name in order[:2]}
    result["srmr"] = sums["srmr_bentler"]
    return result | {name: sums[name] for name in order[2:]}


def absolute_measures(model: Chisq, npar: int, n: float) -> dict[str, float]:
    """Return the critical N, McDonald's index and the expected cross-validation index; `n` is the multiplier of the chi-square."""
    x, df = model
    f = x / n

    def critical(alpha: float) -> float:
        return float(chdtri(df, alpha)) / f + 1.0 if df > 0 and f > 0 else math.nan

    return {
        "cn_05": critical(0.05),
        "cn_01": critical(0.01),
        "mfi": math.exp(-0.5 * (x - df) / n),
        "ecvi": f + 2.0 * npar / n,
    }


def goodness_of_fit(lack: float, df: int, n_moments: int) -> dict[str, float]:
    """Return GFI, AGFI and PGFI.

    Parameters
    ----------
    lack : float
        Weighted sum of squares of the residual moments, relative to that of the sample moments.
    df, n_moments : int
        Degrees of freedom, and number of sample moments.
    """
    gfi = 1.0 - lack
    return {
        "gfi": gfi,
        "agfi": 1.0 - n_moments / df * (1.0 - gfi) if df > 0 else 1.0,
        "pgfi": df / n_moments * gfi,
    }
