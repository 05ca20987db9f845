"""A theory of change: what is claimed, by whom, and how it becomes a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trustsem.errors import TheoryError, TrustsemWarning, closest
from trustsem.model.population import Population
from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for
from trustsem.spec.table import ParameterTable
from trustsem.theory import added, frames, text, variants
from trustsem.theory.dump import dump_toml
from trustsem.theory.forms import composite_means, with_strategies
from trustsem.theory.marks import Fact, Source, Statement
from trustsem.theory.presets import population_values
from trustsem.theory.rival_claim import RivalClaim
from trustsem.theory.rivals import Rival, contend, rival_theory
from trustsem.theory.syntax import lavaan_syntax
from trustsem.theory.types import Construct, Measure, Preset, Proposition, ResidualCovariance, Step, Strategy

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Theory"]


@dataclass(frozen=True)
class Theory:
    """A theory of change as an immutable value.

    Read one with :func:`trustsem.theory.load_theory`. Methods that change something return another theory.

    Attributes
    ----------
    id, title, summary, citation, doi, licence : str
        What it is and who says so.
    sesoi : Fact
        Smallest effect of interest of claims that state none (standardized).
    nodes : tuple of Construct
        The constructs; :attr:`constructs` shows them as a frame.
    practices : tuple of Strategy
        The strategies; :attr:`strategies` shows them as a frame.
    claims : tuple of Proposition
        The propositions; :attr:`propositions` shows them as a frame.
    covariances : tuple of ResidualCovariance
        Free or fixed to zero.
    instruments : tuple of Measure
        The measures; :attr:`measures` shows them as a frame.
    presets : tuple of Preset
        Population values.
    contenders : tuple of RivalClaim
        Rivals before they are applied; see :meth:`rivals`.
    statements : tuple of Statement
        What else is said or left open.
    sources : tuple of Source
        What was read.
    may_claim, may_not_claim : tuple of str
        What a user of this encoding may and may not say.
    form : str
        ``"reflective"``, ``"composites"`` or ``"predictors"``: how the strategies enter.
    root : Theory or None
        The theory that a variant was made from; None if this is it.
    steps : tuple of Step
        How.
    notices : tuple of (str, str)
        Codes and details of warnings.
    """

    id: str
    title: str
    summary: str
    citation: str
    doi: str
    licence: str
    sesoi: Fact
    nodes: tuple[Construct, ...]
    practices: tuple[Strategy, ...]
    claims: tuple[Proposition, ...]
    covariances: tuple[ResidualCovariance, ...]
    instruments: tuple[Measure, ...]
    presets: tuple[Preset, ...]
    contenders: tuple[RivalClaim, ...]
    statements: tuple[Statement, ...]
    sources: tuple[Source, ...]
    may_claim: tuple[str, ...] = ()
    may_not_claim: tuple[str, ...] = ()
    form: str = "reflective"
    root: Theory | None = None
    steps: tuple[Step, ...] = ()
    notices: tuple[tuple[str, str], ...] = ()

    # What is in it

    @property
    def constructs(self) -> pd.DataFrame:
        """One row per construct."""
        return frames.construct_frame(self)

    @property
    def propositions(self) -> pd.DataFrame:
        """One row per claim, with the name of its parameter in :meth:`model`."""
        return frames.proposition_frame(self)

    @property
    def strategies(self) -> pd.DataFrame:
        """One row per strategy."""
        return frames.strategy_frame(self)

    @property
    def measures(self) -> pd.DataFrame:
        """One row per instrument; what nobody has checked says so."""
        return frames.measure_frame(self)

    @property
    def provenance(self) -> pd.DataFrame:
        """One row per claim or part of a claim: its mark, what the mark means, the source and a note."""
        return frames.provenance_frame(self)

    @property
    def warnings(self) -> tuple[TrustsemWarning, ...]:
        """What a reader of results from this variant has to know."""
        return tuple(TrustsemWarning(code, detail) for code, detail in self.notices)

    def construct(self, name: str) -> Construct:
        """Return one construct.

        Raises
        ------
        TheoryError
            If there is none of that name.
        """
        return variants.find_construct(self, name)

    # As a model

    def syntax(self, *, strategies: str | None = None) -> str:
        """Return the theory as lavaan syntax.

        Parameters
        ----------
        strategies : {"reflective", "composites", "predictors"}, optional
            The form of the strategies; that of this variant if left out.

        Returns
        -------
        str
            Complete: residual covariances that defaults would free, but the theory does not, are written as ``0*``.
        """
        theory = self if strategies is None else self.with_strategies(strategies)
        return lavaan_syntax(theory.nodes, theory.claims, theory.covariances)

    def model(self, *, strategies: str | None = None) -> ParameterTable:
        """Return the theory as a parameter table, with the defaults of ``sem``.

        Parameters
        ----------
        strategies : {"reflective", "composites", "predictors"}, optional
            As for :meth:`syntax`.
        """
        return build_table(self.syntax(strategies=strategies), defaults_for("sem"))

    def population(self, preset: str, *, paths: Mapping[str, float] | None = None, loadings: Mapping[str, float] | None = None) -> Population:
        """Return the model of this theory with population values.

        Parameters
        ----------
        preset : str
            Name of a preset. Constructs and indicators have variance 1.
        paths : mapping of str to float, optional
            Standardized paths to replace or add, such as ``{"Trust -> Outcomes": 0.12}``.
        loadings : mapping of str to float, optional
            Standardized loadings to replace, by construct.

        Returns
        -------
        Population

        Raises
        ------
        TheoryError
            If there is no such preset, a path has no value, or the values are impossible together.

        Notes
        -----
        A preset that belongs to a rival (the COM-B order, for instance) gives the population of that rival. Residual correlations of the
        preset apply where the covariance is free, hence not in :meth:`strict`. An observed composite takes the place of its construct, path
        for path; nine predictors get equal weights such that their composites do.
        """
        chosen = variants.find_preset(self, preset)
        if chosen.rival:
            claim = next(claim for claim in self.contenders if claim.id == chosen.rival)
            try:
                rival = rival_theory(self, claim)
            except TheoryError as error:
                raise TheoryError(f"The preset {preset!r} belongs to the rival {claim.id}, which is not available here. {error}") from error
            return rival.population(preset, paths=paths, loadings=loadings)
        values = population_values(self, chosen, paths or {}, loadings or {})
        # In a population covariates have moments of their own.
        table = build_table(self.syntax(), replace(defaults_for("sem"), fixed_x=False))
        return Population(table, {name: values[name] for name in table.parameter_names()})

    # Variants

    def with_indicators(self, indicators: Mapping[str, Sequence[str] | str]) -> Theory:
        """Return the theory for the user's own columns.

        Parameters
        ----------
        indicators : mapping of str to sequence of str
            Columns by construct. A construct with one column is that column. Constructs that are not named are projected out, which
            :attr:`warnings` says.

        Raises
        ------
        TheoryError
            For an unknown construct, a column that is used twice, or that cannot be a name in model text.
        """
        return variants.with_indicators(self, variants.column_pairs(indicators))

    def with_path(
        self, cause: str, effect: str, *, sign: str = "+", sesoi: float | None = None, statement: str = "", value: float | None = None
    ) -> Theory:
        """Return the theory with one claim more.

        Parameters
        ----------
        cause, effect : str
            Names of constructs.
        sign : {"+", "-"}
            Claimed direction.
        sesoi : float, optional
            Smallest effect of interest; that of the theory if left out.
        statement : str
            The claim in words.
        value : float, optional
            Standardized population value for every preset of the theory itself. Without it a population needs ``paths=``.

        Raises
        ------
        TheoryError
            For unknown constructs, a claim that exists, a wrong sign or size, or a cycle.
        """
        return variants.with_path(self, cause, effect, sign, sesoi, statement, value)

    def without_path(self, cause: str, effect: str) -> Theory:
        """Return the theory without one claim.

        Raises
        ------
        TheoryError
            If there is no such claim.

        Notes
        -----
        A construct that nothing explains any more is a predictor, and as such may covary with the other predictors.
        """
        return variants.without_path(self, cause, effect)

    def with_construct(
        self, name: str, indicators: Sequence[str] | str, *, beside: str | None = None, title: str = "", definition: str = ""
    ) -> Theory:
        """Return the theory with one construct more, which causes nothing yet.

        Parameters
        ----------
        name : str
            Name of the construct in model text.
        indicators : str or sequence of str
            Its columns. With one column it is that column.
        beside : str, optional
            A construct whose causes it shares, and with whose residual its own is free to covary. Without it the construct is a predictor, which
            covaries with the other predictors.
        title, definition : str
            For people. For a construct that a rival is about they are known.

        Raises
        ------
        TheoryError
            For a name that is taken or cannot be one, an unknown `beside`, or columns that cannot be used.

        Notes
        -----
        A rival about a construct that the theory does not have can be stated once it is there. The presets give no values to its paths:
        ``population(..., paths=...)`` takes them.
        """
        ((_, columns),) = variants.column_pairs({name: indicators})
        return added.with_construct(self, name, columns, beside, title, definition)

    def split(self, name: str, parts: Mapping[str, Sequence[str] | str]) -> Theory:
        """Return the theory with one construct taken apart, such as trust into affect-based and cognition-based trust.

        Parameters
        ----------
        name : str
            The construct.
        parts : mapping of str to sequence of str
            Its columns by part; each column belongs to one part.

        Raises
        ------
        TheoryError
            For an unknown construct, one of a single column, fewer than two parts, names that are taken, or columns that are left out or strange.

        Notes
        -----
        Each part has the causes and the effects of the whole (derived claims) and its residual covariances; the residuals of the parts are free to
        covary. The presets give no values to the paths of the parts.
        """
        return added.split(self, name, variants.column_pairs(parts))

    def drop(self, *constructs: str) -> Theory:
        """Return the theory without some constructs, by latent projection.

        Parameters
        ----------
        *constructs : str
            Names of constructs.

        Raises
        ------
        TheoryError
            For an unknown construct, or if none would be left.

        Notes
        -----
        Parents point to children, children of a dropped construct get a residual covariance, and so do those who shared one with it.
        Where arrow and residual covariance would both join two constructs, they are folded into the arrow if that loses nothing; the
        arrow then says so. Otherwise a warning is recorded, because such a model may not be identified.
        """
        return variants.drop(self, *constructs)

    def strict(self) -> Theory:
        """Return the theory with the residual covariances that it states fixed to zero (those of dropped constructs stay)."""
        return variants.strict(self)

    def with_strategies(self, form: str) -> Theory:
        """Return the theory with the strategies in another form.

        Parameters
        ----------
        form : {"reflective", "composites", "predictors"}
            Indicators of latent variables; one observed composite for each set (see :meth:`composites`); or every strategy a predictor.

        Raises
        ------
        TheoryError
            For an unknown form, a theory without strategies, or one whose strategies have another form already.
        """
        return with_strategies(self, form)

    def composites(self, frame: pd.DataFrame, *, minimum: int | None = None) -> pd.DataFrame:
        """Return `frame` with the composites that the composite form needs.

        Parameters
        ----------
        frame : DataFrame
            With the items as columns.
        minimum : int, optional
            Smallest number of answered items for which the mean of those is taken; all of them if left out.

        Returns
        -------
        DataFrame
            A copy with one column more for each composite.

        Raises
        ------
        TheoryError
            If the theory has no composites.
        DataError
            If items are missing from the frame, are not numbers, or a composite is there already.
        """
        items = {node.variable: node.items for node in self.nodes if node.items}
        if not items:
            raise TheoryError("This theory has no composites. Ask for them with with_strategies('composites').")
        return composite_means(frame, items, minimum)

    # Rivals

    def rivals(self) -> tuple[Rival, ...]:
        """Return all rivals, applied to this variant."""
        return tuple(contend(self, claim) for claim in self.contenders)

    def rival(self, name: str) -> Rival:
        """Return one rival.

        Raises
        ------
        TheoryError
            If there is none of that id.
        """
        for claim in self.contenders:
            if claim.id == name:
                return contend(self, claim)
        known = [claim.id for claim in self.contenders]
        raise TheoryError(f"{self.id} has no rival {name!r}. It has {', '.join(known) or 'none'}.{closest(name, known)}")

    # For people

    def to_toml(self) -> str:
        """Return the theory as a theory file.

        Raises
        ------
        TheoryError
            If it is a variant; write :attr:`root` and repeat the changes on what is read.
        """
        return dump_toml(self)

    def __str__(self) -> str:
        return text.plain(self)

    def _repr_html_(self) -> str:
        return text.html(self)
