"""What the tests of absences share: the smallest size of interest, and the names of constructs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustsem.errors import OptionError

if TYPE_CHECKING:
    from trustsem.appraisal.result import Appraisal

__all__ = ["check_size", "construct_names", "smallest_size"]


def smallest_size(appraisal: Appraisal, sesoi: float | None) -> float:
    """Return the smallest size of interest of what is claimed to be absent: as given, else that of the claims if they have one, else the theory's.

    Raises
    ------
    OptionError
        If it is not between 0 and 1.
    """
    if sesoi is not None:
        return check_size("sesoi", sesoi)
    own = set(appraisal.sesoi)
    return float(own.pop()) if len(own) == 1 else float(appraisal.theory.sesoi.value)


def check_size(name: str, value: float) -> float:
    """Return a size, or refuse what is none.

    Raises
    ------
    OptionError
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0.0 < value < 1.0:
        raise OptionError(f"{name}={value!r} is not a size of interest. Give a standardized value between 0 and 1, such as 0.1.")
    return float(value)


def construct_names(appraisal: Appraisal) -> dict[str, str]:
    """Return the name of the construct of each structural variable: another one where a single column stands for it."""
    return {node.variable: node.name for node in appraisal.theory.nodes}
