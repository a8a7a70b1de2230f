"""Response curves, acquisition, costs that fall with tenure, and rules to stop: published numbers and other ways."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize, minimize_scalar

import clvmodels as clv
from clvmodels.errors import DataError
from clvmodels.steering.budget.acquisition_or_retention import best_spend_per_prospect
from clvmodels.steering.budget.break_even import break_even_uplift, silence_to_stop
from clvmodels.steering.budget.response_curves import divide_budget, response
from tests.steering.worlds import ASSUMPTIONS, PARETO, SPEND

M, SCALE = [200_000.0, 120_000.0, 60_000.0], [40_000.0, 25_000.0, 10_000.0]


def book_of(x: list[float], t_x: list[float], T: list[float], **changes: object) -> clv.Book:
    table = {"customer_id": range(len(x)), "frequency": x, "recency": t_x, "T": T, "monetary_value": 35.0}
    rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
    fit, spend = clv.ParetoNBD().from_params(PARETO, unit="week"), clv.GammaGamma().from_params(SPEND)
    return clv.value(fit, spend, rfm, ASSUMPTIONS.replace(changes))


def test_response_curves() -> None:
    divided = divide_budget(M, SCALE, 60_000.0)
    assert divided.marginal_value == pytest.approx(2.2708180, abs=5e-8)
    assert divided.spend == pytest.approx([31_571.91, 18_711.90, 9_716.19], abs=0.006)
    assert divided.value == pytest.approx(209_688.65, abs=0.006)
    assert response([20_000.0] * 3, M, SCALE).sum() == pytest.approx(196_654.27, abs=0.006)
    assert divided.spend.sum() == pytest.approx(60_000.0, rel=1e-12)


def test_response_curves_against_an_optimiser() -> None:
    best = minimize(
        lambda x: -response(x * 1e3, M, SCALE).sum() / 1e4,
        np.full(3, 0.6),
        bounds=[(0, None)] * 3,
        constraints={"type": "eq", "fun": lambda x: x.sum() - 2.0},
        tol=1e-14,
    )
    divided = divide_budget(M, SCALE, 2_000.0)
    assert divided.spend == pytest.approx(best.x * 1e3, abs=20.0)
    assert divided.value >= -best.fun * 1e4 * (1.0 - 1e-9)
    assert divided.spend[1] == 0.0  # it brings 4.8 a unit of money at most, and the others bring more


@pytest.mark.parametrize("changes", [{"most": [0.0]}, {"scale": [1.0, 2.0]}, {"budget": -1.0}])
def test_response_curves_refuse(changes: dict[str, object]) -> None:
    with pytest.raises(DataError, match="positive number for each channel"):
        divide_budget(**({"most": [1.0], "scale": [1.0], "budget": 1.0} | changes))


def test_acquisition_against_retention() -> None:
    best = best_spend_per_prospect(52.449, 0.5, 0.1)
    assert best.spend == pytest.approx(9.641090, abs=5e-7)
    search = minimize_scalar(lambda x: x - 52.449 * 0.5 * -np.expm1(-0.1 * x), bounds=(0.0, 50.0), method="bounded")
    assert best.value == pytest.approx(-search.fun, rel=1e-9)
    assert best_spend_per_prospect(10.0, 0.5, 0.1).spend == 0.0
    with pytest.raises(DataError, match="ceiling is a number above 0 and at most 1"):
        best_spend_per_prospect(10.0, 1.5, 0.1)


def test_when_to_stop_contacting() -> None:
    drawn = book_of([0, 2, 10], [0, 30, 40], [39, 39, 52])
    book = clv.value(drawn.transactions, 35.0, drawn.histories, ASSUMPTIONS)  # the value of an order is known
    assert silence_to_stop(book, uplift=0.02, cost=0.05).tolist() == [51.0, 61.0, 23.0]
    gains = 0.02 * book.alive * 0.3 * book.order_value
    assert (break_even_uplift(book, 0.05) * gains / 0.02) == pytest.approx(0.05)
    assert np.isnan(silence_to_stop(book, uplift=0.02, cost=0.05, longest=5)).all()


def test_rules_to_stop_refuse() -> None:
    book = book_of([2], [30], [39])
    with pytest.raises(DataError, match="cost is money"):
        break_even_uplift(book, 0.0)
    with pytest.raises(DataError, match="uplift is a probability"):
        silence_to_stop(book, uplift=2.0, cost=0.05)
