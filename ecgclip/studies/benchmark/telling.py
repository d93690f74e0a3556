"""A results file as text for a terminal."""

from .results import Results, Row, Unread

__all__ = ["table_text", "unread_text"]


def table_text(results: Results) -> str:
    """The rows that a reader looks for first: figures over draws, not each draw's, and what is left out."""
    head = (
        f"{results.protocol}: {results.model.name} on {results.corpus.title}, {results.split}, "
        f"{results.draws} draws, seed {results.seed}"
    )
    rows = [row for row in results.rows if "draw" not in row.setting]
    lines = [head]
    if rows:
        names = [_name(row) for row in rows]
        width = max(map(len, names))
        lines.append(f"{'':{width}}  {'figure':>6}  {'95 % interval':>13}  {'n':>6}  labels")
        lines += [f"{name:{width}}  {_figures(row, results)}" for name, row in zip(names, rows, strict=True)]
    metrics = sorted({row.metric for row in rows})
    if metrics:
        lines.append(f"Figures: {', '.join(metrics)}.")
    lines += [f"left out: {out.what}: {out.why}" for out in results.left_out]
    return "\n".join(lines)


def unread_text(unread: Unread) -> str:
    """How many recordings of a corpus no figure rests on, and why."""
    absent = "" if unread.absent is None else f", {unread.absent:,} absent from the disk"
    total = unread.rejected + (unread.absent or 0)
    are = "recording" if total == 1 else "recordings"
    return (
        f"{unread.corpus}: {total:,} {are} not measured ({unread.rejected:,} could not be prepared{absent})"
    )


def _name(row: Row) -> str:
    setting = ", ".join(f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.setting.items())
    parts = [row.labels, "" if row.name == "model" else row.name, setting]
    return "  ".join(part for part in [*parts, "" if row.population == "all" else row.population] if part)


def _figures(row: Row, results: Results) -> str:
    if row.figure is None and row.classes:
        return f"{'-':>6}  no label has {results.minimum} positives and {results.minimum} negatives"
    interval = f"{_number(row.low)}-{_number(row.high)}".rjust(13)
    text = f"{_number(row.figure):>6}  {interval}  {row.n:>6}  {row.n_labels or '':>6}"
    lowest, highest = row.more.get("lowest"), row.more.get("highest")
    if lowest is not None and highest is not None and highest > lowest:
        text += f"  draws {lowest:.3f}-{highest:.3f}"
    return text.rstrip()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
