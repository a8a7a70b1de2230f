"""The models by key. A new model is its own file and one line here; `register` adds a user's own."""

from __future__ import annotations

from typing import Final

from clvmodels.errors import ModelError
from clvmodels.models.bg_nbd import BG_NBD
from clvmodels.models.gamma_gamma import GAMMA_GAMMA
from clvmodels.models.mbg_nbd import MBG_NBD
from clvmodels.models.pareto_nbd import PARETO_NBD
from clvmodels.models.specification import Model, SpendModel, TransactionModel

__all__ = ["MODELS", "SPEND_MODELS", "TRANSACTION_MODELS", "register"]

TRANSACTION_MODELS: Final[dict[str, TransactionModel]] = {m.key: m for m in (BG_NBD, MBG_NBD, PARETO_NBD)}
SPEND_MODELS: Final[dict[str, SpendModel]] = {m.key: m for m in (GAMMA_GAMMA,)}
MODELS: Final[dict[str, Model]] = {**TRANSACTION_MODELS, **SPEND_MODELS}
_BUILT_IN: Final = frozenset(MODELS)


def register(model: TransactionModel | SpendModel, *, replace: bool = False) -> None:
    """Make a model of your own known: ``clv.<its public_name>()`` fits it, and `Fit.load` knows its fits.

    Parameters
    ----------
    model
        Its specification; ``clv.check_model(model)`` tells whether its formulas agree with each other.
    replace
        Let it take the place of a model of your own that has the same key or public name, as in a notebook whose cell
        is run again. The models of the package cannot be replaced.

    Raises
    ------
    ModelError
        If the key or the public name is taken, or the public name is none that Python could take.

    Examples
    --------
    >>> register(BG_NBD)
    Traceback (most recent call last):
        ...
    clvmodels.errors.ModelError: the key 'bg_nbd' is that of BG/NBD of the package; give your model another one
    """
    if not model.public_name.isidentifier() or model.public_name.startswith("_"):
        raise ModelError(f"a public name is like 'MyModel', so that clv.MyModel() works, got {model.public_name!r}")
    for what, name in (("key", model.key), ("public_name", model.public_name)):
        for other in [one for one in MODELS.values() if getattr(one, what) == name]:
            said = f"the {what.replace('_', ' ')} {name!r} is that of {other.name}"
            if other.key in _BUILT_IN:
                raise ModelError(f"{said} of the package; give your model another one")
            if not replace:
                raise ModelError(f"{said}, registered before; give another one, or write register(..., replace=True)")
            _remove(other)
    MODELS[model.key] = model
    if isinstance(model, TransactionModel):
        TRANSACTION_MODELS[model.key] = model
    else:
        SPEND_MODELS[model.key] = model


def _remove(model: Model) -> None:
    for models in (MODELS, TRANSACTION_MODELS, SPEND_MODELS):
        models.pop(model.key, None)
