"""Spark sessions of a size for tests, from the Spark that pip installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["environment", "start"]

# A test is over before the second compiler of Java pays: without it everything takes half of the time.
_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def environment(folder: Path) -> dict[str, str]:
    """Return what Spark must find in the environment as it starts; it writes into `folder` only.

    Executors put their work into SPARK_HOME, which would be the folder of the installed package.
    """
    import pyspark

    home = folder / "home"
    home.mkdir()
    for name in ("bin", "jars"):
        (home / name).symlink_to(Path(pyspark.__file__).parent / name)
    return {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}


def start(master: str, folder: Path) -> SparkSession:
    """Return a quiet session without a web page, which keeps to this machine, and to a folder of it."""
    from pyspark.sql import SparkSession

    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": _JAVA,
        "spark.driver.memory": "1g",
        "spark.executor.extraJavaOptions": _JAVA,
        "spark.executor.memory": "512m",
        "spark.local.dir": str(folder / "local"),
        "spark.log.level": "ERROR",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",  # no query starts before all executors are there
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master(master).appName("tests")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
