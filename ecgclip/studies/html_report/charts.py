"""Curves and reliability diagrams as inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from .markup import Markup, joined, tag
from .numbers import Axis, finite, nice_axis, tick

__all__ = ["Point", "Series", "diagram", "legend", "line_chart"]

_W, _H, _LEFT, _RIGHT, _TOP, _FOOT = 330, 226, 42, 12, 10, 38


@dataclass(frozen=True)
class Point:
    """One figure of a curve with its interval; ``x`` is a place among the chart's ticks."""

    x: float
    figure: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """A curve: ``style`` picks colour and dashes."""

    name: str
    style: int
    points: Sequence[Point]


def legend(names: Sequence[tuple[str, int]]) -> Markup:
    """What colours and dashes mean."""
    items = [
        tag(
            "li",
            None,
            tag(
                "svg",
                {"class": f"s{style}", "width": 30, "height": 10, "aria-hidden": "true"},
                tag("line", {"class": "curve", "x1": 0, "x2": 30, "y1": 5, "y2": 5}),
                tag("circle", {"class": "dot" if style == 0 else "dot hollow", "cx": 15, "cy": 5, "r": 3.2}),
            ),
            " ",
            name,
        )
        for name, style in names
    ]
    return tag("ul", {"class": "legend"}, *items)


def line_chart(
    title: str, series: Sequence[Series], ticks: Sequence[tuple[float, str]], axis: Axis, *, x: str, y: str
) -> Markup:
    """Curves over ticks at even or stated places, with intervals as whiskers.

    Args:
        title: above the chart.
        series: the curves.
        ticks: place and name of each x.
        axis: of the figures.
        x: what the ticks are.
        y: what the figures are.
    """
    lowest, highest = min(place for place, _ in ticks), max(place for place, _ in ticks)
    across = Axis(lowest, highest if highest > lowest else lowest + 1.0, ())
    parts = [*_frame(axis, ticks, across, x)]
    for k, each in enumerate(series):
        shift = (k - (len(series) - 1) / 2) * 2.2  # whiskers beside, not upon one another
        parts.append(_curve(each, across, axis, shift))
    drawn = tag(
        "svg",
        {"class": "chart", "viewBox": f"0 0 {_W} {_H}", "role": "img", "aria-label": f"{title}: {y} by {x}"},
        *parts,
    )
    return tag(
        "figure",
        {"class": "chart"},
        tag("figcaption", None, tag("b", None, title), ": ", tag("span", {"class": "quiet"}, y)),
        drawn,
    )


def _frame(axis: Axis, ticks: Sequence[tuple[float, str]], across: Axis, x: str) -> list[Markup]:
    parts = []
    for value in axis.ticks:
        y = _y(axis, value)
        parts.append(tag("line", {"class": "grid", "x1": _LEFT, "x2": _W - _RIGHT, "y1": y, "y2": y}))
        parts.append(tag("text", {"x": _LEFT - 6, "y": y + 4, "text-anchor": "end"}, tick(value)))
    for place, name in ticks:
        parts.append(
            tag("text", {"x": _x(across, place), "y": _H - _FOOT + 17, "text-anchor": "middle"}, name)
        )
    parts.append(
        tag(
            "text",
            {"class": "quiet", "x": (_LEFT + _W - _RIGHT) / 2, "y": _H - 5, "text-anchor": "middle"},
            x,
        )
    )
    return parts


def _curve(series: Series, across: Axis, axis: Axis, shift: float) -> Markup:
    known = [(point, point.figure) for point in series.points if finite(point.figure)]
    parts = []
    path = " ".join(f"{_x(across, p.x) + shift:.1f},{_y(axis, figure):.1f}" for p, figure in known)
    if len(known) > 1:
        parts.append(tag("polyline", {"class": "curve", "points": path}))
    for point, figure in known:
        x = _x(across, point.x) + shift
        if finite(point.low) and finite(point.high):
            parts.append(
                tag(
                    "line",
                    {
                        "class": "whisker",
                        "x1": x,
                        "x2": x,
                        "y1": _y(axis, point.low),
                        "y2": _y(axis, point.high),
                    },
                )
            )
        parts.append(
            tag(
                "circle",
                {
                    "class": "dot" if series.style == 0 else "dot hollow",
                    "cx": x,
                    "cy": _y(axis, figure),
                    "r": 3.2,
                },
            )
        )
    return tag("g", {"class": f"s{series.style}"}, *parts)


def _x(across: Axis, place: float) -> float:
    inner = _W - _LEFT - _RIGHT - 36
    return round(_LEFT + 18 + across.place(place) * inner, 1)


def _y(axis: Axis, value: float) -> float:
    return round(_TOP + (1 - axis.place(value)) * (_H - _TOP - _FOOT), 1)


def diagram(
    title: str, note: str, curves: Sequence[tuple[int, Sequence[tuple[float, float, int]]]], total: int
) -> Markup:
    """A reliability diagram: share of positives over probability, with how many records each bin holds.

    Args:
        title: the label.
        note: its figures.
        curves: for each style the bins that hold records: probability, share, count.
        total: records.
    """
    side, left, top = 176, 30, 6
    inner = side - left - 8
    unit = nice_axis((0.0, 1.0))
    x = [left + unit.place(value) * inner for value in unit.ticks]
    y = [top + (1 - unit.place(value)) * inner for value in unit.ticks]
    parts = [tag("line", {"class": "grid", "x1": left, "x2": left + inner, "y1": at, "y2": at}) for at in y]
    parts += [tag("line", {"class": "grid", "x1": at, "x2": at, "y1": top, "y2": top + inner}) for at in x]
    parts.append(tag("line", {"class": "even", "x1": left, "y1": top + inner, "x2": left + inner, "y2": top}))
    ends = (
        (unit.ticks[0], x[0], y[0]),
        (0.5, (x[0] + x[-1]) / 2, (y[0] + y[-1]) / 2),
        (unit.ticks[-1], x[-1], y[-1]),
    )
    for value, across, up in ends:
        parts.append(tag("text", {"x": across, "y": top + inner + 13, "text-anchor": "middle"}, tick(value)))
        parts.append(tag("text", {"x": left - 5, "y": up + 4, "text-anchor": "end"}, tick(value)))
    for style, bins in curves:
        places = [(left + p * inner, top + (1 - share) * inner, n) for p, share, n in bins]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b, _ in places)
        dots = [
            tag(
                "circle",
                {
                    "class": "dot" if style == 0 else "dot hollow",
                    "cx": round(a, 1),
                    "cy": round(b, 1),
                    "r": round(2.0 + 3.5 * (n / max(1, total)) ** 0.5, 1),
                },
                tag("title", None, f"{n} records"),
            )
            for a, b, n in places
        ]
        parts.append(
            tag("g", {"class": f"s{style}"}, tag("polyline", {"class": "curve", "points": line}), *dots)
        )
    drawn = tag(
        "svg",
        {
            "viewBox": f"0 0 {side} {top + inner + 18}",
            "role": "img",
            "aria-label": f"{title}: share of positives over probability, {note}",
        },
        *parts,
    )
    return tag(
        "figure",
        {"class": "reliability"},
        tag("figcaption", None, joined((tag("b", None, title), " ", tag("span", None, note)))),
        drawn,
    )
