"""The command that tries models on the past."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import clvmodels as clv
from tests.cli.conftest import Run


def test_the_last_third_is_held_back(run: Run, log: Path, tmp_path: Path):
    table = tmp_path / "scores.csv"
    result = run("backtest", log, "--value", "amount", "--resolution", "day", "--model", "bg_nbd", "--out", table)
    assert result.code == 0
    assert "After 1997-12-30  1,156 purchases of 2,357 customers came until 1998-06-30" in result.out
    assert "It beats history rate, last period and zero by more than chance." in result.out
    assert "Total revenue:" in result.out
    scores = pd.read_csv(table, index_col="model")
    tried = clv.backtest(
        pd.read_parquet(log), clv.BGNBD(), cutoffs="1997-12-30", horizon="182 days", value="amount", resolution="day",
        progress=False,
    )  # fmt: skip
    expected = tried.table.loc["BG/NBD", "revenue_predicted"].item()
    assert scores.loc["BG/NBD", "revenue_predicted"] == pytest.approx(expected, rel=1e-9)
    assert list(scores.index) == ["BG/NBD", "history rate", "last period", "past spend", "zero"]


def test_cut_offs_are_days_one_after_another(run: Run, log: Path):
    days = ("--cutoffs", "1997-09-30", "1997-12-31")
    result = run("backtest", "--horizon", "13 weeks", *days, "--resolution", "day", log, "--model", "pareto_nbd")
    assert result.code == 0
    assert result.out.index("After 1997-09-30") < result.out.index("After 1997-12-31")
    assert "revenue" not in result.out
    assert "of 2 cut-offs." in result.out


def test_a_horizon_alone_is_at_the_end_of_the_log(run: Run, log: Path):
    result = run("backtest", log, "--horizon", "3 months", "--resolution", "day", "--model", "bg_nbd")
    assert "After 1998-03-31" in result.out
    assert "came until 1998-06-30" in result.out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--horizon", "700 weeks"), "a horizon of '700 weeks' leaves nothing to fit"),
        (("--cutoffs", "1999-01-01"), "the log ends on 1998-06-30, and the last cut-off is 1999-01-01"),
        (("--model", "arima"), "arima"),
        (("--observation-start", "1997-02-01"), "No such option"),
    ],
)
def test_what_cannot_be_tried_is_said(run: Run, log: Path, given: tuple[str, str], message: str):
    result = run("backtest", log, "--resolution", "day", *given)
    assert result.code == 2
    assert message in result.err
