"""How this package compiles its kernels: numba, cached on disk, released from the interpreter lock.

Two decorators, for the two shapes that the mathematics comes in: scalar functions, and functions that broadcast like
any numpy function. Both run in threads.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np

__all__ = ["gufunc", "kernel"]


def kernel[F: Callable[..., Any]](function: F) -> F:
    """Compile a scalar function, or a loop over arrays, that other kernels and Python may call."""
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def gufunc(types: str, layout: str) -> Callable[[Callable[..., None]], Callable[..., Any]]:
    """Compile a function with core dimensions, such as ``"(k),()->(),(k)"``, into one that broadcasts.

    Parameters
    ----------
    types
        One letter an argument: ``v`` an array of numbers, ``s`` a number.
    layout
        The core dimensions, in numpy's notation; outputs are written in place.
    """
    signature = f"void({', '.join('float64[:]' if letter == 'v' else 'float64' for letter in types)})"

    def compile_(function: Callable[..., None]) -> Callable[..., Any]:
        compile_to_ufunc: Callable[..., Any] = numba.guvectorize
        compiled = compile_to_ufunc([signature], layout, nopython=True, cache=True)(function)

        @functools.wraps(function)
        def broadcast(*arguments: object) -> object:
            # Compiled code evaluates both sides of a condition, so that the floating-point flags mean nothing here.
            with np.errstate(all="ignore"):
                return compiled(*arguments)

        return broadcast

    return compile_
