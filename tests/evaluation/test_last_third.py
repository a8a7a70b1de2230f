"""The last third held back: cut-off, figures by hand, and intervals that hold what comes as often as they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import DataError
from clvmodels.evaluation.last_third import last_third
from clvmodels.evaluation.totals import MOST_CUSTOMERS, drawn_totals
from clvmodels.inference.model_average import average
from tests.evaluation.stories import purchases

PARETO = {"r": 1.0, "alpha": 8.0, "s": 0.8, "beta": 30.0}
WEEKS = 104.0


def spending_log(seed: int, customers: int = 400) -> pd.DataFrame:
    """Return two years of customers who keep joining, from the stories of Pareto/NBD and Gamma-Gamma."""
    generator = np.random.default_rng(seed + 10_000)
    made = purchases("Pareto/NBD", PARETO, generator.uniform(0.0, 90.0, customers), WEEKS, seed)
    scale = generator.gamma(4.0, 1.0 / 60.0, customers)  # of each customer's orders
    amount = generator.gamma(5.0, 1.0 / scale[made.customer])
    when = pd.Timestamp("2022-01-03") + pd.to_timedelta(made.time * 7.0, unit="D").floor("us")
    return pd.DataFrame({"customer_id": made.customer, "date": when, "amount": amount})


def held_back(seed: int):
    return last_third(
        spending_log(seed), clv.ParetoNBD(priors={}), spend=clv.GammaGamma(priors={}), value="amount",
        observation_end="2023-12-31", seed=seed,
    )  # fmt: skip


def covered(repetitions: int) -> np.ndarray:
    """Return how often purchases and revenue of the last third lie within their intervals."""
    thirds = [held_back(seed) for seed in range(repetitions)]
    return np.array([sum(each.inside for each in thirds), sum(each.revenue_inside for each in thirds)])


@pytest.mark.filterwarnings("ignore::clvmodels.errors.FitWarning")  # of Pareto k, in a few of the logs
def test_intervals_hold_what_comes():
    """Of 12 logs, 90 % is 10.8 +- 1.04: 8 and more are within 3 standard errors."""
    assert (covered(12) >= 8).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::clvmodels.errors.FitWarning")
def test_intervals_hold_what_comes_as_often_as_they_say():
    """Of 60 logs, 90 % is 54 +- 2.3: 48 to 60 are within 3 standard errors."""
    assert (covered(60) >= 48).all()


def test_the_cut_off_leaves_the_last_third():
    log = spending_log(3)
    third = held_back(3)
    span = pd.Timestamp("2024-01-01") - log["date"].min()
    left = pd.Timestamp("2024-01-01") - (third.cutoff + pd.Timedelta(days=1))
    assert abs(left - span / 3) <= pd.Timedelta(days=0.5)
    start = third.cutoff + pd.Timedelta(days=1)
    known = log.loc[log["date"] < start, "customer_id"].unique()
    late = log[log["date"] >= start]
    of_known = late["customer_id"].isin(known)
    assert third.actual == of_known.sum()
    assert third.revenue_actual == pytest.approx(late.loc[of_known, "amount"].sum(), rel=1e-9)
    assert third.late_joiners == late.loc[~of_known, "customer_id"].nunique() > 20
    assert third.late_share == pytest.approx(late.loc[~of_known, "amount"].sum() / late["amount"].sum(), rel=1e-9)
    assert third.late_purchase_share == pytest.approx((~of_known).mean(), rel=1e-9)
    assert third.customers == len(known)
    assert third.off == third.predicted / third.actual - 1.0


@pytest.mark.filterwarnings("ignore::clvmodels.errors.FitWarning")  # months merge so much that nobody seems to leave
def test_no_merging_window_is_cut():
    third = last_third(spending_log(4), clv.ParetoNBD(), method="mle", resolution="month", unit="month", seed=1)
    assert third.cutoff.is_month_end


def test_models_are_averaged():
    log = spending_log(5)
    models = [clv.ParetoNBD(), clv.MBGNBD()]
    options = {"method": "mle", "observation_end": "2023-12-31", "seed": 1}
    both = last_third(log, models, **options)
    each = [last_third(log, model, **options) for model in models]
    mean = sum(weight * part.predicted for weight, part in zip(both.models.values(), each, strict=True))
    assert both.predicted == pytest.approx(mean, rel=0.01)  # draws are whole numbers, and others
    assert sum(both.models.values()) == pytest.approx(1.0)
    assert both.includes == "process, parameters and models"
    half = last_third(log, models, weights={"Pareto/NBD": 2.0, "MBG/NBD": 2.0}, **options)
    assert dict(half.models) == {"Pareto/NBD": 0.5, "MBG/NBD": 0.5}


def test_many_customers_are_predicted_by_the_models_as_a_valuation_weighs_them():
    """Of 5,000 customers or more, AIC gives all weight to one model."""
    log = clv.datasets.load_cdnow()
    options = {"resolution": "day", "unit": "week"}
    third = last_third(log, method="mle", seed=1, **options)
    train, _ = clv.rfm_train_test_split(log, train_end=third.cutoff, **options)
    averaged = average([each().fit(train) for each in (clv.BGNBD, clv.MBGNBD, clv.ParetoNBD)], train)
    assert averaged.basis == "stacking"
    weights = dict(zip((fit.model.name for fit in averaged.fits), averaged.weights, strict=True))
    assert dict(third.models) == pytest.approx(weights, rel=1e-9)
    assert min(weights.values()) >= 0.049


def test_all_models_are_tried_by_default(cdnow_sample):
    third = last_third(cdnow_sample, resolution="day", method="mle", seed=1)
    assert list(third.models) == ["BG/NBD", "MBG/NBD", "Pareto/NBD"]
    assert np.isnan(third.revenue_predicted)
    assert third.revenue_inside is None
    assert np.isnan(third.late_share)


def test_a_million_customers_are_cheap():
    """What is simulated does not grow with the number of customers, and the interval of the mean narrows."""
    fit = clv.ParetoNBD().from_params(PARETO, unit="week")
    few, many = (fit.simulate(customers, "52 weeks", seed=1) for customers in (2_000, 200_000))
    assert len(many) > 10 * MOST_CUSTOMERS
    drawn = [drawn_totals([(fit, 1.0)], None, rfm, np.array([26.0]), seed=1) for rfm in (few, many)]
    relative = [each.orders.std() / each.expected_orders[0] for each in drawn]
    assert relative[0] / relative[1] == pytest.approx(10.0, rel=0.15)


def test_a_log_of_two_days_has_no_third():
    log = pd.DataFrame({"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-02", "2024-01-02"]})
    with pytest.raises(DataError, match="must span three days at least, and spans 2 days"):
        last_third(log, clv.BGNBD())
