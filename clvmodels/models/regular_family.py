"""A model of regular purchases for each k: one class offers them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clvmodels.models.regular_waits import MOST_STAGES
from clvmodels.models.specification import Model, TransactionModel

__all__ = ["RegularFamily"]


@dataclass(frozen=True)
class RegularFamily:
    """The same story with waits of another regularity.

    Attributes
    ----------
    poisson
        The model at k = 1, whose purchases come at random.
    whole
        ``(k)``: the model of a whole k, which predicts exactly.
    real
        ``()``: the model of which k is a parameter, which need not be whole; it has a likelihood only.

    Examples
    --------
    >>> from clvmodels.models.registry import REGULAR_FAMILIES
    >>> family = REGULAR_FAMILIES["MBGCNBDk"]
    >>> family.whole(2).name, family.real().names
    ('MBG/CNBD-2', ('r', 'alpha', 'a', 'b', 'k'))
    """

    poisson: TransactionModel
    whole: Callable[[int], TransactionModel]
    real: Callable[[], Model]

    def model(self, key: str) -> TransactionModel | None:
        """Return the model of a key, such as ``"mbg_cnbd_2"``; None if it is none of these.

        Examples
        --------
        >>> from clvmodels.models.registry import REGULAR_FAMILIES
        >>> REGULAR_FAMILIES["MBGCNBDk"].model("mbg_cnbd_2").name
        'MBG/CNBD-2'
        """
        start, _, k = key.rpartition("_")
        if start != self.real().key or not k.isdecimal() or not 1 <= int(k) <= MOST_STAGES:
            return None
        return self.whole(int(k))
