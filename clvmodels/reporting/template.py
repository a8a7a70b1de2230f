"""A commented file of assumptions, to be filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from clvmodels.reporting.files import OutputError

__all__ = ["TEMPLATE", "write_template"]

TEMPLATE: Final = """\
# Assumptions of a valuation. Replace the figures by your own; remove the # before a line to use it.

# Effective annual rate at which later money is worth less: 0.12 is 12 % a year.
discount_rate = 0.12
# Contribution of sales before the costs below, as a share of sales: 0.30 is 30 %.
margin = 0.30

# Printed beside amounts.
# currency = "EUR"
# How far to look ahead; without it, indefinitely.
# horizon = "10 years"
# When money is deemed to flow: continuous, mid-month, end-month, mid-year or end-year.
# timing = "continuous"

# Costs as a share of sales.
# payment_share = 0.02
# Costs of an order, in money.
# order_cost = 4.50
# Costs of a living customer a year, in money.
# maintenance_cost = 3.00
# Campaign contacts a year, to living and lost customers alike, and the cost of one.
# campaigns_per_year = 12
# contact_cost = 0.40
# Contacts with the service per order, and the cost of one.
# contacts_per_order = 0.2
# service_cost = 5.00
# Share of sales that comes back, and the share of its value that is lost thereby.
# return_share = 0.10
# write_down = 0.25
# Share of the value that is paid as tax.
# tax = 0.25
"""
"""Valid as it stands, and with every assumption that it names in use."""


def write_template(path: Path) -> None:
    """Write `TEMPLATE` to a new file.

    Raises
    ------
    OutputError
        If there is such a file already: it is left as it is.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError as error:
        raise OutputError(f"{str(path)!r} exists and is left as it is; name another file") from error
