"""What a valuation says under each draw of the parameters, and how sure customer equity is."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged, as_number
from clvmodels.errors import AssumptionError
from clvmodels.valuation.uncertainty import Interval
from clvmodels.valuation.valued_rows import ValuedRows

__all__ = ["DrawnValues"]

Array = NDArray[np.float64]


class DrawnValues(ABC):
    """Sums over the customers under each draw of the parameters."""

    @abstractmethod
    def _drawn(self, *, process: bool) -> ValuedRows:
        """Return the rows that draws are made of: each customer, if chance is what each will do."""

    def interval(self, probability: float = 0.9, *, process: bool = False, seed: int | None = None) -> Interval:
        """Return where customer equity lies with a probability, given the draws of the fits.

        Parameters
        ----------
        probability
            Of the interval, above 0 and below 1.
        process, seed
            As of `draws`.

        Returns
        -------
        Interval
            low, high, mean, sd and median of the draws of equity. Its mean is that of the draws: `equity` is the value
            at the point estimates, which differs a little, as value is not linear in the parameters.

        Raises
        ------
        FitError
            If neither fit has draws, and `process` is not asked for.
        AssumptionError
            If `probability` is not between 0 and 1.

        Examples
        --------
        >>> params = {"r": np.array([[0.23, 0.24, 0.25]]), "alpha": 4.414, "a": .793, "b": 2.426}
        >>> drawn = clv.BGNBD().from_params(params, unit="week")
        >>> book = clv.value(drawn, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> book.interval(0.9).draws
        3
        """
        if not 0.0 < as_number(probability) < 1.0:
            raise AssumptionError(
                f"the probability of an interval is between 0 and 1, such as 0.9, got {abridged(probability)}"
            )
        return Interval.of(self.draws(process=process, seed=seed), probability)

    def draws(self, *, process: bool = False, seed: int | None = None) -> Array:
        """Return customer equity under each draw of the parameters, shape (draws,).

        Draw i of the fit of transactions is paired with draw i of the fit of spend, and customers are summed within
        each pair. If one fit has fewer draws, they are used again from the first on; a point estimate is paired with
        every draw of the other fit. Of more than 1,000 draws, 1,000 at even distances are used.

        Parameters
        ----------
        process
            Include what finitely many customers will really do: under each pair of draws every customer's future
            purchases and their values are simulated once (1,000 times in all if both fits are point estimates).
        seed
            Of the simulation; None: a new one for each book.

        Raises
        ------
        FitError
            If neither fit has draws, and `process` is not asked for.

        Examples
        --------
        >>> params = {"r": np.array([[0.23, 0.24, 0.25]]), "alpha": 4.414, "a": .793, "b": 2.426}
        >>> drawn = clv.BGNBD().from_params(params, unit="week")
        >>> book = clv.value(drawn, spend, rfm, book.assumptions)
        >>> book.draws().round(2)
        array([205.9 , 206.55, 207.19])
        >>> book.draws(process=True, seed=1).shape
        (3,)
        """
        return self._drawn(process=process).uncertainty(process=process, seed=seed).equity

    def drawn_lines(self) -> Array:
        """Return each line, summed over the customers, under each draw of the parameters; shape (lines, draws).

        Raises
        ------
        FitError
            If neither fit has draws.

        Examples
        --------
        >>> params = {"r": np.array([[0.23, 0.24, 0.25]]), "alpha": 4.414, "a": .793, "b": 2.426}
        >>> drawn = clv.BGNBD().from_params(params, unit="week")
        >>> book = clv.value(drawn, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30, order_cost=1.0))
        >>> [line.name for line in book.lines], book.drawn_lines().shape
        (['contribution_margin', 'order_cost'], (2, 3))
        """
        return self._drawn(process=False).drawn_lines()
