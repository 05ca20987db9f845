"""Rows of clusters: what cannot be analysed is named, and resamples keep clusters whole."""

from __future__ import annotations

import numpy as np
import pytest

from trustsem.data.resampling import draw_counts, resample, resampler
from trustsem.data.two_level import two_level_data
from trustsem.data.two_level_saturated import saturated_levels
from trustsem.errors import DataError

NAMES = ("y", "x", "w")


def rows(rng, clusters=8, size=5):
    codes = np.repeat(np.arange(clusters), size)
    values = rng.standard_normal((codes.size, 3)) + rng.standard_normal((clusters, 3))[codes]
    values[:, 2] = rng.standard_normal(clusters)[codes]
    return values, codes


def data(values, codes, where=""):
    return two_level_data(values, codes, (("y", "x"), ("y", "w")), NAMES, where)


def test_what_is_needed_is_made_once():
    values, codes = rows(np.random.default_rng(1))
    found = data(values, codes)
    assert found.within == (0, 1)
    assert found.between == (0, 2)
    assert found.n_clusters == 8
    assert found.moments is not None
    assert found.saturated is found.saturated
    values[3, 0] = np.nan
    assert data(values, codes).moments is None


@pytest.mark.parametrize("missing", [False, True])
def test_rows_and_moments_give_the_same_saturated_model(missing):
    values, codes = rows(np.random.default_rng(2), clusters=30)
    if missing:
        values[::7, 1] = np.nan
    found = data(values, codes)
    direct = saturated_levels(found.rows)
    assert found.saturated.deviance == pytest.approx(direct.deviance, rel=1e-12)
    np.testing.assert_allclose(found.saturated.between, direct.between, atol=1e-6)


def test_between_variable_that_varies_within_is_an_error():
    values, codes = rows(np.random.default_rng(1))
    values[7, 2] += 0.1
    with pytest.raises(DataError, match=r"'w' is of level 2 only, but differs between rows of one cluster in group 'a' \(the one of row 5,"):
        data(values, codes, " in group 'a'")


@pytest.mark.parametrize("missing", [False, True])
def test_rounding_is_no_variation(missing):
    values, codes = rows(np.random.default_rng(1))
    values[:, 2] *= 1.0 + 1e-15 * np.arange(len(values))
    if missing:
        values[::4, 2] = np.nan
    assert data(values, codes).between == (0, 2)


def test_level_1_variable_that_does_not_vary_within_is_an_error():
    values, codes = rows(np.random.default_rng(1))
    values[:, 1] = values[:, 2]
    with pytest.raises(DataError, match="'x' is of level 1, but does not vary within clusters"):
        data(values, codes)


def test_clusters_of_one_row_each_are_an_error():
    values, _ = rows(np.random.default_rng(1))
    with pytest.raises(DataError, match="Every cluster has one row only"):
        data(values, np.arange(len(values)))


def test_resampled_clusters_are_clusters_of_their_own():
    from trustsem.data.frames import sample_from_frame

    values, codes = rows(np.random.default_rng(3))
    frame = {name: values[:, k] for k, name in enumerate(NAMES)} | {"team": codes}
    sample = sample_from_frame(frame, NAMES, cluster="team")
    source = resampler(sample, clusters=True)
    counts = draw_counts(source, np.random.default_rng(5))
    block = resample(source, counts, rows=True).blocks[0]
    assert block.rows is not None
    assert block.clusters is not None
    assert counts[0].max() > 1
    # As many clusters as were drawn, each with the rows of one of the data.
    assert int(block.clusters.max()) + 1 == 8
    drawn = sorted(tuple(np.sort(block.rows[block.clusters == j, 0])) for j in range(8))
    wanted = sorted(tuple(np.sort(values[codes == j, 0])) for j in range(8) for _ in range(counts[0][codes == j][0]))
    assert drawn == wanted
