"""What was observed: frames and summary statistics become a :class:`Sample`; shipped data sets."""

from __future__ import annotations

from trustsem.data.datasets import datasets, load_codebook, load_dataset, load_summary
from trustsem.data.frames import sample_from_frame
from trustsem.data.matrices import cor2cov, cov_from_lower
from trustsem.data.sample import BlockSample, DroppedRows, Sample
from trustsem.data.summary import sample_from_moments
from trustsem.data.tables import read_table

__all__ = [
    "BlockSample",
    "DroppedRows",
    "Sample",
    "cor2cov",
    "cov_from_lower",
    "datasets",
    "load_codebook",
    "load_dataset",
    "load_summary",
    "read_table",
    "sample_from_frame",
    "sample_from_moments",
]
