"""CDNOW split at 39 weeks: what the table of a backtest says, against figures recomputed from the raw data.

The sample of 2,357 customers makes 1,882 purchases in weeks 40-78. Of the cohort, the ten customers with repeat spend
above 4,000 are left out, as in Fader, Hardie & Lee (2005), JMR 42(4); parameters are the published ones.
"""

from __future__ import annotations

import numpy as np
import pytest

import clvmodels as clv
from clvmodels.evaluation.backtest import backtest

OPTIONS = {"cutoffs": "1997-09-30", "horizon": "39 weeks", "value": "amount", "resolution": "day", "progress": False}


def test_total_purchases_of_the_sample():
    log = clv.datasets.load_cdnow(sample=True)
    table = backtest(log, [clv.BGNBD(), clv.MBGNBD(), clv.ParetoNBD()], **OPTIONS).table.droplevel("cutoff")
    assert (table["purchases"] == 1_882).all()
    ratio = table["predicted_over_actual"]
    assert ratio["BG/NBD"] == pytest.approx(0.88, abs=0.005)
    assert ratio["Pareto/NBD"] == pytest.approx(0.885, abs=0.005)
    assert ratio["MBG/NBD"] == pytest.approx(0.838, abs=0.005)
    assert (table["late_joiners"] == 0).all()


def test_revenue_that_the_best_customers_make():
    log = clv.datasets.load_cdnow()
    whole = clv.rfm_summary(log, value="amount", resolution="day")
    repeat_spend = whole.frequency * np.nan_to_num(whole.monetary_value)
    cohort = log[log["customer_id"].isin(whole.customer_id[repeat_spend <= 4_000.0])]
    orders = clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")
    pareto = clv.ParetoNBD().from_params({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, unit="week")
    spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    table = backtest(cohort, [orders, pareto], spend=spend, **OPTIONS).table.droplevel("cutoff")
    assert (table["customers"] == 23_560).all()
    assert table.loc["Pareto/NBD", "top_20_revenue"] == pytest.approx(0.672, abs=0.0005)
    assert table.loc["BG/NBD", "top_20_revenue"] == pytest.approx(0.671, abs=0.0005)
    assert table.loc["past spend", "top_20_revenue"] == pytest.approx(0.648, abs=0.0005)
