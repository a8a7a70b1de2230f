"""The format of a purchase log is one list of options, which every function that reads a log takes and passes on."""

from __future__ import annotations

import dataclasses
import inspect
import sys

import pytest

import clvmodels as clv
from clvmodels.errors import DataError

FIELDS = {field.name: field for field in dataclasses.fields(clv.LogFormat)}
BGNBD = clv.BGNBD().from_params({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, unit="month")
# No option has the default or the value of another.
GIVEN = {
    "customer_id": "client",
    "time": "when",
    "value": "amount",
    "unit": "day",
    "resolution": "hour",
    "returns": "drop",
    "time_zone": "Europe/Berlin",
    "time_format": "%d.%m.%Y",
    "attributes": ["segment"],
    "order_id": "order",
    "quantity": "pieces",
    "exclude_ids": ["guest"],
    "clean_ids": True,
}
# What else a function needs, and the options that it does not take, with what it reads the log with instead.
READERS = [
    (clv.rfm_summary, {}, {}),
    (clv.opportunity_summary, {}, {"unit": "year", "resolution": "year"}),
    (clv.rfm_train_test_split, {"train_end": "2024-06-30"}, {}),
    (clv.purchase_occasions, {}, {}),
    (clv.backtest, {"models": BGNBD, "cutoffs": "2024-06-30", "horizon": "9 weeks"}, {}),
    (clv.last_third, {}, {}),
    (clv.forecast_against_actual, {"fits": BGNBD, "spend": None, "train_end": "2024-06-30"}, {}),
    (clv.track, {"fits": BGNBD, "train_end": "2024-06-30"}, {}),
    (clv.plots.tracking, {"fits": BGNBD, "train_end": "2024-06-30"}, {}),
    (clv.plots.customer_history, {"fits": BGNBD, "customer": 1}, {"unit": "month", "attributes": ()}),
    (clv.plots.timelines, {}, {"unit": "day", "attributes": ()}),
]
NAMES = [reader.__name__ for reader, _, _ in READERS]


@pytest.mark.parametrize(("reader", "fixed"), [(reader, fixed) for reader, _, fixed in READERS], ids=NAMES)
def test_the_options_are_those_of_the_format(reader, fixed):
    parameters = inspect.signature(reader).parameters
    for name in FIELDS.keys() - fixed.keys():
        assert parameters[name].default == FIELDS[name].default, name
        assert parameters[name].annotation == FIELDS[name].type, name
    assert not fixed.keys() & parameters.keys()


@pytest.mark.parametrize(("reader", "needed", "fixed"), READERS, ids=NAMES)
def test_every_option_arrives_where_it_belongs(reader, needed, fixed, monkeypatch):
    made = []

    def record(*options):
        made.append(clv.LogFormat(*options))
        raise DataError("the log is not read")

    monkeypatch.setattr(sys.modules[reader.__module__], "LogFormat", record)
    options = {name: value for name, value in GIVEN.items() if name not in fixed}
    with pytest.raises(DataError, match="the log is not read"):
        reader(log="log.csv", **needed, **options)
    assert made == [clv.LogFormat(**options, **fixed)]


def test_all_functions_that_take_the_options_are_tried():
    public = {getattr(module, name) for module in (clv, clv.plots) for name in module.__all__}
    functions = [function for function in public if inspect.isfunction(function)]
    assert {reader for reader, _, _ in READERS} == {
        function for function in functions if "time_zone" in inspect.signature(function).parameters
    }


def test_the_options_that_are_tried_are_all_and_none_is_a_default():
    assert GIVEN.keys() == FIELDS.keys()
    assert all(GIVEN[name] != field.default for name, field in FIELDS.items())
