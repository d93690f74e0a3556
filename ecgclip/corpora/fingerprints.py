"""The same recording in two corpora: a fingerprint that survives another rate, gain or format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from ecgclip.errors import DataError, UsageError

if TYPE_CHECKING:
    from ecgclip.signals import Prepared

RATE_HZ = 25.0
SECONDS = 8.0
N_TIMES = round(RATE_HZ * SECONDS)
SIZE = 2 * N_TIMES
SAME = 0.97
"""Two fingerprints that correlate at least this much are one recording.

Measured on PTB-XL and the 2021 Challenge: 67 recordings that exist at 100 and 500 Hz or in both corpora, also
under another pass band and rate of the preprocessor, correlate at 0.993 to 1.000; of the 6.8 million pairs of
different recordings, the most alike at 0.874.
"""

Fingerprints = npt.NDArray[np.int8]


class HasFingerprints(Protocol):
    """Whatever was prepared: a `Store`."""

    @property
    def fingerprints(self) -> Fingerprints:
        """``(n, SIZE)`` int8."""
        ...


@dataclass(frozen=True)
class Shared:
    """One recording that is in both of two corpora: its positions, and how alike the two are."""

    first: int
    second: int
    correlation: float


def fingerprint(prepared: Prepared) -> Fingerprints:
    """The first 8 s of leads I and II at 25 Hz, as differences between samples: ``(400,)`` int8.

    Leads I and II are in every reduced lead set. The difference takes out baseline wander, on which
    filters disagree most; the scale is left out, so gain does not matter. A missing lead is zeros, as is what
    a shorter recording lacks.
    """
    from scipy.signal import resample_poly

    fs = prepared.fs
    ratio = Fraction(RATE_HZ / fs).limit_denominator(1000)
    head = prepared.signal[:2, : round(SECONDS * fs) + 1]
    slow = resample_poly(head, ratio.numerator, ratio.denominator, axis=-1, padtype="line")
    steps = np.zeros((2, N_TIMES), dtype=np.float64)
    found = np.diff(slow, axis=-1)[:, :N_TIMES]
    steps[:, : found.shape[1]] = found
    largest = np.abs(steps).max()
    if not largest > 0:
        return np.zeros(SIZE, dtype=np.int8)
    found_steps: Fingerprints = np.rint(steps.ravel() * (127.0 / largest)).astype(np.int8)
    return found_steps


def shared_recordings(
    first: HasFingerprints | Fingerprints,
    second: HasFingerprints | Fingerprints,
    *,
    threshold: float = SAME,
) -> list[Shared]:
    """Recordings of ``second`` that are also in ``first``, whatever their names.

    The rule: both start at the same sample, and their fingerprints correlate at least ``threshold``.

    Args:
        first: a store, or fingerprints ``(n, SIZE)`` int8 that were kept of one (a run keeps those of the
            recordings it was trained on).
        second: the same of what is to be tested.
        threshold: correlation from which two recordings are one.

    Raises:
        UsageError: if the fingerprints are not of this version's size.
    """
    left, right = _unit(first), _unit(second)
    shared: list[Shared] = []
    step = max(1, 20_000_000 // max(1, len(right)))
    for start in range(0, len(left), step):
        alike = left[start : start + step] @ right.T
        for row, column in np.argwhere(alike >= threshold):
            shared.append(Shared(start + int(row), int(column), float(alike[row, column])))
    return shared


def refuse_seen(seen: HasFingerprints | Fingerprints, tested: HasFingerprints, names: Sequence[str]) -> None:
    """Refuse to test on recordings that a training stage saw.

    Args:
        seen: fingerprints of what the stage saw.
        tested: the store that is to be tested.
        names: record ids of ``tested``, in its order, for the message.

    Raises:
        DataError: naming the first such recording and how many there are.
    """
    positions = sorted({pair.second for pair in shared_recordings(seen, tested)})
    if positions:
        raise DataError(
            f"{len(positions)} of {len(names)} recordings to be tested were seen in training (for example "
            f"{names[positions[0]]}); leave them out of the test, or train without them"
        )


def _unit(source: HasFingerprints | Fingerprints) -> npt.NDArray[np.float32]:
    values: npt.NDArray[Any] = source if isinstance(source, np.ndarray) else source.fingerprints
    if values.ndim != 2 or values.shape[1] != SIZE:
        raise UsageError(f"fingerprints of shape {values.shape}: expected (n, {SIZE}); compute them again")
    floats = values.astype(np.float32)
    length = np.linalg.norm(floats, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = floats / np.where(length > 0, length, np.float32(1.0))
    return unit
