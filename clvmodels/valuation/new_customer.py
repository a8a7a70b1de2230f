"""The customer who has just been acquired: what they will do, and what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from clvmodels.inference.purchase_rates import RATE, with_rates
from clvmodels.models.derived import residuals
from clvmodels.models.new_customers import p_alive_new
from clvmodels.valuation.discounting import discounted_years, discounting, growing, learning
from clvmodels.valuation.lines import DiscountedDrivers, at_mean_rates, total

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories
    from clvmodels.inference.model_average import Transactions
    from clvmodels.inference.spend_fit import SpendFit
    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.models.specification import Array
    from clvmodels.numerics.quadrature import Weighting
    from clvmodels.valuation.valued_rows import ValuedRows

Index = NDArray[np.int64]

MOST_KINDS: Final = 64

__all__ = ["FirstOrders", "NewCustomer", "brought_by_new", "first_orders", "new_customer"]


class FirstOrders(NamedTuple):
    """The first orders of a log.

    Attributes
    ----------
    number
        How many have a known value.
    mean
        Their mean value; NaN if there are none.
    """

    number: int
    mean: float


@dataclass(frozen=True)
class NewCustomer:
    """The expected value of a customer seen from the moment of acquisition, at the mean rates of the customers.

    Attributes
    ----------
    orders, living_years
        Discounted expected repeat orders and living years.
    order_value
        Expected value of a repeat order.
    first_order
        Contribution of the first order, less its costs.
    repeat
        Value of what follows.
    acquisition_cost
        Cost of acquiring the customer (CAC).
    first_order_value
        Value of the first order: the mean of the first orders in the log; where it has none of known value, that of
        the model of spend, which is about repeat orders.
    first_orders
        The first orders that this is the mean of; 0 if it is the model's.
    """

    orders: float
    living_years: float
    order_value: float
    first_order: float
    repeat: float
    acquisition_cost: float
    first_order_value: float
    first_orders: int

    @property
    def post_acquisition_value(self) -> float:
        """First order and what follows (PAV): the highest acquisition cost that still pays."""
        return self.first_order + self.repeat

    @property
    def lifetime_value(self) -> float:
        """PAV less acquisition cost (CLV)."""
        return self.post_acquisition_value - self.acquisition_cost


def new_customer(rows: ValuedRows, first: FirstOrders) -> NewCustomer:
    """Return the value of a customer just acquired, at the mean rates of the rows of a valuation.

    `first` says what the first orders of the customers were worth. Where fits are by segment or with covariates, it is
    the mean over the customers' segments or covariates, each with its own parameters, rates and first orders.
    """
    parts = by_parameters(rows)
    if len(parts) == 1:
        return _of_one_population(parts[0].rows, first)
    shares = np.array([part.share for part in parts])
    each = [_of_one_population(part.rows, _known(first_orders(part.rows.histories), first)) for part in parts]

    def mean(name: str) -> float:
        return float(shares @ [getattr(new, name) for new in each])

    orders = mean("orders")
    sales = float(shares @ [new.orders * new.order_value for new in each])
    return NewCustomer(
        orders=orders,
        living_years=mean("living_years"),
        order_value=sales / orders if orders else mean("order_value"),
        first_order=mean("first_order"),
        repeat=mean("repeat"),
        acquisition_cost=mean("acquisition_cost"),
        first_order_value=mean("first_order_value"),
        first_orders=first.number,
    )


def brought_by_new(rows: ValuedRows, years: Sequence[float | None]) -> Array:
    """Return what a new customer brings after the first order within so many years, shape (horizons,)."""
    parts = by_parameters(rows)
    brought = [
        part.share * total(at_mean_rates(part.rows.lines, part.rows.weight), future_of_new_customer(part.rows, years))
        for part in parts
    ]
    return np.asarray(np.sum(brought, axis=0))


class Part(NamedTuple):
    """Some of the rows of a valuation whose customers have the same parameters, and their share of the customers."""

    share: float
    rows: ValuedRows


def by_parameters(rows: ValuedRows) -> list[Part]:
    """Return the rows of each segment that a fit knows, or of each kind of covariates, with its fits.

    Where there are many kinds of covariates, customers are put in the order of their expected sales and divided into
    `MOST_KINDS` equal parts, each with the covariates of the one in its middle. All rows, where no fit knows either.
    """
    import pandas as pd

    transactions, spend = rows.transactions, rows.spend
    if spend.rates is not None and RATE not in rows.histories.attribute_names:
        new = np.full(len(rows.histories), spend.rates.new)
        rows = replace(rows, histories=with_rates(rows.histories, new))
    fits = [fit for fit in (transactions, spend) if fit.columns_of_parameters]
    if not fits or not len(rows.histories):
        return [Part(1.0, rows)]
    names = list(dict.fromkeys(fit.by if _by_segment(fit) else f"kind {k}" for k, fit in enumerate(fits)))
    attributes = rows.histories.attributes.reset_index(drop=True)
    kinds = pd.DataFrame(
        {
            name: attributes[name].astype(str) if _by_segment(fit) else _kinds(rows, fit)
            for name, fit in zip(names, fits, strict=False)
        }
    )
    weight = np.ones(len(kinds)) if rows.weight is None else np.asarray(rows.weight)
    parts = []
    for members in _members(rows, kinds, weight):
        own = attributes.iloc[members[len(members) // 2]]
        part = replace(rows.taken(members), transactions=_of_kind(transactions, own), spend=_of_kind(spend, own))
        parts.append(Part(float(weight[members].sum() / weight.sum()), part))
    return parts


def _by_segment(fit: Transactions | SpendFit) -> bool:
    """Whether parameters depend on the segment alone."""
    return fit.by is not None and fit.columns_of_parameters == (fit.by,)


def _kinds(rows: ValuedRows, fit: Transactions | SpendFit) -> Index:
    """Return the number of each row's kind of covariates."""
    group = fit.best.parameters(rows.histories).group
    assert group is not None
    return group


