"""Whatever is handed in is used, or refused with an error of this package; no figure that comes back is not finite."""

from __future__ import annotations

import copy
import json
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

import clvmodels as clv
from clvmodels.errors import ClvError, ClvWarning
from clvmodels.reporting import terminal

from . import strategies as some

FEW, MANY = 12, 450
BGNBD = clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")
SPEND = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
ASSUMPTIONS = clv.Assumptions(discount_rate=0.12, margin=0.3)


def customers() -> clv.Histories:
    table = {"customer_id": ["A", "B", "C"], "frequency": [2, 0, 5], "recency": [30, 0, 38], "T": [39, 39, 39]}
    table |= {"monetary_value": [22.35, None, 41.0], "segment": ["shop", "web", "web"], "rate": [0.1, 0.2, 0.3]}
    return clv.Histories.from_frame(pd.DataFrame(table), unit="week", observation_end="2024-06-30")


def require_finite(*figures: Any, missing: bool = False) -> None:
    """Raise unless all figures are finite; where some are not known, these may be missing."""
    for figure in figures:
        numbers = np.asarray(figure, dtype=float)
        assert not np.isinf(numbers).any()
        assert missing or not np.isnan(numbers).any()


def check_histories(rfm: clv.Histories) -> None:
    require_finite(rfm.frequency, rfm.recency, rfm.T)
    require_finite(rfm.monetary_value, missing=True)
    assert repr(rfm)
    assert (rfm.recency <= rfm.T).all()
    if rfm.report is not None:
        assert rfm.report.rows_used + sum(part.rows for part in rfm.report.dropped.values()) == rfm.report.rows_read


def check_value(rfm: clv.Histories, assumptions: clv.Assumptions = ASSUMPTIONS, orders: Any = BGNBD) -> None:
    rfm = rfm.in_unit(orders.unit)
    require_finite(orders.expected_purchases(rfm, "52 weeks"), orders.probability_alive(rfm, "4 weeks"))
    book = clv.value(orders, SPEND, rfm, assumptions)
    require_finite(book.equity, book.rlv)
    if book.equity:
        require_finite(book.statement(), missing=True)


# ------------------------------------------------------------------------------------------------- what is tried


def in_format(frame: pd.DataFrame, form: str, folder: Path) -> Any:
    """Return a table as a log of some kind; as it is, where the kind does not hold it."""
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        if form == "arrow":
            return table
        if form == "reader":
            return table.to_reader()
        if form == "polars":
            return pl.DataFrame(table)
        if form == "parquet":
            pa.parquet.write_table(table, folder / "log.parquet")
            return folder / "log.parquet"
        if form == "csv":
            frame.to_csv(folder / "log.csv", index=False)
            return folder / "log.csv"
    except (pa.ArrowException, pl.exceptions.PolarsError, OverflowError, TypeError, UnicodeError, ValueError):
        return frame
    return frame


def logs(data: st.DataObject, folder: Path) -> None:
    rows = data.draw(st.integers(0, 12))
    frame = pd.DataFrame(
        {
            "customer_id": some.series(data.draw(some.columns_of_ids(rows))),
            "date": some.series(data.draw(some.columns_of_times(rows))),
            "amount": some.series(data.draw(some.columns_of_amounts(rows))),
            "segment": some.series(
                data.draw(st.lists(st.one_of(st.sampled_from("ab"), some.ODD), min_size=rows, max_size=rows))
            ),
        }
    )
    log = in_format(frame, data.draw(st.sampled_from(some.FORMATS)), folder)
    options: dict[str, Any] = {"value": "amount"}
    if data.draw(st.booleans()):
        options["attributes"] = ["segment"]
    options["resolution"] = data.draw(st.sampled_from(["day", "week", "month", None]))
    for name in data.draw(st.lists(st.sampled_from(["returns", "observation_end", "time_zone", "unit"]), max_size=2)):
        sane = {
            "returns": ["net", "drop", "raise"],
            "observation_end": ["2024-06-30"],
            "time_zone": ["UTC"],
            "unit": ["day"],
        }
        options[name] = data.draw(st.one_of(st.sampled_from(sane[name]), some.ODD))
    rfm = clv.rfm_summary(log, **options).collect()
    check_histories(rfm)
    check_value(rfm)


