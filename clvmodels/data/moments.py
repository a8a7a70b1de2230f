"""Instants on the local clock of a log: when observation ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Moment", "end_of", "local_moment", "start_of_day"]

type Moment = np.datetime64

DAY: Final = np.timedelta64(1, "D")


def end_of(label: pd.Timestamp) -> Moment:
    """Return the instant at which observation ended, of how histories state it: of a day, its end.

    Examples
    --------
    >>> import pandas as pd
    >>> end_of(pd.Timestamp("1997-09-30"))
    np.datetime64('1997-10-01T00:00:00.000000')
    """
    moment = local_moment(label)
    return moment + DAY if moment == start_of_day(moment) else moment


def local_moment(time: pd.Timestamp) -> Moment:
    """Return what a clock shows at a time, without its zone.

    Examples
    --------
    >>> import pandas as pd
    >>> local_moment(pd.Timestamp("2024-03-01 12:00", tz="Europe/Berlin"))
    np.datetime64('2024-03-01T12:00:00.000000')
    """
    moment: Moment = time.tz_localize(None).to_datetime64().astype("datetime64[us]")
    return moment


def start_of_day(moment: Moment) -> Moment:
    """Return the day of a moment.

    Examples
    --------
    >>> start_of_day(np.datetime64("2024-03-01T12:00"))
    np.datetime64('2024-03-01')
    """
    day: Moment = moment.astype("datetime64[D]")
    return day
