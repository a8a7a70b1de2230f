"""Customer ids as users write them: which are left out, and when two ways of writing one are the same id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clvmodels.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["IdRules", "clean_column", "clean_id", "placeholders", "read_ids"]

_EDGES: Final = r"^[\s\p{Z}]+|[\s\p{Z}]+$"
_BLANKS: Final = r"[\s\p{Z}]+"
_WHOLE: Final = re.compile("-?(0|[1-9][0-9]{0,17})")
_OTHER: Final = r"[^\p{L}\p{N}]*"
_WORDS: Final = (
    "guests?", "guest ?(account|checkout|customer|order|user)", "g[aä]ste?", "g[aä]ste?(konto|bestellung)", "unknown",
    "unbekannt", "inconnu", "desconocido", "anon", "anonym", "anonymous", "anonymous ?(customer|user)", "none", "null",
    "nil", "nan", "nat", "n[ ./]?a", "not ?available", "undefined", "missing", "no ?(id|customer|name|account)",
    "keine?", "keine ?(angabe|id|nummer)", "k[ ./]?a", "default", "dummy", "test",
    "test ?(account|customer|user|kunde)", "(one|1)[ -]?time ?(customer|buyer)?", "walk[ -]?ins?( ?customer)?",
    "laufkunden?", "laufkundschaft", "barverkauf", "bar ?kunde", "cash", "cash ?(customer|sales?)", "sammelkunde",
    "diverse( ?kunden)?", "cpd", "invit[eé]", "invitado", "ospite",
)  # fmt: skip
"""Texts that stand for no customer, without capitals, as regular expressions."""


def clean_id(text: str) -> str:
    """Return an id without blanks around it, with single blanks within it, and in lower case.

    Examples
    --------
    >>> clean_id(" Ann  LEE ")
    'ann lee'
    """
    return " ".join(text.split()).lower()


def clean_column(ids: ir.StringValue) -> ir.StringValue:
    """Return a column of ids as `clean_id` writes them, and what is blank as missing."""
    stripped = ids.re_replace(_EDGES, "").re_replace(_BLANKS, " ")
    return stripped.lower().nullif("")


def placeholders(ids: ir.StringValue) -> ir.BooleanValue:
    """Return which ids are texts that stand for no customer: guest, unknown, n/a, a dash, a blank."""
    words = "|".join(_WORDS)
    return ids.lower().re_search(rf"^{_OTHER}(({words}){_OTHER}[0-9]*{_OTHER})?$")


def read_ids(exclude: object) -> tuple[object, ...]:
    """Return ids to leave out as a tuple.

    Raises
    ------
    DataError
        If they are no collection of ids, or one is missing.

    Examples
    --------
    >>> read_ids(["guest", 0])
    ('guest', 0)
    """
    if not isinstance(exclude, Iterable) or isinstance(exclude, str | bytes):
        raise DataError(f'exclude_ids is a list of customer ids, such as ["guest"], got {exclude!r}')
    ids = tuple(dict.fromkeys(exclude))
    if any(one is None or one != one for one in ids):
        raise DataError("exclude_ids names ids; rows without one are left out in any case")
    return ids


@dataclass(frozen=True)
class IdRules:
    """What is done with the ids of a log or of a ledger.

    Attributes
    ----------
    exclude
        Ids whose rows are left out. A number and the text it is written as are the same id.
    clean
        Whether ids that differ by capitals or blanks alone are the same.
    """

    exclude: Sequence[object] = ()
    clean: bool = False

    def text(self, one: object) -> str:
        """Return an id as the text by which it is compared."""
        number = one.is_integer() if isinstance(one, float) else False
        text = str(int(one)) if number and isinstance(one, float) else str(one)
        return clean_id(text) if self.clean else text

    def cleaned(self, ids: ir.Value) -> ir.Value:
        """Return a column of ids as they are to be read."""
        return clean_column(ids) if self.clean and ids.type().is_string() else ids

    def excluded(self, ids: ir.Value) -> ir.BooleanValue:
        """Return which ids of a column are left out."""
        texts = [self.text(one) for one in self.exclude]
        kind = ids.type()
        if not kind.is_numeric():
            return ids.cast("string").isin(texts)
        numbers = [int(text) for text in texts if _WHOLE.fullmatch(text)]
        return ids.isin(numbers) if numbers else ids.isnull() & ids.notnull()

    def missing(self, present: Iterable[object]) -> list[object]:
        """Return the ids to leave out that are not among those left out."""
        texts = {self.text(one) for one in present}
        return [one for one in self.exclude if self.text(one) not in texts]

    def drops(self, ids: Sequence[Any]) -> list[bool]:
        """Return which ids are left out."""
        texts = {self.text(one) for one in self.exclude}
        return [self.text(one) in texts for one in ids]
