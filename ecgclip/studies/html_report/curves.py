"""Figures over something that grows: probes over labelled patients, zero-shot over disturbances."""

from collections.abc import Sequence

from ecgclip.studies.benchmark.results import Results, Row

from .charts import Point, Series, legend, line_chart
from .forest import class_details, forest, rows_axis, setting_number
from .markup import Markup, joined, tag

__all__ = ["probe_section", "robustness_section"]


def probe_section(results: Results, rows: Sequence[Row]) -> Markup:
    """Curves over shares of the training patients or shots, and what stands behind the largest."""
    key = "fraction" if results.protocol == "linear_probe" else "shots"
    names = list(dict.fromkeys(row.name for row in rows))
    steps = _steps(rows, key)
    axis = rows_axis(rows)
    ticks = [
        (float(k), f"{100 * step:g} %" if key == "fraction" else f"{step:g}") for k, step in enumerate(steps)
    ]
    x = "share of training patients" if key == "fraction" else "positive patients a label"
    charts = []
    for labels in dict.fromkeys(row.labels for row in rows):
        series = [
            Series(
                name,
                k,
                _points([row for row in rows if (row.name, row.labels) == (name, labels)], key, steps),
            )
            for k, name in enumerate(names)
        ]
        if ticks:
            charts.append(line_chart(labels, series, ticks, axis, x=x, y="macro AUROC"))
    full = [
        row
        for row in results.rows
        if row.name == "model" and row.classes and row.setting.get("fraction") == 1.0
    ]
    return joined(
        (
            legend([(name, k) for k, name in enumerate(names)]),
            tag("div", {"class": "charts"}, *charts),
            forest(rows, "Probe"),
            class_details(full),
        )
    )


def _steps(rows: Sequence[Row], key: str) -> list[float]:
    return sorted({step for row in rows if (step := setting_number(row, key)) is not None})


def _points(rows: Sequence[Row], key: str, steps: Sequence[float]) -> list[Point]:
    """Points in order of the setting; one that is no number stands in the table only."""
    found = [(step, row) for row in rows if (step := setting_number(row, key)) is not None]
    found.sort(key=lambda each: each[0])
    return [Point(float(steps.index(step)), row.figure, row.low, row.high) for step, row in found]


_UNITS = {"lead-off": "leads off", "swapped arms": "arms swapped"}


def robustness_section(results: Results, rows: Sequence[Row]) -> Markup:
    """A chart a disturbance, a curve a label set."""
    axis = rows_axis(rows)
    sets = list(dict.fromkeys(row.labels for row in rows))
    charts = []
    for kind in dict.fromkeys(str(row.setting.get("disturbance")) for row in rows):
        if kind == "none":
            continue
        held = [row for row in rows if row.setting.get("disturbance") in (kind, "none")]
        steps = _steps(held, "severity")
        series = [
            Series(labels, k, _points([row for row in held if row.labels == labels], "severity", steps))
            for k, labels in enumerate(sets)
        ]
        ticks = [(float(k), f"{step:g}") for k, step in enumerate(steps)]
        if ticks:
            unit = _UNITS.get(kind, "severity, mV")
            charts.append(line_chart(kind, series, ticks, axis, x=unit, y="macro AUROC"))
    return joined(
        (
            legend([(labels, k) for k, labels in enumerate(sets)]),
            tag("div", {"class": "charts"}, *charts),
            tag(
                "details",
                None,
                tag("summary", None, f"All {len(rows)} figures"),
                forest(rows, "Robustness"),
            ),
        )
    )
