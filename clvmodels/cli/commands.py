"""The commands: each calls, prints and writes. What is computed, and how it looks, is decided elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clvmodels.cli.options import (
    BacktestLogOptions,
    By,
    Closings,
    Cutoffs,
    DiscountRate,
    Draws,
    Folder,
    Horizon,
    LanguageName,
    LedgerOptions,
    Log,
    LogOptions,
    Margin,
    MethodName,
    ModelKey,
    NewTerms,
    OptionalTerms,
    Quiet,
    ReportFolder,
    ReportLogOptions,
    ScoreTable,
    SpendKey,
    StorageOptions,
    Table,
    Terms,
    ValuedLogOptions,
    grouped,
)
from clvmodels.cli.streams import print_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from clvmodels.data.histories import Histories

__all__ = ["app"]

_NARROWEST: Final = 80
"""On a narrower terminal lines break anywhere, so that no number loses a digit."""
_SEED: Final = 1
"""Of the intervals of a backtest: the same log gives the same ones."""
app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False
)


def _read(log: str, options: LogOptions, storage: StorageOptions, attributes: Sequence[str] = ()) -> Histories:
    """Return the purchase histories of a log."""
    from clvmodels.data.transactions import rfm_summary

    return rfm_summary(
        log,
        **vars(options.log_format(attributes)),
        observation_start=options.observation_start,
        observation_end=options.observation_end,
        **vars(storage),
    )


def _stated(file: Path | None, margin: float | None, discount_rate: float | None) -> tuple[bytes, str]:
    """Return assumptions as the content of a TOML file, and what errors call it.

    Raises
    ------
    AssumptionError
        If they are given twice, or not at all.
    """
    from clvmodels.errors import AssumptionError
    from clvmodels.valuation.assumptions import toml_of

    rates = {"discount_rate": discount_rate, "margin": margin}
    given = [name for name, rate in rates.items() if rate is not None]
    if file is not None and given:
        raise AssumptionError(
            f"the assumptions are in {str(file)!r}: write {' and '.join(given)} there, or leave --assumptions out"
        )
    if file is not None:
        return toml_of(file), str(file)
    if len(given) < len(rates):
        raise AssumptionError(
            "a valuation needs a margin and a discount rate: add --margin 0.3 --discount-rate 0.12 with your own"
            " figures, or write a file with clvmodels init and add --assumptions assumptions.toml"
        )
    return "".join(f"{name} = {rate!r}\n" for name, rate in rates.items()).encode(), "the command line"


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"clvmodels {version('clvmodels')}")
        raise typer.Exit


@app.callback()
def _clvmodels(
    version: Annotated[  # noqa: ARG001 - its callback shows it
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Purchase histories in, customer equity out.

    Begin with `clvmodels summarize LOG`, which shows what a purchase log holds, and go on to `clvmodels value LOG
    --value COLUMN --assumptions FILE`, which shows what the customers are worth.
    """
    from clvmodels.reporting.timestamp import time_of_report

    time_of_report()  # NumPy reads SOURCE_DATE_EPOCH too, as it is imported, and what is no time ends in a traceback


@app.command(epilog="Example:  clvmodels init assumptions.toml")
def init(file: NewTerms = Path("assumptions.toml")) -> None:
    """Write a commented file of assumptions to fill in; a file that exists is left as it is."""
    from clvmodels.reporting.template import write_template

    write_template(file)
    print_text(f"written: {file}\n")


@app.command(epilog="Example:  clvmodels summarize log.csv --value amount --resolution day --out histories.parquet")
@grouped
def summarize(
    log: Log,
    options: LogOptions,
    storage: StorageOptions,
    out: Table = None,
    quiet: Quiet = False,
) -> None:
    """Show what a purchase log holds, and what became of its rows."""
    from clvmodels.reporting import files, terminal
    from clvmodels.reporting.notes import captured_warnings
    from clvmodels.reporting.progress import steps

    if out is not None:
        files.require_table(out, log)
    with steps(2, quiet=quiet) as step:
        step("reading the log")
        with captured_warnings() as notes:
            histories = _read(log, options, storage)
        shown = _rendered(
            terminal.histories_report(histories, log), terminal.notes_report(notes), terminal.written_report(out)
        )
        if out is not None:
            step("writing")
            files.write_histories(histories, out)
    print_text(shown)


