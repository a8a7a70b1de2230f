"""Input of every kind that a user or an attacker can hand in: most of it nearly right, so that it gets far."""

from __future__ import annotations

import datetime as dt
import io
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

HUGE = [1e308, -1e308, 1e300, 1e15, 1e-308, 5e-324, 0.0, -0.0, math.inf, -math.inf, math.nan]
NUMBERS = st.one_of(
    st.floats(0.01, 500.0), st.integers(-3, 50), st.sampled_from(HUGE), st.just(10**400), st.floats(allow_nan=True)
)
TEXTS = st.one_of(
    st.sampled_from(
        ["", "a", "A ", "guest", "nan", "1e308 weeks", "52 weeks", "week", "\0", "[bold]x[/bold]", "\x1b[2J"]
    ),
    st.text(max_size=12),
)
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    NUMBERS,
    TEXTS,
    st.binary(max_size=4),
    st.just(dt.date(2024, 1, 5)),
    st.just(dt.timedelta(days=3)),
    st.just(Decimal("1.5")),
    st.just(1 + 2j),
    st.builds(object),
    st.just(np.array([1.0, 2.0])),
    st.just(pd.Series([1, 2])),
    st.just(pd.NaT),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(TEXTS, st.integers(), max_size=2),
)
"""Anything at all."""
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 3), st.just(10**300), NUMBERS.filter(lambda n: n != 10**400), TEXTS
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)

DAYS = st.dates(dt.date(2023, 1, 1), dt.date(2024, 12, 31))
FORMATS = ["frame", "arrow", "reader", "parquet", "csv", "polars"]


@st.composite
def columns_of_ids(draw: st.DrawFn, rows: int) -> Any:
    """Return customer ids, mostly of a sane kind."""
    kinds = [
        st.integers(0, 5),
        st.integers(0, 5),
        st.sampled_from(["a", "b", "c"]),
        st.one_of(st.sampled_from(["a", "a ", "A", "guest", "0", ""]), st.none()),
        st.one_of(st.floats(), st.integers(0, 3)),
        st.sampled_from([b"a", b"\xff"]),
        st.booleans(),
        st.lists(st.integers(), max_size=2),
        ODD,
    ]
    return draw(st.lists(draw(st.sampled_from(kinds)), min_size=rows, max_size=rows))


@st.composite
def columns_of_times(draw: st.DrawFn, rows: int) -> Any:
    """Return times, mostly of a sane kind."""
    days = draw(st.lists(DAYS, min_size=rows, max_size=rows))
    index = pd.DatetimeIndex(pd.to_datetime(days))
    kind = draw(st.integers(0, 11))
    if kind < 4:
        return index.astype(f"datetime64[{draw(st.sampled_from(['s', 'ms', 'us', 'ns']))}]")
    if kind == 4:
        zone = draw(st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "-03:30"]))
        return index.astype(f"datetime64[{draw(st.sampled_from(['us', 'ns']))}]").tz_localize(zone)
    if kind < 7:
        return [str(day) for day in days]
    return {
        7: [f"{day:%d.%m.%Y}" for day in days],
        8: [int(f"{day:%Y%m%d}") for day in days],
        9: [draw(st.one_of(st.just(day), st.none(), TEXTS)) for day in days],
        10: [draw(st.sampled_from([dt.datetime(9999, 12, 31), dt.datetime(1, 1, 1), None])) for _ in days],
        11: [draw(ODD) for _ in days],
    }[kind]


@st.composite
def columns_of_amounts(draw: st.DrawFn, rows: int) -> Any:
    """Return amounts, mostly of a sane kind."""
    kinds = [
        st.floats(0.01, 500.0),
        st.floats(0.01, 500.0),
        st.one_of(st.floats(-100.0, 500.0), st.none()),
        st.integers(-3, 500),
        NUMBERS,
        st.decimals(-100, 500, places=2),
        st.one_of(st.floats(0.01, 500.0).map(str), TEXTS),
        ODD,
    ]
    return draw(st.lists(draw(st.sampled_from(kinds)), min_size=rows, max_size=rows))


def series(values: Any) -> pd.Series[Any]:
    """Return values as a column, of objects where they have nothing in common."""
    if isinstance(values, pd.Index):
        return pd.Series(values)
    column = pd.Series([None] * len(values), dtype=object)
    for place, value in enumerate(values):
        column.iloc[place] = value
    simple = all(isinstance(value, int | float | str) or value is None for value in values)
    return column.infer_objects() if simple else column


@st.composite
def parquet_files(draw: st.DrawFn) -> bytes:
    """Return a damaged Parquet file: a log and a ledger in one."""
    rng = np.random.default_rng(1)
    rows = 120
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), unit="D")
    table = pa.table(
        {
            "customer_id": rng.integers(0, 20, rows),
            "date": days,
            "time": days,
            "amount": rng.gamma(5.0, 4.0, rows),
            "value": rng.gamma(5.0, 4.0, rows),
            "segment": rng.choice(["a", "b"], rows),
        }
    )
    file = io.BytesIO()
    compression = draw(st.sampled_from(["none", "snappy", "zstd", "gzip"]))
    pq.write_table(table, file, compression=compression, row_group_size=40, data_page_size=200)
    content = bytearray(file.getvalue())
    footer = int.from_bytes(content[-8:-4], "little")
    for _ in range(draw(st.integers(0, 4))):
        low, high = draw(
            st.sampled_from([(4, len(content) - footer - 9), (len(content) - footer - 8, len(content) - 1)])
        )
        content[draw(st.integers(low, high))] = draw(st.integers(0, 255))
    if draw(st.integers(0, 9)) == 0:
        del content[draw(st.integers(0, len(content))) :]
    return bytes(content)
