"""What the commands print, and what becomes of them where nobody can read it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clvmodels import cli
from clvmodels.data import transactions

if sys.platform == "win32":
    pytest.skip("these streams are those of other systems", allow_module_level=True)

COMMAND = f"{sys.executable} -c 'from clvmodels.cli import main; main()'"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    days = [f"C{k % 9},2023-{1 + k % 12:02d}-{1 + k % 28:02d}" for k in range(60)]
    path.write_text("\n".join(["customer_id,date", *days]) + "\n", encoding="utf-8")
    return path


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


def test_a_reader_who_has_read_enough_ends_nothing(log: Path, tmp_path: Path) -> None:
    """The pipe is closed before anything is printed, and the table is written all the same."""
    out = tmp_path / "table.csv"
    done = shell(f"{COMMAND} summarize {log} --out {out} | true")
    assert (done.returncode, done.stderr) == (0, "")
    assert out.exists()


def test_closed_streams_end_nothing(log: Path) -> None:
    for streams, code in ((">&-", 0), (">&- 2>&-", 0), ("2>&-", 0)):
        assert shell(f"{COMMAND} summarize {log} {streams}").returncode == code
    assert shell(f"{COMMAND} summarize {log}x 2>&-").returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is full")
def test_a_full_disk_below_a_stream_is_one_error(log: Path) -> None:
    done = shell(f"{COMMAND} summarize {log} > /dev/full")
    assert (done.returncode, done.stderr) == (2, "error: No space left on device\n")
    assert shell(f"{COMMAND} summarize {log}x 2> /dev/full").returncode == 2


def test_letters_that_a_terminal_does_not_have_are_replaced(log: Path, tmp_path: Path) -> None:
    path = tmp_path / "käufe.csv"
    path.write_bytes(log.read_bytes())
    done = shell(f"{COMMAND} summarize {path}; {COMMAND} summarize {path}x", PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert "k?ufe.csv" in done.stdout.replace("\n", "")  # a narrow terminal breaks a long path
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_too_little_memory_is_one_error(
    log: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def rfm_summary(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(transactions, "rfm_summary", rfm_summary)
    with pytest.raises(SystemExit) as left:
        cli.main(["summarize", str(log)])
    assert left.value.code == 2
    assert "not enough memory" in capfd.readouterr().err
