"""The fits and histories that pictures take, checked."""

from __future__ import annotations

from typing import cast

from clvmodels.data.histories import Histories
from clvmodels.data.required import require_customers
from clvmodels.errors import FitError
from clvmodels.inference.one_or_many import OneOrMany, named_fits
from clvmodels.inference.spend_fit import SpendFit
from clvmodels.inference.transaction_fit import TransactionFit
from clvmodels.style import require

__all__ = ["is_histories", "is_spend_fit", "is_transaction_fit", "spend_fits", "transaction_fits"]


def transaction_fits(fits: OneOrMany[TransactionFit]) -> dict[str, TransactionFit]:
    """Return fits of transactions by name.

    Raises
    ------
    FitError
        If there is none, one is something else, or two have one name.

    Examples
    --------
    >>> import clvmodels as clv
    >>> transaction_fits(clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44}))
    Traceback (most recent call last):
    clvmodels.errors.FitError: a fit of transactions is expected here, such as clv.BGNBD().fit(rfm); got SpendFit
    """
    by_name = named_fits(fits)
    for fit in by_name.values():
        is_transaction_fit(fit)
    return by_name


def spend_fits(fits: OneOrMany[SpendFit]) -> dict[str, SpendFit]:
    """Return fits of spend by name.

    Raises
    ------
    FitError
        If there is none, one is something else, or two have one name.
    """
    by_name = named_fits(fits)
    for fit in by_name.values():
        is_spend_fit(fit)
    return by_name


def is_transaction_fit(fit: object) -> None:
    """Refuse what is no fit of transactions."""
    require(fit, TransactionFit, "a fit of transactions is expected here, such as clv.BGNBD().fit(rfm)", FitError)


def is_spend_fit(fit: object) -> None:
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
