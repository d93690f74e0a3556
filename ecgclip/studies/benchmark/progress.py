"""What a user is told while a protocol runs: which step of how many, and how long the rest takes."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ecgclip.models import PreparedSource
from ecgclip.signals import Prepared, Preprocessor
from ecgclip.training.journal import duration

__all__ = ["Counted", "Progress"]

_BETWEEN_S = 1.0  # quick steps are not told one by one
_EVERY_S = 5.0


class Progress:
    """Steps of the protocol that runs, told to ``say`` with the time left.

    Args:
        say: takes a line.
        clock: seconds.

    Attributes:
        head: stands before each step.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.say = say
        self.head = ""
        self._clock = clock
        self._total, self._done, self._fresh, self._busy = 0, 0, 0, 0.0
        self._began: float | None = None
        self._said = float("-inf")

    def start(self, total: int) -> None:
        """Begin a protocol of ``total`` steps; ``head`` says which."""
        self._total, self._done, self._fresh, self._busy, self._began = total, 0, 0, 0.0, None

    def begins(self, what: str, there: bool) -> bool:
        """Say that a step begins, and whether it has to be done: it is only counted where an earlier run did it."""
        self._end()
        if there:
            self._done += 1
            return False
        self._began = now = self._clock()
        if self._done and now - self._said < _BETWEEN_S:
            return True
        self._said, left = now, ""
        if self._fresh:
            rest = self._busy / self._fresh * (self._total - self._done)
            left = f", about {duration(rest)} left"
        self.say(f"{self.head} {min(self._done + 1, self._total)} of {self._total}: {what}{left}")
        return True

    def _end(self) -> None:
        if self._began is not None:
            self._busy += self._clock() - self._began
            self._done, self._fresh, self._began = self._done + 1, self._fresh + 1, None

    def counting(self, what: str, total: int) -> Callable[[int], None]:
        """A function that is told how many of ``total`` are done and says so every few seconds."""
        began = last = self._clock()

        def tell(done: int) -> None:
            nonlocal last
            now = self._clock()
            if now - last >= _EVERY_S and done < total:
                last = now
                left = duration((now - began) / max(done, 1) * (total - done))
                self.say(f"  {what}: {done:,} of {total:,}, {left} left")

        return tell


class Counted:
    """Prepared recordings that tell how many of them were read.

    Args:
        source: the recordings.
        tell: takes their number so far.
    """

    def __init__(self, source: PreparedSource, tell: Callable[[int], None]) -> None:
        self._source, self._tell, self._read = source, tell, 0

    @property
    def preprocessor(self) -> Preprocessor:
        """How they were prepared."""
        return self._source.preprocessor

    @property
    def lengths(self) -> Any:
        """Samples of each."""
        return self._source.lengths  # type: ignore[attr-defined]

    def __len__(self) -> int:
        return len(self._source)

    def prepared(self, index: int) -> Prepared:
        """Give one recording."""
        self._count(1)
        return self._source.prepared(index)

    def read(self, rows: npt.NDArray[np.int64]) -> Any:
        """Give several recordings side by side."""
        self._count(len(rows))
        return self._source.read(rows)  # type: ignore[attr-defined]

    def _count(self, more: int) -> None:
        self._tell(self._read)
        self._read += more
