"""The options and arguments of the commands: what each is called, and what its help says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AcquisitionLedger",
    "By",
    "CampaignsLedger",
    "CleanIds",
    "Closings",
    "CustomerId",
    "Draws",
    "End",
    "ExcludeIds",
    "Folder",
    "LanguageName",
    "Log",
    "MaybeValue",
    "MemoryGb",
    "ModelKey",
    "OrderId",
    "Quantity",
    "Quiet",
    "ReferralsLedger",
    "ReportFolder",
    "Resolution",
    "Returns",
    "ReturnsLedger",
    "ServiceLedger",
    "SpendKey",
    "SpillFolder",
    "Start",
    "Table",
    "Terms",
    "Time",
    "TimeFormat",
    "TimeZone",
    "UnitName",
    "Value",
]

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
