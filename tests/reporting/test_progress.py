"""Progress is shown to whom it may help."""

from __future__ import annotations

import warnings

import pytest

from clvmodels.errors import DataWarning
from clvmodels.reporting.notes import captured_warnings
from clvmodels.reporting.progress import steps


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
        with captured_warnings() as gathered:
            warnings.warn("ours", DataWarning, stacklevel=1)
            warnings.warn("of another", RuntimeWarning, stacklevel=1)
    notes += gathered


def test_warnings_of_others_pass() -> None:
    notes: list[str] = []
    with pytest.warns(RuntimeWarning, match="of another"):
        warn_of_two_things(notes)
    assert notes == ["ours"]


def test_a_failure_passes_through() -> None:
    with pytest.raises(KeyError), captured_warnings():
        raise KeyError
