"""What a valuation says under each draw of the parameters, and how sure customer equity is."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged, as_number
from clvmodels.errors import AssumptionError
from clvmodels.valuation.uncertainty import SEED, Interval
from clvmodels.valuation.valued_rows import ValuedRows

__all__ = ["DrawnValues"]

Array = NDArray[np.float64]


class DrawnValues(ABC):
    """Sums over the customers under each draw of the parameters."""

    @abstractmethod
    def _drawn(self) -> ValuedRows:
        """Return the rows that draws are made of, under draws of the posterior where there are any to be had."""

    @property
    def covers(self) -> tuple[str, ...]:
        """What draws allow for beside what customers will really do: the parameters, and the choice of model."""
        rows = self._drawn()
        models = ("models",) if len(rows.transactions.fits) > 1 else ()
        return (*(("parameters",) if rows.has_draws else ()), *models)

    def interval(self, probability: float = 0.9, *, process: bool = True, seed: int | None = SEED) -> Interval:
        """Return where customer equity lies with a probability.

        Parameters
        ----------
        probability
            Of the interval, above 0 and below 1.
        process, seed
            As of `draws`.

        Returns
        -------
        Interval
            low, high, mean, sd and median of the draws of equity, and what they cover. Where the fits have draws,
            `equity` is their mean but for the chance in what customers do.

        Raises
        ------
        FitError
            If `process` is False and parameters were given, not fitted, so that there is nothing to draw.
        AssumptionError
            If `probability` is not between 0 and 1.

        Examples
        --------
        >>> params = {"r": np.array([[0.23, 0.24, 0.25]]), "alpha": 4.414, "a": .793, "b": 2.426}
        >>> drawn = clv.BGNBD().from_params(params, unit="week")
        >>> book = clv.value(drawn, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30))
        >>> book.interval(0.9, process=False).draws
        3
        """
        if not 0.0 < as_number(probability) < 1.0:
            raise AssumptionError(
                f"the probability of an interval is between 0 and 1, such as 0.9, got {abridged(probability)}"
            )
        covers = (*self.covers, *(("what customers do",) if process else ()))
        return Interval.of(self.draws(process=process, seed=seed), probability, covers)

    def draws(self, *, process: bool = True, seed: int | None = SEED) -> Array:
        """Return draws of customer equity, shape (draws,).

        Draw i of the fit of transactions is paired with draw i of the fit of spend, and customers are summed within
        each pair. If one fit has fewer draws, they are used again from the first on; a point estimate is paired with
        every draw of the other fit. Of more than 1,000 draws, 1,000 at even distances are used. Models that are
        averaged have their weight's share of the draws. Of fits that are point estimates, made from the histories of
        this valuation, the posterior under default priors is drawn first.

        Parameters
        ----------
        process
            Include what finitely many customers will really do: under each pair of draws every customer's future
            purchases and their values are simulated once (1,000 times in all if parameters were given); of more than
            1,000 customers, those of a sample stand for all. False: what is expected of them.
        seed
            Of the simulation; None: another one each time.

        Raises
        ------
        FitError
            If `process` is False and parameters were given, not fitted.

        Examples
        --------
        >>> params = {"r": np.array([[0.23, 0.24, 0.25]]), "alpha": 4.414, "a": .793, "b": 2.426}
        >>> drawn = clv.BGNBD().from_params(params, unit="week")
        >>> book = clv.value(drawn, spend, rfm, book.assumptions)
        >>> book.draws(process=False).round(2)
        array([205.9 , 206.55, 207.19])
        >>> book.draws().shape
        (3,)
        """
        return self._drawn().uncertainty(process=process, seed=seed).equity

    def drawn_lines(self) -> Array:
        """Return each line as it is expected, summed over customers, under each draw; shape (lines, draws).

        Raises
        ------
        FitError
            If parameters were given, not fitted.

        Examples
        --------
        >>> params = {"r": np.array([[0.23, 0.24, 0.25]]), "alpha": 4.414, "a": .793, "b": 2.426}
        >>> drawn = clv.BGNBD().from_params(params, unit="week")
        >>> book = clv.value(drawn, spend, rfm, clv.Assumptions(discount_rate=0.15, margin=0.30, order_cost=1.0))
        >>> [line.name for line in book.lines], book.drawn_lines().shape
        (['contribution_margin', 'order_cost'], (2, 3))
        """
        return self._drawn().drawn_lines()
