"""The independencies that a theory implies, tested where it states them: among its constructs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from trustsem.appraisal.forbidden.absences import ABSENCE_RULE, HIGH_POWER, judge_absences
from trustsem.appraisal.forbidden.basis import Basis, Independence, basis_notes, basis_set
from trustsem.appraisal.forbidden.composites import composite_regressions
from trustsem.appraisal.forbidden.joint import JointTest, fishers_c, joint_tests
from trustsem.appraisal.forbidden.sizes import construct_names, smallest_size
from trustsem.appraisal.structure import StructuralMoments, graph_of_table, structural_moments
from trustsem.appraisal.told import Told, records
from trustsem.appraisal.withholding import require_appraisal
from trustsem.errors import NotAvailableError
from trustsem.fitting.fit import Fit
from trustsem.inference.partial_correlation import partial_correlation
from trustsem.inference.single_changes import detectable

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["Independencies", "independencies"]

_SHOWN = ("statement", "r", "se", "ci_lower", "ci_upper", "p_zero", "p_equivalent", "power", "verdict")
_MEASURES = "Partial correlations of the constructs, from the measurement part with all constructs free to covary; errors by the delta method."
_SCALE = "Tests and intervals are on Fisher's z scale, d is a partial correlation; intervals are unadjusted."


@dataclass(frozen=True, eq=False, repr=False)
class Independencies(Told):
    """Tests of the conditional independencies that a theory implies; prints itself.

    Attributes
    ----------
    frame : DataFrame
        One row per statement: ``one other given statement r se ci_lower ci_upper z p p_zero p_equivalent p_size sesoi power mde verdict size_shown
        conventional reason``; r is the partial correlation, other columns are as in :class:`trustsem.appraisal.forbidden.forbidden.Forbidden`.
    joint : tuple of JointTest
        All statements together: the structural model against the saturated structure, and Fisher's C where it applies.
    appraisal : Appraisal
    basis : Basis
    heading, notes
        As printed.
    """

    frame: pd.DataFrame
    joint: tuple[JointTest, ...]
    appraisal: Appraisal
    basis: Basis
    heading: str
    notes: tuple[str, ...]
    shown = _SHOWN

    def composites(self) -> pd.DataFrame:
        """Return the same statements among means of items: descriptive only, see :mod:`trustsem.appraisal.forbidden.composites`."""
        return composite_regressions(self.appraisal.fit, self.basis.statements, construct_names(self.appraisal))

    @property
    def joint_frame(self) -> pd.DataFrame:
        """The joint tests: ``test statistic df p``."""
        import pandas as pd

        return pd.DataFrame([(test.name, test.statistic, test.df, test.pvalue) for test in self.joint], columns=["test", "statistic", "df", "p"])

    def to_dict(self) -> dict[str, Any]:
        """Return heading, rows, notes and joint tests as JSON knows them."""
        return super().to_dict() | {"joint": records(self.joint_frame)}


def independencies(appraisal: Appraisal, *, sesoi: float | None = None) -> Independencies:
    """Test the conditional independencies that a theory implies among its constructs.

    Parameters
    ----------
    appraisal : Appraisal
    sesoi : float, optional
        Smallest partial correlation of interest d; the smallest effect of interest of the theory by default.

    Returns
    -------
    Independencies

    Raises
    ------
    OptionError
        For a size that is not between 0 and 1.

    Notes
    -----
    The statements are those of :func:`trustsem.appraisal.forbidden.basis.implied_independencies`. Means of items would show dependence even where
    the theory is true, because what is given is measured with error (`composites`); hence the covariances of the constructs are those of the
    saturated structure. All statements together are tested by the chi-square difference of the structural model and the saturated structure.
    """
    require_appraisal("independencies", appraisal)
    size = smallest_size(appraisal, sesoi)
    try:
        basis = basis_set(graph_of_table(appraisal.fit.model.table))
        reason = appraisal.withheld
    except NotAvailableError as error:
        basis, reason = Basis((), (), False), appraisal.withheld or str(error)
    moments: StructuralMoments | None = None
    if not reason:
        moments, reason = _moments(appraisal)
    frame = _tested(appraisal, basis.statements, moments, size, reason)
    joint = () if reason or (not basis.statements and not basis.inseparable) else joint_tests(appraisal.fit, appraisal.saturated)
    notes = [f"No verdicts: {reason}"] if reason else []
    if moments is not None:
        fisher, why = fishers_c(appraisal.fit, basis, moments)
        joint += fisher
        notes += [test.sentence(appraisal.alpha) for test in joint] + why
    notes += [*basis_notes(basis), _MEASURES, f"{_SCALE} Smallest size of interest d = {size:g}.", ABSENCE_RULE]
    return Independencies(frame, joint, appraisal, basis, _heading(frame, reason), tuple(notes))


def _moments(appraisal: Appraisal) -> tuple[StructuralMoments | None, str]:
    """Return the covariances of the constructs, or why there are none."""
    try:
        saturated = appraisal.saturated
    except NotAvailableError as error:
        return None, str(error)
    if not saturated.converged:
        return None, f"the measurement part alone did not converge. {saturated.reason}"
    if not saturated.identified:
        return None, f"the measurement part alone is not identified ({', '.join(saturated.not_identified)})."
    if not saturated.admissible:
        return None, f"the measurement part alone is inadmissible: {'; '.join(saturated.inadmissible)}."
    if saturated.options.se == "bootstrap":
        # Its draws are those of another model; the sandwich is what they approximate.
        saturated = replace(saturated, options=replace(saturated.options, se=_sandwich(saturated)))
    return structural_moments(saturated), ""


def _sandwich(fit: Fit) -> str:
    block = fit.sample.blocks[0]
    return "robust_cluster" if block.clusters is not None else "robust_sem" if block.missing is None else "robust_huber_white"


def _tested(appraisal: Appraisal, statements: Sequence[Independence], moments: StructuralMoments | None, sesoi: float, reason: str) -> pd.DataFrame:
    import pandas as pd

    told = [s.renamed(construct_names(appraisal)) for s in statements]
    frame = pd.DataFrame([(s.one, s.other, ", ".join(s.given), str(s)) for s in told], columns=["one", "other", "given", "statement"])
    value, se = (np.full(len(statements), np.nan) for _ in range(2))
    if moments is not None:
        place = {name: k for k, name in enumerate(moments.names)}
        found = [partial_correlation(moments.cov, place[s.one], place[s.other], [place[name] for name in s.given]) for s in statements]
        value = np.array([part.value for part in found])
        se = np.array([part.error(moments.vcov) for part in found])
    # On Fisher's scale intervals stay within (-1, 1), and the error depends less on the value.
    z, error = np.arctanh(value), se / (1.0 - value**2)
    width = float(ndtri(0.5 + 0.5 * appraisal.level)) * error
    judged = judge_absences(z, error, float(np.arctanh(sesoi)), appraisal.alpha)
    return frame.assign(
        r=value,
        se=se,
        ci_lower=np.tanh(z - width),
        ci_upper=np.tanh(z + width),
        z=z / error,
        p=judged.pvalue,
        p_zero=judged.p_zero,
        p_equivalent=judged.p_equivalent,
        p_size=judged.p_size,
        sesoi=sesoi,
        power=judged.power,
        mde=np.tanh(detectable(error, HIGH_POWER, appraisal.alpha)),
        verdict=["no verdict"] * len(statements) if reason else list(judged.verdict),
        size_shown=judged.size_shown,
        conventional=list(judged.conventional),
        reason=reason,
    )


def _heading(frame: pd.DataFrame, reason: str) -> str:
    text = f"Conditional independencies that the theory implies: {len(frame)}"
    if reason:
        return f"{text}; no verdicts"
    return f"{text}: " + ", ".join(f"{int((frame['verdict'] == name).sum())} {name}" for name in ("holds", "violated", "cannot tell"))
