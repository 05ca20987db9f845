"""Which estimators there are, and what each does with the moments it is given."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import CASES, model_of, random_sample
from trustsem.errors import OptionError
from trustsem.estimators import available, find

SAMPLE_SEED = 3


def prepared(name, estimator, likelihood="normal"):
    model = model_of(CASES[name])
    sample = random_sample(model, np.random.default_rng(SAMPLE_SEED))
    return find(estimator).prepare(model, sample, likelihood), sample


def test_the_names_come_from_the_files():
    assert {"GLS", "ML", "MLM", "MLR", "ULS"} <= set(available())


@pytest.mark.parametrize("name", ["mll", "", "__init__", "ML ", None, 3, "numpy"])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(OptionError, match=r"estimator=.*Available are DWLS, GLS, ML, "):
        find(name)


def test_maximum_likelihood_divides_by_n_and_weighs_groups_by_n():
    problem, sample = prepared("groups_shared", "ML")
    for block, given in zip(problem.blocks, sample.blocks, strict=True):
        np.testing.assert_allclose(block.cov, given.cov * (given.n - 1) / given.n, rtol=1e-14)
    sizes = np.array([150.0, 240.0])
    np.testing.assert_array_equal(problem.multiplier, sizes)
    np.testing.assert_allclose(problem.moments.share, sizes / 390.0)


def test_wishart_keeps_the_unbiased_covariances():
    problem, sample = prepared("groups_shared", "ML", "wishart")
    for block, given in zip(problem.blocks, sample.blocks, strict=True):
        np.testing.assert_array_equal(block.cov, given.cov)
    np.testing.assert_array_equal(problem.multiplier, [149.0, 239.0])


@pytest.mark.parametrize("estimator", ["GLS", "ULS"])
def test_least_squares_keeps_the_unbiased_covariances_and_weighs_groups_by_n_less_one(estimator):
    problem, sample = prepared("groups_shared", estimator)
    for block, given in zip(problem.blocks, sample.blocks, strict=True):
        np.testing.assert_array_equal(block.cov, given.cov)
    np.testing.assert_array_equal(problem.multiplier, [149.0, 239.0])
    np.testing.assert_allclose(problem.moments.share, np.array([149.0, 239.0]) / 388.0)


def test_the_weight_of_generalized_least_squares_is_the_inverse_sample_covariance():
    problem, sample = prepared("factor", "GLS")
    p = len(sample.names)
    np.testing.assert_allclose(problem.moments.weight.reshape(p, p) @ problem.blocks[0].cov, np.eye(p), atol=1e-10)


@pytest.mark.parametrize("estimator", available())
def test_moments_of_fixed_covariates_are_the_samples(estimator):
    problem, sample = prepared("regression_means", estimator)
    layout = problem.model.blocks[0]
    from trustsem.model.problem import implied

    (block,) = implied(problem.structure, np.ones(problem.model.n_theta))
    x = [layout.observed.index(name) for name in layout.fixed]
    assert x
    np.testing.assert_allclose(block.sigma[np.ix_(x, x)], problem.blocks[0].cov[np.ix_(x, x)], rtol=1e-14)
    own = [sample.names.index(name) for name in layout.fixed]
    np.testing.assert_allclose(block.mean[x], sample.blocks[0].mean[own], rtol=1e-14)


@pytest.mark.parametrize("estimator", available())
def test_without_a_mean_structure_there_are_no_means(estimator):
    problem, _ = prepared("factor", estimator)
    assert problem.blocks[0].mean is None
    assert not problem.moments.mean.any()
