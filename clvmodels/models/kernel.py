"""The compiled kernel of a model: faster sums of its terms over customers, and which of its functions they sum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "CompiledSums", "Expansion", "Future", "Kernel", "Sums"]

Array = NDArray[np.float64]
type Sums = Callable[..., tuple[float, Array]]
"""``(theta, weight, *columns) -> (value, gradient)``, sums over customers; the gradient has shape (parameters,)."""
type Expansion = Callable[..., tuple[float, Array, Array]]
"""``(theta, weight, *columns) -> (value, gradient, second derivatives)``."""
type Future = Callable[[Array, Array, Array, Array], tuple[Array, Array]]
"""``(theta, x, T, t) -> (survival, intensity)``; see `TransactionModel`."""


class CompiledSums(NamedTuple):
    """The functions of a kernel. Columns are contiguous and sorted by x, theta is one point of the parameters.

    Attributes
    ----------
    count_sums
        ``(theta, weight, x) -> (value, gradient)``: weighted sums of `Model.count_terms`.
    history_sums
        ``(theta, weight, *columns) -> (value, gradient)``: weighted sums of `Model.history_terms`.
    history_expansion
        ``(theta, weight, *columns) -> (value, gradient, matrix)``: the same as `Model.history_expansion`; None if the
        model has none.
    row_sums
        ``(theta, weight, *columns) -> (value, gradient)``, theta of shape (n, parameters): weighted sum of the
        log-likelihoods of rows that have parameters of their own, and the weighted gradient of each, shape
        (n, parameters); None: the terms are summed.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> MODELS["pareto_nbd"].kernel.compiled.history_expansion is None
    True
    """

    count_sums: Sums
    history_sums: Sums
    history_expansion: Expansion | None = None
    row_sums: Sums | None = None


@dataclass(frozen=True)
class Kernel:
    """Sums of a model's terms for samplers and for fits to many distinct histories, loaded when they are first needed.

    A kernel belongs to the functions that it sums: it never sums those of a changed model. Fits take any functions;
    samplers take those that numba has compiled without Python objects, and ask the model's terms otherwise.

    Attributes
    ----------
    count_terms, history_terms
        The functions of the model that are summed.
    load
        ``() -> CompiledSums``: called once; what it imports is not imported with the model.
    history_expansion
        The function of the model whose place `CompiledSums.history_expansion` takes.
    future, compiled_future
        The function of the model that gives the future, and the one that takes its place where many customers each
        have parameters of their own; what this imports, it imports when it is called.
    for_samplers
        Whether samplers alone take its sums: they are compiled anew in each process.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> BG_NBD = MODELS["bg_nbd"]
    >>> theta, weight, x = BG_NBD.theta(BG_NBD.example), np.array([100.0, 10.0]), np.array([0.0, 2.0])
    >>> round(BG_NBD.kernel.sums_of(BG_NBD.count_terms)(theta, weight, x)[0], 2)
    -46.58
    """

    count_terms: Callable[[Array, Array], tuple[Array, Array]]
    history_terms: Callable[..., tuple[Array, Array]]
    load: Callable[[], CompiledSums]
    history_expansion: Expansion | None = None
    future: Future | None = None
    compiled_future: Future | None = None
    for_samplers: bool = False

    @cached_property
    def compiled(self) -> CompiledSums:
        """The functions, once loaded."""
        return self.load()

    def sums_of(self, terms: object) -> Sums | None:
        """Return the function that sums a model's terms; None if the kernel does not sum these.

        Examples
        --------
        >>> from clvmodels.models import MODELS
        >>> MODELS["bg_nbd"].kernel.sums_of(MODELS["mbg_nbd"].count_terms) is None
        True
        """
        if terms == self.count_terms:
            return self.compiled.count_sums
        if terms == self.history_terms:
            return self.compiled.history_sums
        return None

    def row_sums_of(self, count_terms: object, history_terms: object) -> Sums | None:
        """Return the function that sums a model's terms by row; None if the kernel has none for these.

        Examples
        --------
        >>> from clvmodels.models import MODELS
        >>> MODELS["bg_nbd"].kernel.row_sums_of(MODELS["mbg_nbd"].count_terms, MODELS["mbg_nbd"].history_terms) is None
        True
        """
        known = count_terms == self.count_terms and history_terms == self.history_terms
        return self.compiled.row_sums if known else None

    def expansion_of(self, expansion: object) -> Expansion | None:
        """Return the function that takes the place of a model's expansion; None if the kernel has none for this.

        Examples
        --------
        >>> from clvmodels.models import MODELS
        >>> MODELS["bg_nbd"].kernel.expansion_of(MODELS["mbg_nbd"].history_expansion) is None
        True
        """
        if self.history_expansion is None or expansion != self.history_expansion:
            return None
        return self.compiled.history_expansion

    def future_of(self, future: object) -> Future | None:
        """Return the function that takes the place of a model's future; None if the kernel has none for this.

        Examples
        --------
        >>> from clvmodels.models import MODELS
        >>> MODELS["bg_nbd"].kernel.future_of(MODELS["mbg_nbd"].future) is None
        True
        """
        return self.compiled_future if future == self.future else None
