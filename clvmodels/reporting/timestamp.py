"""When a report is made, by the clock or as the environment has it."""

from __future__ import annotations

import datetime as dt
import os

from clvmodels.errors import ClvError

__all__ = ["time_of_report"]


def time_of_report() -> dt.datetime:
    """Return the time, to the second; that of the environment's SOURCE_DATE_EPOCH if reports are to be reproduced.

    Raises
    ------
    ClvError
        If SOURCE_DATE_EPOCH is no time.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return dt.datetime.now(dt.UTC).replace(microsecond=0)
    try:
        return dt.datetime.fromtimestamp(int(epoch), dt.UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ClvError(
            f"SOURCE_DATE_EPOCH is a time in whole seconds since 1970, such as 1767225600; got {epoch!r}"
        ) from error
