"""A real Spark on this machine: one session for all tests of this folder.

Spark runs on Java. Without it the tests are skipped, and say so; where CI is set, they fail.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.spark.sessions import environment, start

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JAVA = 17
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def java() -> None:
    """Skip, or fail, without a Java that Spark runs on."""
    found = java_version()
    if found is not None and found >= JAVA:
        return
    missing = f"{'no Java' if found is None else f'Java {found}'}: Spark runs on {JAVA} or newer"
    if os.environ.get("CI"):
        pytest.fail(f"{missing}: apt-get install default-jre-headless")
    pytest.skip(missing)


def java_version() -> int | None:
    """Return the version of the Java that Spark would take; None without one."""
    home = os.environ.get("JAVA_HOME")
    command = shutil.which(f"{home}/bin/java" if home else "java")
    if command is None:
        return None
    said = subprocess.run([command, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    return int(version[1]) if version else None


@pytest.fixture(scope="session")
def spark(java: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:  # noqa: ARG001
    """Return a session whose two executors are threads of one Java."""
    folder = tmp_path_factory.mktemp("spark")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(folder).items():
            patch.setenv(name, value)
        session = start("local[2]", folder)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def clustered(java: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:  # noqa: ARG001
    """Return what the run on a cluster told; it has a Java of its own."""
    command = [sys.executable, "-m", "tests.spark.cluster", str(tmp_path_factory.mktemp("cluster"))]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer
