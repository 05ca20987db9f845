from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from trustsem.data import BlockSample, Sample, sample_from_frame, sample_from_moments
from trustsem.data.sample import drop_record
from trustsem.errors import DataError


@pytest.fixture
def sample() -> Sample:
    rows = np.random.default_rng(3).normal(size=(40, 3))
    return sample_from_frame({"a": rows[:, 0], "b": rows[:, 1], "c": rows[:, 2]})


def test_properties(sample: Sample) -> None:
    assert sample.names == ("a", "b", "c")
    assert (sample.nobs, sample.n_read, sample.n_dropped) == (40, 40, 0)
    assert sample.group_labels == ("",)
    assert repr(sample) == "Sample(variables=3, nobs=40)"
    assert repr(sample.blocks[0]) == "BlockSample(label='', n=40, p=3, rows)"


def test_repr_tells_groups_and_dropped_rows() -> None:
    data = {"x": [1.0, 2, 4, 3, np.nan, 1], "g": list("aababb")}
    assert repr(sample_from_frame(data, ["x"], group="g")) == "Sample(variables=1, nobs=5, groups=['a', 'b'], dropped=1)"
    assert repr(sample_from_moments([[2.0]], 5, names=["x"]).blocks[0]) == "BlockSample(label='', n=5, p=1, covariances)"
    assert repr(sample_from_moments([[2.0]], 5, [1.0], names=["x"]).blocks[0]) == "BlockSample(label='', n=5, p=1, moments)"


def test_select_reorders_every_array(sample: Sample) -> None:
    chosen = sample.select(["c", "a"])
    block, whole = chosen.blocks[0], sample.blocks[0]
    assert chosen.names == ("c", "a")
    assert block.rows is not None
    assert whole.rows is not None
    assert block.rows.flags.c_contiguous
    np.testing.assert_array_equal(block.rows, whole.rows[:, [2, 0]])
    np.testing.assert_array_equal(block.cov, whole.cov[[2, 0]][:, [2, 0]])
    assert block.mean is not None
    assert whole.mean is not None
    np.testing.assert_array_equal(block.mean, whole.mean[[2, 0]])
    assert chosen.n_read == 40
    assert sample.select(sample.names) is sample


def test_select_refuses(sample: Sample) -> None:
    with pytest.raises(DataError, match=r"no variable 'B'\. Did you mean 'b'\? It has: a, b, c\."):
        sample.select(["a", "B"])
    with pytest.raises(DataError, match="at least one variable and each only once"):
        sample.select(["a", "a"])
    with pytest.raises(DataError, match="at least one variable"):
        sample.select([])


@pytest.mark.parametrize("clone", [lambda s: s, lambda s: pickle.loads(pickle.dumps(s)), copy.deepcopy, lambda s: s.select(["b", "a"])])
def test_arrays_are_read_only(sample: Sample, clone) -> None:
    for array in (clone(sample).blocks[0].mean, clone(sample).blocks[0].cov, clone(sample).blocks[0].rows):
        assert not array.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_making_a_block_leaves_the_callers_array_writable() -> None:
    cov = np.eye(2)
    BlockSample("", 5, None, cov, None)
    cov[0, 0] = 2.0
    assert cov[0, 0] == 2.0


def test_pickle_keeps_everything(sample: Sample) -> None:
    again = pickle.loads(pickle.dumps(sample))
    assert again.fingerprint() == sample.fingerprint()
    assert again.names == sample.names
    np.testing.assert_array_equal(again.blocks[0].cov, sample.blocks[0].cov)


def test_fingerprint_is_pinned_across_machines() -> None:
    sample = sample_from_moments([[2.0, 0.5], [0.5, 1.0]], 10, [0.0, 1.0], names=["a", "b"])
    assert sample.fingerprint() == "0fabec2b06939e5fb2427fc16af90f6eb6eb7aa8883ac4ebb984faded784e412"
    assert (
        sample_from_frame({"a": [1.0, 2, 4], "b": [0.5, -1, 3]}, ["a"]).fingerprint()
        == "f3025a319aa2d41c44c38865abf9c7cc53a67318461aa6ec76a5e391598e943d"
    )


def test_fingerprint_tells_samples_apart() -> None:
    def fingerprint(**changed: object) -> str:
        given = {"sample_cov": [[2.0, 0.5], [0.5, 1.0]], "sample_nobs": 10, "sample_mean": [0.0, 1.0], "names": ["a", "b"]} | changed
        return sample_from_moments(**given).fingerprint()

    changes = [
        {},
        {"sample_cov": [[2.0, 0.25], [0.25, 1.0]]},
        {"sample_nobs": 11},
        {"sample_mean": [0.0, 2.0]},
        {"sample_mean": None},
        {"names": ["a", "c"]},
        {"names": ["ab", "b"]},
    ]
    assert len({fingerprint(**change) for change in changes}) == len(changes)
    assert fingerprint(sample_mean=[-0.0, 1.0]) == fingerprint()


def test_fingerprint_tells_groups_apart() -> None:
    data = {"x": [1.0, 2, 4, 3, 5, 1], "g": list("aabbba"), "h": list("aabbba")}
    first = sample_from_frame(data, ["x"], group="g").fingerprint()
    assert first != sample_from_frame(data, ["x"]).fingerprint()
    assert first != sample_from_frame(data, ["x"], group="h").fingerprint()
    assert first != sample_from_frame(data, ["x"], group="g", group_label=["b", "a"]).fingerprint()


def test_at_most_a_thousand_positions_are_recorded() -> None:
    record = drop_record("missing value", "", np.arange(5, 2_505))
    assert record.count == 2_500
    assert record.index == tuple(range(5, 1_005))
    assert all(type(at) is int for at in record.index)
