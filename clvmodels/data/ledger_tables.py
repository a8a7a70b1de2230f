"""Relationship ledgers as tables: what columns each has, how they are read, and what is wrong in them by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from clvmodels.data.columns import count, examples, require
from clvmodels.data.ids import IdRules, clean_id
from clvmodels.data.kinds import require_label
from clvmodels.data.scans import (
    CSV,
    PARQUET,
    csv_columns,
    files_of,
    kinds_of,
    parquet_columns,
    paths_of,
    quote_paths,
    scan_csv,
)
from clvmodels.data.sources import Columns, open_log
from clvmodels.data.times import parsed, read_times
from clvmodels.data.translated import reason
from clvmodels.data.zones import parse_zone
from clvmodels.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from clvmodels.data.histories import FloatArray
    from clvmodels.data.sources import Source

__all__ = ["FORMS", "Form", "positions", "read_ledger"]


@dataclass(frozen=True)
class Form:
    """The columns of a ledger.

    Attributes
    ----------
    thing
        What a row is.
    ids
        Columns that name customers.
    dated
        Whether it has a column ``time``.
    money
        The column of amounts, if it has one.
    money_known
        Whether no amount may be missing.
    labelled
        Whether it may have a column ``channel``.
    once
        The column of ids in which a customer appears once at most, if there is one.
    """

    thing: str
    ids: tuple[str, ...] = ("customer_id",)
    dated: bool = True
    money: str | None = None
    money_known: bool = True
    labelled: bool = False
    once: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it must have."""
        return (*self.ids, *(("time",) if self.dated else ()), *(() if self.money is None else (self.money,)))


_EXACT: Final = 2.0**63
"""Larger whole numbers that are stored as floats stay so."""

FORMS: Final[dict[str, Form]] = {
    "returns": Form("return", money="value"),
    "service": Form("contact", labelled=True),
    "campaigns": Form("contact"),
    "acquisition": Form("row", dated=False, money="cost", money_known=False, labelled=True, once="customer_id"),
    "referrals": Form("referral", ids=("customer_id", "referred_id"), once="referred_id"),
}
"""The ledgers by name."""


# -------------------------------------------------------------------------------------------------------- reading


def read_ledger(
    table: object,
    form: Form,
    *,
    time_format: str | None = None,
    ids: IdRules = IdRules(),  # noqa: B008 - it is frozen
) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of a ledger, and what is wrong with them.

    Parameters
    ----------
    table
        As a purchase log: a table in memory, a DuckDB relation, an Ibis table, or the path or paths of CSV or Parquet
        files. CSV is read as text, so that nothing is guessed about ids and amounts.
    form
        The columns it has; others are not read.
    time_format
        How times are written, as in ``strptime``; None for timestamps and ISO text.
    ids
        What is done with the ids.

    Returns
    -------
    tuple
        A table with the columns of `form`: ids as categories, ``time`` as timestamps (with their zone, if they have
        one), amounts as floats; and the findings in words. Without ``time`` if the times cannot be read.

    Raises
    ------
    DataError
        If there is no such table, or a column is missing.
    """
    import pandas as pd

    opened = _opened(table, form)
    names = _wanted(form, _names(opened))
    source = open_log(opened, Columns("customer_id", "time" if form.dated else "customer_id", None, names))
    for name in (*form.ids, *names[len(form.columns) :]):
        require_label(name, source.table[name].type())
    rows, zone, findings = _dated(source, time_format) if form.dated else (source.table, None, [])
    arrow = source.engine.run(rows)
    columns: dict[str, Any] = {name: _ruled(_categories(arrow[name]), ids) for name in form.ids}
    if "t" in arrow.column_names:
        columns["time"] = _times(arrow["t"], zone)
    if form.money is not None:
        columns[form.money], wrong = _amounts(arrow[form.money], form)
        findings = [*findings, *wrong]
    if "channel" in names:
        columns["channel"] = arrow["channel"].to_pandas()
    frame = pd.DataFrame(columns)
    findings = [*findings, *_missing(frame), *_repeated(frame, form), *_circular(frame)]
    return _without(frame, form, ids), findings


def _ruled(ids: pd.Categorical, rules: IdRules) -> pd.Categorical:
    """Return ids as the rules write them."""
    import pandas as pd

    if not rules.clean or ids.categories.inferred_type != "string":
        return ids
    cleaned = pd.Index([clean_id(text) for text in ids.categories], dtype="object")
    blank = np.append(np.asarray(cleaned == ""), True)
    categories = cleaned[cleaned != ""].unique()
    place = np.where(blank, -1, np.append(categories.get_indexer(cleaned), -1))
    return pd.Categorical.from_codes(place[ids.codes], categories=categories)


def _without(frame: pd.DataFrame, form: Form, rules: IdRules) -> pd.DataFrame:
    """Return the rows that name no customer who is left out."""
    if not rules.exclude:
        return frame
    keep = np.ones(len(frame), dtype=bool)
    for name in form.ids:
        drops = np.append(np.array(rules.drops(list(frame[name].cat.categories)), dtype=bool), False)
        keep &= ~drops[frame[name].cat.codes.to_numpy()]
    return frame[keep].reset_index(drop=True)


def _opened(table: object, form: Form) -> object:
    """Return a table that can be read more than once; CSV as a table of text."""
    paths = paths_of(table)
    if paths:
        return _text(paths, form) if kinds_of(paths) == {CSV} else paths
    if hasattr(table, "read_all"):  # an Arrow reader
        return table.read_all()
    if hasattr(table, "__arrow_c_stream__") and not _names(table):
        import pyarrow as pa

        try:
            return pa.RecordBatchReader.from_stream(table).read_all()
        except pa.ArrowException as error:  # of one column
            raise DataError(f"a ledger is a table, got {type(table).__name__}: {error}") from error
    return table if form.money is None else _with_text(table, form.money)


def _text(paths: Sequence[Path], form: Form) -> pa.Table:
    """Return CSV files as a table of text."""
    import duckdb

    files = files_of(paths)
    try:
        with duckdb.connect() as connection:
            names = _wanted(form, csv_columns(connection, files))
            return scan_csv(connection, files, names, text=names).to_arrow_table()
    except duckdb.Error as error:
        raise DataError(f"cannot read {quote_paths(paths)}: {reason(error)}") from error


def _wanted(form: Form, present: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a ledger that are read of those present; if these are not known, the ones it must have."""
    if present:
        require(form.columns, present, what="the table")
    return (*form.columns, *(("channel",) if form.labelled and "channel" in present else ()))


