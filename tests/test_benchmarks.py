"""The benchmarks: who takes part, how failures are told, what the page says, what the simulator makes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import machine, report, run, simulate
from benchmarks.problems import CONTESTANTS, PROBLEMS, Problem

ME = {"machine": "a machine", "system": "a system", "versions": "some versions", "date": "2026-01-01"}


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_somebody_takes_part_in_every_problem(problem: Problem) -> None:
    assert problem.task in run.tasks_of("clvmodels")
    assert set(problem.only) <= set(CONTESTANTS)


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
    assert "| 20 ms | 200 ms (10 x) | - | failed |" in text
    assert "10 ms to 30 ms | 3 | 1 s | 200 MB | r 0.243 |" in text
    assert "stopped after 600 s" in text
    assert "Measured on 2026-01-01, a machine" in text
    assert set(json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["bg-cdnow"]) == {
        "clvmodels",
        "lifetimes",
        "clvkit",
    }


def test_the_page_has_its_markers() -> None:
    text = report.PAGE.read_text(encoding="utf-8")
    assert text.count(report.START) == text.count(report.END) == 1


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
