"""What all tests and examples share."""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

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
    return {"clv": clv, "rfm": rfm, "transactions": transactions, "spend": spend, "book": book}


@pytest.fixture(autouse=True)
def _examples_have_customers(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> None:
    """Let examples in docstrings begin with these, so that they show the one line that matters."""
    if isinstance(request.node, pytest.DoctestItem):
        doctest_namespace.update(_example())
