"""Text that a terminal only shows: what would steer it is written out."""

from __future__ import annotations

from typing import Final
from unicodedata import category

__all__ = ["plain"]

_STEERING: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs", "Cn", "Co"})
"""Unicode's categories of controls, of formats (such as direction and zero width), surrogates, ends of lines, and
blanks that look like the blank."""


def plain(text: str, *, lines: bool = False) -> str:
    r"""Return a text with every letter that steers a terminal, or cannot be seen, written as an escape.

    Parameters
    ----------
    text
        From anywhere: a name in a log, a path, a message.
    lines
        Whether it may have several lines.

    Examples
    --------
    >>> print(plain("\x1b[2J red\u202e\nnext"))
    \x1b[2J red\u202e\nnext
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter == " " or category(letter) not in _STEERING or (lines and letter == "\n") else _escaped(letter)
        for letter in text
    )


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
