"""The built-in lines of a valuation and their rates, as data: one row each, which everything else reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

__all__ = [
    "FORMULAS",
    "RATES",
    "Bounds",
    "Driver",
    "Formula",
    "Group",
    "Kind",
    "Labels",
    "Place",
    "Sign",
    "contributions_of",
]

Driver = Literal["sales", "orders", "early orders", "living years", "calendar years"]
"""Early orders are orders, each weighted with what tenure has left of the cost of a customer just acquired."""
Group = Literal["benefit", "cost", "attributed", "tax"]
Sign = Literal[1, -1]
Place = Literal[1, 2, 3]
"""Of a line in the contribution schema: which of customer contributions I to III it leads to."""
Kind = Literal["share", "money", "number"]
"""What the number of an assumption is."""
Labels = tuple[str, str]
"""What a thing is called: in English, in German."""


class Bounds(NamedTuple):
    """Where a rate may lie, what it is, what it is per, and what it is called.

    Attributes
    ----------
    low, high
        The smallest and the largest.
    meaning
        In words, for messages.
    unit
        The label of what it is per.
    labels
        What it is called.
    """

    low: float
    high: float
    meaning: str
    unit: str
    labels: Labels

    @property
    def kind(self) -> Kind:
        """What its number is: a share has no more than 1."""
        if self.high == 1.0:
            return "share"
        return "money" if self.meaning.startswith("money") else "number"


_ANY: Final = math.inf

RATES: Final[Mapping[str, Bounds]] = {
    "margin": Bounds(0.0, 1.0, "a share of sales; 30 % is 0.30", "unit_of_sales", ("Margin", "Deckungsbeitragssatz")),
    "payment_share": Bounds(
        0.0,
        1.0,
        "a share of sales",
        "unit_of_sales",
        ("Payment cost, share of sales", "Zahlungskosten, Anteil am Umsatz"),
    ),
    "return_share": Bounds(
        0.0,
        1.0,
        "the share of sales that comes back",
        "unit_of_sales",
        ("Returned share of sales", "Retourenanteil am Umsatz"),
    ),
    "write_down": Bounds(
        0.0,
        1.0,
        "the share of the value of returned goods that is lost",
        "unit_of_returned_value",
        ("Write-down of returned goods", "Wertverlust der Retouren"),
    ),
    "order_cost": Bounds(0.0, _ANY, "money an order", "unit_per_order", ("Order handling", "Auftragsabwicklung")),
    "early_order_cost": Bounds(
        0.0,
        _ANY,
        "money an order of a customer just acquired, beside the cost of any order",
        "unit_per_order",
        ("Order handling of new customers, beside", "Auftragsabwicklung bei Neukunden, zusätzlich"),
    ),
    "returns_per_order": Bounds(
        0.0, _ANY, "a number an order", "unit_per_order", ("Returns per order", "Retouren je Bestellung")
    ),
    "return_cost": Bounds(0.0, _ANY, "money a return", "unit_per_return", ("Cost of a return", "Kosten je Retoure")),
    "word_of_mouth_cost": Bounds(
        0.0, _ANY, "money a return", "unit_per_return", ("Word of mouth, per return", "Mundpropaganda, je Retoure")
    ),
    "contacts_per_order": Bounds(
        0.0,
        _ANY,
        "a number an order",
        "unit_per_order",
        ("Service contacts per order", "Servicekontakte je Bestellung"),
    ),
    "contacts_per_year": Bounds(
        0.0,
        _ANY,
        "a number a living customer and year",
        "unit_per_living_year",
        ("Service contacts per year", "Servicekontakte je Jahr"),
    ),
    "service_cost": Bounds(
        0.0,
        _ANY,
        "money a contact with the service",
        "unit_per_contact",
        ("Cost of a service contact", "Kosten je Servicekontakt"),
    ),
    "maintenance_cost": Bounds(
        0.0, _ANY, "money a living customer and year", "unit_per_living_year", ("Maintenance", "Kundenpflege")
    ),
    "loyalty_cost": Bounds(
        0.0, _ANY, "money a living customer and year", "unit_per_living_year", ("Loyalty programme", "Bonusprogramm")
    ),
    "campaigns_per_year": Bounds(
        0.0,
        _ANY,
        "a number a customer and year",
        "unit_per_customer_year",
        ("Campaign contacts per year", "Werbekontakte je Jahr"),
    ),
    "contact_cost": Bounds(
        0.0,
        _ANY,
        "money a contact of a campaign",
        "unit_per_contact",
        ("Cost of a campaign contact", "Kosten je Werbekontakt"),
    ),
    "referrals_per_year": Bounds(
        0.0,
        _ANY,
        "a number a living customer and year",
        "unit_per_living_year",
        ("Referrals per year", "Weiterempfehlungen je Jahr"),
    ),
    "referral_value": Bounds(
        0.0,
        _ANY,
        "money a customer who was recommended",
        "unit_per_referral",
        ("Value of a referral", "Wert einer Weiterempfehlung"),
    ),
    "acquisition_cost": Bounds(
        0.0, _ANY, "money a customer acquired", "unit_per_customer", ("Acquisition cost", "Akquisitionskosten")
    ),
}
"""The assumptions that may differ from customer to customer."""


@dataclass(frozen=True)
class Formula:
    """How a line follows from the assumptions: a row of the table of lines.

    Attributes
    ----------
    name, group
        Of the line.
    sign
        1, or -1 for a cost.
    factors
        By driver, the assumptions whose product is the rate: how often something happens, and what it costs each time.
    labels
        What it is called.
    contribution
        Which customer contribution it leads to; None for what arises with other customers.
    counted
        The column of the ledgers that counts what happened so far, where there is one.
    """

    name: str
    group: Group
    sign: Sign
    factors: Mapping[Driver, tuple[str, ...]]
    labels: Labels = field(kw_only=True)
    contribution: Place | None = field(kw_only=True)
    counted: str | None = field(kw_only=True, default=None)


FORMULAS: Final = (
    Formula(
        "contribution_margin",
        "benefit",
        1,
        {"sales": ("margin",)},
        labels=("Contribution margin", "Deckungsbeitrag der Wiederkäufe"),
        contribution=1,
    ),
    Formula(
        "payment",
        "cost",
        -1,
        {"sales": ("payment_share",)},
        labels=("Payment", "Zahlungsabwicklung"),
        contribution=2,
    ),
    Formula(
        "returned_goods",
        "cost",
        -1,
        {"sales": ("return_share", "write_down")},
        labels=RATES["write_down"].labels,
        contribution=2,
        counted="returned_value",
    ),
    Formula(
        "order_cost",
        "cost",
        -1,
        {"orders": ("order_cost",)},
        labels=RATES["order_cost"].labels,
        contribution=2,
    ),
    Formula(
        "early_orders",
        "cost",
        -1,
        {"early orders": ("early_order_cost",)},
        labels=("Handling that tenure saves", "Abwicklung, die mit der Kundendauer sinkt"),
        contribution=2,
    ),
    Formula(
        "returns",
        "cost",
        -1,
        {"orders": ("returns_per_order", "return_cost")},
        labels=("Returns handling", "Retourenabwicklung"),
        contribution=2,
        counted="returns",
    ),
    Formula(
        "service",
        "cost",
        -1,
        {"orders": ("contacts_per_order", "service_cost"), "living years": ("contacts_per_year", "service_cost")},
        labels=("Service", "Kundendienst"),
        contribution=3,
        counted="service_contacts",
    ),
    Formula(
        "maintenance_cost",
        "cost",
        -1,
        {"living years": ("maintenance_cost",)},
        labels=RATES["maintenance_cost"].labels,
        contribution=3,
    ),
    Formula(
        "loyalty_cost",
        "cost",
        -1,
        {"living years": ("loyalty_cost",)},
        labels=RATES["loyalty_cost"].labels,
        contribution=3,
    ),
    Formula(
        "campaigns",
        "cost",
        -1,
        {"calendar years": ("campaigns_per_year", "contact_cost")},
        labels=("Campaigns", "Werbekontakte"),
        contribution=3,
        counted="campaign_contacts",
    ),
    Formula(
        "referrals",
        "attributed",
        1,
        {"living years": ("referrals_per_year", "referral_value")},
        labels=("Referrals (attributed)", "Weiterempfehlungen (zugerechnet)"),
        contribution=None,
    ),
    Formula(
        "word_of_mouth",
        "attributed",
        -1,
        {"orders": ("returns_per_order", "word_of_mouth_cost")},
        labels=("Negative word of mouth (attributed)", "Negative Mundpropaganda (zugerechnet)"),
        contribution=None,
    ),
)
"""The built-in lines: all but tax, which is a share of them."""

_SO_FAR: Final[Mapping[str, tuple[str, ...]]] = {"contribution_margin": ("sales", "cost_of_sales")}
"""What the contribution so far shows in place of a line: the margin is what sales are more than they cost."""


def contributions_of(formulas: tuple[Formula, ...]) -> dict[str, tuple[str, ...]]:
    """Return what is added to the customer contribution before to give the next one, I to IV.

    Examples
    --------
    >>> contributions_of(FORMULAS)["contribution_2"]
    ('payment', 'returned_goods', 'order_cost', 'early_orders', 'returns')
    """
    steps: dict[str, Place] = {"contribution_1": 1, "contribution_2": 2, "contribution_3": 3}
    leading = {
        step: tuple(
            part
            for formula in formulas
            if formula.contribution == place
            for part in _SO_FAR.get(formula.name, (formula.name,))
        )
        for step, place in steps.items()
    }
    return leading | {"contribution_4": ("acquisition_cost",)}
