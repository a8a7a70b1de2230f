"""Assignment by hash is the same in Python and in DuckDB, and depends on nothing but id and salt."""

from __future__ import annotations

import hashlib

import ibis
import numpy as np
import pyarrow as pa
import pytest

from clvmodels.data.hashed_arms import arms_of, hashed_arm_column, hashed_shares

IDS = ["A", "42", "Zoë", "a/b", "", *map(str, range(5_000))]


def test_the_share_is_that_of_the_written_rule() -> None:
    digest = hashlib.sha256(b"spring/42").hexdigest()
    assert hashed_shares(["42"], "spring")[0] == int(digest[:13], 16) / 16**13
    assert hashed_shares([42], "spring")[0] == hashed_shares(["42"], "spring")[0]


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.1, 0.3, 0.6]])
def test_engine_and_memory_agree(shares: list[float]) -> None:
    table = ibis.memtable(pa.table({"customer_id": IDS}))
    in_engine = table.select("customer_id", arm=hashed_arm_column(table, "customer_id", shares, "spring")).to_pyarrow()
    by_id = dict(zip(in_engine["customer_id"].to_pylist(), in_engine["arm"].to_pylist(), strict=True))
    assert [by_id[each] for each in IDS] == arms_of(IDS, shares, "spring").tolist()


def test_whole_numbers_agree_as_their_text() -> None:
    table = ibis.memtable(pa.table({"customer_id": [7, 123_456_789_012]}))
    arms = hashed_arm_column(table, "customer_id", [0.5, 0.5], "s").to_pyarrow().to_pylist()
    assert arms == arms_of([7, 123_456_789_012], [0.5, 0.5], "s").tolist()


def test_shares_are_even_and_salts_independent() -> None:
    ids = list(range(40_000))
    first, second = hashed_shares(ids, "a"), hashed_shares(ids, "b")
    assert np.histogram(first, 10, (0.0, 1.0))[0] == pytest.approx(np.full(10, 4_000), abs=4 * np.sqrt(3_600))
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(40_000)
    assert hashed_shares(ids[::-1], "a")[::-1].tolist() == first.tolist()
