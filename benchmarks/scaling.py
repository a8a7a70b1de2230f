"""What time and memory depend on: ``python -m benchmarks.scaling [--customers N ...] [--write]``.

Two runs, each in a fresh process: a log in Parquet files to histories, and the whole ``clvmodels value`` command. With
``--write`` the measurements go to ``benchmarks/scaling.json`` and from there to ``benchmarks/README.md``; sizes not run
keep what they had.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from pathlib import Path

from benchmarks import inputs, machine, report
from benchmarks.problems import SMALL_LOG, Problem
from benchmarks.run import Measurement, repeat, run_once, run_process, shown

RESULTS = Path(__file__).resolve().parent / "scaling.json"
START, END = "<!-- cost model: written by python -m benchmarks.scaling --write -->", "<!-- end of cost model -->"

TASKS = {"histories": "histories_command", "value": "value_command"}
"""The runs, and clvmodels' functions that name their processes."""

SIZES = {inputs.LOGS[name]: name for name in ("log-2.5e3", "log-2.5e4", "log-2.5e5", "log-2.5e6", "log-2.5e7")}
"""The logs by their customers: about 1e4, 1e5, 1e6, 1e7 and 1e8 transactions."""

REPEATED = 3
LARGE = 10_000_000  # customers from which a run is long enough to be made once
LIMIT = 3600.0
FROM = 1_000_000  # transactions; below, starting the process is what takes time
MANY = 1_000_000_000

SLOPES = """\
A slope is that of the logarithm of the cost on the logarithm of the transactions, by least squares: ten times the
transactions cost 10^slope times as much. 1 is proportional; below 1, part of the cost does not grow."""

Sizes = dict[str, dict[str, Measurement]]


def problem(task: str, customers: int) -> Problem:
    """Return one run at one size."""
    runs = 1 if customers >= LARGE else REPEATED
    return Problem(
        f"{task}-{customers}", f"{task}, {customers:,} customers", "process", TASKS[task], SIZES[customers], runs=runs
    )


def measure(task: str, customers: int) -> Measurement:
    """Time one run at one size, after one on the smallest log, which fills compile caches."""
    what = problem(task, customers)
    run_process(["-m", "benchmarks.inputs", SMALL_LOG], LIMIT)
    *_, printed, failure = run_process(["-m", "benchmarks.inputs", what.data], LIMIT)
    if failure:
        return {"failure": f"no input: {failure}", "transactions": 0}
    size = int(printed)
    warm_up = run_once(problem(task, inputs.LOGS[SMALL_LOG]), "clvmodels", LIMIT)
    found = warm_up
    if "failure" not in warm_up:
        found = repeat(what, "clvmodels", time.monotonic() + LIMIT, warm_up["took"])
    return found | {"transactions": size}


def slope(sizes: list[int], costs: list[float]) -> float:
    """Return by which power of the size the costs grow: the slope of their logarithms, by least squares."""
    return statistics.linear_regression([math.log(size) for size in sizes], [math.log(cost) for cost in costs]).slope


def seconds(measurement: Measurement) -> float:
    """Return the median time."""
    return statistics.median(report.seconds_of(measurement))


def megabytes(measurement: Measurement) -> float:
    """Return the peak memory."""
    return float(measurement["peak"])  # type: ignore[arg-type]


def transactions(measurement: Measurement) -> int:
    """Return the size of the log."""
    return int(measurement["transactions"])  # type: ignore[call-overload, no-any-return]


def measured(results: Sizes, task: str) -> list[tuple[int, Measurement]]:
    """Return (customers, measurement) of the sizes at which a run succeeded, the smallest first."""
    found = [(customers, results.get(str(customers), {}).get(task, {})) for customers in sorted(SIZES)]
    return [(customers, one) for customers, one in found if report.seconds_of(one)]


def table(results: Sizes) -> list[str]:
    """Time and peak memory, a row a size, and their slopes."""
    lines = [
        "| customers | transactions | Parquet to histories | peak memory | `clvmodels value` | peak memory |",
        "|" + "---|" * 6,
    ]
    for customers in sorted(SIZES):
        row = results.get(str(customers), {})
        if row:
            size = max(transactions(one) for one in row.values())
            cells = " | ".join(cell(row.get(task, {})) for task in TASKS)
            lines.append(f"| {customers:,} | {size:,} | {cells} |")
    slopes = " | ".join(cell_of_slopes(results, task) for task in TASKS)
    return [*lines, f"| **slope** from {FROM:,} transactions | | {slopes} |"]


def cell(measurement: Measurement) -> str:
    """Return time and memory of a run as two cells."""
    if not report.seconds_of(measurement):
        return f"{report.short(str(measurement['failure'])) if measurement else '-'} | -"
    return f"{report.written(seconds(measurement))} | {megabytes(measurement):,.0f} MB"


def cell_of_slopes(results: Sizes, task: str) -> str:
    """Return the slopes of time and memory of a run as two cells."""
    large = [one for _, one in measured(results, task) if transactions(one) >= FROM]
    if len(large) < 2:
        return "- | -"
    sizes = [transactions(one) for one in large]
    return " | ".join(f"{slope(sizes, [cost(one) for one in large]):.2f}" for cost in (seconds, megabytes))


def beyond(results: Sizes) -> list[str]:
    """Say what a billion customers would take, by arithmetic from the largest run."""
    runs = measured(results, "value")
    if not runs:
        return []
    customers, one = runs[-1]
    each = 1e6 * seconds(one) / customers  # microseconds: seconds a million customers
    hours = each * MANY / 1e6 / 3600
    return [
        "A billion customers were not run. By arithmetic:",
        f"{seconds(one):,.0f} s / {customers:,} = {each:.3g} microseconds a customer in the largest run;",
        f"10^9 x {each:.3g} microseconds = {hours:.3g} hours of this machine,",
        f"or {hours * 60 / 100:.2g} minutes of a hundred such machines if a cluster divides the work evenly, which",
        "scanning, grouping and joining by customer allow, and which was not measured.",
    ]


def page(results: Sizes) -> str:
    """Return everything between the markers."""
    machines = {machine_of(one) for row in results.values() for one in row.values()}
    parts = [
        *(f"Measured on {text}." for text in sorted(machines)),
        "",
        *table(results),
        "",
        SLOPES,
        "",
        *beyond(results),
        "",
    ]
    return "\n".join(parts)


def machine_of(measurement: Measurement) -> str:
    """Return the day, machine and versions of a measurement."""
    about: dict[str, str] = measurement["machine"]  # type: ignore[assignment]
    return f"{about['date']}, {about['machine']}; {about['system']}; {about['versions']}"


def record(task: str, customers: int, measurement: Measurement, about: dict[str, str]) -> None:
    """Add a measurement to the results, and show it on the page."""
    results: Sizes = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    results.setdefault(str(customers), {})[task] = measurement | {"machine": about}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    report.show(START, END, page(results))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description="Measure the cost model.")
    parser.add_argument("--customers", type=int, nargs="+", choices=list(SIZES), default=list(SIZES), help="only these")
    parser.add_argument("--task", choices=list(TASKS), nargs="+", default=list(TASKS), help="only this run")
    parser.add_argument("--write", action="store_true", help="write the results to benchmarks/README.md")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    options = arguments()
    for customers in options.customers:
        for task in options.task:
            measurement = measure(task, customers)
            print(f"{task:9} {customers:12,} customers: {shown(measurement)}", flush=True)
            if options.write:
                record(task, customers, measurement, machine.describe())


if __name__ == "__main__":
    main()
