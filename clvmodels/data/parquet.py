"""Rows of an engine as a Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clvmodels.data.engine import Engine
from clvmodels.errors import DataError
from clvmodels.files import whole_file

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["write_parquet"]


def write_parquet(engine: Engine, expression: ir.Table, path: str | Path) -> None:
    """Write the rows of an expression to Parquet, by customer_id, whole or not at all.

    Raises
    ------
    DataError
        If the path is one of another machine's.
    """
    if "://" in str(path):
        raise DataError(
            f"cannot write whole or not at all to {str(path)!r}, no path of this machine; write the table in the "
            f"engine yourself: .to_parquet({str(path)!r})"
        )
    with whole_file(Path(path)) as part:
        engine.write(expression, part, order_by="customer_id")
