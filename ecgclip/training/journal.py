"""What a run tells: metrics.jsonl (the truth), TensorBoard, and one line of progress."""

import json
import math
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from ecgclip.corpora.writing import whole_file

__all__ = ["Journal", "duration"]


def duration(seconds: float | None) -> str:
    """Seconds as people read them: ``48 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds is None or not math.isfinite(seconds):
        return "?"
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    if whole < 5400:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Journal:
    """Writes the run's figures; only the first process has one that does.

    Args:
        path: the run folder.
        step: where the run goes on; later lines of a broken-off run are dropped.
        active: whether this process writes.
        stream: where progress goes.
    """

    def __init__(self, path: Path, *, step: int, active: bool, stream: TextIO | None = None) -> None:
        self.active = active
        self.stream = stream or sys.stderr
        self._file: TextIO | None = None
        self._board: Any = None
        self._last = 0.0
        if not active:
            return
        lines = path / "metrics.jsonl"
        kept = [line for line in _lines(lines) if json.loads(line).get("step", 0) <= step] if step else []
        with whole_file(lines) as temporary:
            temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        self._file = lines.open("a", encoding="utf-8")
        self._board_folder, self._board_step = path / "tensorboard", step

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Write figures of a step."""
        if self._file is None:
            return
        plain = {k: round(float(v), 6) for k, v in values.items()}
        self._file.write(json.dumps({"step": step, **plain}) + "\n")
        self._file.flush()
        if self._board is None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self._board_folder), purge_step=self._board_step)
        for key, value in plain.items():
            self._board.add_scalar(key, value, step)

    def say(self, text: str) -> None:
        """Say a whole line."""
        if self.active:
            self._clear()
            self.stream.write(text + "\n")
            self.stream.flush()

    def progress(self, text: str, *, every: float = 10.0) -> None:
        """Show progress: in place on a terminal, a line every few seconds elsewhere."""
        if not self.active:
            return
        terminal = self.stream.isatty() and os.environ.get("ECGCLIP_PLAIN") != "1"
        now = time.monotonic()
        if now - self._last < (0.2 if terminal else every):
            return
        self._last = now
        self.stream.write(f"\r\x1b[2K{text}" if terminal else text + "\n")
        self.stream.flush()

    def close(self) -> None:
        """Close the files."""
        if self._file is not None:
            self._file.close()
        if self._board is not None:
            self._board.close()
        self._clear()

    def _clear(self) -> None:
        if self.active and self.stream.isatty():
            self.stream.write("\r\x1b[2K")
            self.stream.flush()


def _lines(path: Path) -> list[str]:
    """Whole lines of a file; a last line that a kill cut short is left out."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    return text.split("\n")[:-1]