def _with_text(table: object, name: str) -> object:
    """Return a table; amounts of pandas that are objects, and so may be of several kinds, are text in it."""
    import pandas as pd

    if not isinstance(table, pd.DataFrame) or name not in table or not pd.api.types.is_object_dtype(table[name]):
        return table
    text = table[name].map(lambda value: str(value).encode(errors="replace").decode())
    return table.assign(**{name: table[name].where(table[name].isna(), text)})


def _names(table: object) -> list[str]:
    """Return the names of the columns of any table, as far as they are known."""
    paths = paths_of(table)
    if paths:
        return parquet_columns(files_of(paths)) if kinds_of(paths) == {PARQUET} else []
    if hasattr(table, "collect_schema"):  # polars
        return list(table.collect_schema().names())
    if hasattr(table, "schema") and hasattr(table.schema, "names"):  # Arrow
        return list(table.schema.names)
    index = getattr(getattr(table, "index", None), "names", ())
    return [str(name) for name in (*getattr(table, "columns", ()), *index) if name is not None]


def _dated(source: Source, time_format: str | None) -> tuple[ir.Table, str | None, list[str]]:
    """Return the rows with their times ``t`` and the zone of these; if the times cannot be read, without, and why."""
    times = source.table["time"]
    if times.type().is_null():  # as in a table without rows
        return source.table.mutate(t=times.cast("timestamp(6)")), None, []
    try:
        reading = read_times(source, "time", time_format)
        rows = parsed(source, "time", reading, source.table.mutate(t=reading.times))
    except DataError as error:
        return source.table, None, [str(error)]
    return rows, reading.own_zone, []


# -------------------------------------------------------------------------------------------------------- columns


def _times(column: pa.ChunkedArray, zone: str | None) -> pd.Series[Any]:
    """Return timestamps, with their zone."""
    import pandas as pd

    times = pd.Series(column.to_numpy().astype("datetime64[us]"))
    return times if zone is None else times.dt.tz_localize("UTC").dt.tz_convert(parse_zone(zone))


