"""The format of a purchase log: what its columns are called, and what counts as a purchase."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

from clvmodels.arguments import require_choice, require_text
from clvmodels.data.bounds import WindowBound, at_the_edge, read_bound
from clvmodels.data.build import Plan, Returns
from clvmodels.data.duckdb_engine import DuckDBLimits
from clvmodels.data.ids import IdRules, read_ids
from clvmodels.data.log import Log, read_log
from clvmodels.data.profile import last_time
from clvmodels.data.sources import Columns
from clvmodels.data.windows import Window
from clvmodels.errors import DataError
from clvmodels.units import parse_unit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Day", "LogFormat", "end_of", "log_of", "log_since", "plan_of"]

type Day = str | dt.date | pd.Timestamp

_RESERVED = ("customer_id", "frequency", "recency", "T", "monetary_value", "first_purchase", "first_value")


@dataclass(frozen=True)
class LogFormat:
    """The format of a purchase log: what its columns are called, the unit of time, and what counts as a purchase.

    `rfm_summary` and the other functions that take a purchase log have the same options.

    Attributes
    ----------
    customer_id, time, value
        Names of the columns. Without `value` there is no spend. A value of exactly zero (a free order, a voucher) is a
        purchase, as in the published CDNOW figures; a missing one is a purchase of unknown value, left out of every
        mean.
    unit
        The unit of recency and T: ``"hour"``, ``"day"``, ``"week"``, ``"month"`` or ``"year"``, each of fixed length.
    resolution
        None: exact times; only rows of the same instant are one occasion. Or a unit: all purchases of a customer in one
        hour, day, week (from Monday), month or year of the local calendar are one occasion, dated by its start. Merging
        biases the purchase rate downwards; the share of merged purchases is reported.
    returns
        What to do with the rows with a negative value. They are refunds and no purchases. ``"net"``: each is
        booked to the customer's latest purchase occasion at or before it; an occasion that its refunds bring to zero
        or less is no purchase; a refund without an earlier purchase is dropped. ``"drop"``: they are left out.
        ``"raise"``: they are an error. ``"keep"``: the values are contributions, so that these are orders like others,
        which brought less than they cost (``clv.NormalContribution``).
    time_zone
        The zone whose days are counted, such as ``"Europe/Berlin"``. Default: the column's own. Times without a zone
        are taken as local times of it.
    time_format
        How text or numbers are written, as in ``strptime``; ISO text needs none.
    attributes
        Further columns to keep: the first known value of each customer.
    order_id
        Column of the order ids of a log with one row an order line: the purchases of one customer with the same order
        id are one order, dated by its first row. A row without one is an order of its own; a refund keeps its date.
    quantity
        Column of the quantities, if `value` holds unit prices: the value of a row is their product. A negative quantity
        is a return, whether or not its price is negative too.
    exclude_ids
        Ids of customers to leave out, such as ``["guest"]``; their rows and money are in the report. A number and the
        text it is written as are the same id.
    clean_ids
        Whether ids that differ by capitals or blanks alone are one customer: they are then read without blanks around
        them, with single blanks within them, and in lower case.

    Examples
    --------
    >>> LogFormat(value="amount", unit="week", resolution="day").time
    'date'
    """

    customer_id: str = "customer_id"
    time: str = "date"
    value: str | None = None
    unit: str = "week"
    resolution: str | None = None
    returns: Returns = "net"
    time_zone: str | None = None
    time_format: str | None = None
    attributes: Sequence[str] = ()
    order_id: str | None = None
    quantity: str | None = None
    exclude_ids: Sequence[object] = ()
    clean_ids: bool = False


def log_of(
    log_format: LogFormat,
    log: object,
    storage: DuckDBLimits = DuckDBLimits(),  # noqa: B008 - it is frozen
) -> Log:
    """Check the options of a format and open a log.

    Raises
    ------
    DataError
        If an option is wrong or the log cannot be read.
    """
    require_choice("returns policy", log_format.returns, get_args(Returns), DataError)
    names = _attribute_names(log_format.attributes)
    _require_free(names, str)
    if log_format.quantity is not None and log_format.value is None:
        raise DataError("quantity is multiplied by unit prices: name their column too, as value=...")
    columns = Columns(
        log_format.customer_id, log_format.time, log_format.value, names, log_format.order_id, log_format.quantity
    )
    opened = read_log(
        log,
        columns,
        time_format=log_format.time_format,
        time_zone=log_format.time_zone,
        storage=storage,
        ids=IdRules(read_ids(log_format.exclude_ids), clean=log_format.clean_ids),
    )
    if opened.large:  # engines do not tell upper and lower case apart
        _require_free(names, str.lower)
    return opened


def plan_of(log_format: LogFormat, log: Log, start: WindowBound | None, end: WindowBound) -> Plan:
    """Return how a window of an opened log is to be summarised."""
    resolution = None if log_format.resolution is None else parse_unit(log_format.resolution)
    return Plan(
        log,
        Window(start, end, resolution, log.clock),
        parse_unit(log_format.unit),
        log_format.returns,
        log_format.clean_ids,
    )


def log_since(log: Log, start: Day | None) -> Log:
    """Return an opened log without the rows before a day; None: all of it.

    Raises
    ------
    DataError
        If the day cannot be read.
    """
    import ibis

    if start is None:
        return log
    first = log.clock.in_column(read_bound(start, "observation_start", log.clock).local)
    return replace(log, rows=log.rows.filter(log.rows.t >= ibis.literal(first)))


def _attribute_names(given: object) -> tuple[str, ...]:
    """Return the names of attributes, each once.

    Raises
    ------
    DataError
        If they are no names.
    """
    if isinstance(given, str):
        return (given,)
    names: list[Any] = list(given) if isinstance(given, Iterable) and not isinstance(given, bytes | Mapping) else [None]
    for name in names:
        require_text("attributes", name, 'a list of names of columns, such as ["channel"]', DataError)
    return tuple(dict.fromkeys(names))


def _require_free(names: Sequence[str], read: Callable[[str], str]) -> None:
    """Refuse attributes that have the name of a column of histories, as it is read."""
    reserved = {read(name) for name in _RESERVED}
    taken = [name for name in names if read(name) in reserved]
    if taken:
        raise DataError(
            f"an attribute cannot be called {taken[0]!r}: histories have such a column; rename it in the log"
        )


def end_of(log: Log, given: Day | None, name: str) -> WindowBound:
    """Return the end of a window; by default the day of the last transaction.

    Raises
    ------
    DataError
        If it cannot be read, or the last transaction is of a date that stands for none, such as 9999-12-31.
    """
    if given is not None:
        return read_bound(given, name, log.clock)
    last = last_time(log)
    if at_the_edge(last):
        raise DataError(
            f"the last transaction of the log is of {last.date()}, which stands for no date; write {name}=..., the last"
            " day of the log that is one: rows after it are left out"
        )
    return replace(read_bound(last.date(), name, log.clock), stated=False)
