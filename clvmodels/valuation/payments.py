"""What customers pay, where it is known and not fitted: one number, or a column of theirs."""

from __future__ import annotations

import numpy as np

from clvmodels.arguments import abridged
from clvmodels.data.columns import count, examples
from clvmodels.data.histories import Histories
from clvmodels.errors import DataError, one_of
from clvmodels.inference.estimator import SpendEstimator
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.models.payment import PAYMENT
from clvmodels.models.specification import Array

__all__ = ["with_payments"]


def with_payments(payment: float | str, histories: Histories) -> tuple[SpendFit, Histories]:
    """Return known payments as a fit of spend, and the histories in memory with them as mean values.

    Parameters
    ----------
    payment
        One number for everybody, or the name of an attribute of the histories.
    histories
        The customers.

    Raises
    ------
    DataError
        If there is no such attribute, a payment is missing, negative or no number, or all are zero.

    Examples
    --------
    >>> fit, paying = with_payments(100.0, rfm)
    >>> fit, paying.monetary_value
    (<Payment (given): payment 100>, array([100., 100., 100.]))
    """
    payments = _column(payment, histories) if isinstance(payment, str) else np.full(len(histories), float(payment))
    wrong = ~(np.isfinite(payments) & (payments >= 0.0))
    if wrong.any() and not isinstance(payment, str):
        raise DataError(f"a payment is a number from zero up, got {abridged(payment)}")
    if wrong.any():
        customers = histories.customer_id[wrong]
        raise DataError(
            f"{payment!r} is no payment, a number from zero up, of {count(int(wrong.sum()), 'customer')}: "
            f"{examples(customers)}"
        )
    mean = float(np.average(payments, weights=histories.weight)) if len(payments) else 0.0
    if not mean > 0.0:
        raise DataError(f"no customer pays anything: the payments {abridged(payment)} are zero")
    fit = SpendEstimator(PAYMENT).from_params({"payment": mean})
    return fit, histories.with_statistics({"mean": payments})


def _column(name: str, histories: Histories) -> Array:
    if name not in histories.attributes.columns:
        known = [str(column) for column in histories.attributes.columns]
        raise DataError(
            f"{one_of('column of the customers', name, known)}; the second argument is a fit of spend, one payment for"
            " everybody, or the column in which each customer's stands"
        )
    column = histories.attributes[name]
    try:
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    except (TypeError, ValueError) as error:
        raise DataError(f"the payments in {name!r} are no numbers: {error}") from error
