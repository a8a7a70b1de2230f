"""A fitted model of the value of orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, overload

from clvmodels.data.engine import EngineTable
from clvmodels.data.histories import Histories
from clvmodels.data.required import require_histories
from clvmodels.inference import predictions
from clvmodels.inference.fit import Fit
from clvmodels.models.specification import SpendModel
from clvmodels.pictures import picture

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from clvmodels.style import Axes, Drawn

__all__ = ["SpendFit"]


@dataclass(frozen=True, eq=False, repr=False)
class SpendFit(Fit, of=SpendModel):
    """A fitted model of the value of orders."""

    model: SpendModel

    @overload
    def expected_spend(
        self, histories: Histories, *, return_draws: Literal[False] = False, memory_gb: float = 1.0
    ) -> pd.DataFrame: ...
    @overload
    def expected_spend(
        self, histories: Histories, *, return_draws: Literal[True], memory_gb: float = 1.0
    ) -> xr.DataArray: ...
    @overload
    def expected_spend(
        self, histories: Histories, *, as_table: Literal[True], memory_gb: float = 1.0
    ) -> EngineTable: ...
    def expected_spend(
        self, histories: Histories, *, return_draws: bool = False, as_table: bool = False, memory_gb: float = 1.0
    ) -> pd.DataFrame | xr.DataArray | EngineTable:
        """Return the expected value of each customer's orders; the population mean where there is no repeat purchase.

        Parameters
        ----------
        histories
            The customers.
        return_draws
            Return the draws instead of a table. They need 8 bytes a draw and customer.
        as_table
            Return a table of the engine that the customers lie in, which need not fit into memory.
        memory_gb
            What the draws may take, in GB (1e9 bytes).

        Returns
        -------
        DataFrame
            By customer_id: mean; and sd, q05, q50, q95 where the fit has draws.
        Table
            With `as_table`: customer_id and mean, as an Ibis table, not yet computed.
        DataArray
            With `return_draws`: dimensions (chain, draw, customer_id).

        Raises
        ------
        FitError
            If the draws would take more memory than they may, or both draws and a table are asked for.
        DataError
            If the customers of an engine do not fit into memory: then ask for a table.

        Examples
        --------
        >>> import pandas as pd
        >>> import clvmodels as clv
        >>> fit = clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})
        >>> table = {"customer_id": ["A", "B"], "frequency": [2, 0], "recency": [30.43, 0], "T": [38.86, 38.86]}
        >>> rfm = clv.Histories.from_frame(pd.DataFrame({**table, "monetary_value": [22.35, None]}), unit="week")
        >>> fit.expected_spend(rfm).round(2)
                      mean
        customer_id
        A            24.66
        B            35.22
        """
        require_histories(histories)
        if as_table:
            predictions.require_no_draws(return_draws=return_draws)
            return predictions.spend_table(self, histories)
        return predictions.predict_spend(self, histories, memory_gb).to_frame(
            "expected_spend", return_draws=return_draws
        )

    def plot(self, histories: Histories, *, ax: Axes | None = None, return_data: bool = False) -> Drawn:
        """Draw the mean spend of repeat buyers, observed and as the model has it: ``clv.plots.spend_density``.

        Examples
        --------
        >>> import clvmodels as clv
        >>> log = clv.datasets.load_cdnow(sample=True)
        >>> rfm = clv.rfm_summary(log, value="amount", unit="week", resolution="day", observation_end="1997-09-30")
        >>> clv.GammaGamma().fit(rfm).plot(rfm).get_legend_handles_labels()[1]
        ['Gamma-Gamma', 'Actual']
        """
        return picture("spend_density")(self, histories, ax=ax, return_data=return_data)
