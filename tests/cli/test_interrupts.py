"""Runs that a signal ends at any moment: results are old, new or absent, nothing is left behind, and nothing hangs."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")

LONGEST = 20.0
"""Seconds within which a process has to end after a signal."""
HANDLED = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
"""What is run in the background inherits that SIGINT is ignored."""
COMMAND = [sys.executable, "-c", f"{HANDLED}; from clvmodels.cli import main; main()"]


@dataclass(frozen=True)
class Case:
    """A command on a log, in a folder of its own.

    Attributes
    ----------
    arguments
        The command, without where it writes.
    old, new
        The files of an earlier run and of an uninterrupted one.
    seconds
        How long the uninterrupted one took.
    spills
        Its temporary folder.
    """

    arguments: tuple[str, ...]
    old: dict[str, bytes]
    new: dict[str, bytes]
    seconds: float
    spills: Path


def start(case_arguments: tuple[str, ...], out: Path, spills: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"TMPDIR": str(spills), "SOURCE_DATE_EPOCH": "1767225600", "COLUMNS": "100"}
    command = [*COMMAND, *case_arguments, "--out", str(out)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def files_of(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """Return `value` and `report` on a small log as CSV and as Parquet."""
    folder = tmp_path_factory.mktemp("interrupts")
    rows = pd.DataFrame(
        {
            "customer_id": [f"C{k * 7 % 97:02d}" for k in range(600)],
            "date": pd.Timestamp("2023-01-01") + pd.to_timedelta([k * k % 365 for k in range(600)], unit="D"),
            "amount": [5.0 + k * 13 % 89 for k in range(600)],
        }
    )
    rows.to_csv(folder / "log.csv", index=False)
    rows.to_parquet(folder / "log.parquet", index=False)
    for name, margin in (("old", 0.2), ("new", 0.3)):
        (folder / f"{name}.toml").write_text(f"discount_rate = 0.1\nmargin = {margin}\n", encoding="utf-8")
    (folder / "spills").mkdir()
    made = {}
    for command, options in (("value", ()), ("report", ("--closings", "2023-06-30", "2023-12-31"))):
        for kind in ("csv", "parquet"):
            log = (
                command,
                str(folder / f"log.{kind}"),
                "--value",
                "amount",
                "--model",
                "bg_nbd",
                "--method",
                "mle",
                *options,
            )
            written, seconds = {}, 0.0
            for name in ("old", "new"):
                begun = time.monotonic()
                out = folder / f"{command}-{kind}-{name}"
                arguments = (*log, "--assumptions", str(folder / f"{name}.toml"))
                process = start(arguments, out, folder / "spills")
                error = process.communicate(timeout=120)[1]
                assert process.returncode == 0, error
                written[name], seconds = files_of(out), time.monotonic() - begun
            made[f"{command}-{kind}"] = Case(arguments, written["old"], written["new"], seconds, folder / "spills")
    return made


def end_at(case: Case, moment: float, number: int, place: Path, *, earlier: bool) -> str:
    """Send a signal to a run when `moment` seconds have passed, and return how it ended; assert that all is whole."""
    place.mkdir()
    out = place / "out"
    if earlier:
        out.mkdir()
        for name, content in case.old.items():
            (out / name).write_bytes(content)
    process = start(case.arguments, out, case.spills)
    time.sleep(moment)
    process.send_signal(number)
    try:
        error = process.communicate(timeout=LONGEST)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"still there {LONGEST} seconds after signal {number}, sent after {moment:.3f} seconds")
    what = f"signal {number} after {moment:.3f} of {case.seconds:.2f} seconds, exit code {process.returncode}: {error}"
    assert process.returncode in (0, 128 + number, -number), what  # the last before the command line is imported
    if process.returncode == 128 + number:
        assert "Traceback" not in error, what
    assert [entry.name for entry in case.spills.iterdir()] == [], what
    assert [entry.name for entry in place.iterdir()] in ([], ["out"]), what
    found = files_of(out) if out.exists() else None
    whole = {"new": case.new, "old": case.old} if earlier else {"new": case.new, "absent": None}
    assert found in whole.values(), what
    shutil.rmtree(place)
    return f"{process.returncode} {next(name for name, content in whole.items() if content == found)}"


Ends = Callable[[int, int, int], Counter[str]]


@pytest.fixture
def ends(cases: dict[str, Case], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ends:
    """Return a function that ends runs of all cases by a signal and counts how they ended."""

    def count(number: int, runs: int, seed: int) -> Counter[str]:
        draw, found = random.Random(seed), Counter[str]()
        for k in range(runs):
            name, case = sorted(cases.items())[k % len(cases)]
            moment = draw.uniform(0.0, 1.05 * case.seconds)  # some after its end
            earlier = draw.random() < 0.5
            found[f"{name} {end_at(case, moment, number, tmp_path / str(k), earlier=earlier)}"] += 1
        with capsys.disabled():
            for how in sorted(found):
                sys.stderr.write(f"\n{how}: {found[how]}")
        return found

    return count


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_runs_ended_at_random_moments(ends: Ends, number: int) -> None:
    assert sum(ends(number, 5, 20).values()) == 5


@pytest.mark.slow  # 200 runs of some 2 seconds
def test_two_hundred_interrupts(ends: Ends) -> None:
    assert sum(ends(signal.SIGINT, 200, 1).values()) == 200


@pytest.mark.slow  # 100 runs of some 2 seconds
def test_a_hundred_terminations(ends: Ends) -> None:
    assert sum(ends(signal.SIGTERM, 100, 2).values()) == 100
