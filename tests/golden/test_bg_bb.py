"""BG/BB against the figures published for the bundled donations.

[P] Fader, Hardie & Shang (2010), Marketing Science 29(6), tables 3 to 5 and section 4. [R] an R package of the authors'
formulas, run on the same data.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import AssumptionError

pytestmark = pytest.mark.filterwarnings("ignore::clvmodels.errors.DataWarning")  # no spend is known of gifts
PUBLISHED = {"alpha": 1.204, "beta": 0.750, "gamma": 0.657, "delta": 2.783}
SPEND = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
R_PACKAGE = {
    "alpha": 1.20350708052731,
    "beta": 0.749766677759683,
    "gamma": 0.656756817145443,
    "delta": 2.78388732532571,
}


@pytest.fixture(scope="module")
def donors() -> clv.Histories:
    return clv.Histories.from_frame(clv.datasets.load_donations(), unit="year")


def donor(*history: float) -> clv.Histories:
    row = dict(zip(("frequency", "recency", "periods"), history, strict=True))
    return clv.Histories.from_frame(pd.DataFrame({"customer_id": ["A"], **row}), unit="year")


def given(params: dict[str, float]) -> clv.TransactionFit:
    return clv.BGBB().from_params(params, unit="year")


def test_the_maximum(donors: clv.Histories) -> None:
    fit = clv.BGBB().fit(donors)
    assert fit.params == pytest.approx(PUBLISHED, abs=6e-4)
    assert fit.log_likelihood == pytest.approx(-33_225.58, abs=0.005)
    assert fit.diagnostics.status == "converged"


def test_the_log_likelihood_at_the_r_parameters(donors: clv.Histories) -> None:
    model, distinct = clv.BGBB().model, donors.distinct(("x", "t_x", "n"))
    values = model.log_likelihood(model.theta(R_PACKAGE), *distinct.rows.T)
    assert distinct.weight @ values == pytest.approx(-33_225.5812852484, abs=1e-9)


def test_p_alive_one_period_later_is_that_of_the_r_package() -> None:
    """It counts a customer as alive who is so at the next opportunity: times (delta + n) / (gamma + delta + n)."""
    fit, history = given(R_PACKAGE), donor(3, 5, 6)
    now = fit.probability_alive(history)["mean"].item()
    assert given(PUBLISHED).probability_alive(history)["mean"].item() == pytest.approx(0.824089, abs=5e-7)
    later = (R_PACKAGE["delta"] + 6) / (R_PACKAGE["gamma"] + R_PACKAGE["delta"] + 6)
    assert now * later == pytest.approx(0.766827134013502, rel=1e-12)
    assert fit.probability_alive(history, "1 year")["mean"].item() == pytest.approx(0.766827134013502, rel=1e-12)


def test_expected_gifts(donors: clv.Histories) -> None:
    """[R] of one donor; [P] 12,884.2 of all of them in five more years."""
    fit = given(R_PACKAGE)
    gifts = fit.expected_purchases(donor(6, 6, 6), "5 years")["mean"].item()
    assert gifts == pytest.approx(3.75251073451968, rel=1e-12)
    assert fit.total_purchases(donors, "5 years")["mean"] == pytest.approx(12_884.138, abs=5e-4)
    maximum = clv.BGBB().fit(donors)
    assert maximum.total_purchases(donors, "5 years")["mean"] == pytest.approx(12_884.157, abs=2e-3)
    assert maximum.total_purchases(donors, "5 years")["mean"] == pytest.approx(12_884.2, abs=0.05)


def test_the_discounted_gifts_of_a_donor() -> None:
    """Equation (11) of the paper by a sum over 5,000 years, and not by that of the package."""
    fit, years = given(R_PACKAGE), np.arange(1.0, 5_000.0)
    a, b, g, d = R_PACKAGE.values()
    stays = np.cumprod((d + 6 + years - 1.0) / (g + d + 6 + years - 1.0))
    truth = fit.probability_alive(donor(3, 5, 6))["mean"].item() * (a + 3) / (a + b + 6) * (1.1**-years @ stays)
    book = clv.value(fit, SPEND, donor(3, 5, 6), clv.Assumptions(discount_rate=0.1, margin=1.0))
    assert book.customers["discounted_orders"].item() == pytest.approx(truth, rel=1e-10)


@pytest.mark.parametrize("gamma", [0.657, 1.0, 1.8])
def test_the_undiscounted_future_is_finite_where_gamma_exceeds_one(gamma: float) -> None:
    """(delta + n) / (gamma - 1) more opportunities, given that a donor is alive."""
    a, b, _, d = R_PACKAGE.values()
    fit, terms = given(R_PACKAGE | {"gamma": gamma}), clv.Assumptions(discount_rate=0.0, margin=1.0)
    with pytest.raises(AssumptionError, match="gamma = .* infinite" if gamma <= 1.0 else "is finite here"):
        clv.value(fit, SPEND, donor(6, 6, 6), terms)
    years = 1e12
    orders = clv.BGBB().model.expected_purchases(fit.estimate, np.array(6.0), np.array(6.0), np.array(years))
    limit = (a + 6) / (a + b + 6) * (d + 6) / (gamma - 1.0) if gamma > 1.0 else np.inf
    assert orders == pytest.approx(limit, rel=1e-8) if gamma > 1.0 else orders > 100.0
