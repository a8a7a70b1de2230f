"""Charts as inline SVG: bars that stretch with their cell, and curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clvmodels.reporting.page.markup import Html, tag

__all__ = ["Axis", "Bar", "Curve", "Tone", "band", "bars", "curves", "swatch"]

Array = NDArray[np.float64]
Tone = Literal["plus", "minus", "level", "part"]
"""What a bar shows: a gain, a loss, a balance, or a part of a balance."""

_WIDTH: Final = 360
_HEIGHT: Final = 240
_TOP, _RIGHT, _BOTTOM = 10, 20, 40
_DIGIT: Final = 6.4
"""Width of a digit at the size of the labels."""


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high`."""

    low: float
    high: float

    @classmethod
    def around(cls, values: ArrayLike, *, zero: bool = True) -> Axis:
        """Return the axis that holds all values, and zero if it is a length from there that counts."""
        numbers = np.append(np.asarray(values, dtype=np.float64), [0.0] if zero else [])
        low, high = float(numbers.min()), float(numbers.max())
        return cls(low, high if high > low else low + 1.0)

    def at(self, value: float) -> float:
        """Return the position of a value: 0 at the low end, 1 at the high one."""
        return (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        """Round numbers on the axis, three to eight of them.

        Examples
        --------
        >>> Axis(0.0, 1234.0).ticks
        [0.0, 250.0, 500.0, 750.0, 1000.0]
        """
        rough = (self.high - self.low) / 6.0
        size = 10.0 ** math.floor(math.log10(rough))
        step = size * next(nice for nice in (1.0, 2.0, 2.5, 5.0, 10.0) if nice * size >= rough)
        return [k * step for k in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]


@dataclass(frozen=True)
class Bar:
    """A bar from one value to another."""

    start: float
    end: float
    tone: Tone


def bars(axis: Axis, drawn: Sequence[Bar], marks: Sequence[float] = ()) -> Html:
    """Return bars along an axis that is as wide as the cell, with thin marks across; the numbers stand beside it."""
    content = [_mark(axis, value) for value in marks]
    for bar in drawn:
        low, high = sorted((axis.at(bar.start), axis.at(bar.end)))
        place = {"x": _percent(low), "width": _percent(high - low), "y": "22%", "height": "56%"}
        content.append(tag("rect", attributes={**place, "class": bar.tone}))
    return tag("svg", content, {"class": "bar", "aria-hidden": "true", "focusable": "false"})


def band(axis: Axis, low: float, high: float, predicted: float, actual: float) -> Html:
    """Return a band from one end to the other, a thin mark at the forecast, and a dot where what came lies."""
    start, end = axis.at(low), axis.at(high)
    place = {"x": _percent(start), "width": _percent(end - start), "y": "28%", "height": "44%", "class": "band"}
    kind = "came" if low <= actual <= high else "came outside"
    dot = tag("circle", attributes={"cx": _percent(axis.at(actual)), "cy": "50%", "r": "4.5", "class": kind})
    content = [tag("rect", attributes=place), _mark(axis, predicted), dot]
    return tag("svg", content, {"class": "bar", "aria-hidden": "true", "focusable": "false"})


def _mark(axis: Axis, value: float) -> Html:
    x = _percent(axis.at(value))
    return tag("line", attributes={"x1": x, "x2": x, "y1": "0", "y2": "100%"})


def _percent(share: float) -> str:
    return f"{100.0 * share:.2f}%"


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve over shares of the customers.

    Attributes
    ----------
    x, y
        Its points, shape (points,).
    kind
        Its class: how it is drawn.
    dot
        A point of it that is marked, if any.
    """

    x: Array
    y: Array
    kind: str
    dot: tuple[float, float] | None = None


def curves(
    title: str, drawn: Sequence[Curve], under: str, x_text: Callable[[float], str], y_text: Callable[[float], str]
) -> Html:
    """Return a diagram.

    Parameters
    ----------
    title
        What it shows, in words, for those who do not see it.
    drawn
        The curves; their x are from 0 to 1.
    under
        What stands below the horizontal axis.
    x_text, y_text
        Write the numbers at the axes.
    """
    axis = Axis.around(np.concatenate([curve.y for curve in drawn]))
    labels = [y_text(tick) for tick in axis.ticks]
    left = 10.0 + _DIGIT * max(map(len, labels))
    frame = _Frame(left, axis)
    content = [_line_across(frame, tick, text) for tick, text in zip(axis.ticks, labels, strict=True)]
    for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        place = {"x": _short(frame.x(share)), "y": str(_HEIGHT - _BOTTOM + 15), "text-anchor": "middle"}
        content.append(tag("text", x_text(share), place))
    middle = {"x": _short(frame.x(0.5)), "y": str(_HEIGHT - 6), "text-anchor": "middle"}
    content.append(tag("text", under, middle))
    content += [_polyline(frame, curve) for curve in drawn]
    content += [_dot(frame, curve.dot) for curve in drawn if curve.dot is not None]
    given = {"viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "class": "curves", "role": "img", "aria-label": title}
    return tag("svg", content, given)


@dataclass(frozen=True)
class _Frame:
    """Where shares and values lie in the picture."""

    left: float
    axis: Axis

    def x(self, share: float) -> float:
        return self.left + share * (_WIDTH - _RIGHT - self.left)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - self.axis.at(value) * (_HEIGHT - _BOTTOM - _TOP)


def _line_across(frame: _Frame, value: float, text: str) -> Html:
    y = _short(frame.y(value))
    ends = {"x1": _short(frame.x(0.0)), "x2": _short(frame.x(1.0)), "y1": y, "y2": y}
    line = tag("line", attributes={**ends, "class": "zero" if value == 0.0 else "rule"})
    place = {"x": _short(frame.left - 6.0), "y": _short(frame.y(value) + 4.0), "text-anchor": "end"}
    return Html(line + tag("text", text, place))


def _polyline(frame: _Frame, curve: Curve) -> Html:
    points = " ".join(f"{_short(frame.x(x))},{_short(frame.y(y))}" for x, y in zip(curve.x, curve.y, strict=True))
    return tag("polyline", attributes={"points": points, "class": curve.kind})


def _dot(frame: _Frame, point: tuple[float, float]) -> Html:
    x, y = point
    return tag("circle", attributes={"cx": _short(frame.x(x)), "cy": _short(frame.y(y)), "r": "3.5"})


def _short(number: float) -> str:
    return f"{number:.1f}"


def swatch(kind: str) -> Html:
    """Return a sample of a curve, to stand beside its name."""
    line = tag("polyline", attributes={"points": "0,6 26,6", "class": kind})
    return tag("svg", line, {"class": "swatch", "width": "26", "height": "12", "aria-hidden": "true"})
