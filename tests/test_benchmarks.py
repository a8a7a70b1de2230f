"""The benchmarks: who takes part, how failures are told, what the pages say, what the simulator and the inputs are."""

from __future__ import annotations

import json
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import inputs, machine, report, run, scaling, simulate, worker
from benchmarks.problems import CONTESTANTS, DATA_END, PROBLEMS, SMALL_LOG, Problem

ME = {"machine": "a machine", "system": "a system", "versions": "some versions", "date": "2026-01-01"}


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_somebody_takes_part_in_every_problem(problem: Problem) -> None:
    assert problem.task in run.tasks_of("clvmodels")
    assert set(problem.only) <= set(CONTESTANTS)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_every_input_can_be_made(problem: Problem) -> None:
    assert problem.data in {"", *inputs.LOGS, *inputs.MAKERS}
    assert (problem.kind == "files") <= (problem.data in inputs.LOGS)


def test_names_are_unique() -> None:
    assert len({problem.name for problem in PROBLEMS}) == len(PROBLEMS)


def test_a_process_is_timed_and_its_memory_known() -> None:
    seconds, peak, printed, failure = run.run_process(["-c", "print(6 * 7)"], 60.0)
    assert (printed.strip(), failure) == ("42", "")
    assert 0 < seconds < 60
    assert peak > 1


def test_a_failing_process_says_why() -> None:
    *_, failure = run.run_process(["-c", "raise ValueError('no data')"], 60.0)
    assert failure == "ValueError: no data (exit code 1)"


def test_a_slow_process_is_stopped() -> None:
    *_, failure = run.run_process(["-c", "import time; time.sleep(60)"], 0.5)
    assert failure == "stopped after 0 s"


@pytest.mark.skipif(sys.platform != "linux", reason="the system cannot limit the memory of another process")
def test_a_process_that_asks_for_too_much_memory_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MEMORY_LIMIT", 1)
    slowly = "import sys, time; time.sleep(0.2); sys.stdout.write(str(len(bytearray({} * 2**20))))"
    *_, printed, failure = run.run_process(["-c", slowly.format(100)], 60.0)
    assert (printed, failure) == (str(100 * 2**20), "")
    *_, failure = run.run_process(["-c", slowly.format(2000)], 60.0)
    assert failure == "MemoryError (exit code 1)"


def test_a_short_table_says_why_there_is_no_time() -> None:
    assert report.short("MemoryError: Unable to allocate 9 GiB") == "out of memory"
    assert report.short("stopped after 600 s") == "stopped after 600 s"
    assert report.short("ValueError: no data (exit code 1)") == "failed"


