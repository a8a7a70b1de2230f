"""Customer ids as users write them: which are left out, and when two ways of writing one are the same id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clvmodels.errors import DataError

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = [
    "IdRules",
    "clean_column",
    "clean_id",
    "has_blanks",
    "has_odd_blanks",
    "is_placeholder",
    "possible_placeholders",
    "read_ids",
]

_BLANKS: Final = "\t\n\r\u00a0\u202f"
"""What counts as a blank beside the blank itself."""
_DOUBLINGS: Final = 5
"""So often are two blanks made one, which leaves a single one of up to 2 to this power."""
_WHOLE: Final = re.compile("-?(0|[1-9][0-9]{0,17})")
_WORDS: Final = (
    "", "guest", "guests", "guest account", "guest checkout", "guest customer", "guest order", "guest user", "gast",
    "gäste", "gaeste", "gastkonto", "gastbestellung", "gastkunde", "unknown", "unknown customer", "unbekannt",
    "unbekannter kunde", "inconnu", "desconocido", "anon", "anonym", "anonymous", "anonymous customer",
    "anonymous user", "none", "null", "nil", "nan", "nat", "na", "n/a", "n.a", "n.a.", "not available", "undefined",
    "missing", "noid", "no id", "no customer", "no name", "no account", "kein", "keine", "keine angabe", "keine id",
    "k.a", "k.a.", "ka", "default", "dummy", "test", "test account", "test customer", "test user", "testkunde",
    "onetime", "one-time", "one-time customer", "walkin", "walk-in", "walk in", "walk-in customer", "laufkunde",
    "laufkunden", "laufkundschaft", "barverkauf", "barkunde", "cash", "cash customer", "cash sale", "cash sales",
    "sammelkunde", "diverse", "diverse kunden", "cpd", "invité", "invite", "invitado", "ospite",
)  # fmt: skip
"""What stands for no customer, in small letters, without punctuation around it and a number after it."""
_NUMBERED: Final = ("guest", "gast", "anonym", "anonymous", "unknown", "unbekannt")
"""Those of them that may have a number."""
_USUAL: Final = ("guest", "gast", "unknown", "unbekannt", "anonymous", "none", "null", "nan", "na", "n/a", "test")
_AROUND: Final = (("(", ")"), ("<", ">"), ("[", "]"), ("-", "-"), ("_", "_"), ("#", ""), ("?", ""), ("", "."))
"""What the usual ones of them often stand in."""
_PUNCTUATION: Final = "-_.,:;/\\|*#?!=+~'\"()[]{}<> "
_POSSIBLE: Final = "^(?:{}|[{}]*|(?:{}).*)$".format(
    "|".join(
        re.escape(word)
        for word in [*_WORDS, *(f"{before}{word}{after}" for word in _USUAL for before, after in _AROUND)]
        if word
    ),
    re.escape(_PUNCTUATION),
    "|".join(_NUMBERED),
)
"""One pattern is compiled in a tenth of the time that a list of so many words takes."""


def clean_id(text: str) -> str:
    """Return an id without blanks around it, with single blanks within it, and in lower case.

    Examples
    --------
    >>> clean_id(" Ann  LEE ")
    'ann lee'
    """
    blanks = text.translate(dict.fromkeys(map(ord, _BLANKS), " "))
    return " ".join(part for part in blanks.split(" ") if part).lower()


def clean_column(ids: ir.StringValue) -> ir.StringValue:
    """Return a column of ids as `clean_id` writes them, and what is blank as missing; no engine lacks what it takes."""
    for blank in _BLANKS:
        ids = ids.replace(blank, " ")
    for _ in range(_DOUBLINGS):
        ids = ids.replace("  ", " ")
    return ids.strip().lower().nullif("")


def has_blanks(ids: ir.StringValue) -> ir.BooleanValue:
    """Return which ids have a blank, also one that does not break a line."""
    return ids.contains(" ") | ids.contains("\u00a0")


def has_odd_blanks(ids: ir.StringValue) -> ir.BooleanValue:
    """Return which ids would change if their blanks were cleaned."""
    return (ids != ids.strip()) | ids.contains("  ") | ids.contains("\u00a0") | ids.contains("\u202f")


def possible_placeholders(table: ir.Table, ids: ir.StringValue) -> ir.Table:
    """Return the rows whose ids may stand for no customer: those that do (`is_placeholder`), as usually written.

    Parameters
    ----------
    table
        Customers.
    ids
        The column of ids, without blanks around them.
    """
    return table.filter(ids.lower().re_search(_POSSIBLE))


def is_placeholder(text: str) -> bool:
    """Return whether an id stands for no customer: guest, unknown, n/a, a dash, nothing but blanks.

    Examples
    --------
    >>> [is_placeholder(text) for text in ("Guest", "(unknown)", "N/A", "-", "guest 17", "guesthouse", "A-1")]
    [True, True, True, True, True, False, False]
    """
    word = clean_id(text).strip(_PUNCTUATION)
    return word in _WORDS or word.rstrip("0123456789").rstrip(_PUNCTUATION) in _NUMBERED


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
    if any(id_ is None or id_ != id_ for id_ in ids):
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

    def text(self, id_: object) -> str:
        """Return an id as the text by which it is compared."""
        number = id_.is_integer() if isinstance(id_, float) else False
        text = str(int(id_)) if number and isinstance(id_, float) else str(id_)
        return clean_id(text) if self.clean else text

    def cleaned(self, ids: ir.Value) -> ir.Value:
        """Return a column of ids as they are to be read."""
        return clean_column(ids) if self.clean and ids.type().is_string() else ids

    def excluded(self, ids: ir.Value) -> ir.BooleanValue:
        """Return which ids of a column are left out."""
        texts = [self.text(id_) for id_ in self.exclude]
        kind = ids.type()
        if not kind.is_numeric():
            return ids.cast("string").isin(texts)
        numbers = [int(text) for text in texts if _WHOLE.fullmatch(text)]
        return ids.isin(numbers) if numbers else ids.isnull() & ids.notnull()

    def missing(self, present: Iterable[object]) -> list[object]:
        """Return the ids to leave out that are not among those left out."""
        texts = {self.text(id_) for id_ in present}
        return [id_ for id_ in self.exclude if self.text(id_) not in texts]

    def drops(self, ids: Sequence[Any]) -> list[bool]:
        """Return which ids are left out."""
        texts = {self.text(id_) for id_ in self.exclude}
        return [self.text(id_) in texts for id_ in ids]
