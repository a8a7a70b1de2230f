"""When each customer bought again: what their own paths of covariates need of a log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy.typing as npt
    import pandas as pd

    from clvmodels.data.engine import Engine
    from clvmodels.data.windows import Window

__all__ = ["CustomerDates", "PurchaseDates", "logged_dates"]


@dataclass(frozen=True, eq=False)
class CustomerDates:
    """The purchase occasions of all customers of a log, one after the other.

    Attributes
    ----------
    customer_id
        Of each occasion, shape (occasions,).
    time
        When it was, on the local clock; sorted within each customer, shape (occasions,).
    """

    customer_id: pd.Index[Any]
    time: npt.NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class PurchaseDates:
    """The purchase occasions of a log, which is scanned for them when they are asked for.

    Attributes
    ----------
    load
        Returns them.
    """

    load: Callable[[], CustomerDates]

    @cached_property
    def fetched(self) -> CustomerDates:
        """The occasions, in memory."""
        return self.load()

    def __reduce__(self) -> str | tuple[Any, ...]:
        return _lost, ()  # a connection to the log does not go into a pickle, and all its occasions should not


def _lost() -> None:
    """Return what is left of the log in a pickle."""


def logged_dates(engine: Engine, window: Window, occasions: ir.Table) -> PurchaseDates:
    """Return the purchase occasions of a log that are kept.

    Parameters
    ----------
    engine
        Where the tables lie.
    window
        The window of observation, which dated the occasions.
    occasions
        ``id``, ``w`` (date) and ``kept`` of each occasion.
    """

    def load() -> CustomerDates:
        import pandas as pd

        kept = occasions.filter(occasions.kept)
        local = window.local_times(kept.w).cast("timestamp(6)")
        table = engine.run(kept.select(id=kept.id, time=local).order_by("id", "time"))
        return CustomerDates(pd.Index(table["id"].to_pandas()), table["time"].to_numpy().astype("datetime64[us]"))

    return PurchaseDates(load)
