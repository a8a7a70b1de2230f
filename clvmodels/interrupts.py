"""Signals that end a run: turned into an exception that unwinds it, and held back where that would do harm.

An exception can be raised between any two instructions of the main thread: after a lock of `threading` has been taken
and before the block that gives it back, or after a folder has been made and before the block that removes it. A thread
that waits for such a lock never ends, and the interpreter never ends before it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Final, NoReturn, Self

__all__ = ["Ending", "interrupts_deferred"]

ENDING: Final = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)  # some systems lack one
)
"""What asks a run to end: Ctrl-C, a scheduler, a terminal that closes."""
PATIENCE: Final = 2.0
"""Seconds after a signal within which another one means the same: the run is cleaning up."""
LONGEST: Final = 10.0
"""Seconds after a signal at which the process ends, whatever it waits for."""
SOON: Final = 0.02
"""Seconds after which a lost interrupt is raised again."""


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Hold back the signals that end a run until the block is over; in threads, which get none, nothing changes."""
    if threading.get_ident() != threading.main_thread().ident:
        yield
        return
    with _deferred(signal.SIGINT), _deferred(signal.SIGTERM), _deferred(getattr(signal, "SIGHUP", None)):
        yield


@contextmanager
def _deferred(number: int | None) -> Iterator[None]:
    handler = None if number is None else signal.getsignal(number)
    if number is None or not callable(handler):  # the system's own way, which raises nothing
        yield
        return
    frames: list[FrameType | None] = []

    def keep(_: int, frame: FrameType | None) -> None:
        frames.append(frame)

    signal.signal(number, keep)
    try:
        yield
    finally:
        signal.signal(number, handler)
        if frames:
            handler(number, frames[0])


class Ending:
    """Has signals raise KeyboardInterrupt in this process, which is to end by `leave`.

    Parameters
    ----------
    clean
        Removes what unfinished work has left on disk.

    Attributes
    ----------
    number
        The signal that was received; None if there was none.
    """

    def __init__(self, clean: Callable[[], None]) -> None:
        self.clean = clean
        self.number: int | None = None
        self._at = -float("inf")

    def __enter__(self) -> Self:
        for number in ENDING:
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):  # not what nohup ignores
                signal.signal(number, self._received)
        sys.unraisablehook = self._unraisable
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        """Ignore signals from here on, as the process ends by itself; and what a signal has raised.

        That may be another error: a compiled module whose import is interrupted makes an ImportError of it.
        """
        for number in ENDING:
            if signal.getsignal(number) == self._received:
                signal.signal(number, signal.SIG_IGN)
        return self.number is not None

    @property
    def code(self) -> int:
        """The exit code of a process that a signal has ended."""
        return 128 + (self.number or signal.SIGINT)

    def leave(self) -> NoReturn:
        """End the process after a signal, without the interpreter's own end.

        That would wait for threads which may be computing, and take DuckDB down while they do.
        """
        self.clean()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):  # closed, or there is none
                stream.flush()
        os._exit(self.code)

    def _received(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._at < PATIENCE:
            return
        if self.number is None:
            start_new_thread(self._watch, ())  # not by `threading`, whose locks the interrupted code may hold
        self.number, self._at = number, now
        raise KeyboardInterrupt

    def _watch(self) -> None:
        """End the process if it has not ended by itself."""
        time.sleep(LONGEST)
        self.leave()

    def _unraisable(self, lost: sys.UnraisableHookArgs) -> None:
        """Raise an interrupt again that was raised where nothing can be raised, as in the end of an object."""
        if not isinstance(lost.exc_value, KeyboardInterrupt):
            sys.__unraisablehook__(lost)
            return
        start_new_thread(self._again, ())

    def _again(self) -> None:
        time.sleep(SOON)
        self._at = -float("inf")
        if self.number is not None:
            signal.raise_signal(self.number)
