"""The page as a whole: its sections in order, its style and its script, and nothing from elsewhere."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from clvmodels.files import whole_file
from clvmodels.reporting.content import EquityReport
from clvmodels.reporting.labels import Language
from clvmodels.reporting.locale import Locale
from clvmodels.reporting.page import figures, sections
from clvmodels.reporting.page.acquisition import acquisition
from clvmodels.reporting.page.forecast import forecast
from clvmodels.reporting.page.loss import loss
from clvmodels.reporting.page.markup import Html, joined, tag
from clvmodels.reporting.page.plan import plan
from clvmodels.reporting.page.sliders import sliders

__all__ = ["write_page"]

_SECTIONS: Final[Mapping[str, Callable[[EquityReport, Locale], Html]]] = {
    "movement": figures.movements,
    "forecast": forecast,
    "statement": sections.statement,
    "models": sections.models,
    "lines": sections.lines,
    "what_if": sliders,
    "acquisition": acquisition,
    "plan": plan,
    "horizons": figures.horizons,
    "concentration": figures.concentration,
    "unprofitable": loss,
    "sensitivities": figures.sensitivities,
    "contribution": sections.contribution,
    "reconciliation": sections.reconciliation,
    "assumptions": sections.assumptions,
    "audit": sections.audit,
    "notes": sections.notes,
}
"""By the key of its title, which is also where the page has it."""


def write_page(report: EquityReport, path: Path, language: Language) -> None:
    """Write an equity report as one HTML file that needs no network.

    Its script and its style are named by their hashes in the page's security policy: whatever else might get into the
    page does not run.

    Parameters
    ----------
    report
        The report.
    path
        Where to; the file appears whole or not at all.
    language
        Of labels and numbers. Notes and names of customers' segments stay as they are.
    """
    with whole_file(path) as part:
        part.write_text(_page(report, language), encoding="utf-8", newline="\n")


def _page(report: EquityReport, language: Language) -> str:
    locale = Locale.of(report.book.assumptions, language)
    style, script = (_part(name) for name in ("page.css", "page.js"))
    content = [(key, shown) for key, make in _SECTIONS.items() if (shown := make(report, locale))]
    made = f"{locale.label('created')} {report.created}"
    return Template(_part("page.html")).substitute(
        language=language,
        title=tag("title", f"{locale.label('customer_equity')}, {locale.day(report.closings[-1])}"),
        style_hash=_hash(style),
        script_hash=_hash(script),
        style=style,
        script=script,
        header=sections.headline(report, locale),
        links=joined(tag("a", locale.label(key), {"href": f"#{key}"}) for key, _ in content),
        sections=joined(shown for _, shown in content),
        footer=tag("footer", made),
    )


def _part(name: str) -> str:
    return (files("clvmodels.reporting.page") / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return f"sha256-{b64encode(sha256(content.encode()).digest()).decode()}"
