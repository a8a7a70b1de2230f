"""Results as tables: ``benchmarks/results.json`` holds the measurements, ``benchmarks/README.md`` shows them."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from benchmarks.problems import CONTESTANTS, PROBLEMS

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
PAGE = HERE / "README.md"
START, END = "<!-- results: written by make bench -->", "<!-- end of results -->"
OURS = "clvmodels"

Results = dict[str, dict[str, dict[str, object]]]


def record(problem: str, contestant: str, measurement: dict[str, object], machine: dict[str, str]) -> None:
    """Add a measurement to the results, and show it on the page."""
    results: Results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    results.setdefault(problem, {})[contestant] = measurement | {"machine": machine}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    show(START, END, page(results))


def show(start: str, end: str, text: str) -> None:
    """Put a text between two marks on the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(start)
    after = rest.partition(end)[2]
    PAGE.write_text(f"{before}{start}\n\n{text}\n{end}{after}", encoding="utf-8")


def seconds_of(measurement: dict[str, object]) -> list[float]:
    """Return the times of a measurement; none if it failed."""
    seconds: list[float] = measurement.get("seconds", [])  # type: ignore[assignment]
    return seconds


def written(seconds: float) -> str:
    """Write a time with three digits in a handy unit."""
    return f"{seconds * 1000:.3g} ms" if seconds < 0.9995 else f"{seconds:.3g} s"


def ratio(measurement: dict[str, object], ours: dict[str, object]) -> str:
    """Return how many times our median a median is, as text in brackets."""
    if not seconds_of(ours) or measurement is ours:
        return ""
    times = statistics.median(seconds_of(measurement)) / statistics.median(seconds_of(ours))
    return f" ({times:.3g} x)" if times < 1000 else f" ({times:,.0f} x)"


def cell(row: dict[str, dict[str, object]], contestant: str) -> str:
    """Return one cell of the short table."""
    if contestant not in row:
        return "-"
    measurement = row[contestant]
    if not seconds_of(measurement):
        return short(str(measurement.get("failure", "")))
    return written(statistics.median(seconds_of(measurement))) + ratio(measurement, row.get(OURS, {}))


def short(failure: str) -> str:
    """Say in a word or two why there is no time."""
    if "MemoryError" in failure:
        return "out of memory"
    return failure if failure.startswith("stopped after") else "failed"


def short_table(results: Results) -> list[str]:
    """Medians and ratios, a row a problem."""
    lines = ["| problem | " + " | ".join(CONTESTANTS) + " |", "|---|" + "---|" * len(CONTESTANTS)]
    for problem in PROBLEMS:
        if problem.name in results:
            cells = [cell(results[problem.name], contestant) for contestant in CONTESTANTS]
            lines.append(f"| {problem.title} | " + " | ".join(cells) + " |")
    return lines


def effective_rate(measurement: dict[str, object]) -> float:
    """Return the effective draws of the worst parameter a second of the whole call; 0 if there are none."""
    answer: dict[str, float] = measurement.get("answer", {})  # type: ignore[assignment]
    return answer["ess"] / statistics.median(seconds_of(measurement)) if "ess" in answer else 0.0


def effective_table(results: Results) -> list[str]:
    """Effective draws a second, a row a posterior."""
    lines = ["| problem | contestant | effective draws a second | share of clvmodels' |", "|---|---|---|---|"]
    for problem in PROBLEMS:
        row = results.get(problem.name, {})
        ours = effective_rate(row.get(OURS, {}))
        for contestant in CONTESTANTS:
            rate = effective_rate(row.get(contestant, {}))
            if rate and ours:
                lines.append(f"| {problem.title} | {contestant} | {rate:,.3g} | 1 / {ours / rate:.3g} |")
    return lines


def details(measurement: dict[str, object]) -> str:
    """Return spread, memory and answer of one measurement as cells."""
    seconds = seconds_of(measurement)
    if not seconds:
        return f"| | | | {measurement.get('failure', '')}"
    answer: dict[str, float] = measurement.get("answer", {})  # type: ignore[assignment]
    said = ", ".join(f"{name} {value:.6g}" for name, value in answer.items())
    spread = f"{written(min(seconds))} to {written(max(seconds))}"
    peak = float(measurement["peak"])  # type: ignore[arg-type]
    warm_up = float(measurement["warm_up"])  # type: ignore[arg-type]
    return f"{spread} | {len(seconds)} | {written(warm_up)} | {peak:,.0f} MB | {said}"


def long_table(results: Results) -> list[str]:
    """Spread, memory and answers, a row a measurement."""
    lines = [
        "| problem | contestant | spread | runs | warm-up | peak memory | answer, or why there is none |",
        "|" + "---|" * 7,
    ]
    for problem in PROBLEMS:
        for contestant in CONTESTANTS:
            if contestant in results.get(problem.name, {}):
                measurement = results[problem.name][contestant]
                lines.append(f"| {problem.name} | {contestant} | {details(measurement)} |")
    return lines


def machines(results: Results) -> list[str]:
    """What the measurements were made on: one paragraph if it is the same for all."""
    found: dict[str, list[str]] = {}
    for problem in PROBLEMS:
        for contestant, measurement in results.get(problem.name, {}).items():
            machine: dict[str, str] = measurement["machine"]  # type: ignore[assignment]
            text = f"{machine['date']}, {machine['machine']}; {machine['system']}; {machine['versions']}."
            found.setdefault(text, []).append(f"{problem.name}/{contestant}")
    if len(found) == 1:
        return [f"Measured on {next(iter(found))}"]
    return [f"- {', '.join(names)}: measured on {text}" for text, names in found.items()]


def page(results: Results) -> str:
    """Return everything between the markers."""
    parts = [
        *machines(results),
        "",
        "Medians, and in brackets how many times the time of clvmodels:",
        "",
        *short_table(results),
        "",
        "Posteriors: effective draws (bulk) of the worst parameter, a second of the whole call:",
        "",
        *effective_table(results),
        "",
        "Spread (fastest to slowest run), the time of the warm-up, peak memory of the process, and the answers:",
        "",
        *long_table(results),
        "",
    ]
    return "\n".join(parts)
