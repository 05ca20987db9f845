"""What designs cost, and how they compare."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from trustsem.display import wrap
from trustsem.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BestDesign", "CostModel", "Costed"]


@dataclass(frozen=True)
class CostModel:
    """What a study costs.

    Parameters
    ----------
    per_person : float
        For each person, once.
    per_team : float
        For each team.
    per_item : float
        For each question that a person is asked.
    per_wave : float
        For each wave.
    fixed : float

    Raises
    ------
    OptionError
        For costs that are negative, or all 0.
    """

    per_person: float = 0.0
    per_team: float = 0.0
    per_item: float = 0.0
    per_wave: float = 0.0
    fixed: float = 0.0

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < math.inf:
                raise OptionError(f"{option.name}={value!r} is no cost. Give a number of at least 0.")
        if not (self.per_person or self.per_item or self.per_team):
            raise OptionError("CostModel() needs per_person=, per_item= or per_team=: otherwise a larger sample costs nothing. Give one of them.")

    def cost(self, persons: float, teams: float = 0.0, items: float = 0.0, waves: float = 1.0) -> float:
        """Return what a study costs: `items` is the number of questions that each person is asked."""
        return float(self.fixed + self.per_person * persons + self.per_team * teams + self.per_item * items * persons + self.per_wave * waves)


@dataclass(frozen=True)
class Costed:
    """A design with its cost and power.

    Attributes
    ----------
    design : str
    n, teams : int
    items : float
        Questions that each person is asked, on average.
    waves : int
    cost : float
    analytic : float
        Smallest power over the propositions by large-sample theory; NaN where there is none.
    power, mc_error : float
        Smallest power over the propositions by simulation; NaN if it was not simulated.
    weakest : str
        The proposition with the smallest power.
    converged : float
        Share of replications.
    reason : str
        Why it was not simulated; empty if it was.
    """

    design: str
    n: int = 0
    teams: int = 0
    items: float = math.nan
    waves: int = 1
    cost: float = math.nan
    analytic: float = math.nan
    power: float = math.nan
    mc_error: float = math.nan
    weakest: str = ""
    converged: float = math.nan
    reason: str = ""


@dataclass(frozen=True)
class BestDesign:
    """The designs that were compared.

    Attributes
    ----------
    best : str or None
        Name of the design with the largest smallest power; None if none is affordable.
    budget : float
    designs : tuple of Costed
        The most powerful first.
    alpha : float
    replications : int
        Of each design that was simulated.
    close : tuple of str
        Designs whose power differs from that of the best one by less than two standard errors.
    """

    best: str | None
    budget: float
    designs: tuple[Costed, ...]
    alpha: float
    replications: int
    close: tuple[str, ...] = ()

    @property
    def frame(self) -> pd.DataFrame:
        """One row per design, the most powerful first, with the attributes of :class:`Costed` as columns."""
        import pandas as pd

        return pd.DataFrame([{option.name: getattr(one, option.name) for option in fields(Costed)} for one in self.designs])

    def __repr__(self) -> str:
        if self.best is None:
            lines = [f"No design is affordable with a budget of {self.budget:,g}"]
        else:
            top = self.designs[0]
            lines = wrap(
                f"Best design for a budget of {self.budget:,g}: {self.best}, n = {top.n:,}, cost {top.cost:,g}, power {top.power:.3f} "
                f"(Monte Carlo error {top.mc_error:.3f}; alpha = {self.alpha:g}; weakest: {top.weakest})"
            )
            lines += wrap(f"Not told apart from it by {self.replications:,} replications: {', '.join(self.close)}", indent="  ") if self.close else []
        return "\n".join([*lines, "", self.frame.drop(columns="reason").to_string(index=False, float_format="{:.3f}".format)])
