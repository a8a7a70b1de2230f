"""Why customer equity changed between two closings whose customers stay in an engine.

Every line of the movement is linear in the value of an order. So it is a sum over cells of customers with the same
history, at the opening or at the closing, who are alike in one more thing: whether they are in the other closing, and
bought in between. The engine joins the closings by customer and counts the cells; pairs of histories never leave it.
"""

# ruff: noqa: PD003, PD004 - isnull and notnull are what Ibis has

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from numpy.typing import NDArray

from clvmodels.data.arithmetic import rounded, steady_sum
from clvmodels.data.engine import EngineColumn
from clvmodels.data.engine import EngineTable as Expression
from clvmodels.data.engine_table import EngineTable, attribute_column
from clvmodels.data.histories import Histories
from clvmodels.valuation.book import Book, valued
from clvmodels.valuation.changes import (
    LINES,
    as_opened,
    columns_of_rates,
    memory_changes,
    observed_behaviour,
    until_closing,
    updates,
)
from clvmodels.valuation.closings import (
    PRECISION,
    first_seen_late,
    moved_first_purchases,
    nobody_in_both,
    not_after,
    wrong_restated_end,
)
from clvmodels.valuation.engine_customers import EngineCustomers
from clvmodels.valuation.rates import ByColumn
from clvmodels.valuation.roll_forward import expectation, value_growth
from clvmodels.valuation.valued_rows import ValuedRows, order_values

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EngineChanges", "engine_changes"]

Flags = NDArray[np.bool_]

_BOTH: Final = ("bought", "silent")
_STATUS: Final = "movement: status"
"""Attribute: who is in both closings and bought until the second, or was silent; or is gone, new, late or moved."""
_ORDER_VALUE: Final = "movement: order value"
_ANY: Final = 1.0
"""The order value expected of customers whom the opening lacks: nothing rests on it, but it must be a number."""
_MARGIN: Final = "margin expected"
_GROUP: Final = "movement: group"
_OWN: Final = ("id", "frequency", "recency", "age", "spend")


