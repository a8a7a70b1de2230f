"""What is said about the revenue to come, of existing and of new customers, in English and German."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from clvmodels.valuation.line_table import Labels

__all__ = ["PLAN"]

PLAN: Final[Mapping[str, Labels]] = {
    "plan": ("Plan: revenue of the next four quarters", "Planung: Umsatz der nächsten vier Quartale"),
    "plan_from": ("Quarter from", "Quartal ab"),
    "plan_existing": ("Customers on the books", "Bestandskunden"),
    "plan_new": ("Customers still to come", "Künftige Kunden"),
    "plan_low": ("90 % from", "90 % von"),
    "plan_high": ("to", "bis"),
    "plan_new_customers": ("New customers", "Neukunden"),
    "plan_remark": (
        (
            "Customers on the books are expected to buy for {existing}, and those still to come for {new}, of whom"
            " {customers} are expected ({low} to {high}); {before} came in the year before. Nothing is discounted, and"
            " no costs are taken off."
        ),
        (
            "Bestandskunden kaufen voraussichtlich für {existing}, künftige Kunden für {new}; erwartet werden"
            " {customers} Neukunden ({low} bis {high}), im Jahr zuvor kamen {before}. Vor Abzinsung und Kosten."
        ),
    ),
}
"""By key: in English and in German."""
