"""The command line: it parses, calls, prints and writes. What is computed, and how it looks, is decided elsewhere."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, TextIO, cast

import typer

from clvmodels.errors import ClvError
from clvmodels.files import remove_workplaces
from clvmodels.interrupts import Ending
from clvmodels.reporting.plain import plain

if TYPE_CHECKING:
    from rich.console import RenderableType

    from clvmodels.data.histories import Histories

__all__ = ["app", "main"]

_INTERRUPTED: Final = 130
_WRONG: Final = 2
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NARROWEST: Final = 80
"""On a narrower terminal lines break anywhere, so that no number loses a digit."""
# typer carries a click of its own from 0.22 on; the family of its errors is found from the one it gives away.
_ParseError: Final[type[Exception]] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)

# What is taken for a closing: by itself, right after the option, and after another closing.
_NOTHING: Final = re.compile(r"(?!)")
_NO_OPTION: Final = re.compile(r"(?!-).*", re.DOTALL)
_LIKE_A_DAY: Final = re.compile(r"\d[\d.,/-]*")

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False
)

_LOG = "The purchase log"
_LEDGERS = "The relationship ledgers: CSV or Parquet, each optional"
_MODELS = "The models"
_RESULT = "The result"

Log = Annotated[str, typer.Argument(metavar="LOG", help="CSV or Parquet, one row a purchase; * for several files.")]
CustomerId = Annotated[str, typer.Option(metavar="COLUMN", help="Column of the customer ids.", rich_help_panel=_LOG)]
Time = Annotated[str, typer.Option(metavar="COLUMN", help="Column of the times of purchase.", rich_help_panel=_LOG)]
MaybeValue = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Column of the values; without it there is no spend.", rich_help_panel=_LOG),
]
Value = Annotated[str, typer.Option(metavar="COLUMN", help="Column of the values.", rich_help_panel=_LOG)]
UnitName = Annotated[
    str, typer.Option(metavar="UNIT", help="Unit of model time: hour, day, week, month, year.", rich_help_panel=_LOG)
]
Resolution = Annotated[
    str | None,
    typer.Option(
        metavar="UNIT",
        help="Purchases within one day (hour, week, ...) are one; else exact times.",
        rich_help_panel=_LOG,
    ),
]
Start = Annotated[
    str | None,
    typer.Option(metavar="DAY", help="First day observed, as 1997-01-01; else that of the log.", rich_help_panel=_LOG),
]
End = Annotated[
    str | None,
    typer.Option(metavar="DAY", help="Last day observed, itself included; else that of the log.", rich_help_panel=_LOG),
]
Returns = Annotated[
    str, typer.Option(metavar="POLICY", help="Rows with a negative value: net, drop, raise.", rich_help_panel=_LOG)
]
TimeZone = Annotated[
    str | None,
    typer.Option(metavar="ZONE", help="Zone whose days are counted, as Europe/Berlin.", rich_help_panel=_LOG),
]
TimeFormat = Annotated[
    str | None,
    typer.Option(metavar="FORMAT", help="How times are written, as %d.%m.%Y; ISO needs none.", rich_help_panel=_LOG),
]
OrderId = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Column of the order ids, if a row is an order line: one id is one order.",
        rich_help_panel=_LOG,
    ),
]
Quantity = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help="Column of the quantities, if the values are unit prices.", rich_help_panel=_LOG
    ),
]
ExcludeIds = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ID", help="Customer to leave out, such as guest; several: once for each.", rich_help_panel=_LOG
    ),
]
CleanIds = Annotated[
    bool,
    typer.Option("--clean-ids", help="Ids that differ by capitals or blanks are the same.", rich_help_panel=_LOG),
]
MemoryGb = Annotated[
    float | None,
    typer.Option(
        metavar="GB",
        help="Memory for aggregating the log; what does not fit is spilled. Of Parquet: 3.",
        rich_help_panel=_LOG,
    ),
]
SpillFolder = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where to spill; else the temporary folder.", rich_help_panel=_LOG),
]
ModelKey = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="bg_nbd, mbg_nbd, pareto_nbd; auto: all, the best by AIC.",
        rich_help_panel=_MODELS,
    ),
]
SpendKey = Annotated[
    str, typer.Option("--spend", metavar="MODEL", help="Model of the value of an order.", rich_help_panel=_MODELS)
]
Terms = Annotated[
    Path,
    typer.Option("--assumptions", metavar="FILE", help="TOML: discount_rate, margin, ...", rich_help_panel=_MODELS),
]
Table = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write the table by customer: .parquet, .csv.", rich_help_panel=_RESULT),
]
Folder = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Write to this folder, all or nothing.", rich_help_panel=_RESULT),
]
ReportFolder = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Write to this folder, all or nothing.", rich_help_panel=_RESULT)
]
Closings = Annotated[
    list[str],
    typer.Option(metavar="DAY ...", help="Closing dates, rising; the last one is reported.", rich_help_panel=_LOG),
]
By = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Column of the segments of the statement.", rich_help_panel=_LOG),
]
ReturnsLedger = Annotated[
    str | None, typer.Option(metavar="FILE", help="customer_id, time, value.", rich_help_panel=_LEDGERS)
]
ServiceLedger = Annotated[str | None, typer.Option(metavar="FILE", help="customer_id, time.", rich_help_panel=_LEDGERS)]
CampaignsLedger = Annotated[
    str | None, typer.Option(metavar="FILE", help="customer_id, time.", rich_help_panel=_LEDGERS)
]
AcquisitionLedger = Annotated[
    str | None, typer.Option(metavar="FILE", help="customer_id, cost, channel.", rich_help_panel=_LEDGERS)
]
ReferralsLedger = Annotated[
    str | None, typer.Option(metavar="FILE", help="customer_id, referred_id, time.", rich_help_panel=_LEDGERS)
]
Draws = Annotated[
    int, typer.Option(min=0, metavar="N", help="Draws behind the intervals; 0: none.", rich_help_panel=_MODELS)
]
LanguageName = Annotated[str, typer.Option("--language", metavar="LANGUAGE", help="en or de.", rich_help_panel=_RESULT)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.", rich_help_panel=_RESULT)]


def _read(
    log: str,
    customer_id: str,
    time: str,
    value: str | None,
    unit: str,
    resolution: str | None,
    observation_start: str | None,
    observation_end: str | None,
    returns: str,
    time_zone: str | None,
    time_format: str | None,
    attributes: Sequence[str],
    order_id: str | None,
    quantity: str | None,
    exclude_ids: Sequence[str] | None,
    clean_ids: bool,
    memory_gb: float | None = None,
    spill_folder: Path | None = None,
) -> Histories:
    """Return the purchase histories of a log."""
    from clvmodels.data.transactions import rfm_summary

    return rfm_summary(
        log,
        customer_id=customer_id,
        time=time,
        value=value,
        unit=unit,
        resolution=resolution,
        observation_start=observation_start,
        observation_end=observation_end,
        returns=cast("Any", returns),
        time_zone=time_zone,
        time_format=time_format,
        attributes=attributes,
        order_id=order_id,
        quantity=quantity,
        exclude_ids=exclude_ids or (),
        clean_ids=clean_ids,
        memory_gb=memory_gb,
        spill_folder=spill_folder,
    )


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


@app.command(epilog="Example:  clvmodels summarize log.csv --value amount --resolution day --out histories.parquet")
def summarize(
    log: Log,
    customer_id: CustomerId = "customer_id",
    time: Time = "date",
    value: MaybeValue = None,
    unit: UnitName = "week",
    resolution: Resolution = None,
    observation_start: Start = None,
    observation_end: End = None,
    returns: Returns = "net",
    time_zone: TimeZone = None,
    time_format: TimeFormat = None,
    order_id: OrderId = None,
    quantity: Quantity = None,
    exclude_ids: ExcludeIds = None,
    clean_ids: CleanIds = False,
    memory_gb: MemoryGb = None,
    spill_folder: SpillFolder = None,
    out: Table = None,
    quiet: Quiet = False,
) -> None:
    """Show what a purchase log holds, and what became of its rows."""
    from clvmodels.reporting import files, terminal
    from clvmodels.reporting.notes import captured_warnings
    from clvmodels.reporting.progress import steps

    window = observation_start, observation_end
    if out is not None:
        files.require_table(out, log)
    with steps(2, quiet=quiet) as step:
        step("reading the log")
        with captured_warnings() as notes:
            lines = (order_id, quantity, exclude_ids, clean_ids)
            reading = (*window, returns, time_zone, time_format, (), *lines, memory_gb, spill_folder)
            histories = _read(log, customer_id, time, value, unit, resolution, *reading)
        shown = _rendered(
            terminal.histories_report(histories, log), terminal.notes_report(notes), terminal.written_report(out)
        )
        if out is not None:
            step("writing")
            files.write_histories(histories, out)
    _print(shown)


@app.command(epilog="Example:  clvmodels fit log.csv --value amount --resolution day --model pareto_nbd --out fits")
def fit(
    log: Log,
    customer_id: CustomerId = "customer_id",
    time: Time = "date",
    value: MaybeValue = None,
    unit: UnitName = "week",
    resolution: Resolution = None,
    observation_start: Start = None,
    observation_end: End = None,
    returns: Returns = "net",
    time_zone: TimeZone = None,
    time_format: TimeFormat = None,
    order_id: OrderId = None,
    quantity: Quantity = None,
    exclude_ids: ExcludeIds = None,
    clean_ids: CleanIds = False,
    memory_gb: MemoryGb = None,
    spill_folder: SpillFolder = None,
    model: ModelKey = "auto",
    spend: SpendKey = "gamma_gamma",
    out: Folder = None,
    quiet: Quiet = False,
) -> None:
    """Fit models of purchases and of spend; show the best.

    Spend is fitted if the column of the values is given. The parameters are shown in numbers and in words.
    """
    from clvmodels.reporting import output, terminal
    from clvmodels.reporting.fitting import fit_all, fit_spend, spend_model, transaction_models
    from clvmodels.reporting.notes import captured_warnings
    from clvmodels.reporting.progress import steps

    window = observation_start, observation_end
    models, spend_ = transaction_models(model), spend_model(spend)
    output.require_out(out, output.FIT_FILES)
    with steps(len(models) + 3, quiet=quiet) as step:
        step("reading the log")
        with captured_warnings() as notes:
            lines = (order_id, quantity, exclude_ids, clean_ids)
            reading = (*window, returns, time_zone, time_format, (), *lines, memory_gb, spill_folder)
            histories = _read(log, customer_id, time, value, unit, resolution, *reading)
            fits = fit_all(histories, models, step)
            spend_fit = None if value is None else fit_spend(histories, spend_, step)
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
    _print(shown)


@app.command(epilog="Example:  clvmodels value log.csv --value amount --assumptions assumptions.toml --out equity")
def value(
    log: Log,
    *,
    customer_id: CustomerId = "customer_id",
    time: Time = "date",
    value: Value,
    unit: UnitName = "week",
    resolution: Resolution = None,
    observation_start: Start = None,
    observation_end: End = None,
    returns: Returns = "net",
    time_zone: TimeZone = None,
    time_format: TimeFormat = None,
    order_id: OrderId = None,
    quantity: Quantity = None,
    exclude_ids: ExcludeIds = None,
    clean_ids: CleanIds = False,
    memory_gb: MemoryGb = None,
    spill_folder: SpillFolder = None,
    assumptions: Terms,
    model: ModelKey = "auto",
    spend: SpendKey = "gamma_gamma",
    out: Folder = None,
    quiet: Quiet = False,
) -> None:
    """Show what the customers are worth: customer equity.

    It is shown by line, by horizon, and as other models would have it.

    The assumptions are a TOML file: discount_rate and margin and, where wanted, costs such as order_cost, and year,
    timing, horizon, currency. A rate may be a number, `{column = "..."}` or `{by = "segment", rates = {...}}`.
    """
    from clvmodels.reporting import output, terminal
    from clvmodels.reporting.fitting import fit_all, fit_spend, spend_model, transaction_models
    from clvmodels.reporting.notes import captured_warnings
    from clvmodels.reporting.progress import steps
    from clvmodels.reporting.remarks import other_notes
    from clvmodels.reporting.valuation import value_all
    from clvmodels.valuation.assumptions import Assumptions, toml_of

    stated = toml_of(assumptions)
    terms = Assumptions.from_toml(stated, source=str(assumptions))
    window = observation_start, observation_end
    models, spend_ = transaction_models(model), spend_model(spend)
    output.require_out(out, output.VALUE_FILES)
    with steps(2 * len(models) + 3, quiet=quiet) as step:
        step("reading the log")
        with captured_warnings() as notes:
            lines = (order_id, quantity, exclude_ids, clean_ids)
            reading = (*window, returns, time_zone, time_format, terms.columns, *lines, memory_gb, spill_folder)
            histories = _read(log, customer_id, time, value, unit, resolution, *reading)
            fits = fit_all(histories, models, step)
            valuation = value_all(fits, fit_spend(histories, spend_, step), histories, terms, step)
        shown = _rendered(
            terminal.histories_report(histories, log),
            terminal.equity_report(valuation),
            terminal.notes_report(other_notes(valuation, notes)),
            terminal.written_report(out, output.VALUE_FILES),
        )
        if out is not None:
            step("writing")
            output.write_valuation(valuation, out, source=log, assumptions_file=stated, notes=notes)
    _print(shown)


@app.command(
    epilog="Example:  clvmodels report log.csv --value amount --assumptions assumptions.toml"
    " --closings 2024-12-31 2025-12-31 --out report"
)
def report(
    log: Log,
    *,
    customer_id: CustomerId = "customer_id",
    time: Time = "date",
    value: Value,
    unit: UnitName = "week",
    resolution: Resolution = None,
    observation_start: Start = None,
    returns: Returns = "net",
    time_zone: TimeZone = None,
    time_format: TimeFormat = None,
    order_id: OrderId = None,
    quantity: Quantity = None,
    exclude_ids: ExcludeIds = None,
    clean_ids: CleanIds = False,
    assumptions: Terms,
    closings: Closings,
    by: By = None,
    returns_ledger: ReturnsLedger = None,
    service_ledger: ServiceLedger = None,
    campaigns_ledger: CampaignsLedger = None,
    acquisition_ledger: AcquisitionLedger = None,
    referrals_ledger: ReferralsLedger = None,
    model: ModelKey = "auto",
    spend: SpendKey = "gamma_gamma",
    draws: Draws = 150,
    language: LanguageName = "en",
    out: ReportFolder,
    quiet: Quiet = False,
) -> None:
    """Write the customer-equity report: workbook, web page, customers, audit trail.

    It says what the customers are worth at the last closing, after which costs, how sure that is, why it moved since
    the closing before, and which customers cost more than they bring.
    """
    from clvmodels.data.reading import LogFormat
    from clvmodels.reporting import output, terminal
    from clvmodels.reporting.labels import parse_language
    from clvmodels.reporting.progress import steps
    from clvmodels.reporting.report import report as report_on

    known = parse_language(language)
    output.require_report(out)
    lines = (order_id, quantity, exclude_ids or (), clean_ids)
    how = (resolution, cast("Any", returns), time_zone, time_format, (), *lines)
    ledgers = {
        "returns": returns_ledger,
        "service": service_ledger,
        "campaigns": campaigns_ledger,
        "acquisition": acquisition_ledger,
        "referrals": referrals_ledger,
    }
    reported = report_on(
        log,
        log_format=LogFormat(customer_id, time, value, unit, *how),
        assumptions=assumptions,
        closings=closings,
        by=by,
        ledgers=ledgers,
        models=model,
        spend=spend,
        observation_start=observation_start,
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
    _print(shown)


def _rendered(*parts: RenderableType) -> str:
    """Return what is to be printed when all files are written: what could fail has been done by then."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    console.width = max(console.width, _NARROWEST)
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return capture.get()