def test_results_are_kept_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{report.START}\nold\n{report.END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results.json")
    good = {"seconds": [0.01, 0.02, 0.03], "warm_up": 1.0, "peak": 200.0, "answer": {"r": 0.243}}
    report.record("bg-cdnow", "clvmodels", good, ME)
    report.record("bg-cdnow", "lifetimes", good | {"seconds": [0.2, 0.2, 0.2]}, ME)
    report.record("bg-cdnow", "clvkit", {"failure": "stopped after 600 s"}, ME)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| 20 ms | 200 ms (10 x) | - | stopped after 600 s |" in text
    assert "10 ms to 30 ms | 3 | 1 s | 200 MB | r 0.243 |" in text
    assert "| bg-cdnow | clvkit | | | | | stopped after 600 s |" in text
    assert "Measured on 2026-01-01, a machine" in text
    assert set(json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["bg-cdnow"]) == {
        "clvmodels",
        "lifetimes",
        "clvkit",
    }


@pytest.mark.parametrize("mark", [report.START, report.END, scaling.START, scaling.END])
def test_the_page_has_its_markers(mark: str) -> None:
    assert report.PAGE.read_text(encoding="utf-8").count(mark) == 1


def test_the_machine_is_described() -> None:
    said = machine.describe()
    assert set(said) == set(ME)
    assert "cores" in said["machine"]
    assert "lifetimes 0.11.3" in said["versions"]


def test_simulated_bg_nbd_histories_have_the_model_s_moments() -> None:
    table = simulate.bg_nbd(20_000)
    parameters = simulate.BG_NBD
    r, alpha = parameters["r"], parameters["alpha"]
    none = np.mean((alpha / (alpha + table["T"])) ** r)
    assert (table["frequency"] == 0).mean() == pytest.approx(none, abs=0.015)  # merged days are few
    assert (table["recency"] <= table["T"]).all()
    assert ((table["recency"] == 0) == (table["frequency"] == 0)).all()
    assert table["T"].between(39, 156).all()
    assert np.allclose(table[["recency", "T"]] * 7, np.round(table[["recency", "T"]] * 7))


def test_simulated_pareto_nbd_histories_have_the_model_s_mean() -> None:
    table = simulate.pareto_nbd(20_000)
    p = simulate.PARETO_NBD
    lived = 1 - (p["beta"] / (p["beta"] + table["T"])) ** (p["s"] - 1)
    mean = (p["r"] * p["beta"] / (p["alpha"] * (p["s"] - 1)) * lived).mean()
    assert table["frequency"].mean() == pytest.approx(mean, rel=0.1)


def test_a_simulated_log_has_four_transactions_a_customer() -> None:
    log = simulate.transactions(20_000)
    assert len(log) / 20_000 == pytest.approx(4, rel=0.05)
    assert log["customer_id"].nunique() == 20_000
    assert log["date"].is_monotonic_increasing
    assert (log["amount"] > 0).all()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 2,500 customers, simulated in three blocks, in files of 2,000 rows."""
    folder = tmp_path_factory.mktemp("log")
    simulate.write_log(folder, 2_500, block=1_000, rows_a_part=2_000)
    return folder


def test_a_log_in_files_is_that_of_its_blocks_ordered_by_day(folder: Path) -> None:
    blocks = []
    for number, customers in enumerate([1_000, 1_000, 500]):
        rng = np.random.default_rng([3, number])
        rows = pd.DataFrame(simulate.columns(simulate.log_rows(rng, customers, simulate.LARGE_LOG_SHAPE)))
        blocks.append(rows.assign(customer_id=rows["customer_id"] + 1_000 * number))
    whole = pd.concat(blocks).sort_values("date", kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(pd.read_parquet(folder), whole)


def test_a_log_in_files_has_its_customers_and_its_three_years(folder: Path) -> None:
    log = pd.read_parquet(folder)
    assert len(log) / 2_500 == pytest.approx(4.1, rel=0.1)
    assert log["customer_id"].nunique() == 2_500
    assert log["date"].max() <= pd.Timestamp(DATA_END)
    assert log["date"].min() > pd.Timestamp(DATA_END) - pd.Timedelta(days=156 * 7 + 1)
    assert (log["amount"] > 0).all()


def test_the_files_of_a_log_are_of_one_size_and_leave_nothing_else(folder: Path) -> None:
    files = sorted(folder.iterdir())
    rows = [len(pd.read_parquet(file)) for file in files]
    assert [file.name for file in files] == [f"part-{number:03d}.parquet" for number in range(len(rows))]
    assert rows[:-1] == [2_000] * (len(rows) - 1)
    assert 0 < rows[-1] <= 2_000


def test_writing_a_log_again_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    count = simulate.write_log(tmp_path, 2_500, block=1_000, rows_a_part=2_000)
    assert count == len(pd.read_parquet(folder))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {
        file.name: file.read_bytes() for file in folder.iterdir()
    }


def test_writing_a_log_takes_the_memory_of_a_block(tmp_path: Path) -> None:
    def peak(customers: int) -> int:
        tracemalloc.start()
        (tmp_path / str(customers)).mkdir()
        simulate.write_log(tmp_path / str(customers), customers, block=1_000, rows_a_part=1_000)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(1_000)  # imports
    assert peak(10_000) < 1.3 * peak(2_000)


def test_an_input_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "FOLDER", tmp_path / "inputs")
    monkeypatch.setattr(inputs, "LOGS", {"log-tiny": 200})
    made = inputs.path("log-tiny")
    when = {file.name: file.stat().st_mtime_ns for file in made.iterdir()}
    assert inputs.path("log-tiny") == made
    assert {file.name: file.stat().st_mtime_ns for file in made.iterdir()} == when
    assert inputs.rows("log-tiny") == len(pd.read_parquet(made))
    assert [file.name for file in (tmp_path / "inputs").iterdir()] == ["log-tiny"]


def test_an_input_is_made_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(inputs, "FOLDER", tmp_path)
    monkeypatch.setattr(inputs, "LOGS", {"log-tiny": 200})
    monkeypatch.setattr(simulate, "by_day", fail)
    with pytest.raises(OSError, match="no space"):
        inputs.path("log-tiny")
    assert list(tmp_path.iterdir()) == []


def test_histories_of_plain_pandas_are_those_of_the_published_sample() -> None:
    table = inputs.histories(inputs.cdnow_sample_log(), inputs.CALIBRATION_END)
    repeaters = table[table["frequency"] > 0]
    spent = repeaters["monetary_value"].describe()
    # Fader & Hardie, note 025: the repeat buyers of the sample's 39 weeks.
    printed = {"count": 946, "mean": 35.08, "std": 30.28, "min": 2.99, "25%": 15.76, "75%": 41.79, "max": 299.63}
    assert spent[list(printed)].tolist() == pytest.approx(list(printed.values()), abs=0.0051)
    assert len(table) == 2_357
    first = table[["frequency", "recency", "T"]].to_numpy()[0]
    assert first.tolist() == pytest.approx([2, 30.43, 38.86], abs=0.005)


def test_a_call_on_files_is_given_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "FOLDER", tmp_path)
    monkeypatch.setattr(inputs, "LOGS", {SMALL_LOG: 50, "log-tiny": 200})
    few, whole = worker.given(Problem("p", "p", "files", "read_histories", "log-tiny"))
    assert (few, whole) == (str(tmp_path / SMALL_LOG), str(tmp_path / "log-tiny"))


@pytest.mark.filterwarnings("ignore")  # of lifetimes
def test_contestants_read_equal_histories(folder: Path) -> None:
    from benchmarks.contestants import clvmodels, lifetimes

    theirs = lifetimes.read_histories(str(folder))()
    assert theirs["customers"] == 2_500
    assert clvmodels.read_histories(str(folder))() == pytest.approx(theirs, rel=1e-12)
    log = pd.read_parquet(folder)
    assert clvmodels.rfm_summary(log)() == pytest.approx(theirs, rel=1e-12)
    plain = inputs.histories(log, DATA_END)
    assert plain["frequency"].sum() == theirs["repeats"]
    assert plain["T"].mean() == pytest.approx(theirs["mean T"], rel=1e-12)


@pytest.mark.filterwarnings("ignore")  # of lifetimes
def test_contestants_value_customers_alike(folder: Path) -> None:
    from benchmarks.contestants import clvmodels, lifetimes

    table = inputs.histories(pd.read_parquet(folder), DATA_END)
    ours, theirs = clvmodels.customer_values(table)()["total"], lifetimes.customer_values(table)()["total"]
    assert theirs == pytest.approx(ours, rel=0.01)  # they discount to the end of a step, and 12 steps are 52.14 weeks
    assert theirs < ours


def test_the_command_of_a_log_in_files_reads_all_of_them(folder: Path) -> None:
    from benchmarks.contestants import clvmodels

    command = clvmodels.value_command_2gb(str(folder), "out")
    assert f"{folder}/*.parquet" in command
    assert command[-2:] == ["--memory-gb", "2"]


def measurement(transactions: int, seconds: float, peak: float) -> dict[str, object]:
    """A measurement of the cost model."""
    return {"transactions": transactions, "seconds": [seconds], "warm_up": 1.0, "peak": peak, "answer": {}}


def test_the_slope_is_the_power() -> None:
    sizes = [1_000_000, 10_000_000, 100_000_000]
    assert scaling.slope(sizes, [3 * size**0.8 for size in sizes]) == pytest.approx(0.8)


def test_the_cost_model_is_kept_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{scaling.START}\nold\n{scaling.END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(scaling, "RESULTS", tmp_path / "scaling.json")
    scaling.record("histories", 25_000, measurement(100_000, 1.0, 200.0), ME)  # below where slopes begin
    scaling.record("histories", 250_000, measurement(1_000_000, 2.0, 1_000.0), ME)
    scaling.record("histories", 2_500_000, measurement(10_000_000, 20.0, 1_000.0), ME)
    scaling.record("value", 250_000, measurement(1_000_000, 5.0, 1_500.0), ME)
    scaling.record("value", 2_500_000, {"failure": "stopped after 9 s", "transactions": 10_000_000}, ME)
    text = page.read_text(encoding="utf-8")
    assert "old" not in text
    assert "| 25,000 | 100,000 | 1 s | 200 MB | - | - |" in text
    assert "| 2,500,000 | 10,000,000 | 20 s | 1,000 MB | stopped after 9 s | - |" in text
    assert "| **slope** from 1,000,000 transactions | | 1.00 | 0.00 | - | - |" in text
    assert "5 s / 250,000 = 20 microseconds a customer" in text
    assert "10^9 x 20 microseconds = 5.56 hours" in text
    assert "Measured on 2026-01-01, a machine" in text


@pytest.mark.parametrize("task", scaling.TASKS)
def test_a_size_is_measured_after_the_smallest(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def process(arguments: list[str], limit: float) -> tuple[float, float, str, str]:
        calls.append(arguments)
        return 2.0, 300.0, "102345", "" if limit > 0 else "no time"  # the number of rows, where an input is made

    monkeypatch.setattr(scaling, "run_process", process)
    monkeypatch.setattr(run, "run_process", process)
    monkeypatch.setattr(run, "command_of", lambda *given: [given[0].data])
    monkeypatch.setattr(run, "answer_of", lambda *_: {"customers": 25_000.0})
    found = scaling.measure(task, 25_000)
    assert found["seconds"] == [2.0] * scaling.REPEATED
    assert (found["peak"], found["transactions"]) == (300.0, 102_345)
    assert [call[0] for call in calls if call[0] != "-m"] == [SMALL_LOG, *["log-2.5e4"] * scaling.REPEATED]
