"""The options and arguments of the commands: what each is called, and what its help says.

Options that several commands share stand in a class, which a command takes as one parameter: see `grouped`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from clvmodels.data.reading import LogFormat

__all__ = [
    "BacktestLogOptions",
    "By",
    "Closings",
    "Cutoffs",
    "DiscountRate",
    "Draws",
    "Folder",
    "Horizon",
    "LanguageName",
    "LedgerOptions",
    "Log",
    "LogOptions",
    "Margin",
    "MethodName",
    "ModelKey",
    "NewTerms",
    "OptionalTerms",
    "Quiet",
    "ReportFolder",
    "ReportLogOptions",
    "ScoreTable",
    "SpendKey",
    "StorageOptions",
    "Table",
    "Terms",
    "ValuedLogOptions",
    "grouped",
]

_log = partial(typer.Option, rich_help_panel="The purchase log")
_ledger = partial(
    typer.Option, metavar="FILE", rich_help_panel="The relationship ledgers: CSV or Parquet, each optional"
)
_models = partial(typer.Option, rich_help_panel="The models")
_result = partial(typer.Option, rich_help_panel="The result")

Log = Annotated[str, typer.Argument(metavar="LOG", help="CSV or Parquet, one row a purchase; * for several files.")]
Closings = Annotated[list[str], _log(metavar="DAY ...", help="Closing dates, rising; the last one is reported.")]
Cutoffs = Annotated[
    list[str] | None,
    _log(metavar="DAY ...", help="Last days of training; else the one that leaves the horizon at the end of the log."),
]
Horizon = Annotated[
    str | None,
    _log(metavar="TIME", help='Time predicted, as "26 weeks"; else what remains: without cutoffs, the last third.'),
]
By = Annotated[str | None, _log(metavar="COLUMN", help="Column of the segments of the statement.")]
ModelKey = Annotated[str, _models("--model", metavar="MODEL", help="bg_nbd, mbg_nbd, pareto_nbd; auto: all of them.")]
SpendKey = Annotated[str, _models("--spend", metavar="MODEL", help="Model of order values; auto: the orders decide.")]
Terms = Annotated[Path, _models("--assumptions", metavar="FILE", help="TOML: discount_rate, margin, ...")]
NewTerms = Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")]
OptionalTerms = Annotated[
    Path | None,
    _models("--assumptions", metavar="FILE", help="TOML: discount_rate, margin, ...; `clvmodels init` writes one."),
]
Margin = Annotated[
    float | None, _models(metavar="SHARE", help="Contribution as a share of sales, as 0.3; in place of --assumptions.")
]
DiscountRate = Annotated[
    float | None, _models(metavar="RATE", help="Effective annual rate, as 0.12; in place of --assumptions.")
]
MethodName = Annotated[
    str, _models("--method", metavar="METHOD", help="posterior; mle: point estimates, no intervals; laplace; nuts.")
]
Draws = Annotated[int, _models(min=0, metavar="N", help="Draws of each model, behind the intervals; 0: as by mle.")]
Table = Annotated[Path | None, _result("--out", metavar="FILE", help="Write the table by customer: .parquet, .csv.")]
ScoreTable = Annotated[Path | None, _result("--out", metavar="FILE", help="Write the scores: .parquet, .csv.")]
Folder = Annotated[Path | None, _result("--out", metavar="DIR", help="Write to this folder, all or nothing.")]
ReportFolder = Annotated[Path, _result("--out", metavar="DIR", help="Write to this folder, all or nothing.")]
LanguageName = Annotated[str, _result("--language", metavar="LANGUAGE", help="en or de.")]
Quiet = Annotated[bool, _result("--quiet", "-q", help="Show no progress.")]


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """The options of a purchase log: those of `LogFormat`, and the window. Each field is an option."""

    customer_id: Annotated[str, _log(metavar="COLUMN", help="Column of the customer ids.")] = "customer_id"
    time: Annotated[str, _log(metavar="COLUMN", help="Column of the times of purchase.")] = "date"
    value: Annotated[str | None, _log(metavar="COLUMN", help="Column of the values; without it there is no spend.")] = (
        None
    )
    unit: Annotated[str, _log(metavar="UNIT", help="Unit of model time: hour, day, week, month, year.")] = "week"
    resolution: Annotated[
        str | None, _log(metavar="UNIT", help="Purchases within one day (hour, week, ...) are one; else exact times.")
    ] = None
    observation_start: Annotated[
        str | None, _log(metavar="DAY", help="First day observed, as 1997-01-01; else that of the log.")
    ] = None
    observation_end: Annotated[
        str | None, _log(metavar="DAY", help="Last day observed, itself included; else that of the log.")
    ] = None
    returns: Annotated[str, _log(metavar="POLICY", help="Rows with a negative value: net, drop, raise, keep.")] = "net"
    time_zone: Annotated[str | None, _log(metavar="ZONE", help="Zone whose days are counted, as Europe/Berlin.")] = None
    time_format: Annotated[
        str | None, _log(metavar="FORMAT", help="How times are written, as %d.%m.%Y; ISO needs none.")
    ] = None
    order_id: Annotated[
        str | None,
        _log(metavar="COLUMN", help="Column of the order ids, if a row is an order line: one id is one order."),
    ] = None
    quantity: Annotated[
        str | None, _log(metavar="COLUMN", help="Column of the quantities, if the values are unit prices.")
    ] = None
    exclude_ids: Annotated[
        list[str] | None, _log(metavar="ID", help="Customer to leave out, such as guest; several: once for each.")
    ] = None
    clean_ids: Annotated[bool, _log("--clean-ids", help="Ids that differ by capitals or blanks are the same.")] = False

    def log_format(self, attributes: Sequence[str] = ()) -> LogFormat:
        """Return the format of the log, with further columns to keep."""
        from clvmodels.data.reading import LogFormat

        given = vars(self) | {"attributes": attributes, "exclude_ids": self.exclude_ids or ()}
        return LogFormat(**{option.name: given[option.name] for option in fields(LogFormat)})


@dataclass(frozen=True, kw_only=True)
class ValuedLogOptions(LogOptions):
    """The options of a purchase log whose values are needed."""

    value: Annotated[str, _log(metavar="COLUMN", help="Column of the values.")] = field()


@dataclass(frozen=True, kw_only=True)
class ReportLogOptions(ValuedLogOptions):
    """The options of a purchase log that is observed up to each closing."""

    observation_end: None = field(default=None, init=False)


@dataclass(frozen=True, kw_only=True)
class BacktestLogOptions(LogOptions):
    """The options of a purchase log that is observed from its beginning."""

    observation_start: None = field(default=None, init=False)


@dataclass(frozen=True, kw_only=True)
class StorageOptions:
    """The options for the aggregation of a log out of core."""

    memory_gb: Annotated[
        float | None,
        _log(metavar="GB", help="Memory for aggregating the log; what does not fit is spilled. Of Parquet: 3."),
    ] = None
    spill_folder: Annotated[Path | None, _log(metavar="DIR", help="Where to spill; else the temporary folder.")] = None


@dataclass(frozen=True, kw_only=True)
class LedgerOptions:
    """The options of the relationship ledgers."""

    returns_ledger: Annotated[str | None, _ledger(help="customer_id, time, value.")] = None
    service_ledger: Annotated[str | None, _ledger(help="customer_id, time.")] = None
    campaigns_ledger: Annotated[str | None, _ledger(help="customer_id, time.")] = None
    acquisition_ledger: Annotated[str | None, _ledger(help="customer_id, cost, channel.")] = None
    referrals_ledger: Annotated[str | None, _ledger(help="customer_id, referred_id, time.")] = None

    def by_name(self) -> dict[str, str | None]:
        """Return the files by the names that the ledgers have in a report."""
        return {name.removesuffix("_ledger"): file for name, file in vars(self).items()}


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take options by the class: one of its parameters stands for all options of its class.

    Typer reads the options of a command from its signature. In the signature of what is returned, each parameter that
    is annotated with a dataclass is replaced by the fields of that class, in their order and with their defaults.

    Examples
    --------
    >>> def show(log: str, storage: StorageOptions, quiet: bool = False) -> None:
    ...     print(storage.memory_gb)
    >>> list(inspect.signature(grouped(show)).parameters)
    ['log', 'memory_gb', 'spill_folder', 'quiet']
    >>> grouped(show)(log="log.csv", memory_gb=2.0, spill_folder=None)
    2.0
    """
    parameters: list[inspect.Parameter] = []
    groups: dict[str, tuple[type, list[str]]] = {}
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        group: Any = parameter.annotation
        if isinstance(group, type) and is_dataclass(group):
            options = inspect.signature(group, eval_str=True).parameters
            groups[parameter.name] = group, list(options)
            parameters += options.values()
        else:
            parameters.append(parameter)

    @wraps(command)
    def with_groups(**given: object) -> None:
        for name, (group, options) in groups.items():
            given[name] = group(**{option: given.pop(option) for option in options if option in given})
        command(**given)

    keyword_only = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    with_groups.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined] # where inspect looks
    return with_groups
