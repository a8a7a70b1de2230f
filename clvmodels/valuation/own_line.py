"""Lines that users add to a valuation: a rate of their own on one of the drivers, which appears wherever lines do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, get_args

from clvmodels.arguments import abridged, as_number, require_choice, require_text
from clvmodels.errors import AssumptionError, one_of
from clvmodels.valuation.line_table import FORMULAS, RATES, Bounds, Driver, Formula, Place, Sign, contributions_of
from clvmodels.valuation.rates import Rate, checked_rate, in_plain_data

__all__ = ["Line", "read_lines"]

OwnGroup = Literal["cost", "benefit", "attributed"]

_EXAMPLE: Final = '{"name": "gift", "driver": "orders", "rate": 0.5}'
_LANGUAGES: Final = ("en", "de")


class _OfDriver(NamedTuple):
    """What the rate of a line is that rests on a driver, and where the line stands in the contribution schema."""

    high: float
    meaning: str
    unit: str
    contribution: Place


_DRIVERS: Final[Mapping[Driver, _OfDriver]] = {
    "sales": _OfDriver(1.0, "a share of sales", "unit_of_sales", 2),
    "orders": _OfDriver(math.inf, "money an order", "unit_per_order", 2),
    "early orders": _OfDriver(math.inf, "money an order of a customer just acquired", "unit_per_order", 2),
    "living years": _OfDriver(math.inf, "money a living customer and year", "unit_per_living_year", 3),
    "calendar years": _OfDriver(math.inf, "money a customer and year", "unit_per_customer_year", 3),
}

_COLUMNS: Final = frozenset(
    {
        *(
            "customer_id",
            "discounted_orders",
            "discounted_early_orders",
            "discounted_lifetime",
            "discounted_sales",
            "order_value",
            "rlv",
        ),
        *("rlv_sd", "rlv_q05", "rlv_q50", "rlv_q95", "probability_of_loss"),
        *("customers", "living_customers", "living_years", "calendar_years", "equity", "per_customer", "low", "high"),
        *("share_1", "share_3", "share_5", "share_10", "within_1", "within_3", "within_5", "within_10"),
        *("rlv_to_acquisition_cost_spent", "total", "tax", "sales", "cost_of_sales", "value"),
    }
)
"""Columns and rows of the tables that lines stand in."""

_TAKEN: Final = _COLUMNS | {*RATES, *(formula.name for formula in FORMULAS), *contributions_of(())}


@dataclass(frozen=True)
class Line:
    """A line of your own: a benefit or a cost beside the built-in ones, for ``Assumptions(lines=(...,))``.

    It enters values, statements, intervals, movements, scenarios and reports as the built-in lines do.
    `Assumptions.replace`, `scenarios` and `two_way` change its rate by its name.

    Attributes
    ----------
    name
        Letters, digits and underscores; also its column in tables.
    driver
        What the rate is multiplied by: ``"sales"``, ``"orders"``, ``"early orders"`` (orders whose cost falls with
        tenure, by the assumption ``cost_half_life``), ``"living years"`` (while the customer is alive) or
        ``"calendar years"`` (alive or not).
    rate
        A share of sales, or money per unit of the driver: a number from 0 up, ``{"by": "segment", "rates": {...}}`` or
        ``{"column": "..."}``, as of `Assumptions`.
    group
        ``"cost"``, ``"benefit"``, or ``"attributed"``: what arises with other customers.
    sign
        1 or -1: whether an attributed line adds value or takes some. Default: it adds value; a cost never does.
    labels
        What reports call it, by language, ``"en"`` and ``"de"``. Default: its name, written out.
    contribution
        The customer contribution that it leads to, 1 to 3. Default: 2 for what rests on sales or orders, 3 for what
        rests on years. An attributed line leads to none.

    Raises
    ------
    AssumptionError
        If one of these is something else, or the name has another meaning already.

    Examples
    --------
    >>> import clvmodels as clv
    >>> gift = clv.Line("gift", driver="orders", rate=0.5, labels={"en": "Gifts", "de": "Geschenke"})
    >>> with_gift = book.with_assumptions(book.assumptions.replace({"lines": [gift]}))
    >>> float(round(with_gift.equity - book.equity + 0.5 * book.future.D.sum(), 9))
    0.0
    """

    name: str
    driver: Driver
    rate: Rate
    group: OwnGroup = "cost"
    sign: Sign | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    contribution: Place | None = None

    def __post_init__(self) -> None:
        _require_name(self.name)
        require_choice(f"driver of the line {self.name!r}", self.driver, list(_DRIVERS), AssumptionError)
        require_choice(f"group of the line {self.name!r}", self.group, get_args(OwnGroup), AssumptionError)
        _require_sign(self.name, self.group, self.sign)
        _require_contribution(self.name, self.group, self.contribution)
        object.__setattr__(self, "labels", MappingProxyType(_checked_labels(self.name, self.labels)))
        object.__setattr__(self, "rate", checked_rate(self.name, self.rate, self.bounds))

    def __reduce__(self) -> tuple[type[Line], tuple[object, ...]]:
        values = (self.name, self.driver, self.rate, self.group, self.sign, dict(self.labels), self.contribution)
        return Line, values  # what keeps the labels from being changed does not pickle

    @property
    def bounds(self) -> Bounds:
        """Where the rate may lie, what it is, what it is per, and what it is called."""
        of_driver = _DRIVERS[self.driver]
        written = self.name.replace("_", " ").strip().capitalize()
        english, german = (self.labels.get(language, written) for language in _LANGUAGES)
        return Bounds(0.0, of_driver.high, of_driver.meaning, of_driver.unit, (english, german))

    @property
    def formula(self) -> Formula:
        """Its row of the table of lines."""
        sign: Sign = -1 if self.group == "cost" else 1
        place = None if self.group == "attributed" else self.contribution or _DRIVERS[self.driver].contribution
        return Formula(
            self.name,
            self.group,
            self.sign or sign,
            {self.driver: (self.name,)},
            labels=self.bounds.labels,
            contribution=place,
        )

    def to_dict(self) -> dict[str, object]:
        """Return the line as plain data, as `Assumptions` takes it; what is not stated is left out.

        Examples
        --------
        >>> Line("gift", "orders", 0.5).to_dict()
        {'name': 'gift', 'driver': 'orders', 'rate': 0.5, 'group': 'cost'}
        """
        plain: dict[str, object] = {"name": self.name, "driver": self.driver, "rate": in_plain_data(self.rate)}
        optional = {"sign": self.sign, "labels": dict(self.labels), "contribution": self.contribution}
        return plain | {"group": self.group} | {key: value for key, value in optional.items() if value}


def read_lines(given: object) -> tuple[Line, ...]:
    """Return the lines that a user states: each a `Line`, or a table of what it is made of.

    Raises
    ------
    AssumptionError
        If it is no list of lines, a key is unknown or missing, or two have the same name.

    Examples
    --------
    >>> [line.rate for line in read_lines([{"name": "gift", "driver": "orders", "rate": 0.5}])]
    [0.5]
    """
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise AssumptionError(f"lines is a list of lines, such as [{_EXAMPLE}], got {abridged(given)}")
    lines = tuple(map(_read_line, given))
    names = [line.name.casefold() for line in lines]
    for line in lines:
        if names.count(line.name.casefold()) > 1:
            raise AssumptionError(f"two lines are called {line.name!r}; give each a name of its own")
    return lines


def _read_line(given: object) -> Line:
    if isinstance(given, Line):
        return given
    if not isinstance(given, Mapping):
        raise AssumptionError(f"a line is a clv.Line or a table such as {_EXAMPLE}, got {abridged(given)}")
    content: dict[str, Any] = dict(given)
    known = [each.name for each in fields(Line)]
    for key in content:
        if key not in known:
            raise AssumptionError(one_of("key of a line", key, known))
    needed = (each.name for each in fields(Line) if each.default is MISSING and each.default_factory is MISSING)
    missing = [name for name in needed if name not in content]
    if missing:
        raise AssumptionError(f"a line lacks {' and '.join(missing)}; write, for example, {_EXAMPLE}")
    return Line(**content)


def _require_name(name: object) -> None:
    """Refuse what is no name, or has another meaning; engines tell no capital letters from small ones."""
    if not (isinstance(name, str) and name.isidentifier() and not name.startswith("_")):
        raise AssumptionError(
            f'the name of a line is made of letters, digits and underscores, such as "gift", got {abridged(name)}'
        )
    if name.casefold() in _TAKEN:
        raise AssumptionError(
            f"a line cannot be called {name!r}: a built-in line, a rate or a column has this name; "
            f'choose another, such as "own_{name}"'
        )


def _require_sign(name: str, group: OwnGroup, sign: object) -> None:
    if sign is None:
        return
    if as_number(sign) not in (1.0, -1.0):
        raise AssumptionError(f"the sign of the line {name!r} is 1 or -1, got {abridged(sign)}")
    if group != "attributed" and sign != (-1 if group == "cost" else 1):
        other = "benefit" if group == "cost" else "cost"
        raise AssumptionError(
            f'the line {name!r} is a {group}, and has the sign {sign}; leave the sign out, or write group = "{other}"'
        )


def _require_contribution(name: str, group: OwnGroup, place: object) -> None:
    if place is None:
        return
    if group == "attributed":
        raise AssumptionError(
            f"the line {name!r} is attributed, and leads to no customer contribution; leave contribution out"
        )
    if as_number(place) not in get_args(Place):
        raise AssumptionError(f"the contribution of the line {name!r} is 1, 2 or 3, got {abridged(place)}")


def _checked_labels(name: str, labels: object) -> dict[str, str]:
    example = 'such as {"en": "Gifts", "de": "Geschenke"}'
    if not isinstance(labels, Mapping):
        raise AssumptionError(
            f"the labels of the line {name!r} are texts by language, {example}; got {abridged(labels)}"
        )
    for language in labels:
        require_choice(f"language of the labels of {name!r}", language, _LANGUAGES, AssumptionError)
    what = f"the label of the line {name!r}"
    return {
        language: require_text(what, text, "what reports call it", AssumptionError) for language, text in labels.items()
    }
