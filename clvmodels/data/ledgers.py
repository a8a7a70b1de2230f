"""Relationship ledgers beside the purchase log: returns, service contacts, campaigns, acquisition costs, referrals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from clvmodels.arguments import abridged
from clvmodels.data.histories import Histories
from clvmodels.data.ids import IdRules, read_ids
from clvmodels.data.ledger_counts import count_ledgers
from clvmodels.data.ledger_tables import FORMS, read_ledger
from clvmodels.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Ledgers"]

_HEADING: Final = "the relationship ledgers cannot be used as they are (rows are counted from 1, without a header):"


@dataclass(frozen=True, eq=False)
class Ledgers:
    """What is known of the relationship with each customer beside their purchases. Immutable; made by `Ledgers.read`.

    Attributes
    ----------
    returns
        ``customer_id``, ``time``, ``value`` (money of the returned goods). None if not given, as the others.
    service
        Contacts with the service: ``customer_id``, ``time``, and ``channel`` if there is one.
    campaigns
        Contacts of campaigns: ``customer_id``, ``time``.
    acquisition
        ``customer_id``, ``cost`` (NaN if unknown), and ``channel`` if there is one; one row a customer.
    referrals
        ``customer_id`` (who recommended), ``referred_id``, ``time``.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"customer_id": ["ann", "bob"], "frequency": [1, 0], "recency": [10, 0], "T": [30, 20]})
    >>> rfm = Histories.from_frame(table, unit="day", observation_end="2024-01-31")
    >>> days = ["2024-01-05", "2024-01-03", "2024-02-05"]
    >>> ledgers = Ledgers.read(service=pd.DataFrame({"customer_id": ["ann", "bob", "ann"], "time": days}))
    >>> ledgers.activity(rfm)["service_contacts"].to_dict()
    {'ann': 1, 'bob': 0}
    >>> for note in ledgers.notes(rfm):
    ...     print(note)
    service: 1 contact before the customer's first purchase, not counted
    service: 1 contact after the end of observation, not counted
    """

    returns: pd.DataFrame | None = None
    service: pd.DataFrame | None = None
    campaigns: pd.DataFrame | None = None
    acquisition: pd.DataFrame | None = None
    referrals: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        """Refuse what `read` has not made.

        Raises
        ------
        DataError
            If a ledger is no table.
        """
        for name in FORMS:
            table = getattr(self, name)
            if table is not None and not hasattr(table, "columns"):
                raise DataError(f"ledgers are made by Ledgers.read({name}=...), got {name}={abridged(table)}")

    @classmethod
    def read(
        cls,
        *,
        returns: object = None,
        service: object = None,
        campaigns: object = None,
        acquisition: object = None,
        referrals: object = None,
        time_format: str | None = None,
        exclude_ids: Sequence[object] = (),
        clean_ids: bool = False,
        histories: Histories | None = None,
    ) -> Self:
        """Read and check ledgers, each of them optional.

        Parameters
        ----------
        returns, service, campaigns, acquisition, referrals
            As a purchase log: pandas, polars or Arrow tables, DuckDB relations, Ibis tables, or paths of CSV or Parquet
            files, ``*`` allowed; with the columns named above. Other columns are not read.
        time_format
            How the times of all ledgers are written, as in ``strptime``; timestamps and ISO text need none.
        exclude_ids, clean_ids
            As in `LogFormat`, and the same as for the purchase log: rows of excluded customers are left out.
        histories
            If given, customers who are not in them are found at once, with everything else; otherwise by `activity`.

        Raises
        ------
        DataError
            Once, with a list of everything found: a column missing, ids or times missing, amounts that are missing,
            negative or no numbers, a customer with two acquisition costs, one who referred themselves or was referred
            twice, and customers unknown to the histories.

        Examples
        --------
        >>> import pandas as pd
        >>> costs = pd.DataFrame({"customer_id": ["ann", "bob"], "cost": [20.0, None], "channel": ["shop", "web"]})
        >>> Ledgers.read(acquisition=costs).acquisition["cost"].to_list()
        [20.0, nan]
        >>> Ledgers.read(acquisition=costs.assign(cost=[20.0, -5.0]), returns=costs)
        Traceback (most recent call last):
            ...
        clvmodels.errors.DataError: the relationship ledgers cannot be used as they are ...:
        - returns: the table has no column 'time', 'value'; its columns are 'customer_id', 'cost', 'channel'
        - acquisition: cost is negative in 1 row (2); write what it is worth or costs as a positive amount
        """
        ids = IdRules(read_ids(exclude_ids), clean=clean_ids)
        given = {"returns": returns, "service": service, "campaigns": campaigns}
        given |= {"acquisition": acquisition, "referrals": referrals}
        frames: dict[str, pd.DataFrame] = {}
        findings: list[str] = []
        for name, table in given.items():
            if table is None:
                continue
            try:
                frames[name], wrong = read_ledger(table, FORMS[name], time_format=time_format, ids=ids)
            except DataError as error:  # reported with the rest
                wrong = [str(error)]
            findings += [f"{name}: {finding}" for finding in wrong]
        ledgers = cls(**frames)
        if histories is not None:
            _require_in_memory(histories)
            findings += count_ledgers(ledgers._frames, histories, None).remarks.findings
        _refuse(findings)
        return ledgers

    @property
    def _frames(self) -> dict[str, pd.DataFrame | None]:
        """The ledgers by name."""
        return {name: getattr(self, name) for name in FORMS}

    def activity(self, histories: Histories, *, customers: Iterable[object] | None = None) -> pd.DataFrame:
        """Return what happened with each customer from the day of their first purchase to the day observation ended.

        Parameters
        ----------
        histories
            The customers, with their end of observation. Without an attribute ``first_purchase`` they are taken to have
            come T before the end.
        customers
            All customers there are, if the histories are not of all of them (an earlier closing, a selection). `notes`
            reports what the ledgers have of the others. By default those in the histories: others are refused.

        Returns
        -------
        DataFrame
            By customer id, in the order of the histories: ``returns`` (rows), ``returned_orders`` (days with a return,
            at most as many as they have orders), ``returned_value``, ``service_contacts``, ``campaign_contacts``,
            ``campaign_days`` (days on which campaigns reached anybody), ``referrals``: zero where there are none, NaN
            where there is no such ledger; ``acquisition_cost`` (NaN if unknown) and ``acquisition_channel`` (missing if
            unknown).

        Raises
        ------
        DataError
            Once, with a list: customers who are not in the histories; more money returned than sold, which suggests
            another unit of money. Or if the histories do not say when observation ended.

        Examples
        --------
        >>> import pandas as pd
        >>> table = {"customer_id": ["ann", "bob"], "frequency": [1, 0], "recency": [10, 0], "T": [30, 20]}
        >>> rfm = Histories.from_frame(pd.DataFrame(table), unit="day", observation_end="2024-01-31")
        >>> returns = {"customer_id": ["ann", "ann"], "time": ["2024-01-05", "2024-01-20"], "value": [9.5, 4.0]}
        >>> ledgers = Ledgers.read(returns=pd.DataFrame(returns))
        >>> ledgers.activity(rfm)[["returns", "returned_value", "service_contacts"]]
                     returns  returned_value  service_contacts
        customer_id
        ann                2            13.5               NaN
        bob                0             0.0               NaN
        """
        _require_in_memory(histories)
        counted = count_ledgers(self._frames, histories, customers)
        _refuse(counted.remarks.findings)
        return counted.table

    def notes(self, histories: Histories, *, customers: Iterable[object] | None = None) -> tuple[str, ...]:
        """Return, in words, what `activity` does not count, and what is not known.

        Parameters
        ----------
        histories, customers
            As of `activity`.

        Raises
        ------
        DataError
            If the histories do not say when observation ended.

        Examples
        --------
        >>> import pandas as pd
        >>> table = {"customer_id": ["ann", "bob"], "frequency": [1, 0], "recency": [10, 0], "T": [30, 20]}
        >>> rfm = Histories.from_frame(pd.DataFrame(table), unit="day", observation_end="2024-01-31")
        >>> costs = pd.DataFrame({"customer_id": ["ann", "bob"], "cost": [20.0, None]})
        >>> Ledgers.read(acquisition=costs).notes(rfm)
        ('acquisition: the cost of 1 customer is not known',)
        """
        _require_in_memory(histories)
        return tuple(count_ledgers(self._frames, histories, customers).remarks.notes)


def _require_in_memory(histories: object) -> None:
    if not isinstance(histories, Histories):
        raise DataError(
            f"ledgers are counted for histories in memory, got {type(histories).__name__}; write"
            " rfm_summary(log, ...).collect()"
        )


def _refuse(findings: list[str]) -> None:
    if findings:
        raise DataError("\n- ".join([_HEADING, *findings]))
