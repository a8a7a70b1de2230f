"""One fit or several, and no more draws than a band needs."""

from __future__ import annotations

import pytest

import clvmodels as clv
from clvmodels.errors import FitError
from clvmodels.inference.one_or_many import named, thinned
from tests.inference.example_fits import BG, around, bg, pareto


def test_names():
    assert named(bg) == {"BG/NBD": bg}
    assert named({"mine": bg, "hers": pareto}) == {"mine": bg, "hers": pareto}
    assert named([bg, pareto]) == {"BG/NBD": bg, "Pareto/NBD": pareto}
    with pytest.raises(FitError, match="there must be one at least"):
        named({})
    with pytest.raises(FitError, match="names must differ"):
        named([bg, bg])
    with pytest.raises(FitError, match=r"a fit is expected here, such as .* got 'BG/NBD'"):
        named("BG/NBD")


@pytest.mark.parametrize(("most", "left"), [(40, 40), (20, 20), (100, 40), (1, 2)])
def test_draws_are_taken_from_all_chains(most, left):
    fit = thinned(clv.BGNBD().from_params(around(BG, draws=40), unit="week"), most)
    assert fit.theta.shape[0] == 2
    assert len(fit.draws) == left
