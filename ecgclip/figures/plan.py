"""A plan laid over the 12-lead sheet: where the mass of each phrase went."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from ecgclip.errors import UsageError
from ecgclip.records import ECGRecord

from .paper import COLUMNS, INK, MARGIN_MM, PULSE_MM, ROW_MM, Array, Sheet, draw_sheet, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#d1495b", "#2a6f97", "#3a8f5c", "#b5651d", "#7b4fa3", "#00818a", "#8a7a1f", "#5c677d")
LANE_MM, TEXT_MM, AXIS_MM = 10.5, 3.6, 7.0
GUIDE, QUIET = "#d9d2ce", "#6f6964"
WIDEST_S = 0.6
"""A band is no wider than this, and ends half way to the next token."""
FROM, FOCUS = 2.0, 4.0
"""A token is tinted from this many times its even share of a phrase's mass on, and in full from that many."""
FAINT, FULL = 0.12, 0.40
"""Opacity at the two."""


def plan_sheet(
    signal: Array | ECGRecord,
    plan: Array,
    token_times: Array,
    phrases: Sequence[str],
    path: str | PathLike[str] | None = None,
    *,
    notes: Sequence[str] | None = None,
    token_span: float = 0.2,
    token_leads: Sequence[str] | None = None,
    fs: float | None = None,
    title: str = "",
    subtitle: str = "",
    start: float = 0.0,
    seconds: float = 10.0,
    dpi: int = 100,
) -> Figure:
    """Draw a recording, tinted where the phrases' mass lies, and below it one lane a phrase.

    A lane's bars are the mass of each token over the largest in that phrase's column. A moment is tinted in
    the colour of the phrase that has most mass there, the more the further that mass is above an even share
    of the phrase's; on the strip and in the quarter in which each lead shows that moment, or on the token's
    own lead where tokens know one. What is spread over the recording tints nothing; its lane shows it.

    Args:
        signal: ``(12, time)`` mV with ``fs``, or a record.
        plan: ``(n_tokens, n_phrases)``, non-negative.
        token_times: ``(n_tokens,)`` s from the recording's start.
        phrases: one name a column.
        path: PNG, PDF or SVG to write as well.
        notes: what stands at the right end of each lane; by default where half of the mass lies.
        token_span: width of a band, s.
        token_leads: lead of each token, or None.
        fs: Hz, for an array.
        title: printed above.
        subtitle: printed beside speed and gain.
        start: second at which the sheet begins.
        seconds: length shown.
        dpi: of a PNG.

    Raises:
        UsageError: if the shapes do not fit one another.
    """
    mass, times = _checked(plan, token_times, phrases, token_leads)
    if notes is not None and len(notes) != len(phrases):
        raise UsageError(f"{len(notes)} notes for {len(phrases)} phrases")
    below = LANE_MM * len(phrases) + AXIS_MM
    sheet = draw_sheet(
        signal, fs=fs, title=title, subtitle=subtitle, start=start, seconds=seconds, below=below
    )
    edges = _edges(times, token_span)
    _tints(sheet, mass, times, edges, token_leads)
    _guides(sheet, times, below)
    moments, first = np.unique(times, return_index=True)
    by_moment = _by_moment(mass, times)
    for column, phrase in enumerate(phrases):
        note = notes[column] if notes is not None else _where(by_moment[:, column], moments)
        _lane(sheet, column, (phrase, note), by_moment[:, column], moments, edges[first])
    if path is not None:
        save(sheet.figure, path, dpi=dpi)
    return sheet.figure


def colour_of(column: int) -> str:
    """Colour of a phrase by its place."""
    return COLOURS[column % len(COLOURS)]


def _checked(
    plan: Array, token_times: Array, phrases: Sequence[str], token_leads: Sequence[str] | None
) -> tuple[Array, Array]:
    mass, times = np.asarray(plan, dtype=float), np.asarray(token_times, dtype=float)
    if mass.shape != (len(times), len(phrases)) or not len(phrases):
        raise UsageError(
            f"plan has shape {mass.shape}, expected {len(times)} token times by {len(phrases)} phrases"
        )
    if not np.isfinite(mass).all() or (mass < 0).any():
        raise UsageError("plan must be finite and non-negative")
    if token_leads is not None and len(token_leads) != len(times):
        raise UsageError(f"{len(token_leads)} token leads for {len(times)} tokens")
    return mass, times


def _edges(times: Array, span: float) -> Array:
    """``(n_tokens, 2)`` s: where each token's band begins and ends, so that neighbours do not overlap."""
    half = min(span, WIDEST_S) / 2
    edges = np.stack([times - half, times + half], axis=1)
    moments, place = np.unique(times, return_inverse=True)
    middle = (moments[1:] + moments[:-1]) / 2
    edges[:, 0] = np.maximum(edges[:, 0], np.concatenate([[-np.inf], middle])[place.reshape(-1)])
    edges[:, 1] = np.minimum(edges[:, 1], np.concatenate([middle, [np.inf]])[place.reshape(-1)])
    return edges


