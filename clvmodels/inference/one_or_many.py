"""One fit or several, the names they go by, and as many of their draws as are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from clvmodels.arguments import abridged
from clvmodels.errors import FitError
from clvmodels.inference.fit import Fit

if TYPE_CHECKING:
    from clvmodels.models.specification import Model

type OneOrMany[F] = F | Sequence[F] | Mapping[str, F]
"""One, several, or several by names of the user's own."""

__all__ = ["OneOrMany", "named", "named_fits", "thinned"]


class _Modelled(Protocol):
    @property
    def model(self) -> Model: ...


def named[F: _Modelled](fits: OneOrMany[F]) -> dict[str, F]:
    """Return fits (or models to be fitted) by name: the user's, or that of the model.

    Raises
    ------
    FitError
        If there is none, one is something else, or two have one name.

    Examples
    --------
    >>> import clvmodels as clv
    >>> list(named([clv.BGNBD(), clv.ParetoNBD()]))
    ['BG/NBD', 'Pareto/NBD']
    """
    if isinstance(fits, Mapping):
        pairs = list(fits.items())
    else:
        several = cast("Sequence[F]", fits if isinstance(fits, list | tuple) else [fits])
        pairs = [(_name(fit), fit) for fit in several]
    for _, fit in pairs:
        _ = _name(fit)
    if not pairs or len({name for name, _ in pairs}) < len(pairs):
        raise FitError(
            f"names must differ and there must be one at least, got {[name for name, _ in pairs]}; give names of your "
            'own: {"posterior": ..., "maximum": ...}'
        )
    return dict(pairs)


def named_fits[F: Fit](fits: OneOrMany[F]) -> dict[str, F]:
    """Return fits by name; models that are still to be fitted are refused.

    Raises
    ------
    FitError
        As `named` does, or if one is not fitted.

    Examples
    --------
    >>> import clvmodels as clv
    >>> named_fits(clv.BGNBD())
    Traceback (most recent call last):
        ...
    clvmodels.errors.FitError: BG/NBD is not fitted yet: write clv.BGNBD().fit(rfm), and pass what that returns
    """
    by_name = named(fits)
    for fit in by_name.values():
        given: Any = fit
        if not isinstance(given, Fit):
            model: Model = given.model
            raise FitError(
                f"{model.name} is not fitted yet: write clv.{model.public_name}().fit(rfm), and pass what that returns"
            )
    return by_name


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


def _name(fit: object) -> str:
    name = None if isinstance(fit, type) else getattr(getattr(fit, "model", None), "name", None)
    if not isinstance(name, str):
        raise FitError(f"a fit is expected here, such as clv.BGNBD().fit(rfm), or several by name; got {abridged(fit)}")
    return name
