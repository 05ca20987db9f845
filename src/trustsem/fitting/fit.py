"""One model, fitted: what was put in is stored, everything else is derived on first use."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.data.sample import Sample
from trustsem.errors import ConvergenceError, IdentificationError, ModelError, OptionError, TrustsemWarning, closest
from trustsem.estimators import find
from trustsem.fitting import measures, missing, quality, robust, tables
from trustsem.fitting.modification import modification_indices
from trustsem.fitting.scores import predict
from trustsem.fitting.search import Estimate
from trustsem.fitting.summary import summarise, to_html, to_json
from trustsem.fitting.testing import all_tests
from trustsem.fitting.two_level import likelihood_of, refuse_two_levels
from trustsem.inference.admissibility import inadmissible
from trustsem.inference.baseline import baseline_test
from trustsem.inference.corrected import SaturatedPieces
from trustsem.inference.fit_measures import Chisq
from trustsem.inference.information import covariance_of_estimates, expected_information, null_basis, observed_information
from trustsem.inference.sandwich import score_meat
from trustsem.inference.scaled import ScaledTest
from trustsem.inference.stacked import StackedBlock, stacked_blocks
from trustsem.inference.two_level import saturated_traces
from trustsem.kernels.structure import Reals
from trustsem.model.problem import ImpliedBlock, Problem, block_values, implied
from trustsem.model.ram import Model
from trustsem.options import FitOptions

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.fitting.summary import Summary

__all__ = ["Fit"]


@dataclass(frozen=True, eq=False)
class Fit:
    """A model fitted to a sample.

    Attributes
    ----------
    model : Model
    sample : Sample
    problem : Problem
        What was minimised: the model's arrays with the moments the estimator used.
    estimate : Estimate
        Where the search ended.
    options : FitOptions
        The conventions behind every number.
    notices : tuple of TrustsemWarning
        Warnings from before the search (data, model).
    resampled : (K, K) float or None
        Covariance matrix of the estimates over bootstrap draws, for ``se="bootstrap"``.
    reference : Fit or None
        The baseline model, where it is not the usual one (auxiliary variables).
    """

    model: Model
    sample: Sample
    problem: Problem
    estimate: Estimate
    options: FitOptions
    notices: tuple[TrustsemWarning, ...] = ()
    resampled: Reals | None = None
    reference: Fit | None = None

    # What happened

    @property
    def converged(self) -> bool:
        """Whether the search found a minimum."""
        return self.estimate.converged

    @property
    def reason(self) -> str:
        """``"converged"``, or why not."""
        return self.estimate.reason

    @cached_property
    def inadmissible(self) -> tuple[str, ...]:
        """What makes the solution inadmissible, one phrase each."""
        return inadmissible(self.model, self.implied_blocks)

    @property
    def admissible(self) -> bool:
        """Whether the solution is a possible set of moments (no negative variances, definite covariance matrices)."""
        return not self.inadmissible

    @cached_property
    def not_identified(self) -> tuple[str, ...]:
        """Names of the parameters that the data say nothing about; empty if the information matrix is not singular."""
        weak = self._inverse_information[1]
        if not weak.any():
            return ()
        named = [k for k in np.argsort(-weak, kind="stable") if weak[k] > 0.05 * weak.max()]
        first_row = {int(theta): k for k, theta in reversed(list(enumerate(self.model.theta_of_row))) if theta >= 0}
        names = dict(zip(self.model.free_rows, self.model.table.parameter_names(), strict=True))
        return tuple(names[first_row[int(k)]] for k in named[:8])

    @property
    def identified(self) -> bool:
        """Whether the information matrix at the estimate is not singular."""
        return not self.not_identified

    @cached_property
    def warnings(self) -> tuple[TrustsemWarning, ...]:
        """Everything that a reader of these numbers has to know, with stable codes."""
        found = list(self.notices)
        if not self.converged:
            found.append(TrustsemWarning("TS-FIT-01", self.reason))
        elif self.options.se != "none" and not self.identified:
            found.append(TrustsemWarning("TS-ID-01", f"Not identified: {', '.join(self.not_identified)}."))
        if not self.admissible:
            found.append(TrustsemWarning("TS-FIT-02", f"Inadmissible: {'; '.join(self.inadmissible)}."))
        active = self.estimate.binding.shape[0] - self.estimate.n_equalities
        theta = self.estimate.theta
        active += int(np.sum((theta <= self.model.lower) | (theta >= self.model.upper)))
        if active > 0:
            found.append(TrustsemWarning("TS-FIT-03", f"{active} inequality constraint(s) or bound(s) hold with equality."))
        return tuple(found)

    # Sizes

    @property
    def nobs(self) -> int:
        """Number of observations used."""
        return self.sample.nobs

    @cached_property
    def npar(self) -> int:
        """Number of free parameters, less the number of equality constraints."""
        rows = self.estimate.binding[: self.estimate.n_equalities]
        rank = int(np.linalg.matrix_rank(rows)) if rows.size else 0
        return self.model.n_theta - self.model.relations.linear_rank - rank

    @property
    def df(self) -> int:
        """Degrees of freedom of the model test."""
        return self.model.n_moments - self.npar

    # Pieces that other derived values share

    @cached_property
    def implied_blocks(self) -> tuple[ImpliedBlock, ...]:
        """RAM matrices and implied moments of every block, as arrays."""
        return implied(self.problem.structure, self.estimate.theta)

    @cached_property
    def free_basis(self) -> Reals | None:
        """Basis (K, r) of the directions that the constraints leave free; None without constraints."""
        return null_basis(self.problem, self.estimate.binding)

    @cached_property
    def stacked(self) -> tuple[StackedBlock, ...]:
        """The moments of every block with their Jacobian, from which sandwiches and scaled tests are built."""
        refuse_two_levels(self.model, "What needs the moments of one level")
        return stacked_blocks(self.problem, self.sample, self.implied_blocks)

    @cached_property
    def gammas(self) -> tuple[Reals, ...]:
        """Asymptotic covariance matrix (r, r) of the moments of every block; needs complete rows, unless they were fitted in two stages."""
        if self.options.missing in robust.TWO_STAGE:
            return robust.two_stage_gammas(self)
        return robust.gammas_of(self.problem, self.stacked)

    @cached_property
    def saturated_pieces(self) -> tuple[SaturatedPieces, ...]:
        """Information of the saturated model of every block."""
        return robust.pieces_of(self)

    @cached_property
    def score_meat(self) -> Reals:
        """Sum (K, K) of the outer products of the casewise scores, of their sums within clusters where there are clusters."""
        scores = robust.casewise_scores(self)
        return score_meat(scores, [None] * len(scores) if self.model.two_level else [block.clusters for block in self.stacked])

    @cached_property
    def level_traces(self) -> tuple[float, float]:
        """Of a model of two levels: the traces of the saturated and of the baseline model that the scaled test is made of."""
        return saturated_traces(self.problem, likelihood_of(self))

    @property
    def inverse_information(self) -> Reals:
        """Inverse (K, K) of the information of all observations that `information` asks for; NaN if it is singular."""
        found = self._inverse_information[0]
        return np.full((self.model.n_theta, self.model.n_theta), np.nan) if found is None else found

    @cached_property
    def scaled(self) -> ScaledTest:
        """The scaled test of the model that `test` asks for."""
        return robust.scaled_model(self)

    @cached_property
    def scaled_baseline(self) -> ScaledTest:
        """The scaled test of the baseline model."""
        if self.reference is not None:
            return self.reference.scaled
        return robust.scaled_baseline(self)

    @cached_property
    def _inverse_information(self) -> tuple[Reals | None, Reals]:
        compute = expected_information if self.options.information == "expected" else observed_information
        if not math.isfinite(self.estimate.discrepancy):
            return None, np.ones(self.model.n_theta)
        return covariance_of_estimates(compute(self.problem, self.estimate.theta), self.free_basis)

    @cached_property
    def expected_vcov(self) -> Reals:
        """Inverse expected information (K, K), whatever `information` says: what score tests use. NaN if it is singular."""
        matrix, _ = covariance_of_estimates(expected_information(self.problem, self.estimate.theta), self.free_basis)
        return np.full((self.model.n_theta, self.model.n_theta), np.nan) if matrix is None else matrix

    @cached_property
    def theta_vcov(self) -> Reals:
        """Covariance matrix (K, K) of the distinct parameters; NaN where there is none (not identified, not converged, ``se="none"``)."""
        if self.options.se == "bootstrap" and self.resampled is not None:
            return self.resampled
        if self.options.se in ("none", "bootstrap") or not self.converged or self._inverse_information[0] is None:
            return np.full((self.model.n_theta, self.model.n_theta), np.nan)
        return robust.robust_covariance(self, self._inverse_information[0])

    @cached_property
    def chisq(self) -> Chisq:
        """The test of the model against the saturated model."""
        usable = self.converged and self.options.tests
        return Chisq(max(float(self.block_chisq.sum()), 0.0) if usable else math.nan, self.df)

    @cached_property
    def block_chisq(self) -> Reals:
        """Contribution of every group (G,) to the test statistic."""
        if len(self.problem.blocks) == 1:
            return self.problem.multiplier * self.estimate.discrepancy
        found = self.problem.multiplier * block_values(self.problem, self.estimate.theta)
        return np.asarray(found[:: self.model.table.n_levels])

    @cached_property
    def baseline(self) -> Chisq:
        """The test of the baseline model against the saturated model."""
        if self.reference is not None:
            return self.reference.chisq
        return baseline_test(self.problem) if self.options.tests else Chisq(math.nan, 0)

    @cached_property
    def robust_statistics(self) -> tuple[tuple[Chisq, float], tuple[Chisq, float]]:
        """The statistics of model and baseline model behind the robust fit measures, each with its mean under a true model."""
        return measures.robust_statistics(self)

    def measures(self, names: Sequence[str]) -> dict[str, float]:
        """Return what there is of the fit measures `names`, without computing what they do not need (in a loop over samples)."""
        if not names:
            return {}
        found = measures.all_measures(self, find(self.options.estimator), names)
        return {name: found[name] for name in names if name in found}

    @cached_property
    def all_measures(self) -> dict[str, float]:
        """Every fit measure by name."""
        return measures.all_measures(self, find(self.options.estimator))

    # Tables

    def coef(self) -> pd.Series[float]:
        """Return the free parameters, named as lavaan names them (rows that share a label appear each)."""
        return tables.coefficients(self)

    def vcov(self) -> pd.DataFrame:
        """Return the covariance matrix of the free parameters, in the order of :meth:`coef`."""
        return tables.covariance(self)

    def parameter_estimates(self, standardized: bool = False, ci: bool = True, level: float = 0.95, fmi: bool = False) -> pd.DataFrame:
        """Return one row per parameter.

        Parameters
        ----------
        standardized : bool
            Add columns ``std_lv`` (latent variables scaled) and ``std_all`` (all variables scaled).
        ci : bool
            Add columns ``ci_lower`` and ``ci_upper``.
        level : float
            Confidence level.
        fmi : bool
            Add a column with the fraction of missing information (``missing="fiml"`` with standard errors of maximum likelihood).

        Returns
        -------
        DataFrame
            Columns ``lhs op rhs [group] label est se z pvalue [ci_lower ci_upper] [std_lv std_all] [fmi]``. Fixed parameters have se 0 and no test.
        """
        return tables.parameter_estimates(self, standardized=standardized, ci=ci, level=level, fmi=fmi)

    def standardized_solution(self, type: str = "std_all", ci: bool = True, level: float = 0.95) -> pd.DataFrame:
        """Return the standardized solution with delta-method standard errors.

        Parameters
        ----------
        type : {"std_all", "std_lv", "std_nox"}
            Scale all variables, latent variables only, or all but fixed covariates.
        ci : bool
            Add columns ``ci_lower`` and ``ci_upper``.
        level : float
            Confidence level.

        Returns
        -------
        DataFrame
            Columns ``lhs op rhs [group] label est_std se z pvalue [ci_lower ci_upper]``.
        """
        return tables.standardized_solution(self, kind=type, ci=ci, level=level)

    def fit_measures(self, names: str | Sequence[str] | None = None) -> pd.Series[float]:
        """Return the fit measures, under lavaan's names with underscores.

        Parameters
        ----------
        names : str or sequence of str, optional
            Which; all by default. Dots may be written for underscores.

        Raises
        ------
        OptionError
            For a name that does not exist for this estimator.
        """
        import pandas as pd

        found = self.all_measures
        given = list(found) if names is None else [names] if isinstance(names, str) or not isinstance(names, Iterable) else names
        wanted = [str(name).replace(".", "_") for name in given]
        for name in wanted:
            if name not in found:
                raise OptionError(f"There is no fit measure {name!r} for estimator {self.options.estimator}.{closest(name, found)}")
        return pd.Series({name: found[name] for name in wanted}, dtype=float)

    def tests(self, small_sample: bool = False) -> pd.DataFrame:
        """Return every test of exact fit that was asked for, and Browne's residual tests if they were.

        Parameters
        ----------
        small_sample : bool
            Add the corrections for small samples of Bartlett, Swain and Yuan (maximum likelihood).

        Returns
        -------
        DataFrame
            Columns ``test chisq df pvalue scaling shift``; ``chisq = standard / scaling + shift`` for scaled tests.
        """
        return all_tests(self, small_sample=small_sample)

    def missing_patterns(self) -> Any:
        """Return the patterns of missing values: number of rows, then 1 where a variable is observed (a dict of frames by group label for groups)."""
        return missing.pattern_tables(self)

    def coverage(self) -> Any:
        """Return the share of rows in which each pair of variables is observed (a dict of frames by group label for groups)."""
        return missing.coverage_tables(self)

    def implied(self) -> Any:
        """Return the implied moments ``{"cov": DataFrame, "mean": Series or None}``; by group label if there are groups."""
        return tables.implied_moments(self)

    def residuals(self, type: str = "raw") -> Any:
        """Return sample minus implied moments, in the shape of :meth:`implied`.

        Parameters
        ----------
        type : {"raw", "cor", "cor_bentler", "normalized", "standardized"}
            Raw differences; differences of correlations; differences divided by the sample standard deviations; raw differences divided by the
            standard
            error of the sample moment; by the standard error of the residual.
        """
        return tables.residuals(self, type)

    def rsquare(self) -> Any:
        """Return the explained share of variance of every endogenous variable (Series, or a dict of them by group label)."""
        return tables.rsquare(self)

    def modindices(self, sort: bool = False, minimum: float = 0.0) -> pd.DataFrame:
        """Return modification indices and expected parameter changes.

        Parameters
        ----------
        sort : bool
            Largest first.
        minimum : float
            Leave out smaller indices.

        Returns
        -------
        DataFrame
            Columns ``lhs op rhs [group] mi epc sepc_lv sepc_all sepc_nox``.
        """
        return modification_indices(self, sort=sort, minimum=minimum)

    def effects(self, standardized: bool = False, ci: bool = True, level: float = 0.95) -> pd.DataFrame:
        """Return every total, direct and indirect effect of one variable on another with delta-method standard errors.

        Returns
        -------
        DataFrame
            Columns ``effect lhs op rhs [group] est se z pvalue [ci_lower ci_upper] [est_std]``; a row is the effect of rhs on lhs.
        """
        return tables.effects(self, standardized=standardized, ci=ci, level=level)

    def reliability(
        self, *, obs_var: bool = False, reverse: bool = True, ci: bool = True, level: float = 0.95, draws: Reals | None = None
    ) -> pd.DataFrame:
        """Return how reliably items measure each factor: alpha, omega, AVE and others.

        Parameters
        ----------
        obs_var : bool
            Divide by the observed instead of the implied variance of the sum.
        reverse : bool
            Reverse items with negative loadings.
        ci : bool
            Add confidence intervals.
        level : float
            Confidence level.
        draws : (B, K) float, optional
            Draws of theta, from which intervals are taken instead of by the delta method.

        Returns
        -------
        DataFrame
            One row per factor, group and measure; see :func:`trustsem.fitting.quality.reliability`.
        """
        return quality.reliability(self, obs_var=obs_var, reverse=reverse, ci=ci, level=level, draws=draws)

    def predict(self, data: Any = None, method: str = "regression", level: int = 1) -> Any:
        """Return factor scores.

        Parameters
        ----------
        data : data frame, optional
            New rows with the model's observed variables; the rows that were fitted by default.
        method : {"regression", "bartlett"}
        level : {1, 2}
            Of a model of two levels: scores of the people, or of the clusters in order of appearance.

        Returns
        -------
        DataFrame
            One row per observation, one column per latent variable; a dict of them by group label if there are groups.
        """
        return predict(self, data, method, level)

    # Telling

    def summary(
        self, fit_measures: bool = False, standardized: bool = False, rsquare: bool = False, ci: bool = False, modindices: bool = False
    ) -> Summary:
        """Return a printable summary in lavaan's order."""
        return summarise(self, fit_measures=fit_measures, standardized=standardized, rsquare=rsquare, ci=ci, modindices=modindices)

    def to_json(self) -> str:
        """Return model, estimates, fit measures, warnings, conventions and the fingerprint of the data as JSON."""
        return to_json(self)

    def __repr__(self) -> str:
        state = "converged" if self.converged else "not converged"
        return f"<Fit: {self.options.estimator}, {self.nobs} observations, {self.npar} parameters, df {self.df}, {state}>"

    def _repr_html_(self) -> str:
        return to_html(self)

    def require_converged(self) -> Fit:
        """Return the fit itself, or raise if it did not converge.

        Raises
        ------
        ConvergenceError
        """
        if not self.converged:
            raise ConvergenceError(f"{self.reason} Look at `fit.warnings` for what to do.")
        return self


def check_counting_rule(model: Model) -> None:
    """Refuse a model with more parameters than moments.

    Raises
    ------
    IdentificationError
    """
    free = model.n_theta - model.relations.linear_rank - len(model.relations.equalities)
    if free > model.n_moments:
        raise IdentificationError(
            f"The model has {free} free parameters but only {model.n_moments} sample moments, so it is not identified. "
            "Fix or equate parameters, or add indicators."
        )
    if model.n_moments == 0:
        raise ModelError("The model says nothing about the data: every moment belongs to a fixed covariate. Add a regression or set fixed_x=False.")