@app.command(epilog="Example:  clvmodels fit log.csv --value amount --resolution day --model pareto_nbd --out fits")
@grouped
def fit(
    log: Log,
    options: LogOptions,
    storage: StorageOptions,
    model: ModelKey = "auto",
    spend: SpendKey = "gamma_gamma",
    method: MethodName = "mle",
    draws: Draws = 400,
    out: Folder = None,
    quiet: Quiet = False,
) -> None:
    """Fit models of purchases and of spend; show the best by AIC.

    Spend is fitted if the column of the values is given. The parameters are shown in numbers and in words.
    """
    from clvmodels.reporting import output, terminal
    from clvmodels.reporting.fitting import Estimation, fit_all, fit_spend, spend_model, transaction_models
    from clvmodels.reporting.notes import captured_warnings
    from clvmodels.reporting.progress import steps

    models, spend_, how = transaction_models(model), spend_model(spend), Estimation.parse(method, draws)
    output.require_out(out, output.FIT_FILES)
    with steps(len(models) + 3, quiet=quiet) as step:
        step("reading the log")
        with captured_warnings() as notes:
            histories = _read(log, options, storage)
            fits = fit_all(histories, models, step, how)
            spend_fit = None if options.value is None else fit_spend(histories, spend_, step, how)
        names = output.FIT_FILES if spend_fit is not None else output.FIT_FILES[:1]
        shown = _rendered(
            terminal.histories_report(histories, log),
            terminal.fits_report(fits, spend_fit),
            terminal.notes_report(notes),
            terminal.written_report(out, names),
        )
        if out is not None:
            step("writing")
            output.write_fits(fits[0], spend_fit, out)
    print_text(shown)


@app.command(epilog="Example:  clvmodels value log.csv --value amount --assumptions assumptions.toml --out equity")
@grouped
def value(
    log: Log,
    options: ValuedLogOptions,
    storage: StorageOptions,
    assumptions: OptionalTerms = None,
    margin: Margin = None,
    discount_rate: DiscountRate = None,
    model: ModelKey = "auto",
    spend: SpendKey = "gamma_gamma",
    method: MethodName = "posterior",
    draws: Draws = 400,
    out: Folder = None,
    quiet: Quiet = False,
) -> None:
    """Show what the customers are worth: customer equity.

    It is shown by line, by horizon, under each model, and with how far the data carry it.

    `--margin` and `--discount-rate` are the shortest assumptions. `clvmodels init` writes a file of more, for
    `--assumptions`: TOML with discount_rate and margin and, where wanted, costs such as order_cost, and year, timing,
    horizon, currency. A rate may be a number, `{column = "..."}` or `{by = "segment", rates = {...}}`. A table
    `[[lines]]` with name, driver and rate adds a cost or benefit of your own.
    """
    from clvmodels.reporting import output, terminal
    from clvmodels.reporting.fitting import Estimation, fit_all, fit_spend, spend_model, transaction_models
    from clvmodels.reporting.notes import captured_warnings
    from clvmodels.reporting.progress import steps
    from clvmodels.reporting.remarks import other_notes
    from clvmodels.reporting.valuation import value_all
    from clvmodels.valuation.assumptions import Assumptions

    stated, name = _stated(assumptions, margin, discount_rate)
    terms = Assumptions.from_toml(stated, source=name)
    models, spend_, how = transaction_models(model), spend_model(spend), Estimation.parse(method, draws)
    output.require_out(out, output.value_files())
    with steps(len(models) + 4, quiet=quiet) as step:
        step("reading the log")
        with captured_warnings() as notes:
            histories = _read(log, options, storage, terms.columns)
            fits = fit_all(histories, models, step, how)
            valuation = value_all(fits, fit_spend(histories, spend_, step, how), histories, terms, step)
        shown = _rendered(
            terminal.histories_report(histories, log),
            terminal.equity_report(valuation),
            terminal.notes_report(other_notes(valuation, notes)),
            terminal.written_report(out, output.files_of_valuation(valuation.book)),
        )
        if out is not None:
            step("writing")
            output.write_valuation(valuation, out, source=log, assumptions_file=stated, notes=notes)
    print_text(shown)


