"""What an effect after the window of a campaign is worth after the evaluation, under a named mechanism.

A margin earned between the end of the window and the evaluation stands for M times as much after the evaluation. M is
known before the campaign and the same rule for all arms, so that the difference of the arms stays a randomised one.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from clvmodels.errors import FitError
from clvmodels.inference.parameters import columns_of
from clvmodels.inference.path_model import PathModel
from clvmodels.models.returning import purchases_of_saved, purchases_of_won_back
from clvmodels.steering.campaigns.contributions import expected_contributions
from clvmodels.valuation.discounting import growing
from clvmodels.valuation.valued_rows import ValuedRows

__all__ = ["MECHANISMS", "Mechanism", "multipliers"]

Array = NDArray[np.float64]

Mechanism = Literal["one-off", "lasting", "won back", "saved"]
MECHANISMS: Final[tuple[Mechanism, ...]] = get_args(Mechanism)


def multipliers(rows: ValuedRows, mechanism: Mechanism, window: float, until: float) -> Array:
    """Return M: what comes after `until` for each unit of money that comes between `window` and `until`.

    Parameters
    ----------
    rows
        The valuation at the opening.
    mechanism
        ``"one-off"``: nothing comes after. ``"lasting"``: a rate or an order value has changed for good. ``"won
        back"``: lost customers return in the window. ``"saved"``: customers stay who would have left in the window.
        The latter two happen in its middle.
    window, until
        The end of the window and the evaluation, from the opening, in the unit of the valuation.

    Returns
    -------
    ndarray
        Shape (customers,). Under a model by which a customer cannot have left, zero if they are to be won back.

    Raises
    ------
    FitError
        If the transactions have a calendar or paths, of which the last two mechanisms know nothing.
    ModelError
        If the model does not say what customers are like who left.

    Notes
    -----
    Of averaged models, the one with the largest weight is asked who left; of draws, their point estimate.

    Examples
    --------
    >>> multipliers(book.each, "lasting", 4.0, 26.0).round(1)
    array([6.3, 8.2, 5.7])
    >>> multipliers(book.each, "won back", 4.0, 26.0).round(1)
    array([2.3, 0. , 2.1])
    """
    if mechanism == "one-off":
        return np.zeros(len(rows.histories))
    if mechanism == "lasting":
        by_window, by_evaluation, whole = expected_contributions(rows, [window, until]).T
        return _ratio(whole - by_evaluation, by_evaluation - by_window)
    by_window, by_evaluation, whole = _of_leavers(rows, mechanism, window, until).T
    return _ratio(whole - by_evaluation, by_evaluation - by_window)


def _ratio(later: Array, between: Array) -> Array:
    return np.asarray(np.where(between > 0.0, later / np.where(between > 0.0, between, 1.0), 0.0))


def _of_leavers(rows: ValuedRows, mechanism: Mechanism, window: float, until: float) -> Array:
    """Return discounted orders from the middle of the window to its end, to the evaluation, and to the horizon."""
    fit = rows.transactions.best
    if fit.calendar is not None or isinstance(fit.model, PathModel):
        raise FitError(
            f"the mechanism {mechanism!r} is not defined for a fit with a calendar or paths; use 'one-off' or 'lasting'"
        )
    assumptions, unit = rows.assumptions, rows.transactions.unit
    year, middle = assumptions.year_in(unit), window / 2.0
    weightings = [growing(assumptions, unit, (time - middle) / year) for time in (window, until)]
    weightings.append(growing(assumptions, unit))
    parameters = fit.parameters(rows.histories)
    theta, group = parameters.estimate, parameters.group
    x, t_x, T = columns_of(fit.model, rows.histories)
    if mechanism == "saved":
        return purchases_of_saved(fit.model, theta, x, T + middle, weightings, group)
    return purchases_of_won_back(fit.model, theta, x, t_x, T, weightings, group)
