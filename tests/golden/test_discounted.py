"""Discounted quantities, recomputed independently at 15 % a year of 52 weeks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.models import simulation
from clvmodels.models.derived import residual
from clvmodels.valuation.discounting import discount_factor, discounting
from tests.golden.published import BG_NBD_39, WEEK_39_ORDERS, WEEK_39_SPEND, published_terms

# (x, t_x, T): P(alive), D, L in weeks
PARETO_NBD = {
    (2, 30.43, 38.86): (0.869168, 6.501731, 125.9039),
    (0, 0, 38.86): (0.295287, 0.478458, 42.7739),
    (26, 30.857, 31): (0.997872, 86.285851, None),
    (5, 52, 52): (1.0, 14.047346, None),
    (5, 26, 52): (0.284907, 4.002189, None),
    (10, 26, 52): (0.045501, 1.214679, None),
    (20, 104, 104): (1.0, 34.994142, None),
    (1, 35, 39): (0.948215, 4.307220, None),
}
BG_NBD = {
    (2, 30.43, 38.86): (0.726579, 5.169554, 120.4051),
    (0, 0, 38.86): (1.0, 1.018746, 309.2218),
    (5, 52, 52): (0.890151, 11.416870, None),
    (5, 26, 52): (0.241053, 3.091687, None),
    (10, 26, 52): (0.025076, 0.592662, None),
}
MODELS = {"ParetoNBD": (WEEK_39_ORDERS, PARETO_NBD), "BGNBD": (BG_NBD_39, BG_NBD)}
SPEND = clv.GammaGamma().from_params(WEEK_39_SPEND)


def fitted(name):
    return getattr(clv, name)().from_params(MODELS[name][0], unit="week")


def histories(table):
    x, t_x, T = np.array(list(table)).T
    frame = pd.DataFrame({"customer_id": range(len(x)), "frequency": x, "recency": t_x, "T": T})
    return clv.Histories.from_frame(frame, unit="week")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore:the spend of")
def test_orders_and_lifetime_of_single_histories(name):
    table = MODELS[name][1]
    rfm, fit = histories(table), fitted(name)
    book = clv.value(fit, SPEND, rfm, published_terms())
    alive, D, L = zip(*table.values(), strict=True)
    np.testing.assert_allclose(fit.probability_alive(rfm)["mean"], alive, atol=6e-7)
    np.testing.assert_allclose(book.customers["discounted_orders"], D, atol=6e-7)
    weeks = 52 * book.customers["discounted_lifetime"].to_numpy()
    for ours, theirs in zip(weeks, L, strict=True):
        assert theirs is None or ours == pytest.approx(theirs, abs=6e-5)


def test_a_new_customer_of_pareto_nbd():
    def orders(rate):
        rfm = histories([(0, 0, 1.0)])
        return clv.value(fitted("ParetoNBD"), SPEND, rfm, published_terms(discount_rate=rate)).new_customer.orders

    assert orders(0.10) == pytest.approx(4.814492, abs=6e-7)  # 4.8 printed: Fader, Hardie & Lee (2005), JMR 42(4)
    assert orders(0.15) == pytest.approx(3.964071, abs=6e-7)


def test_a_new_customer_of_bg_nbd_by_horizon():
    def orders(horizon):
        rfm = histories([(0, 0, 1.0)])
        return clv.value(fitted("BGNBD"), SPEND, rfm, published_terms(**horizon)).new_customer.orders

    assert orders({}) == pytest.approx(3.655699, abs=6e-7)
    for years, value in {1: 1.3661, 3: 2.3762, 5: 2.8567, 10: 3.3656, 20: 3.6064}.items():
        assert orders({"horizon": f"{years} years"}) == pytest.approx(value, abs=6e-5)


def test_value_is_a_martingale():
    """D now = E[discounted orders until later + discounted D later], over what a customer alive may do until then."""
    fit, terms = fitted("ParetoNBD"), published_terms()
    x, t_x, T, wait, customers = 2.0, 30.43, 38.86, 39.0, 200_000
    alive = float(fit.model.p_alive(fit.estimate, *(np.array([v]) for v in (x, t_x, T)))[0])
    generator = np.random.default_rng(20240131)
    at = np.full(customers, T)
    traits = fit.model.draw_traits(fit.estimate, np.full(customers, x), at, generator)
    events = simulation.events(traits, np.full(customers, wait), generator)
    bought = np.bincount(events.customer, discount_factor(terms, "week", events.time), customers)
    count = np.bincount(events.customer, minlength=customers)
    last = np.full(customers, t_x)
    np.maximum.at(last, events.customer, T + events.time)
    later = residual(fit.model, fit.estimate, x + count, at + wait, [discounting(terms, "week")])[0][:, 0]
    later *= fit.model.p_alive(fit.estimate, x + count, last, at + wait)
    value = alive * (bought + discount_factor(terms, "week", np.array(wait)) * later)
    # A customer who has left already buys no more, but is not known to have left: their D later counts too.
    silent = residual(fit.model, fit.estimate, np.array([x]), np.array([T + wait]), [discounting(terms, "week")])[0][
        0, 0
    ]
    silent *= fit.model.p_alive(fit.estimate, *(np.array([v]) for v in (x, t_x, T + wait)))[0]
    value += (1 - alive) * discount_factor(terms, "week", np.array(wait)) * silent
    error = value.std() / np.sqrt(customers)
    assert error < 0.01 * 6.501731
    assert value.mean() == pytest.approx(6.501731, abs=4 * error)
