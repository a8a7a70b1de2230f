"""Laws that every model keeps, whatever its story: checked at its example's parameters.

They need no published figures: each says that two of the model's own functions, which were derived and written apart,
agree. Whoever adds a model to the registry is held to them by the contract tests; whoever writes their own asks
`check_model`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clvmodels.models.law import ConsistencyCheck
from clvmodels.models.specification import SpendModel, TransactionModel
from clvmodels.models.spend_laws import SPEND_LAWS
from clvmodels.models.transaction_laws import LAWS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LAWS", "SPEND_LAWS", "ConsistencyCheck", "check_model"]


def check_model(model: TransactionModel | SpendModel) -> pd.DataFrame:
    """Check whether the formulas of a model agree with each other, at the parameters of its example.

    Parameters
    ----------
    model
        Its specification; it need not be registered.

    Returns
    -------
    DataFrame
        By law: kept, and its deviation and tolerance. What is not kept points at the function to look at.

    Raises
    ------
    ParameterError
        If the example does not give all parameters.

    Examples
    --------
    >>> import clvmodels as clv
    >>> check_model(clv.BGNBD().model)["kept"].all()
    np.True_
    """
    import pandas as pd

    theta = model.theta(model.example)
    rows = []
    for law in LAWS if isinstance(model, TransactionModel) else SPEND_LAWS:
        try:
            deviation = law.deviation(model, theta)
        except Exception as error:
            error.add_note(f"This happened as {model.name} was checked for this law: {law.description}.")
            raise
        rows.append((law.description, deviation <= law.tolerance, deviation, law.tolerance))
    return pd.DataFrame(rows, columns=["law", "kept", "deviation", "tolerance"]).set_index("law")
