"""The options of a purchase log on the command line are those of `LogFormat`, and arrive as they were written."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

import clvmodels as clv
from clvmodels.cli import commands
from clvmodels.cli.options import LogOptions, StorageOptions
from clvmodels.errors import DataError
from clvmodels.reporting import hints

if TYPE_CHECKING:
    from tests.cli.conftest import Run

FORMAT = {field.name: field.default for field in dataclasses.fields(clv.LogFormat)}
# An option each, none of which has the value of another or its default.
WRITTEN = {
    "customer_id": "client",
    "time": "when",
    "value": "amount",
    "unit": "day",
    "resolution": "hour",
    "returns": "drop",
    "time_zone": "Europe/Berlin",
    "time_format": "%d.%m.%Y",
    "order_id": "order",
    "quantity": "pieces",
}
ROWS = {"exclude_ids": ["guest", "test"], "clean_ids": True}
OPTIONS = [text for name, value in WRITTEN.items() for text in (f"--{name.replace('_', '-')}", value)]
OPTIONS += ["--exclude-ids", "guest", "--exclude-ids", "test", "--clean-ids"]


class Recorder:
    """A function that keeps the keywords of its call and reads no log."""

    keywords: dict[str, Any]

    def __call__(self, log: object, **keywords: object) -> NoReturn:
        self.keywords = keywords
        raise DataError(f"{log} is not read")


@pytest.mark.parametrize(
    "command", [commands.summarize, commands.fit, commands.value, commands.backtest, commands.report]
)
def test_a_command_has_the_options_of_a_log_with_their_defaults(command: Any) -> None:
    defaults = {name: option.default for name, option in inspect.signature(command).parameters.items()}
    needs_values = command in (commands.value, commands.report)
    for name in FORMAT.keys() - {"attributes", "exclude_ids"}:  # a list of none is None to typer
        required = needs_values and name == "value"
        assert defaults[name] == (inspect.Parameter.empty if required else FORMAT[name]), name
    assert defaults["exclude_ids"] is None
    assert ("observation_end" in defaults) == (command is not commands.report)


def test_options_that_are_not_written_make_the_format_of_a_log_by_default() -> None:
    assert LogOptions().log_format() == clv.LogFormat()
    assert LogOptions().log_format(["segment"]) == clv.LogFormat(attributes=["segment"])


def test_histories_are_read_with_the_options_that_are_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    monkeypatch.setattr("clvmodels.data.transactions.rfm_summary", recorder)
    window = {"observation_start": "2024-01-01", "observation_end": "2024-12-31"}
    days = ["--observation-start", window["observation_start"], "--observation-end", window["observation_end"]]
    storage = ["--memory-gb", 2.5, "--spill-folder", tmp_path]
    assert run("summarize", "purchases.csv", *OPTIONS, *days, *storage).code == 2
    spilled = {"memory_gb": 2.5, "spill_folder": tmp_path}
    assert recorder.keywords == {**WRITTEN, **ROWS, **window, **spilled, "attributes": ()}


def test_a_report_is_made_with_the_options_that_are_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setattr("clvmodels.reporting.report.report", recorder)
    days = ["--observation-start", "2024-01-01", "--closings", "2024-12-31", "2025-12-31"]
    ledgers = {name: f"{name}.csv" for name in ("returns", "service", "campaigns", "acquisition", "referrals")}
    files = [text for name, file in ledgers.items() for text in (f"--{name}-ledger", file)]
    given = ["--assumptions", "terms.toml", "--by", "segment", "--method", "nuts", "--draws", 20, "--out", "report"]
    assert run("report", "purchases.csv", *OPTIONS, *days, *files, *given).code == 2
    assert recorder.keywords == {
        "log_format": clv.LogFormat(**WRITTEN, **ROWS),
        "assumptions": Path("terms.toml"),
        "closings": ["2024-12-31", "2025-12-31"],
        "by": "segment",
        "ledgers": ledgers,
        "models": "auto",
        "spend": "auto",
        "observation_start": "2024-01-01",
        "method": "nuts",
        "draws": 20,
        "progress": True,
    }


def test_hints_know_the_options_of_a_log_and_the_method() -> None:
    options = {field.name for group in (LogOptions, StorageOptions) for field in dataclasses.fields(group)}
    assert set(hints._OPTIONS) == options | {"method"}
