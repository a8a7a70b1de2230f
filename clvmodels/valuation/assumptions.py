"""What a valuation assumes, stated once, checked at the door, and printed with every result."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from os import PathLike
from typing import Any, Final, Literal, Self, get_args

from clvmodels.arguments import abridged, require_choice, require_mapping, require_path
from clvmodels.errors import AssumptionError, one_of
from clvmodels.units import DAYS, Unit, duration, read_duration
from clvmodels.valuation.checks import days_of, require_longer_than_zero, require_number
from clvmodels.valuation.line_table import FORMULAS, RATES, Bounds, Formula, Kind
from clvmodels.valuation.own_line import Line, read_lines
from clvmodels.valuation.rates import Rate, checked_rate, column_of, in_plain_data

__all__ = ["HIGHEST_RATE", "Assumptions", "Timing", "require_year", "toml_of"]

Timing = Literal["continuous", "mid-month", "end-month", "mid-year", "end-year"]

HIGHEST_RATE: Final = 2.0
"""The highest discount rate and growth a year; 15 for 15 % is a slip of the pen."""
_PLAUSIBLE_YEAR: Final = (350.0, 380.0)
"""In days: from 50 to 54 weeks. What is no year, such as 12 days or 5000 weeks, is a slip of the pen."""
_LONGEST_HORIZON: Final = 1e9
"""In years. Beyond it, what is left shows in no digit at any rate that is not zero."""


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """The assumptions of a valuation.

    Those in money or a share may be one number, ``{"by": "segment", "rates": {...}}`` or ``{"column": "..."}``, a
    column of the customers. Where there are also columns of that name and ``_sd`` (of what each customer has by
    themselves) or ``_common_sd`` (of what all have in common), intervals allow for it.

    Attributes
    ----------
    discount_rate
        Effective annual rate: 0.15 is 15 % a year; or a rate for each coming year, the last one for all after. It is
        converted to the unit of the fit inside.
    margin
        Contribution of sales before the costs listed below, as a share of sales: 0.30 is 30 %.
    payment_share
        Cost of payment, as a share of sales.
    return_share, write_down
        The share of sales that comes back, and the share of its value that is lost thereby.
    order_cost
        Cost of handling one order, in money.
    early_order_cost, cost_half_life
        What an order of a customer just acquired costs beside that, and the tenure after which this has halved, such as
        ``"52 weeks"``: costs that fall as customers and firm learn. At an age t it is ``early_order_cost`` times
        2^(-t / half-life).
    returns_per_order, return_cost
        Returns an order, and the cost of handling one.
    word_of_mouth_cost
        What a return costs in customers who hear of it; shown apart, as it is attributed.
    contacts_per_order, contacts_per_year, service_cost
        Contacts with the service an order, and a living customer and year, and the cost of one.
    maintenance_cost, loyalty_cost
        Cost of keeping one living customer, and of their bonuses, for a year, in money.
    campaigns_per_year, contact_cost
        How often a customer is contacted a year, alive or not, and the cost of one contact.
    referrals_per_year, referral_value
        Customers whom a living customer wins a year, and the value of one; shown apart, as it is attributed.
    acquisition_cost
        Cost of acquiring a customer; sunk for those on the books.
    lines
        Benefits and costs of your own, beside those above: each a `Line`, or a table of what it is made of.
    growth
        Of the value of an order, a year.
    tax
        Share of the value that is paid as tax.
    year
        The length of a year, between 350 and 380 days: ``"365.25 days"``, or ``"52 weeks"`` as in the published
        examples.
    timing
        When money is deemed to flow: continuously, or in the middle or at the end of each month or year.
    horizon
        How far to look ahead, such as ``"10 years"`` (of the length of `year`); None: indefinitely.
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

    discount_rate: float | tuple[float, ...]
    margin: Rate
    payment_share: Rate = 0.0
    return_share: Rate = 0.0
    write_down: Rate = 1.0
    order_cost: Rate = 0.0
    early_order_cost: Rate = 0.0
    returns_per_order: Rate = 0.0
    return_cost: Rate = 0.0
    word_of_mouth_cost: Rate = 0.0
    contacts_per_order: Rate = 0.0
    contacts_per_year: Rate = 0.0
    service_cost: Rate = 0.0
    maintenance_cost: Rate = 0.0
    loyalty_cost: Rate = 0.0
    campaigns_per_year: Rate = 1.0
    contact_cost: Rate = 0.0
    referrals_per_year: Rate = 0.0
    referral_value: Rate = 0.0
    acquisition_cost: Rate = 0.0
    lines: tuple[Line, ...] = ()
    cost_half_life: str | None = None
    growth: float = 0.0
    tax: float = 0.0
    year: str = "365.25 days"
    timing: Timing = "continuous"
    horizon: str | None = None
    currency: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.discount_rate, list | tuple):
            object.__setattr__(self, "discount_rate", tuple(self.discount_rate))
        meaning = "an effective annual rate; 15 % a year is 0.15"
        for rate in self.discount_rates or (self.discount_rate,):
            require_number("discount_rate", rate, meaning, low=0.0, high=HIGHEST_RATE)
        for name, bounds in RATES.items():
            object.__setattr__(self, name, checked_rate(name, getattr(self, name), bounds))
        object.__setattr__(self, "lines", read_lines(self.lines))
        for line in self.lines:
            if line.name.casefold() in {field.name for field in fields(self)}:
                raise AssumptionError(f"a line cannot be called {line.name!r}: an assumption has this name")
        meaning = "a share a year; 2 % a year is 0.02"
        require_number("growth", self.growth, meaning, low=-1.0, high=HIGHEST_RATE, above=True)
        require_number("tax", self.tax, "a share; 30 % is 0.30", low=0.0, high=1.0)
        require_choice("timing", self.timing, get_args(Timing), AssumptionError)
        if not isinstance(self.currency, str):
            raise AssumptionError(f'currency is a text such as "EUR", got {abridged(self.currency)}')
        require_year("year", self.year)
        if self.horizon is not None:
            _require_horizon(self.horizon)
        self._require_half_life()

    def _require_half_life(self) -> None:
        """Refuse a half-life that is none, and costs that fall without one."""
        if self.cost_half_life is not None:
            require_longer_than_zero(
                "cost_half_life", days_of("cost_half_life", self.cost_half_life), self.cost_half_life
            )
            return
        falling = [line.name for line in self.lines if line.driver == "early orders"]
        if falling or self.early_order_cost != 0.0:
            raise AssumptionError(
                f"{falling[0] if falling else 'early_order_cost'} falls with tenure, and needs the time after which it "
                'has halved: write cost_half_life = "52 weeks"'
            )

    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> Self:
        """Read assumptions from a TOML file whose keys are the attributes of this class.

        Raises
        ------
        AssumptionError
            If the file is missing or no TOML, a key is unknown or missing, or a value is outside its range.

        Examples
        --------
        >>> import clvmodels as clv
        >>> assumptions = Assumptions.from_file(clv.datasets.path("cdnow.toml"))
        >>> assumptions.discount_rate, assumptions.margin, assumptions.year
        (0.15, 0.3, '52 weeks')
        """
        return cls.from_toml(toml_of(path), source=str(path))

    @classmethod
    def from_toml(cls, content: bytes, *, source: str = "the text") -> Self:
        r"""Return the assumptions in the content of a TOML file; `source` is what errors call it.

        Raises
        ------
        AssumptionError
            As of `from_file`.

        Examples
        --------
        >>> Assumptions.from_toml(b"discount_rate = 0.15; margin = 0.30", source="costs.toml")
        Traceback (most recent call last):
            ...
        clvmodels.errors.AssumptionError: costs.toml is not valid TOML: Expected newline or end of document after ...
        >>> Assumptions.from_toml(b"discount_rate = 0.15\nmargin = 0.30").margin
        0.3
        """
        if not isinstance(content, bytes | bytearray):
            raise AssumptionError(f"{source} is given as the bytes of a TOML file, got {abridged(content)}")
        try:
            table = tomllib.loads(content.decode("utf-8-sig"))
        except RecursionError as error:
            raise AssumptionError(f"{source} is not valid TOML: it is nested too deeply") from error
        except ValueError as error:  # of a number with thousands of digits, too
            raise AssumptionError(f"{source} is not valid TOML: {error}") from error
        return cls.from_mapping(table)

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Self:
        """Return assumptions given by name, as from JSON or a form; unknown names are refused.

        Raises
        ------
        AssumptionError
            If a name is unknown, `discount_rate` or `margin` is missing, or a value is outside its range.

        Examples
        --------
        >>> Assumptions.from_mapping({"discount_rate": 0.15, "margin": 0.30}).margin
        0.3
        >>> Assumptions.from_mapping({"discount_rate": 0.15})
        Traceback (most recent call last):
            ...
        clvmodels.errors.AssumptionError: the assumptions lack margin; write, for example, margin = 0.15
        """
        cls._require_known(content)
        missing = [name for name in ("discount_rate", "margin") if name not in content]
        if missing:
            raise AssumptionError(
                f"the assumptions lack {' and '.join(missing)}; write, for example, {missing[0]} = 0.15"
            )
        return cls(**content)

    def replace(self, changes: Mapping[str, Any]) -> Self:
        """Return the assumptions with some of them changed, or rates of your own lines; unknown names are refused.

        Raises
        ------
        AssumptionError
            If a name is unknown, or a value is outside its range.

        Examples
        --------
        >>> Assumptions(discount_rate=0.15, margin=0.30).replace({"margin": 0.25}).margin
        0.25
        """
        require_mapping("assumptions", changes, "{'margin': 0.3}", AssumptionError)
        lines = read_lines(changes.get("lines", self.lines))
        own = {line.name for line in lines}
        self._require_known(changes, own)
        changed = tuple(replace(line, rate=changes.get(line.name, line.rate)) for line in lines)
        return replace(self, **{name: value for name, value in changes.items() if name not in own} | {"lines": changed})

    @classmethod
    def _require_known(cls, content: Mapping[str, Any], own: Collection[str] = ()) -> None:
        known = [*(field.name for field in fields(cls)), *own]
        for key in require_mapping("assumptions", content, "{'margin': 0.3}", AssumptionError):
            if key not in known:
                raise AssumptionError(one_of("assumption", key, known))

    def to_dict(self) -> dict[str, object]:
        """Return the assumptions as plain data, as `from_mapping` takes them; what is None or needs it is left out.

        Examples
        --------
        >>> assumptions = Assumptions(discount_rate=0.15, margin=0.30)
        >>> assumptions.to_dict()["year"], "horizon" in assumptions.to_dict()
        ('365.25 days', False)
        >>> Assumptions.from_mapping(assumptions.to_dict()) == assumptions
        True
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {name: in_plain_data(value) if name in RATES else value for name, value in values.items()}
        if self.cost_half_life is None:
            del plain["early_order_cost"]  # zero, as nothing falls
        plain["lines"] = [line.to_dict() for line in self.lines] or None
        plain["discount_rate"] = self.discount_rates if len(self.discount_rates) > 1 else self.discount_rates[0]
        return {name: value for name, value in plain.items() if value is not None}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the customers that rates stand in, or that name their segments."""
        columns = map(column_of, self.rates.values())
        return tuple(dict.fromkeys(column for column in columns if column is not None))

    @property
    def rates(self) -> dict[str, Rate]:
        """The assumptions that may differ from customer to customer by name, those of your own lines last.

        Examples
        --------
        >>> assumptions = Assumptions(discount_rate=0.15, margin=0.30, lines=(Line("gift", "orders", 0.5),))
        >>> assumptions.rates["margin"], assumptions.rates["gift"]
        (0.3, 0.5)
        """
        return {name: getattr(self, name) for name in RATES} | {line.name: line.rate for line in self.lines}

    @property
    def bounds(self) -> dict[str, Bounds]:
        """Where each of the `rates` may lie, and what it is."""
        return {**RATES, **{line.name: line.bounds for line in self.lines}}

    @property
    def formulas(self) -> tuple[Formula, ...]:
        """The table of lines, your own last; tax is a share of them. Early orders only where costs fall with tenure."""
        falling = self.cost_half_life is not None
        built_in = FORMULAS if falling else tuple(each for each in FORMULAS if "early orders" not in each.factors)
        return (*built_in, *(line.formula for line in self.lines))

    def kind_of(self, name: str) -> Kind:
        """Return what the number of an assumption is.

        Examples
        --------
        >>> assumptions = Assumptions(discount_rate=0.15, margin=0.30)
        >>> [assumptions.kind_of(name) for name in ("margin", "order_cost", "returns_per_order", "tax")]
        ['share', 'money', 'number', 'share']
        """
        return "share" if name in ("discount_rate", "growth", "tax") else self.bounds[name].kind

    @property
    def discount_rates(self) -> tuple[float, ...]:
        """The discount rate of each coming year, the last one for all after."""
        return self.discount_rate if isinstance(self.discount_rate, tuple) else (self.discount_rate,)

    def year_in(self, unit: Unit) -> float:
        """Return the length of a year as a number of `unit`.

        Examples
        --------
        >>> Assumptions(discount_rate=0.15, margin=0.30).year_in("day")
        365.25
        >>> Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks").year_in("week")
        52.0
        """
        return duration(self.year, unit)

    def horizon_in(self, unit: Unit) -> float:
        """Return the horizon as a number of `unit`, its years being years of this valuation; infinite if None.

        Examples
        --------
        >>> assumptions = Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks", horizon="10 years")
        >>> assumptions.horizon_in("week")
        520.0
        >>> assumptions.replace({"horizon": None}).horizon_in("week")
        inf
        """
        return math.inf if self.horizon is None else self._duration(self.horizon, unit)

    def _duration(self, text: str, unit: Unit) -> float:
        """Return a duration as a number of `unit`, its years being years of this valuation."""
        number, given = read_duration(text, "year")
        return number * (self.year_in(unit) if given == "year" else duration(f"1 {given}", unit))

    def force_of_learning(self, unit: Unit) -> float:
        """Return log(2) per half-life of the costs that fall with tenure, per `unit`; 0 if none is stated.

        Examples
        --------
        >>> learning = {"order_cost": 1.5, "early_order_cost": 2.5, "cost_half_life": "52 weeks"}
        >>> assumptions = Assumptions(discount_rate=0.15, margin=0.30, **learning)
        >>> round(assumptions.force_of_learning("week"), 4)
        0.0133
        """
        return 0.0 if self.cost_half_life is None else math.log(2.0) / self._duration(self.cost_half_life, unit)

    def force_of_interest(self, unit: Unit) -> float:
        """Return delta = log(1 + discount_rate) per `unit`; that of the last year if the rate changes.

        Examples
        --------
        The 0.27 % a week of the published valuation of CDNOW:

        >>> assumptions = Assumptions(discount_rate=0.15, margin=0.30, year="52 weeks")
        >>> round(assumptions.force_of_interest("week"), 4), round(assumptions.force_of_interest("year"), 3)
        (0.0027, 0.14)
        """
        return math.log1p(self.discount_rates[-1]) / self.year_in(unit)

    def force_of_growth(self, unit: Unit) -> float:
        """Return log(1 + growth) per `unit`.

        Examples
        --------
        >>> assumptions = Assumptions(discount_rate=0.15, margin=0.30, growth=0.02)
        >>> round(assumptions.force_of_growth("year"), 4)
        0.0198
        """
        return math.log1p(self.growth) / self.year_in(unit)


