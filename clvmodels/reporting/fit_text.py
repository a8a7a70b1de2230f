"""How a fit ended in the reader's words: what the page, the terminal and the workbook say below an equity."""

from __future__ import annotations

from collections.abc import Sequence

from clvmodels.inference.diagnostics import LARGEST_K
from clvmodels.inference.fit import Fit
from clvmodels.reporting.fitting import warning_of
from clvmodels.reporting.labels_of_fits import ENDINGS, LIMITS, LIMITS_OF_COLUMNS
from clvmodels.reporting.locale import Locale

__all__ = ["fit_remark", "limit_in_german"]


def fit_remark(fit: Fit, locale: Locale) -> str:
    """Return how a fit ended that did not end at a clean maximum, in the language of a report.

    Examples
    --------
    >>> from dataclasses import replace
    >>> ended = replace(transactions.diagnostics, status="boundary", limits=("nobody is seen to leave",))
    >>> fit_remark(replace(transactions, diagnostics=ended), Locale("de", "")).partition(".")[0]
    'BG/NBD: Die Likelihood ist am Rand des Modells am höchsten (dass Kunden abwandern, ist nicht zu erkennen)'
    """
    if locale.language == "en":
        return warning_of(fit)
    diagnostics = fit.diagnostics
    limits = _in_brackets(diagnostics.limits)
    if diagnostics.pareto_k is not None:
        figures = {"pareto_k": locale.number(diagnostics.pareto_k, 2), "largest_k": locale.number(LARGEST_K, 1)}
        words = [ENDINGS["approximation"].format(**figures)]
    elif diagnostics.divergences is not None:
        unknown = "unbekannt"
        words = [
            ENDINGS["chains"].format(
                r_hat=unknown if diagnostics.r_hat is None else locale.number(diagnostics.r_hat, 3),
                ess=unknown if diagnostics.ess is None else locale.number(diagnostics.ess),
                divergences=locale.number(diagnostics.divergences),
            )
        ]
    elif fit.customers == 1:
        return f"{fit.model.name}: {ENDINGS['one customer']}"
    else:
        return f"{fit.model.name}: {ENDINGS[diagnostics.status].format(limits=limits)} {ENDINGS['advice']}"
    if diagnostics.limits:
        words.append(ENDINGS["likelihood"].format(limits=limits))
    return f"{fit.model.name}: {' '.join(words)}"


def _in_brackets(limits: Sequence[str]) -> str:
    return f" ({', und '.join(map(limit_in_german, limits))})" if limits else ""


def limit_in_german(meaning: str) -> str:
    """Return in German what is true of the data at a limit of a model.

    Raises
    ------
    KeyError
        If it has no German.

    Examples
    --------
    >>> limit_in_german("no purchase is made where price is high")
    'es gibt keine Käufe, wo price hoch ist'
    """
    for (before, after), german in LIMITS_OF_COLUMNS.items():
        if meaning.startswith(before) and meaning.endswith(after):
            return german.format(meaning.removeprefix(before).removesuffix(after))
    return LIMITS[meaning]
