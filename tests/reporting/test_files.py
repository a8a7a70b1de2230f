"""Files appear whole or not at all."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from clvmodels.files import swapped, whole_file
from clvmodels.reporting import files
from clvmodels.reporting.files import OutputError, require_folder, require_table, whole_folder, write_table

NAMES = ("fit.json", "table.csv")
MARK = "fit.json"


def ours(folder: Path) -> Path:
    """Make a folder such as this package writes."""
    folder.mkdir()
    (folder / MARK).write_text('{"format": "clvmodels fit"}', encoding="utf-8")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_moves_to_its_place_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.csv"
    with whole_file(path) as part:
        part.write_text("x", encoding="utf-8")
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "x"
    assert names(path.parent) == ["b.csv"]


def test_a_failure_takes_the_folders_made_for_it_away(tmp_path: Path) -> None:
    def write() -> None:
        with whole_file(tmp_path / "a" / "b" / "c.csv") as part:
            part.write_text("x", encoding="utf-8")
            raise KeyError

    with pytest.raises(KeyError):
        write()
    assert names(tmp_path) == []


def test_a_folder_replaces_an_earlier_one(tmp_path: Path) -> None:
    folder = ours(tmp_path / "out")
    (folder / "table.csv").write_text("old", encoding="utf-8")
    with whole_folder(folder, NAMES, MARK) as part:
        (part / MARK).write_text("new", encoding="utf-8")
        assert (folder / "table.csv").read_text(encoding="utf-8") == "old"
    assert (folder / MARK).read_text(encoding="utf-8") == "new"
    assert names(folder) == [MARK]
    assert names(tmp_path) == ["out"]


def test_a_folder_may_be_there_and_empty(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with whole_folder(tmp_path / "out", NAMES, MARK) as part:
        (part / MARK).write_text("new", encoding="utf-8")
    assert names(tmp_path / "out") == [MARK]


def test_a_link_goes_on_to_lead_where_it_led(tmp_path: Path) -> None:
    folder = ours(tmp_path / "out")
    (tmp_path / "link").symlink_to(folder)
    with whole_folder(tmp_path / "link", NAMES, MARK) as part:
        (part / MARK).write_text("new", encoding="utf-8")
    assert (tmp_path / "link").is_symlink()
    assert (folder / MARK).read_text(encoding="utf-8") == "new"


def test_a_file_that_came_in_the_meantime_is_not_lost(tmp_path: Path) -> None:
    folder = ours(tmp_path / "out")

    def write() -> None:
        with whole_folder(folder, NAMES, MARK) as part:
            (part / MARK).write_text("new", encoding="utf-8")
            (folder / "notes.txt").write_text("mine", encoding="utf-8")

    with pytest.raises(OutputError, match=r"notes\.txt"):
        write()
    assert names(folder) == [MARK, "notes.txt"]
    assert names(tmp_path) == ["out"]


def test_the_earlier_folder_comes_back_if_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ours(tmp_path / "out")
    rename = Path.rename

    def fail_for_parts(path: Path, target: Path) -> Path:
        if target == folder.resolve() and not list(path.iterdir()):
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(files, "swapped", lambda *_: False)
    monkeypatch.setattr(Path, "rename", fail_for_parts)
    with pytest.raises(KeyboardInterrupt), whole_folder(folder, NAMES, MARK):
        pass
    assert names(folder) == [MARK]
    assert names(tmp_path) == ["out"]


def test_a_folder_is_replaced_where_the_system_exchanges_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ours(tmp_path / "out")
    monkeypatch.setattr(files, "swapped", lambda *_: False)
    with whole_folder(folder, NAMES, MARK) as part:
        (part / MARK).write_text("new", encoding="utf-8")
    assert (folder / MARK).read_text(encoding="utf-8") == "new"
    assert names(tmp_path) == ["out"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the call is one of Linux")
def test_folders_are_exchanged_in_one_step(tmp_path: Path) -> None:
    for name in ("one", "ötwo"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert swapped(tmp_path / "one", tmp_path / "ötwo")
    assert names(tmp_path / "one") == ["ötwo"]
    assert names(tmp_path / "ötwo") == ["one"]
    assert not swapped(tmp_path / "one", tmp_path / "missing")


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked there")
def test_what_a_killed_run_has_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """Only folders with just these names, of no running process; links and files stay."""
    killed = """
import os, signal, sys
from pathlib import Path
from clvmodels.files import swapped, whole_file

