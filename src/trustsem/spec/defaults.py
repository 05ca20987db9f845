"""What is filled in when model text leaves it out, per kind of model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from trustsem.errors import OptionError, closest

__all__ = ["Defaults", "defaults_for"]

Kind = Literal["sem", "cfa", "growth", "lavaan"]


@dataclass(frozen=True)
class Defaults:
    """The automatic part of a model. Change a field with :func:`dataclasses.replace`.

    Attributes
    ----------
    meanstructure : bool or None
        Whether intercepts are part of the model. None: if the text mentions one, if there are several groups, or if `group_equal` asks
        for equal intercepts or means. Intercepts written in the text always bring a mean structure.
    int_ov_free, int_lv_free : bool
        Whether automatic intercepts of observed and of latent variables are free (else 0).
    fixed_x : bool
        Whether the moments of observed exogenous covariates are taken from the sample instead of estimated.
    orthogonal, orthogonal_x, orthogonal_y : bool
        Whether automatic covariances of latent variables (all, exogenous ones, outcomes) are fixed to 0.
    std_lv : bool
        Whether latent variances are 1 instead of the first loading.
    auto_fix_first : bool
        Whether the loading of the first indicator is 1 (not with `std_lv`).
    auto_fix_single : bool
        Whether the only indicator of a latent variable has no residual variance.
    auto_var : bool
        Whether automatic variances are free (else 0).
    auto_cov_lv_x, auto_cov_y : bool
        Whether exogenous latent variables, and outcomes that predict nothing, covary.
    auto_th, auto_delta, auto_efa : bool
        Thresholds, scaling factors and rotation constraints; kept for categorical data and exploratory blocks.
    """

    meanstructure: bool | None = None
    int_ov_free: bool = False
    int_lv_free: bool = False
    fixed_x: bool = True
    orthogonal: bool = False
    orthogonal_x: bool = False
    orthogonal_y: bool = False
    std_lv: bool = False
    auto_fix_first: bool = False
    auto_fix_single: bool = False
    auto_var: bool = False
    auto_cov_lv_x: bool = False
    auto_cov_y: bool = False
    auto_th: bool = False
    auto_delta: bool = False
    auto_efa: bool = False


_AUTOMATIC: Final = Defaults(
    int_ov_free=True,
    auto_fix_first=True,
    auto_fix_single=True,
    auto_var=True,
    auto_cov_lv_x=True,
    auto_cov_y=True,
    auto_th=True,
    auto_delta=True,
    auto_efa=True,
)

_KINDS: Final[Mapping[str, Defaults]] = MappingProxyType(
    {
        "sem": _AUTOMATIC,
        "cfa": _AUTOMATIC,
        "growth": Defaults(**{**vars(_AUTOMATIC), "meanstructure": True, "int_ov_free": False, "int_lv_free": True}),
        "lavaan": Defaults(),
    }
)


def defaults_for(kind: Kind | str) -> Defaults:
    """Return the defaults of a kind of model, as in lavaan.

    Parameters
    ----------
    kind : {"sem", "cfa", "growth", "lavaan"}
        The function whose defaults are wanted; ``"lavaan"`` fills in nothing.

    Returns
    -------
    Defaults

    Raises
    ------
    OptionError
        For another kind.
    """
    if kind not in _KINDS:
        raise OptionError(f"There are no defaults for kind={kind!r}. Allowed: {', '.join(repr(name) for name in _KINDS)}.{closest(kind, _KINDS)}")
    return _KINDS[kind]
