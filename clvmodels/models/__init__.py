"""The models: one file of mathematics each, and the registry. What a model of your own needs is imported from here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from clvmodels.models.kernel import CompiledSums as CompiledSums
    from clvmodels.models.kernel import Kernel as Kernel
    from clvmodels.models.registry import MODELS as MODELS
    from clvmodels.models.registry import register as register
    from clvmodels.models.specification import Parameter as Parameter
    from clvmodels.models.specification import Quantity as Quantity
    from clvmodels.models.specification import SpendModel as SpendModel
    from clvmodels.models.specification import Traits as Traits
    from clvmodels.models.specification import TransactionModel as TransactionModel

_FILES: Final = {
    "CompiledSums": "clvmodels.models.kernel",
    "Kernel": "clvmodels.models.kernel",
    "MODELS": "clvmodels.models.registry",
    "register": "clvmodels.models.registry",
    "Parameter": "clvmodels.models.specification",
    "Quantity": "clvmodels.models.specification",
    "SpendModel": "clvmodels.models.specification",
    "Traits": "clvmodels.models.specification",
    "TransactionModel": "clvmodels.models.specification",
}

__all__ = [
    "MODELS",
    "CompiledSums",
    "Kernel",
    "Parameter",
    "Quantity",
    "SpendModel",
    "Traits",
    "TransactionModel",
    "register",
]


def __getattr__(name: str) -> object:
    if name in _FILES:
        public: object = getattr(import_module(_FILES[name]), name)
        return public
    raise AttributeError(f"module 'clvmodels.models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
