from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from trustsem.errors import OptionError
from trustsem.spec.defaults import Defaults, defaults_for


def test_values_are_lavaans() -> None:
    sem, growth = defaults_for("sem"), defaults_for("growth")
    assert sem == defaults_for("cfa")
    automatic = ("auto_fix_first", "auto_fix_single", "auto_var", "auto_cov_lv_x", "auto_cov_y", "auto_th", "auto_delta", "auto_efa")
    assert all(getattr(sem, name) and getattr(growth, name) for name in automatic)
    assert (sem.meanstructure, sem.int_ov_free, sem.int_lv_free, sem.fixed_x) == (None, True, False, True)
    assert (growth.meanstructure, growth.int_ov_free, growth.int_lv_free) == (True, False, True)
    assert defaults_for("lavaan") == Defaults()
    assert not any(getattr(Defaults(), name) for name in automatic)


def test_defaults_are_frozen_but_replaceable() -> None:
    with pytest.raises(FrozenInstanceError):
        defaults_for("sem").std_lv = True  # type: ignore[misc]
    assert replace(defaults_for("sem"), std_lv=True).std_lv
    assert not defaults_for("sem").std_lv


def test_unknown_kind() -> None:
    with pytest.raises(OptionError, match=r"kind='sme'.*Did you mean 'sem'"):
        defaults_for("sme")
