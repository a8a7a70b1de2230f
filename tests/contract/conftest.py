"""Every registered model, at its example parameters. A new model brings no tests: it brings an example."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.inference.estimator import TransactionEstimator
from clvmodels.models.registry import PERIOD_MODELS, TRANSACTION_MODELS

ORDERS = [*TRANSACTION_MODELS.values(), *PERIOD_MODELS.values()]


@pytest.fixture(params=ORDERS, ids=[model.key for model in ORDERS])
def model(request):
    return request.param


@pytest.fixture
def theta(model):
    return model.theta(model.example)


@pytest.fixture
def fit(model):
    return TransactionEstimator(model).from_params(model.example, unit="week")


def observed(model, weeks):
    """For how long customers are observed: of a model of opportunities, for twelve of them."""
    return "12 weeks" if model.time == "periods" else f"{weeks} weeks"


@pytest.fixture(scope="session")
def simulated():
    """20,000 customers of each model, observed for a year, or for twelve opportunities."""
    made = {}
    for model in ORDERS:
        given = TransactionEstimator(model).from_params(model.example, unit="week")
        made[model.key] = given.simulate(20_000, observed(model, 52), seed=7)
    return made


@pytest.fixture
def rfm(model, simulated):
    return simulated[model.key]


@pytest.fixture(scope="session")
def fitted(simulated):
    return {model.key: TransactionEstimator(model).fit(simulated[model.key]) for model in ORDERS}


HISTORIES = np.array(
    [(0, 0, 0), (0, 0, 39), (1, 5, 39), (2, 30.43, 38.86), (7, 39, 39), (10, 20, 39), (26, 30.857, 31), (3, 0.5, 104)]
).T
PERIODS = np.array(
    [(0, 0, 0), (0, 0, 39), (1, 5, 39), (2, 30, 38), (7, 39, 39), (10, 20, 39), (26, 30, 31), (3, 5, 104)], float
).T


@pytest.fixture
def histories(model):
    """Columns (x, t_x, T), or (x, t_x, n) of a model of opportunities."""
    return PERIODS if model.time == "periods" else HISTORIES


def as_histories(columns, model, unit="week"):
    x, t_x, T = columns
    age = "periods" if model.time == "periods" else "T"
    table = pd.DataFrame({"customer_id": np.arange(len(x)), "frequency": x, "recency": t_x, age: T})
    return clv.Histories.from_frame(table, unit=unit)
