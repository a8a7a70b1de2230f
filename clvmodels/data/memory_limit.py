"""How many customers of an engine are fetched into memory."""

from __future__ import annotations

import math
from typing import Final

from clvmodels.data.columns import count
from clvmodels.errors import DataError

__all__ = ["MEMORY_GB", "require_room"]

MEMORY_GB: Final = 1.0
"""Customers of an engine are fetched without being asked for up to this size, in GB (1e9 bytes): about 18 million with
the columns that every log has. A laptop has room for it, and for what is computed from it."""


def require_room(customers: int, bytes_per_customer: float, memory_gb: float) -> None:
    """Refuse to fetch more customers than fit.

    Raises
    ------
    DataError
        Which says how much they take, and what to write.

    Examples
    --------
    >>> require_room(100_000_000, 56.0, 1.0)
    Traceback (most recent call last):
        ...
    clvmodels.errors.DataError: 100,000,000 customers take 5.6 GB of memory, and no more than 1 GB are fetched; write
    them to Parquet with rfm.write(path) or book.write_customers(path), take tables of the engine (rfm.table,
    book.customers_table, as_table=True of predictions), or fetch them with rfm.collect(memory_gb=6)
    """
    need = customers * bytes_per_customer / 1e9
    if need > memory_gb:
        raise DataError(
            f"{count(customers, 'customer')} take {need:.2g} GB of memory, and no more than {memory_gb:.2g} GB are "
            "fetched; write them to Parquet with rfm.write(path) or book.write_customers(path), take tables of the "
            "engine (rfm.table, book.customers_table, as_table=True of predictions), or fetch them with "
            f"rfm.collect(memory_gb={math.ceil(need)})"
        )
