"""The parts of an appraisal, beside its verdicts: what each is called and what computes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from trustsem.appraisal.diagrams.equivalent import equivalent_theories
from trustsem.appraisal.forbidden.forbidden import forbidden
from trustsem.appraisal.forbidden.independencies import independencies
from trustsem.appraisal.forbidden.tetrads import tetrads
from trustsem.appraisal.identification.triangulate import triangulate
from trustsem.appraisal.mechanism.mechanism import mechanism
from trustsem.appraisal.rivals.cross_validation import cross_validate
from trustsem.appraisal.rivals.tournament import tournament
from trustsem.appraisal.sensitivity.sensitivity import sensitivity
from trustsem.appraisal.severity.severity import severity
from trustsem.appraisal.told import Told
from trustsem.errors import OptionError, TrustsemError, closest
from trustsem.studies.executors import one_thread

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PARTS", "Unavailable", "compute_part"]


@dataclass(frozen=True, eq=False, repr=False)
class Unavailable(Told):
    """A part that these data or this model do not allow, with the reason.

    Attributes
    ----------
    heading : str
    frame : DataFrame
        Empty.
    notes : tuple of str
        The reason.
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]


PARTS: Mapping[str, Callable[[Any], Told]] = MappingProxyType(
    {
        "severity": severity,
        "forbidden": forbidden,
        "independencies": independencies,
        "tetrads": tetrads,
        "mechanism": mechanism,
        "rivals": tournament,
        "cross_validation": cross_validate,
        "equivalent": equivalent_theories,
        "identification": triangulate,
        "sensitivity": sensitivity,
    }
)


def compute_part(name: str, appraisal: Any) -> Told:
    """Return a part of an appraisal; what cannot be done is a part too, and says why.

    Raises
    ------
    OptionError
        If there is no part of that name.
    """
    import pandas as pd

    if name not in PARTS:
        raise OptionError(f"An appraisal has no part {name!r}. It has {', '.join(PARTS)}.{closest(str(name), PARTS)}")
    try:
        with one_thread():  # matrices are small: threads would wait for each other
            return PARTS[name](appraisal)
    except TrustsemError as error:
        return Unavailable(f"{name.replace('_', ' ').capitalize()}: not available", pd.DataFrame(), (str(error),))
