"""One run on a cluster of two executors, each a process of its own; `test_cluster` starts it.

    python -m tests.spark.cluster FOLDER

It writes the processes that computed, and how far CDNOW is from what DuckDB says, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import clvmodels as clv
from tests.spark.pipeline import compare
from tests.spark.sessions import environment, start

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CDNOW = str(clv.datasets.path("cdnow.parquet"))
MASTER = "local-cluster[2,1,1024]"


def main(folder: Path) -> dict[str, Any]:
    os.environ.update(environment(folder))
    session = start(MASTER, folder)
    try:
        processes = {"python": os.getpid(), "driver": driver(session), "executors": executors(session)}
        return processes | {"differences": asdict(compare(session, CDNOW, ("BGNBD",)))}
    finally:
        session.stop()


def driver(session: SparkSession) -> int:
    virtual_machine = session._jvm
    assert virtual_machine is not None
    return int(virtual_machine.java.lang.ProcessHandle.current().toString())


def executors(session: SparkSession) -> list[int]:
    """Return the processes that computed eight parts of a query."""
    rows = session.sql(
        "SELECT DISTINCT reflect('java.lang.ProcessHandle', 'current') AS process FROM range(0, 100000, 1, 8)"
    ).collect()
    return sorted(int(row.process) for row in rows)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
