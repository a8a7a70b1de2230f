"""Data that several tests of evaluation read."""

from __future__ import annotations

import pandas as pd
import pytest

import clvmodels as clv


@pytest.fixture(scope="session")
def cdnow_sample() -> pd.DataFrame:
    """Return the published 1/10 sample."""
    return clv.datasets.load_cdnow(sample=True)
