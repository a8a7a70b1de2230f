"""One call problem for one contestant, in a process of its own.

``python -m benchmarks.worker PROBLEM CONTESTANT OUT`` writes the measurement to the file OUT.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time
from pathlib import Path

import pandas as pd

from benchmarks import inputs
from benchmarks.contestants import Call
from benchmarks.problems import PROBLEMS, SMALL_LOG, Problem

WARM_UP_ROWS = 1_000
LEAST_SECONDS, ENOUGH_SECONDS = 3.0, 90.0


def timed(call: Call) -> tuple[float, dict[str, float]]:
    """Run a call once, and return its seconds and its answer."""
    gc.collect()
    start = time.perf_counter()
    answer = call()
    return time.perf_counter() - start, {name: float(value) for name, value in answer.items()}


def given(problem: Problem) -> tuple[object, object]:
    """Return what the task is warmed up on, and what it is timed on: tables, or folders of Parquet files."""
    if problem.kind == "files":
        return str(inputs.path(SMALL_LOG)), str(inputs.path(problem.data))
    table = pd.read_parquet(inputs.path(problem.data))
    return table.head(WARM_UP_ROWS), table


def measure(problem: Problem, contestant: str) -> dict[str, object]:
    """Time the problem's task after a warm-up on a few rows, which fills compile caches."""
    module = importlib.import_module(f"benchmarks.contestants.{contestant}")
    task = getattr(module, problem.task)
    few, all_of_it = given(problem)
    warm_up, _ = timed(task(few))
    seconds: list[float] = []
    answer: dict[str, float] = {}
    call = task(all_of_it)
    while sum(seconds) < LEAST_SECONDS or (len(seconds) < problem.runs and sum(seconds) < ENOUGH_SECONDS):
        took, answer = timed(call)
        seconds.append(took)
    return {"seconds": seconds, "warm_up": warm_up, "answer": answer}


def main(name: str, contestant: str, out: str) -> None:
    """Write the measurement, or why there is none."""
    problem = next(problem for problem in PROBLEMS if problem.name == name)
    try:
        result = measure(problem, contestant)
    except Exception as error:
        result = {"failure": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
    Path(out).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:4])
