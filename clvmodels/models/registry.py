"""The models by key. A new model is its own file and one line here."""

from __future__ import annotations

from typing import Final

from clvmodels.models.bg_nbd import BG_NBD
from clvmodels.models.gamma_gamma import GAMMA_GAMMA
from clvmodels.models.mbg_nbd import MBG_NBD
from clvmodels.models.pareto_nbd import PARETO_NBD
from clvmodels.models.specification import Model, SpendModel, TransactionModel

__all__ = ["MODELS", "SPEND_MODELS", "TRANSACTION_MODELS"]

TRANSACTION_MODELS: Final[dict[str, TransactionModel]] = {m.key: m for m in (BG_NBD, MBG_NBD, PARETO_NBD)}
SPEND_MODELS: Final[dict[str, SpendModel]] = {m.key: m for m in (GAMMA_GAMMA,)}
MODELS: Final[dict[str, Model]] = {**TRANSACTION_MODELS, **SPEND_MODELS}
