"""A valuation as plain data, for machines: every figure of the report with what it rests on."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from clvmodels.inference.model_average import ModelAverage
from clvmodels.reporting.candidates import Candidate
from clvmodels.reporting.compared import decisive, missed
from clvmodels.reporting.valuation import Valuation

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.evaluation.forecast_check import ForecastCheck
    from clvmodels.evaluation.holdout_total import HoldoutTotal
    from clvmodels.inference.fit import Fit
    from clvmodels.reporting.content import EquityReport
    from clvmodels.valuation.book import Book
    from clvmodels.valuation.support import Support

__all__ = [
    "FORMAT",
    "VERSION",
    "acquisition_record",
    "averaged_by",
    "equity_record",
    "forecast_record",
    "models_record",
    "plain_data",
    "segments_record",
    "support_record",
    "tested_record",
]

FORMAT: Final = "clvmodels equity"
VERSION: Final = 1

_RESTS_ON: Final = ("clvmodels", "numpy", "scipy", "pandas", "duckdb")


def equity_record(valuation: Valuation, *, source: str, notes: Sequence[str]) -> dict[str, Any]:
    """Return a valuation as JSON can hold it: NaN and infinity are null, times are ISO text.

    Parameters
    ----------
    valuation
        The valuation.
    source
        What the log was.
    notes
        What the package warned of.
    """
    book = valuation.book
    histories, new = book.histories, book.new_customer
    record = {
        "format": FORMAT,
        "version": VERSION,
        "source": source,
        "equity": book.equity,
        "currency": book.assumptions.currency,
        "customers": histories.customers,
        "equity_per_customer": book.equity / max(histories.customers, 1),
        "support": support_record(valuation.support),
        "model": book.transactions.best.model.key,
        "spend_model": book.spend.model.key,
        "assumptions": book.assumptions.to_dict(),
        "lines": _rows(book.statement_lines),
        "horizons": _rows(book.horizons),
        "groups": [asdict(group) | {"share": _ratio(group.equity, book.equity)} for group in valuation.groups],
        "unprofitable": {"customers": valuation.unprofitable.customers, "equity": valuation.unprofitable.equity},
        "new_customer": asdict(new) | {"post_acquisition_value": new.post_acquisition_value},
        "average": averaged_by(book),
        "models": models_record(book, valuation.candidates),
        "spend": _fit(book.spend),
        "histories": {
            "unit": histories.unit,
            "observation_end": histories.observation_end,
            "fingerprint": book.transactions.fingerprint,
        },
        "data_report": histories.report,
        "notes": list(notes),
        "versions": {name: version(name) for name in _RESTS_ON} | {"python": platform.python_version()},
    }
    return {key: plain_data(item) for key, item in record.items()}


def support_record(support: Support | None) -> dict[str, Any] | None:
    """Return how far the data carry an equity, in figures and words; None if there are no draws."""
    if support is None:
        return None
    return {**asdict(support), "share_beyond": support.share_beyond, "reason": support.reason}


def tested_record(total: HoldoutTotal | None) -> dict[str, Any] | None:
    """Return the test on the last third of a log in figures; None if there is none.

    ``missed`` is what came of revenue, where it is known, else of purchases, relative to the forecast, less 1: null
    within the 90 % band. The other ``off`` are the forecast relative to what came, less 1.
    """
    if total is None:
        return None
    derived = ("off", "inside", "revenue_off", "revenue_inside")
    figures = asdict(total) | {name: getattr(total, name) for name in derived}
    return figures | {"decisive": decisive(total)[0], "missed": missed(total)}


def forecast_record(check: ForecastCheck | None) -> dict[str, Any] | None:
    """Return what the closing before predicted and what came, by period and in total; None if there is nothing."""
    if check is None:
        return None
    late = {"late_orders": check.late_orders, "late_revenue": check.late_revenue}
    periods = check.table.assign(**late).set_axis(list(check.days)).rename_axis("until")
    return {
        "closing": check.cutoff,
        "models": check.models,
        "customers": check.customers,
        "includes": check.includes,
        "periods": _rows(periods),
        "total": check.total.to_dict(),
        "orders_change": check.orders_change,
        "order_value_change": check.order_value_change,
        "orders_outside": check.orders_outside,
        "revenue_outside": check.revenue_outside,
        "late_joiners": check.late_joiners,
    }


def averaged_by(book: Book) -> str | None:
    """Return what the weights of the models rest on; None if there is one model."""
    return book.transactions.basis if isinstance(book.transactions, ModelAverage) else None


def models_record(book: Book, candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    """Return each model with its weight, its fit, and the equity under it alone."""
    if not candidates:
        return []
    least = min(candidate.fit.aic for candidate in candidates)
    return [
        _fit(candidate.fit)
        | {
            "weight": candidate.weight,
            "aic_difference": candidate.fit.aic - least,
            "equity": candidate.equity,
            "equity_relative": _ratio(candidate.equity, book.equity),
        }
        for candidate in candidates
    ]


def _fit(fit: Fit) -> dict[str, Any]:
    return {
        "model": fit.model.key,
        "name": fit.model.name,
        "log_likelihood": fit.log_likelihood,
        "aic": fit.aic,
        "method": fit.method,
        "params": dict(fit.params),
        "priors": fit.priors,
        "status": fit.diagnostics.status,
        "message": fit.diagnostics.message,
    }


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): cell for name, cell in row.items()} for row in table.reset_index().to_dict("records")]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def plain_data(item: object) -> object:
    """Return nested data with nothing but what JSON knows."""
    if is_dataclass(item) and not isinstance(item, type):
        item = asdict(item)
    if isinstance(item, tuple) and hasattr(item, "_asdict"):
        item = item._asdict()
    if isinstance(item, Mapping):
        return {str(key): plain_data(value) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [plain_data(value) for value in item]
    if isinstance(item, float):
        return item + 0.0 if math.isfinite(item) else None  # no negative zero
    return item.isoformat() if hasattr(item, "isoformat") else item


def segments_record(report: EquityReport) -> dict[str, Any] | None:
    """Return whether segments differ, and what that changes; None if there are none."""
    choice = report.segments
    if choice is None:
        return None
    tests = {name: {**asdict(test), "differ": test.differ} for name, test in vars(choice.tests).items() if name != "by"}
    return {"by": choice.tests.by, **tests, "equity_of_one_population": choice.pooled}


def acquisition_record(report: EquityReport) -> dict[str, Any]:
    """Return what new customers are worth and may cost, by column and segment."""
    return {by: rows.to_dict(orient="index") for by, rows in report.acquisition.items()}
