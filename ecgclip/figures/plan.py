"""A plan laid over the 12-lead sheet: where the mass of each phrase went."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from ecgclip.errors import UsageError
from ecgclip.records import ECGRecord

from .paper import COLUMNS, INK, MARGIN_MM, MM_PER_S, ROW_MM, Array, Sheet, draw_sheet, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#1f6fb4", "#c2571a", "#2e8b57", "#8e44ad", "#b8860b", "#c0392b", "#16808f", "#6b6b6b")
LANE_MM = 9.0
FOCUS = 4.0
"""A token with this many times its even share of the mass is marked in full colour."""
FAINT = 0.25
"""Marks weaker than this share of a phrase's largest are left off the sheet; the lanes show them all."""


def plan_sheet(
    signal: Array | ECGRecord,
    plan: Array,
    token_times: Array,
    phrases: Sequence[str],
    path: str | PathLike[str] | None = None,
    *,
    token_span: float = 0.2,
    token_leads: Sequence[str] | None = None,
    fs: float | None = None,
    title: str = "",
    subtitle: str = "",
    start: float = 0.0,
    seconds: float = 10.0,
    dpi: int = 100,
) -> Figure:
    """Draw a recording with a band where each phrase's mass lies, and below it one lane a phrase.

    A lane's bars are the mass of each token over the largest in the plan of that phrase; the number is the
    share of the phrase's mass that its three heaviest tokens hold. Bands are laid on the strip and on the
    quarter in which each lead shows that moment, or on the token's own lead where tokens know one.

    Args:
        signal: ``(12, time)`` mV with ``fs``, or a record.
        plan: ``(n_tokens, n_phrases)``, non-negative.
        token_times: ``(n_tokens,)`` s from the recording's start.
        phrases: one name a column.
        path: PNG, PDF or SVG to write as well.
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
    below = LANE_MM * len(phrases) + MARGIN_MM
    sheet = draw_sheet(
        signal, fs=fs, title=title, subtitle=subtitle, start=start, seconds=seconds, below=below
    )
    for column, phrase in enumerate(phrases):
        colour = COLOURS[column % len(COLOURS)]
        _bands(sheet, mass[:, column], times, token_span, token_leads, colour)
        _lane(sheet, column, phrase, mass[:, column], times, token_span, colour)
    if path is not None:
        save(sheet.figure, path, dpi=dpi)
    return sheet.figure


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


def _bands(
    sheet: Sheet, mass: Array, times: Array, span: float, leads: Sequence[str] | None, colour: str
) -> None:
    top, total = mass.max(initial=0.0), mass.sum()
    for index, (weight, time) in enumerate(zip(mass, times, strict=True)):
        if top <= 0 or weight < FAINT * top or not sheet.start <= time <= sheet.start + sheet.seconds:
            continue
        alpha = 0.38 * min(1.0, float(weight / total) * len(mass) / FOCUS)
        _band(sheet, 3, time, span, colour, alpha)
        if leads is not None:
            row, _ = sheet.place(leads[index])
            _band(sheet, row, time, span, colour, alpha)
            continue
        for row in range(len(COLUMNS[0])):
            _band(sheet, row, time, span, colour, alpha)


def _band(sheet: Sheet, row: int, time: float, span: float, colour: str, alpha: float) -> None:
    from matplotlib.patches import Rectangle

    x = max(sheet.x(time - span / 2), sheet.x(sheet.start))
    width = min(sheet.x(time + span / 2), sheet.x(sheet.start + sheet.seconds)) - x
    corner = (x, sheet.baseline(row) - 0.4 * ROW_MM)
    sheet.axes.add_patch(
        Rectangle(corner, width, 0.9 * ROW_MM, color=colour, alpha=alpha, linewidth=0, zorder=2)
    )


def _lane(
    sheet: Sheet, number: int, phrase: str, mass: Array, times: Array, span: float, colour: str
) -> None:
    foot = -LANE_MM * (number + 1)
    end = sheet.x(sheet.start + sheet.seconds)
    sheet.axes.plot([sheet.x(sheet.start), end], [foot, foot], color=colour, linewidth=0.6)
    top, total = mass.max(initial=0.0), mass.sum()
    if top > 0:
        inside = (times >= sheet.start) & (times <= sheet.start + sheet.seconds)
        at = [sheet.x(time) for time in times[inside]]
        height = mass[inside] / top * (LANE_MM - 4.0)
        width = min(span, 0.12) * MM_PER_S
        sheet.axes.bar(at, height, width=width, bottom=foot, color=colour, alpha=0.8)
    share = float(np.sort(mass)[::-1][:3].sum() / total) if total > 0 else 0.0
    sheet.axes.text(sheet.x(sheet.start), foot + LANE_MM - 3.2, phrase, fontsize=7.5, color=INK)
    note = f"{share:.0%} on its three heaviest tokens"
    sheet.axes.text(end, foot + LANE_MM - 3.2, note, fontsize=6.5, color=INK, ha="right")
