"""A model in periods, with statistics of its own, in one file of a user's; and a model of spend with two parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.errors import ModelError
from clvmodels.models import register
from clvmodels.models.consistency import check_model
from clvmodels.models.differences import by_differences, no_terms
from clvmodels.models.gamma_gamma import GAMMA_GAMMA
from clvmodels.models.registry import _remove
from clvmodels.models.specification import Parameter
from tests.models.bgbb import BG_BB, future, p_alive

pytestmark = pytest.mark.filterwarnings("ignore::clvmodels.errors.DataWarning")  # no spend is known of gifts
PUBLISHED = {"alpha": 1.204, "beta": 0.750, "gamma": 0.657, "delta": 2.783}
EXACT = {"alpha": 1.20350708052731, "beta": 0.749766677759683, "gamma": 0.656756817145443, "delta": 2.78388732532571}
SPEND = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    register(BG_BB)
    yield
    _remove(BG_BB)


@pytest.fixture(scope="module")
def donors() -> clv.Histories:
    return clv.Histories.from_frame(clv.datasets.load_donations(), unit="year")


def one_of(*history: float) -> clv.Histories:
    row = dict(zip(("frequency", "recency", "periods"), history, strict=True))
    return clv.Histories.from_frame(pd.DataFrame({"customer_id": ["A"], **row}), unit="year")


def given(params: dict[str, float]) -> clv.TransactionFit:
    return clv.OwnBGBB().from_params(params, unit="year")


def test_the_published_maximum(donors: clv.Histories) -> None:
    """Fader, Hardie & Shang (2010), table 3 and section 4; so is the sum of expected gifts in five more years."""
    fit = clv.OwnBGBB().fit(donors)
    assert fit.params == pytest.approx(PUBLISHED, abs=6e-4)
    assert fit.log_likelihood == pytest.approx(-33_225.58, abs=0.005)
    assert fit.diagnostics.status == "converged"
    assert fit.total_purchases(donors, "5 years")["mean"] == pytest.approx(12_884.157, abs=2e-3)


def test_conditional_quantities() -> None:
    fit = given(EXACT)
    gifts = [fit.expected_purchases(one_of(*history), "5 years")["mean"].item() for history in ((3, 6, 6), (6, 6, 6))]
    assert gifts == pytest.approx([2.190, 3.75251073451968], abs=4e-4)
    assert fit.probability_alive(one_of(3, 5, 6))["mean"].item() == pytest.approx(0.824089, abs=1e-4)
    assert fit.expected_purchases(one_of(6, 6, 6), "5.5 years")["mean"].item() == pytest.approx(gifts[1])


def test_the_value_is_a_sum_over_periods() -> None:
    book = clv.value(given(PUBLISHED), SPEND, one_of(3, 5, 6), clv.Assumptions(discount_rate=0.1, margin=1.0))
    theta, m = BG_BB.theta(PUBLISHED), np.arange(1.0, 3_000.0)
    survival, intensity = future(theta, 3.0, 6.0, m)
    alive = p_alive(theta, np.array(3.0), np.array(5.0), np.array(6.0))
    assert alive == pytest.approx(0.8241, abs=5e-5)
    customer = book.customers.iloc[0]
    assert customer["discounted_orders"] == pytest.approx(2.8415, abs=5e-5)
    assert customer["discounted_orders"] == pytest.approx(float(alive * (1.1**-m @ intensity)), rel=1e-12)
    assert customer["discounted_lifetime"] == pytest.approx(float(alive * (1.1**-m @ survival)), rel=1e-12)


def test_simulated_futures_are_worth_what_is_expected() -> None:
    fit = given(EXACT)
    rfm = fit.simulate(300, "6 years", seed=2)
    book = clv.value(fit, SPEND, rfm, clv.Assumptions(discount_rate=0.1, margin=1.0))
    draws = book.draws(process=True, seed=1)
    assert abs(draws.mean() - book.equity) < 4.0 * draws.std() / np.sqrt(len(draws))


def test_never_more_purchases_than_opportunities() -> None:
    fit = given(EXACT)
    simulated = fit.simulate(2_000, "6 years", seed=1)
    assert simulated.statistic("n").tolist() == [6.0] * 2_000
    assert (simulated.frequency <= simulated.recency).all()
    assert simulated.recency.max() <= 6.0
    ahead = fit.expected_purchases(one_of(6, 6, 6), "5 years", process=True, seed=1)
    assert ahead["q95"].item() <= 5.0
    assert fit.probability_of_purchases(one_of(6, 6, 6), "5 years", n=6)["mean"].item() == 0.0


def test_it_keeps_the_laws_and_says_what_it_means(donors: clv.Histories) -> None:
    table = check_model(BG_BB)
    assert table["kept"].all(), table[~table["kept"]]
    wrong = replace(BG_BB, expected_purchases=lambda theta, x, n, t: 1.1 * BG_BB.expected_purchases(theta, x, n, t))
    assert not check_model(wrong)["kept"].all()
    words = clv.OwnBGBB().fit(donors).describe()
    assert "a customer buys 0.616 times a year" in words


def test_too_many_periods_are_refused_in_words() -> None:
    fit = clv.OwnBGBB().from_params(PUBLISHED, unit="hour")
    rfm = clv.Histories.from_frame(
        pd.DataFrame({"customer_id": [1], "frequency": 1, "recency": 2, "periods": 3}), unit="hour"
    )
    with pytest.raises(ModelError, match="periods count before discounting ends them; state a horizon"):
        clv.value(fit, SPEND, rfm, clv.Assumptions(discount_rate=0.01, margin=0.3))


def test_a_model_without_a_simulation_is_refused() -> None:
    with pytest.raises(ModelError, match="BG/BB needs draw_traits"):
        replace(BG_BB, simulate=None)


# ------------------------------------------------------------------------------------------------------------- spend


def _with_p(theta: np.ndarray) -> np.ndarray:
    """Return p = 1, q, v: orders of a customer are exponential."""
    return np.concatenate([np.ones_like(theta[..., :1]), theta], axis=-1)


EXPONENTIAL = replace(
    GAMMA_GAMMA,
    key="exponential_gamma",
    name="exponential-gamma",
    public_name="OwnExponentialGamma",
    parameters=(Parameter("q", lower=1.0), Parameter("v", "money")),
    example={"q": 3.74, "v": 96.5},
    starts=((2.0, 1.0), (4.0, 3.0)),
    count_terms=no_terms,
    history_terms=by_differences(
        lambda theta, x, mean: GAMMA_GAMMA.log_likelihood(_with_p(theta), x, mean), lower=(1.0, 0.0)
    ),
    expected_spend=lambda theta, x, mean: GAMMA_GAMMA.expected_spend(_with_p(theta), x, mean),
    draw_orders=lambda theta, *rest: GAMMA_GAMMA.draw_orders(_with_p(theta), *rest),
    quantities=(),
    from_quantities=lambda *_: {},
    to_quantities=lambda *_: {},
    limits=(),
    in_words=None,
)


def test_spend_with_two_parameters_is_checked_and_described() -> None:
    register(EXPONENTIAL)
    try:
        table = check_model(EXPONENTIAL)
        assert table["kept"].all(), table[~table["kept"]]
        wrong = replace(
            EXPONENTIAL, expected_spend=lambda theta, x, mean: 1.1 * EXPONENTIAL.expected_spend(theta, x, mean)
        )
        assert check_model(wrong).query("not kept").index.tolist() == [
            "after a great many orders, their mean is expected",
            "drawn orders have the expected values as their mean",
        ]
        generator = np.random.default_rng(1)
        x = 1.0 + generator.poisson(4.0, 4_000)
        nu = generator.gamma(3.74, size=4_000) / 96.5
        mean = generator.gamma(x) / nu / x
        table = pd.DataFrame(
            {"customer_id": range(4_000), "frequency": x, "recency": 9.0, "T": 20.0, "monetary_value": mean}
        )
        fit = clv.OwnExponentialGamma().fit(clv.Histories.from_frame(table, unit="week"))
        off = (fit.estimate - [3.74, 96.5]) / fit.summary()["sd"].to_numpy()
        assert (np.abs(off) < 4.0).all()
        assert fit.describe().splitlines()[1].startswith("An order is worth 3")
    finally:
        _remove(EXPONENTIAL)


def test_differences_stay_above_the_lower_bounds() -> None:
    """Next to q = 1, where the log-likelihood ends."""
    theta, x, mean = np.array([1.0 + 1e-6, 96.5]), np.array([1.0, 4.0]), np.array([20.0, 50.0])
    exact = GAMMA_GAMMA.history_terms(_with_p(theta), x, mean)[1] + GAMMA_GAMMA.count_terms(_with_p(theta), x)[1]
    np.testing.assert_allclose(EXPONENTIAL.history_terms(theta, x, mean)[1], exact[:, 1:], rtol=1e-5)
