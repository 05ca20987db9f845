"""A fitter, an estimator and a generator hold options only: used again, in any order, on any thread, in any process, they give the same bits."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import fields
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import SOURCE, every_number, holzinger, quietly
from trustsem import errors
from trustsem.estimators import available, find

ESTIMATORS = available()
MODEL = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9\nspeed ~ visual + a*textual\nind := a^2"
CONSTRAINED = "visual =~ x1 + a*x2 + b*x3\ntextual =~ x4 + c*x5 + d*x6\na == b\nc > 1.2"


def frames():
    data = holzinger()
    return data[data["school"] == "Pasteur"], data[data["school"] != "Pasteur"], data.head(60), data.assign(x1=data["x1"] * 100.0)


def numbers(fit):
    return list(every_number(fit))


def same(one, other):
    for (name, left), (_, right) in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right, err_msg=name)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("text", [MODEL, CONSTRAINED])
def test_a_fitter_gives_what_a_fresh_fit_gives_in_any_order(text, estimator):
    fresh = [numbers(quietly(ts.sem, text, frame, estimator=estimator)) for frame in frames()]
    fitter = ts.compile(text, estimator=estimator)
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (1, 1, 0, 3, 2, 0)):
        for k in order:
            same(numbers(fitter.fit(frames()[k])), fresh[k])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_failed_fit_leaves_no_trace(estimator):
    first, second = frames()[:2]
    fitter = ts.compile(MODEL, estimator=estimator)
    before = numbers(fitter.fit(first))
    with pytest.raises(ts.DataError):
        fitter.fit(second.drop(columns="x4"))
    with pytest.raises(ts.DataError):
        fitter.fit(second.assign(x4=1.0))
    hopeless = pd.DataFrame(np.random.default_rng(0).standard_normal((12, 9)), columns=list(fitter.observed))
    with suppress(ts.DataError):  # some estimators cannot even begin
        fitter.fit(hopeless)
    same(numbers(fitter.fit(first)), before)


def test_a_fit_does_not_change_its_data_nor_its_options():
    data = holzinger()
    before = data.copy(deep=True)
    options = {"group": "school", "group_equal": ["loadings"], "start": {"x1~~x1": 0.8}}
    given = {name: value.copy() if hasattr(value, "copy") else value for name, value in options.items()}
    quietly(ts.cfa, MODEL.split("\nspeed ~")[0], data, **options)
    pd.testing.assert_frame_equal(data, before)
    assert options == given


@pytest.mark.parametrize("kind", ["array", "frame", "mapping", "sample", "moments"])
def test_every_form_of_the_same_data_gives_the_same_bits(kind):
    data = frames()[0]
    fitter = ts.compile(MODEL)
    wanted = fitter.fit(data)
    names = list(fitter.observed)
    if kind == "moments":
        found = fitter.fit_moments(wanted.sample.blocks[0].cov, wanted.nobs)
    else:
        forms = {
            "array": data[names].to_numpy(),
            "frame": data[names[::-1]],
            "mapping": {name: data[name].to_numpy() for name in names},
            "sample": wanted.sample,
        }
        found = fitter.fit(forms[kind])
    same(numbers(found), numbers(wanted))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_eight_threads_give_identical_results(estimator):
    fitter, free = ts.compile(MODEL, estimator=estimator), ts.compile(CONSTRAINED, estimator=estimator)
    wanted = [(numbers(fitter.fit(frame)), numbers(free.fit(frame))) for frame in frames()]
    jobs = [k % len(wanted) for k in range(32)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda k: (numbers(fitter.fit(frames()[k])), numbers(free.fit(frames()[k]))), jobs))
    for k, (one, other) in zip(jobs, found, strict=True):
        same(one, wanted[k][0])
        same(other, wanted[k][1])


RACE = """
import sys, threading
import numpy as np
import trustsem as ts
X = np.random.default_rng(0).standard_normal((200, 1)) + np.random.default_rng(1).standard_normal((200, 4))
fitter = ts.compile("f =~ a + b + c + d")
barrier, found, failed = threading.Barrier(8), [None] * 8, []
def work(k):
    barrier.wait()
    try:
        found[k] = fitter.fit(X).estimate.theta.tobytes()
    except BaseException as error:
        failed.append(repr(error))
threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
assert not failed, failed
assert len(set(found)) == 1 and found[0] is not None
print("same")
"""


@pytest.mark.slow
def test_the_very_first_call_may_come_from_eight_threads(tmp_path):
    """A fresh process with an empty cache: all threads want the kernels compiled at once."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE.parent), "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "same"
    assert list(tmp_path.rglob("*.nbi")), "the kernels were not compiled into this folder"


# ---- pickles ------------------------------------------------------------------------------------------------------------------------


def again(thing):
    return pickle.loads(pickle.dumps(thing))


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("text", [MODEL, CONSTRAINED])
def test_fits_and_fitters_survive_pickling(text, estimator):
    fitter = ts.compile(text, estimator=estimator)
    fit = fitter.fit(frames()[0])
    same(numbers(again(fit)), numbers(fit))  # before anything was derived, and after
    same(numbers(again(fit)), numbers(fit))
    same(numbers(again(fitter).fit(frames()[1])), numbers(fitter.fit(frames()[1])))
    assert [str(warning) for warning in again(fit).warnings] == [str(warning) for warning in fit.warnings]
    assert str(again(fit).summary()) == str(fit.summary())
    assert again(fit).to_json() == fit.to_json()


def test_samples_populations_and_estimators_survive_pickling():
    sample = quietly(ts.cfa, "f =~ x1 + x2 + x3", holzinger(), group="school").sample
    copy = again(sample)
    assert copy.fingerprint() == sample.fingerprint()
    assert copy.names == sample.names
    assert copy.group_labels == sample.group_labels
    assert not copy.blocks[0].cov.flags.writeable
    population = ts.Population("y ~ x", {"y~x": 0.5, "y~~y": 1.0, "x~~x": 2.0})
    np.testing.assert_array_equal(again(population).cov, population.cov)
    assert again(population) == population
    for name in ESTIMATORS:
        assert again(find(name)) == find(name)


ERRORS = [
    errors.ModelSyntaxError("Bad token.", "f =~ x1 ++ x2", 8, 2),
    *(kind("What is wrong. What to do.") for kind in (errors.OptionError, errors.NotAvailableError, errors.ModelError, errors.IdentificationError)),
    *(
        kind("What is wrong. What to do.")
        for kind in (errors.DataError, errors.TheoryError, errors.StudyError, errors.ConvergenceError, errors.TrustsemError)
    ),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_survive_pickling(error):
    copy = again(error)
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_every_error_class_is_tested_and_has_one_base():
    classes = {thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, Exception)}
    assert classes - {errors.TrustsemWarning} == {type(error) for error in ERRORS}
    assert all(issubclass(kind, errors.TrustsemError) for kind in classes - {errors.TrustsemWarning})


@pytest.mark.parametrize("code", errors.WARNING_REMEDIES)
def test_warnings_survive_pickling(code):
    warning = errors.TrustsemWarning(code, "Three rows.")
    copy = again(warning)
    assert (copy.code, copy.detail, copy.remedy, str(copy)) == (warning.code, warning.detail, warning.remedy, str(warning))
    assert str(copy).startswith(f"[{code}] Three rows. ")


def _theta_of(job):
    fitter, rows = job
    return fitter.fit(rows).estimate.theta.tobytes()


@pytest.mark.slow
def test_a_worker_process_gives_the_same_bits():
    fitter = ts.compile(MODEL)
    rows = [frame[list(fitter.observed)].to_numpy() for frame in frames()]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_theta_of, [(fitter, one) for one in rows]))
    assert found == [fitter.fit(one).estimate.theta.tobytes() for one in rows]


def test_what_crosses_a_border_is_frozen():
    fit = ts.compile(MODEL).fit(frames()[0])
    for thing in (fit, fit.model, fit.sample, fit.problem, fit.estimate, fit.options, ts.compile(MODEL), find("ML"), ts.Gaussian()):
        with pytest.raises(AttributeError):
            setattr(thing, fields(thing)[0].name, None)
