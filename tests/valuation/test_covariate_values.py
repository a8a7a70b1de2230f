"""Valuations of fits with covariates: those of each level by itself, new customers, and many kinds of customers."""

import numpy as np
import pytest

import clvmodels as clv
from clvmodels.valuation.new_customer import MOST_KINDS, by_parameters
from tests.inference.covariate_worlds import world

ASSUMPTIONS = clv.Assumptions(discount_rate=0.15, margin=0.3)


@pytest.fixture(scope="module")
def rfm():
    """Customers with repeat purchases whose spend has a covariate too."""
    rng = np.random.default_rng(40)
    histories = world("pareto_nbd", 600, 41, age=rng.uniform(20.0, 60.0, 600))
    table = histories.to_frame()
    table["monetary_value"] = np.where(
        table["frequency"] > 0, rng.gamma(4.0, 10.0, 600) * np.exp(0.3 * table["z"]), np.nan
    )
    return clv.Histories.from_frame(table, unit="week")


@pytest.fixture(scope="module")
def spend(rfm):
    return clv.GammaGamma(covariates={"spend": "channel"}).fit(rfm)


def _levels(rfm):
    return {level: rfm.select((rfm.attributes["channel"] == level).to_numpy()) for level in ("shop", "web")}


@pytest.mark.parametrize("kind", [clv.BGNBD, clv.MBGNBD, clv.ParetoNBD])
def test_equity_is_that_of_each_level_valued_by_itself(rfm, spend, kind):
    fit = kind(covariates={"purchase": "channel", "dropout": "channel"}).fit(rfm)
    book = clv.value(fit, spend, rfm, ASSUMPTIONS)
    each = {
        level: clv.value(fit.at({"channel": level}), spend.at({"channel": level}), own, ASSUMPTIONS)
        for level, own in _levels(rfm).items()
    }
    assert book.equity == pytest.approx(sum(one.equity for one in each.values()), rel=1e-9)
    assert book.statement("channel").loc["web", "equity"] == pytest.approx(each["web"].equity, rel=1e-9)
    share = rfm.attributes["z"].mean()
    new = share * each["web"].new_customer.repeat + (1.0 - share) * each["shop"].new_customer.repeat
    assert book.new_customer.repeat == pytest.approx(new, rel=1e-9)


def test_draws_are_valued_as_each_level_is(rfm, spend):
    covariates = {"purchase": "channel", "dropout": "channel"}
    fit = clv.MBGNBD(covariates=covariates).fit(rfm, method="laplace", draws=60, seed=1)
    book = clv.value(fit, spend, rfm, ASSUMPTIONS)
    each = [
        clv.value(fit.at({"channel": level}), spend.at({"channel": level}), own, ASSUMPTIONS)
        for level, own in _levels(rfm).items()
    ]
    assert book.equity == pytest.approx(sum(one.equity for one in each), rel=1e-7)
    draws = book.draws(process=False)
    assert draws == pytest.approx(sum(one.draws(process=False) for one in each), rel=1e-7)
    simulated = book.draws(process=True, seed=1)
    assert simulated.mean() == pytest.approx(draws.mean(), abs=5.0 * simulated.std() / np.sqrt(len(simulated)))


def test_many_kinds_of_customers_are_valued_one_by_one(rfm, spend):
    fit = clv.BGNBD(covariates={"purchase": "log(age)", "dropout": "channel"}).fit(
        rfm, method="laplace", draws=20, seed=1
    )
    book = clv.value(fit, spend, rfm, ASSUMPTIONS)
    values = book.rlv
    for row in (0, 17, 300):
        own = rfm.select([row])
        like = {name: own.attributes[name].iloc[0] for name in ("age", "channel")}
        alone = clv.value(fit.at(like), spend.at({"channel": like["channel"]}), own, ASSUMPTIONS)
        assert values[row] == pytest.approx(alone.equity, rel=1e-6)
    parts = by_parameters(book.rows)
    assert len(parts) == MOST_KINDS
    assert sum(part.share for part in parts) == pytest.approx(1.0)
    exact, share = 0.0, rfm.attributes["z"].mean()
    for channel, own in _levels(rfm).items():
        of_spend, ages = spend.at({"channel": channel}), own.attributes["age"].sort_values().iloc[5::20]
        books = [
            clv.value(fit.at({"age": age, "channel": channel}), of_spend, own.select([own.customer_id[0]]), ASSUMPTIONS)
            for age in ages
        ]
        exact += (share if channel == "web" else 1.0 - share) * np.mean([one.new_customer.repeat for one in books])
    assert book.new_customer.repeat == pytest.approx(exact, rel=0.02)