def _tints(sheet: Sheet, mass: Array, times: Array, edges: Array, leads: Sequence[str] | None) -> None:
    """Tint strip and leads; a token of one lead only where that lead is on paper, the strip by their sum."""
    if leads is None:
        _tint(sheet, mass, times, edges, [(3, *range(len(COLUMNS[0])))] * len(times))
        return
    on_paper: list[tuple[int, ...]] = []
    for lead, time in zip(leads, times, strict=True):
        row, column = sheet.place(lead)
        here = column * sheet.column_s <= time - sheet.start < (column + 1) * sheet.column_s
        on_paper.append((row,) if here else ())
    _tint(sheet, mass, times, edges, on_paper)
    moments, first = np.unique(times, return_index=True)
    _tint(sheet, _by_moment(mass, times), moments, edges[first], [(3,)] * len(moments))


def _by_moment(mass: Array, times: Array) -> Array:
    """``(n_moments, n_phrases)``: the mass of all tokens of one moment, in order of time."""
    moments, place = np.unique(times, return_inverse=True)
    total = np.zeros((len(moments), mass.shape[1]))
    np.add.at(total, place.reshape(-1), mass)
    return total


def _tint(sheet: Sheet, mass: Array, times: Array, edges: Array, rows_of: Sequence[tuple[int, ...]]) -> None:
    """Tint each token in some rows by the phrase that has most mass there."""
    total = mass.sum(axis=0)
    focus = mass / np.where(total > 0, total, 1.0) * len(mass)
    for token, time in enumerate(times):
        column = int(mass[token].argmax())
        if not sheet.start <= time <= sheet.start + sheet.seconds or focus[token, column] < FROM:
            continue
        share = min(1.0, (focus[token, column] - FROM) / (FOCUS - FROM))
        for row in rows_of[token]:
            _band(sheet, row, edges[token], colour_of(column), FAINT + (FULL - FAINT) * share)


def _band(sheet: Sheet, row: int, edges: Array, colour: str, alpha: float) -> None:
    from matplotlib.patches import Rectangle

    x = max(sheet.x(edges[0]), sheet.x(sheet.start))
    width = min(sheet.x(edges[1]), sheet.x(sheet.start + sheet.seconds)) - x
    corner = (x, sheet.baseline(row) - 0.42 * ROW_MM)
    sheet.axes.add_patch(
        Rectangle(corner, width, 0.94 * ROW_MM, color=colour, alpha=alpha, linewidth=0, zorder=2)
    )


def _guides(sheet: Sheet, times: Array, below: float) -> None:
    """Thin lines that carry each moment down through the lanes, and the seconds at the foot."""
    foot = -below + AXIS_MM
    for time in np.unique(times):
        if sheet.start <= time <= sheet.start + sheet.seconds and len(np.unique(times)) < 40:
            sheet.axes.plot([sheet.x(time)] * 2, [foot, 0.0], color=GUIDE, linewidth=0.5, zorder=1)
    for second in range(int(np.ceil(sheet.start)), int(sheet.start + sheet.seconds) + 1):
        x = sheet.x(second)
        sheet.axes.plot([x, x], [foot - 1.0, foot], color=QUIET, linewidth=0.6)
        unit = " s" if second == int(sheet.start + sheet.seconds) else ""
        sheet.axes.text(x, foot - 4.2, f"{second}{unit}", fontsize=6.5, color=QUIET, ha="center")


def _lane(sheet: Sheet, number: int, words: tuple[str, str], mass: Array, times: Array, edges: Array) -> None:
    """One phrase: its name in its colour, a bar a token, and a note at the right."""
    from matplotlib.patches import Rectangle

    colour = colour_of(number)
    foot = -LANE_MM * (number + 1)
    begin, end = sheet.x(sheet.start), sheet.x(sheet.start + sheet.seconds)
    sheet.axes.plot([begin, end], [foot, foot], color=colour, linewidth=0.8, zorder=3)
    square = Rectangle((MARGIN_MM + PULSE_MM - 5.0, foot), 3.0, LANE_MM - TEXT_MM, color=colour, linewidth=0)
    sheet.axes.add_patch(square)
    top = mass.max(initial=0.0)
    for weight, time, (low, high) in zip(mass, times, edges, strict=True):
        if top <= 0 or not sheet.start <= time <= sheet.start + sheet.seconds:
            continue
        width = min(0.16, 0.8 * float(high - low))
        corner = (sheet.x(time - width / 2), foot)
        size = (sheet.x(time + width / 2) - corner[0], weight / top * (LANE_MM - TEXT_MM - 0.8))
        sheet.axes.add_patch(Rectangle(corner, *size, color=colour, linewidth=0, alpha=0.9, zorder=3))
    style = {"boxstyle": "square,pad=0.12", "facecolor": sheet.figure.get_facecolor(), "edgecolor": "none"}
    height = foot + LANE_MM - TEXT_MM + 0.5
    sheet.axes.text(
        begin + 0.5, height, words[0], fontsize=8, fontweight="bold", color=colour, bbox=style, zorder=4
    )
    sheet.axes.text(end, height, words[1], fontsize=7, color=INK, ha="right", bbox=style, zorder=4)


def _where(mass: Array, times: Array) -> str:
    """The fewest tokens that hold half of a phrase's mass, in words."""
    total = float(mass.sum())
    if total <= 0:
        return "no mass"
    order = np.argsort(-mass)
    count = int(np.searchsorted(np.cumsum(mass[order]) / total, 0.5)) + 1
    if count > 3:
        return f"spread: half of it over {count} of {len(mass)} moments"
    share = float(mass[order[:count]].sum()) / total
    return f"{share:.0%} at " + ", ".join(f"{second:.1f} s" for second in np.sort(times[order[:count]]))
