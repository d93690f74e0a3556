"""The clinical 12-lead sheet: 25 mm/s, 10 mm/mV, calibration pulse, 3x4 and a rhythm strip on ECG paper."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from ecgclip.errors import DataError, UsageError
from ecgclip.records import LEADS, ECGRecord, twelve_leads

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

Array = np.ndarray[Any, Any]

MM_PER_S, MM_PER_MV = 25.0, 10.0
COLUMNS = (("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6"))
ROW_MM, PULSE_MM, MARGIN_MM, TITLE_MM = 26.0, 8.0, 3.0, 9.0
PAPER, FINE, COARSE, INK = "#fffaf8", "#f6d8d3", "#eab0a8", "#141414"


@dataclass(frozen=True)
class Sheet:
    """Where things lie on a drawn sheet, so that other pictures can be laid over it.

    Args:
        figure: the matplotlib figure.
        axes: its single axes, in mm, y upwards.
        seconds: recording shown on the rhythm strip.
        start: second of the recording at which the sheet begins.
    """

    figure: Figure
    axes: Axes
    seconds: float
    start: float

    @property
    def grid(self) -> Rectangle:
        """The squared part of the paper, as a clip path."""
        from matplotlib.patches import Rectangle

        height = 4 * ROW_MM + 2 * MARGIN_MM
        return Rectangle((0.0, 0.0), self.axes.get_xlim()[1], height, transform=self.axes.transData)

    @property
    def column_s(self) -> float:
        """Seconds of each of the four columns."""
        return self.seconds / 4

    def baseline(self, row: int) -> float:
        """Height of 0 mV of a row in mm; rows 0 to 2 are the leads, 3 the rhythm strip."""
        return MARGIN_MM + ROW_MM * (3 - row) + ROW_MM * 0.45

    def place(self, lead: str) -> tuple[int, int]:
        """(row, column) of a lead on the 3x4 part."""
        for column, leads in enumerate(COLUMNS):
            if lead in leads:
                return leads.index(lead), column
        raise UsageError(f"lead {lead!r} is not on the sheet: expected one of {', '.join(LEADS)}")

    def x(self, seconds: float) -> float:
        """Place of a moment of the recording along the sheet, mm; columns and strip share their time."""
        return MARGIN_MM + PULSE_MM + (seconds - self.start) * MM_PER_S


def ecg_sheet(
    signal: Array | ECGRecord,
    path: str | PathLike[str] | None = None,
    *,
    fs: float | None = None,
    title: str = "",
    subtitle: str = "",
    start: float = 0.0,
    seconds: float = 10.0,
    rhythm_lead: str = "II",
    dpi: int = 100,
) -> Figure:
    """Draw a recording as a clinic prints it.

    Each lead shows its own quarter of the time, as on paper; the strip below shows all of it.

    Args:
        signal: ``(12, time)`` mV in the usual order with ``fs``, or a record.
        path: PNG, PDF or SVG to write as well; by its ending.
        fs: Hz, for an array.
        title: printed above.
        subtitle: printed smaller beside the speed and gain.
        start: second at which to begin.
        seconds: length shown, at most; shorter recordings leave paper empty.
        rhythm_lead: lead of the strip.
        dpi: of a PNG.

    Returns:
        The figure.

    Raises:
        UsageError: if an array comes without ``fs`` or is not twelve leads, or nothing is left to draw.
    """
    sheet = draw_sheet(
        signal, fs=fs, title=title, subtitle=subtitle, start=start, seconds=seconds, rhythm_lead=rhythm_lead
    )
    if path is not None:
        save(sheet.figure, path, dpi=dpi)
    return sheet.figure


def draw_sheet(
    signal: Array | ECGRecord,
    *,
    fs: float | None = None,
    title: str = "",
    subtitle: str = "",
    start: float = 0.0,
    seconds: float = 10.0,
    rhythm_lead: str = "II",
    below: float = 0.0,
) -> Sheet:
    """The same as ``ecg_sheet``, with the places of its parts and ``below`` mm of blank paper at the foot."""
    values, rate, mask = _values(signal, fs)
    begin = round(start * rate)
    values = values[:, begin : begin + round(seconds * rate)]
    if values.shape[1] < 2:
        raise UsageError(f"nothing to draw: the recording has no signal behind second {start:g}")
    if rhythm_lead not in LEADS:
        raise UsageError(f"rhythm lead {rhythm_lead!r} is not one of {', '.join(LEADS)}")
    sheet = _paper(seconds, start, title, subtitle, below)
    for lead in LEADS:
        row, column = sheet.place(lead)
        low = round(column * sheet.column_s * rate)
        high = round((column + 1) * sheet.column_s * rate)
        _trace(
            sheet, values[LEADS.index(lead), low:high], row, low / rate, rate, bool(mask[LEADS.index(lead)])
        )
        _name(sheet, lead, row, column * sheet.column_s)
    _trace(sheet, values[LEADS.index(rhythm_lead)], 3, 0.0, rate, bool(mask[LEADS.index(rhythm_lead)]))
    _name(sheet, rhythm_lead, 3, 0.0)
    return sheet


def save(figure: Figure, path: str | PathLike[str], *, dpi: int = 100) -> None:
    """Write a figure whole or not at all.

    Raises:
        DataError: if the folder cannot be written to, or the ending names no picture format.
    """
    import os
    from pathlib import Path

    target = Path(path)
    ending = target.suffix.lstrip(".").lower()
    if ending not in ("png", "pdf", "svg"):
        raise DataError(f"{target}: expected a name ending in .png, .pdf or .svg")
    temporary = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        figure.savefig(temporary, dpi=dpi, format=ending)
        os.replace(temporary, target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DataError(f"{target}: the picture could not be written ({error.strerror})") from error


def _values(signal: Array | ECGRecord, fs: float | None) -> tuple[Array, float, Array]:
    if isinstance(signal, ECGRecord):
        values, mask = twelve_leads(signal)
        return values, float(signal.fs), mask
    values = np.asarray(signal, dtype=np.float32)
    if fs is None or fs <= 0:
        raise UsageError("an array needs fs=, its sampling rate in Hz")
    if values.ndim != 2 or values.shape[0] != len(LEADS):
        raise UsageError(f"expected (12, time) in mV, got an array of shape {values.shape}")
    return values, float(fs), np.ones(len(LEADS), dtype=bool)


def _paper(seconds: float, start: float, title: str, subtitle: str, below: float) -> Sheet:
    """An empty sheet with its grid, calibration pulses and writing."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    width = seconds * MM_PER_S + PULSE_MM + 2 * MARGIN_MM
    height = 4 * ROW_MM + 2 * MARGIN_MM + TITLE_MM
    figure = Figure(figsize=(width / 25.4, (height + below) / 25.4), facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, width), ylim=(-below, height))
    axes.axis("off")
    top = height - TITLE_MM
    for step, colour, line in ((1.0, FINE, 0.35), (5.0, COARSE, 0.6)):
        across = np.arange(0, width + step / 2, step)
        up = np.arange(0, top + step / 2, step)
        lines = [((x, 0.0), (x, top)) for x in across] + [((0.0, y), (width, y)) for y in up]
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=line, zorder=0))
    sheet = Sheet(figure, axes, seconds, start)
    for row in range(4):
        foot = sheet.baseline(row)
        x = MARGIN_MM + np.array([0.0, 1.5, 1.5, 6.5, 6.5, 8.0])
        y = foot + np.array([0.0, 0.0, MM_PER_MV, MM_PER_MV, 0.0, 0.0])
        axes.plot(x, y, color=INK, linewidth=0.8, solid_joinstyle="miter", zorder=3)
    axes.text(MARGIN_MM, top + 3.2, title, fontsize=10, fontweight="bold", color=INK)
    note = "25 mm/s   10 mm/mV" + (f"   {subtitle}" if subtitle else "")
    axes.text(width - MARGIN_MM, top + 3.2, note, fontsize=7.5, color=INK, ha="right")
    return sheet


def _trace(sheet: Sheet, values: Array, row: int, offset: float, rate: float, present: bool) -> None:
    if not present or values.size == 0:
        return
    centred = values - np.nanmedian(values)
    seconds = sheet.start + offset + np.arange(values.size) / rate
    x = [sheet.x(second) for second in seconds]
    (line,) = sheet.axes.plot(
        x,
        sheet.baseline(row) + np.clip(centred, -1.9, 2.4) * MM_PER_MV,
        color=INK,
        linewidth=0.75,
        solid_joinstyle="round",
        zorder=4,
    )
    line.set_clip_path(sheet.grid)  # a tall QRS ends where the paper does, not in the title


def _name(sheet: Sheet, lead: str, row: int, offset: float) -> None:
    x = sheet.x(sheet.start + offset)
    sheet.axes.text(x + 1.0, sheet.baseline(row) + 11.0, lead, fontsize=8, color=INK, zorder=5)
    if offset > 0:
        foot = sheet.baseline(row)
        sheet.axes.plot([x, x], [foot - 2.5, foot + 2.5], color=INK, linewidth=0.6, zorder=5)
