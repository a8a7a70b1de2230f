"""The models by key. A new model is its own file and one line here; `register` adds a user's own."""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from typing import Final

from clvmodels.errors import ModelError
from clvmodels.models.bdw import BDW
from clvmodels.models.beta_geometric_regular import bg_cnbd, bg_cnbd_real, mbg_cnbd, mbg_cnbd_real
from clvmodels.models.bg_bb import BG_BB
from clvmodels.models.bg_nbd import BG_NBD
from clvmodels.models.gamma_gamma import GAMMA_GAMMA
from clvmodels.models.gamma_gamma_orders import GAMMA_GAMMA_FIRST, GAMMA_GAMMA_ORDERS
from clvmodels.models.log_normal import LOG_NORMAL, LOG_NORMAL_FIRST
from clvmodels.models.mbg_nbd import MBG_NBD
from clvmodels.models.normal_contribution import NORMAL_CONTRIBUTION
from clvmodels.models.pareto_nbd import PARETO_NBD
from clvmodels.models.pareto_nbd_ageing import PARETO_NBD_GOMPERTZ, PARETO_NBD_WEIBULL
from clvmodels.models.pareto_regular import pareto_cnbd, pareto_cnbd_real
from clvmodels.models.payment import PAYMENT
from clvmodels.models.regular_family import RegularFamily
from clvmodels.models.sbg import SBG
from clvmodels.models.specification import ContractModel, Model, SpendModel, TransactionModel
from clvmodels.models.spend_family import SpendFamily

__all__ = [
    "AGEING_MODELS",
    "CONTRACT_MODELS",
    "MODELS",
    "PERIOD_MODELS",
    "REGULAR_FAMILIES",
    "SPEND_FAMILIES",
    "SPEND_MODELS",
    "SPEND_VARIANTS",
    "TRANSACTION_MODELS",
    "VARIANTS",
    "ageing_of",
    "call_of",
    "family_of",
    "known_model",
    "model_named",
    "register",
    "regular_family_of",
]

TRANSACTION_MODELS: Final[dict[str, TransactionModel]] = {m.key: m for m in (BG_NBD, MBG_NBD, PARETO_NBD)}
"""In continuous time: they take histories (x, t_x, T), and a report chooses among them."""
PERIOD_MODELS: Final[dict[str, TransactionModel]] = {m.key: m for m in (BG_BB,)}
"""Of opportunities: they take histories (x, t_x, n), which are other data than those of `MODELS`."""
AGEING_MODELS: Final[dict[str, dict[str, TransactionModel]]] = {
    PARETO_NBD.key: {"gompertz": PARETO_NBD_GOMPERTZ, "weibull": PARETO_NBD_WEIBULL}
}
"""By the key of a model: the same one on clocks of age, which its class takes an argument for."""
CONTRACT_MODELS: Final[dict[str, ContractModel]] = {m.key: m for m in (SBG, BDW)}
"""Of customers who are seen to leave: their histories are others than those of `MODELS`."""
SPEND_FAMILIES: Final = (
    SpendFamily(GAMMA_GAMMA_ORDERS, GAMMA_GAMMA_FIRST, means=GAMMA_GAMMA),
    SpendFamily(LOG_NORMAL, LOG_NORMAL_FIRST),
)
SPEND_MODELS: Final[dict[str, SpendModel]] = {m.key: m for m in (GAMMA_GAMMA, LOG_NORMAL, NORMAL_CONTRIBUTION)}
SPEND_VARIANTS: Final[dict[str, SpendModel]] = {
    m.key: m for family in SPEND_FAMILIES for m in family.members if m.key not in SPEND_MODELS
}
"""The same models fitted to other statistics; their classes take arguments for them, and fits are stored by key."""
VARIANTS: Final[dict[str, Model]] = {
    **{m.key: m for clocks in AGEING_MODELS.values() for m in clocks.values()},
    **SPEND_VARIANTS,
    PAYMENT.key: PAYMENT,
}
"""All models that are known by their keys, but have no class of their own."""
REGULAR_FAMILIES: Final[dict[str, RegularFamily]] = {
    family.real().public_name: family
    for family in (
        RegularFamily(BG_NBD, bg_cnbd, bg_cnbd_real),
        RegularFamily(MBG_NBD, mbg_cnbd, mbg_cnbd_real),
        RegularFamily(PARETO_NBD, pareto_cnbd, pareto_cnbd_real),
    )
}
"""By public name: models whose k is chosen when they are fitted; fits are stored by the key of the model of that k."""
MODELS: Final[dict[str, Model]] = {**TRANSACTION_MODELS, **SPEND_MODELS}
_BUILT_IN: Final = frozenset((*MODELS, *PERIOD_MODELS, *CONTRACT_MODELS, *VARIANTS))


def family_of(model: SpendModel) -> SpendFamily | None:
    """Return the family that a model of spend of the package belongs to; None if it is a user's own.

    Examples
    --------
    >>> family_of(SPEND_MODELS["gamma_gamma"]).orders.name
    'Gamma-Gamma on orders'
    """
    return next((family for family in SPEND_FAMILIES if model in family.members), None)


def ageing_of(model: Model) -> tuple[TransactionModel, str] | None:
    """Return the model that another one is on a clock of age, and the name of the clock; None if it is on none.

    Examples
    --------
    >>> ageing_of(VARIANTS["pareto_nbd_gompertz"])
    (<TransactionModel Pareto/NBD: r, alpha, s, beta>, 'gompertz')
    """
    clocks = ((TRANSACTION_MODELS[key], name, aged) for key, by in AGEING_MODELS.items() for name, aged in by.items())
    return next(((base, name) for base, name, aged in clocks if aged is model), None)


