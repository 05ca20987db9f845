"""Resamples are what copying the rows would give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from trustsem.data.frames import sample_from_frame
from trustsem.data.moments import moments, weighted_moments
from trustsem.data.resampling import bollen_stine_rows, draw_counts, leave_out_counts, resample, resampler, with_rows
from trustsem.data.sample import BlockSample, Sample
from trustsem.errors import DataError, OptionError

NAMES = ("a", "b", "c")


def frame(n: int = 60, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(1e3 + rng.standard_normal((n, 3)) @ (np.eye(3) + 0.4), columns=list(NAMES))
    return table.assign(site=rng.choice(["u", "v"], n, p=[0.7, 0.3]), team=rng.integers(0, 9, n), w=rng.uniform(0.5, 2.0, n))


def repeated(table: pd.DataFrame, counts: np.ndarray) -> pd.DataFrame:
    return table.loc[np.repeat(table.index.to_numpy(), counts)]


def test_as_many_units_are_drawn_as_there_are() -> None:
    source = resampler(sample_from_frame(frame(), NAMES, group="site"))
    counts = draw_counts(source, np.random.default_rng(3))
    assert [int(count.sum()) for count in counts] == [block.n for block in source.sample.blocks]
    again = draw_counts(source, np.random.default_rng(3))
    assert all(np.array_equal(one, other) for one, other in zip(counts, again, strict=True))


def test_every_row_is_as_likely_as_any_other() -> None:
    source = resampler(sample_from_frame(frame(20), NAMES))
    rng = np.random.default_rng(0)
    drawn = sum(draw_counts(source, rng)[0] for _ in range(4000))
    # Binomial: 80,000 draws with probability 1/20.
    assert np.abs(drawn - 4000).max() < 4.0 * np.sqrt(80_000 * 0.05 * 0.95)


def test_whole_clusters_are_drawn_within_groups() -> None:
    table = frame(200)
    source = resampler(sample_from_frame(table, NAMES, group="site", cluster="team"), clusters=True)
    counts = draw_counts(source, np.random.default_rng(5))
    for block, count in zip(source.sample.blocks, counts, strict=True):
        assert block.clusters is not None
        times = [set(count[block.clusters == cluster].tolist()) for cluster in range(block.clusters.max() + 1)]
        assert all(len(one) == 1 for one in times)
        assert sum(one.pop() for one in times) == block.clusters.max() + 1
    assert source.sizes == (9, 9)


@pytest.mark.parametrize("options", [{}, {"group": "site"}, {"group": "site", "sampling_weights": "w"}], ids=["plain", "groups", "weights"])
def test_moments_are_those_of_the_rows_drawn(options: dict[str, str]) -> None:
    table = frame()
    source = resampler(sample_from_frame(table, NAMES, **options))
    counts = draw_counts(source, np.random.default_rng(2))
    found = resample(source, counts)
    parts = [part for _, part in table.groupby("site", sort=False)] if "group" in options else [table]
    for block, part, count in zip(found.blocks, parts, counts, strict=True):
        drawn = repeated(part, count)
        rows = drawn[list(NAMES)].to_numpy()
        mean, cov = weighted_moments(rows, drawn["w"].to_numpy()) if "sampling_weights" in options else moments(rows)
        np.testing.assert_allclose(block.mean, mean, rtol=1e-14)
        np.testing.assert_allclose(block.cov, cov, rtol=1e-11)
        assert block.n == len(drawn)
        assert (block.rows is None) == ("sampling_weights" not in options)
    if "sampling_weights" in options:  # the weights add up to the number of rows, over all groups together
        assert sum(block.size for block in found.blocks) == pytest.approx(found.nobs)
        shares = [(part["w"].to_numpy() * count).sum() for part, count in zip(parts, counts, strict=True)]
        assert found.blocks[0].size / found.blocks[1].size == pytest.approx(shares[0] / shares[1])


def test_rows_are_repeated_where_they_are_wanted() -> None:
    table = frame()
    source = resampler(sample_from_frame(table, NAMES))
    counts = draw_counts(source, np.random.default_rng(2))
    block = resample(source, counts, rows=True).blocks[0]
    np.testing.assert_array_equal(block.rows, repeated(table, counts[0])[list(NAMES)])
    np.testing.assert_allclose(block.cov, resample(source, counts).blocks[0].cov, rtol=1e-11)


def test_incomplete_rows_keep_their_holes() -> None:
    table = frame()
    holes = np.random.default_rng(8).random((len(table), 3)) < 0.15
    table[list(NAMES)] = table[list(NAMES)].mask(holes)
    table = table.dropna(how="all", subset=list(NAMES)).reset_index(drop=True)
    source = resampler(sample_from_frame(table, NAMES, missing="fiml"))
    counts = draw_counts(source, np.random.default_rng(2))
    found = resample(source, counts).blocks[0]
    wanted = sample_from_frame(repeated(table, counts[0]), NAMES, missing="fiml").blocks[0]
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.cov, wanted.cov)
    assert found.missing is not None
    assert wanted.missing is not None
    assert found.missing.deviance == wanted.missing.deviance


def test_clusters_change_the_number_of_rows() -> None:
    source = resampler(sample_from_frame(frame(200), NAMES, cluster="team"), clusters=True)
    sizes = set()
    for seed in range(5):
        counts = draw_counts(source, np.random.default_rng(seed))
        block = resample(source, counts).blocks[0]
        assert block.n == counts[0].sum()
        np.testing.assert_allclose(block.cov, moments(np.repeat(source.sample.blocks[0].rows, counts[0], axis=0))[1], rtol=1e-11)
        sizes.add(block.n)
    assert len(sizes) > 1


def test_the_jackknife_leaves_each_unit_out_once() -> None:
    sample = sample_from_frame(frame(40), NAMES, group="site")
    found = list(leave_out_counts(resampler(sample), np.random.default_rng(0)))
    assert [b for b, _ in found] == [0] * sample.blocks[0].n + [1] * sample.blocks[1].n
    for b, counts in found:
        assert counts[b].sum() == sample.blocks[b].n - 1
        assert counts[1 - b].sum() == sample.blocks[1 - b].n
    left = np.sum([1 - counts[0] for _, counts in found], axis=0)
    assert set(left.tolist()) == {1}


def test_many_units_are_left_out_in_parts_of_equal_size() -> None:
    source = resampler(sample_from_frame(frame(50), NAMES))
    found = [counts[0] for _, counts in leave_out_counts(source, np.random.default_rng(0), folds=8)]
    assert sorted(int((1 - count).sum()) for count in found) == [6] * 6 + [7] * 2
    assert set(np.sum([1 - count for count in found], axis=0).tolist()) == {1}


def test_the_jackknife_leaves_whole_clusters_out() -> None:
    source = resampler(sample_from_frame(frame(200), NAMES, cluster="team"), clusters=True)
    clusters = source.sample.blocks[0].clusters
    found = [counts[0] for _, counts in leave_out_counts(source, np.random.default_rng(0))]
    assert len(found) == 9
    for left, count in enumerate(found):
        np.testing.assert_array_equal(count, clusters != left)


def test_transformed_rows_have_the_moments_asked_for() -> None:
    rng = np.random.default_rng(4)
    rows = 50.0 + rng.standard_exponential((80, 4)) @ (np.eye(4) + 0.3)
    root = rng.standard_normal((4, 4))
    mean, cov, target = rng.standard_normal(4), root @ root.T + np.eye(4), moments(rows)
    found = moments(bollen_stine_rows(rows, *target, mean, cov))
    np.testing.assert_allclose(found[0], mean, atol=1e-12)
    np.testing.assert_allclose(found[1], cov, rtol=1e-11, atol=1e-12)
    # Symmetric roots change nothing where nothing has to be changed.
    np.testing.assert_allclose(bollen_stine_rows(rows, *target, *target), rows, rtol=1e-12)


def test_other_rows_bring_their_moments() -> None:
    sample = sample_from_frame(frame(), NAMES, sampling_weights="w")
    rows = np.random.default_rng(0).standard_normal((60, 3))
    block = with_rows(sample, [rows]).blocks[0]
    np.testing.assert_array_equal(block.cov, weighted_moments(rows, sample.blocks[0].weights)[1])
    plain = with_rows(sample_from_frame(frame(), NAMES), [rows]).blocks[0]
    np.testing.assert_array_equal(plain.cov, moments(rows)[1])
    np.testing.assert_array_equal(plain.rows, rows)


def test_what_cannot_be_resampled_is_refused() -> None:
    with pytest.raises(DataError, match="holds moments only"):
        resampler(Sample(NAMES, (BlockSample("", 10, None, np.eye(3), None),), None, (), 10, ()))
    with pytest.raises(OptionError, match=r"Fit with cluster=, or choose kind='nonparametric'"):
        resampler(sample_from_frame(frame(), NAMES), clusters=True)
    sample = sample_from_frame(frame(), NAMES, group="site")
    alone = replace(sample, blocks=tuple(replace(block, clusters=np.zeros(block.n, dtype=np.int64)) for block in sample.blocks))
    with pytest.raises(DataError, match="only one cluster in group 'v'"):
        resampler(alone, clusters=True)


def test_a_resample_without_a_covariance_matrix_is_an_error() -> None:
    table = frame()
    table["c"] = np.where(np.arange(60) < 3, 1.0, 0.0)
    source = resampler(sample_from_frame(table, NAMES))
    counts = np.ones(60, dtype=np.int64)
    counts[:3] = 0
    with pytest.raises(DataError, match=r"The resample has no positive definite covariance matrix\."):
        resample(source, [counts])  # c does not vary
    few = np.zeros(60, dtype=np.int64)
    few[:3] = 20
    with pytest.raises(DataError, match="no positive definite"):
        resample(source, [few])  # three different rows of three variables
    collinear = frame()
    collinear["c"] = collinear["a"] + np.where(np.arange(60) == 7, 1.0, 0.0)
    counts = np.ones(60, dtype=np.int64)
    counts[7] = 0
    with pytest.raises(DataError, match="no positive definite"):
        resample(resampler(sample_from_frame(collinear, NAMES)), [counts])  # c is a


def test_an_incomplete_resample_without_a_covariance_matrix_is_an_error() -> None:
    table = frame()
    table.loc[10:, "c"] = np.nan
    source = resampler(sample_from_frame(table, NAMES, missing="fiml"))
    counts = np.ones(60, dtype=np.int64)
    counts[:10] = 0
    with pytest.raises(DataError, match="The resample has no positive definite covariance matrix"):
        resample(source, [counts])


def test_data_cannot_follow_an_impossible_covariance_matrix() -> None:
    with pytest.raises(DataError, match=r"smallest eigenvalue -1"):
        bollen_stine_rows(np.zeros((5, 2)), np.zeros(2), np.eye(2), np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]]))
