"""What the data say of a theory: one frozen value, whose parts are computed when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.appraisal.parts import PARTS, compute_part
from trustsem.appraisal.serialise import appraisal_to_json
from trustsem.appraisal.structure import fit_saturated
from trustsem.appraisal.telling import html_of, notes_of, text_of
from trustsem.appraisal.told import Told
from trustsem.appraisal.verdicts import RULE, Judgement, judge
from trustsem.fitting.fit import Fit
from trustsem.inference.fit_measures import Chisq
from trustsem.inference.small_sample import swain
from trustsem.theory import Proposition, Theory

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Appraisal"]

_DIRECTION = MappingProxyType({"+": 1, "-": -1})


@dataclass(frozen=True, eq=False)
class Appraisal:
    """What the data say of a theory.

    Attributes
    ----------
    theory : Theory
        As appraised (constructs without data are projected out).
    fit : Fit
    claims : tuple of Proposition
        The propositions judged, in the order of the theory.
    sesoi : tuple of float
        Smallest effect size of interest of each claim, standardized.
    alpha, level : float
        Level of each family of tests, and confidence level.
    withheld : str
        Why there are no verdicts; empty if there are.
    estimation : tuple of str
        What the data decided about estimator and missing values, and why.
    own_rivals : tuple of (str, Theory or str)
        Rivals that the user added: name, and theory or model text.
    """

    theory: Theory
    fit: Fit
    claims: tuple[Proposition, ...]
    sesoi: tuple[float, ...]
    alpha: float
    level: float
    withheld: str
    estimation: tuple[str, ...] = ()
    own_rivals: tuple[tuple[str, Theory | str], ...] = ()

    @property
    def rule(self) -> str:
        """The rule behind the verdicts, in words."""
        return RULE

    def part(self, name: str) -> Told:
        """Return a part of the appraisal as a table with heading and notes, which prints itself; computed once.

        Parameters
        ----------
        name : str
            One of :attr:`parts`.

        Raises
        ------
        OptionError
            If there is none of that name.
        """
        key = str(name)
        if key not in self._computed:
            self._computed[key] = compute_part(key, self)
        return self._computed[key]

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts."""
        return tuple(PARTS)

    @cached_property
    def _computed(self) -> dict[str, Told]:
        return {}

    @cached_property
    def saturated(self) -> Fit:
        """The saturated structure (see :mod:`trustsem.appraisal.structure`), fitted to the same rows in the same way."""
        return fit_saturated(self.fit)

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """Standardized solution with the unstandardized estimates beside it, for the rows of the claims; NaN where groups have one each."""
        import pandas as pd

        standard = self.fit.standardized_solution(level=self.level)
        raw = self.fit.parameter_estimates(level=self.level)
        standard = standard.assign(est=raw["est"], se_est=raw["se"])
        names = {construct.name: construct.variable for construct in self.theory.nodes}
        if self.fit.model.table.n_groups > 1:
            blank = pd.DataFrame({"lhs": [names[claim.effect] for claim in self.claims], "rhs": [names[claim.cause] for claim in self.claims]})
            return blank.assign(**dict.fromkeys(("est_std", "se", "ci_lower", "ci_upper", "est", "se_est"), np.nan))
        paths = standard[standard["op"] == "~"].set_index(["lhs", "rhs"])
        return paths.loc[[(names[claim.effect], names[claim.cause]) for claim in self.claims]].reset_index()

    @property
    def _judged(self) -> np.ndarray:
        """Which claims (C,) state a direction; a derived arrow whose routes disagree does not."""
        return np.array([claim.sign in _DIRECTION for claim in self.claims], dtype=bool)

    @cached_property
    def judgement(self) -> Judgement | None:
        """Adjusted p-values and verdicts of the claims that state a direction; None if there can be none."""
        if self.withheld:
            return None
        table, judged = self.estimates, self._judged
        signs = [_DIRECTION[claim.sign] for claim in self.claims if claim.sign in _DIRECTION]
        estimate, error = table["est_std"].to_numpy(float), table["se"].to_numpy(float)
        return judge(estimate[judged], error[judged], np.array(self.sesoi)[judged], signs, self.alpha)

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """One row per proposition.

        Columns: ``id cause effect sign est se std std_se ci_lower ci_upper`` (the interval is that of ``std``, unadjusted) ``p_zero p_equivalent
        p_size`` (Holm-adjusted) ``sesoi verdict size_shown severity derived mark``; severity is that of "in the stated direction", after the data.
        """
        import pandas as pd

        table, judged = self.estimates, self.judgement
        count, stated = len(self.claims), self._judged

        def spread(values: Any, otherwise: Any) -> np.ndarray:
            column = np.full(count, otherwise, dtype=object if isinstance(otherwise, str) else None)
            if judged is not None:
                column[stated] = values
            return column

        none = "no verdict" if judged is None else "no direction stated"
        return pd.DataFrame(
            {
                "id": [claim.id for claim in self.claims],
                "cause": [claim.cause for claim in self.claims],
                "effect": [claim.effect for claim in self.claims],
                "sign": [claim.sign for claim in self.claims],
                "est": table["est"].to_numpy(),
                "se": table["se_est"].to_numpy(),
                "std": table["est_std"].to_numpy(),
                "std_se": table["se"].to_numpy(),
                "ci_lower": table["ci_lower"].to_numpy(),
                "ci_upper": table["ci_upper"].to_numpy(),
                "p_zero": spread(judged and judged.p_zero, np.nan),
                "p_equivalent": spread(judged and judged.p_equivalent, np.nan),
                "p_size": spread(judged and judged.p_size, np.nan),
                "sesoi": list(self.sesoi),
                "verdict": spread(judged and list(judged.verdict), none),
                "size_shown": spread(judged and judged.size_shown, False),
                "severity": spread(judged and judged.severity, np.nan),
                "derived": [claim.derived for claim in self.claims],
                "mark": [claim.mark for claim in self.claims],
            }
        )

    @cached_property
    def exact_fit(self) -> dict[str, Chisq]:
        """The test of exact fit: ``"plain"`` (scaled if the fit says so), and ``"swain"``, corrected for sample size, by which fit is judged."""
        scaled = self.fit.options.scaled_test is not None
        plain_test = Chisq(self.fit.scaled.statistic, self.fit.scaled.df) if scaled else self.fit.chisq
        variables = len(self.fit.model.blocks[0].observed)
        return {"plain": plain_test, "swain": swain(plain_test, variables, self.fit.nobs)}

    # Parts as tables

    @property
    def severity(self) -> pd.DataFrame:
        """How severely each claim was tested, and what this design could have shown; see :func:`trustsem.severity`."""
        return self.part("severity").frame

    @property
    def forbidden(self) -> pd.DataFrame:
        """The arrows that the theory leaves out: holds, violated, cannot tell; see :func:`trustsem.forbidden`."""
        return self.part("forbidden").frame

    @property
    def independencies(self) -> pd.DataFrame:
        """The conditional independencies that the theory implies, tested; see :func:`trustsem.independencies`."""
        return self.part("independencies").frame

    @property
    def mechanism(self) -> pd.DataFrame:
        """Every route from causes to outcomes; see :func:`trustsem.mechanism`."""
        return self.part("mechanism").frame

    @property
    def rivals(self) -> pd.DataFrame:
        """Every rival: compared, or refused with the reason; see :func:`trustsem.tournament`."""
        return self.part("rivals").frame

    @property
    def equivalent(self) -> pd.DataFrame:
        """Which arrows have a direction that these data cannot tell; see :func:`trustsem.equivalent_theories`."""
        return self.part("equivalent").frame

    @property
    def identification(self) -> pd.DataFrame:
        """Estimates of each claim by several methods side by side; see :func:`trustsem.triangulate`."""
        return self.part("identification").frame

    @property
    def sensitivity(self) -> pd.DataFrame:
        """How strong what was left out would have to be to change each verdict; see :func:`trustsem.sensitivity`."""
        return self.part("sensitivity").frame

    # Telling

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know about the verdicts."""
        return notes_of(self)

    @property
    def seeds(self) -> dict[str, int]:
        """Seeds of what was drawn at random, by part, of the parts computed so far."""
        return {name: int(part.seed) for name, part in self._computed.items() if hasattr(part, "seed")}

    def __str__(self) -> str:
        return text_of(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_of(self)

    def to_json(self, parts: Sequence[str] | None = None) -> str:
        """Return everything that the appraisal says as JSON, with conventions, versions, seeds and the fingerprint of the data.

        Parameters
        ----------
        parts : sequence of str, optional
            Names of the parts to include; all by default, which takes seconds.

        Returns
        -------
        str
            As ``trustsem/appraisal/appraisal.schema.json`` describes it.

        Raises
        ------
        OptionError
            For a part that does not exist.
        """
        return appraisal_to_json(self, parts)
