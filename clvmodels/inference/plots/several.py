"""One fit or several in one picture, and as many draws as a band needs."""

from __future__ import annotations

from collections.abc import Mapping

from clvmodels.errors import FitError
from clvmodels.inference.fit import Fit

__all__ = ["named", "thinned"]


def named[F: Fit](fits: F | Mapping[str, F]) -> dict[str, F]:
    """Return fits by the names they have in the picture: one by that of its model, several by the user's.

    Raises
    ------
    FitError
        If there is no fit.

    Examples
    --------
    >>> import clvmodels as clv
    >>> list(named(clv.GammaGamma().from_params({"p": 6.25, "q": 3.74, "v": 15.44})))
    ['Gamma-Gamma']
    """
    if not isinstance(fits, Mapping):
        return {fits.model.name: fits}
    if not fits:
        raise FitError('there is no fit to draw; give one, or several by name such as {"BG/NBD": fit}')
    return dict(fits)


def thinned[F: Fit](fit: F, most: int) -> F:
    """Return the fit with about `most` draws, evenly taken from all chains; all, if there are fewer.

    Examples
    --------
    >>> import numpy as np
    >>> import clvmodels as clv
    >>> drawn = {"p": np.linspace(6.0, 7.0, 1_000).reshape(4, 250), "q": 3.74, "v": 15.44}
    >>> thinned(clv.GammaGamma().from_params(drawn), 100).theta.shape
    (4, 25, 3)
    """
    return fit.thinned(max(len(fit.draws) // most, 1))