def tables(data: st.DataObject, folder: Path) -> None:  # noqa: ARG001 - all kinds are called alike
    rows = data.draw(st.integers(1, 8))
    frequency = data.draw(st.lists(st.integers(0, 9), min_size=rows, max_size=rows))
    age = data.draw(st.lists(st.floats(1.0, 200.0), min_size=rows, max_size=rows))
    columns: dict[str, Any] = {
        "customer_id": list(range(rows)),
        "frequency": frequency,
        "recency": [T * data.draw(st.floats(0.01, 1.0)) if x else 0.0 for x, T in zip(frequency, age, strict=True)],
        "T": age,
        "monetary_value": [data.draw(st.floats(0.5, 300.0)) if x else None for x in frequency],
        "segment": ["a"] * rows,
    }
    for name in data.draw(st.lists(st.sampled_from(sorted(columns)), max_size=2)):
        kind = data.draw(st.sampled_from([some.NUMBERS, some.ODD]))
        columns[name] = data.draw(st.lists(kind, min_size=rows, max_size=rows))
    frame = pd.DataFrame({name: some.series(values) for name, values in columns.items()})
    unit = data.draw(st.one_of(st.sampled_from(["day", "week", "year"]), some.ODD))
    rfm = clv.Histories.from_frame(frame, unit=unit)
    check_histories(rfm)
    check_value(rfm)
    fit = clv.BGNBD().fit(rfm)
    require_finite(fit.log_likelihood, fit.estimate, fit.probability_alive(rfm))


