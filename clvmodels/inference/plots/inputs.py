"""What pictures are given, or a word on what they need instead."""

from __future__ import annotations

from typing import cast

from clvmodels.data.histories import Histories
from clvmodels.data.required import require_customers
from clvmodels.errors import FitError
from clvmodels.inference.one_or_many import OneOrMany, named_fits
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.style import require

__all__ = ["is_fit_of_orders", "is_fit_of_spend", "is_histories", "orders_fits", "spend_fits"]


def orders_fits(fits: OneOrMany[TransactionFit]) -> dict[str, TransactionFit]:
    """Return fits of orders by name.

    Raises
    ------
    FitError
        If there is none, one is something else, or two have one name.

    Examples
    --------
    >>> import clvmodels as clv
    >>> orders_fits(clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44}))
    Traceback (most recent call last):
    clvmodels.errors.FitError: a fit of orders is expected here, such as clv.BGNBD().fit(rfm); got SpendFit
    """
    some = named_fits(fits)
    for fit in some.values():
        is_fit_of_orders(fit)
    return some


def spend_fits(fits: OneOrMany[SpendFit]) -> dict[str, SpendFit]:
    """Return fits of spend by name.

    Raises
    ------
    FitError
        If there is none, one is something else, or two have one name.
    """
    some = named_fits(fits)
    for fit in some.values():
        is_fit_of_spend(fit)
    return some


def is_fit_of_orders(fit: object) -> None:
    """Refuse what is no fit of orders."""
    require(fit, TransactionFit, "a fit of orders is expected here, such as clv.BGNBD().fit(rfm)", FitError)


def is_fit_of_spend(fit: object) -> None:
    """Refuse what is no fit of spend."""
    require(fit, SpendFit, "a fit of spend is expected here, such as clv.GammaGamma().fit(rfm)", FitError)


def is_histories(histories: object) -> None:
    """Refuse what are no histories."""
    require(
        histories,
        Histories,
        "histories are expected here, as of clv.rfm_summary(log, ...) or clv.Histories.from_frame(table, unit='week')",
    )
    require_customers(cast("Histories", histories), "a picture")
