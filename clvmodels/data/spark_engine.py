"""A Spark session of the user's."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import unquote

from clvmodels.data.engine import backend_of, new_name, not_reached, silent, unused_of

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa
    import pyspark.sql
    from ibis.backends.pyspark import Backend

    from clvmodels.data.engine import Engine

__all__ = ["SparkEngine"]

_SPARK_SETTINGS: Final = {
    "spark.sql.caseSensitive": "true",  # t and T are two columns
    "spark.sql.execution.arrow.localRelationThreshold": "1",  # a table that is sent is distributed at once
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}


@dataclass(frozen=True, eq=False)
class SparkEngine:
    """A Spark session.

    Ibis sets the time zone of the session it works in; the user's keeps its own, as this one is a sister of it with the
    same context and cache. Results are fetched as Arrow: by way of pandas, large whole numbers would lose digits.
    """

    backend: Backend
    kind: ClassVar[str] = "a table of Spark"
    is_duckdb: ClassVar[bool] = False

    @classmethod
    def new(cls, session: pyspark.sql.SparkSession) -> SparkEngine:
        """Return the engine of a session."""
        import ibis

        sister = session.newSession()
        for name, value in _SPARK_SETTINGS.items():
            sister.conf.set(name, value)
        with silent():
            return cls(ibis.pyspark.connect(sister))

    def open(self, frame: pyspark.sql.DataFrame) -> ir.Table:
        """Return a DataFrame of the session as a table."""
        name = new_name()
        frame.createGlobalTempView(name)
        try:
            return self._view(self.backend.raw_sql(f"SELECT * FROM global_temp.{name}"))  # noqa: S608 - the name is ours
        finally:
            frame.sparkSession.catalog.dropGlobalTempView(name)

    def run(self, expression: ir.Table) -> pa.Table:
        """Compute an expression and fetch its rows."""
        return _plain_times(self._frame(expression).toArrow())

    def keep(self, expression: ir.Table) -> ir.Table:
        """Return an expression as a table that is cached when it is first computed, until nothing refers to it."""
        frame = self._frame(expression).cache()
        table = self._view(frame)

        def end(_: ir.Table) -> None:  # which is there until now: to find the cache, Spark may read the query again
            frame.unpersist()

        weakref.finalize(table.op(), end, expression).atexit = False  # the session may have ended by then
        return table

    def send(self, table: pa.Table) -> ir.Table:
        """Return an Arrow table as one of the session."""
        with silent():
            return self._view(self._session.createDataFrame(table))

    def public(self, expression: ir.Table) -> ir.Table:
        """Return the expression, which the user can run."""
        return expression

    def write(self, expression: ir.Table, path: Path, *, order_by: str) -> None:  # noqa: ARG002 - a folder has none
        """Write the rows to a folder of Parquet files."""
        self._frame(expression).write.parquet(unquote(path.as_uri()))  # Hadoop takes the letters as they are

    def holds(self, table: ir.Table) -> bool:
        """Whether a table lies in this session."""
        return backend_of(table) is self.backend

    def reaches(self, engine: Engine) -> bool:
        """Whether an engine is a session of Spark too."""
        return isinstance(engine, SparkEngine)

    def take_over(self, expression: ir.Table, engine: Engine) -> ir.Table:
        """Return an expression of another sister of the session as a table: it stays a plan of Spark."""
        if engine is self:
            return expression
        if not isinstance(engine, SparkEngine):
            raise not_reached(engine, self)
        return self.open(engine._frame(expression))  # noqa: SLF001 - of its own kind

    @property
    def _session(self) -> pyspark.sql.SparkSession:
        session: pyspark.sql.SparkSession = self.backend._session  # noqa: SLF001 - Ibis shows it in no other way
        return session

    def _frame(self, expression: ir.Table) -> pyspark.sql.DataFrame:
        self._drop_unused()
        frame: pyspark.sql.DataFrame = self.backend.raw_sql(self.backend.compile(expression))
        return frame

    def _view(self, frame: pyspark.sql.DataFrame) -> ir.Table:
        """Return a frame as a temporary view, which goes before a query when nothing refers to it any more."""
        self._drop_unused()
        name = new_name()
        frame.createTempView(name)
        view = self.backend.table(name)
        weakref.finalize(view.op(), unused_of(self.backend).append, name).atexit = False
        return view

    def _drop_unused(self) -> None:
        unused = unused_of(self.backend)
        while unused:
            self._session.catalog.dropTempView(unused.popleft())


def _plain_times(table: pa.Table) -> pa.Table:
    """Return instants as times in UTC without a zone."""
    import pyarrow as pa

    for k, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            table = table.set_column(k, column.name, table[k].cast(pa.timestamp("us")))
    return table
