"""Figures as text, and axes with round ticks."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeGuard

__all__ = ["NONE", "Axis", "count", "decimal", "finite", "interval", "nice_axis", "percent", "signed", "tick"]

NONE = "–"
"""What stands where there is no figure."""


def finite(value: float | None) -> TypeGuard[float]:
    """Whether there is a figure: JSON of other makers may hold NaN."""
    return value is not None and math.isfinite(value)


def decimal(value: float | None, places: int = 3) -> str:
    """A figure, or a dash."""
    return NONE if not finite(value) else f"{value:.{places}f}"


def interval(low: float | None, high: float | None) -> str:
    """Both ends of an interval, or a dash."""
    return NONE if not (finite(low) and finite(high)) else f"{decimal(low)}–{decimal(high)}"


def percent(value: float | None) -> str:
    """A share as per cent."""
    return NONE if not finite(value) else f"{100 * value:.0f} %"


def signed(value: float | None) -> str:
    """A difference with its sign, or a dash."""
    if not finite(value):
        return NONE
    text = f"{abs(value):.3f}"
    return text if float(text) == 0 else f"{'+' if value > 0 else '−'}{text}"


def count(value: int) -> str:
    """A number of things."""
    return f"{value:,}"


def tick(value: float) -> str:
    """A number on an axis."""
    return f"{value:.4g}"


@dataclass(frozen=True)
class Axis:
    """A linear axis.

    Attributes:
        low: its lower end.
        high: its upper end.
        ticks: where numbers stand.
    """

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """Share of the axis's length at which a value lies, held within it."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


def nice_axis(
    values: Iterable[float | None], *, steps: int = 4, floor: float = 0.0, ceiling: float = 1.0
) -> Axis:
    """An axis with about ``steps`` round steps that holds all values, within floor and ceiling."""
    known = [value for value in values if finite(value)]
    low, high = (min(known), max(known)) if known else (floor, ceiling)
    low, high = max(floor, low), min(ceiling, high)
    if high - low < 1e-3:
        low, high = max(floor, low - 0.05), min(ceiling, high + 0.05)
    if high <= low:
        low, high = floor, ceiling
    rough = (high - low) / steps
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(k * power for k in (1, 2, 2.5, 5, 10) if k * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(k * step, 10) for k in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)
