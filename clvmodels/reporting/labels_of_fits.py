"""What is said about fits that did not end at a clean maximum, in German; in English, fits speak for themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["ENDINGS", "LIMITS", "LIMITS_OF_COLUMNS"]

ENDINGS: Final[Mapping[str, str]] = {
    "boundary": "Die Likelihood ist am Rand des Modells am höchsten{limits}.",
    "not identified": "Die Daten legen die Parameter nicht vollständig fest.",
    "one customer": (
        "Der mittlere Bestellwert ist nur von einem einzigen Kunden bekannt. Jede Bestellung wird mit diesem Wert"
        " angesetzt; wie sich Kunden unterscheiden, zeigen erst weitere Kunden mit Wiederholungskäufen von positivem"
        " Wert."
    ),
    "not converged": "Die Maximierung der Likelihood ist nicht zum Ziel gekommen.",
    "approximation": (
        "Ziehungen aus einer Näherung, Pareto k {pareto_k} über {largest_k}: zu ungenau; mit method="
        '"nuts" wird die A-posteriori-Verteilung selbst gezogen.'
    ),
    "chains": (
        "Ziehungen aus Ketten (R-hat {r_hat}, wirksame Ziehungen {ess}, divergente Schritte {divergences}): nicht"
        " verlässlich; mehr Ziehungen (draws=...), eine längere Einstellung (tune=1000) oder engere"
        " A-priori-Verteilungen helfen."
    ),
    "advice": 'Eine längere Beobachtung oder mehr Kunden helfen; method="posterior" liefert Parameter mit Intervallen.',
    "likelihood": "Für sich genommen ist die Likelihood am Rand des Modells am höchsten{limits}.",
}
"""By how the fit ended."""

LIMITS: Final[Mapping[str, str]] = {
    "purchase rates do not differ": "Kaufraten unterscheiden sich nicht",
    "nearly all repeat purchases are those of a few customers": (
        "fast alle Wiederholungskäufe entfallen auf wenige Kunden"
    ),
    "nobody is seen to leave": "dass Kunden abwandern, ist nicht zu erkennen",
    "some leave at once, the rest never": "einige wandern sofort ab, die übrigen nie",
    "some leave at once, the rest hardly ever": "einige wandern sofort ab, die übrigen so gut wie nie",
    "some leave at the first renewal, the rest never": ("einige kündigen zur ersten Verlängerung, die übrigen nie"),
    "chances to leave do not differ": "Abwanderungswahrscheinlichkeiten unterscheiden sich nicht",
    "rates of leaving do not differ": "Abwanderungsraten unterscheiden sich nicht",
    "everybody leaves at once": "alle wandern sofort ab",
    "everybody leaves at the first opportunity": "alle wandern bei der ersten Gelegenheit ab",
    "everybody leaves at the first renewal": "alle kündigen zur ersten Verlängerung",
    "everybody leaves at the same age": "alle wandern im selben Alter ab",
    "the risk of leaving does not grow with age, as in Pareto/NBD": (
        "das Abwanderungsrisiko wächst nicht mit dem Alter, wie bei Pareto/NBD"
    ),
    "customers' mean orders do not differ": "mittlere Bestellwerte der Kunden unterscheiden sich nicht",
    "a few customers' orders are so large that there hardly is a mean": (
        "Bestellungen weniger Kunden sind so groß, dass es kaum einen Mittelwert gibt"
    ),
    "the orders of a customer do not differ": "die Bestellwerte eines Kunden unterscheiden sich nicht",
    "the orders of a customer differ by orders of magnitude": (
        "die Bestellwerte eines Kunden unterscheiden sich um Größenordnungen"
    ),
    "customers' usual orders do not differ": "übliche Bestellwerte der Kunden unterscheiden sich nicht",
    "customers' usual orders differ by orders of magnitude": (
        "übliche Bestellwerte der Kunden unterscheiden sich um Größenordnungen"
    ),
    "orders do not contribute anything on average over customers, or less": (
        "Bestellungen tragen im Mittel über die Kunden nichts bei, oder weniger"
    ),
    "customers' mean contributions do not differ": "mittlere Deckungsbeiträge der Kunden unterscheiden sich nicht",
    "the contributions of a customer's orders do not differ": (
        "die Deckungsbeiträge eines Kunden unterscheiden sich nicht"
    ),
}
"""What is true of the data at a limit of a model, by its meaning in English."""

LIMITS_OF_COLUMNS: Final[Mapping[tuple[str, str], str]] = {
    ("no purchase is made where ", " is high"): "es gibt keine Käufe, wo {} hoch ist",
    ("purchases are made only where ", " is high"): "Käufe gibt es nur, wo {} hoch ist",
}
"""The same of a column, by what stands before and after its name."""