def _members(rows: ValuedRows, kinds: pd.DataFrame, weight: Array) -> list[Index]:
    """Return the rows of each kind; of many, those of equal parts in the order of expected sales."""
    by_kind = [members.index.to_numpy() for _, members in kinds.groupby(list(kinds.columns), sort=True)]
    if len(by_kind) <= MOST_KINDS or all(rows_of.covariates is None for rows_of in (rows.transactions, rows.spend)):
        return by_kind
    zero, best = np.zeros(1), rows.transactions.best
    rate = best.model.mean_purchase_rate(best.parameters(rows.histories).point(slice(None)))
    worth = rows.spend.model.expected_spend(rows.spend.parameters(rows.histories).point(slice(None)), zero, zero)
    order = np.argsort(np.broadcast_to(rate * worth, len(kinds)), kind="stable")
    share = (np.cumsum(weight[order]) - 0.5 * weight[order]) / weight.sum()
    part = np.minimum((share * MOST_KINDS).astype(np.int64), MOST_KINDS - 1)
    return [order[part == number] for number in np.unique(part)]


def _of_kind[F: Transactions | SpendFit](fit: F, own: pd.Series[Any]) -> F:
    """Return the fit of customers like one, given by their attributes."""
    return cast("F", fit.of_kind(dict(own)))


def _known(own: FirstOrders, every: FirstOrders) -> FirstOrders:
    """Return the first orders of a segment; those of all where none of its own has a known value."""
    return own if own.number else every


def _of_one_population(rows: ValuedRows, first: FirstOrders) -> NewCustomer:
    later = future_of_new_customer(rows, [None])
    value = first.mean if first.number else float(later.Z[0])
    zeros, ones = np.zeros(1), np.ones(1)
    early = 1.0 if rows.assumptions.cost_half_life else 0.0
    at_once = DiscountedDrivers(D=ones, L=zeros, Z=np.array([value]), G=ones, K=0.0, E=early * ones)
    mean = at_mean_rates(rows.lines, rows.weight)
    return NewCustomer(
        orders=float(later.D[0]),
        living_years=float(later.L[0]),
        order_value=float(later.Z[0]),
        first_order=float(total(mean, at_once)[0]),
        repeat=float(total(mean, later)[0]),
        acquisition_cost=float(np.average(rows.acquisition_cost, weights=rows.weight)) if len(rows.histories) else 0.0,
        first_order_value=value,
        first_orders=first.number,
    )


def first_orders(histories: Histories) -> FirstOrders:
    """Return what the first orders of the customers were worth, as far as it is known."""
    column = histories.attributes.get("first_value")
    if column is None:
        return FirstOrders(0, float("nan"))
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    known = np.isfinite(values)
    weight = np.ones(len(values)) if histories.weight is None else histories.weight
    number = float(weight[known].sum())
    return FirstOrders(round(number), float(weight[known] @ values[known]) / number if number else float("nan"))


def future_of_new_customer(rows: ValuedRows, years: Sequence[float | None]) -> DiscountedDrivers:
    """Return what follows the first order of a new customer within so many years; shape (horizons,) each.

    Parameters
    ----------
    rows
        The valuation, whose fits and assumptions are taken.
    years
        The horizons; None: that of the assumptions.
    """
    assumptions, unit, zero = rows.assumptions, rows.transactions.unit, np.zeros(1)
    weightings = [kind(assumptions, unit, within) for kind in (discounting, growing, learning) for within in years]
    both = np.tensordot(
        np.array(rows.transactions.weights), [_mean_of_new(fit, weightings) for fit in rows.transactions.fits], axes=1
    )
    purchases, living = np.split(both, 2)
    D, G, E = np.split(purchases, 3)
    L = living[: len(years)] / assumptions.year_in(unit)
    Z = rows.spend.model.expected_spend(rows.spend.draws, zero, zero).mean(keepdims=True)
    K = discounted_years(assumptions, unit, np.array([weighting.end for weighting in weightings[: len(years)]]))
    return DiscountedDrivers(D, L, np.repeat(Z, len(years)), G, K, E if assumptions.cost_half_life else 0.0)


def _mean_of_new(fit: TransactionFit, weightings: Sequence[Weighting]) -> Array:
    """Return weighted integrals of purchases and of living, means over the draws, shape (2 * weightings,)."""
    zero = np.zeros(1)
    if max(weighting.end for weighting in weightings) == 0.0:
        return np.zeros(2 * len(weightings))
    given = residuals(fit.model, fit.draws, zero, zero, weightings)
    return np.asarray((p_alive_new(fit.model, fit.draws)[:, None] * given(fit.draws, zero, zero)[0]).mean(axis=0))