def own_lines(rates: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return lines of one's own, of which one key or another is odd."""
    named = {
        "name": st.one_of(st.sampled_from(["gift", "Gift", "self", "rlv", "a b", "ü"]), some.JSON),
        "driver": st.one_of(st.sampled_from(["orders", "sales", "living years", "calendar years"]), some.JSON),
        "rate": rates,
    }
    optional = {
        "group": st.one_of(st.sampled_from(["cost", "benefit", "attributed"]), some.JSON),
        "sign": st.one_of(st.sampled_from([1, -1]), some.JSON),
        "labels": st.one_of(st.just({"en": "Gifts"}), some.JSON),
        "contribution": st.one_of(st.integers(1, 3), some.JSON),
    }
    return st.fixed_dictionaries(named, optional=optional)


def assumptions(data: st.DataObject, folder: Path) -> None:
    rates = st.one_of(
        st.floats(0.0, 1.0),
        st.just({"column": "rate"}),
        st.fixed_dictionaries({"by": st.just("segment"), "rates": st.just({"shop": 0.1, "web": 0.2})}),
        st.fixed_dictionaries({"column": st.just("rate"), "factor": some.JSON}),
        some.JSON,
    )
    terms: dict[str, Any] = {"discount_rate": 0.12, "margin": 0.3}
    special = {
        "discount_rate": st.one_of(st.floats(0.01, 0.5), st.lists(st.floats(0.01, 0.5), max_size=3), some.JSON),
        "growth": st.one_of(st.floats(-0.5, 0.1), some.JSON),
        "year": st.one_of(
            st.sampled_from(["52 weeks", "365.25 days", "1e308 weeks", "nan weeks", "-1 week"]), some.JSON
        ),
        "horizon": st.one_of(st.sampled_from(["10 years", "1e308 weeks", "1e-300 days", "0 weeks"]), some.JSON),
        "timing": st.one_of(st.sampled_from(["mid-month", "end-year"]), some.JSON),
        "currency": some.JSON,
        "lines": st.one_of(st.lists(own_lines(rates), max_size=2), some.JSON),
    }
    names = st.sampled_from(
        ["margin", "order_cost", "maintenance_cost", "contact_cost", "payment_share", *special, "no"]
    )
    for name in data.draw(st.lists(names, max_size=3)):
        terms[name] = data.draw(special.get(name, rates))
    if data.draw(st.integers(0, 4)) == 0:
        content = "\n".join(f"{name} = {json.dumps(value)}" for name, value in terms.items()).encode(errors="replace")
        file = folder / "assumptions.toml"
        file.write_bytes(content)
        check_value(customers(), clv.Assumptions.from_file(file))
    else:
        check_value(customers(), clv.Assumptions.from_mapping(terms))


def saved_fit(folder: Path) -> dict[str, Any]:
    draws = np.linspace(0.2, 0.3, 4)[None]
    fit = clv.BGNBD().from_params({"r": draws, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week")
    fit.save(folder / "fit.json")
    content: dict[str, Any] = json.loads((folder / "fit.json").read_text())
    return content


def fit_files(data: st.DataObject, folder: Path) -> None:
    content = copy.deepcopy(saved_fit(folder))
    for _ in range(data.draw(st.integers(0, 2))):
        place: Any = content
        key = data.draw(st.sampled_from(sorted(place)))
        while isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
            key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if isinstance(place[key], float) and data.draw(st.booleans()):
            place[key] = data.draw(st.floats(0.01, 500.0))
        elif data.draw(st.integers(0, 3)) == 0:
            del place[key]
        else:
            place[key] = data.draw(st.one_of(some.NUMBERS.filter(lambda n: n != 10**400), some.JSON))
        if not content:
            break
    text = json.dumps(content).encode(errors="replace")
    if data.draw(st.integers(0, 9)) == 0:
        text = text[: data.draw(st.integers(0, len(text)))] + data.draw(st.binary(max_size=5))
    (folder / "fit.json").write_bytes(text)
    fit = clv.Fit.load(folder / "fit.json")
    require_finite(fit.estimate, fit.theta)
    assert repr(fit)
    if fit.by is None and fit.unit is not None:
        check_value(customers(), orders=fit)


def parquet(data: st.DataObject, folder: Path) -> None:
    file = folder / "log.parquet"
    file.write_bytes(data.draw(some.parquet_files()))
    if data.draw(st.integers(0, 3)) == 0:
        ledger = clv.Ledgers.read(returns=file).returns
        assert ledger is not None
        require_finite(ledger["value"])
    else:
        check_histories(clv.rfm_summary(file, value="amount", attributes=["segment"]).collect())


def names(data: st.DataObject, folder: Path) -> None:  # noqa: ARG001 - as above
    shown = data.draw(st.one_of(some.TEXTS, st.text(alphabet="[]/=\\bold red\x1b\x07\x9b\r\n\u202e", max_size=30)))
    if shown == "total":
        return
    rfm = customers().with_attributes(pd.DataFrame({"customer_id": ["A", "B", "C"], "group": [shown, "x", "y"]}))
    book = clv.value(BGNBD, SPEND, rfm, ASSUMPTIONS)
    statement = SimpleNamespace(book=book, by="group", statement=book.statement("group"))
    console = Console(file=StringIO(), width=120, highlight=False, markup=False, emoji=False)
    console.print(terminal._statement(statement))  # type: ignore[arg-type] # what it reads of a report
    console.print(terminal.histories_report(rfm, shown), terminal.notes_report([shown]))
    file = console.file
    assert isinstance(file, StringIO)
    text = file.getvalue()
    assert all(letter.isprintable() or letter == "\n" for letter in text), text
    assert shown[:8].strip() in text or not shown.isprintable() or shown != " ".join(shown.split())


def options(data: st.DataObject, folder: Path) -> None:  # noqa: ARG001 - as above
    rfm, odd = customers(), data.draw(some.ODD)
    calls: list[Callable[[], Any]] = [
        lambda: BGNBD.expected_purchases(rfm, odd),
        lambda: BGNBD.expected_purchases(odd, "52 weeks"),
        lambda: BGNBD.probability_of_purchases(rfm, "52 weeks", odd),
        lambda: BGNBD.probability_alive(rfm, odd, return_draws=odd),
        lambda: BGNBD.total_purchases(rfm, "4 weeks", process=True, seed=odd),
        lambda: clv.BGNBD().from_params({"r": odd, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="week").theta,
        lambda: clv.BGNBD().from_params(odd, unit="week").theta,
        lambda: clv.BGNBD().from_params(BGNBD.params, unit=odd).theta,
        lambda: clv.value(BGNBD, odd, rfm, ASSUMPTIONS).rlv,
        lambda: clv.value(BGNBD, SPEND, rfm, odd).rlv,
        lambda: clv.value(BGNBD, SPEND, rfm, ASSUMPTIONS).statement(odd)["equity"],
        lambda: clv.compare(odd)["aic"],
        lambda: clv.compare([BGNBD, odd])["aic"],
        lambda: rfm.select(odd).T,
        lambda: rfm.in_unit(odd).T,
        lambda: rfm.with_attributes(odd).T,
        lambda: clv.rfm_summary(odd).collect().T,
        lambda: len(clv.Ledgers.read(service=odd).notes(rfm)),
        lambda: clv.Assumptions(discount_rate=odd, margin=0.3).discount_rates,
        lambda: clv.Fit.load(odd),
        lambda: clv.from_lifetimes(odd),
        lambda: clv.from_pymc_marketing(odd),
        lambda: clv.backtest(odd, BGNBD, cutoffs="2024-01-01", horizon="4 weeks"),
    ]
    answer = calls[data.draw(st.integers(0, len(calls) - 1))]()
    require_finite(answer, missing=True)


KINDS: dict[str, Callable[[st.DataObject, Path], None]] = {
    "logs": logs,
    "tables": tables,
    "assumptions": assumptions,
    "fit files": fit_files,
    "damaged Parquet": parquet,
    "terminal names": names,
    "options": options,
}


# ------------------------------------------------------------------------------------------------------ the trials


def check_message(error: ClvError) -> None:
    """An error says something, at a length that can be read, and in words that are not those of a bug."""
    message = str(error)
    assert message.strip()
    assert len(message) < 5_000
    assert not any(
        word in message for word in ("Binder Error", "Catalog Error", "Parser Error", "INTERNAL", "Traceback")
    )


def trials(kind: str, number: int) -> Counter[str]:
    """Try a kind of input so many times, the same each time; return how often it was used, and refused."""
    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=number, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.data())
    def trial(data: st.DataObject) -> None:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore", ClvWarning)
            try:
                KINDS[kind](data, Path(folder))
            except ClvError as error:
                check_message(error)
                outcomes["refused"] += 1
            else:
                outcomes["used"] += 1

    trial()
    return outcomes


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_of_each_kind(kind: str) -> None:
    assert trials(kind, FEW).total() >= FEW


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_of_each_kind(kind: str) -> None:
    outcomes = trials(kind, MANY)
    assert outcomes.total() >= MANY
    assert min(outcomes["used"], outcomes["refused"]) > MANY // 50 or kind == "terminal names"
