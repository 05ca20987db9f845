"""Mistakes with what a theory forbids: sizes, diagrams, composites, tetrads."""

from __future__ import annotations

from typing import Any

import numpy as np

import trustsem as ts
from helpers import holzinger
from messages.cases import Mistake, quietly
from trustsem.appraisal.forbidden.basis import implied_independencies
from trustsem.appraisal.forbidden.forbidden import forbidden
from trustsem.appraisal.forbidden.independencies import independencies
from trustsem.appraisal.forbidden.tetrads import tetrads

THREE = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"


def appraisal(**options: Any) -> Any:
    data = ts.load_dataset("survey").dropna().drop(columns="team")
    if options.pop("moments", False):
        options |= {"sample_cov": data.cov(), "sample_nobs": len(data)}
        data = None
    return quietly(ts.appraise, "metz2022", data, **options)


def factors(**options: Any) -> Any:
    return quietly(ts.cfa, THREE, **{"data": holzinger(), **options})


def moments() -> Any:
    data = holzinger()[[f"x{k}" for k in range(1, 10)]]
    return factors(data=None, sample_cov=data.cov(), sample_nobs=len(data))


MISTAKES: dict[str, Mistake] = {
    "forbidden with a size that is none": Mistake(
        lambda: forbidden(appraisal(), sesoi=-0.1), ts.OptionError, ("sesoi=-0.1", "between 0 and 1", "such as 0.1")
    ),
    "forbidden with a loading that is none": Mistake(lambda: forbidden(appraisal(), loading_sesoi=2), ts.OptionError, ("loading_sesoi=2", "0 and 1")),
    "forbidden with a flag that is none": Mistake(
        lambda: forbidden(appraisal(), loadings="yes"), ts.OptionError, ("loadings='yes'", "True or False")
    ),  # type: ignore[arg-type]
    "independencies with a size that is none": Mistake(lambda: independencies(appraisal(), sesoi=1.5), ts.OptionError, ("sesoi=1.5", "0 and 1")),
    "composites of moments": Mistake(
        lambda: independencies(appraisal(moments=True)).composites(), ts.DataError, ("Composites need the rows", "Give data=")
    ),
    "diagram of nothing": Mistake(lambda: implied_independencies(3), ts.OptionError, ("not from 'int'", "theory, model text")),  # type: ignore[arg-type]
    "diagram of one construct": Mistake(lambda: implied_independencies("f =~ a + b + c"), ts.ModelError, ("fewer than two", "Add a construct")),
    "diagram with a cycle": Mistake(
        lambda: implied_independencies("y ~ x + z\nz ~ y + w"), ts.NotAvailableError, ("form a cycle", "Take out an arrow")
    ),
    "diagram of groups": Mistake(
        lambda: implied_independencies(factors(group="school")), ts.NotAvailableError, ("2 groups", "Give the model of one group")
    ),
    "tetrads of text": Mistake(lambda: tetrads(THREE), ts.OptionError, ("needs an appraisal or a fit", "ts.appraise()")),  # type: ignore[arg-type]
    "tetrads at no level": Mistake(lambda: tetrads(factors(), alpha=0.0), ts.OptionError, ("alpha=0.0", "between 0 and 1")),
    "tetrads of groups": Mistake(lambda: tetrads(factors(group="school")), ts.NotAvailableError, ("one group at one level", "separately")),
    "robust tetrads of moments": Mistake(lambda: tetrads(moments(), robust=True), ts.DataError, ("need the rows", "robust=False")),
    "tetrads with a flag that is none": Mistake(lambda: tetrads(factors(), robust=np.pi), ts.OptionError, ("robust=3.14", "True or False")),  # type: ignore[arg-type]
}
