"""Tables that a reader can sort, and intervals drawn in their cells."""

from collections.abc import Sequence
from dataclasses import dataclass

from .markup import Child, Markup, joined, tag
from .numbers import Axis, finite, tick

__all__ = ["Cell", "Column", "Mark", "axis_head", "interval_cell", "number_cell", "table"]

_WIDTH, _PAD, _LINE = 172, 14, 15


@dataclass(frozen=True)
class Column:
    """A column: ``kind`` is ``text``, ``number``, ``marks`` or ``plot``, which is not sorted by."""

    title: Child
    kind: str = "number"


@dataclass(frozen=True)
class Cell:
    """What stands in a cell, and what the column is sorted by: None sorts last."""

    shown: Child
    value: float | None = None


@dataclass(frozen=True)
class Mark:
    """One interval in a cell: ``series`` picks its colour and shape."""

    figure: float | None
    low: float | None
    high: float | None
    series: int = 0


def number_cell(shown: str, value: float | None) -> Cell:
    """A number as text, sorted by its value."""
    return Cell(shown, value)


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell | Child]], caption: str) -> Markup:
    """A table within its own scrolling box; the first cell of a row names it."""
    head = tag("tr", None, *(_head(column) for column in columns))
    body = joined(
        tag(
            "tr",
            None,
            *(_cell(cell, column, k) for k, (cell, column) in enumerate(zip(row, columns, strict=True))),
        )
        for row in rows
    )
    inner = tag(
        "table",
        None,
        tag("caption", None, caption),
        tag("thead", None, head),
        tag("tbody", None, body),
    )
    return tag("div", {"class": "scroll", "role": "region", "tabindex": 0, "aria-label": caption}, inner)


def _head(column: Column) -> Markup:
    if column.kind == "plot":
        return tag("th", {"scope": "col", "class": "plot"}, column.title)
    button = tag(
        "button", {"type": "button"}, column.title, tag("span", {"class": "arrow", "aria-hidden": "true"})
    )
    return tag("th", {"scope": "col", "class": column.kind, "aria-sort": "none"}, button)


def _cell(cell: Cell | Child, column: Column, position: int) -> Markup:
    held = cell if isinstance(cell, Cell) else Cell(cell)
    if position == 0:
        return tag("th", {"scope": "row"}, held.shown)
    sorts = None
    if column.kind == "number":
        sorts = "" if not finite(held.value) else f"{held.value:.9g}"
    return tag("td", {"class": column.kind, "data-sort": sorts}, held.shown)


def axis_head(axis: Axis, title: str) -> Markup:
    """The head of a column of intervals: its title, for ears too, and the numbers of its axis."""
    shown = axis.ticks if len(axis.ticks) <= 4 else axis.ticks[:: (len(axis.ticks) + 2) // 4]
    numbers = [
        tag("text", {"x": _x(axis, value), "y": 11, "text-anchor": "middle"}, tick(value)) for value in shown
    ]
    drawn = tag("svg", {"class": "axis", "width": _WIDTH, "height": 14, "aria-hidden": "true"}, *numbers)
    return joined((tag("span", {"class": "plot-title"}, title), drawn))


def interval_cell(axis: Axis, marks: Sequence[Mark]) -> Markup:
    """Intervals under one another on a common axis; the numbers stand in cells beside."""
    height = _LINE * len(marks) + 3
    parts = [
        tag("line", {"class": "grid", "x1": x, "x2": x, "y1": 0, "y2": height})
        for x in (_x(axis, value) for value in axis.ticks)
    ]
    for k, mark in enumerate(marks):
        parts.append(_interval(axis, mark, 1.5 + _LINE * (k + 0.5)))
    return tag("svg", {"class": "interval", "width": _WIDTH, "height": height, "aria-hidden": "true"}, *parts)


def _interval(axis: Axis, mark: Mark, y: float) -> Markup:
    parts = []
    if finite(mark.low) and finite(mark.high):
        low, high = _x(axis, mark.low), _x(axis, mark.high)
        parts.append(tag("line", {"class": "whisker", "x1": low, "x2": high, "y1": y, "y2": y}))
        parts += [
            tag("line", {"class": "whisker", "x1": x, "x2": x, "y1": y - 3, "y2": y + 3}) for x in (low, high)
        ]
    if finite(mark.figure):
        shape = "dot" if mark.series == 0 else "dot hollow"
        parts.append(tag("circle", {"class": shape, "cx": _x(axis, mark.figure), "cy": y, "r": 3.6}))
    return tag("g", {"class": f"s{mark.series}"}, *parts)


def _x(axis: Axis, value: float) -> float:
    return round(_PAD + axis.place(value) * (_WIDTH - 2 * _PAD), 1)
