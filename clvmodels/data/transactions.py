"""From a purchase log to purchase histories."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from clvmodels.data.bounds import read_bound
from clvmodels.data.build import Returns, build_histories, summarise
from clvmodels.data.build_holdout import build_holdout
from clvmodels.data.duckdb_engine import DuckDBLimits
from clvmodels.data.grid import require_bound
from clvmodels.data.reading import Day, LogFormat, end_of, log_of, plan_of
from clvmodels.data.suspect_dates import Bounds, suspect_dates
from clvmodels.errors import DataError, DataWarning
from clvmodels.units import parse_unit

if TYPE_CHECKING:
    from clvmodels.data.bounds import WindowBound
    from clvmodels.data.histories import Histories
    from clvmodels.data.holdout import Holdout
    from clvmodels.data.log import Log

__all__ = ["histories_of", "read_histories", "rfm_summary", "rfm_train_test_split", "split"]


def rfm_summary(
    log: object,
    *,
    customer_id: str = "customer_id",
    time: str = "date",
    value: str | None = None,
    unit: str = "week",
    resolution: str | None = None,
    observation_start: Day | None = None,
    observation_end: Day | None = None,
    returns: Returns = "net",
    time_zone: str | None = None,
    time_format: str | None = None,
    attributes: Sequence[str] = (),
    order_id: str | None = None,
    quantity: str | None = None,
    exclude_ids: Sequence[object] = (),
    clean_ids: bool = False,
    memory_gb: float | None = None,
    spill_folder: str | Path | None = None,
    grid: float | None = 1e-6,
) -> Histories:
    """Summarise a purchase log: one purchase history a customer.

    Parameters
    ----------
    log
        One row a purchase (or order line): a pandas, polars or Arrow table, a DuckDB relation, an Ibis table, a Spark
        DataFrame, or the path of CSV or Parquet files, ``*`` allowed, or a list of such paths. Files and tables are
        aggregated out of core by DuckDB, an Ibis table and a Spark DataFrame where they lie. In CSV files, ids that are
        all whole numbers become numbers; one leading zero keeps them text.
    customer_id, time, value, unit, resolution, returns, time_zone, time_format, attributes, order_id, quantity,
    exclude_ids, clean_ids
        The format of the log: `LogFormat` documents each option. In short: `unit` is that of recency and T;
        `resolution` makes all purchases of a customer in one day (or hour, week, ...) one occasion; `returns` says what
        to do with refunds; `attributes` are further columns to keep; `order_id` makes order lines one order; `quantity`
        multiplies unit prices; `exclude_ids` leaves customers out; `clean_ids` ignores capitals and blanks of ids.
    observation_start, observation_end
        The window, both ends included. A date means the whole day: with exact times, T is measured to the end of that
        day. Another time of day means that instant; midnight, however it is written, means the day that begins with it.
        Default: from the first transaction to the day of the last one.
    memory_gb, spill_folder
        The memory, in GB (1e9 bytes), that DuckDB may take to aggregate files and tables, and the folder where it puts
        what does not fit. Default: 3 GB for Parquet, else four fifths of the machine's; the temporary folder.
    grid
        Of histories in an engine with exact times, which hardly repeat: beyond two million distinct ones, fits and
        predictions count customers in cells of recency and T (`frequency` stays exact), so fine that the log-likelihood
        of a customer moves by no more than this on average. ``fit.diagnostics.grid`` says by how much it moves. None:
        no grid.

    Returns
    -------
    Histories
        By customer id, in the order of the ids; `frequency` counts repeat purchase occasions, `monetary_value` is the
        mean value of these, the first occasion excluded. Attributes: ``first_purchase``, ``first_value``, and those
        asked for. ``report`` says what became of every row. The customers of Parquet files, an Ibis table or a Spark
        DataFrame stay in the engine: they are fetched when they are asked for by customer, up to 1 GB of them, and
        ``collect()`` fetches more.

    Raises
    ------
    DataError
        If the log cannot be read, a column is missing, times cannot be parsed, values are not numeric, nothing is
        left, or `memory_gb`, `spill_folder` or `grid` is not what it says.
    UnitError
        If `unit` or `resolution` is no unit.

    Warns
    -----
    DataWarning
        If rows lack a customer, time or value, customers had bought before `observation_start`, or an attribute
        changes; if a first or last date is far from its neighbours or in the future, ids stand for no single customer
        or differ by capitals or blanks alone, negative values are not like refunds, there are several currencies, or
        the log seems to be cut on the left. The last of these are in ``report.notes``, too.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({
    ...     "customer_id": ["ann", "ann", "ann", "bob", "bob"],
    ...     "date": ["2024-01-01", "2024-01-15", "2024-01-16", "2024-01-08", "2024-01-10"],
    ...     "amount": [20.0, 30.0, -10.0, 50.0, -50.0],
    ... })
    >>> rfm = rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="2024-01-29")
    >>> rfm.to_frame()[["frequency", "recency", "T", "monetary_value"]]
                 frequency  recency    T  monetary_value
    customer_id
    ann                1.0      2.0  4.0            20.0
    >>> rfm.report.customers_left_out
    {'every purchase refunded': 1}

    Those of Parquet files are also a table of the engine, which need not be in memory:

    >>> import clvmodels as clv
    >>> rfm = rfm_summary(clv.datasets.path("cdnow.parquet"), value="amount", resolution="day")
    >>> rfm.table.columns
    ('customer_id', 'frequency', 'recency', 'T', 'monetary_value', 'first_purchase', 'first_value')
    >>> rfm.frequency.sum()
    np.float64(44021.0)
    """
    log_format = LogFormat(
        customer_id, time, value, unit, resolution, returns, time_zone, time_format,
        attributes, order_id, quantity, exclude_ids, clean_ids,
    )  # fmt: skip
    window, storage = (observation_start, observation_end), DuckDBLimits(memory_gb, spill_folder)
    histories, notes = read_histories(log, log_format, *window, storage=storage, grid=grid)
    _warn(notes)
    return histories


def read_histories(
    log: object,
    log_format: LogFormat,
    observation_start: Day | None,
    observation_end: Day | None,
    *,
    storage: DuckDBLimits = DuckDBLimits(),  # noqa: B008 - it is frozen
    grid: float | None = 1e-6,
) -> tuple[Histories, list[str]]:
    """Return the histories of a log of a known format, as `rfm_summary` does, and notes to warn with."""
    require_bound(grid)
    return histories_of(log_of(log_format, log, storage), log_format, observation_start, observation_end, grid=grid)


def histories_of(
    opened: Log,
    log_format: LogFormat,
    observation_start: Day | None,
    observation_end: Day | None,
    *,
    grid: float | None = 1e-6,
) -> tuple[Histories, list[str]]:
    """Return what `read_histories` does of an opened log."""
    start = None if observation_start is None else read_bound(observation_start, "observation_start", opened.clock)
    end = end_of(opened, observation_end, "observation_end")
    if start is not None and start.local >= end.after:
        raise DataError(f"observation_start {observation_start!r} lies after the end of observation, {end.local}")
    histories, _, notes = summarise(plan_of(log_format, opened, start, end))
    if not opened.large:
        return histories.collect(memory_gb=math.inf), notes
    exact = log_format.resolution is not None and parse_unit(log_format.resolution) != "hour"
    return histories if exact or grid is None else histories.on_grid(grid), notes


def rfm_train_test_split(
    log: object,
    *,
    customer_id: str = "customer_id",
    time: str = "date",
    value: str | None = None,
    unit: str = "week",
    resolution: str | None = None,
    train_end: Day,
    test_end: Day | None = None,
    returns: Returns = "net",
    time_zone: str | None = None,
    time_format: str | None = None,
    attributes: Sequence[str] = (),
    order_id: str | None = None,
    quantity: str | None = None,
    exclude_ids: Sequence[object] = (),
    clean_ids: bool = False,
) -> tuple[Histories, Holdout]:
    """Split a purchase log in time: histories to fit, and what the same customers did afterwards.

    Both windows are aggregated by one path. Training sees no row after `train_end`: a refund that comes later lowers
    neither its counts nor its spend. In the holdout, a refund of a purchase made before it changes nothing.

    Parameters
    ----------
    log
        The purchase log, as for `rfm_summary`.
    customer_id, time, value, unit, resolution, returns, time_zone, time_format, attributes, order_id, quantity,
    exclude_ids, clean_ids
        The format of the log, as in `LogFormat`.
    train_end, test_end
        The ends of the two windows, included; a date means the whole day. The holdout window is (train_end, test_end].
        Default of `test_end`: the day of the last transaction.

    Returns
    -------
    tuple
        `Histories` up to `train_end`, as `rfm_summary` returns them, and the `Holdout` of the same customers.

    Raises
    ------
    DataError
        As in `rfm_summary`; and if `test_end` is not after `train_end`, or `train_end` lies within a merging window,
        which would then be counted in both windows.
    UnitError
        If `unit` or `resolution` is no unit.

    Warns
    -----
    DataWarning
        As in `rfm_summary`, of the training window; and if purchases of the holdout lack a value.

    Examples
    --------
    >>> import pandas as pd
    >>> days = ["2024-01-01", "2024-01-02", "2024-01-15", "2024-02-05"]
    >>> log = pd.DataFrame({"customer_id": [3, 1, 3, 3], "date": days})
    >>> train, holdout = rfm_train_test_split(log, unit="day", train_end="2024-01-31", test_end="2024-02-29")
    >>> holdout.to_frame()["frequency"].to_dict()
    {1: 0.0, 3: 1.0}
    >>> holdout.duration
    29.0
    """
    reading = LogFormat(
        customer_id, time, value, unit, resolution, returns, time_zone, time_format,
        attributes, order_id, quantity, exclude_ids, clean_ids,
    )  # fmt: skip
    opened = log_of(reading, log)
    train, test = read_bound(train_end, "train_end", opened.clock), end_of(opened, test_end, "test_end")
    histories, holdout, notes = split(reading, opened, train, test)
    _warn(notes)
    return histories, holdout


def split(
    reading: LogFormat, log: Log, train: WindowBound, test: WindowBound, end: str = "test_end"
) -> tuple[Histories, Holdout, list[str]]:
    """Split an opened log; return histories, holdout and notes to warn with. `end` is the option for the last day."""
    if test.after <= train.after:
        raise DataError(f"the holdout window is empty: train_end is {train.local}, and it ends {test.local}")
    training = plan_of(reading, log, None, train)
    _ = training.window.next_date  # refuse a window counted twice before anything is read
    histories, facts, notes = build_histories(training)
    whole = replace(training, window=replace(training.window, end=test))
    holdout, more = build_holdout(histories, facts, training=training, whole=whole)
    dates = suspect_dates(log, facts.all_days, Bounds(None, end), start_stated=True, end_stated=test.stated)
    return histories, holdout, [*notes, *more, *dates]


def _warn(notes: Sequence[str]) -> None:
    for note in notes:
        warnings.warn(note, DataWarning, stacklevel=3)
