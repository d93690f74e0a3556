"""Figures with their intervals, a row each, on a common axis; and the labels behind a figure."""

from collections.abc import Sequence

from ecgclip.studies.benchmark.results import ClassRow, LeftOut, Row

from .markup import Child, Markup, joined, tag
from .numbers import NONE, Axis, count, decimal, interval, nice_axis
from .tables import Cell, Column, Mark, axis_head, interval_cell, number_cell, table

__all__ = [
    "chips",
    "class_details",
    "forest",
    "left_out_list",
    "main_rows",
    "row_name",
    "rows_axis",
    "setting_number",
    "setting_text",
]

_UNSAID = ("corpus", "draw")


def setting_text(row: Row) -> str:
    """What is particular to a row, in words."""
    return ", ".join(_setting(key, value) for key, value in row.setting.items() if key not in _UNSAID)


def _setting(key: str, value: str | int | float | bool) -> str:
    if key == "fraction" and isinstance(value, (int, float)):
        return f"{100 * value:g} % of training patients"
    if key == "shots":
        return f"{value} {'patient' if value == 1 else 'patients'} a label"
    if key in ("by", "direction", "probabilities"):
        return str(value)
    return f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"


def setting_number(row: Row, key: str) -> float | None:
    """A setting that is a number, None where it is absent or is none."""
    value = row.setting.get(key)
    return float(value) if isinstance(value, (int, float)) else None


def row_name(row: Row) -> str:
    """Whose figure on which labels."""
    return row.labels or row.name


def chips(marks: Sequence[str]) -> Markup | None:
    """Marks of a row."""
    return joined(tag("span", {"class": "chip"}, mark) for mark in marks) if marks else None


def rows_axis(rows: Sequence[Row]) -> Axis:
    """An axis that holds the figures and intervals of some rows."""
    return nice_axis([end for row in rows for end in (row.figure, row.low, row.high)])


def main_rows(rows: Sequence[Row]) -> list[Row]:
    """Figures over draws, not each draw's."""
    return [row for row in rows if "draw" not in row.setting]


def forest(rows: Sequence[Row], caption: str) -> Markup:
    """A table a metric: rows of different metrics do not share an axis."""
    metrics = list(dict.fromkeys(row.metric for row in rows))
    return joined(
        _forest([row for row in rows if row.metric == metric], metric, caption) for metric in metrics
    )


def _forest(rows: Sequence[Row], metric: str, caption: str) -> Markup:
    axis = rows_axis(rows)
    settings = any(setting_text(row) for row in rows)
    populations = any(row.population != "all" for row in rows)
    names = len({row.name for row in rows}) > 1
    marks = any(_marks(row) for row in rows)
    spread = any(row.more.get("lowest") != row.more.get("highest") for row in rows)
    more = [
        key for key in ("auprc", "sensitivity", "brier") if any(row.more.get(key) is not None for row in rows)
    ]
    titles = {"auprc": "AUPRC", "sensitivity": "sensitivity", "brier": "Brier score"}
    columns = [
        Column("label set", "text"),
        *([Column("encoder", "text")] if names else []),
        *([Column("setting", "text")] if settings else []),
        *([Column("records", "text")] if populations else []),
        Column(metric),
        Column(axis_head(axis, "95 % interval"), "plot"),
        Column("from–to"),
        *([Column("draws from–to")] if spread else []),
        *(Column(titles[key]) for key in more),
        Column("n"),
        Column("labels"),
        *([Column("marks", "marks")] if marks else []),
    ]
    lines: list[list[Cell | Child]] = []
    for row in rows:
        lowest, highest = row.more.get("lowest"), row.more.get("highest")
        lines.append(
            [
                row.labels or row.name,
                *([row.name] if names else []),
                *([setting_text(row)] if settings else []),
                *([row.population] if populations else []),
                number_cell(decimal(row.figure), row.figure),
                interval_cell(axis, [Mark(row.figure, row.low, row.high)]),
                number_cell(interval(row.low, row.high), row.low),
                *([number_cell(interval(lowest, highest), lowest)] if spread else []),
                *(number_cell(decimal(row.more.get(key)), row.more.get(key)) for key in more),
                number_cell(count(row.n), row.n),
                number_cell(str(row.n_labels or NONE), row.n_labels),
                *([Cell(chips(_marks(row)))] if marks else []),
            ]
        )
    return table(columns, lines, f"{caption}: {metric}")


def _marks(row: Row) -> list[str]:
    """Marks that no other column says."""
    return [mark for mark in row.marks if mark not in (row.population, row.name)]


def class_details(rows: Sequence[Row]) -> Markup:
    """The labels of each row that tells them, folded but for the first."""
    parts: list[Markup] = []
    for row in (row for row in rows if row.classes):
        attributes = {"open": ""} if not parts else {}
        said = ", ".join(
            part
            for part in (row_name(row), "" if row.name == "model" else row.name, setting_text(row))
            if part
        )
        scored = [each for each in row.classes if each.scored]
        summary = tag(
            "summary",
            None,
            tag("b", None, said),
            f" {len(scored)} labels scored, {len(row.classes) - len(scored)} left out",
        )
        shown = [_classes(scored, f"{said}: labels")] if scored else []
        absent = [
            LeftOut(what=_class_name(each), why=each.reason or "not scored")
            for each in row.classes
            if not each.scored
        ]
        parts.append(tag("details", attributes, summary, *shown, left_out_list(absent, "Labels left out")))
    return joined(parts)


def _label(each: ClassRow) -> Markup:
    """A code with its name."""
    name = None if each.name == each.code else tag("span", {"class": "quiet"}, each.name)
    return joined((each.code, " ", name))


def _class_name(each: ClassRow) -> str:
    return each.code if each.name == each.code else f"{each.code} ({each.name})"


def _classes(classes: Sequence[ClassRow], caption: str) -> Markup:
    axis = nice_axis([end for each in classes for end in (each.auroc, each.low, each.high)])
    columns = [
        Column("label", "text"),
        Column("positives"),
        Column("AUROC"),
        Column(axis_head(axis, "95 % interval"), "plot"),
        Column("from–to"),
        Column("AUPRC"),
        Column("sensitivity"),
        Column("n"),
        Column("skipped draws"),
    ]
    lines: list[list[Cell | Child]] = [
        [
            _label(each),
            number_cell(count(each.positives), each.positives),
            number_cell(decimal(each.auroc), each.auroc),
            interval_cell(axis, [Mark(each.auroc, each.low, each.high)]),
            number_cell(interval(each.low, each.high), each.low),
            number_cell(decimal(each.auprc), each.auprc),
            number_cell(decimal(each.sensitivity), each.sensitivity),
            number_cell(count(each.n), each.n),
            number_cell(count(each.skipped_draws), each.skipped_draws),
        ]
        for each in classes
    ]
    return table(columns, lines, caption)


def left_out_list(left_out: Sequence[LeftOut], title: str) -> Markup | None:
    """What is not here, and why; the same reason is said once."""
    if not left_out:
        return None
    reasons: dict[str, list[str]] = {}
    for each in left_out:
        whats = reasons.setdefault(each.why, [])
        if each.what not in whats:
            whats.append(each.what)
    items = [tag("li", None, tag("b", None, "; ".join(whats)), f": {why}") for why, whats in reasons.items()]
    return tag("div", {"class": "left-out"}, tag("h4", None, title), tag("ul", None, *items))
