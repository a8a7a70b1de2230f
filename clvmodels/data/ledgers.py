"""Relationship ledgers beside the purchase log: returns, service contacts, campaigns, acquisition costs, referrals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from clvmodels.arguments import abridged
from clvmodels.data.columns import count, examples
from clvmodels.data.histories import FloatArray, Histories
from clvmodels.data.ids import IdRules, read_ids
from clvmodels.data.ledger_tables import FORMS, positions, read_ledger
from clvmodels.errors import DataError
from clvmodels.units import DAYS

if TYPE_CHECKING:
    import datetime as dt

    import pandas as pd

__all__ = ["Ledgers"]

Days = npt.NDArray[np.datetime64]
Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

COUNTS: Final = {
    "returns": ("returns", "returned_orders", "returned_value"),
    "service": ("service_contacts",),
    "campaigns": ("campaign_contacts", "campaign_days"),
    "referrals": ("referrals",),
}
"""The columns of the activity that each dated ledger gives."""
_HEADING: Final = "the relationship ledgers cannot be used as they are (rows are counted from 1, without a header):"


@dataclass(frozen=True, eq=False)
class Ledgers:
    """What is known of the relationship with each customer beside their purchases. Immutable; made by `Ledgers.read`.

    Attributes
    ----------
    returns
        ``customer_id``, ``time``, ``value`` (money of the returned goods). None if not given, as the others.
    service
        Contacts with the service: ``customer_id``, ``time``, and ``channel`` if there is one.
    campaigns
        Contacts of campaigns: ``customer_id``, ``time``.
    acquisition
        ``customer_id``, ``cost`` (NaN if unknown), and ``channel`` if there is one; one row a customer.
    referrals
        ``customer_id`` (who recommended), ``referred_id``, ``time``.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"customer_id": ["ann", "bob"], "frequency": [1, 0], "recency": [10, 0], "T": [30, 20]})
    >>> rfm = Histories.from_frame(table, unit="day", observation_end="2024-01-31")
    >>> days = ["2024-01-05", "2024-01-03", "2024-02-05"]
    >>> ledgers = Ledgers.read(service=pd.DataFrame({"customer_id": ["ann", "bob", "ann"], "time": days}))
    >>> ledgers.activity(rfm)["service_contacts"].to_dict()
    {'ann': 1, 'bob': 0}
    >>> for note in ledgers.notes(rfm):
    ...     print(note)
    service: 1 contact before the customer's first purchase, not counted
    service: 1 contact after the end of observation, not counted
    """

    returns: pd.DataFrame | None = None
    service: pd.DataFrame | None = None
    campaigns: pd.DataFrame | None = None
    acquisition: pd.DataFrame | None = None
    referrals: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        """Refuse what `read` has not made.

        Raises
        ------
        DataError
            If a ledger is no table.
        """
        for name in FORMS:
            table = getattr(self, name)
            if table is not None and not hasattr(table, "columns"):
                raise DataError(f"ledgers are made by Ledgers.read({name}=...), got {name}={abridged(table)}")

    @classmethod
    def read(
        cls,
        *,
        returns: object = None,
        service: object = None,
        campaigns: object = None,
        acquisition: object = None,
        referrals: object = None,
        time_format: str | None = None,
        exclude_ids: Sequence[object] = (),
        clean_ids: bool = False,
        histories: Histories | None = None,
    ) -> Self:
        """Read and check ledgers, each of them optional.

        Parameters
        ----------
        returns, service, campaigns, acquisition, referrals
            As a purchase log: pandas, polars or Arrow tables, DuckDB relations, Ibis tables, or paths of CSV or Parquet
            files, ``*`` allowed; with the columns named above. Other columns are not read.
        time_format
            How the times of all ledgers are written, as in ``strptime``; timestamps and ISO text need none.
        exclude_ids, clean_ids
            As in `rfm_summary`, and the same as for the purchase log: rows of excluded customers are left out.
        histories
            If given, customers who are not in them are found at once, with everything else; otherwise by `activity`.

        Raises
        ------
        DataError
            Once, with a list of everything found: a column missing, ids or times missing, amounts that are missing,
            negative or no numbers, a customer with two acquisition costs, one who referred themselves or was referred
            twice, and customers unknown to the histories.

        Examples
        --------
        >>> import pandas as pd
        >>> costs = pd.DataFrame({"customer_id": ["ann", "bob"], "cost": [20.0, None], "channel": ["shop", "web"]})
        >>> Ledgers.read(acquisition=costs).acquisition["cost"].to_list()
        [20.0, nan]
        >>> Ledgers.read(acquisition=costs.assign(cost=[20.0, -5.0]), returns=costs)
        Traceback (most recent call last):
            ...
        clvmodels.errors.DataError: the relationship ledgers cannot be used as they are ...:
        - returns: the table has no column 'time', 'value'; its columns are 'customer_id', 'cost', 'channel'
        - acquisition: cost is negative in 1 row (2); write what it is worth or costs as a positive amount
        """
        ids = IdRules(read_ids(exclude_ids), clean=clean_ids)
        given = {"returns": returns, "service": service, "campaigns": campaigns}
        given |= {"acquisition": acquisition, "referrals": referrals}
        frames: dict[str, pd.DataFrame] = {}
        findings: list[str] = []
        for name, table in given.items():
            if table is None:
                continue
            try:
                frames[name], found = read_ledger(table, FORMS[name], time_format=time_format, ids=ids)
            except DataError as error:  # told with the rest
                found = [str(error)]
            findings += [f"{name}: {finding}" for finding in found]
        ledgers = cls(**frames)
        if histories is not None:
            _require_in_memory(histories)
            findings += _count(ledgers, histories, None).remarks.findings
        _refuse(findings)
        return ledgers

    def activity(self, histories: Histories, *, customers: Iterable[object] | None = None) -> pd.DataFrame:
        """Return what happened with each customer from the day of their first purchase to the day observation ended.

        Parameters
        ----------
        histories
            The customers, with their end of observation. Without an attribute ``first_purchase`` they are taken to have
            come T before the end.
        customers
            All customers there are, if the histories are not of all of them (an earlier closing, a selection): what
            the ledgers have of the others is told by `notes`. By default those in the histories: others are refused.

        Returns
        -------
        DataFrame
            By customer id, in the order of the histories: ``returns`` (rows), ``returned_orders`` (days with a return,
            at most as many as they have orders), ``returned_value``, ``service_contacts``, ``campaign_contacts``,
            ``campaign_days`` (days on which campaigns reached anybody), ``referrals``: zero where there are none, NaN
            where there is no such ledger; ``acquisition_cost`` (NaN if unknown) and ``acquisition_channel`` (missing if
            unknown).

        Raises
        ------
        DataError
            Once, with a list: customers who are not in the histories; more money returned than sold, which tells of
            another unit of money. Or if the histories do not say when observation ended.

        Examples
        --------
        >>> import pandas as pd
        >>> table = {"customer_id": ["ann", "bob"], "frequency": [1, 0], "recency": [10, 0], "T": [30, 20]}
        >>> rfm = Histories.from_frame(pd.DataFrame(table), unit="day", observation_end="2024-01-31")
        >>> returns = {"customer_id": ["ann", "ann"], "time": ["2024-01-05", "2024-01-20"], "value": [9.5, 4.0]}
        >>> ledgers = Ledgers.read(returns=pd.DataFrame(returns))
        >>> ledgers.activity(rfm)[["returns", "returned_value", "service_contacts"]]
                     returns  returned_value  service_contacts
        customer_id
        ann                2            13.5               NaN
        bob                0             0.0               NaN
        """
        _require_in_memory(histories)
        counted = _count(self, histories, customers)
        _refuse(counted.remarks.findings)
        return counted.table

    def notes(self, histories: Histories, *, customers: Iterable[object] | None = None) -> tuple[str, ...]:
        """Return, in words, what `activity` does not count, and what is not known.

        Parameters
        ----------
        histories, customers
            As of `activity`.

        Raises
        ------
        DataError
            If the histories do not say when observation ended.

        Examples
        --------
        >>> import pandas as pd
        >>> table = {"customer_id": ["ann", "bob"], "frequency": [1, 0], "recency": [10, 0], "T": [30, 20]}
        >>> rfm = Histories.from_frame(pd.DataFrame(table), unit="day", observation_end="2024-01-31")
        >>> costs = pd.DataFrame({"customer_id": ["ann", "bob"], "cost": [20.0, None]})
        >>> Ledgers.read(acquisition=costs).notes(rfm)
        ('acquisition: the cost of 1 customer is not known',)
        """
        _require_in_memory(histories)
        return tuple(_count(self, histories, customers).remarks.notes)


def _require_in_memory(histories: object) -> None:
    if not isinstance(histories, Histories):
        raise DataError(
            f"ledgers are counted for histories in memory, got {type(histories).__name__}; write"
            " rfm_summary(log, ...).collect()"
        )


def _refuse(findings: list[str]) -> None:
    if findings:
        raise DataError("\n- ".join([_HEADING, *findings]))


# ------------------------------------------------------------------------------------------------- who, from, until


@dataclass(frozen=True, eq=False)
class _Scope:
    """Whose events count, and when.

    Attributes
    ----------
    ids
        The customers.
    others
        Ids that may appear beside these; None: there are none.
    first, last
        The first day of each customer, shape (customers,), and the last one of all.
    zone
        Whose days are meant; None if the times have no zone.
    """

    ids: pd.Index[Any]
    others: pd.Index[Any] | None
    first: Days
    last: np.datetime64
    zone: dt.tzinfo | str | None

    @classmethod
    def of(cls, histories: Histories, customers: Iterable[object] | None) -> _Scope:
        import pandas as pd

        end = histories.observation_end
        if end is None:
            raise DataError(
                "ledgers are counted to the end of observation, and these histories do not say when it was; write"
                ' Histories.from_frame(..., observation_end="2024-12-31")'
            )
        zone = (None if histories.report is None else histories.report.time_zone) or end.tz
        last = end.tz_localize(None).to_datetime64().astype("datetime64[D]")
        first = histories.attributes.get("first_purchase")
        if first is None or not pd.api.types.is_datetime64_any_dtype(first.dtype):
            begin = last - np.floor(histories.T * DAYS[histories.unit]).astype("timedelta64[D]")
        else:
            begin = _days(first, zone)
        others = None if customers is None else _distinct(customers)
        return cls(histories.customer_id, others, begin, last, zone)


def _distinct(customers: object) -> pd.Index[Any]:
    """Return ids, each once."""
    import pandas as pd

    if not isinstance(customers, Iterable) or isinstance(customers, str | bytes):
        raise DataError(f"customers are ids, such as those of histories, got {abridged(customers)}")
    try:
        ids: pd.Index[Any] = pd.Index(list(customers), dtype="object").infer_objects().unique()
    except (TypeError, UnicodeError) as error:
        raise DataError(f"customers are ids, such as those of histories: {error}") from error
    return ids


def _days(times: pd.Series[Any], zone: dt.tzinfo | str | None) -> Days:
    """Return the local days of times."""
    if times.dt.tz is not None:
        times = (times if zone is None else times.dt.tz_convert(zone)).dt.tz_localize(None)
    return times.to_numpy().astype("datetime64[D]")


# ------------------------------------------------------------------------------------------------------- counting


class _Remarks(NamedTuple):
    """What is wrong, and what is worth knowing, in words."""

    findings: list[str]
    notes: list[str]


class _Events(NamedTuple):
    """The events that count: whose they are (positions in the histories), their days, and which rows they are."""

    customer: Rows
    day: Days
    rows: Mask


class _Counted(NamedTuple):
    """The ledgers counted by customer."""

    table: pd.DataFrame
    remarks: _Remarks


_NOTHING: Final = _Events(np.empty(0, np.int64), np.empty(0, "datetime64[D]"), np.empty(0, np.bool_))


def _count(ledgers: Ledgers, histories: Histories, customers: Iterable[object] | None) -> _Counted:
    """Return the columns of `Ledgers.activity`, with what is wrong and what is worth knowing."""
    import pandas as pd

    scope = _Scope.of(histories, customers)
    remarks = _Remarks([], [])
    events = dict.fromkeys(FORMS, _NOTHING)
    for name in FORMS:
        frame = getattr(ledgers, name)
        if frame is not None and "time" in frame:
            events[name] = _place(name, frame, scope, remarks)
    returned, days = _returned(ledgers.returns, events["returns"], len(histories))
    costs, channels = _acquired(ledgers.acquisition, scope, remarks)
    columns: dict[str, Any] = {
        "returns": _number(events["returns"], len(histories)),
        "returned_orders": np.minimum(days, histories.frequency.astype(np.int64) + 1),
        "returned_value": returned,
        "service_contacts": _number(events["service"], len(histories)),
        "campaign_contacts": _number(events["campaigns"], len(histories)),
        "campaign_days": _days_since(events["campaigns"].day, scope.first),
        "referrals": _number(events["referrals"], len(histories)),
    }
    for name, counted in COUNTS.items():
        if getattr(ledgers, name) is None:
            columns |= dict.fromkeys(counted, np.nan)
    columns |= {"acquisition_cost": costs, "acquisition_channel": channels}
    _compare_with_sales(histories, returned, days, costs, remarks)
    return _Counted(pd.DataFrame(columns, index=histories.customer_id), remarks)


def _returned(frame: pd.DataFrame | None, events: _Events, customers: int) -> tuple[FloatArray, Rows]:
    """Return the value of returned goods, and the number of days with a return, by customer."""
    if frame is None or not len(events.customer):
        return np.zeros(customers), np.zeros(customers, np.int64)
    value = np.bincount(events.customer, frame["value"].to_numpy()[events.rows], customers)
    day = (events.day - events.day.min()).astype(np.int64)
    span = day.max() + 1
    owner = np.unique(events.customer * span + day) // span
    return value.astype(np.float64), np.bincount(owner, minlength=customers).astype(np.int64)


def _place(name: str, frame: pd.DataFrame, scope: _Scope, remarks: _Remarks) -> _Events:
    """Return the events that count; those that do not are noted or refused."""
    thing, dated = FORMS[name].thing, frame["time"].notna().to_numpy()
    customer = positions(frame["customer_id"], scope.ids)
    day = _days(frame["time"], scope.zone)
    late = dated & (day > scope.last)
    early = dated & (customer >= 0) & (day < np.append(scope.first, scope.last)[customer])
    inside = dated & ~late & ~early
    rows = inside & (customer >= 0)
    _unknown(name, frame["customer_id"], inside & (customer < 0), scope, remarks)
    if "referred_id" in frame:
        joined = positions(frame["referred_id"], scope.ids) >= 0
        _unknown(name, frame["referred_id"], inside & ~joined, scope, remarks)
        rows &= joined
    _note(remarks, name, early, thing, "before the customer's first purchase, not counted")
    _note(remarks, name, late, thing, "after the end of observation, not counted")
    return _Events(customer[rows], day[rows], rows)


def _unknown(name: str, ids: pd.Series[Any], rows: Mask, scope: _Scope, remarks: _Remarks) -> None:
    """Note or refuse rows whose customers are not in the histories; missing ids have been refused before."""
    strange = rows & ids.notna().to_numpy()
    if scope.others is not None and strange.any():
        elsewhere = strange & (positions(ids, scope.others) >= 0)
        _note(remarks, name, elsewhere, FORMS[name].thing, "with a customer who is not in the histories, not counted")
        strange &= ~elsewhere
    if strange.any():
        who = ids[strange].unique()
        remarks.findings.append(
            f"{name}: {ids.name} names {count(len(who), 'customer')} unknown to the histories, in"
            f" {count(int(strange.sum()), 'row')}, for example {examples(who)}"
        )


def _note(remarks: _Remarks, name: str, rows: Mask, thing: str, what: str) -> None:
    if rows.any():
        remarks.notes.append(f"{name}: {count(int(rows.sum()), thing)} {what}")


def _number(events: _Events, customers: int) -> Rows:
    """Return the number of events by customer."""
    return np.bincount(events.customer, minlength=customers).astype(np.int64)


def _days_since(day: Days, first: Days) -> Rows:
    """Return the number of different days from the first one of each customer on."""
    if not len(day):
        return np.zeros(len(first), np.int64)
    start = day.min()
    different = start + np.flatnonzero(np.bincount((day - start).astype(np.int64)))
    return len(different) - np.searchsorted(different, first).astype(np.int64)


def _acquired(
    frame: pd.DataFrame | None, scope: _Scope, remarks: _Remarks
) -> tuple[FloatArray, npt.NDArray[np.object_]]:
    """Return cost and channel by customer; what is not known is noted."""
    costs, channels = np.full(len(scope.ids), np.nan), np.full(len(scope.ids), None, dtype=object)
    if frame is None:
        return costs, channels
    place = positions(frame["customer_id"], scope.ids)
    here = place >= 0
    _unknown("acquisition", frame["customer_id"], ~here, scope, remarks)
    place = place[here]
    costs[place] = frame["cost"].to_numpy()[here]
    if "channel" in frame:
        channels[place] = frame["channel"].astype("object").where(frame["channel"].notna(), None)[here]
    unknown = int(np.isnan(costs).sum())
    if unknown:
        remarks.notes.append(f"acquisition: the cost of {count(unknown, 'customer')} is not known")
    return costs, channels


def _compare_with_sales(
    histories: Histories, returned: FloatArray, days: Rows, costs: FloatArray, remarks: _Remarks
) -> None:
    """Compare money and number of returns, and costs, with purchases: another unit of money shows in them."""
    first, repeat = histories.attributes.get("first_value"), histories.frequency > 0
    if first is not None and first.notna().all() and np.isfinite(histories.monetary_value[repeat]).all():
        sold = float(first.sum() + (histories.frequency * histories.monetary_value)[repeat].sum())
        if returned.sum() > sold:
            remarks.findings.append(
                f"returns: the goods returned are worth {returned.sum():,.2f}, and all goods sold {sold:,.2f}: value"
                " seems to be in another unit of money than the purchases, such as cents"
            )
        cost, mean = float(np.nansum(costs)) / max(int(np.isfinite(costs).sum()), 1), sold / max(len(histories), 1)
        if cost > mean:
            remarks.notes.append(
                f"acquisition: a customer cost {cost:,.2f} on average and has bought for {mean:,.2f} so far; if that"
                " surprises, cost may be in another unit of money than the purchases"
            )
    crowded = int((days > histories.frequency + 1).sum())
    if crowded:
        who = count(crowded, "customer")
        remarks.notes.append(f"returns: {who} with returns on more days than orders, counted as all orders returned")
