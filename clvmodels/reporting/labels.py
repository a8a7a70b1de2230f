"""What things are called in the reports, in English and German."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

from clvmodels.errors import ClvError, one_of
from clvmodels.reporting.labels_of_forecasts import FORECASTS
from clvmodels.reporting.labels_of_plan import PLAN
from clvmodels.reporting.labels_of_reach import REACH
from clvmodels.valuation.line_table import FORMULAS, RATES, Labels

__all__ = ["LABELS", "Language", "in_language", "label", "parse_language"]

Language = Literal["en", "de"]

LABELS: Final[Mapping[str, Labels]] = {
    **REACH,
    **PLAN,
    **FORECASTS,
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
    "per_customer": ("Per customer", "Je Kunde"),
    "low": ("5 % quantile", "5-%-Quantil"),
    "high": ("95 % quantile", "95-%-Quantil"),
    "share": ("Share", "Anteil"),
    "total": ("Total", "Summe"),
    "segment": ("Segment", "Segment"),
    "living_customers": ("Expected living customers", "Erwartete aktive Kunden"),
    "discounted_orders": ("Discounted orders", "Diskontierte Bestellungen"),
    "discounted_early_orders": ("Discounted early orders", "Diskontierte frühe Bestellungen"),
    "discounted_lifetime": ("Discounted living years", "Diskontierte Lebensjahre"),
    "living_years": ("Discounted living years", "Diskontierte Lebensjahre"),
    "order_value": ("Order value", "Bestellwert"),
    "share_1": ("Within 1 year", "Innerhalb 1 Jahres"),
    "share_3": ("Within 3 years", "Innerhalb von 3 Jahren"),
    "share_5": ("Within 5 years", "Innerhalb von 5 Jahren"),
    "share_10": ("Within 10 years", "Innerhalb von 10 Jahren"),
    "rlv_to_acquisition_cost_spent": (
        "Residual value to acquisition cost already spent (not LTV:CAC)",
        "Restkundenwert zu bereits ausgegebenen Akquisitionskosten (nicht LTV:CAC)",
    ),
    "rlv": ("Residual lifetime value", "Restkundenwert"),
    "rlv_sd": ("Standard deviation", "Standardabweichung"),
    "rlv_q05": ("5 % quantile", "5-%-Quantil"),
    "rlv_q50": ("Median", "Median"),
    "rlv_q95": ("95 % quantile", "95-%-Quantil"),
    "probability_of_loss": ("Probability of loss", "Verlustwahrscheinlichkeit"),
    # lines and rates
    **{name: bounds.labels for name, bounds in RATES.items()},
    **{formula.name: formula.labels for formula in FORMULAS},
    "tax": ("Tax", "Steuern"),
    # drivers
    "orders": ("Orders", "Bestellungen"),
    "early orders": ("Early orders", "Frühe Bestellungen"),
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
    "expected_margin": (
        "Memo: margin expected of the same period",
        "Nachrichtlich: erwarteter Deckungsbeitrag des Zeitraums",
    ),
    "movement_data_corrections": ("Data corrections", "Datenkorrekturen"),
    "movement_unwind": ("Unwind of the discount", "Aufzinsung"),
    "movement_release": ("Expected release", "Erwartete Auflösung"),
    "movement_horizon": ("Horizon moves on", "Fortschreiten des Planungshorizonts"),
    "movement_season": ("Season", "Saison"),
    "movement_orders": ("Behaviour: orders", "Verhalten: Bestellungen"),
    "movement_silence": ("Behaviour: silence", "Verhalten: ausgebliebene Käufe"),
    "movement_order_value": ("Behaviour: order value", "Verhalten: Bestellwert"),
    "movement_new_customers": ("New customers", "Neue Kunden"),
    "movement_parameters_transactions": ("Parameters: transactions", "Parameter: Transaktionen"),
    "movement_parameters_spend": ("Parameters: spend", "Parameter: Bestellwert"),
    "movement_model": ("Model", "Modell"),
    "movement_margin": ("Assumptions: margin", "Annahmen: Deckungsbeitragssatz"),
    "movement_costs": ("Assumptions: costs", "Annahmen: Kosten"),
    "movement_customer_rates": ("Parameters: rates of customers", "Parameter: Sätze der Kunden"),
    "movement_rate": ("Assumptions: rate", "Annahmen: Zins"),
    # unprofitable customers
    "unprofitable": ("Unprofitable customers", "Unrentable Kunden"),
    "unprofitable_remark": (
        "{} customers ({}) are expected to cost more than they bring: {} together.",
        "{} Kunden ({}) kosten voraussichtlich mehr, als sie bringen: zusammen {}.",
    ),
    "unprofitable_per_customer": ("Per customer", "Je Kunde"),
    "others_per_customer": ("Per customer, the others", "Je Kunde, die übrigen"),
    "lever": ("Lever", "Hebel"),
    "levers": ("What levers would do", "Was Hebel bewirken würden"),
    "still_unprofitable": ("Still unprofitable", "Weiter unrentabel"),
    "break_even_loss": (
        "Orders they may give up until the gain is gone",
        "Bestellungen, die sie aufgeben dürfen, bis der Gewinn verloren ist",
    ),
    "as it is": ("As it is", "Wie es ist"),
    "no campaigns": ("No campaigns for them", "Keine Werbekontakte für sie"),
    "returns paid by the customer": ("Returns paid by the customer", "Retouren trägt der Kunde"),
    "self-service": ("Self-service: half the cost of service", "Selbstbedienung: halbe Servicekosten"),
    # assumptions
    "discount_rate": ("Discount rate", "Kalkulationszins"),
    "cost_half_life": ("Tenure that halves early costs", "Kundendauer, die frühe Kosten halbiert"),
    "growth": ("Growth of order value", "Wachstum des Bestellwerts"),
    "year": ("Length of a year", "Länge eines Jahres"),
    "timing": ("Timing", "Zahlungszeitpunkt"),
    "horizon": ("Horizon", "Planungshorizont"),
    "currency": ("Currency", "Währung"),
    # the page: titles and columns
    "source": ("Purchase log", "Kaufdaten"),
    "interval": ("90 % interval", "90-%-Intervall"),
    "low_to_high": ("{} to {}", "{} bis {}"),
    "since": ("Change since {}", "Veränderung seit {}"),
    "created": ("Created", "Erstellt"),
    "notes": ("Notes", "Hinweise"),
    "audit": ("Audit trail", "Prüfpfad"),
    "from_to": ("{} to {}", "{} bis {}"),
    "item": ("Item", "Posten"),
    "assumption": ("Assumption", "Annahme"),
    "line": ("Line", "Position"),
    "lines": ("Benefits and costs", "Nutzen und Kosten"),
    "driver": ("Driver", "Treiber"),
    "amount": ("Amount", "Menge"),
    "rate": ("Rate", "Satz"),
    "value": ("Value", "Wert"),
    "change": ("Change", "Veränderung"),
    # what stands below the equity
    "and": ("and", "und"),
    # the page: sentences
    "lines_remark": (
        (
            "Amounts are discounted. Rate times amount is the value; where rates differ between customers, the rate "
            "shown is the mean that gives the value."
        ),
        (
            "Mengen sind diskontiert. Satz mal Menge ergibt den Wert; wo Sätze je Kunde verschieden sind, steht der "
            "Mittelwert, der ihn ergibt."
        ),
    ),
    "lines_by_segment": ("Lines by segment", "Positionen nach Segment"),
    "segments_left_out": (
        "{} more with less equity are in the total, but not shown.",
        "{} weitere mit geringerem Kundenwert sind in der Summe, aber nicht gezeigt.",
    ),
    "horizons": ("When it comes", "Zeitlicher Anfall"),
    "indefinitely": ("indefinitely", "unbegrenzt"),
    "whale_curve": (
        "Whale curve: equity cumulated, the most valuable customers first",
        "Walkurve: kumulierter Kundenwert, die wertvollsten Kunden zuerst",
    ),
    "whale_axis": ("share of customers; cumulated equity", "Anteil der Kunden; kumulierter Kundenwert"),
    "whale_peak": (
        "The most valuable {at} of the customers are worth {peak}; the others reduce it by {loss} to {total}.",
        "Die wertvollsten {at} der Kunden sind {peak} wert; die übrigen mindern das um {loss} auf {total}.",
    ),
    "whale_no_loss": (
        "No customer is expected to cost more than they bring; together they are worth {total}.",
        "Kein Kunde kostet voraussichtlich mehr, als er bringt; zusammen sind sie {total} wert.",
    ),
    "lorenz_curve": (
        "Lorenz curve: share of the value that the least valuable customers hold",
        "Lorenzkurve: Anteil der am wenigsten wertvollen Kunden am Wert",
    ),
    "lorenz_axis": ("share of customers; share of value", "Anteil der Kunden; Anteil am Wert"),
    "top_share": ("Share of the top 20 %", "Anteil der besten 20 %"),
    "gini": ("Gini index", "Gini-Index"),
    "past_spend": ("Repeat purchases so far", "Bisherige Wiederkäufe"),
    "no_concentration": (
        "The values add up to nothing positive: shares of them mean nothing.",
        "Die Werte ergeben keine positive Summe: Anteile daran sagen nichts.",
    ),
    "lower_by": ("{} lower", "{} niedriger"),
    "higher_by": ("{} higher", "{} höher"),
    "sensitivities_remark": (
        "Change of customer equity, {}, when one assumption is lower or higher and all others stay.",
        "Veränderung des Kundenstammwerts von {}, wenn eine Annahme niedriger oder höher ist und alle anderen bleiben.",
    ),
    "what_if": ("What if", "Was wäre wenn"),
    "reset": ("Reset", "Zurücksetzen"),
    "levers_exact": (
        (
            "Each slider moves one assumption; below it stands what it changes by itself. Margin, costs and tax are "
            "recomputed exactly, without refitting."
        ),
        (
            "Jeder Regler ändert eine Annahme; darunter steht, was er allein bewirkt. Deckungsbeitragssatz, Kosten "
            "und Steuern werden genau neu berechnet, ohne neu zu schätzen."
        ),
    ),
    "levers_accuracy": (
        "For the discount rate the discounted sums are stored at {} rates; between them they are accurate to {}.",
        (
            "Für den Kalkulationszins sind die diskontierten Summen zu {} Zinssätzen gespeichert; dazwischen sind sie"
            " auf {} genau."
        ),
    ),
    "contribution_and_rlv": ("Contribution IV and residual value", "Deckungsbeitrag IV und Restkundenwert"),
    "first orders": ("First orders", "Erstbestellungen"),
    "repeat orders": ("Repeat orders", "Folgebestellungen"),
    "left_out": ("Left out: {}", "Nicht enthalten: {}"),
    "ledger": ("Ledger", "Hauptbuch"),
    "unexplained": ("Unexplained", "Ungeklärt"),
    "explained": (
        "The sales behind the valuation tie to the ledger; nothing is unexplained.",
        "Die bewerteten Umsätze stimmen mit dem Hauptbuch überein; nichts ist ungeklärt.",
    ),
    "unexplained_flag": (
        "{} of the ledger are unexplained by the sales behind this valuation.",
        "{} des Hauptbuchs sind durch die bewerteten Umsätze nicht erklärt.",
    ),
    "effective_annual": ("a year, effective", "im Jahr, effektiv"),
    "last_for_all_after": ("(the last for all years after)", "(der letzte für alle Jahre danach)"),
    "continuous": ("Continuous", "Stetig"),
    "mid-month": ("At the middle of each month", "Zur Mitte jedes Monats"),
    "end-month": ("At the end of each month", "Zum Ende jedes Monats"),
    "mid-year": ("At the middle of each year", "Zur Mitte jedes Jahres"),
    "end-year": ("At the end of each year", "Zum Ende jedes Jahres"),
    "by_column": ("by customer, column {}", "je Kunde, Spalte {}"),
    "duration_hour": ("{} hour", "{} Stunde"),
    "duration_hours": ("{} hours", "{} Stunden"),
    "duration_day": ("{} day", "{} Tag"),
    "duration_days": ("{} days", "{} Tage"),
    "duration_week": ("{} week", "{} Woche"),
    "duration_weeks": ("{} weeks", "{} Wochen"),
    "duration_month": ("{} month", "{} Monat"),
    "duration_months": ("{} months", "{} Monate"),
    "duration_year": ("{} year", "{} Jahr"),
    "duration_years": ("{} years", "{} Jahre"),
    # the workbook
    "key_figures": ("Key figures", "Kennzahlen"),
    "check": ("Check", "Probe"),
    "checks": ("Checks", "Proben"),
    "difference": ("Difference", "Unterschied"),
    "chart_data": ("Data of the charts", "Daten der Diagramme"),
    "live_note": (
        (
            "The blue figures on the sheet Assumptions may be changed: statement, cohorts and this sheet follow at"
            " once. The other sheets stay as reported, and the checks then show the difference."
        ),
        (
            "Die blauen Zahlen im Blatt Annahmen dürfen geändert werden: Kundenwertrechnung, Kohorten und dieses"
            " Blatt folgen sofort. Die anderen bleiben wie berichtet; die Proben zeigen den Unterschied."
        ),
    ),
    "equity_as_reported": ("Customer equity as reported", "Kundenstammwert wie berichtet"),
    "effect_of_changes": ("Effect of assumptions changed here", "Wirkung hier geänderter Annahmen"),
    "new_customer": ("A new customer", "Ein neuer Kunde"),
    "first_order_of_log": (
        "First order: the mean of {} first orders",
        "Erste Bestellung: Mittel von {} Erstbestellungen",
    ),
    "first_order_of_model": ("First order: the mean of the model", "Erste Bestellung: Mittelwert des Modells"),
    "what_follows": ("What follows", "Was folgt"),
    "post_acquisition_value": ("Post-acquisition value (PAV)", "Wert nach der Gewinnung (PAV)"),
    "lifetime_value": ("Customer lifetime value (CLV)", "Kundenlebenszeitwert (CLV)"),
    "drivers": ("Customers and drivers", "Kunden und Treiber"),
    "discounted_sales": ("Discounted sales", "Diskontierter Umsatz"),
    "calendar_years": ("Discounted calendar years", "Diskontierte Kalenderjahre"),
    "as_reported": ("As reported, not recalculated", "Wie berichtet, nicht neu berechnet"),
    "cohort_check": ("Total less that of the statement", "Summe abzüglich der Kundenwertrechnung"),
    "closing_date": ("Closing", "Stichtag"),
    "other_segments": ("All others", "Alle übrigen"),
    "by_segment": ("By segment", "Nach Segment"),
    "rlv_check": ("Residual value less statement", "Restkundenwert abzüglich Kundenwertrechnung"),
    "share_of_opening": ("Of opening", "Vom Anfang"),
    "movement_check": ("Closing less statement", "Endbestand abzüglich Kundenwertrechnung"),
    "no_movement": ("A movement needs two closings.", "Eine Veränderungsrechnung braucht zwei Stichtage."),
    "memo": ("Not discounted", "Nicht diskontiert"),
    "from": ("From", "Von"),
    "to": ("To", "Bis"),
    "base_above": ("Below the bar", "Unter dem Balken"),
    "bar_above": ("Bar", "Balken"),
    "base_below": ("Below zero, above the bar", "Unter null, über dem Balken"),
    "bar_below": ("Below zero, bar", "Unter null, Balken"),
    "money_amount": ("Amount", "Betrag"),
    "without customer id": ("without customer id", "ohne Kundennummer"),
    "without time": ("without time", "ohne Zeitpunkt"),
    "before the start of observation": ("before the start of observation", "vor Beginn der Beobachtung"),
    "after the end of observation": ("after the end of observation", "nach Ende der Beobachtung"),
    "refunds, by choice": ("refunds, by choice", "Erstattungen, auf Wunsch"),
    "refunds without an earlier purchase": (
        "refunds without an earlier purchase",
        "Erstattungen ohne früheren Kauf",
    ),
    "purchases refunded in full, with their refunds": (
        "purchases refunded in full, with their refunds",
        "voll erstattete Käufe mit ihren Erstattungen",
    ),
    "refunds of purchases of unknown value": (
        "refunds of purchases of unknown value",
        "Erstattungen von Käufen unbekannten Werts",
    ),
    "explained_sales": ("Explained", "Erklärt"),
    "reconciliation_check": ("Ledger less explained", "Hauptbuch abzüglich Erklärtem"),
    "top_customers": ("What the top customers hold", "Was die besten Kunden halten"),
    "top_share_of_customers": ("Top share of customers", "Beste Kunden, Anteil"),
    "share_of_equity": ("Share of equity", "Anteil am Kundenwert"),
    "share_of_spend": ("Share of repeat spend, ranked by it", "Anteil am Folgeumsatz, danach gereiht"),
    "share_of_equity_by_spend": ("Share of equity, ranked by spend", "Anteil am Kundenwert, nach Umsatz gereiht"),
    "gini_equity": ("Gini index of equity", "Gini-Index des Kundenwerts"),
    "gini_spend": ("Gini index of repeat spend", "Gini-Index des Folgeumsatzes"),
    "true_gini": ("Gini index of purchase rates in the model", "Gini-Index der Kaufraten im Modell"),
    "true_top_share": ("Purchases of the top 20 % in the model", "Käufe der besten 20 % im Modell"),
    "unprofitable_customers": (
        "Unprofitable customers (expected value below zero)",
        "Unrentable Kunden (erwarteter Wert unter null)",
    ),
    "value_of_unprofitable": ("What they are worth together", "Ihr Wert zusammen"),
    "whale_peak_share": ("Peak of the whale curve, share of equity", "Gipfel der Walkurve, Anteil am Kundenwert"),
    "whale_peak_at": ("reached at this share of customers", "erreicht bei diesem Anteil der Kunden"),
    "share_of_customers": ("Share of customers", "Anteil der Kunden"),
    "whale_money": ("Cumulated equity, best first", "Kumulierter Kundenwert, beste zuerst"),
    "whale_share": ("Share of equity, best first", "Anteil am Kundenwert, beste zuerst"),
    "lorenz_equity": ("Equity, least first", "Kundenwert, kleinste zuerst"),
    "lorenz_spend": ("Repeat spend, least first", "Folgeumsatz, kleinste zuerst"),
    "all_the_same": ("All customers alike", "Alle Kunden gleich"),
    "tornado": ("One assumption lower or higher by {} of itself", "Eine Annahme um {} niedriger oder höher"),
    "tornado_left_out": (
        "Not shown, as equity would be no finite number, or the assumption out of its range: {}.",
        "Nicht gezeigt, weil der Kundenwert keine endliche Zahl oder die Annahme außerhalb ihres Bereichs wäre: {}.",
    ),
    "equity_if_lower": ("Equity if lower", "Kundenwert, wenn niedriger"),
    "equity_if_higher": ("Equity if higher", "Kundenwert, wenn höher"),
    "change_if_lower": ("Change if lower", "Veränderung, wenn niedriger"),
    "change_if_higher": ("Change if higher", "Veränderung, wenn höher"),
    "change_of_equity": ("Change of customer equity", "Veränderung des Kundenstammwerts"),
    "two_way": ("Equity by margin and discount rate", "Kundenwert nach Deckungsbeitragssatz und Zins"),
    "discount_rate_times": ("Discount rate, times", "Kalkulationszins, mal"),
    "margin_times": ("Margin, times", "Deckungsbeitragssatz, mal"),
    "contribution_at_100": ("At a margin of 100 %, after tax", "Bei einem Satz von 100 %, nach Steuern"),
    "contribution_after_tax": ("Contribution margin, after tax", "Deckungsbeitrag, nach Steuern"),
    "other_lines": ("All other lines, after tax", "Alle anderen Positionen, nach Steuern"),
    "assumptions_note": (
        "Blue figures are inputs of the formulas. A change of the others needs a new report.",
        "Blaue Zahlen sind Eingaben der Formeln. Eine Änderung der anderen braucht einen neuen Bericht.",
    ),
    "applies_to": ("For", "Für"),
    "unit": ("Unit", "Einheit"),
    "in_this_workbook": ("In this workbook", "In dieser Mappe"),
    "key": ("Key in the file", "Schlüssel in der Datei"),
    "live": ("may be changed", "änderbar"),
    "new_run": ("needs a new report", "braucht neuen Bericht"),
    "all_customers": ("all customers", "alle Kunden"),
    "factor_of_column": ("by customer: column {} times", "je Kunde: Spalte {} mal"),
    "year_number": ("year {}", "Jahr {}"),
    "year_and_after": ("year {} and after", "Jahr {} und danach"),
    "basis": ("What the report rests on", "Worauf der Bericht beruht"),
    "unit_per_year": ("a year", "im Jahr"),
    "unit_of_sales": ("of sales", "vom Umsatz"),
    "unit_of_returned_value": ("of the value returned", "vom Wert der Retouren"),
    "unit_of_value": ("of the value", "vom Wert"),
    "unit_per_order": ("per order", "je Bestellung"),
    "unit_per_return": ("per return", "je Retoure"),
    "unit_per_contact": ("per contact", "je Kontakt"),
    "unit_per_referral": ("per customer recommended", "je empfohlenem Kunden"),
    "unit_per_customer": ("per customer acquired", "je gewonnenem Kunden"),
    "unit_per_customer_year": ("per customer and year", "je Kunde und Jahr"),
    "unit_per_living_year": ("per living customer and year", "je aktivem Kunden und Jahr"),
    "customer_id": ("Customer", "Kunde"),
    "customers_not_shown": ("Customers not shown", "Nicht gezeigte Kunden"),
    "customers_all": ("All {} customers, the most valuable first.", "Alle {} Kunden, die wertvollsten zuerst."),
    "customers_note": (
        "The {} of {} customers with the largest residual value, by amount; customers.parquet has all.",
        "Die {} von {} Kunden mit dem betragsmäßig größten Restkundenwert; customers.parquet enthält alle.",
    ),
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
    return key if labels is None else in_language(labels, language)


def in_language(labels: Labels, language: Language) -> str:
    """Return that of the labels which is in a language."""
    return labels[get_args(Language).index(language)]
