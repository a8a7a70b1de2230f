"""The data that the pictures show, and a screen for nobody."""

from __future__ import annotations

import matplotlib as mpl
import pytest

import clvmodels as clv
from tests.golden.published import cdnow

mpl.use("Agg")


@pytest.fixture(scope="package")
def log():
    return clv.datasets.load_cdnow(sample=True)


@pytest.fixture(scope="package")
def rfm():
    return cdnow(sample=True, end="1997-09-30")
