"""What is said about how far the data carry a figure, and about the models behind it, in English and German."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from clvmodels.valuation.line_table import Labels

__all__ = ["REACH"]

REACH: Final[Mapping[str, Labels]] = {
    # how far the data carry the figure
    "support": ("How far the data carry the figure", "Tragweite: Wie weit die Daten den Wert stützen"),
    "verdict": ("Verdict", "Urteil"),
    "verdict_supported": ("Supported", "Belastbar"),
    "verdict_assumed": ("Assumed", "Angenommen"),
    "verdict_not supported": ("Not supported", "Nicht belastbar"),
    "within_span": ("Within the {} observed", "Innerhalb der Beobachtung ({})"),
    "within_twice": ("Within twice that ({})", "Innerhalb der doppelten Beobachtung ({})"),
    "beyond_span": ("Beyond the {} observed", "Jenseits der Beobachtung ({})"),
    "all_of_it": ("All of it, indefinitely", "Insgesamt, unbegrenzt"),
    "all_until": ("All of it, within {}", "Insgesamt, innerhalb des Planungshorizonts ({})"),
    "covers_parameters": ("parameters", "Parameter"),
    "covers_models": ("choice of model", "Modellwahl"),
    "covers_what customers do": ("what customers do", "Verhalten der Kunden"),
    # the most valuable customers
    "silent_best": (
        (
            "Silent for longer than 95 % of the waits expected of them: {number} of the {best} most valuable customers,"
            " worth {equity} ({names})."
        ),
        (
            "Ohne Kauf seit länger als 95 % der zu erwartenden Wartezeiten: {number} der {best} wertvollsten Kunden,"
            " zusammen {equity} wert ({names})."
        ),
    ),
    # segments
    "segments_differ": (
        (
            "Segments by {by} differ (evidence beyond that of one population: orders {orders}, spend {spend}): the"
            " figure rests on parameters by segment. With the same parameters for all it would be {pooled} ({change})."
        ),
        (
            "Segmente nach {by} unterscheiden sich (Evidenz über der einer einzigen Population: Käufe {orders},"
            " Bestellwerte {spend}): Der Wert beruht auf Parametern je Segment. Mit denselben Parametern für alle wäre"
            " er {pooled} ({change})."
        ),
    ),
    "segments_alike": (
        (
            "Nothing says that segments by {by} differ (evidence beyond that of one population: orders {orders}, spend"
            " {spend}): all have the same parameters."
        ),
        (
            "Nichts spricht dafür, dass sich Segmente nach {by} unterscheiden (Evidenz über der einer einzigen"
            " Population: Käufe {orders}, Bestellwerte {spend}): Alle haben dieselben Parameter."
        ),
    ),
    "acquisition": ("New customers: value and highest cost", "Neukunden: Wert und Kostenobergrenze"),
    "acquisition_by": ("By {}", "Nach {}"),
    "cost_ceiling": ("Highest cost (PAV)", "Kostenobergrenze (PAV)"),
    "cost_of_acquisition": ("Acquisition cost (CAC)", "Akquisitionskosten (CAC)"),
    "value_of_new_customer": ("Value of a new customer (CLV)", "Wert eines Neukunden (CLV)"),
    "payback_years": ("Payback, years", "Amortisation, Jahre"),
    "ltv": ("Lifetime value so far (LTV)", "Lebenszeitwert bisher (LTV)"),
    "ltv_to_cac": ("LTV:CAC", "LTV:CAC"),
    "acquisition_note": (
        (
            "LTV: what customers have contributed to date, before acquisition cost, and their residual lifetime value,"
            " on average; CAC: what they have cost to acquire. New customers are valued from their first order on."
        ),
        (
            "LTV: bisheriger Deckungsbeitrag vor Akquisitionskosten und Restwert der Kunden, im Mittel; CAC: was ihre"
            " Gewinnung gekostet hat. Neukunden sind ab ihrer ersten Bestellung bewertet."
        ),
    ),
    # the models
    "models": ("Models", "Modelle"),
    "weight": ("Weight", "Gewicht"),
    "log_likelihood": ("Log-likelihood", "Log-Likelihood"),
    "equity_alone": ("Equity under it alone", "Wert unter ihm allein"),
    "average": ("Average", "Mittel"),
    "averaged": ("average of {}", "Mittel aus {}"),
    "to_average": ("To average", "Zum Mittel"),
    "models_alone": ("Under each model alone", "Unter jedem Modell allein"),
    "same_figure": ("the same figure", "dieselbe Zahl"),
    "basis_leave-one-out": (
        "Weighed by what they predict of customers left out.",
        "Gewichtet danach, was sie über ausgelassene Kunden vorhersagen.",
    ),
    "basis_stacking": (
        "Weighed so that together they predict the customers best, each by 5 % at least.",
        "So gewichtet, dass sie zusammen die Kunden am besten vorhersagen, jedes mit mindestens 5 %.",
    ),
    "basis_AIC": ("Weighed by AIC.", "Nach AIC gewichtet."),
    "same_models": (
        (
            "{} give the same figure here: they have become the same model. That they agree says nothing about how far"
            " the equity depends on the choice of model."
        ),
        (
            "{} ergeben hier dieselbe Zahl: Sie sind zu demselben Modell geworden. Dass sie übereinstimmen, sagt nichts"
            " darüber, wie sehr der Kundenstammwert von der Wahl des Modells abhängt."
        ),
    ),
    "prior_of": ("{}: prior of {}", "{}: A-priori-Verteilung von {}"),
}
"""By key: English, German."""
