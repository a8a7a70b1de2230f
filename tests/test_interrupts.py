"""Signals are held back where an exception would leave a lock taken or a folder behind."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from clvmodels.data.translated import translate_errors
from clvmodels.files import Workplace, folders
from clvmodels.interrupts import interrupts_deferred
from clvmodels.numerics import threads

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are raised in another way there")


@pytest.fixture(autouse=True)
def python_s_own_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_is_raised_when_the_block_is_over() -> None:
    reached = []

    def run() -> None:
        with interrupts_deferred(), interrupts_deferred():
            signal.raise_signal(signal.SIGINT)
            reached.append("end")

    with pytest.raises(KeyboardInterrupt):
        run()
    assert reached == ["end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts_deferred():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_threads_hold_nothing_back() -> None:
    handlers = []

    def run() -> None:
        with interrupts_deferred():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]


def interrupting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have an interrupt arrive whenever a lock of `threading` has just been taken; return what counts them."""
    arrived: list[str] = []
    enter = threading.Condition.__enter__

    def enter_and_interrupt(condition: threading.Condition) -> bool:
        taken = enter(condition)
        if threading.get_ident() == threading.main_thread().ident:
            arrived.append("SIGINT")
            signal.raise_signal(signal.SIGINT)
        return taken

    monkeypatch.setattr(threading.Condition, "__enter__", enter_and_interrupt)
    return arrived


def test_an_interrupt_that_meets_a_lock_of_the_pool_stops_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without care the pool's threads would wait for the lock without end, and the interpreter for them."""
    values = np.zeros(8)

    def double(rows: slice) -> None:
        values[rows] += 1.0

    threads._pool.cache_clear()
    with monkeypatch.context() as patch:
        arrived = interrupting(patch)
        with pytest.raises(KeyboardInterrupt):
            threads.map_blocks(double, 8, 1)
        assert arrived
    values[:] = 0.0
    threads.map_blocks(double, 8, 1)
    assert values.tolist() == [1.0] * 8


def test_an_interrupt_that_meets_a_lock_of_a_query_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = duckdb.connect()

    def query() -> object:
        return connection.sql("SELECT count(*) FROM range(1_000_000_000_000) a").fetchall()

    with monkeypatch.context() as patch:
        arrived = interrupting(patch)
        with pytest.raises(KeyboardInterrupt):
            translate_errors(connection, query)
        assert arrived
    assert "clvmodels query" not in [thread.name for thread in threading.enumerate()]
    assert translate_errors(connection, lambda: connection.sql("SELECT 1").fetchall()) == [(1,)]


def interrupted(work: Callable[[], object], microseconds: int) -> None:
    """Do some work again and again, and each time interrupt it after so long; assert that an interrupt arrives."""

    def run() -> None:
        for _ in range(10_000):
            signal.setitimer(signal.ITIMER_REAL, microseconds / 1e6)
            work()

    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with pytest.raises(KeyboardInterrupt):
            run()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("microseconds", range(5, 3_000, 300))
def test_queries_interrupted_at_any_moment_end(microseconds: int) -> None:
    connection = duckdb.connect()
    query = "SELECT sum(i) FROM range(20_000) t(i)"
    interrupted(lambda: translate_errors(connection, lambda: connection.sql(query).fetchall()), microseconds)
    assert "clvmodels query" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("microseconds", range(5, 1_000, 100))
def test_blocks_interrupted_at_any_moment_end(microseconds: int) -> None:
    values = np.ones(200_000)
    interrupted(lambda: threads.map_blocks(lambda rows: np.cumsum(values[rows]), len(values), 20_000), microseconds)
    assert sum(threads.map_blocks(lambda rows: values[rows].sum(), len(values), 20_000)) == len(values)


def test_an_error_in_a_block_is_raised_by_whichever_thread_meets_it() -> None:
    def fail(rows: slice) -> None:
        if rows.start == 7:
            raise KeyError(rows.start)

    for _ in range(50):
        with pytest.raises(KeyError, match="7"):
            threads.map_blocks(fail, 8, 1)


def test_a_folder_that_an_interrupt_meets_goes_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Path.mkdir

    def make_and_interrupt(path: Path, *some: int, **options: bool) -> None:
        make(path, *some, **options)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Path, "mkdir", make_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        Workplace(tmp_path, ".", ".part")
    with pytest.raises(KeyboardInterrupt), folders(tmp_path / "a" / "b"):
        pass
    assert list(tmp_path.iterdir()) == []
