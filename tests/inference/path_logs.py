"""Logs of customers whose purchases and leaving follow paths of their own, simulated by hand."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

import clvmodels as clv

FIRST = pd.Timestamp("2021-01-04")
TRUTH = {
    "pareto_nbd": {"r": 0.8, "alpha": 6.0, "s": 1.5, "beta": 40.0},
    "bg_nbd": {"r": 0.8, "alpha": 6.0, "a": 0.8, "b": 4.0},
    "mbg_nbd": {"r": 0.8, "alpha": 6.0, "a": 0.8, "b": 4.0},
}
CLASSES = {"pareto_nbd": clv.ParetoNBD, "bg_nbd": clv.BGNBD, "mbg_nbd": clv.MBGNBD}


@dataclass(frozen=True)
class Shop:
    """A log, the ledger of its customers' prices, and what they will buy in the weeks after."""

    log: pd.DataFrame
    ledger: pd.DataFrame
    end: pd.Timestamp
    later: np.ndarray

    def histories(self, unit="week", **options):
        return clv.rfm_summary(self.log, unit=unit, observation_end=self.end, **options)

    def with_paths(self, unit="week", **options):
        return self.histories(unit, **options).with_paths(self.ledger, columns=["price"])


def dates(weeks):
    """Times in whole microseconds, as a log has them."""
    return FIRST + pd.to_timedelta((np.asarray(weeks) * 7 * 86_400e6).round().astype("int64"), unit="us")


def shop(key, customers, weeks, seed, *, purchase=0.7, dropout=0.0, every=1.0, span=None, ahead=26.0):
    """Customers who come within `span` weeks; the price of each changes every so many weeks, and then no more.

    Parameters
    ----------
    purchase, dropout
        What the price does to the log of the purchase rate, and of the rate of leaving in time.
    """
    rng = np.random.default_rng(seed)
    theta = TRUTH[key]
    purchases, prices, later = [], [], np.zeros(customers)
    for customer in range(customers):
        start = rng.uniform(0.0, span or weeks - 8.0)
        edges = np.append(np.arange(start, weeks, every), weeks)
        price = rng.normal(size=len(edges) - 1).round(2)
        prices += [(customer, week, level) for week, level in zip(edges[:-1], price, strict=True)]
        edges = np.append(edges[:-1], weeks + ahead)  # the last level holds on
        shown, leaving = (
            np.concatenate([[0.0], np.cumsum(np.exp(effect * price) * np.diff(edges))])
            for effect in (purchase, dropout)
        )
        rate = rng.gamma(theta["r"], 1.0 / theta["alpha"])
        bought = np.sort(rng.uniform(0.0, shown[-1], rng.poisson(rate * shown[-1])))
        bought = np.interp(bought, shown, edges)
        if key == "pareto_nbd":
            lifetime = rng.exponential() / rng.gamma(theta["s"], 1.0 / theta["beta"])
            stays = bought < np.interp(lifetime, leaving, edges, right=np.inf)
        else:
            leaves = rng.random(len(bought) + 1) < rng.beta(theta["a"], theta["b"])
            leaves[0] &= key == "mbg_nbd"
            stays = ~np.maximum.accumulate(leaves)[:-1]
        bought = bought[stays]
        purchases += [(customer, start), *((customer, week) for week in bought[bought < weeks])]
        later[customer] = (bought >= weeks).sum()
    log = pd.DataFrame(purchases, columns=["customer_id", "week"])
    ledger = pd.DataFrame(prices, columns=["customer_id", "week", "price"])
    for table, name in ((log, "date"), (ledger, "time")):
        table[name] = dates(table.pop("week"))
    return Shop(log, ledger, FIRST + pd.Timedelta(days=7 * weeks - 1), later)
