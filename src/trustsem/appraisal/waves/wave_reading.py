"""What the caller of a panel analysis asks for, as a theory, further arrows and a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from trustsem.appraisal.waves.wave_columns import WaveData
from trustsem.appraisal.waves.wave_models import INVARIANCE, Arrow, WaveModel
from trustsem.data.sample import Sample
from trustsem.errors import NotAvailableError, OptionError, TheoryError
from trustsem.options import choose
from trustsem.theory import Proposition, Theory, load_theory
from trustsem.theory.marks import Provenance
from trustsem.theory.types import SIGNS

__all__ = ["chosen_theory", "read_lagged", "wave_model"]

_NEEDED: Mapping[str, int] = MappingProxyType({"cross_lagged": 2, "random_intercept": 3, "growth": 3})
_ARROW = "->"


def chosen_theory(theory: Theory | str, constructs: Sequence[str] | None, caller: str) -> Theory:
    """Return the theory about some constructs; the others are projected out.

    Raises
    ------
    TheoryError
        For what is no theory, and for a construct that it does not have.
    OptionError
        For fewer than two constructs.
    """
    if isinstance(theory, str):
        theory = load_theory(theory)
    if not isinstance(theory, Theory):
        raise TheoryError(f"{caller}() needs a Theory, or the name or path of one, not {type(theory).__name__!r}.")
    if constructs is None:
        return theory
    if isinstance(constructs, str) or len(set(constructs)) < 2:
        raise OptionError(f"constructs={constructs!r} are not at least two constructs. Give a list of names, such as ['Trust', 'Outcomes'].")
    for name in constructs:
        theory.construct(name)
    others = [node.name for node in theory.nodes if node.name not in constructs]
    return theory.drop(*others) if others else theory


def read_lagged(theory: Theory, form: str, lagged: str | Iterable[str] | Mapping[str, str]) -> tuple[Proposition, ...]:
    """Return the arrows that the caller adds, as propositions.

    Raises
    ------
    OptionError
        For what is no arrow, a sign that is none, an arrow that the theory has already, and growth, which has no lags.
    TheoryError
        For a construct that the theory does not have.
    """
    pairs = dict(lagged) if isinstance(lagged, Mapping) else dict.fromkeys((lagged,) if isinstance(lagged, str) else tuple(lagged), "+")
    if pairs and form == "growth":
        raise OptionError("lagged= adds effects of one wave on the next, which growth does not have. Use form='cross_lagged' or 'random_intercept'.")
    claimed = {(claim.cause, claim.effect) for claim in theory.claims}
    found = []
    for k, (text, sign) in enumerate(pairs.items(), start=1):
        parts = [part.strip() for part in str(text).split(_ARROW)]
        if len(parts) != 2 or not all(parts):
            raise OptionError(f"lagged= holds {text!r}, which is no arrow. Write 'Outcomes -> Trust'.")
        if sign not in SIGNS:
            raise OptionError(f"lagged= gives {text!r} the sign {sign!r}. Give '+' or '-'.")
        cause, effect = (theory.construct(part).name for part in parts)
        if cause == effect or (cause, effect) in claimed:
            raise OptionError(f"lagged= adds {text!r}, which the model has already. Leave it out.")
        found.append(added_claim(theory, f"L{k}", cause, effect, sign, "Added by the user."))
    return tuple(found)


def added_claim(theory: Theory, name: str, cause: str, effect: str, sign: str, note: str) -> Proposition:
    """Return an arrow that the theory does not have as a proposition with the theory's smallest effect of interest."""
    verb = "raises" if sign == "+" else "lowers"
    provenance = (Provenance("I", what="arrow", note=note),)
    return Proposition(name, cause, effect, sign, f"{cause} {verb} {effect} one wave later.", float(theory.sesoi.value), provenance)


def wave_model(
    theory: Theory, data: WaveData, form: str, arrows: Sequence[Arrow], equal: bool, invariance: str | None, times: Sequence[float] | None
) -> WaveModel:
    """Return the model that is asked for.

    Raises
    ------
    OptionError
        For too few waves, an invariance that is none or does not suit growth, and times that are not one increasing number for each wave.
    NotAvailableError
        Where means are needed that the data do not have.
    """
    count = len(data.suffixes)
    if count < _NEEDED[form]:
        raise OptionError(f"form={form!r} takes at least {_NEEDED[form]} waves, and there are {count}. Use form='cross_lagged'.")
    held = choose("invariance", ("scalar" if form == "growth" else "loadings") if invariance is None else invariance, INVARIANCE)
    latent = any(part.latent for part in data.constructs)
    if form == "growth" and latent and held != "scalar":
        raise OptionError(f"invariance={held!r} does not suit growth: without equal intercepts nobody knows what has grown. Leave invariance= out.")
    means = form == "growth" or (latent and held == "scalar")
    if means and not _has_means(data):
        raise NotAvailableError("Growth and equal intercepts are about means, which these data do not have. Give sample_mean=, or the rows.")
    associated = tuple((pair.left, pair.right) for pair in theory.covariances if pair.free)
    return WaveModel(form, data.constructs, data.suffixes, tuple(arrows), associated, equal, held, means, _read_times(times, form, count))


def _has_means(data: WaveData) -> bool:
    if isinstance(data.data, Sample):
        return all(block.mean is not None for block in data.data.blocks)
    return data.data is not None or data.options.get("sample_mean") is not None


def _read_times(times: Any, form: str, count: int) -> tuple[float, ...]:
    if times is None:
        return tuple(float(wave) for wave in range(count)) if form == "growth" else ()
    values = np.atleast_1d(np.asarray(times, dtype=np.float64)) if isinstance(times, Sequence) and not isinstance(times, str) else np.empty(0)
    if form != "growth" or values.shape != (count,) or not np.isfinite(values).all() or not (np.diff(values) > 0.0).all():
        raise OptionError(f"times={times!r} must be {count} increasing numbers, one for each wave, and goes with form='growth'.")
    return tuple(values.tolist())
