"""Folders of processes that run at the same time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clvmodels import files
from clvmodels.files import Workplace


def test_a_folder_taken_for_a_leftover_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process removes it before it is opened, and again before it is locked."""
    made: list[Path] = []
    opening = os.open

    def robbed(path: Path, flags: int) -> int:
        made.append(path)
        if len(made) == 1:
            path.rmdir()
        opened = opening(path, flags)
        if len(made) == 2:
            path.rmdir()
        return opened

    monkeypatch.setattr(files.os, "open", robbed)
    folder = Workplace(tmp_path, ".log.", ".part")
    assert len(set(made)) == 3
    assert list(tmp_path.iterdir()) == [folder.path] == made[2:]
    monkeypatch.undo()
    folder.remove()
    assert not any(tmp_path.iterdir())
