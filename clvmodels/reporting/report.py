"""The equity report in one call: what the command ``clvmodels report`` writes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from clvmodels.arguments import abridged, require_mapping
from clvmodels.data.ledger_tables import FORMS
from clvmodels.data.ledgers import Ledgers
from clvmodels.data.reading import Day, LogFormat
from clvmodels.errors import DataError, FitError, one_of
from clvmodels.inference.estimator import SpendEstimator, TransactionEstimator
from clvmodels.reporting.fitting import AUTO, Estimation, spend_model, transaction_models
from clvmodels.reporting.notes import captured_warnings
from clvmodels.reporting.output import Report
from clvmodels.reporting.progress import steps
from clvmodels.reporting.report_log import ReportLog
from clvmodels.reporting.request import ReportRequest, equity_report, number_of_steps, parse_closings
from clvmodels.valuation.assumptions import Assumptions, toml_of
from clvmodels.valuation.audit import Content, FileRecord, file_record
from clvmodels.valuation.relationship import COLUMNS

if TYPE_CHECKING:
    from clvmodels.models.specification import SpendModel, TransactionModel

__all__ = ["report"]


def report(
    log: object,
    *,
    log_format: LogFormat,
    assumptions: Assumptions | str | PathLike[str],
    closings: Day | Sequence[Day],
    by: str | None = None,
    ledgers: Ledgers | Mapping[str, object] | None = None,
    models: str | TransactionEstimator | Sequence[str | TransactionEstimator] = AUTO,
    spend: str | SpendEstimator = AUTO,
    observation_start: Day | None = None,
    method: str = "posterior",
    draws: int = 400,
    progress: bool = True,
) -> Report:
    """Value the customers at each closing, and explain why customer equity moved in between.

    Parameters
    ----------
    log
        The purchase log, as for `rfm_summary`.
    log_format
        Its format, such as ``clv.LogFormat(value="amount", unit="week")``. The columns that the assumptions and `by`
        name are read as attributes without being listed there.
    assumptions
        The assumptions, or the path of their TOML file.
    closings
        The closing dates, rising; the last one is reported on.
    by
        Column of the segments that the statement is broken down by; None: by cohort alone.
    ledgers
        The relationship ledgers: a mapping with any of the names ``returns``, ``service``, ``campaigns``,
        ``acquisition``, ``referrals`` to tables or paths, read in the format of the log; or what `Ledgers.read`
        returns.
    models
        ``"auto"``: all registered models of transactions; or one of them or several, by key or as ``clv.BGNBD()``.
        Several are averaged, as by `value`.
    spend
        The model of spend, by key or as ``clv.GammaGamma()``; ``"auto"``: the one that the orders up to the last
        closing speak for, by their likelihood and by what it predicts, with first orders where the data do not speak
        against it.
    observation_start
        The first day observed; by default that of the first transaction.
    method
        How models are fitted at each closing, as by `TransactionEstimator.fit`: ``"posterior"``, which ends well on
        every log that has repeat purchases, ``"mle"``, ``"laplace"`` or ``"nuts"``.
    draws
        Of the posterior of each model, behind the intervals and what is said about how far the data carry the figure.
        0, and ``method="mle"``: point estimates by maximum likelihood, without either.
    progress
        Whether to show a progress bar on a terminal.

    Returns
    -------
    Report
        Its ``book``, ``statement``, ``movements``, ``reconciliation``, ``contribution`` and ``tornado`` are what the
        report says, ``tested`` is the last third of the log held back (`last_third`), ``forecast`` what the closing
        before predicted against what came (`forecast_against_actual`), ``notes`` what the package warned of on the way;
        ``write(folder)`` writes the files. The audit
        trail has the hash of each file that was read; tables in memory have none, but histories have a fingerprint.

    Raises
    ------
    AssumptionError
        If the assumptions cannot be read, or do not suit the customers.
    DataError
        If the log or a ledger cannot be read, or the closings are not dates that rise.
    FitError
        If a model or method is unknown, a model has priors, or nothing can be fitted at the last closing.

    Examples
    --------
    >>> import clvmodels as clv
    >>> reported = clv.report(
    ...     clv.datasets.load_cdnow(sample=True),
    ...     log_format=clv.LogFormat(value="amount", unit="week", resolution="day"),
    ...     assumptions=clv.datasets.path("cdnow.toml"),
    ...     closings=["1997-09-30", "1998-06-30"],
    ...     models="bg_nbd",
    ...     draws=0,
    ... )
    >>> reported
    <EquityReport: ... of 2,357 customers at 1998-06-30, after 1997-09-30>
    """
    inputs: dict[str, FileRecord | Content] = {}
    if _is_path(log):
        inputs["log"] = file_record(os.fspath(log))
    stated, content = _assumptions(assumptions)
    inputs |= content
    tables = {} if ledgers is None or isinstance(ledgers, Ledgers) else _tables(ledgers)
    inputs |= {name: file_record(os.fspath(table)) for name, table in tables.items() if _is_path(table)}
    days, chosen, spend_ = parse_closings(closings), _transaction_models(models), _spend_model(spend)
    how = Estimation.parse(method, draws)
    named = (*_format(log_format).attributes, *stated.columns, *([] if by is None else [by]))
    kept = replace(log_format, attributes=[name for name in dict.fromkeys(named) if name not in COLUMNS])
    opened = ReportLog(log, kept, observation_start)
    with steps(number_of_steps(days, chosen), quiet=not progress) as step, captured_warnings() as notes:
        known = ledgers if isinstance(ledgers, Ledgers) else _ledgers(tables, log_format)
        asked = ReportRequest(_source(log), opened, days, stated, chosen, spend_, known, by, how, inputs)
        reported = equity_report(asked, step)
    return replace(reported, notes=(*notes, *reported.notes))


def _is_path(given: object) -> TypeGuard[str | PathLike[str]]:
    return isinstance(given, str | os.PathLike)


def _source(log: object) -> str:
    """Return what a log is called in the report: its path, or what kind of table it is."""
    parts = [log] if not isinstance(log, list | tuple) else log
    if all(_is_path(part) for part in parts):
        return ", ".join(map(str, parts))
    return f"{type(log).__module__.partition('.')[0]} {type(log).__name__}"


def _format(given: object) -> LogFormat:
    if not isinstance(given, LogFormat):
        raise DataError(
            f'log_format is the format of the log, such as LogFormat(value="amount"), got {abridged(given)}'
        )
    if given.value is None:
        raise DataError('a report needs the values of purchases: name their column in LogFormat(value="...")')
    return given


def _assumptions(given: Assumptions | str | PathLike[str]) -> tuple[Assumptions, dict[str, Content]]:
    """Return assumptions and, if they were read from a file, what was read."""
    if isinstance(given, Assumptions):
        return given, {}
    content = toml_of(given)
    return Assumptions.from_toml(content, source=str(given)), {"assumptions": Content(Path(given).name, content)}


def _tables(given: Mapping[str, object]) -> dict[str, object]:
    """Return the ledgers that are given, in the order in which they are named everywhere."""
    example = '{"returns": "returns.csv"}'
    for name in require_mapping("ledgers", given, example, DataError):
        if name not in FORMS:
            raise DataError(one_of("ledger", name, FORMS))
    return {name: given[name] for name in FORMS if given.get(name) is not None}


def _ledgers(tables: Mapping[str, object], log_format: LogFormat) -> Ledgers | None:
    if not tables:
        return None
    return Ledgers.read(
        returns=tables.get("returns"),
        service=tables.get("service"),
        campaigns=tables.get("campaigns"),
        acquisition=tables.get("acquisition"),
        referrals=tables.get("referrals"),
        time_format=log_format.time_format,
        exclude_ids=log_format.exclude_ids,
        clean_ids=log_format.clean_ids,
    )


def _transaction_models(
    given: str | TransactionEstimator | Sequence[str | TransactionEstimator],
) -> tuple[TransactionModel, ...]:
    several = given if isinstance(given, list | tuple) else [given]
    models = [model for choice in several for model in _transaction_model(choice)]
    if not models:
        raise FitError('models are "auto", or one or several such as clv.BGNBD(); got none')
    return tuple(dict.fromkeys(models))


def _transaction_model(given: object) -> tuple[TransactionModel, ...]:
    if isinstance(given, TransactionEstimator):
        _require_no_priors(given)
        return (given.model,)
    if not isinstance(given, str):
        raise FitError(f"a model of transactions is named by its key or given as clv.BGNBD(), got {abridged(given)}")
    return transaction_models(given)


def _spend_model(given: object) -> SpendModel | None:
    if isinstance(given, SpendEstimator):
        _require_no_priors(given)
        if getattr(given, "first_order", None) == "auto":
            raise FitError('a report fits one model at all closings: write spend="auto", or first_order="use"')
        if given.depends_on is not None:
            raise FitError(
                "a report fits anew at each closing, and depends_on is one fit: leave it out, or value a closing with"
                " clv.value(transactions, spend, rfm, assumptions)"
            )
        return given.model
    if not isinstance(given, str):
        raise FitError(f"a model of spend is named by its key or given as clv.GammaGamma(), got {abridged(given)}")
    return spend_model(given)


def _require_no_priors(given: TransactionEstimator | SpendEstimator) -> None:
    if given.priors is not None:
        raise FitError(f"a report fits under the default priors; leave out the priors of {given.model.name}")
