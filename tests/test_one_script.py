"""The same script on a CSV, a Parquet file and a table of DuckDB: the same types, members and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engines import KINDS, in_engine
from tests.one_script import require_same, run, small_log


@pytest.fixture(scope="module")
def from_csv(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("csv") / "log.csv"
    small_log().to_csv(file, index=False)
    return run(file)


@pytest.mark.parametrize("kind", KINDS)
def test_one_script_says_the_same_wherever_the_log_lies(kind: str, from_csv: dict[str, Any], tmp_path: Path) -> None:
    there = run(in_engine(small_log(), kind, tmp_path))
    assert (there["histories"].in_memory, from_csv["histories"].in_memory) == (False, True)
    require_same(there, from_csv)