def toml_of(path: str | PathLike[str]) -> bytes:
    """Return the content of a file of assumptions.

    Raises
    ------
    AssumptionError
        If it cannot be read.
    """
    file = require_path(path, "the assumptions", AssumptionError)
    try:
        return file.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise AssumptionError(f"cannot read the assumptions in {str(path)!r}: {reason}") from error


def require_year(name: str, value: object) -> None:
    """Refuse what is no length of a year.

    Raises
    ------
    AssumptionError
        If it is no duration, or not about a year long.

    Examples
    --------
    >>> require_year("year", "52 weeks")
    >>> require_year("year", "12 days")
    Traceback (most recent call last):
        ...
    clvmodels.errors.AssumptionError: year is the length of a year, between 350 and 380 days, such as "365.25 days",
    "52 weeks", "12 months" or "360 days"; got '12 days'
    """
    shortest, longest = _PLAUSIBLE_YEAR
    days = days_of(name, value)
    require_longer_than_zero(name, days, value)
    if not shortest <= days <= longest:
        raise AssumptionError(
            f"{name} is the length of a year, between {shortest:g} and {longest:g} days, such as "
            f'"365.25 days", "52 weeks", "12 months" or "360 days"; got {value!r}'
        )


def _require_horizon(value: object) -> None:
    days = days_of("horizon", value)
    require_longer_than_zero("horizon", days, value)
    if days > _LONGEST_HORIZON * DAYS["year"]:
        raise AssumptionError(
            f'horizon is at most {_LONGEST_HORIZON:g} years, such as "10 years"; leave it out to look ahead '
            f"indefinitely; got {value!r}"
        )