def _print(shown: str) -> None:
    """Print a text, as far as somebody reads it: whoever has closed standard output has read enough."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(shown)
        sys.stdout.flush()
    except OSError as error:
        _silence(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            raise


def _silence(stream: TextIO) -> None:
    """Let a stream write to nowhere, or the interpreter would fail with it once more at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave: 0 if all went well, 2 if something given was wrong, 130 if interrupted.

    Another signal that asks the process to end gives 128 and its number, such as 143 for SIGTERM.

    Parameters
    ----------
    arguments
        What stands behind the name of the command; that of the process by default, which is then ours to end.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a letter that a terminal does not have must not end a run
    if arguments is not None:
        sys.exit(_code(arguments))
    code = _INTERRUPTED
    with Ending(remove_workplaces) as ending:
        code = _code(sys.argv[1:])
    if ending.number is not None:
        ending.leave()
    sys.exit(code)


def _code(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code."""
    try:
        code = app(list(_spread(arguments)), prog_name="clvmodels", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except RuntimeError as error:
        if str(error) != "Query interrupted":  # what DuckDB makes of an interrupt
            raise
        code = _INTERRUPTED
    except _ParseError as error:
        code = _misread(cast("Any", error))
    except ClvError as error:
        code = _fail(str(error))
    except MemoryError:
        code = _fail("there is not enough memory for this; with a log in Parquet, --memory-gb limits what is taken")
    except OSError as error:
        if error.filename is None and error.errno not in _NO_ROOM:
            raise
        code = _fail(f"{error.strerror}{'' if error.filename is None else f': {str(error.filename)!r}'}")
    return code if isinstance(code, int) else 0


def _spread(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the arguments, with ``--closings DAY DAY`` as an option for each day.

    What stands next to it, and then whatever looks like a day, is one: if it is not, the error says what days are.

    Examples
    --------
    >>> list(_spread(["--closings", "1997-09-30", "30.6.1998", "log.csv"]))
    ['--closings', '1997-09-30', '--closings', '30.6.1998', 'log.csv']
    """
    taken = _NOTHING
    for argument in arguments:
        option, _, first = argument.partition("=")
        if option == "--closings":
            taken = _LIKE_A_DAY if first else _NO_OPTION
            yield from (option, first) if first else ()
        elif taken.fullmatch(argument):
            taken = _LIKE_A_DAY
            yield from ("--closings", argument)
        else:
            taken = _NOTHING
            yield argument


def _misread(error: Any) -> int:  # noqa: ANN401 - the class has another name from one typer to the next
    """Say what is wrong with the options, and where to read what is right; nothing if the help has just been shown."""
    message = error.format_message().removesuffix(".")
    command = error.ctx.command_path if error.ctx else "clvmodels"
    return _fail(f"{message}; see {command} --help") if message else _WRONG


def _fail(message: str) -> int:
    from clvmodels.reporting.hints import as_options

    shown = f"{typer.style('error:', fg='red', bold=True)} {plain(as_options(message), lines=True)}"
    try:
        typer.echo(shown, err=True)
    except OSError:  # nobody reads what was wrong; the exit code says that something was
        _silence(sys.stderr)
    return _WRONG
