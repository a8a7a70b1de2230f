"""What the benchmarks ran on."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "clvmodels",
    "lifetimes",
    "pymc-marketing",
    "clvkit",
    "numpy",
    "scipy",
    "pandas",
    "numba",
    "pymc",
    "pytensor",
    "duckdb",
    "ibis-framework",
)


def processor() -> str:
    """Return the model of the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def packages() -> dict[str, str]:
    """Return the versions of what was measured and what it stands on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def describe() -> dict[str, str]:
    """Return machine, system, versions and the day."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return {
        "machine": f"{processor()}, {cores} cores, {memory:.0f} GiB of memory",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {number}" for name, number in packages().items()),
        "date": datetime.now(tz=UTC).date().isoformat(),
    }