@dataclass(frozen=True, eq=False)
class EngineChanges:
    """The lines of a movement, in sums over customers; made by `engine_changes`. All lies in the engine of the closing.

    Attributes
    ----------
    opening, closing, restated
        The valuations at the two closings, and the histories at the opening as the closing has them, if given.
    base
        That of the opening as the closing has it. Beside each customer stand their purchases at the closing.
    restated_from
        That of the opening, where `base` is another.
    now
        The customers of the closing. Beside each stands what `base` knew of them.
    time
        The time between the closings.
    """

    opening: Book
    closing: Book
    restated: Histories | None
    base: Book
    restated_from: Book | None
    now: EngineTable
    time: float
    _histories: dict[tuple[str, ...], Histories] = field(default_factory=dict, init=False)

    @property
    def total(self) -> pd.Series[float]:
        """The lines, summed over the customers."""
        return self._of_all[list(LINES)]

    @property
    def expected_margin(self) -> float:
        """Contribution margin that the opening expected of the time between, not discounted."""
        return float(self._of_all[_MARGIN])

    @cached_property
    def customers(self) -> pd.DataFrame:
        """The lines by customer, of closings that are fetched if there is room."""
        restated = None if self.restated is None else self.restated.collect()
        return memory_changes(self.opening.collect(), self.closing.collect(), restated).customers

    def by(self, column: str) -> pd.DataFrame:
        """Return the lines by the values of an attribute of the closing; of customers who are gone, of the opening.

        Raises
        ------
        DataError
            If the histories have no such attribute.
        """
        return self._lines((column,))[list(LINES)].rename_axis(column)

    @cached_property
    def _of_all(self) -> pd.Series[float]:
        return self._lines(()).iloc[0]

    @cached_property
    def realised_margin(self) -> float:
        """Contribution of the repeat purchases in the time between; NaN if the spend of a customer is unknown."""
        histories = _table(self.base.histories)
        rows = histories.rows
        exists = attribute_column(histories, rows, _STATUS).isin(_BOTH)
        orders, means = (rows.frequency, rows.other_frequency), (rows.spend, rows.other_spend)
        before, after = ((x > 0).ifelse(x * mean, 0.0) for x, mean in zip(orders, means, strict=True))
        margin = exists.ifelse((after - before) * _customers(self.base).rate_of(rows, "margin"), 0.0)
        unknown = exists & (before.isnull() | after.isnull())
        size = histories.engine.run(rows.aggregate(size=margin.abs().sum(), unknown=rows.count(where=unknown)))
        if size["unknown"][0].as_py():
            return float("nan")
        total = steady_sum(margin, size=size["size"][0].as_py(), rows=len(histories))
        return float(histories.engine.run(rows.aggregate(total=total))["total"][0].as_py())

    def _lines(self, by: tuple[str, ...]) -> pd.DataFrame:
        """Return the lines by the values of an attribute; by nothing: one row."""
        import pandas as pd

        on_old_basis = self._on_old_basis()
        frames = [*self._until_closing(by), self._from_closing(on_old_basis, by), *self._updates(on_old_basis, by)]
        table = pd.concat(frames).groupby(level=0, dropna=False).sum()
        return table.reindex(columns=[*LINES, _MARGIN], fill_value=0.0)

    # ---------------------------------------------------------------------------------- cells of the opening

    def _until_closing(self, by: tuple[str, ...]) -> Iterator[pd.DataFrame]:
        """Yield what comes from the opening, and from what it expected."""
        group = (_GROUP,) if by else ()
        cells = _customers(self._grouped(self.base, by)).rows_with((_STATUS, *group))
        ahead = expectation(cells, self.time)
        exists = _are(cells, *_BOTH)
        expected = until_closing(cells.rlv, ahead, _are(cells, "bought")) | {_MARGIN: ahead.margin}
        lines = {key: np.where(exists, values, 0.0) for key, values in expected.items()}
        if self.restated_from is None:
            opened = as_opened(cells.rlv)
            lines |= opened | {"data_corrections": opened["data_corrections"] + lines["data_corrections"]}
        else:
            before = _customers(self._grouped(self.restated_from, by)).rows_with(group)
            yield _summed(before, as_opened(before.rlv), group)
        yield _summed(cells, lines, group)

    def _grouped(self, book: Book, by: tuple[str, ...]) -> Book:
        """Return a valuation of the opening, with an attribute of its customers as the closing has it."""
        before = _table(book.histories)
        if not by:  # a copy: it takes the cells that are counted with it
            return _moved(book, before.with_rows(before.rows, before.names))
        after = _table(self.closing.histories)
        named = {"group_id": after.rows.id, "group": attribute_column(after, after.rows, *by)}
        rows = _beside(before.rows, after.rows, named)
        group, gone = rows.group, rows.group_id.isnull()
        if by[0] in before.names:
            group = gone.ifelse(attribute_column(before, rows, *by), group)
        return _moved(book, _described(before, rows, {_GROUP: group}))

    # ---------------------------------------------------------------------------------- cells of the closing

    def _on_old_basis(self) -> Book:
        """Return the valuation of the histories of the closing with the fits and the assumptions of the opening."""
        opening = self.base
        columns = columns_of_rates([opening.assumptions, self.closing.assumptions])
        return valued(opening.transactions, opening.spend, self._with_old_columns(columns), opening.assumptions)

    def _from_closing(self, on_old_basis: Book, by: tuple[str, ...]) -> pd.DataFrame:
        """Return what the closing shows."""
        histories = self.now if on_old_basis.histories is self.closing.histories else _table(on_old_basis.histories)
        group = _names(histories, by)
        book, keys = _moved(on_old_basis, histories), (_STATUS, *group)
        at_expected_value = _customers(book).rows_with(keys, order_value=_ORDER_VALUE)
        if any(isinstance(rate, ByColumn) for rate in book.assumptions.rates.values()):
            cells = _customers(book).rows_with(keys)  # means of rates weigh with the value of an order
        else:
            Z = order_values(book.spend, at_expected_value.histories)
            cells = replace(at_expected_value, order_value=Z)
        lines = observed_behaviour(cells.rlv, at_expected_value.rlv, _are(cells, *_BOTH), _are(cells, "bought"))
        return _summed(cells, lines, group)

    def _updates(self, on_old_basis: Book, by: tuple[str, ...]) -> Iterator[pd.DataFrame]:
        """Yield what the closing changes about the fits and the assumptions, and what it is worth itself."""
        worth = _worth(on_old_basis, by)
        for line, before, after in updates(on_old_basis, self.base, self.closing):
            then, worth = worth, worth if after is before else _worth(after, by)
            yield (worth - then).to_frame(line)
        yield worth.to_frame("closing")

    def _with_old_columns(self, columns: set[str]) -> Histories:
        """Return the histories of the closing, with some columns of the existing customers as the opening has them."""
        names = _table(self.closing.histories).names
        varying = tuple(name for name in names if name in columns and name in _table(self.base.histories).names)
        if not varying:
            return self.closing.histories
        if varying not in self._histories:
            now, rows = self.now, self.now.rows
            exists = attribute_column(now, rows, _STATUS).isin(_BOTH)
            places = {name: names.index(name) for name in varying}
            restored = {f"a{k}": exists.ifelse(rows[f"other_a{k}"], rows[f"a{k}"]) for k in places.values()}
            own = {_as_now(name): rows[f"a{k}"] for name, k in places.items()}
            table = _described(now, rows, own, restored)
            self._histories[varying] = replace(self.closing.histories, backend=table)
        return self._histories[varying]


