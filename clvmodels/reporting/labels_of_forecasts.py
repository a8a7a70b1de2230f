"""What is said about forecasts and what came of them, in English and German."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from clvmodels.valuation.line_table import Labels

__all__ = ["FORECASTS"]

FORECASTS: Final[Mapping[str, Labels]] = {
    "forecast": ("Forecast against actual", "Prognose und Ist"),
    "last_third": ("Last third held back", "Letztes Drittel zurückgehalten"),
    "forecast_of": ("Forecast of the closing {}", "Prognose des Stichtags {}"),
    # columns and rows
    "actual": ("Actual", "Ist"),
    "predicted": ("Forecast", "Prognose"),
    "band": ("90 % band", "90-%-Band"),
    "band_low": ("90 % band from", "90-%-Band von"),
    "band_high": ("to", "bis"),
    "deviation": ("Difference", "Abweichung"),
    "until": ("Until", "Bis"),
    "revenue": ("Revenue", "Umsatz"),
    "purchases": ("Orders", "Bestellungen"),
    "place_below": ("below band", "unter dem Band"),
    "place_within": ("within band", "im Band"),
    "place_above": ("above band", "über dem Band"),
    # sentences
    "fact_of_test": ("{} {} against the forecast, {}", "{} {} gegenüber der Prognose, {}"),
    "test_revenue_within": (
        "Yes: revenue from {since} to {until} differs by {change} from the forecast, and lies within its 90 % band.",
        "Ja: Der Umsatz vom {since} bis {until} weicht um {change} von der Prognose ab und liegt im 90-%-Band.",
    ),
    "test_revenue_above": (
        "No: revenue from {since} to {until} was {size} above the forecast, outside its 90 % band.",
        "Nein: Der Umsatz vom {since} bis {until} lag {size} über der Prognose, außerhalb des 90-%-Bands.",
    ),
    "test_revenue_below": (
        "No: revenue from {since} to {until} was {size} below the forecast, outside its 90 % band.",
        "Nein: Der Umsatz vom {since} bis {until} lag {size} unter der Prognose, außerhalb des 90-%-Bands.",
    ),
    "test_purchases_within": (
        "Yes: orders from {since} to {until} differ by {change} from the forecast, and lie within its 90 % band.",
        "Ja: Die Bestellungen vom {since} bis {until} weichen um {change} von der Prognose ab und liegen im 90-%-Band.",
    ),
    "test_purchases_above": (
        "No: orders from {since} to {until} were {size} above the forecast, outside its 90 % band.",
        "Nein: Die Bestellungen vom {since} bis {until} lagen {size} über der Prognose, außerhalb des 90-%-Bands.",
    ),
    "test_purchases_below": (
        "No: orders from {since} to {until} were {size} below the forecast, outside its 90 % band.",
        "Nein: Die Bestellungen vom {since} bis {until} lagen {size} unter der Prognose, außerhalb des 90-%-Bands.",
    ),
    "lower_by_test": (
        "The verdict on the figure is one step lower for it.",
        "Das Urteil über den Wert steht deshalb eine Stufe tiefer.",
    ),
    "not_lower_by_test": (
        "A miss of less than 7.5 % does not lower the verdict: where no model holds, misses are larger.",
        "Eine Abweichung unter 7,5 % senkt das Urteil nicht: Wo kein Modell zutrifft, ist sie größer.",
    ),
    "not_tested": (
        "The figure is not tested on the last third of the log; the notes say why.",
        "Der Wert ist nicht am letzten Drittel der Kaufdaten geprüft; die Hinweise sagen, warum.",
    ),
    "periods_outside": (
        "Periods outside the band: revenue {} of {}, orders {} of {}.",
        "Zeiträume außerhalb des Bands: Umsatz {} von {}, Bestellungen {} von {}.",
    ),
    "orders_and_value": (
        "Against the forecast: orders {}, value of an order {}.",
        "Gegenüber der Prognose: Bestellungen {}, Wert einer Bestellung {}.",
    ),
    "basis_of_forecast": (
        "Of {} customers known on {}, by {} fitted to what was known then. The band allows for: {}.",
        "Für {} am {} bekannte Kunden, nach {}, geschätzt aus dem damals Bekannten. Das Band umfasst: {}.",
    ),
    "late_joiners": (
        "Customers who joined later made {} of all revenue and {} of all orders of the time; they are not included.",
        "Später gewonnene Kunden brachten {} des Umsatzes und {} der Bestellungen der Zeit; sie sind nicht enthalten.",
    ),
}
"""By key: English, German."""
