"""The docstrings of the classes of registered models, made of what their specifications say."""

from __future__ import annotations

import json
import textwrap
from typing import Final

from clvmodels.models.registry import AGEING_MODELS, family_of, regular_family_of
from clvmodels.models.specification import ContractModel, Model, SpendModel, TransactionModel

__all__ = ["docstring_of"]

_DOCSTRING: Final = """{story}

Parameters
----------
priors
    Beliefs about the quantities below, those left out with weakly informative defaults, or about all of the
    parameters: ``pymc_extras.prior.Prior`` objects, or plain data such as
    ``{{"dist": "LogNormal", "mu": 1.4, "sigma": 0.5}}``. None: maximum likelihood and Laplace's approximation do
    without.
covariates
    Formulas, or lists of attributes of the histories, by process{processes}; None: there are none.{options}

Notes
-----
`fit` estimates the parameters, and `from_params` takes known ones:

{parameters}

The quantities that priors are about:

{quantities}

Examples
--------
>>> import clvmodels as clv
>>> params = {params}
>>> clv.{public_name}({arguments}).from_params(params{unit})
<{name} (given): ...>
"""

_ORDERS: Final = """
orders
    What is fitted to: ``"means"``, the mean value of each customer's repeat orders; ``"all"``, the values of all of
    them, which histories made from a log know. These tell how much a customer's orders vary, which means hardly do."""
_FIRST_ORDER: Final = """
first_order
    Whether first orders count too, of histories made from a log: ``"ignore"``; ``"use"``; ``"auto"``: if their scale is
    that of repeat orders (likelihood ratio, against a difference of more than 10 %) and these tell of them. For
    customers who bought once, the first order is all that is known of their spend."""


_DEPENDS_ON: Final = """
depends_on
    A fit of transactions to all customers together: the scale of order values is proportional to a power of the rate
    at which it expects a customer to buy, and ``fit.coefficients`` has the exponent. Two steps: the rates are those of
    its point estimate, and standard errors and intervals leave out what is unsure about them. None: order values do
    not depend on the rate."""
_CALENDAR: Final = """
calendar
    What differs from day to day for all customers alike, such as seasons: a ``clv.Calendar``. Its columns multiply the
    rate of purchases; ``fit.coefficients`` are the logs of the multipliers. The rate without it is that of the mean
    over the year before the end of observation."""
_AGEING: Final = """
ageing
    Whether a customer's risk of leaving changes with their own age: ``"gompertz"``, it grows by the same factor in each
    unit of time; ``"weibull"``, as a power of age; None, it stays the same. One more parameter, c. Model risk, never a
    default: few data tell it from risks that differ among customers, and value far ahead depends on it."""


_REGULAR: Final = """
k
    How regular purchases are: a whole number of stages of chance from one purchase to the next; 1, at random. None: the
    one of the highest likelihood. The fit then has `regularity`, with the k that need not be whole and its likelihood;
    it takes the waits between purchases, which histories made from a log know. Models of regular purchases run on no
    calendar."""


def docstring_of(model: Model) -> str:
    """Return the docstring of a model's class.

    Examples
    --------
    >>> from clvmodels.models import MODELS
    >>> docstring_of(MODELS["bg_nbd"]).splitlines()[0]
    'BG/NBD: a customer may leave after each repeat purchase.'
    """
    kinds = {
        "none": "",
        "time": ", in the unit of time",
        "rate": ", per unit of time",
        "money": ", in the unit of money",
    }
    return _DOCSTRING.format(
        story=model.story.strip() or f"{model.name}.\n\nSource: {model.source}",
        parameters="\n".join(
            _item(f"``{parameter.name}``{kinds[parameter.dimension]}") for parameter in model.parameters
        ),
        quantities="\n".join(_item(f"``{quantity.name}``: {quantity.meaning}") for quantity in model.quantities),
        processes=f" ({', '.join(model.effects)})" if model.effects else "",
        options=_options(model),
        public_name=model.public_name,
        arguments="k=1" if regular_family_of(model) is not None else "",
        name=model.name,
        params=json.dumps({name: float(value) for name, value in model.example.items()}),
        unit=_unit(model),
    )


def _unit(model: Model) -> str:
    if not isinstance(model, TransactionModel):
        return ""
    return f', unit="{"year" if isinstance(model, ContractModel) else "week"}"'


def _options(model: Model) -> str:
    """Return what a docstring says of the further arguments of a class."""
    if isinstance(model, TransactionModel):
        of_k = _REGULAR if regular_family_of(model) is not None else ""
        return (_CALENDAR if model.clocks else "") + (_AGEING if model.key in AGEING_MODELS else "") + of_k
    family = family_of(model) if isinstance(model, SpendModel) else None
    of_rate = _DEPENDS_ON if "spend" in model.effects else ""
    if family is None:
        return of_rate
    return of_rate + (_FIRST_ORDER if family.means is None else _ORDERS + _FIRST_ORDER)


def _item(text: str) -> str:
    return textwrap.fill(text, 100, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
