"""One script about a purchase log, wherever the log lies; and what must be equal of two runs of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import clvmodels as clv

__all__ = ["require_same", "run", "small_log"]


def small_log() -> pd.DataFrame:
    """Return the log of 500 customers of CDNOW, with a segment and a cost of an order for each."""
    log = clv.datasets.load_cdnow(sample=True)
    number = log["customer_id"].astype(int)
    log = log.assign(customer_id=number, segment=np.where(number % 3, "shop", "web"), cost=number % 5 / 10.0)
    return log[number.isin(np.sort(number.unique())[::4][:500])].reset_index(drop=True)


def run(log: object) -> dict[str, Any]:
    """Return the objects and the figures of a script, by name."""
    how: dict[str, Any] = {"value": "amount", "unit": "week", "resolution": "day", "attributes": ["segment", "cost"]}
    before, rfm = (clv.rfm_summary(log, **how, observation_end=end) for end in ("1997-12-31", "1998-06-30"))
    transactions = clv.BGNBD().fit(rfm, method="laplace", draws=50, seed=1)
    spend = clv.GammaGamma().fit(rfm)
    rates = {"discount_rate": 0.15, "margin": 0.3, "order_cost": {"column": "cost"}, "year": "52 weeks"}
    terms = clv.Assumptions.from_mapping(rates)
    opening, closing = (clv.value(transactions, spend, histories, terms) for histories in (before, rfm))
    why = clv.movement(opening, closing)
    return {
        "histories": rfm,
        "transactions": transactions,
        "spend": spend,
        "book": closing,
        "movement": why,
        "frequency": rfm.frequency,
        "ids": rfm.customer_id,
        "table": rfm.to_frame(),
        "selected": rfm.select(rfm.customer_id[:3]).to_frame(),
        "segments": rfm.attributes["segment"],
        "distinct": rfm.distinct(("x", "t_x", "T")).rows,
        "words": str(rfm),
        "expected": transactions.expected_purchases(rfm, "52 weeks"),
        "with chance": transactions.expected_purchases(rfm, "52 weeks", process=True, seed=1),
        "alive": transactions.probability_alive(rfm),
        "total": transactions.total_purchases(rfm, "52 weeks"),
        "order value": spend.expected_spend(rfm),
        "equity": closing.equity,
        "customers": closing.customers,
        "rlv": closing.rlv,
        "statement": closing.statement("segment"),
        "lines": closing.statement_lines,
        "interval": closing.draws(process=False),
        "chance": closing.draws(process=True, seed=1),
        "top": closing.most_valuable(0.2)[1],
        "new customer": closing.new_customer.lifetime_value,
        "checks": closing.checks().figures,
        "cheaper": closing.with_assumptions(terms.replace({"margin": 0.2})).equity,
        "why": why.table["value"],
        "why by segment": why.by("segment"),
        "why by customer": why.customers,
    }


def require_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Compare two runs: the same types, the same members, and figures equal to 1e-9."""
    for name, one in ours.items():
        other = theirs[name]
        assert type(one) is type(other), name
        assert dir(one) == dir(other), name
        if isinstance(one, pd.DataFrame):
            pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=1e-9, check_dtype=False, check_index_type=False)
        elif isinstance(one, pd.Series):
            pd.testing.assert_series_equal(one, other, rtol=1e-9, atol=1e-9, check_dtype=False, check_index_type=False)
        elif isinstance(one, np.ndarray | float):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9, err_msg=name)
        elif isinstance(one, pd.Index):
            assert one.tolist() == other.tolist()
        else:
            assert isinstance(one, str) is isinstance(other, str)
            assert repr(one) == repr(other), name
