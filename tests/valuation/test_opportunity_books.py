"""Books of customers with one opportunity to buy in each period: what they are worth, why it moves, how sure it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv

PARAMS = {"alpha": 1.2, "beta": 0.75, "gamma": 0.66, "delta": 2.8}
HISTORIES = [(0, 0, 0), (0, 0, 6), (3, 5, 6), (6, 6, 6), (1, 1, 12)]
RATES = [0.08, 0.12, 0.10]
CASES = {
    "plain": {"discount_rate": 0.10},
    "end of the year": {"discount_rate": 0.10, "timing": "end-year", "horizon": "3 years"},
    "middle of the year": {"discount_rate": 0.10, "timing": "mid-year"},
    "middle of the month": {"discount_rate": 0.02, "timing": "mid-month"},
    "a horizon": {"discount_rate": 0.10, "horizon": "4 years"},
    "rates of years": {"discount_rate": RATES, "timing": "end-year"},
}
PLACES = {"plain": 1.0, "end of the year": 1.0, "middle of the year": 0.5, "middle of the month": 0.0, "a horizon": 1.0}
"""When, in the year that ends with it, the money of an opportunity flows; of 1/24 of a year before the end, 23/24."""
PLACES |= {"middle of the month": 23.0 / 24.0, "rates of years": 1.0}
cases = pytest.mark.parametrize("case", CASES)


def fit_of(unit: str = "year") -> clv.TransactionFit:
    return clv.BGBB().from_params(PARAMS, unit=unit)


def customers(rows: list[tuple[int, int, int]], unit: str = "year") -> clv.Histories:
    table = pd.DataFrame(rows, columns=["frequency", "recency", "periods"], dtype=float)
    return clv.Histories.from_frame(table.rename_axis("customer_id").reset_index(), unit=unit)


def assumptions_of(case: str) -> clv.Assumptions:
    return clv.Assumptions(margin=0.5, order_cost=1.0, maintenance_cost=2.0, **CASES[case])


def factors(case: str, years: int) -> np.ndarray:
    """The present values of one at the opportunities of the next years."""
    m = np.arange(1.0, years + 1.0)
    if case == "rates of years":
        rates = np.append(RATES, np.full(years, RATES[-1]))[:years]
        return 1.0 / np.cumprod(1.0 + rates)
    horizon = {"end of the year": 3.0, "a horizon": 4.0}.get(case, np.inf)
    return np.where(m <= horizon, (1.0 + CASES[case]["discount_rate"]) ** -(m - 1.0 + PLACES[case]), 0.0)


@cases
def test_a_customer_is_worth_the_sum_over_their_opportunities(case: str) -> None:
    """Survival by equation (8) of Fader, Hardie & Shang (2010), as a product; 3,000 years at the lowest rate."""
    book, v = clv.value(fit_of(), 20.0, customers(HISTORIES), assumptions_of(case)), factors(case, 3_000)
    alive = fit_of().probability_alive(customers(HISTORIES))["mean"].to_numpy()
    a, b, g, d = PARAMS.values()
    years = np.arange(1.0, 3_001.0)
    for k, (x, _, n) in enumerate(HISTORIES):
        stays = np.cumprod((d + n + years - 1.0) / (g + d + n + years - 1.0))
        living = alive[k] * (v @ stays)
        orders = (a + x) / (a + b + n) * living
        assert book.rlv[k] == pytest.approx(orders * (20.0 * 0.5 - 1.0) - 2.0 * living, rel=1e-9)


@cases
def test_the_closing_expected_is_the_mean_of_the_closings_that_may_come(case: str) -> None:
    """At the next opportunity each customer buys or does not, with probabilities that the opening knows."""
    opening = clv.value(fit_of(), 20.0, customers(HISTORIES), assumptions_of(case))
    buys = 1.0 - fit_of().probability_of_purchases(customers(HISTORIES), "1 year", n=0)["mean"].to_numpy()
    after = [[(x + 1, n + 1, n + 1) for x, _, n in HISTORIES], [(x, t_x, n + 1) for x, t_x, n in HISTORIES]]
    closings = [clv.value(fit_of(), 20.0, customers(rows), assumptions_of(case)) for rows in after]
    mean = buys * closings[0].rlv + (1.0 - buys) * closings[1].rlv
    for closing, bought in zip(closings, (True, False), strict=True):
        why = clv.movement(opening, closing)
        assert why.time == 1.0
        assert why.unexplained == pytest.approx(0.0, abs=1e-9 * opening.equity)
        assert why.table["value"]["expected_closing"] == pytest.approx(mean.sum(), rel=1e-9)
        assert why.realised_margin == (len(HISTORIES) * 10.0 if bought else 0.0)
        assert why.expected_margin == pytest.approx(10.0 * buys.sum())


@cases
def test_simulated_futures_are_worth_the_value(case: str) -> None:
    book = clv.value(fit_of(), 20.0, customers(HISTORIES * 40), assumptions_of(case))
    draws = book.draws(process=True, seed=1)
    assert abs(draws.mean() - book.equity) < 4.0 * draws.std() / np.sqrt(len(draws))


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    """Monthly opportunities of 1,500 customers who came in two years, until the end of the fourth."""
    generator, number = np.random.default_rng(4), 1_500
    buys, leaves = generator.beta(1.2, 0.75, number), generator.beta(0.66, 9.0, number)
    first, month = generator.integers(0, 36, number)[:, None], np.arange(48)
    stayed = first + generator.geometric(leaves)[:, None]  # the month before which they leave
    bought = (month > first) & (month < stayed) & (generator.random((number, 48)) < buys[:, None])
    customer, at = np.nonzero(bought | (month == first))
    spend = 60.0 / generator.gamma(4.0, size=number)
    table = pd.DataFrame({"customer_id": customer, "amount": generator.gamma(3.0, spend[customer] / 3.0)})
    dates = pd.DatetimeIndex([pd.Timestamp(2020 + k // 12, 1 + k % 12, 10) for k in range(48)])
    return table.assign(date=dates[at], region=np.where(customer % 3 == 0, "north", "south"))


@pytest.fixture(scope="module")
def books(log: pd.DataFrame) -> list[clv.Book]:
    made = []
    for end, margin in (("2022-06-30", 0.4), ("2023-06-30", 0.45)):
        histories = clv.opportunity_summary(
            log, value="amount", opportunity="1 month", attributes=["region"], observation_end=end
        )
        terms = clv.Assumptions(discount_rate=0.1, margin=margin, maintenance_cost=3.0)
        made.append(clv.value(clv.BGBB().fit(histories), clv.GammaGamma().fit(histories), histories, terms))
    return made


def test_the_statement_adds_up(books: list[clv.Book]) -> None:
    book = books[0]
    statement = book.statement("region")
    assert statement.loc["total", "equity"] == pytest.approx(book.rlv.sum())
    assert statement.loc[["north", "south"], "equity"].sum() == pytest.approx(book.equity)
    assert book.customers["discounted_orders"].to_numpy() == pytest.approx(book.future.D)
    shares = book.horizons["share"].to_numpy()
    assert (np.diff(shares) > 0.0).all()
    assert shares[-1] < 1.0


def test_the_interval_covers_the_book_of_the_truth() -> None:
    histories = fit_of().simulate(2_000, "8 years", seed=2)
    book = clv.value(clv.BGBB().fit(histories), 20.0, histories, assumptions_of("plain"))
    interval = book.interval(0.9)
    assert interval.covers == ("parameters", "what customers do")
    assert interval.low < clv.value(fit_of(), 20.0, histories, book.assumptions).equity < interval.high
    assert interval.high < 1.5 * interval.low


def test_the_movement_of_a_year_adds_up(log: pd.DataFrame, books: list[clv.Book]) -> None:
    why = clv.movement(*books)
    lines = why.table["value"]
    assert why.time == 12.0
    assert why.unexplained == pytest.approx(0.0, abs=1e-9 * books[1].equity)
    assert lines["opening"] == pytest.approx(books[0].equity)
    assert lines["closing"] == pytest.approx(books[1].equity)
    assert lines["unwind"] == pytest.approx(0.1 * books[0].equity)
    assert lines["orders"] > 0.0 > lines["silence"]
    assert why.by("region")["opening"].sum() == pytest.approx(books[0].equity)
    day = pd.Timestamp("2022-06-30")
    first = log.groupby("customer_id")["date"].transform("min")
    bought = log[(first <= day) & (log["date"] > day) & (log["date"] <= "2023-06-30")]
    assert why.realised_margin == pytest.approx(0.4 * bought["amount"].sum())
    came = log.loc[(first > day) & (first <= "2023-06-30"), "customer_id"].unique()
    assert sorted(why.customers.index[why.customers["new_customers"] != 0.0]) == sorted(came)
