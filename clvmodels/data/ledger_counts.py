"""Relationship ledgers counted by customer, from the first purchase to the end of observation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from clvmodels.arguments import abridged
from clvmodels.data.columns import count, examples
from clvmodels.data.histories import FloatArray, Histories
from clvmodels.data.ledger_tables import FORMS, positions
from clvmodels.errors import DataError
from clvmodels.units import DAYS

if TYPE_CHECKING:
    import datetime as dt

    import pandas as pd

__all__ = ["Counted", "Remarks", "count_ledgers"]

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


class Remarks(NamedTuple):
    """What is wrong, and what is worth knowing, in words."""

    findings: list[str]
    notes: list[str]


class _Events(NamedTuple):
    """The events that count: whose they are (positions in the histories), their days, and which rows they are."""

    customer: Rows
    day: Days
    rows: Mask


class Counted(NamedTuple):
    """The ledgers counted by customer."""

    table: pd.DataFrame
    remarks: Remarks


_NOTHING: Final = _Events(np.empty(0, np.int64), np.empty(0, "datetime64[D]"), np.empty(0, np.bool_))


def count_ledgers(
    ledgers: Mapping[str, pd.DataFrame | None], histories: Histories, customers: Iterable[object] | None
) -> Counted:
    """Return the columns of `Ledgers.activity`, with what is wrong and what is worth knowing."""
    import pandas as pd

    scope = _Scope.of(histories, customers)
    remarks = Remarks([], [])
    events = dict.fromkeys(FORMS, _NOTHING)
    for name in FORMS:
        frame = ledgers[name]
        if frame is not None and "time" in frame:
            events[name] = _place(name, frame, scope, remarks)
    returned, days = _returned(ledgers["returns"], events["returns"], len(histories))
    costs, channels = _acquired(ledgers["acquisition"], scope, remarks)
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
        if ledgers[name] is None:
            columns |= dict.fromkeys(counted, np.nan)
    columns |= {"acquisition_cost": costs, "acquisition_channel": channels}
    _compare_with_sales(histories, returned, days, costs, remarks)
    return Counted(pd.DataFrame(columns, index=histories.customer_id), remarks)


def _returned(frame: pd.DataFrame | None, events: _Events, customers: int) -> tuple[FloatArray, Rows]:
    """Return the value of returned goods, and the number of days with a return, by customer."""
    if frame is None or not len(events.customer):
        return np.zeros(customers), np.zeros(customers, np.int64)
    value = np.bincount(events.customer, frame["value"].to_numpy()[events.rows], customers)
    day = (events.day - events.day.min()).astype(np.int64)
    span = day.max() + 1
    owner = np.unique(events.customer * span + day) // span
    return value.astype(np.float64), np.bincount(owner, minlength=customers).astype(np.int64)


def _place(name: str, frame: pd.DataFrame, scope: _Scope, remarks: Remarks) -> _Events:
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


def _unknown(name: str, ids: pd.Series[Any], rows: Mask, scope: _Scope, remarks: Remarks) -> None:
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


def _note(remarks: Remarks, name: str, rows: Mask, thing: str, what: str) -> None:
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
    frame: pd.DataFrame | None, scope: _Scope, remarks: Remarks
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
    histories: Histories, returned: FloatArray, days: Rows, costs: FloatArray, remarks: Remarks
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