# ------------------------------------------------------------------------------------------------------ in the engine


def engine_changes(opening: Book, closing: Book, restated: Histories | None) -> EngineChanges:
    """Return the lines of the movement between two closings in an engine.

    Raises
    ------
    DataError
        If the closings cannot be compared; see `clvmodels.valuation.closings`.
    """
    target = _table(closing.histories)
    opened = _moved(opening, _reached(opening.histories, target))
    base = opened
    if restated is not None:
        histories = replace(restated, backend=_reached(restated, target))
        base = valued(opening.transactions, opening.spend, histories, opening.assumptions)
    before, after = _joined(base, target)
    time = _time(before, opened, restated)
    passed = before.rows.other_age - before.rows.age
    before = _described(before, before.rows, {_STATUS: _status(before.rows, passed, time, "gone")})
    rows = after.rows
    alone = (rows.age > time * (1.0 + PRECISION)).ifelse("late", "new")
    status = _status(rows, rows.age - rows.other_age, time, alone)
    order_value = (rows.order_value * value_growth(opening.assumptions, closing.histories.unit, time)).fill_null(_ANY)
    after = _described(after, rows, {_STATUS: status, _ORDER_VALUE: order_value})
    _require_one_log(before, after, restated=restated is not None)
    reached = None if restated is None else opened
    return EngineChanges(opening, closing, restated, _moved(base, before), reached, after, time)


def _table(histories: Histories) -> EngineTable:
    """Return the customers of histories in an engine."""
    return cast("EngineTable", histories.backend)


def _customers(book: Book) -> EngineCustomers:
    """Return the customers of a valuation in an engine."""
    return cast("EngineCustomers", book.backend)


def _moved(book: Book, table: EngineTable) -> Book:
    """Return a valuation whose customers have other columns, or lie in another engine."""
    return replace(book, histories=replace(book.histories, backend=table))


def _reached(histories: Histories, closing: EngineTable) -> EngineTable:
    """Return histories in the engine of the closing, with what a movement needs of them."""
    table = _table(histories)
    rows = table.rows.select(*_OWN, *_attributes(table))
    taken = closing.engine.take_over(rows, table.engine)
    if taken.id.type().is_string() != closing.rows.id.type().is_string():
        raise nobody_in_both()
    return table.with_rows(taken, table.names, closing.engine)


def _joined(base: Book, after: EngineTable) -> tuple[EngineTable, EngineTable]:
    """Return the histories of both closings, with what the other one has of each customer beside them."""
    before = _table(base.histories)
    engine, own = after.engine, after.rows.select(*_OWN, *_attributes(after))
    later = {f"other_{name}": after.rows[name] for name in ("frequency", "age", "spend")}
    valued = _customers(base).with_order_value
    earlier = {f"other_{name}": valued[name] for name in ("frequency", "age")} | {"order_value": valued.order_value}
    earlier |= {
        f"other_a{k}": valued[f"a{before.names.index(name)}"]
        for k, name in enumerate(after.names)
        if name in before.names
    }
    return (
        before.with_rows(engine.keep(_beside(before.rows, after.rows, later)), before.names),
        after.with_rows(engine.keep(_beside(own, valued, earlier)), after.names),
    )


def _beside(rows: Expression, other: Expression, columns: Mapping[str, EngineColumn]) -> Expression:
    """Return rows with columns of another table of customers beside them; NULL for those it lacks."""
    beside = other.select(key=other.id, **columns).view()  # a table cannot be joined with itself, a view of it can
    joined: Expression = rows.left_join(beside, rows.id == beside.key).drop("key")
    return joined


def _described(
    histories: EngineTable,
    rows: Expression,
    attributes: Mapping[str, EngineColumn],
    changed: Mapping[str, EngineColumn] | None = None,
) -> EngineTable:
    """Return histories of other rows with further attributes, and with some columns changed."""
    added = {f"a{len(histories.names) + k}": column for k, column in enumerate(attributes.values())}
    return histories.with_rows(rows.mutate(**added, **(changed or {})), (*histories.names, *attributes))


