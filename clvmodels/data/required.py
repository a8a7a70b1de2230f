"""What is no histories is refused, with how they are made."""

from __future__ import annotations

from clvmodels.data.histories import Histories
from clvmodels.errors import DataError

__all__ = ["of_contracts", "require_contracts", "require_customers", "require_histories"]


def require_histories(given: object) -> None:
    """Refuse what is not histories, such as the log that they are made of.

    Raises
    ------
    DataError
        Which says how histories are made.

    Examples
    --------
    >>> require_histories([1, 2])
    Traceback (most recent call last):
        ...
    clvmodels.errors.DataError: histories are wanted, got list; write rfm_summary(log, ...) of a log, one row a
    purchase, or Histories.from_frame(table, unit=...) of frequency, recency and T
    """
    if not isinstance(given, Histories):
        raise DataError(
            f"histories are wanted, got {type(given).__name__}; write rfm_summary(log, ...) of a log, one row a "
            "purchase, or Histories.from_frame(table, unit=...) of frequency, recency and T"
        )


def of_contracts(histories: Histories) -> bool:
    """Return whether these are histories of contracts: of renewals.

    Examples
    --------
    >>> of_contracts(rfm)
    False
    """
    return histories.in_memory and "renewals" in histories.backend.fetched.statistics


def require_contracts(histories: Histories) -> None:
    """Refuse histories that are not of contracts.

    Raises
    ------
    DataError
        Which says how those are made.

    Examples
    --------
    >>> require_contracts(rfm)
    Traceback (most recent call last):
        ...
    clvmodels.errors.DataError: histories of contracts are wanted, with renewals and churned; write
    clv.contract_summary(table, ...) of a table with starts and ends, or Histories.from_frame(table, unit="year")
    """
    if not of_contracts(histories):
        raise DataError(
            "histories of contracts are wanted, with renewals and churned; write clv.contract_summary(table, ...) of a"
            ' table with starts and ends, or Histories.from_frame(table, unit="year")'
        )


def require_customers(histories: Histories, what: str) -> None:
    """Refuse histories whose rows stand for several customers where `what` is about each of them.

    Raises
    ------
    DataError
        Which says how to have a row for each customer.

    Examples
    --------
    >>> import clvmodels as clv
    >>> require_customers(Histories.from_frame(clv.datasets.load_donations(), unit="year"), "leave-one-out")
    Traceback (most recent call last):
        ...
    clvmodels.errors.DataError: leave-one-out is about each customer, and rows stand for several customers; write
    rfm.expanded()
    """
    if histories.weight is not None:
        raise DataError(f"{what} is about each customer, and rows stand for several customers; write rfm.expanded()")
