"""An appraisal as JSON: everything it says, and what it rests on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from trustsem.appraisal.parts import PARTS
from trustsem.appraisal.told import records
from trustsem.fitting.serialise import plain, versions
from trustsem.spec.export import to_lavaan

if TYPE_CHECKING:
    from trustsem.appraisal.result import Appraisal

__all__ = ["SCHEMA", "appraisal_to_json", "schema_text"]

SCHEMA = "trustsem.appraisal/2"


def schema_text() -> str:
    """Return the JSON Schema (draft 2020-12) that :func:`appraisal_to_json` keeps to."""
    return files("trustsem.appraisal").joinpath("appraisal.schema.json").read_text(encoding="utf-8")


def appraisal_to_json(appraisal: Appraisal, parts: Sequence[str] | None = None) -> str:
    """See :meth:`Appraisal.to_json`."""
    fit, theory = appraisal.fit, appraisal.theory
    sample = fit.sample
    chosen = tuple(PARTS) if parts is None else tuple(parts)
    return json.dumps(
        {
            "schema": SCHEMA,
            "versions": versions(),
            "theory": {"id": theory.id, "title": theory.title, "citation": theory.citation, "doi": theory.doi, "form": theory.form},
            "rule": appraisal.rule,
            "alpha": appraisal.alpha,
            "level": appraisal.level,
            "withheld": appraisal.withheld,
            "status": {"converged": fit.converged, "reason": fit.reason, "identified": fit.identified, "admissible": fit.admissible},
            "verdicts": records(appraisal.verdicts),
            "exact_fit": {
                name: {"chisq": plain(test.statistic), "df": plain(test.df), "pvalue": plain(test.pvalue)}
                for name, test in appraisal.exact_fit.items()
            },
            "parts": {name: appraisal.part(name).to_dict() for name in chosen},
            "notes": list(appraisal.notes),
            "warnings": [{"code": warning.code, "detail": warning.detail, "remedy": warning.remedy} for warning in fit.warnings],
            "model": to_lavaan(fit.model.table),
            "conventions": fit.options.conventions(),
            "seeds": appraisal.seeds,
            "data": {
                "nobs": fit.nobs,
                "variables": list(sample.names),
                "cluster": sample.cluster,
                "n_clusters": _n_clusters(sample.blocks),
                "rows_dropped": sample.n_dropped,
                "fingerprint": sample.fingerprint(),
            },
        },
        indent=2,
        ensure_ascii=False,
        allow_nan=False,
    )


def _n_clusters(blocks: Any) -> int | None:
    counts = [int(block.clusters.max()) + 1 for block in blocks if block.clusters is not None]
    return sum(counts) if counts else None
