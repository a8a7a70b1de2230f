"""Published conditional quantities.

They were printed from unrounded estimates, which the printed parameters give to three decimals only. So ours at the
printed parameters may differ by what half a unit in the last digit of each parameter does, and no more. The exact
values at given parameters are compared with arbitrary precision elsewhere.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from tests.golden.published import BG_NBD_39, WEEK_39_ORDERS

ESTIMATORS = {"BGNBD": BG_NBD_39, "ParetoNBD": WEEK_39_ORDERS}
HALF_A_UNIT = 0.0005


def one(x, t_x, T):
    table = pd.DataFrame({"customer_id": ["one"], "frequency": [x], "recency": [t_x], "T": [T]})
    return clv.Histories.from_frame(table, unit="week")


def new(fit):
    return fit.expected_purchases_new("52 weeks")["mean"]


def expected(x, t_x, T, t):
    return lambda fit: fit.expected_purchases(one(x, t_x, T), f"{t} weeks")["mean"].iloc[0]


def alive(x, t_x, T):
    return lambda fit: fit.probability_alive(one(x, t_x, T))["mean"].iloc[0]


# Fader, Hardie & Lee (2005) and the published replications of its worked examples
PRINTED = [
    ("BGNBD", new, 1.444004, 5e-7),
    ("BGNBD", expected(26, 30.857, 31, 52), 25.75659, 5e-6),
    ("BGNBD", alive(26, 30.857, 31), 0.9688523, 5e-8),
    ("BGNBD", expected(10, 20, 39, 52), 0.3474606, 5e-8),
    ("BGNBD", expected(15, 20, 39, 52), 0.04283391, 5e-9),
    ("BGNBD", expected(20, 20, 39, 52), 0.004158973, 5e-10),
    ("BGNBD", expected(25, 20, 39, 52), 0.0003583685, 5e-11),
    ("BGNBD", expected(2, 30.43, 38.86, 39), 1.226, 5e-4),
    ("ParetoNBD", new, 1.473434, 5e-7),
    ("ParetoNBD", expected(26, 30.857, 31, 52), 25.45647, 5e-6),
    ("ParetoNBD", alive(26, 30.857, 31), 0.997874, 5e-7),
    ("ParetoNBD", expected(10, 20, 39, 52), 0.7062289, 5e-8),
    ("ParetoNBD", expected(15, 20, 39, 52), 0.1442396, 5e-8),
    ("ParetoNBD", expected(20, 20, 39, 52), 0.02250658, 5e-9),
    ("ParetoNBD", expected(25, 20, 39, 52), 0.00309267, 5e-9),
]


@pytest.mark.parametrize(("name", "quantity", "printed", "rounding"), PRINTED)
def test_printed_value_lies_within_the_rounding_of_the_printed_parameters(name, quantity, printed, rounding):
    def ours(params):
        return quantity(getattr(clv, name)().from_params(params, unit="week"))

    params = ESTIMATORS[name]
    leeway = rounding
    for parameter, value in params.items():
        up, down = ({**params, parameter: value + sign * HALF_A_UNIT} for sign in (1, -1))
        leeway += abs(ours(up) - ours(down)) / 2
    assert ours(params) == pytest.approx(printed, abs=leeway)
    assert leeway < 0.02 * printed  # the test would notice an error of two percent


def test_no_purchase_of_a_one_time_buyer():
    # ((alpha + T) / (alpha + T + 39))^r; a peer's closed form gives 0.9268
    fit = clv.BGNBD().from_params(BG_NBD_39, unit="week")
    probability = fit.probability_of_purchases(one(0, 0, 39), "39 weeks", n=0)["mean"].iloc[0]
    assert probability == pytest.approx(((4.414 + 39) / (4.414 + 78)) ** 0.243, rel=1e-12)
    assert probability == pytest.approx(0.8558, abs=5e-5)


def test_many_purchases_of_a_new_customer():
    fit = clv.BGNBD().from_params(BG_NBD_39, unit="week")
    assert fit.probability_of_purchases_new("400 weeks", n=171) == pytest.approx(1.210e-5, abs=5e-9)
    assert np.isfinite(fit.probability_of_purchases_new("400 weeks", n=172))


def test_conditional_spend_comes_back_on_the_right_customers():
    columns = {"frequency": [2, 5, 3], "recency": 9, "T": 10, "monetary_value": [20, 100, 50]}
    rfm = clv.Histories.from_frame(pd.DataFrame({"customer_id": [3, 1, 2], **columns}), unit="week")
    z = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44}).expected_spend(rfm)["mean"]
    p, q, v = 6.25, 3.74, 15.44
    for customer, x, spend in zip([3, 1, 2], [2, 5, 3], [20, 100, 50], strict=True):
        assert z[customer] == pytest.approx(p * (v + x * spend) / (p * x + q - 1))