with whole_file(Path(sys.argv[1])) as part:
    part.write_text("half", encoding="utf-8")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    target = tmp_path / "table.csv"
    done = subprocess.run([sys.executable, "-c", killed, str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = names(tmp_path)
    assert re.fullmatch(r"\.table\.csv\.[0-9a-f]{8}\.part", left)
    others = [".table.csv.0123456.part", ".other.csv.01234567.part", ".table.csv.01234567.part.before"]
    for name in others:
        (tmp_path / name).mkdir()
    (tmp_path / ".table.csv.00000000.part").touch()
    (tmp_path / ".table.csv.11111111.part").symlink_to(tmp_path / others[0])
    with whole_file(target) as running, whole_file(target) as part:
        part.write_text("whole", encoding="utf-8")
        assert running.parent.is_dir()
        running.write_text("later", encoding="utf-8")
    assert target.read_text(encoding="utf-8") == "later"
    kept = [*others, ".table.csv.00000000.part", ".table.csv.11111111.part", "table.csv"]
    assert names(tmp_path) == sorted(kept)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes")
@pytest.mark.parametrize("mode", [0o700, 0o2770, 0o755])
def test_whoever_may_enter_a_folder_may_enter_what_replaces_it(tmp_path: Path, mode: int) -> None:
    folder = ours(tmp_path / "out")
    folder.chmod(mode)
    with whole_folder(folder, NAMES, MARK) as part:
        assert stat.S_IMODE(part.stat().st_mode) == mode
    assert stat.S_IMODE(folder.stat().st_mode) == mode


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="only root gives folders away")
def test_a_folder_stays_that_of_its_group(tmp_path: Path) -> None:
    folder = ours(tmp_path / "out")
    os.chown(folder, -1, 4711)
    with whole_folder(folder, NAMES, MARK) as part:
        (part / MARK).touch()
    assert folder.stat().st_gid == 4711


def test_a_folder_that_cannot_be_moved_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ours(tmp_path / "out")
    (tmp_path / "link").symlink_to(folder)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_mount", lambda path: path == folder)
        for path in (folder, tmp_path / "link"):
            with pytest.raises(
                OutputError, match=r"out': it is a mount point; name a folder in it, such as '.*out.res"
            ):
                require_folder(path, NAMES, MARK)
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    with pytest.raises(OutputError, match=f"'{tmp_path}' cannot be written to"):
        require_folder(folder, NAMES, MARK)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("notes.txt", ""),
        (MARK, "no json"),
        (MARK, '["clvmodels fit"]'),
        (MARK, '{"format": "another"}'),
        ("table.csv", ""),
    ],
)
def test_what_others_wrote_is_not_replaced(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(OutputError, match=name):
        require_folder(tmp_path, NAMES, MARK)


def test_a_long_list_of_files_is_cut(tmp_path: Path) -> None:
    for name in "abcdef":
        (tmp_path / name).touch()
    with pytest.raises(OutputError, match=r"\(a, b, c, \.\.\.\)"):
        require_folder(tmp_path, NAMES, MARK)


def test_a_table_needs_an_ending_and_a_place(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"unknown kind of table '\.xlsx'"):
        require_table(tmp_path / "a.xlsx", "log.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        require_table(tmp_path / "folder.csv", "log.csv")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="not a folder that can be written to"):
        require_table(tmp_path / "file" / "a.csv", "log.csv")
    require_table(tmp_path / "new" / "A.Parquet", "log.csv")


def test_a_table_does_not_replace_what_it_is_made_of(tmp_path: Path) -> None:
    for name in ("log[1].csv", "log2.csv", "other.csv"):
        (tmp_path / name).touch()
    (tmp_path / "link.csv").symlink_to(tmp_path / "log2.csv")
    for name, source in (("log[1].csv", "log[1].csv"), ("log2.csv", "log*.csv"), ("link.csv", "log2.csv")):
        with pytest.raises(OutputError, match="the log is read from it; name another file"):
            require_table(tmp_path / name, str(tmp_path / source))
    require_table(tmp_path / "other.csv", str(tmp_path / "log*.csv"))


def test_tables_keep_ids_and_missing_numbers(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": [1.0, None]}, index=pd.Index(["007", 'a "b", ü'], name="customer_id"))
    for kind in files.TABLES:
        write_table(table, tmp_path / f"t{kind}", kind=kind)
    parquet = pd.read_parquet(tmp_path / "t.parquet")
    csv = pd.read_csv(tmp_path / "t.csv", dtype={"customer_id": "str"}, encoding="utf-8")
    for read in (parquet, csv):
        pd.testing.assert_frame_equal(read, table.reset_index(), check_dtype=False)


def test_the_format_of_our_files_begins_as_the_check_expects(tmp_path: Path) -> None:
    import clvmodels as clv

    clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44}).save(tmp_path / MARK)
    assert json.loads((tmp_path / MARK).read_text(encoding="utf-8"))["format"].startswith("clvmodels ")
    require_folder(tmp_path, NAMES, MARK)
