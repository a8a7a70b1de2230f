"""One model of the value of orders, by what its likelihood sees: means, all repeat orders, or the first order too."""

from __future__ import annotations

from dataclasses import dataclass

from clvmodels.models.specification import SpendModel

__all__ = ["SpendFamily"]


@dataclass(frozen=True)
class SpendFamily:
    """The same story with the same parameters, fitted to more and more of what a log has; one class offers them all.

    Attributes
    ----------
    orders
        To the values of all repeat orders.
    first
        To those of all orders, the first one too.
    means
        To the mean values of repeat orders alone; None: their likelihood has no closed form.

    Examples
    --------
    >>> from clvmodels.models.registry import SPEND_FAMILIES
    >>> [model.key for model in SPEND_FAMILIES[0].members]
    ['gamma_gamma', 'gamma_gamma_orders', 'gamma_gamma_first']
    """

    orders: SpendModel
    first: SpendModel
    means: SpendModel | None = None

    @property
    def members(self) -> tuple[SpendModel, ...]:
        """Its models, the one that its class fits by default first."""
        return (*(() if self.means is None else (self.means,)), self.orders, self.first)
