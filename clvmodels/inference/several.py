"""One fit or several, and the names they go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from clvmodels.errors import FitError

if TYPE_CHECKING:
    from clvmodels.models.specification import Model

__all__ = ["named"]


class _Modelled(Protocol):
    @property
    def model(self) -> Model: ...


def named[F: _Modelled](some: F | Sequence[F] | Mapping[str, F]) -> dict[str, F]:
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
    if isinstance(some, Mapping):
        pairs = list(some.items())
    else:
        several = list(some) if isinstance(some, Sequence) else [some]
        pairs = [(_name(one), one) for one in several]
    for _, one in pairs:
        _ = _name(one)
    if not pairs or len({name for name, _ in pairs}) < len(pairs):
        raise FitError(
            f"names must differ and there must be one at least, got {[name for name, _ in pairs]}; give names of your "
            'own: {"posterior": ..., "maximum": ...}'
        )
    return dict(pairs)


def _name(one: object) -> str:
    name = getattr(getattr(one, "model", None), "name", None)
    if not isinstance(name, str):
        raise FitError(f"a fit is expected here, such as clv.BGNBD().fit(rfm), or several by name; got {one!r}")
    return name
