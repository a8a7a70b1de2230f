"""What a message says to write in Python, as options of the command line."""

from __future__ import annotations

import ast
import re
import shlex
from typing import Final

__all__ = ["as_options"]

_OPTIONS: Final = (
    "clean_ids", "customer_id", "exclude_ids", "memory_gb", "method", "observation_end", "observation_start",
    "order_id", "quantity", "resolution", "returns", "spill_folder", "time", "time_format", "time_zone", "unit",
    "value",
)  # fmt: skip
_WRITTEN: Final = re.compile(rf"(?<![\w(,.])({'|'.join(_OPTIONS)})=(\[[^\]]*\]|\"[^\"]*\"|'[^']*'|True|\.\.\.)")


def as_options(message: str) -> str:
    """Return a message with the arguments that it names written as options.

    Examples
    --------
    >>> as_options('write observation_end="2024-06-30"')
    'write --observation-end 2024-06-30'
    >>> as_options("leave them out with exclude_ids=['guest', 'n/a'], or write clean_ids=True")
    'leave them out with --exclude-ids guest --exclude-ids n/a, or write --clean-ids'
    """
    return _WRITTEN.sub(_as_option, message)


def _as_option(written: re.Match[str]) -> str:
    option = "--" + written[1].replace("_", "-")
    value = ast.literal_eval(written[2])
    if value is True:
        return option
    values = value if isinstance(value, list) else [value]
    return " ".join("..." if item is Ellipsis and len(values) > 1 else f"{option} {_text(item)}" for item in values)


def _text(value: object) -> str:
    return "..." if value is Ellipsis else shlex.quote(str(value))
