"""The definitions on one worksheet: 12 % a year effective, acquisition cost 50, today on day 180."""

from __future__ import annotations

import pytest

from clvmodels.valuation.definitions import Worksheet

SHEET = Worksheet(times=[0, 55, 150, 290, 310], profits=[5, 20, 2, 50, 100], acquisition_cost=50, rate=0.12, year=365)

# Published worksheet of the definitions
PRINTED = [
    (SHEET.post_acquisition_value, 163.08852455774974),
    (SHEET.lifetime_value, 113.08852455774974),
    (SHEET.residual_value(180), 144.36515242563934),
    (SHEET.historic_value(180), -24.776371283218193),
    (SHEET.undiscounted, 127.0),
    (SHEET.repeat_value, 158.08852455774974),
    (SHEET.net_acquisition_cost, 45.0),
]


@pytest.mark.parametrize(("ours", "printed"), PRINTED)
def test_the_worksheet(ours, printed):
    assert ours == pytest.approx(printed, rel=0, abs=1e-9)
