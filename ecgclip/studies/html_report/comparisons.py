"""Tables that set figures side by side: masks against flat lines, recall at several depths."""

from collections.abc import Sequence

from ecgclip.studies.benchmark.results import Results, Row

from .charts import legend
from .forest import chips, rows_axis
from .markup import Child, Markup, joined
from .numbers import NONE, count, decimal, interval, signed
from .tables import Cell, Column, Mark, axis_head, interval_cell, number_cell, table

__all__ = ["leads_section", "retrieval_section"]


def leads_section(results: Results, rows: Sequence[Row]) -> Markup:
    """Mask against zero-filling, a row a label set and lead set."""
    axis = rows_axis(rows)
    pairs: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        pairs.setdefault((row.labels, str(row.setting.get("leads", ""))), {})[
            str(row.setting.get("fill", ""))
        ] = row
    ordered = sorted(
        pairs,
        key=lambda pair: (pair[0] != "ptbxl-mean", list(dict.fromkeys(p[0] for p in pairs)).index(pair[0])),
    )
    lines: list[list[Cell | Child]] = []
    for labels, names in ordered:
        mask, zero = pairs[labels, names].get("mask"), pairs[labels, names].get("zero")
        both = (
            mask.figure - zero.figure
            if mask and zero and mask.figure is not None and zero.figure is not None
            else None
        )
        marks = [
            Mark(row.figure, row.low, row.high, k) for k, row in enumerate((mask, zero)) if row is not None
        ]
        lines.append(
            [
                names,
                labels,
                _figure(mask),
                _ends(mask),
                interval_cell(axis, marks),
                _figure(zero),
                _ends(zero),
                number_cell(signed(both), both),
            ]
        )
    columns = [
        Column("leads", "text"),
        Column("label set", "text"),
        Column("mask"),
        Column("from–to"),
        Column(axis_head(axis, "95 % intervals"), "plot"),
        Column("zero-filling"),
        Column("from–to"),
        Column("mask − zero"),
    ]
    return joined(
        (
            legend([("mask", 0), ("zero-filling", 1)]),
            table(columns, lines, "Fewer leads: macro AUROC, mask against zero-filling"),
        )
    )


def _figure(row: Row | None) -> Cell:
    value = row.figure if row is not None else None
    return number_cell(decimal(value), value)


def _ends(row: Row | None) -> Cell:
    return number_cell(interval(row.low, row.high), row.low) if row is not None else number_cell(NONE, None)


def retrieval_section(results: Results, rows: Sequence[Row]) -> Markup:
    """Recall at 1, 5 and 10 and the median rank, a row a direction."""
    axis, marked = rows_axis(rows), any(row.marks for row in rows)
    columns = [
        Column("direction", "text"),
        *(Column(f"recall@{k}") for k in (1, 5, 10)),
        Column(axis_head(axis, "recall@10, 95 %"), "plot"),
        Column("from–to"),
        Column("median rank"),
        Column("records"),
        Column("distinct texts"),
        *([Column("marks", "marks")] if marked else []),
    ]
    lines: list[list[Cell | Child]] = []
    for row in rows:
        recalls = [row.more.get(f"recall@{k}") for k in (1, 5, 10)]
        rank, texts = row.more.get("median_rank"), row.more.get("distinct_texts")
        lines.append(
            [
                str(row.setting.get("direction", row.key)),
                *(number_cell(decimal(value), value) for value in recalls),
                interval_cell(axis, [Mark(row.figure, row.low, row.high)]),
                number_cell(interval(row.low, row.high), row.low),
                number_cell(decimal(rank, 1), rank),
                number_cell(count(row.n), row.n),
                number_cell(decimal(texts, 0), texts),
                *([Cell(chips(row.marks))] if marked else []),
            ]
        )
    return table(columns, lines, "Retrieval")
