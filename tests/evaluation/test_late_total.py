"""Late joiners against the forecast that the customers before them give."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv

FIT = {"r": 0.9, "alpha": 9.0, "s": 0.7, "beta": 25.0}


def log(generator: np.random.Generator) -> pd.DataFrame:
    """Thirty customers a month for three years, each with some orders of a mean of 20, until they leave."""
    come = generator.uniform(0.0, 3 * 365.0, 1_080)
    number = generator.geometric(generator.beta(2.0, 3.0, len(come)))
    owner = np.repeat(np.arange(len(come)), number)
    first = np.concatenate([[True], owner[1:] != owner[:-1]])
    mean = generator.gamma(1.0, 90.0, len(come))[owner]  # customers differ in how fast they buy
    day = come[owner] + np.where(first, 0.0, generator.exponential(mean))
    table = pd.DataFrame({"customer_id": owner, "day": day, "amount": generator.gamma(4.0, 5.0, len(owner))})
    table = table[table["day"] < 3 * 365.0]
    return table.assign(date=pd.Timestamp("2021-01-01") + pd.to_timedelta(table.pop("day"), unit="D"))


def test_the_verdict_scores_late_joiners() -> None:
    rows = log(np.random.default_rng(1))
    tried = clv.backtest(
        rows, [clv.BGNBD()], cutoffs="2023-03-15", horizon="26 weeks", value="amount", progress=False, seed=1
    )
    late = tried.verdict.total.late  # type: ignore[union-attr]
    assert late is not None
    first = rows.groupby("customer_id")["date"].min()
    came = first[(first >= "2023-03-16") & (first < "2023-09-14")]
    assert late.actual == pytest.approx(len(came), abs=1)
    assert late.predicted == pytest.approx(30.0 * 12.0 * 26.0 / 52.18, rel=0.12)
    assert late.inside
    assert late.revenue_inside
    assert late.revenue_low < late.revenue_predicted < late.revenue_high
    assert "Late joiners, forecast from those who came before" in str(tried.verdict)


def test_a_short_window_forecasts_nothing() -> None:
    rows = log(np.random.default_rng(2))
    train, holdout = clv.rfm_train_test_split(
        rows[rows["date"] < "2021-08-01"], train_end="2021-04-30", unit="week", test_end="2021-07-31", value="amount"
    )
    from clvmodels.evaluation.holdout_total import holdout_total

    fit = clv.ParetoNBD().from_params(FIT, unit=train.unit)
    total = holdout_total({"Pareto/NBD": fit}, None, holdout, seed=1)
    assert total.late_joiners > 0
    assert total.late is None
