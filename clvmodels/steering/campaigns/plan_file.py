"""Tables with settings on disk: written once, never overwritten, whole or not at all."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clvmodels.arguments import require_path
from clvmodels.errors import DataError
from clvmodels.files import new_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_plan", "write_plan"]

KEY: Final = b"clvmodels.plan"


def write_plan(table: pd.DataFrame, content: dict[str, Any], path: str | PathLike[str]) -> Path:
    """Write a table to a Parquet file, with plain data beside it.

    Raises
    ------
    DataError
        If there is a file of this name: what was planned is not changed afterwards.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = require_path(path, "a plan", DataError)
    rows = pa.Table.from_pandas(table, preserve_index=False)
    rows = rows.replace_schema_metadata({**(rows.schema.metadata or {}), KEY: json.dumps(content).encode()})
    try:
        with new_file(target) as part:
            pq.write_table(rows, part)
    except FileExistsError as error:
        raise DataError(
            f"there is a file {str(target)!r}, and a written plan is never overwritten; choose another name"
        ) from error
    return target


def read_plan(path: str | PathLike[str]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read what `write_plan` has written.

    Raises
    ------
    DataError
        If there is no such file, or it holds no plan.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = require_path(path, "a plan", DataError)
    try:
        rows = pq.read_table(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"cannot read the plan {str(file)!r}: {error}") from error
    content = (rows.schema.metadata or {}).get(KEY)
    if content is None:
        raise DataError(f"{str(file)!r} is no plan of a campaign; write one with plan.save(path)")
    return rows.to_pandas(), json.loads(content)
