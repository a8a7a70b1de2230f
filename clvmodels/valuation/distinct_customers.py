"""The customers of a valuation who differ in what it asks of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clvmodels.numerics.distinct import DistinctRows, distinct_rows
from clvmodels.valuation.uncertainty import Customers

__all__ = ["distinct_customers"]


def distinct_customers(customers: Customers) -> tuple[DistinctRows, Customers]:
    """Return the distinct customers, with parameters, groups and rates; who has an unsure rate is one of a kind.

    Groups come after all that tells such customers apart, so that these stand in the same order whatever the groups,
    and the same rates are drawn for them.
    """
    varying = [name for name, rate in customers.rates.items() if isinstance(rate, np.ndarray)]
    unsure = customers.own or customers.common
    columns = [customers.x, customers.t_x, customers.T, customers.mean_spend]
    columns += [] if customers.orders is customers.x else [customers.orders]
    own_columns = len(columns)
    first = customers.members[0].parameters  # models that are averaged have the same groups
    columns += [*first.columns(), *customers.spend.columns()]
    columns += [np.asarray(customers.rates[name]) for name in varying]
    columns += [*customers.own.values(), *customers.common.values()]
    columns += [np.arange(float(len(customers.x)))] if unsure else []
    distinct = distinct_rows(*columns, customers.group.astype(float), with_order=True)
    orders = np.ascontiguousarray(distinct.rows[:, 4 if own_columns > 4 else 0])
    remaining = iter(np.ascontiguousarray(distinct.rows[:, own_columns:].T))
    of_transactions, of_spend = (
        np.array([next(remaining) for _ in each.columns()]) for each in (first, customers.spend)
    )
    members = tuple(replace(each, parameters=each.parameters.of_groups(of_transactions)) for each in customers.members)
    spend = customers.spend.of_groups(of_spend)
    rates = {**customers.rates, **{name: next(remaining) for name in varying}}
    own, common = ({name: next(remaining) for name in sds} for sds in (customers.own, customers.common))
    group = np.ascontiguousarray(distinct.rows[:, -1]).astype(np.int64)
    changed = replace(customers, members=members, spend=spend, rates=rates, own=own, common=common, group=group)
    return distinct, replace(changed, orders=orders)
