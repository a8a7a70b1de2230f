"""Simulated purchase histories with numpy alone, independent of every contestant.

Customers are acquired over 39 to 156 weeks before the end of the data; purchases are seen by the day.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.problems import DATA_END

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AGES = (39 * 7, 156 * 7)
BG_NBD = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
PARETO_NBD = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}
SPEND = {"p": 6.25, "q": 3.74, "v": 15.44}
LOG_SHAPE = 0.3765  # of the purchase rates in the log: four transactions a customer


def purchases(
    rng: np.random.Generator, rate: Floats, last: Floats, dropout: Floats | None
) -> Iterator[tuple[Ints, Floats]]:
    """Yield (customers, times) of the first, second, ... repeat purchase.

    A customer buys at `rate` until time `last`; with `dropout`, every repeat purchase ends the relationship with that
    probability.
    """
    customers = np.arange(len(rate))
    now = np.zeros(len(rate))
    while len(customers):
        now = now + rng.exponential(size=len(customers)) / rate[customers]
        stays = now < last[customers]
        customers, now = customers[stays], now[stays]
        yield customers, now
        if dropout is not None:
            stays = rng.random(len(customers)) >= dropout[customers]
            customers, now = customers[stays], now[stays]


def histories(rng: np.random.Generator, rate: Floats, last: Floats, dropout: Floats | None, age: Ints) -> pd.DataFrame:
    """Return frequency, recency and T in weeks, purchases of one day merged into one occasion."""
    frequency, recency = np.zeros(len(rate), dtype=np.int64), np.zeros(len(rate), dtype=np.int64)
    for customers, times in purchases(rng, rate, last, dropout):
        day = np.floor(times * 7).astype(np.int64)
        new = day > recency[customers]
        frequency[customers[new]] += 1
        recency[customers[new]] = day[new]
    columns = {"customer_id": np.arange(len(rate)), "frequency": frequency, "recency": recency / 7, "T": age / 7}
    return pd.DataFrame(columns)


def heterogeneous(rng: np.random.Generator, n: int, r: float, alpha: float) -> tuple[Floats, Ints]:
    """Return `n` purchase rates a week and ages in days."""
    rate = np.maximum(rng.gamma(r, 1 / alpha, size=n), 1e-12)
    return rate, rng.integers(*AGES, size=n, endpoint=True)


def bg_nbd(n: int, seed: int = 1) -> pd.DataFrame:
    """Simulate `n` BG/NBD histories."""
    rng = np.random.default_rng(seed)
    rate, age = heterogeneous(rng, n, BG_NBD["r"], BG_NBD["alpha"])
    return histories(rng, rate, (age + 1) / 7, rng.beta(BG_NBD["a"], BG_NBD["b"], size=n), age)


def pareto_nbd(n: int, seed: int = 2) -> pd.DataFrame:
    """Simulate `n` Pareto/NBD histories."""
    rng = np.random.default_rng(seed)
    rate, age = heterogeneous(rng, n, PARETO_NBD["r"], PARETO_NBD["alpha"])
    death = rng.exponential(size=n) / np.maximum(rng.gamma(PARETO_NBD["s"], 1 / PARETO_NBD["beta"], size=n), 1e-12)
    return histories(rng, rate, np.minimum((age + 1) / 7, death), None, age)


def transactions(n: int, seed: int = 3) -> pd.DataFrame:
    """Simulate a purchase log of `n` customers and about `4 n` transactions, ordered by day.

    The frequencies are those of a BG/NBD customer base with more purchases than CDNOW's; the amounts are Gamma-Gamma.
    """
    rng = np.random.default_rng(seed)
    rate, age = heterogeneous(rng, n, LOG_SHAPE, BG_NBD["alpha"])
    steps = list(purchases(rng, rate, (age + 1) / 7, rng.beta(BG_NBD["a"], BG_NBD["b"], size=n)))
    who = np.concatenate([np.arange(n), *(customers for customers, _ in steps)])
    day = np.concatenate([np.zeros(n, dtype=np.int64), *(np.floor(7 * times).astype(np.int64) for _, times in steps)])
    scale = rng.gamma(SPEND["q"], 1 / SPEND["v"], size=n)
    amount = np.maximum(np.round(rng.gamma(SPEND["p"], size=len(who)) / scale[who], 2), 0.01)
    date = np.datetime64(DATA_END) - (age[who] - day).astype("timedelta64[D]")
    order = np.argsort(date, kind="stable")
    columns = {"customer_id": who[order], "date": date[order].astype("datetime64[us]"), "amount": amount[order]}
    return pd.DataFrame(columns)
