"""What a valuation assumes, stated once, checked at the door, and printed with every result."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args

from clvmodels.errors import AssumptionError, UnitError, one_of
from clvmodels.units import Unit, duration, read_duration

__all__ = ["Assumptions", "Timing"]

Timing = Literal["continuous", "mid-month", "end-month", "mid-year", "end-year"]

_PLAUSIBLE_RATE: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """The assumptions of a valuation.

    Attributes
    ----------
    discount_rate
        Effective annual rate: 0.15 is 15 % a year. It is converted to the unit of the fit inside.
    margin
        Contribution of sales before the costs listed below, as a share of sales: 0.30 is 30 %.
    order_cost
        Cost of handling one order, in money.
    maintenance_cost
        Cost of keeping one living customer for a year, in money.
    year
        The length of a year: ``"365.25 days"``, or ``"52 weeks"`` as in the published examples.
    timing
        When money is deemed to flow: continuously, or in the middle or at the end of each month or year.
    horizon
        How far to look ahead, such as ``"10 years"`` (of the length of `year`); None: for ever.
    currency
        Printed beside amounts.

    Raises
    ------
    AssumptionError
        If a value is outside its range.

    Examples
    --------
    >>> Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks").force_of_interest("week")
    0.002687729...
    """

    discount_rate: float
    margin: float
    order_cost: float = 0.0
    maintenance_cost: float = 0.0
    year: str = "365.25 days"
    timing: Timing = "continuous"
    horizon: str | None = None
    currency: str = ""

    def __post_init__(self) -> None:
        self._require_number("discount_rate", 0.0, _PLAUSIBLE_RATE, "an effective annual rate; 15 % a year is 0.15")
        self._require_number("margin", 0.0, 1.0, "a share of sales; 30 % is 0.30")
        self._require_number("order_cost", 0.0, math.inf, "money an order")
        self._require_number("maintenance_cost", 0.0, math.inf, "money a living customer and year")
        if self.timing not in get_args(Timing):
            raise AssumptionError(one_of("timing", self.timing, get_args(Timing)))
        if not isinstance(self.currency, str):
            raise AssumptionError(f'currency is a text such as "EUR", got {self.currency!r}')
        self._require_duration("year", self.year)
        if self.horizon is not None:
            self._require_duration("horizon", self.horizon)

    def _require_duration(self, name: str, value: object) -> None:
        if not isinstance(value, str):
            raise AssumptionError(f'{name} is a duration with its unit, such as "52 weeks", got {value!r}')
        try:
            number = duration(value, "day")
        except UnitError as error:
            raise AssumptionError(f"{name}: {error}") from error
        if number == 0.0:
            raise AssumptionError(f"{name} must be longer than zero, got {value!r}")

    def _require_number(self, name: str, low: float, high: float, meaning: str) -> None:
        value = getattr(self, name)
        good = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        if not good or math.isinf(value):
            bounds = f"from {low:g} to {high:g}" if math.isfinite(high) else f"from {low:g} up"
            raise AssumptionError(f"{name} must be a number {bounds} ({meaning}), got {value!r}")

    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> Self:
        """Read assumptions from a TOML file whose keys are the attributes of this class.

        Raises
        ------
        AssumptionError
            If the file is missing or no TOML, a key is unknown or missing, or a value is outside its range.
        """
        try:
            content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            reason = error.strerror or str(error)
            raise AssumptionError(f"cannot read the assumptions in {str(path)!r}: {reason}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise AssumptionError(f"{path} is not valid TOML: {error}") from error
        return cls.from_mapping(content)

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Self:
        """Return assumptions given by name; unknown names are refused."""
        known = [field.name for field in fields(cls)]
        for key in content:
            if key not in known:
                raise AssumptionError(one_of("assumption", key, known))
        missing = [name for name in ("discount_rate", "margin") if name not in content]
        if missing:
            raise AssumptionError(
                f"the assumptions lack {' and '.join(missing)}; write, for example, {missing[0]} = 0.15"
            )
        return cls(**content)

    def year_in(self, unit: Unit) -> float:
        """Return the length of a year as a number of `unit`."""
        return duration(self.year, unit)

    def horizon_in(self, unit: Unit) -> float:
        """Return the horizon as a number of `unit`, its years being years of this valuation; infinite if None."""
        if self.horizon is None:
            return math.inf
        number, given = read_duration(self.horizon, "year")
        return number * (self.year_in(unit) if given == "year" else duration(f"1 {given}", unit))

    def force_of_interest(self, unit: Unit) -> float:
        """Return delta = log(1 + discount_rate) per `unit`."""
        return math.log1p(self.discount_rate) / self.year_in(unit)
