"""Run the benchmarks: ``python -m benchmarks.run [--problem NAME] [--contestant NAME] [--all] [--write]``.

Problem by problem, the contestants run one after another, each in a process of its own, so that they share the state of
the machine as far as possible. With ``--write`` the results go to ``benchmarks/results.json`` and from there to
``benchmarks/README.md``; problems and contestants not run keep the results they had.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import inputs, machine, report
from benchmarks.problems import CONTESTANTS, MEMORY_LIMIT, PROBLEMS, Problem

ROOT = Path(__file__).resolve().parents[1]
MODULES = ROOT / "benchmarks" / "contestants"
Measurement = dict[str, object]


def tasks_of(contestant: str) -> set[str]:
    """Return the names of a contestant's functions, read without importing it."""
    tree = ast.parse((MODULES / f"{contestant}.py").read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def run_process(arguments: list[str], limit: float) -> tuple[float, float, str, str]:
    """Run Python with `arguments`; return seconds, peak memory in MB, what it printed, and why it failed if it did."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        command = [sys.executable, *arguments]
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True
        )
        if sys.platform == "linux":
            resource.prlimit(process.pid, resource.RLIMIT_AS, (MEMORY_LIMIT * 1024**3,) * 2)
        previous = signal.signal(signal.SIGALRM, lambda *_: os.killpg(process.pid, signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, max(limit, 0.001))
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        failure = why(process.returncode, seconds, limit, errors.read())
        peak = usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
        return seconds, peak, output.read(), failure


def why(code: int, seconds: float, limit: float, errors: str) -> str:
    """Say why a process failed; nothing if it did not."""
    if code == 0:
        return ""
    if seconds >= limit:
        return f"stopped after {limit:.0f} s"
    lines = errors.strip().splitlines()
    return (lines[-1][:200] if lines else "no message") + f" (exit code {code})"


def measure_call(problem: Problem, contestant: str) -> Measurement:
    """Time a function call in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        arguments = ["-m", "benchmarks.worker", problem.name, contestant, str(out)]
        _, peak, _, failure = run_process(arguments, problem.limit)
        if failure:
            return {"failure": failure}
        result: Measurement = json.loads(out.read_text(encoding="utf-8"))
    return result | {"peak": peak}


def command_of(problem: Problem, contestant: str, folder: str) -> list[str]:
    """Return what a process problem runs, as arguments after the interpreter."""
    file = str(inputs.place(problem.data))
    module = f"benchmarks.contestants.{contestant}"
    if problem.task == "total_clv":
        return ["-m", module, file]
    arguments = [] if problem.task == "import_package" else [file, folder]
    code = f"import json, {module} as c; print(json.dumps(c.{problem.task}(*{arguments!r})))"
    _, _, printed, failure = run_process(["-c", code], 300.0)
    if failure:
        raise RuntimeError(failure)
    command: list[str] = json.loads(printed)
    return command


def answer_of(problem: Problem, printed: str, folder: str) -> dict[str, float]:
    """Return the number that a process printed, or wrote to `folder`, if it is one that gives a number."""
    if problem.task == "total_clv":
        return {"total": float(printed.rsplit(maxsplit=1)[-1])}
    if problem.task == "histories_command":
        return {name: float(value) for name, value in json.loads(printed).items()}
    if problem.task.startswith("value_command"):
        written = json.loads((Path(folder) / "equity.json").read_text(encoding="utf-8"))
        return {"equity": float(written["equity"]), "customers": float(written["customers"])}
    return {}


def run_once(problem: Problem, contestant: str, limit: float) -> Measurement:
    """Run a process problem once; return its seconds, peak memory and answer, or why there is none."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            command = command_of(problem, contestant, folder)
        except RuntimeError as error:
            return {"failure": str(error)}
        took, peak, printed, failure = run_process(command, limit)
        if failure:
            return {"failure": failure}
        return {"took": took, "peak": peak, "answer": answer_of(problem, printed, folder)}


def measure_processes(problem: Problem, contestant: str) -> Measurement:
    """Time whole processes, after one that fills compile caches."""
    end = time.monotonic() + problem.limit
    warm_up = run_once(problem, contestant, problem.limit)
    return warm_up if "failure" in warm_up else repeat(problem, contestant, end, warm_up["took"])


def repeat(problem: Problem, contestant: str, end: float, warm_up: object) -> Measurement:
    """Time a process problem as often as it asks for, until `end` on the monotonic clock."""
    runs: list[Measurement] = []
    for _ in range(problem.runs):
        runs.append(run_once(problem, contestant, end - time.monotonic()))
        if "failure" in runs[-1]:
            return runs[-1]
    seconds = [run["took"] for run in runs]
    peak = max(float(run["peak"]) for run in runs)  # type: ignore[arg-type]
    return {"seconds": seconds, "warm_up": warm_up, "answer": runs[-1]["answer"], "peak": peak}


def measure(problem: Problem, contestant: str) -> Measurement:
    """Measure one contestant at one problem."""
    if problem.data:
        *_, failure = run_process(["-m", "benchmarks.inputs", problem.data], 1800.0)
        if failure:
            return {"failure": f"no input: {failure}"}
    return (measure_processes if problem.kind == "process" else measure_call)(problem, contestant)


def shown(measurement: Measurement) -> str:
    """Say a measurement in a line."""
    if "failure" in measurement:
        return f"failed: {measurement['failure']}"
    seconds: list[float] = measurement["seconds"]  # type: ignore[assignment]
    answer: dict[str, float] = measurement["answer"]  # type: ignore[assignment]
    said = " ".join(f"{name}={value:.6g}" for name, value in answer.items())
    return f"{statistics.median(seconds):.4g} s (of {len(seconds)}), peak {measurement['peak']:.0f} MB  {said}"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Run the benchmarks.")
    parser.add_argument("--problem", choices=[problem.name for problem in PROBLEMS], help="only this problem")
    parser.add_argument("--contestant", choices=CONTESTANTS, help="only this contestant")
    parser.add_argument("--all", action="store_true", help="every contestant at every problem, however slow")
    parser.add_argument("--write", action="store_true", help="write the results to benchmarks/README.md")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    options = arguments()
    for problem in PROBLEMS:
        if options.problem not in (None, problem.name):
            continue
        print(f"{problem.name}: {problem.title}", flush=True)
        for contestant in CONTESTANTS:
            if options.contestant not in (None, contestant) or problem.task not in tasks_of(contestant):
                continue
            if contestant not in problem.only and not options.all:
                continue
            measurement = measure(problem, contestant)
            print(f"  {contestant:15} {shown(measurement)}", flush=True)
            if options.write:
                report.record(problem.name, contestant, measurement, machine.describe())


if __name__ == "__main__":
    main()
