"""Purchase histories simulated from a model, with known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clvmodels.data.calendar_parts import Days
from clvmodels.data.histories import Histories
from clvmodels.data.log_waits import known_waits
from clvmodels.data.purchase_days import PurchaseDays
from clvmodels.data.statistics import column_of
from clvmodels.inference.calendars import TICKS, Moment, label_of_end
from clvmodels.models.simulation import new_customers
from clvmodels.models.specification import Array, ContractModel, Events, TransactionModel
from clvmodels.units import DAYS, Unit

__all__ = ["simulated_histories"]


def simulated_histories(
    model: TransactionModel,
    theta: Array,
    customers: int,
    duration: float,
    unit: Unit,
    seed: int,
    start: Moment | None = None,
) -> Histories:
    """Return histories of new customers observed for `duration`, with the truth as attributes.

    With a start, they say when observation ended and on which days purchases were made.
    """
    import pandas as pd

    bought, rates = new_customers(model, theta, np.full(customers, duration), np.random.default_rng(seed))
    last = np.zeros(customers)
    np.maximum.at(last, bought.customer, bought.time)
    x = np.bincount(bought.customer, minlength=customers).astype(float)
    truth = {} if rates is None else {"purchase_rate": rates}
    if isinstance(model, ContractModel):
        columns = {"renewals": x, "churned": ~bought.alive, "periods": np.floor(duration)}
    else:
        columns = dict(zip(map(column_of, model.statistics), (x, last, duration), strict=True))
    table = pd.DataFrame({"customer_id": np.arange(customers), **columns, **truth, "alive": bought.alive})
    if start is None:
        return _with_waits(Histories.from_frame(table, unit=unit), model, bought)
    days, counts = np.unique(_later(start, bought.time, unit).astype("datetime64[D]"), return_counts=True)
    end = label_of_end(_later(start, np.array([duration]), unit)[0])
    histories = Histories.from_frame(table, unit=unit, observation_end=end)
    return replace(_with_waits(histories, model, bought), repeat_purchases=PurchaseDays(days, counts.astype(float)))


def _log_waits(bought: Events, customers: int) -> tuple[Array, Array]:
    """Return the number of waits and the sum of their logs by customer; purchases of an instant have none between."""
    first = np.diff(bought.customer, prepend=-1) != 0
    waits = np.diff(bought.time, prepend=0.0)
    waits = np.where(first, bought.time, waits)
    waited = waits > 0.0
    logs = np.log(waits[waited])
    number, total = (np.bincount(bought.customer[waited], each, customers) for each in (np.ones(len(logs)), logs))
    return number.astype(float), total.astype(float)


def _with_waits(histories: Histories, model: TransactionModel, bought: Events) -> Histories:
    if isinstance(model, ContractModel):  # renewals are a period apart
        return histories
    number, total = _log_waits(bought, histories.customers)
    return replace(histories, backend=replace(histories.backend.fetched, log_waits=known_waits(number, total)))


def _later(start: Moment, times: Array, unit: Unit) -> Days:
    return np.asarray(start + np.round(times * DAYS[unit] * TICKS).astype("timedelta64[us]"))
