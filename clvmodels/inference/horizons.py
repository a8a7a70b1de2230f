"""Several times ahead in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from clvmodels.data.engine import EngineTable
from clvmodels.errors import FitError
from clvmodels.units import Duration

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["by_horizon", "horizons_of", "require_no_table"]


def horizons_of(t: Duration | Sequence[Duration]) -> Duration | dict[str, Duration]:
    """Return several times by how they are written; one as it is.

    Raises
    ------
    FitError
        If there is none, or one twice.

    Examples
    --------
    >>> horizons_of(["12 weeks", 52]), horizons_of("12 weeks")
    ({'12 weeks': '12 weeks', '52': 52}, '12 weeks')
    """
    if not isinstance(t, list | tuple):
        return cast("Duration", t)
    by_name = {str(each): each for each in t}
    if not by_name or len(by_name) < len(t):
        raise FitError(f'several times are different ones, such as ["12 weeks", "1 year"], got {list(t)!r}')
    return by_name


def require_no_table(*, as_table: bool) -> None:
    """Refuse several times in a table of an engine, whose columns are single words.

    Raises
    ------
    FitError
        If a table is asked for.
    """
    if as_table:
        raise FitError("as_table=True answers one time: ask for each of them by itself")


def by_horizon(parts: Mapping[str, pd.DataFrame | xr.DataArray | EngineTable]) -> pd.DataFrame | xr.DataArray:
    """Return the answers to several times side by side: columns (horizon, statistic), or a dimension horizon."""
    import pandas as pd

    tables = {name: part for name, part in parts.items() if isinstance(part, pd.DataFrame)}
    if tables:
        return pd.concat(tables, axis=1, names=["horizon", "statistic"])
    import xarray as xr

    draws = [part for part in parts.values() if isinstance(part, xr.DataArray)]
    return xr.concat(draws, pd.Index(list(parts), name="horizon"))
