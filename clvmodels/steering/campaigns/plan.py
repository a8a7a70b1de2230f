"""The plan of a campaign: who is assigned to what, and what the campaign can show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import DataError
from clvmodels.steering.campaigns.critical_value import correlation_of_looks, critical_value
from clvmodels.steering.campaigns.mechanisms import Mechanism
from clvmodels.steering.campaigns.plan_file import read_plan, write_plan
from clvmodels.steering.campaigns.power import customers_needed, power_of, smallest_effect
from clvmodels.units import Unit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HOLDOUT", "Plan", "Spread", "load_plan"]

HOLDOUT: Final = "holdout"
"""The arm that is not contacted."""


@dataclass(frozen=True)
class Spread:
    """How much the outcome varies between customers who are all treated alike.

    Attributes
    ----------
    mean
        Of the contribution until the evaluation, in money.
    sd
        Its standard deviation.
    residual_sd
        What the forecast at the opening leaves of it.
    """

    mean: float
    sd: float
    residual_sd: float

    @property
    def variance_removed(self) -> float:
        """The share of the variance that the forecast removes.

        Examples
        --------
        >>> round(Spread(3.8, 16.025, 12.98).variance_removed, 3)
        0.344
        """
        return 1.0 - (self.residual_sd / self.sd) ** 2


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """The plan of a campaign; made by `plan_campaign`.

    Attributes
    ----------
    name
        Of the campaign.
    arms
        The share of each arm, that of the holdout first.
    assignments
        By customer: customer_id, campaign, arm, contact_from. Holdouts are in it, too.
    window, until
        The end of the campaign and the evaluation, from the opening, in `unit`.
    looks
        Times at which the effect may be looked at, the last one `until`.
    unit
        Of these times.
    mechanism
        What is assumed about an effect after the window.
    cost
        Money per customer assigned to an arm.
    discount
        The share of sales within the window that customers of an arm need not pay.
    salt
        Of the assignment.
    level
        The probability of the intervals.
    spread
        How much outcomes vary, from a past closing; None: not known.
    """

    name: str
    arms: Mapping[str, float]
    assignments: pd.DataFrame
    window: float
    until: float
    looks: tuple[float, ...]
    unit: Unit
    mechanism: Mechanism
    cost: Mapping[str, float]
    discount: Mapping[str, float]
    salt: str
    level: float
    spread: Spread | None

    @property
    def treated_arms(self) -> tuple[str, ...]:
        """The arms without the holdout."""
        return tuple(arm for arm in self.arms if arm != HOLDOUT)

    @cached_property
    def customers(self) -> pd.Series[int]:
        """Number of customers by arm."""
        return self.assignments["arm"].value_counts().reindex(list(self.arms), fill_value=0)

    def critical_value_of(self, correlation: NDArray[np.float64]) -> float:
        """Return what ``|z|`` must exceed so that all arms and all planned looks together err with 1 - level.

        Parameters
        ----------
        correlation
            Of the effects of the arms, shape (arms, arms).

        Examples
        --------
        Of one arm and one look, that of the normal distribution:

        >>> round(campaign.critical_value_of(np.eye(1)), 4)
        1.96
        """
        both = np.kron(correlation_of_looks(np.array(self.looks)), correlation)
        return critical_value(np.asarray(both, np.float64), self.level)

    @cached_property
    def critical_value(self) -> float:
        """The same for arms of the planned shares."""
        variance = 1.0 / np.array([self.arms[arm] for arm in self.treated_arms])
        of_holdout = 1.0 / self.arms[HOLDOUT]
        covariance = np.diag(variance) + of_holdout
        scale = np.sqrt(np.diagonal(covariance))
        return self.critical_value_of(covariance / np.outer(scale, scale))

    def smallest_effect(self, power: float = 0.8) -> pd.Series[float]:
        """Return by arm the smallest effect per treated customer that the campaign shows with a probability.

        Raises
        ------
        DataError
            If the spread of outcomes is not known.

        Examples
        --------
        Three customers show large effects only:

        >>> campaign.smallest_effect().round(1).to_dict()
        {'coupon': 44.5}
        """
        import pandas as pd

        sd, critical = self._residual_sd(), self.critical_value
        compared = {arm: self._compared(arm) for arm in self.treated_arms}
        effects = {
            arm: smallest_effect(customers, sd, share, power, critical) for arm, (customers, share) in compared.items()
        }
        return pd.Series(effects, name="smallest_effect", dtype=float)

    def power(self, effect: float, arm: str | None = None) -> float:
        """Return the probability with which the campaign shows an effect per treated customer.

        Raises
        ------
        DataError
            If the spread of outcomes is not known, or there is no such arm.

        Examples
        --------
        >>> round(campaign.power(44.5), 2)
        0.8
        """
        customers, share = self._compared(self._arm(arm))
        return power_of(effect, customers, self._residual_sd(), share, self.critical_value)

    def customers_needed(self, effect: float, power: float = 0.8, arm: str | None = None) -> int:
        """Return how many customers an arm and the holdout need to show an effect with a probability.

        Raises
        ------
        DataError
            If the spread of outcomes is not known, or there is no such arm.

        Examples
        --------
        >>> campaign.customers_needed(0.3808)
        36478
        """
        share = self.arms[self._arm(arm)] / (self.arms[self._arm(arm)] + self.arms[HOLDOUT])
        return customers_needed(effect, self._residual_sd(), share, power, self.critical_value)

    def _arm(self, arm: str | None) -> str:
        if arm is None:
            return self.treated_arms[0]
        if arm not in self.treated_arms:
            raise DataError(f"the plan {self.name!r} has the arms {', '.join(self.treated_arms)}, not {arm!r}")
        return arm

    def _compared(self, arm: str) -> tuple[int, float]:
        """Return the customers of an arm and the holdout, and the share of the arm of them."""
        both = int(self.customers[arm] + self.customers[HOLDOUT])
        return both, float(self.customers[arm] / both)

    def _residual_sd(self) -> float:
        if self.spread is None:
            raise DataError(
                f"how much outcomes vary is not known to the plan {self.name!r}; give plan_campaign(..., past=book) a"
                " valuation made so long before the opening as the campaign will be evaluated after it"
            )
        return self.spread.residual_sd

    @property
    def settings(self) -> dict[str, Any]:
        """All but the assignments, as plain data."""
        spread = self.spread
        return {
            "name": self.name,
            "arms": dict(self.arms),
            "window": self.window,
            "until": self.until,
            "looks": list(self.looks),
            "unit": self.unit,
            "mechanism": self.mechanism,
            "cost": dict(self.cost),
            "discount": dict(self.discount),
            "salt": self.salt,
            "level": self.level,
            "spread": None if spread is None else [spread.mean, spread.sd, spread.residual_sd],
        }

    @property
    def digest(self) -> str:
        """The sha256 of settings and assignments: another plan has another one."""
        digest = hashlib.sha256(json.dumps(self.settings).encode())
        table = self.assignments
        contact = table["contact_from"].astype(str)
        for row in zip(table["customer_id"], table["arm"], contact, strict=True):
            digest.update(repr(tuple(map(str, row))).encode())
        return digest.hexdigest()

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the plan to a Parquet file of its assignments, whole or not at all; `load_plan` reads it.

        Raises
        ------
        DataError
            If there is a file of this name: a written plan is never overwritten.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     campaign.save(Path(folder) / "spring.parquet").name
        'spring.parquet'
        """
        return write_plan(self.assignments, {"settings": self.settings, "digest": self.digest}, path)

    def __repr__(self) -> str:
        counts = ", ".join(f"{arm} {count:,}" for arm, count in self.customers.items())
        lines = [f"<Campaign {self.name!r}: {counts}; {self.mechanism}; window {self.window:g}, evaluated after"]
        lines[0] += f" {self.until:g} {self.unit}s"
        if self.spread is not None:
            shown = ", ".join(f"{arm} {effect:,.3f}" for arm, effect in self.smallest_effect().items())
            lines.append(f" shows with probability 0.8 an effect per treated customer of {shown}")
        return ";".join(lines) + ">"


def load_plan(path: str | PathLike[str]) -> Plan:
    """Read a plan that `Plan.save` has written.

    Raises
    ------
    DataError
        If there is no such file, it holds no plan, or the plan was changed since it was written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> arms = {"holdout": 0.5, "coupon": 0.5}
    >>> plan = clv.plan_campaign(book, "spring", arms=arms, window="4 weeks", until="26 weeks")
    >>> with TemporaryDirectory() as folder:
    ...     path = plan.save(Path(folder) / "spring.parquet")
    ...     clv.load_plan(path).digest == plan.digest
    True
    """
    table, content = read_plan(path)
    settings = content["settings"]
    spread = settings.pop("spread")
    settings["looks"] = tuple(settings["looks"])
    plan = Plan(assignments=table, spread=None if spread is None else Spread(*spread), **settings)
    if plan.digest != content["digest"]:
        raise DataError(f"the plan {str(path)!r} was changed since it was written; read the plan as it was written")
    return plan
