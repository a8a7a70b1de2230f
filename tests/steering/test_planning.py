"""Plans: reproducible, with the power that the company's own log gives, written once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import clvmodels as clv
from clvmodels.data.hashed_arms import hashed_shares
from clvmodels.errors import ClvError, DataError
from clvmodels.steering.campaigns.adjusted_effect import adjusted_effects
from clvmodels.steering.campaigns.contributions import of_orders, realised_orders
from clvmodels.steering.campaigns.planning import UNIVERSAL_SALT, covariates_of
from clvmodels.steering.campaigns.power import customers_needed

HALVES = {"holdout": 0.5, "coupon": 0.5}
PARETO = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}
SPEND = {"p": 6.25, "q": 3.74, "v": 15.44}
ASSUMPTIONS = clv.Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")


def book_of(customers: int, end: str | None = "2024-06-30") -> clv.Book:
    rng = np.random.default_rng(1)
    x, T = rng.poisson(1.5, customers), rng.uniform(40, 52, customers)
    recency = np.where(x > 0, T * rng.random(customers), 0.0)
    columns = {"customer_id": np.arange(customers), "frequency": x, "recency": recency, "T": T}
    table = pd.DataFrame(columns | {"monetary_value": np.where(x > 0, rng.gamma(3.0, 10.0, customers), np.nan)})
    rfm = clv.Histories.from_frame(table, unit="week", observation_end=end)
    return clv.value(
        clv.ParetoNBD().from_params(PARETO, unit="week"), clv.GammaGamma().from_params(SPEND), rfm, ASSUMPTIONS
    )


@pytest.fixture(scope="module")
def book() -> clv.Book:
    return book_of(2_000)


@pytest.fixture(scope="module")
def cdnow() -> tuple[clv.Book, clv.Book]:
    """Two closings of CDNOW, 13 weeks apart."""

    def at(end: str) -> clv.Histories:
        log = clv.datasets.path("cdnow.parquet")
        rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end=end)
        return rfm.collect()

    past, now = at("1997-09-30"), at("1997-12-30")
    fit, spend = clv.ParetoNBD().fit(past), clv.GammaGamma().fit(past)
    return clv.value(fit, spend, past, ASSUMPTIONS), clv.value(fit, spend, now, ASSUMPTIONS)


def plan_of(book: clv.Book, **changes: object) -> clv.Plan:
    return clv.plan_campaign(book, "spring", **({"arms": HALVES, "window": "4 weeks", "until": "26 weeks"} | changes))


def test_assignments_follow_the_written_rule(book: clv.Book) -> None:
    plan = plan_of(book, arms={"coupon": 0.3, "holdout": 0.2, "call": 0.5}, salt="s")
    table = plan.assignments
    share = hashed_shares(table["customer_id"], "s")
    expected = np.select([share < 0.2, share < 0.5], ["holdout", "coupon"], "call")
    assert table["arm"].to_list() == expected.tolist()
    assert table["customer_id"].to_list() == book.histories.customer_id.to_list()
    assert set(table["campaign"]) == {"spring"}
    assert (table["contact_from"] == pd.Timestamp("2024-07-01")).all()
    assert plan.customers.sum() == 2_000


def test_assignment_does_not_depend_on_order_or_on_who_else_takes_part(book: clv.Book) -> None:
    ids = book.histories.customer_id
    whole, part = plan_of(book), plan_of(book, eligible=ids[::-3])
    arms = whole.assignments.set_index("customer_id")["arm"]
    assert part.assignments["arm"].to_list() == arms[part.assignments["customer_id"]].to_list()


def test_eligible_customers_may_be_a_rule(book: clv.Book) -> None:
    by_rule = plan_of(book, eligible=lambda valued: valued.alive < 0.3)
    assert by_rule.assignments["customer_id"].to_list() == book.histories.customer_id[book.alive < 0.3].to_list()


def test_the_universal_holdout_takes_part_in_no_campaign(book: clv.Book) -> None:
    first, second = plan_of(book, universal_holdout=0.1), plan_of(book, salt="other", universal_holdout=0.1)
    left_alone = hashed_shares(book.histories.customer_id, UNIVERSAL_SALT) < 0.1
    assert 150 < left_alone.sum() < 250
    for plan in (first, second):
        assert plan.assignments["customer_id"].to_list() == book.histories.customer_id[~left_alone].to_list()


def test_power_on_cdnow(cdnow: tuple[clv.Book, clv.Book]) -> None:
    past, now = cdnow
    plan = plan_of(now, until="13 weeks", past=past)
    assert plan.spread is not None
    discount = 1.15 ** (-6.5 / 52)  # the published figures are not discounted
    assert plan.spread.sd / discount == pytest.approx(16.025, abs=0.005)
    assert plan.spread.residual_sd / discount == pytest.approx(12.98, abs=0.01)
    assert plan.spread.variance_removed == pytest.approx(0.342, abs=0.01)
    effect = 0.1 * plan.spread.mean
    assert effect / discount == pytest.approx(0.3808, abs=0.0001)
    assert plan.customers_needed(effect) == pytest.approx(36_455, rel=0.0025)  # published with other covariates
    assert customers_needed(effect, plan.spread.sd) == pytest.approx(55_599, abs=10)
    both = float(plan.customers.sum())
    assert plan.power(float(plan.smallest_effect()["coupon"])) == pytest.approx(0.8, abs=1e-6)
    assert plan.smallest_effect()["coupon"] == pytest.approx(
        2.8016 * 2.0 * plan.spread.residual_sd / both**0.5, rel=1e-3
    )


def test_promised_power_is_kept_when_cdnow_is_randomised_again(cdnow: tuple[clv.Book, clv.Book]) -> None:
    past, now = cdnow
    plan = plan_of(now, until="13 weeks", past=past)
    y = of_orders(past.each, *realised_orders(past.histories, now.histories))
    X, effect, rng = covariates_of(past.each, 13.0), float(plan.smallest_effect()["coupon"]), np.random.default_rng(5)
    shown = 0
    for _ in range(200):
        arm = rng.integers(0, 2, len(y))
        result = adjusted_effects(y + effect * arm, arm, 1, X)
        shown += int(abs(result.effect[0] / result.se[0]) > plan.critical_value)
    assert shown / 200 == pytest.approx(0.8, abs=3.0 * (0.16 / 200) ** 0.5)


def test_looks_and_arms_raise_the_critical_value(book: clv.Book) -> None:
    once, looks = plan_of(book), plan_of(book, looks=["6 weeks", "13 weeks"])
    arms = plan_of(book, arms={"holdout": 0.4, "a": 0.3, "b": 0.3})
    assert once.critical_value == pytest.approx(1.96, abs=1e-3)
    assert 2.1 < looks.critical_value < 2.39  # below that of three independent ones
    assert 2.1 < arms.critical_value < 2.24


def test_planned_looks_keep_the_error_and_weekly_peeks_do_not() -> None:
    """Under no effect, with independent increments as the plan takes them to be."""
    rng, weeks = np.random.default_rng(4), np.arange(1, 27)
    z = np.cumsum(rng.normal(size=(20_000, 26)), axis=1) / np.sqrt(weeks)
    planned = plan_of(book_of(50), looks=["6 weeks", "13 weeks", "20 weeks"])
    at_looks = np.abs(z[:, np.array([6, 13, 20, 26]) - 1]).max(axis=1)
    assert (at_looks > planned.critical_value).mean() == pytest.approx(0.05, abs=0.006)
    assert (np.abs(z).max(axis=1) > 1.96).mean() > 0.15


def test_a_plan_is_written_once(book: clv.Book, tmp_path: Path) -> None:
    plan = plan_of(book, cost={"coupon": 0.5}, discount={"coupon": 0.1}, looks=["13 weeks"])
    path = plan.save(tmp_path / "plans" / "spring.parquet")
    read = clv.load_plan(path)
    pd.testing.assert_frame_equal(read.assignments, plan.assignments)
    assert read.settings == plan.settings
    assert read.digest == plan.digest
    before = path.read_bytes()
    with pytest.raises(DataError, match="a written plan is never overwritten"):
        plan.save(path)
    assert path.read_bytes() == before
    assert plan.save(tmp_path / "again.parquet").read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["spring.parquet"]


def test_a_plan_that_cannot_be_written_leaves_nothing(
    book: clv.Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pq, "write_table", killed)
    with pytest.raises(KeyboardInterrupt):
        plan_of(book).save(tmp_path / "plans" / "spring.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_changed_plan_is_refused(book: clv.Book, tmp_path: Path) -> None:
    path = plan_of(book).save(tmp_path / "spring.parquet")
    table = pq.read_table(path)
    arms = table["arm"].to_pylist()
    arms[0] = "holdout" if arms[0] == "coupon" else "coupon"
    changed = table.set_column(table.schema.get_field_index("arm"), "arm", pa.array(arms, table["arm"].type))
    pq.write_table(changed, tmp_path / "changed.parquet")
    with pytest.raises(DataError, match="was changed since it was written"):
        clv.load_plan(tmp_path / "changed.parquet")
    pq.write_table(table.replace_schema_metadata({}), tmp_path / "bare.parquet")
    with pytest.raises(DataError, match="is no plan of a campaign"):
        clv.load_plan(tmp_path / "bare.parquet")
    with pytest.raises(DataError, match="cannot read the plan"):
        clv.load_plan(tmp_path / "missing.parquet")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arms": {"a": 0.5, "b": 0.5}}, "nothing to compare with; got 'a', 'b'"),
        ({"arms": {"holdout": 1.0}}, "and another one"),
        ({"arms": {"holdout": 0.5, "a": 0.6}}, "sum to 1"),
        ({"arms": [0.5, 0.5]}, "given by name"),
        ({"window": "30 weeks"}, "the window ends first"),
        ({"looks": ["27 weeks"]}, "`until` is the last"),
        ({"looks": ["26 weeks"]}, "`until` is the last"),
        ({"mechanism": "lastin"}, "did you mean 'lasting'"),
        ({"cost": {"holdout": 1.0}}, "arms that are contacted"),
        ({"discount": {"coupon": 1.5}}, "from 0 up to 1"),
        ({"cost": {"coupon": -1.0}}, "a number from 0 up"),
        ({"level": 2}, "level is a probability"),
        ({"universal_holdout": 1}, "universal_holdout is a share"),
        ({"salt": ""}, "salt is a text"),
        ({"eligible": [0]}, "gets nobody"),
        ({"eligible": ["nobody"]}, "nobody"),
        ({"past": 3}, "past is a valuation"),
        ({"until": "soon"}, "cannot read the duration"),
    ],
)
def test_what_cannot_be_planned_is_refused(book: clv.Book, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ClvError, match=message):
        plan_of(book, **changes)


def test_a_past_of_another_time_is_refused(cdnow: tuple[clv.Book, clv.Book]) -> None:
    with pytest.raises(DataError, match=r"made 26 weeks before the opening.*between the two lie 13"):
        plan_of(cdnow[1], past=cdnow[0])


def test_power_is_not_made_up(book: clv.Book) -> None:
    plan = plan_of(book)
    with pytest.raises(DataError, match="how much outcomes vary is not known"):
        plan.smallest_effect()
    with pytest.raises(DataError, match="has the arms coupon, not 'call'"):
        plan.power(1.0, "call")
    assert "holdout" in repr(plan)