def call_of(model: Model, *arguments: str) -> str:
    """Return what makes the estimator of a model, in words for messages, with further arguments.

    Examples
    --------
    >>> call_of(SPEND_VARIANTS["gamma_gamma_first"])
    'clv.GammaGamma(orders="all", first_order="use")'
    """
    family = family_of(model) if isinstance(model, SpendModel) else None
    ageing = ageing_of(model)
    options = [] if ageing is None else [f'ageing="{ageing[1]}"']
    if isinstance(model, TransactionModel) and model.stages is not None and regular_family_of(model) is not None:
        options.append(f"k={model.stages.number}")
    if family is not None and family.means is not None and model is not family.means:
        options.append('orders="all"')
    if family is not None and model is family.first:
        options.append('first_order="use"')
    return f"clv.{model.public_name}({', '.join([*options, *arguments])})"


def register(model: TransactionModel | SpendModel, *, replace: bool = False) -> None:
    """Make a model of your own known: ``clv.<its public_name>()`` fits it, and `Fit.load` knows its fits.

    Parameters
    ----------
    model
        Its specification; ``clv.check_model(model)`` checks whether its formulas agree with each other.
    replace
        Let it take the place of a model of your own that has the same key or public name, as in a notebook whose cell
        is run again. The models of the package cannot be replaced.

    Raises
    ------
    ModelError
        If the key or the public name is taken, or the public name is not a valid Python name.

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
        for other in _models_called(what, name):
            message = f"the {what.replace('_', ' ')} {name!r} is that of {other.name}"
            if other.key in _BUILT_IN or regular_family_of(other) is not None:
                raise ModelError(f"{message} of the package; give your model another one")
            if not replace:
                raise ModelError(
                    f"{message}, registered before; give another one, or write register(..., replace=True)"
                )
            _remove(other)
    if isinstance(model, TransactionModel) and model.time == "periods":
        PERIOD_MODELS[model.key] = model
        return
    MODELS[model.key] = model
    if isinstance(model, TransactionModel):
        TRANSACTION_MODELS[model.key] = model
    else:
        SPEND_MODELS[model.key] = model


def _fixed() -> list[Model]:
    """Return all models but those of regular purchases, of which there is one for each k."""
    return [*MODELS.values(), *PERIOD_MODELS.values(), *CONTRACT_MODELS.values(), *VARIANTS.values()]


def _models_called(what: str, name: str) -> list[Model]:
    """Return the models whose key or public name is this."""
    regular, of_key = (family.whole(1) for family in REGULAR_FAMILIES.values()), known_model(name)
    models = [*_fixed(), *regular] + ([] if of_key is None else [of_key])
    return list(dict.fromkeys(model for model in models if getattr(model, what) == name))


def _remove(model: Model) -> None:
    for models in (MODELS, TRANSACTION_MODELS, PERIOD_MODELS, SPEND_MODELS):
        models.pop(model.key, None)


def known_model(key: str) -> Model | None:
    """Return the model of a key, or the variant of one; None if there is none.

    Examples
    --------
    >>> known_model("gamma_gamma_orders").name
    'Gamma-Gamma on orders'
    """
    regular = (family.model(key) for family in REGULAR_FAMILIES.values())
    known = (model for model in (*_fixed(), *regular) if model is not None and model.key == key)
    return next(known, None)


def regular_family_of(model: Model) -> RegularFamily | None:
    """Return the family of a model of regular purchases; None if it is none.

    Examples
    --------
    >>> regular_family_of(REGULAR_FAMILIES["BGCNBDk"].whole(3)).poisson.name
    'BG/NBD'
    >>> regular_family_of(BG_NBD) is None
    True
    """
    family = REGULAR_FAMILIES.get(model.public_name)
    return family if family is not None and known_model(model.key) is model else None


def model_named(key: str, parameters: tuple[str, ...]) -> Model:
    """Return the registered model of a key: what a pickled model is read as.

    Parameters
    ----------
    key
        Its key.
    parameters
        The names of the parameters that it had.

    Raises
    ------
    ModelError
        If no model with these parameters is registered under the key in this process.

    Examples
    --------
    >>> model_named("gamma_gamma", ("p", "q", "v")).name
    'Gamma-Gamma'
    """
    model = known_model(key)
    if model is None:
        raise ModelError(
            f"the model {key!r} is not registered in this process; models pickle by their key: import the file that"
            " defines it and write clv.models.register(model) there before anything of it is loaded"
        )
    if model.names != parameters:
        was, now = ", ".join(parameters), ", ".join(model.names)
        raise ModelError(
            f"the model {key!r} had the parameters {was} when it was pickled, but the one registered has {now}"
        )
    return model


def _by_key(model: Model) -> tuple[Callable[..., Model], tuple[str, tuple[str, ...]]]:
    """Return how a model is pickled: by its key, since its functions need not be importable."""
    if known_model(model.key) is not model:
        raise ModelError(
            f"{model.name} cannot be pickled: models pickle by their key, and it is not the one registered as"
            f" {model.key!r}; write clv.models.register(model) first"
        )
    return model_named, (model.key, model.names)


for _kind in (TransactionModel, ContractModel, SpendModel):
    copyreg.pickle(_kind, _by_key)
