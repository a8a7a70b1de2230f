"""Names of the sufficient statistics of a purchase history: those of the papers, and those of the users' columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "COLUMNS",
    "LOGS",
    "MEAN_OF",
    "PATH",
    "SIGNED",
    "SPEND",
    "TIMES",
    "TRANSACTIONS",
    "FloatArray",
    "column_of",
    "derived",
]

FloatArray = npt.NDArray[np.float64]

COLUMNS: Final = {
    "x": "frequency",
    "t_x": "recency",
    "T": "T",
    "mean": "monetary_value",
    "n": "periods",
    "renewals": "renewals",
    "churned": "churned",
    "entered": "observed_from",
}
"""The column of a table of histories in which each statistic stands."""
TIMES: Final = ("t_x", "T")
"""Those that are measured in the unit of the histories."""
TRANSACTIONS: Final = ("x", "t_x", "T")
"""What the models of transactions in continuous time see of a customer."""
SPEND: Final = ("x", "mean")
"""What the models of spend see of a customer with repeat purchases of a positive mean value."""
PATH: Final = "path"
"""What stands for a customer's own path of covariates: 1, 2, ..., and 0 for that of a customer who is still to come."""
MEAN_OF: Final = {"x": "mean", "valued": "valued_mean", "valued_all": "mean_all"}
"""Numbers of orders, and the mean value of each: of repeat purchases, those of positive value, with the first too."""
LOGS: Final = {"log_mean": "log_ss", "log_mean_all": "log_ss_all"}
"""Means of the logs of orders, and the sums of squares around them."""
SIGNED: Final = ("known", "known_mean", "known_ss")
"""Of repeat orders of known value, be it negative: their number, their mean, and the sum of squares around it."""


def derived(known: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the statistics that follow from others: ``stated`` (a mean value is known), and those of contracts.

    Renewals come in a row: the last of x is the x-th. ``faced`` counts those and the one at which a customer left.
    Where periods are not known, nothing came after it. Customers without ``entered`` were observed from their start.

    Examples
    --------
    >>> derived({"renewals": np.array([3.0, 1.0]), "churned": np.array([0.0, 1.0])})["faced"]
    array([3., 2.])
    """
    if not {"renewals", "churned"} <= known.keys():
        return {"stated": (known["mean"] >= 0.0).astype(float)} if "mean" in known else {}
    x = known["renewals"]
    mean = known.get("mean", np.full(len(x), np.nan))
    stated = (mean >= 0.0).astype(float)
    entered, faced = np.zeros(len(x)), x + known["churned"]
    n = known.get("n", faced)
    return {"x": x, "t_x": x, "faced": faced, "T": n, "mean": mean, "stated": stated, "entered": entered}


def column_of(statistic: str) -> str:
    """Return the column of a table of histories in which a statistic stands.

    Examples
    --------
    >>> column_of("t_x"), column_of("log_mean")
    ('recency', 'log_mean')
    """
    return COLUMNS.get(statistic, statistic)
