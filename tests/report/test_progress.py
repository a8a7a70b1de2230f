"""Progress is shown to whom it may help, and compilation announced once."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import pytest

from clvmodels.errors import DataWarning
from clvmodels.report import progress
from clvmodels.report.notes import gathered_notes
from clvmodels.report.progress import announce_compiling, kernels_compiled, steps

INDEX = f"file.kernel-1.py{sys.version_info.major}{sys.version_info.minor}.nbi"


def package(root: Path) -> Path:
    for room in ("numerics", "models"):
        (root / room / "__pycache__").mkdir(parents=True)
    return root


def fill(*folders: Path) -> None:
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / INDEX).touch()


@pytest.fixture(autouse=True)
def _no_cache_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)


def test_kernels_beside_the_sources_count_if_they_are_of_this_python(tmp_path: Path) -> None:
    root = package(tmp_path)
    (root / "numerics" / "__pycache__" / "file.kernel-1.py27.nbi").touch()
    fill(root / "models" / "__pycache__")
    assert not kernels_compiled(root)
    fill(root / "numerics" / "__pycache__")
    assert kernels_compiled(root)


def test_kernels_are_looked_for_where_numba_was_told_to_keep_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = package(tmp_path / "package")
    fill(*(root / room / "__pycache__" for room in ("numerics", "models")))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    assert not kernels_compiled(root)
    fill(tmp_path / "cache" / "numerics_abc", tmp_path / "cache" / "models_abc")
    assert kernels_compiled(root)


def test_kernels_of_a_package_closed_to_writing_lie_with_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from numba.misc.appdirs import AppDirs

    root = package(tmp_path / "package")
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(AppDirs, "user_cache_dir", str(tmp_path / "user"))
    assert not kernels_compiled(root)
    fill(tmp_path / "user" / "numerics_abc", tmp_path / "user" / "models_abc")
    assert kernels_compiled(root)


@pytest.mark.parametrize(
    ("compiled", "quiet", "said"), [(True, False, False), (False, True, False), (False, False, True)]
)
def test_compilation_is_announced_if_it_happens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, compiled: bool, quiet: bool, said: bool
) -> None:
    monkeypatch.setattr(progress, "kernels_compiled", lambda: compiled)
    announce_compiling(quiet=quiet)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("compiling kernels") == said


def test_steps_are_drawn_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with steps(1) as step:
        step("reading")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TTY_INTERACTIVE", "1")
    with steps(2) as step:
        step("reading")
        step("writing")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "writing" in captured.err
    with steps(1, quiet=True) as step:
        step("reading")
    assert capsys.readouterr() == ("", "")


def warn_of_two_things(notes: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with gathered_notes() as gathered:
            warnings.warn("ours", DataWarning, stacklevel=1)
            warnings.warn("of another", RuntimeWarning, stacklevel=1)
    notes += gathered


def test_warnings_of_others_pass() -> None:
    notes: list[str] = []
    with pytest.warns(RuntimeWarning, match="of another"):
        warn_of_two_things(notes)
    assert notes == ["ours"]


def test_a_failure_passes_through() -> None:
    with pytest.raises(KeyError), gathered_notes():
        raise KeyError
