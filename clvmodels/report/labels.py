"""What things are called in the reports, in English and German."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

from clvmodels.errors import ClvError, one_of

__all__ = ["LABELS", "Language", "label", "parse_language"]

Language = Literal["en", "de"]

LABELS: Final[Mapping[str, tuple[str, str]]] = {
    # sheets and sections
    "summary": ("Summary", "Überblick"),
    "statement": ("Statement", "Kundenwertrechnung"),
    "movement": ("Movement", "Veränderungsrechnung"),
    "cohorts": ("Cohorts", "Kohorten"),
    "concentration": ("Concentration", "Konzentration"),
    "sensitivities": ("Sensitivities", "Sensitivitäten"),
    "assumptions": ("Assumptions", "Annahmen"),
    "customers": ("Customers", "Kunden"),
    "reconciliation": ("Reconciliation", "Abstimmung"),
    "contribution": ("Contribution to date", "Deckungsbeitrag bisher"),
    # key figures
    "customer_equity": ("Customer equity", "Kundenstammwert"),
    "equity": ("Equity", "Kundenwert"),
    "per_head": ("Per head", "Je Kunde"),
    "low": ("5 % quantile", "5-%-Quantil"),
    "high": ("95 % quantile", "95-%-Quantil"),
    "share": ("Share", "Anteil"),
    "total": ("Total", "Summe"),
    "segment": ("Segment", "Segment"),
    "cohort": ("Cohort", "Kohorte"),
    "living_customers": ("Expected living customers", "Erwartete aktive Kunden"),
    "discounted_orders": ("Discounted orders", "Diskontierte Bestellungen"),
    "discounted_lifetime": ("Discounted living years", "Diskontierte Lebensjahre"),
    "living_years": ("Discounted living years", "Diskontierte Lebensjahre"),
    "order_value": ("Order value", "Bestellwert"),
    "share_1": ("Within 1 year", "Innerhalb 1 Jahres"),
    "share_3": ("Within 3 years", "Innerhalb von 3 Jahren"),
    "share_5": ("Within 5 years", "Innerhalb von 5 Jahren"),
    "share_10": ("Within 10 years", "Innerhalb von 10 Jahren"),
    "equity_to_acquisition_cost": ("Equity to acquisition cost", "Kundenwert je Akquisitionskosten"),
    "rlv": ("Residual lifetime value", "Restkundenwert"),
    "rlv_sd": ("Standard deviation", "Standardabweichung"),
    "rlv_q05": ("5 % quantile", "5-%-Quantil"),
    "rlv_q50": ("Median", "Median"),
    "rlv_q95": ("95 % quantile", "95-%-Quantil"),
    "probability_of_loss": ("Probability of loss", "Verlustwahrscheinlichkeit"),
    "historic_value": ("Historic value", "Historischer Kundenwert"),
    # lines
    "contribution_margin": ("Contribution margin", "Deckungsbeitrag der Wiederkäufe"),
    "payment": ("Payment", "Zahlungsabwicklung"),
    "returned_goods": ("Write-down of returned goods", "Wertverlust der Retouren"),
    "order_cost": ("Order handling", "Auftragsabwicklung"),
    "returns": ("Returns handling", "Retourenabwicklung"),
    "service": ("Service", "Kundendienst"),
    "maintenance_cost": ("Maintenance", "Kundenpflege"),
    "loyalty_cost": ("Loyalty programme", "Bonusprogramm"),
    "campaigns": ("Campaigns", "Werbekontakte"),
    "referrals": ("Referrals (attributed)", "Weiterempfehlungen (zugerechnet)"),
    "word_of_mouth": ("Negative word of mouth (attributed)", "Negative Mundpropaganda (zugerechnet)"),
    "tax": ("Tax", "Steuern"),
    # drivers
    "orders": ("Orders", "Bestellungen"),
    "living years": ("Living years", "Aktive Kundenjahre"),
    "calendar years": ("Calendar years", "Kalenderjahre"),
    # contribution statement
    "sales": ("Sales", "Umsatz"),
    "contribution_1": ("Customer contribution I", "Kunden-Deckungsbeitrag I"),
    "contribution_2": ("Customer contribution II", "Kunden-Deckungsbeitrag II"),
    "contribution_3": ("Customer contribution III", "Kunden-Deckungsbeitrag III"),
    "contribution_4": ("Customer contribution IV", "Kunden-Deckungsbeitrag IV"),
    "cost_of_sales": ("Cost of goods sold", "Wareneinsatz"),
    # movement
    "opening": ("Opening", "Anfangsbestand"),
    "closing": ("Closing", "Endbestand"),
    "expected_closing": ("Expected closing", "Erwarteter Endbestand"),
    "realised_margin": ("Memo: realised margin", "Nachrichtlich: realisierter Deckungsbeitrag"),
    # lines of the movement that share their key with something else
    "expected_margin": ("Memo: margin expected of the same period", "Nachrichtlich: erwarteter Deckungsbeitrag des Zeitraums"),
    "movement_data_corrections": ("Data corrections", "Datenkorrekturen"),
    "movement_unwind": ("Unwind of the discount", "Aufzinsung"),
    "movement_release": ("Expected release", "Erwartete Auflösung"),
    "movement_horizon": ("Horizon moves on", "Fortschreiten des Planungshorizonts"),
    "movement_orders": ("Behaviour: orders", "Verhalten: Bestellungen"),
    "movement_silence": ("Behaviour: silence", "Verhalten: ausgebliebene Käufe"),
    "movement_order_value": ("Behaviour: order value", "Verhalten: Bestellwert"),
    "movement_new_customers": ("New customers", "Neue Kunden"),
    "movement_parameters_transactions": ("Parameters: transactions", "Parameter: Transaktionen"),
    "movement_parameters_spend": ("Parameters: spend", "Parameter: Bestellwert"),
    "movement_model": ("Model", "Modell"),
    "movement_margin": ("Assumptions: margin", "Annahmen: Deckungsbeitragssatz"),
    "movement_costs": ("Assumptions: costs", "Annahmen: Kosten"),
    "movement_rate": ("Assumptions: rate", "Annahmen: Zins"),
    # assumptions
    "discount_rate": ("Discount rate", "Kalkulationszins"),
    "margin": ("Margin", "Deckungsbeitragssatz"),
    "payment_share": ("Payment cost, share of sales", "Zahlungskosten, Anteil am Umsatz"),
    "return_share": ("Returned share of sales", "Retourenanteil am Umsatz"),
    "write_down": ("Write-down of returned goods", "Wertverlust der Retouren"),
    "returns_per_order": ("Returns per order", "Retouren je Bestellung"),
    "return_cost": ("Cost of a return", "Kosten je Retoure"),
    "word_of_mouth_cost": ("Word of mouth, per return", "Mundpropaganda, je Retoure"),
    "contacts_per_order": ("Service contacts per order", "Servicekontakte je Bestellung"),
    "contacts_per_year": ("Service contacts per year", "Servicekontakte je Jahr"),
    "service_cost": ("Cost of a service contact", "Kosten je Servicekontakt"),
    "campaigns_per_year": ("Campaign contacts per year", "Werbekontakte je Jahr"),
    "contact_cost": ("Cost of a campaign contact", "Kosten je Werbekontakt"),
    "referrals_per_year": ("Referrals per year", "Weiterempfehlungen je Jahr"),
    "referral_value": ("Value of a referral", "Wert einer Weiterempfehlung"),
    "acquisition_cost": ("Acquisition cost", "Akquisitionskosten"),
    "growth": ("Growth of order value", "Wachstum des Bestellwerts"),
    "year": ("Length of a year", "Länge eines Jahres"),
    "timing": ("Timing", "Zahlungszeitpunkt"),
    "horizon": ("Horizon", "Planungshorizont"),
    "currency": ("Currency", "Währung"),
}
"""By key: English, German."""


def parse_language(text: str) -> Language:
    """Return the language that a text names.

    Raises
    ------
    ClvError
        If there is no such language.
    """
    for language in get_args(Language):
        if text == language:
            known: Language = language
            return known
    raise ClvError(one_of("language", text, get_args(Language)))


def label(key: str, language: Language) -> str:
    """Return what a thing is called; what has no label of its own (a segment, say) keeps its name.

    Examples
    --------
    >>> label("order_cost", "de"), label("North", "de")
    ('Auftragsabwicklung', 'North')
    """
    labels = LABELS.get(key)
    return key if labels is None else labels[get_args(Language).index(language)]