def _categories(column: pa.ChunkedArray) -> pd.Categorical:
    """Return ids as categories; an empty text is missing, and whole numbers stored as floats are whole."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    plain = plain.dictionary_decode() if pa.types.is_dictionary(plain.type) else plain
    if pa.types.is_floating(plain.type):
        plain = pc.if_else(pc.is_finite(plain), plain, None)
        whole = pc.and_(pc.equal(plain, pc.round(plain)), pc.less(pc.abs(plain), _EXACT))
        plain = plain.cast(pa.int64()) if pc.all(whole).as_py() else plain
    elif not pa.types.is_integer(plain.type):
        plain = _as_text(plain)
        plain = pc.if_else(pc.equal(plain, ""), None, plain)
    encoded = plain.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return pd.Categorical.from_codes(codes, categories=pd.Index(encoded.dictionary.to_pandas()))


def _as_text(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return a column as text.

    Raises
    ------
    DataError
        If it holds what is no text.
    """
    import pyarrow as pa

    try:
        return column.cast(pa.large_string())
    except pa.ArrowException as error:
        raise DataError(f"a column of {column.type} cannot be read as text: {error}") from error


def _amounts(column: pa.ChunkedArray, form: Form) -> tuple[FloatArray, list[str]]:
    """Return amounts as floats, what is no number as NaN, and what is wrong with them."""
    import pandas as pd
    import pyarrow as pa

    name, kind = form.money, column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = np.array(column.cast("float64", safe=False).to_numpy(), dtype=np.float64)
        absent, text = np.isnan(values), None
    else:
        text = _as_text(column).to_pandas().astype("object")
        values = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        absent = (text.isna() | (text == "")).to_numpy(dtype=bool)
    findings = []
    wrong = np.isnan(values) & ~absent
    if text is not None and wrong.any():
        sample = examples(pd.unique(text[wrong]))
        findings.append(f"{name} is no number in {_rows(wrong)}, such as {sample}; write bare numbers like 12.50")
    rules = {"negative": values < 0, "infinite": np.isinf(values), "missing": absent & form.money_known}
    advice = {"negative": "; write what it is worth or costs as a positive amount"}
    findings += [f"{name} is {what} in {_rows(bad)}{advice.get(what, '')}" for what, bad in rules.items() if bad.any()]
    return values, findings


# --------------------------------------------------------------------------------------------------------- checks


def _missing(frame: pd.DataFrame) -> Iterator[str]:
    """Yield which ids and times are missing."""
    for name in frame.columns.intersection(["customer_id", "referred_id", "time"]):
        absent = frame[name].isna().to_numpy()
        if absent.any():
            yield f"{name} is missing in {_rows(absent)}"


def _repeated(frame: pd.DataFrame, form: Form) -> Iterator[str]:
    """Yield who appears more than once where each may appear once."""
    if form.once is None:
        return
    ids = frame[form.once]
    twice = ids[ids.notna() & ids.duplicated()].unique()
    if len(twice):
        yield (
            f"{form.once} names {count(len(twice), 'customer')} in more than one row, for example {examples(twice)};"
            f" there is one {form.thing} a customer"
        )


def _circular(frame: pd.DataFrame) -> Iterator[str]:
    """Yield who has referred themselves."""
    import pandas as pd

    if "referred_id" not in frame:
        return
    recommends, joins = frame["customer_id"].cat, frame["referred_id"].cat
    own = positions(frame["referred_id"], pd.Index(recommends.categories)) == recommends.codes
    own &= (joins.codes >= 0).to_numpy()
    if own.any():
        yield f"a customer has referred themselves in {_rows(own)}, for example {examples(frame['customer_id'][own])}"


def _rows(wrong: npt.NDArray[np.bool_]) -> str:
    """Return how many rows, and which the first ones are."""
    first = ", ".join(f"{row + 1:,}" for row in np.flatnonzero(wrong)[:3])
    number = int(wrong.sum())
    return f"{count(number, 'row')} ({first}{', ...' if number > 3 else ''})"


# ------------------------------------------------------------------------------------------------------ alignment


def positions(ids: pd.Series[Any], target: pd.Index[Any]) -> npt.NDArray[np.int64]:
    """Return where each id lies in `target`, -1 for one that is not there or missing; shape (rows,).

    A number and the text it is written as are the same id; leading zeros make a text of their own.

    Parameters
    ----------
    ids
        Of categories.
    target
        Unique ids.

    Examples
    --------
    >>> import pandas as pd
    >>> positions(pd.Series(["7", "12", "007"], dtype="category"), pd.Index([12, 7])).tolist()
    [1, 0, -1]
    """
    import pandas as pd

    known = ids.cat.categories
    texts = {"string", "empty"}
    if target.inferred_type == "string" and known.inferred_type not in texts:
        known = pd.Index([str(id_) for id_ in known], dtype="object")
    elif known.inferred_type == "string" and target.inferred_type not in texts:
        target = pd.Index([str(id_) for id_ in target], dtype="object")
    place = np.append(target.get_indexer(known), -1)
    return np.asarray(place[ids.cat.codes.to_numpy()], dtype=np.int64)
