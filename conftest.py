"""What all tests and examples share."""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from clvmodels import Book

_HERE = Path(__file__).parent
_FILES = ("numerics/elementary", "numerics/power_integral", "numerics/special", "models/kernels/random_means")
_SOURCES = zlib.crc32(b"".join((_HERE / f"clvmodels/{name}.py").read_bytes() for name in _FILES))
# Numba compiles a function anew when its file has changed, but not when one that it draws on has.
os.environ.setdefault("NUMBA_CACHE_DIR", str(_HERE / ".pytest_cache" / f"numba-{_SOURCES:08x}"))


@pytest.fixture(autouse=True)
def _pictures_are_closed() -> Iterator[None]:
    """Close what an example or a test has drawn."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@cache
def _example() -> dict[str, Any]:
    """Return what examples in docstrings are about: three customers, fits with known parameters, and a valuation."""
    import pandas as pd

    import clvmodels as clv

    table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
    table |= {"monetary_value": [22.35, None, 41.0], "segment": ["shop", "web", "web"]}
    rfm = clv.Histories.from_frame(pd.DataFrame(table), unit="week")
    transactions = clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")
    spend = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
    book = clv.value(transactions, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
    example = {"clv": clv, "rfm": rfm, "transactions": transactions, "spend": spend, "book": book}
    return {**example, "coming": _new_customers(), "campaign": _campaign(book)}


def _new_customers() -> object:
    """Return a forecast of those who come to a company that has won a customer every other day."""
    import pandas as pd

    import clvmodels as clv

    days = pd.date_range("2021-01-01", "2023-12-31", freq="2D")
    log = pd.DataFrame({"customer_id": range(len(days)), "date": days})
    rfm = clv.rfm_summary(log, unit="week", observation_end="2023-12-31")
    return clv.acquisition_forecast(rfm, periods=4, period="quarter")


def _campaign(book: Book) -> object:
    """Return the plan of a campaign, with the spread of outcomes that CDNOW has within 13 weeks."""
    from dataclasses import replace

    import clvmodels as clv
    from clvmodels.steering.campaigns.plan import Spread

    arms = {"holdout": 0.5, "coupon": 0.5}
    plan = clv.plan_campaign(book, "spring", arms=arms, window="4 weeks", until="26 weeks")
    return replace(plan, spread=Spread(mean=3.808, sd=16.025, residual_sd=12.98))


@pytest.fixture(autouse=True)
def _examples_have_customers(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> None:
    """Let examples in docstrings begin with these, so that they show the one line that matters."""
    if isinstance(request.node, pytest.DoctestItem):
        doctest_namespace.update(_example())
