"""A company with all relationship ledgers, simulated with known truth.

Story: customers of three segments come over three channels in the first 18 months of two and a half years. While
they are customers, each buys at their own rate and stays for their own time (Pareto/NBD), spends their own mean
(Gamma-Gamma), sends back their own share of orders (beta-binomial) and calls their own number of times an order
(gamma-Poisson); campaigns reach them whether they are still a customer or not, and some customers are recommended by
others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels.errors import DataError

if TYPE_CHECKING:
    from clvmodels.models.specification import Traits

__all__ = ["TABLES", "Company", "Truth", "simulate_company"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

TABLES: Final = ("transactions", "returns", "service", "campaigns", "acquisition", "referrals")
"""Names of the tables of a company, and of their files."""
START: Final = np.datetime64("2022-01-01")
DAYS: Final = 912
"""Observed until 30 June 2024."""
DAYS_OF_JOINING: Final = 546
"""Until 30 June 2023."""
DAYS_A_WEEK: Final = 7.0

# Pareto/NBD in weeks; Gamma-Gamma in euros; shares of orders returned ~ Beta; contacts an order ~ Gamma; and the share
# of the segment that a campaign reaches.
SEGMENTS: Final = pd.DataFrame(
    {
        "share": [0.55, 0.30, 0.15],
        "r": [0.8, 1.2, 1.8],
        "alpha": [10.0, 8.0, 7.0],
        "s": [0.7, 0.6, 0.5],
        "beta": [20.0, 30.0, 45.0],
        "p": [5.0, 6.0, 4.0],
        "q": [4.0, 4.0, 3.5],
        "v": [27.0, 40.0, 137.5],
        "returns_a": [1.2, 1.8, 0.5],
        "returns_b": [8.8, 8.2, 9.5],
        "contacts_shape": [0.8, 0.9, 0.7],
        "contacts_rate": [3.2, 2.6, 4.7],
        "reach": [0.9, 0.9, 0.6],
    },
    index=pd.Index(["private", "family", "business"], name="segment"),
)
# How much faster customers buy and leave than those of their segment do; what one costs, and the variation of that.
CHANNELS: Final = pd.DataFrame(
    {
        "share": [0.45, 0.35, 0.20],
        "pace": [1.0, 0.75, 1.2],
        "loss": [1.0, 1.5, 0.7],
        "cost": [32.0, 18.0, 20.0],
        "cost_cv": [0.35, 0.5, 0.0],
    },
    index=pd.Index(["search", "social", "referral"], name="channel"),
)
NOBODY_TO_RECOMMEND: Final = 30
"""So many customers come first over the other channels."""
DRAWS_OF_A_REFERRER: Final = 100


@dataclass(frozen=True, eq=False)
class Truth:
    """What the customers of a simulated company are really like.

    Attributes
    ----------
    customers
        By customer id: ``purchase_rate`` (a week, while they are a customer), ``alive`` (still a customer at the end),
        ``return_rate`` (share of orders returned), ``contact_rate`` (service contacts an order), ``order_value`` (its
        mean).
    parameters
        By segment and channel, the populations these come from: r, alpha, s, beta (Pareto/NBD, in weeks); p, q, v
        (Gamma-Gamma); returns_a, returns_b (beta); contacts_shape, contacts_rate (gamma); ``reach``, the share of
        customers that a campaign reaches; ``cost``, the mean cost of acquisition.
    """

    customers: pd.DataFrame
    parameters: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Company:
    """A company's purchase log and relationship ledgers, all dated in days.

    Attributes
    ----------
    transactions
        ``customer_id``, ``date``, ``amount``, ``segment``, ``channel`` (of acquisition); by date and customer.
    returns
        ``customer_id``, ``time``, ``value``.
    service
        ``customer_id``, ``time``, ``channel`` (of contact).
    campaigns
        ``customer_id``, ``time``.
    acquisition
        ``customer_id``, ``cost``, ``channel``.
    referrals
        ``customer_id``, ``referred_id``, ``time``.
    truth
        What the customers are really like; None if the tables were read from files.
    """

    transactions: pd.DataFrame
    returns: pd.DataFrame
    service: pd.DataFrame
    campaigns: pd.DataFrame
    acquisition: pd.DataFrame
    referrals: pd.DataFrame
    truth: Truth | None = None

    @property
    def ledgers(self) -> dict[str, pd.DataFrame]:
        """The relationship ledgers by name, as ``Ledgers.read(**company.ledgers)`` takes them."""
        return {name: getattr(self, name) for name in TABLES[1:]}

    def write(self, folder: str | PathLike[str]) -> None:
        """Write each table as a CSV file of its name into a folder that exists; amounts with two decimals.

        Raises
        ------
        OSError
            If there is no such folder, or it cannot be written to.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     simulate_company(1, customers=20).write(folder)
        ...     sorted(file.name for file in Path(folder).iterdir())
        ['acquisition.csv', 'campaigns.csv', 'referrals.csv', 'returns.csv', 'service.csv', 'transactions.csv']
        """
        for name in TABLES:
            table: pd.DataFrame = getattr(self, name)
            file = Path(folder) / f"{name}.csv"
            table.to_csv(file, index=False, lineterminator="\n", float_format="%.2f", date_format="%Y-%m-%d")

    @classmethod
    def read(cls, files: Mapping[str, Path]) -> Company:
        """Read the tables from CSV files, given by name, as `write` has written them; their truth is not known.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> company = simulate_company(1, customers=20)
        >>> with TemporaryDirectory() as folder:
        ...     company.write(folder)
        ...     again = Company.read({file.stem: file for file in Path(folder).iterdir()})
        >>> len(again.transactions) == len(company.transactions), again.truth
        (True, None)
        """
        transactions, returns, service, campaigns, acquisition, referrals = (_read(files[name]) for name in TABLES)
        return cls(transactions, returns, service, campaigns, acquisition, referrals)


def _read(file: Path) -> pd.DataFrame:
    table = pd.read_csv(file, dtype="str")
    for name in table.columns.intersection(["amount", "value", "cost"]):
        table[name] = table[name].astype("float64")
    for name in table.columns.intersection(["date", "time"]):
        table[name] = pd.to_datetime(table[name], format="%Y-%m-%d").astype("datetime64[us]")
    return table


def simulate_company(seed: int, customers: int = 2_000) -> Company:
    """Simulate a company with known truth: its purchase log and all relationship ledgers, the same for the same seed.

    Parameters
    ----------
    seed
        Of the random numbers.
    customers
        Number of customers: they come in the 18 months from 1 January 2022 on, and are observed until 30 June 2024.

    Returns
    -------
    Company
        With its `truth`. Returns come 2 to 14 days after an order, service contacts 0 to 7 days after; what would come
        after the end of observation is not recorded.

    Raises
    ------
    DataError
        If there are no customers.

    Examples
    --------
    >>> company = simulate_company(1, customers=100)
    >>> list(company.transactions.columns)
    ['customer_id', 'date', 'amount', 'segment', 'channel']
    >>> company.transactions["customer_id"].nunique()
    100
    """
    if customers < 1:
        raise DataError(f"a company has customers, such as 2_000; got customers={customers}")
    generator = np.random.default_rng(seed)
    people = _people(customers, generator)
    traits = _traits(people, generator)
    nature = _nature(people, traits, generator)
    orders = _orders(people, traits, nature, generator)
    return Company(
        transactions=orders.sort_values(["date", "customer_id"], kind="stable", ignore_index=True),
        returns=_returns(orders, nature["return_rate"], generator),
        service=_service(orders, nature["contact_rate"], generator),
        campaigns=_campaigns(people, generator),
        acquisition=_acquisition(people, generator),
        referrals=_referrals(people, traits, generator),
        truth=Truth(nature, _parameters()),
    )


# -------------------------------------------------------------------------------------------------------- people


def _parameters() -> pd.DataFrame:
    """Return the populations by segment and channel."""
    names = pd.MultiIndex.from_product([SEGMENTS.index, CHANNELS.index])
    table = SEGMENTS.drop(columns="share").reindex(names, level="segment")
    channel = CHANNELS.reindex(names, level="channel")
    return table.assign(
        alpha=table["alpha"] / channel["pace"], beta=table["beta"] / channel["loss"], cost=channel["cost"]
    )


def _people(customers: int, generator: np.random.Generator) -> pd.DataFrame:
    """Return the customers in the order in which they come: day, segment, channel, parameters of their populations."""
    come = np.sort(generator.random(customers)) * DAYS_OF_JOINING
    segment = generator.choice(SEGMENTS.index, customers, p=SEGMENTS["share"])
    channel = generator.choice(CHANNELS.index, customers, p=CHANNELS["share"])
    paid = CHANNELS["share"].iloc[:-1]
    early = min(NOBODY_TO_RECOMMEND, customers)
    channel[:early] = generator.choice(paid.index, early, p=paid / paid.sum())
    ids = pd.Index([f"C{number:05d}" for number in range(1, customers + 1)], name="customer_id")
    people = pd.DataFrame({"day": come, "segment": segment, "channel": channel}, index=ids)
    return people.join(_parameters(), on=["segment", "channel"])


def _traits(people: pd.DataFrame, generator: np.random.Generator) -> Traits:
    """Return purchase rates and lifetimes, in weeks."""
    from clvmodels.models.pareto_nbd import PARETO_NBD

    theta = people[list(PARETO_NBD.names)].to_numpy()
    zero = np.zeros(len(people))
    assert PARETO_NBD.draw_traits is not None
    return PARETO_NBD.draw_traits(theta, zero, zero, generator)


def _nature(people: pd.DataFrame, traits: Traits, generator: np.random.Generator) -> pd.DataFrame:
    """Return the columns of `Truth.customers`."""
    left = _leaves(people, traits)
    return pd.DataFrame(
        {
            "purchase_rate": traits.purchase_rate,
            "alive": left > DAYS,
            "return_rate": generator.beta(people["returns_a"], people["returns_b"]),
            "contact_rate": generator.gamma(people["contacts_shape"]) / people["contacts_rate"],
            "order_value": people["p"] * people["v"] / generator.gamma(people["q"]),
        },
        index=people.index,
    )


def _leaves(people: pd.DataFrame, traits: Traits) -> Array:
    """Return the day on which each customer leaves."""
    return np.asarray(people["day"] + DAYS_A_WEEK * traits.lifetime)


# -------------------------------------------------------------------------------------------------------- events


def _orders(people: pd.DataFrame, traits: Traits, nature: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """Return the transactions by customer: the one they come with, and those they make at random until they leave."""
    come = people["day"].to_numpy()
    span = np.minimum(_leaves(people, traits), DAYS) - come
    repeat = np.repeat(np.arange(len(people)), generator.poisson(traits.purchase_rate * span / DAYS_A_WEEK))
    owner = np.concatenate([np.arange(len(people)), repeat])
    day = np.concatenate([come, come[repeat] + generator.random(len(repeat)) * span[repeat]])
    p, mean = people["p"].to_numpy()[owner], nature["order_value"].to_numpy()[owner]
    table = pd.DataFrame(
        {
            "customer_id": people.index.take(owner),
            "date": _dates(day),
            "amount": np.maximum(np.round(generator.gamma(p) * mean / p, 2), 0.01),
            "segment": people["segment"].array.take(owner),
            "channel": people["channel"].array.take(owner),
        }
    )
    return table.sort_values(["customer_id", "date"], kind="stable", ignore_index=True)


def _returns(orders: pd.DataFrame, rate: pd.Series[float], generator: np.random.Generator) -> pd.DataFrame:
    """Return what comes back: half of the orders as a whole, of the others a part."""
    back = orders[generator.random(len(orders)) < rate.loc[orders["customer_id"]].to_numpy()]
    part = np.where(generator.random(len(back)) < 0.5, 1.0, generator.uniform(0.2, 1.0, len(back)))
    value = np.maximum(np.round(back["amount"] * part, 2), 0.01)
    time = _later(back["date"], 2, 14, generator)
    return _observed(pd.DataFrame({"customer_id": back["customer_id"], "time": time, "value": value}))


def _service(orders: pd.DataFrame, rate: pd.Series[float], generator: np.random.Generator) -> pd.DataFrame:
    """Return contacts with the service: some orders lead to several."""
    number = generator.poisson(rate.loc[orders["customer_id"]].to_numpy())
    about = orders.loc[orders.index.repeat(number)]
    time = _later(about["date"], 0, 7, generator)
    channel = generator.choice(["phone", "email", "chat"], len(about), p=[0.4, 0.4, 0.2])
    return _observed(pd.DataFrame({"customer_id": about["customer_id"], "time": time, "channel": channel}))


def _campaigns(people: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """Return the contacts of a monthly campaign, which reaches a share of all who have ever come."""
    months = np.arange(START.astype("M8[M]") + 1, (START + DAYS).astype("M8[M]"))
    days = (months.astype("M8[D]") + 9 - START).astype(np.int64)
    reached = generator.random((len(days), len(people))) < people["reach"].to_numpy()
    mailing, customer = np.nonzero(reached & (people["day"].to_numpy() < days[:, None]))
    return _observed(pd.DataFrame({"customer_id": people.index.take(customer), "time": _dates(days[mailing])}))


def _acquisition(people: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """Return what each customer has cost: for a recommended one, a bonus of the same amount to all."""
    spread = people["channel"].map(CHANNELS["cost_cv"]).to_numpy(dtype=np.float64)
    sigma = np.sqrt(np.log1p(spread**2))
    cost = people["cost"].to_numpy() * np.exp(sigma * generator.standard_normal(len(people)) - 0.5 * sigma**2)
    return people[["channel"]].assign(cost=np.round(cost, 2)).reset_index()[["customer_id", "cost", "channel"]]


def _referrals(people: pd.DataFrame, traits: Traits, generator: np.random.Generator) -> pd.DataFrame:
    """Return who has recommended those who came so: somebody who came before and had not left.

    Candidates are drawn again until they are such; in the rare case that this lasts long, nobody is known.
    """
    come, leaves = people["day"].to_numpy(), _leaves(people, traits)
    open_ = np.flatnonzero((people["channel"] == CHANNELS.index[-1]).to_numpy())
    pairs = []
    for _ in range(DRAWS_OF_A_REFERRER):
        candidate = (generator.random(len(open_)) * open_).astype(np.int64)
        good = leaves[candidate] > come[open_]
        pairs.append(np.stack([candidate[good], open_[good]]))
        open_ = open_[~good]
    by, who = np.concatenate(pairs, axis=1)
    ledger = pd.DataFrame(
        {"customer_id": people.index.take(by), "referred_id": people.index.take(who), "time": _dates(come[who])}
    )
    return ledger.sort_values("referred_id", ignore_index=True)


def _dates(day: Array | Whole) -> pd.DatetimeIndex:
    """Return days since the start as dates."""
    return pd.DatetimeIndex((START + np.floor(day).astype(np.int64)).astype("datetime64[us]"))


def _later(
    date: pd.Series[pd.Timestamp], low: int, high: int, generator: np.random.Generator
) -> pd.Series[pd.Timestamp]:
    """Return dates from `low` to `high` days later."""
    return date + pd.to_timedelta(generator.integers(low, high + 1, len(date)), unit="D")


def _observed(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return the events until the end of observation, in the order of time."""
    events = ledger[ledger["time"] < pd.Timestamp(START + DAYS)]
    return events.sort_values(["time", "customer_id"], kind="stable", ignore_index=True)