def _attributes(histories: EngineTable) -> list[str]:
    return [f"a{k}" for k in range(len(histories.names))]


def _status(rows: Expression, passed: EngineColumn, time: float, alone: str | EngineColumn) -> EngineColumn:
    """Return the status of customers; `alone` is that of those whom the other closing lacks."""
    moved = (passed - time).abs() > PRECISION * time
    bought = (rows.other_frequency != rows.frequency).ifelse("bought", "silent")
    status: EngineColumn = rows.other_age.isnull().ifelse(alone, moved.ifelse("moved", bought))
    return status


# ------------------------------------------------------------------------------------------------------------- checks


def _time(before: EngineTable, opened: Book, restated: Histories | None) -> float:
    """Return the time between the closings; see `clvmodels.valuation.closings.time_between`."""
    rows = before.rows
    time = _usual(before, rows, rows.other_age - rows.age)
    if time is None:
        raise nobody_in_both()
    if time <= 0.0:
        raise not_after(time, opened.histories.unit)
    if restated is not None:
        known = _table(opened.histories).rows
        rows = _beside(rows, known, {"known_age": known.age})
        apart = abs(_usual(before, rows, rows.age - rows.known_age) or 0.0)
        if apart > PRECISION * time:
            raise wrong_restated_end(apart, opened.histories.unit)
    return time


def _usual(histories: EngineTable, rows: Expression, difference: EngineColumn) -> float | None:
    """Return the difference that most customers have; None if nobody has one."""
    gaps = rows.select(apart=difference)
    gaps = gaps.filter(gaps.apart.notnull())
    counted = gaps.group_by(key=rounded(gaps.apart)).aggregate(customers=gaps.count(), apart=gaps.apart.min())
    most = counted.order_by([counted.customers.desc(), counted.key]).limit(1)
    values = histories.engine.run(most)["apart"].to_pylist()
    return values[0] if values else None


def _require_one_log(before: EngineTable, after: EngineTable, *, restated: bool) -> None:
    """Refuse closings that differ in first purchases."""
    late = _counts(after).get("late", 0)
    if late:
        raise first_seen_late(late, _examples(after, "late"), restated=restated)
    counts = _counts(before)
    moved = counts.get("moved", 0)
    if moved and (not restated or 2 * moved > moved + sum(counts.get(status, 0) for status in _BOTH)):
        raise moved_first_purchases(moved, _examples(before, "moved"), restated=restated)


def _counts(histories: EngineTable) -> dict[str, int]:
    """Return the number of customers by status."""
    rows = histories.rows
    counted = rows.group_by(status=attribute_column(histories, rows, _STATUS)).aggregate(customers=rows.count())
    return {row["status"]: row["customers"] for row in histories.engine.run(counted).to_pylist()}


def _examples(histories: EngineTable, status: str) -> list[object]:
    """Return the ids of up to three customers of a status."""
    rows = histories.rows
    examples = rows.filter(attribute_column(histories, rows, _STATUS) == status).order_by("id").limit(3)
    ids: list[object] = histories.engine.run(examples.select("id"))["id"].to_pylist()
    return ids


# ---------------------------------------------------------------------------------------------------- sums over cells


def _are(cells: ValuedRows, *status: str) -> Flags:
    """Return which cells are of customers with some status."""
    return cells.histories.attributes[_STATUS].isin(status).to_numpy()


def _as_now(column: str) -> str:
    """Return the name of an attribute as the closing has it, beside one that is held as the opening has it."""
    return f"movement: {column} now"


def _names(histories: EngineTable, by: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of attributes as the closing has them."""
    return tuple(_as_now(name) if _as_now(name) in histories.names else name for name in by)


def _worth(book: Book, by: tuple[str, ...]) -> pd.Series[float]:
    """Return equity by the values of an attribute as the closing has it."""
    group = _names(_table(book.histories), by)
    cells = _customers(book).rows_with(group)
    return _summed(cells, {"equity": cells.rlv}, group)["equity"]


def _summed(cells: ValuedRows, lines: Mapping[str, NDArray[np.float64]], group: tuple[str, ...]) -> pd.DataFrame:
    """Return the sums of lines over cells, by the values of an attribute; by nothing: one row."""
    import pandas as pd

    assert cells.weight is not None
    attributes = cells.histories.attributes
    values = attributes[group[0]] if group else pd.Series(0, attributes.index)
    table = pd.DataFrame({key: cells.weight * values for key, values in lines.items()}, index=attributes.index)
    return table.groupby(values, dropna=False, observed=True).sum()
