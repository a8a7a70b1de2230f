"""HTML that is safe by construction: a plain text is escaped wherever it is put, and only `Html` is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

__all__ = ["Attributes", "Html", "joined", "tag"]

Attributes = Mapping[str, str | float | bool]

_VOID: Final = ("br", "input", "line", "rect", "circle", "polyline")


class Html(str):
    """A piece of HTML, as opposed to a text."""

    __slots__ = ()


def tag(name: str, content: str | Iterable[str] = "", attributes: Attributes | None = None) -> Html:
    """Return an element.

    Parameters
    ----------
    name
        Of the element.
    content
        What is in it: `Html` as it is, text escaped; or several of them.
    attributes
        Of the element, escaped; True stands for an attribute without a value, False for none.

    Examples
    --------
    >>> tag("p", ["a < b ", tag("b", "c")], {"title": '"', "hidden": True})
    '<p title="&quot;" hidden>a &lt; b <b>c</b></p>'
    """
    given = "".join(_attribute(key, value) for key, value in (attributes or {}).items())
    if name in _VOID:
        return Html(f"<{name}{given}/>")
    return Html(f"<{name}{given}>{joined([content] if isinstance(content, str) else content)}</{name}>")


def joined(parts: Iterable[str]) -> Html:
    """Return several pieces as one, texts escaped."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def _attribute(name: str, value: str | float | bool) -> str:
    if value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
