from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest

from trustsem.errors import OptionError
from trustsem.fitting.sem import sem
from trustsem.reporting.tables import residual_correlations, side_by_side, write_tables

NAMES = ["estimates", "standardized", "fit_measures", "residual_correlations", "rsquare", "effects"]


def read_exactly(path):
    """Read a CSV file with Python's own conversion, which returns the number that was written."""
    with path.open(newline="", encoding="utf-8") as file:
        frame = pd.DataFrame(list(csv.DictReader(file)))
    for name in frame.columns:
        try:
            frame[name] = [float(text) if text else np.nan for text in frame[name]]
        except ValueError:
            continue
    return frame


def test_writes_every_table_with_every_digit(cfa_fit, tmp_path):
    paths = write_tables(cfa_fit, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == [f"{name}.csv" for name in NAMES]
    read = {path.stem: read_exactly(path) for path in paths}
    expected = cfa_fit.parameter_estimates(standardized=True)
    for column in ("est", "se", "z", "pvalue", "ci_lower", "std_all"):
        pd.testing.assert_series_equal(read["estimates"][column], expected[column], check_exact=True)
    measures = read["fit_measures"].set_index("measure")["value"]
    assert measures["chisq"] == cfa_fit.fit_measures()["chisq"]
    assert read["standardized"]["est_std"].tolist() == cfa_fit.standardized_solution()["est_std"].tolist()
    assert read["rsquare"].set_index("variable")["rsquare"]["x1"] == cfa_fit.rsquare()["x1"]
    assert len(read["residual_correlations"]) == 9 * 8 // 2
    assert set(read["effects"]["effect"]) == {"total", "direct"}


def test_files_have_plain_newlines_and_no_numbers_of_rows(cfa_fit, tmp_path):
    path = write_tables(cfa_fit, tmp_path)[0]
    content = path.read_bytes()
    assert b"\r" not in content
    assert content.startswith(b"lhs,op,rhs,label,est,")


def test_residual_correlations_are_sample_minus_implied(cfa_fit):
    frame = residual_correlations(cfa_fit)
    matrix = cfa_fit.residuals("cor")["cov"]
    for _, row in frame.iterrows():
        assert row.residual == matrix.loc[row["second"], row["first"]]
    assert list(frame.columns) == ["first", "second", "residual"]


def test_groups_have_a_column(groups_fit, tmp_path):
    frame = residual_correlations(groups_fit)
    assert frame["group"].value_counts().to_dict() == {"Pasteur": 36, "Grant-White": 36}
    read = pd.read_csv(write_tables(groups_fit, tmp_path)[4])
    assert list(read.columns) == ["group", "variable", "rsquare"]
    assert "group" in side_by_side(groups_fit)


def test_an_appraisal_adds_its_verdicts(appraisal, tmp_path):
    paths = write_tables(appraisal, tmp_path)
    assert [path.name for path in paths] == [f"{name}.csv" for name in ["verdicts", *NAMES]]
    assert pd.read_csv(paths[0])["verdict"].tolist() == appraisal.verdicts["verdict"].tolist()


def test_side_by_side(cfa_fit):
    frame = side_by_side(cfa_fit, level=0.9)
    assert list(frame.columns) == ["lhs", "op", "rhs", "label", "est", "se", "ci_lower", "ci_upper", "pvalue", "std_all"]
    free = frame[frame["se"] > 0].iloc[0]
    assert (free.ci_upper - free.est) / free.se == pytest.approx(1.6448536, abs=1e-6)


def test_side_by_side_leaves_out_moments_of_covariates(school):
    frame = side_by_side(sem("x1 ~ a*x4 + x7\ntwice := 2*a", school))
    assert frame["lhs"].tolist() == ["x1", "x1", "x1", "twice"]


def test_what_cannot_be_written_or_told_is_refused(cfa_fit, tmp_path):
    with pytest.raises(OptionError, match=r"not of 'str'. Fit the model first"):
        write_tables("f =~ x1", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match=r"folder=.* cannot be made: .*Give a folder"):
        write_tables(cfa_fit, tmp_path / "file" / "folder")
