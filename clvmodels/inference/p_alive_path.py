"""One customer's life as it could be seen while it went on: P(alive) at every time since the first purchase."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from clvmodels.inference.calendars import end_of, label_of_end
from clvmodels.inference.hypothetical import customers_with
from clvmodels.units import DAYS

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.data.histories import Histories
    from clvmodels.inference.transaction_fit import TransactionFit
    from clvmodels.models.specification import Array

__all__ = ["p_alive_path"]

STEPS: Final = 240
"""Points in time from the first purchase to the end of observation, besides the purchases."""
STEPS_AHEAD: Final = 40


def p_alive_path(fit: TransactionFit, occasions: pd.DataFrame, ahead: float) -> pd.DataFrame:
    """Return P(alive) of one customer over time.

    At age u the history is that of the purchases until then: their number less one, the age at the last of them,
    and u; of a fit with a calendar, on the day of then. At a purchase there are two rows, just before and just after
    it. After the end of observation T nothing more is known: P(alive at T + t | history at T).

    Parameters
    ----------
    fit
        The fit.
    occasions
        The customer's occasions as `purchase_occasions` returns them, in the unit of the fit; with the attributes
        that the parameters of the fit depend on.
    ahead
        Time after the end of observation, in the unit of the fit.

    Returns
    -------
    DataFrame
        ``part`` ("observed" or "ahead"), ``age``, ``date``, ``frequency``, ``recency``, ``mean``; and sd, q05, q50, q95
        where the fit has draws.
    """
    import pandas as pd

    ages, T = occasions["age"].to_numpy(), float(occasions["T"].iloc[0])
    x, t_x, u = _as_it_stood(ages, T)
    columns = list(fit.columns_of_parameters)
    segment = occasions[columns].iloc[np.zeros(len(u), np.int64)] if columns else None
    now = None if fit.calendar is None else end_of(occasions["date"].iloc[0] + pd.to_timedelta(T * DAYS[fit.unit], "D"))
    customers = customers_with(x, t_x, u, fit.unit, segment, now)
    last = customers.taken(np.array([len(u) - 1]))
    fit = fit.at_end_of(last)
    observed = _observed(fit, customers, T - u)
    times = np.linspace(0.0, ahead, STEPS_AHEAD + 1) if ahead > 0.0 else np.empty(0)
    table = pd.concat([observed, *(fit.probability_alive(last, after=float(t)) for t in times)], ignore_index=True)
    age = np.concatenate([u, T + times])
    table_of_path = {
        "part": ["observed"] * len(u) + ["ahead"] * len(times),
        "age": age,
        "date": occasions["date"].iloc[0] + pd.to_timedelta(age * DAYS[fit.unit], unit="D"),
        "frequency": np.concatenate([x, np.repeat(x[-1:], len(times))]),
        "recency": np.concatenate([t_x, np.repeat(t_x[-1:], len(times))]),
    }
    return pd.concat([pd.DataFrame(table_of_path), table], axis=1)


def _observed(fit: TransactionFit, customers: Histories, ago: Array) -> pd.DataFrame:
    """Return P(alive) of each customer so long ago, when they had these histories."""
    import pandas as pd

    if fit.calendar is None:
        return fit.probability_alive(customers)
    answers = []
    for row, time in enumerate(ago.tolist()):
        then = fit.earlier(time)
        customer = customers.taken(np.array([row]))
        assert then.now is not None
        answers.append(then.probability_alive(replace(customer, observation_end=label_of_end(then.now))))
    return pd.concat(answers)


def _as_it_stood(ages: Array, T: float) -> tuple[Array, Array, Array]:
    """Return x, t_x and age at times from each purchase to the next, and from the last one to T."""
    ends = np.append(ages[1:], T)
    x, t_x, u = [], [], []
    for k, (start, end) in enumerate(zip(ages, ends, strict=True)):
        points = np.linspace(start, end, 2 + int(STEPS * (end - start) / max(T, 1e-300)))
        x.append(np.full(len(points), float(k)))
        t_x.append(np.full(len(points), start))
        u.append(points)
    return np.concatenate(x), np.concatenate(t_x), np.concatenate(u)
