"""Planning a campaign: eligible customers, arms by hash, and what the campaign can show, from the company's own log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged, as_number, require_choice, require_mapping, require_text
from clvmodels.data.hashed_arms import arms_of, hashed_shares
from clvmodels.data.memory_table import Selection
from clvmodels.errors import DataError
from clvmodels.steering.campaigns.adjusted_effect import residual_sd
from clvmodels.steering.campaigns.contributions import (
    expected_contributions,
    of_orders,
    present_value,
    realised_orders,
    rows_of,
)
from clvmodels.steering.campaigns.mechanisms import MECHANISMS, Mechanism
from clvmodels.steering.campaigns.plan import HOLDOUT, Plan, Spread
from clvmodels.steering.require_book import require_book
from clvmodels.units import Duration, duration
from clvmodels.valuation.book import Book
from clvmodels.valuation.valued_rows import ValuedRows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Eligible", "covariates_of", "plan_campaign"]

Array = NDArray[np.float64]
Eligible = Selection | Callable[[Book], Selection]

UNIVERSAL_SALT: Final = "universal holdout"
"""The same for all campaigns, so that the same customers are left alone by all of them."""


def plan_campaign(
    book: Book,
    name: str,
    *,
    arms: Mapping[str, float],
    window: Duration,
    until: Duration,
    eligible: Eligible | None = None,
    mechanism: Mechanism = "one-off",
    cost: Mapping[str, float] | None = None,
    discount: Mapping[str, float] | None = None,
    salt: str | None = None,
    looks: Sequence[Duration] = (),
    past: Book | None = None,
    universal_holdout: float = 0.0,
    level: float = 0.95,
) -> Plan:
    """Plan a campaign with a holdout: who is assigned to what, and what the campaign can show.

    Parameters
    ----------
    book
        The valuation at the opening, with which the campaign begins.
    name
        Of the campaign.
    arms
        The share of each arm, ``"holdout"`` among them; they sum to one.
    window, until
        How long the campaign lasts, and after what time from the opening it is evaluated; a number is in the unit of
        the histories.
    eligible
        Ids, or one boolean per customer; or a function of a valuation that returns them, which serves `past`, too.
        None: all customers.
    mechanism
        What is assumed about an effect after the window: ``"one-off"``, ``"lasting"``, ``"won back"``, ``"saved"``.
    cost
        Money per customer assigned to an arm; 0 where none is given.
    discount
        The share of sales within the window that an arm need not pay, if the log has sales before it; 0 where none is
        given.
    salt
        Of the assignment; None: the name. The arm of a customer is the first 13 hexadecimal digits of sha256 of
        ``f"{salt}/{customer_id}"``, divided by 16^13, against cumulated shares.
    looks
        Times before `until` at which the effect will be looked at, too.
    past
        A valuation of the same log, made as long before the opening as the evaluation will be after it: what its
        customers have contributed since, treated alike, shows how much outcomes vary, and so what the campaign shows.
    universal_holdout
        The share of customers whom no campaign contacts; they are not eligible.
    level
        The probability of intervals, over all arms and looks together.

    Returns
    -------
    Plan
        With `assignments`; ``plan.save(path)`` writes it, once.

    Raises
    ------
    DataError
        If an argument is not what its description says, there is no holdout, an arm gets nobody, or `past` does not
        stand as long before the opening as the evaluation after it.
    UnitError
        If a duration cannot be read.

    Examples
    --------
    >>> arms = {"holdout": 0.5, "coupon": 0.5}
    >>> plan = clv.plan_campaign(book, "spring", arms=arms, window="4 weeks", until="26 weeks")
    >>> plan.assignments[["customer_id", "campaign", "arm"]]
      customer_id campaign      arm
    0           A   spring  holdout
    1           B   spring   coupon
    2           C   spring  holdout
    """
    require_book(book)
    require_text("name", name, 'the name of the campaign, such as "spring"', DataError)
    shares = _shares(arms)
    require_choice("mechanism", mechanism, MECHANISMS, DataError)
    salt = name if salt is None else require_text("salt", salt, 'a text such as "spring"', DataError)
    unit = book.histories.unit
    times = _times(duration(window, unit), duration(until, unit), [duration(look, unit) for look in looks])
    if not 0.5 <= as_number(level) < 1.0:
        raise DataError(f"level is a probability from 0.5 up to 1, such as 0.95, got {abridged(level)}")
    ids = _eligible(book, eligible, _universal(universal_holdout))
    return Plan(
        name=name,
        arms=shares,
        assignments=_assignments(book, name, ids, shares, salt),
        window=times[0],
        until=times[-1],
        looks=times[1:],
        unit=unit,
        mechanism=mechanism,
        cost=_by_arm("cost", cost, shares, np.inf),
        discount=_by_arm("discount", discount, shares, 1.0),
        salt=salt,
        level=float(level),
        spread=None if past is None else _spread(past, book, eligible, times[-1]),
    )


def covariates_of(rows: ValuedRows, until: float) -> Array:
    """Return what adjusts outcomes: expected contribution until then, RLV and P(alive), shape (customers, 3).

    Examples
    --------
    >>> covariates_of(book.each, 26.0).round(2)
    array([[  6.09,  37.88,   0.72],
           [  1.37,  10.77,   1.  ],
           [ 27.82, 158.09,   0.88]])
    """
    return np.column_stack([expected_contributions(rows, [until])[:, 0], rows.rlv, rows.alive])


def _shares(arms: object) -> dict[str, float]:
    """Return the shares of the arms, that of the holdout first."""
    given = require_mapping("arms", arms, "{'holdout': 0.5, 'coupon': 0.5}", DataError)
    shares = {require_text("an arm", arm, "a text", DataError): as_number(share) for arm, share in given.items()}
    if HOLDOUT not in shares or len(shares) < 2:
        raise DataError(
            f"a campaign has the arm {HOLDOUT!r}, which is not contacted, and another one: without it there is nothing"
            f" to compare with; got {', '.join(map(repr, shares)) or 'no arm'}"
        )
    if not all(0.0 < share < 1.0 for share in shares.values()) or abs(sum(shares.values()) - 1.0) > 1e-9:
        raise DataError(f"the shares of the arms lie between 0 and 1 and sum to 1, got {shares}")
    return {HOLDOUT: shares[HOLDOUT], **shares}


def _times(window: float, until: float, looks: Sequence[float]) -> tuple[float, ...]:
    times = (*sorted(looks), until)
    if not 0.0 < window < times[0] or len(set(times)) < len(times) or max(times) > until:
        raise DataError(
            f"the window ends first, then come looks, and `until` is the last of them; got window {window:g}, looks "
            f"{[f'{look:g}' for look in looks]} and until {until:g}"
        )
    return (window, *times)


def _universal(share: float) -> float:
    if not 0.0 <= as_number(share) < 1.0:
        raise DataError(f"universal_holdout is a share from 0 up to 1, such as 0.05, got {abridged(share)}")
    return float(share)


def _eligible(book: Book, eligible: Eligible | None, universal: float) -> pd.Index[Any]:
    """Return the ids of customers who take part."""
    histories = book.histories
    if eligible is not None:
        histories = histories.select(eligible(book) if callable(eligible) else eligible)
    ids = histories.customer_id
    if universal > 0.0:
        ids = ids[hashed_shares(ids, UNIVERSAL_SALT) >= universal]
    return ids


def _assignments(book: Book, name: str, ids: pd.Index[Any], shares: Mapping[str, float], salt: str) -> pd.DataFrame:
    import pandas as pd

    numbers = arms_of(ids, list(shares.values()), salt)
    empty = [arm for number, arm in enumerate(shares) if not (numbers == number).any()]
    if empty:
        raise DataError(f"of {len(ids):,} eligible customers, the arm {empty[0]!r} gets nobody; assign more customers")
    end = book.histories.observation_end
    start = pd.NaT if end is None else end
    if end is not None and end == end.normalize():
        start = end + pd.Timedelta(days=1)  # a midnight stands for the whole of that day
    columns = {"customer_id": ids, "campaign": name, "arm": np.array(list(shares), object)[numbers]}
    table = pd.DataFrame(columns).astype({"arm": "str"})
    table["contact_from"] = pd.Series(start, index=table.index, dtype="datetime64[us]")
    return table


def _by_arm(what: str, given: Mapping[str, float] | None, arms: Mapping[str, float], most: float) -> dict[str, float]:
    numbers = require_mapping(what, given or {}, "{'coupon': 0.5}", DataError)
    for arm, number in numbers.items():
        if arm not in arms or arm == HOLDOUT:
            raise DataError(f"{what} is given by arms that are contacted, such as {list(arms)[-1]!r}, got {arm!r}")
        if not 0.0 <= as_number(number) <= most or not np.isfinite(as_number(number)):
            raise DataError(f"{what} of an arm is a number from 0 up{' to 1' * (most == 1.0)}, got {abridged(number)}")
    return {arm: float(numbers.get(arm, 0.0)) for arm in arms if arm != HOLDOUT}


def _spread(past: Book, book: Book, eligible: Eligible | None, until: float) -> Spread:
    """Return how much the contributions of customers of a past closing vary, who were all treated alike."""
    require_book(past, "past")
    rows = past.each
    if callable(eligible):
        rows = rows_of(past, past.histories.select(eligible(past)).customer_id)
    later = book.histories.collect()
    place = later.customer_id.get_indexer(rows.histories.customer_id)
    elapsed = later.T[place] - rows.histories.T
    if len(elapsed) == 0 or np.abs(elapsed - until).max() > max(0.02 * until, 1e-6):
        between = f"{np.median(elapsed):g}" if len(elapsed) else "nobody knows how many"
        raise DataError(
            f"past is a valuation made {until:g} {book.histories.unit}s before the opening, of customers who are still"
            f" in its log; between the two lie {between}"
        )
    orders, sales = realised_orders(rows.histories, later)
    y = of_orders(rows, orders, sales) * present_value(rows, 0.0, until)
    return Spread(float(y.mean()), float(y.std(ddof=1)), residual_sd(y, covariates_of(rows, until)))