@app.command(epilog="Example:  clvmodels backtest log.csv --value amount --resolution day --model pareto_nbd")
@grouped
def backtest(
    log: Log,
    options: BacktestLogOptions,
    cutoffs: Cutoffs = None,
    horizon: Horizon = None,
    model: ModelKey = "auto",
    spend: SpendKey = "gamma_gamma",
    out: ScoreTable = None,
    quiet: Quiet = False,
) -> None:
    """Show what models would have predicted of the past: each cut-off divides what they see from what is to come.

    By default, the last third of the log is held back. Four rules of thumb stand beside the models, and a verdict in
    words below: whether a model beats them, and whether the totals were right.
    """
    from clvmodels.evaluation.backtest import backtest_of
    from clvmodels.evaluation.candidates import Candidates
    from clvmodels.inference.estimator import SpendEstimator, TransactionEstimator
    from clvmodels.inference.spend_choice import BestSpend
    from clvmodels.reporting import files, terminal
    from clvmodels.reporting.fitting import spend_model, transaction_models
    from clvmodels.reporting.notes import captured_warnings
    from clvmodels.reporting.progress import steps

    models = {each.name: TransactionEstimator(each) for each in transaction_models(model)}
    spend_ = spend_model(spend)
    of_spend = None if options.value is None else BestSpend() if spend_ is None else SpendEstimator(spend_)
    if out is not None:
        files.require_table(out, log)
    window = cutoffs or None, horizon, options.observation_end
    with steps(2, quiet=quiet) as step:
        step("predicting the past")
        with captured_warnings() as notes:
            candidates = Candidates(models, {}, of_spend, "mle", _SEED)
            tried = backtest_of(candidates, options.log_format(), log, *window, progress=False)
        step("simulating totals")
        shown = _rendered(terminal.backtest_report(tried), terminal.notes_report(notes), terminal.written_report(out))
        if out is not None:
            files.write_whole_table(tried.table.reset_index("cutoff"), out)
    print_text(shown)


@app.command(
    epilog="Example:  clvmodels report log.csv --value amount --assumptions assumptions.toml"
    " --closings 2024-12-31 2025-12-31 --out report"
)
@grouped
def report(
    log: Log,
    *,
    options: ReportLogOptions,
    assumptions: Terms,
    closings: Closings,
    by: By = None,
    ledgers: LedgerOptions,
    model: ModelKey = "auto",
    spend: SpendKey = "auto",
    method: MethodName = "posterior",
    draws: Draws = 400,
    language: LanguageName = "en",
    out: ReportFolder,
    quiet: Quiet = False,
) -> None:
    """Write the customer-equity report: workbook, web page, customers, audit trail.

    It says what the customers are worth at the last closing, after which costs, how sure that is, whether forecasts
    came true, why it moved since the closing before, and which customers cost more than they bring.
    """
    from clvmodels.reporting import output, terminal
    from clvmodels.reporting.labels import parse_language
    from clvmodels.reporting.progress import steps
    from clvmodels.reporting.report import report as report_on

    known = parse_language(language)
    output.require_report(out)
    reported = report_on(
        log,
        log_format=options.log_format(),
        assumptions=assumptions,
        closings=closings,
        by=by,
        ledgers=ledgers.by_name(),
        models=model,
        spend=spend,
        observation_start=options.observation_start,
        method=method,
        draws=draws,
        progress=not quiet,
    )
    shown = _rendered(
        terminal.closing_report(reported),
        terminal.notes_report(reported.notes),
        terminal.written_report(out, output.REPORT_FILES),
    )
    with steps(1, quiet=quiet) as step:
        step("writing")
        reported.write(out, language=known)
    print_text(shown)


def _rendered(*parts: RenderableType) -> str:
    """Return what is to be printed when all files are written: what could fail has been done by then."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    console.width = max(console.width, _NARROWEST)
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return capture.get()
