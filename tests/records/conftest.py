"""Small recordings that the tests write themselves, sound unless told otherwise."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
Writer = Callable[..., Path]


@pytest.fixture
def digital() -> np.ndarray:
    """Twelve leads of 200 samples ``(12, 200)``, in steps of the converter."""
    return np.random.default_rng(0).integers(-2000, 2000, size=(12, 200)).astype("<i2")


@pytest.fixture
def write_wfdb(tmp_path: Path, digital: np.ndarray) -> Writer:
    """Write a sound 12-lead record at 100 Hz, gain 1000/mV, with whatever the test changes."""

    def write(
        *,
        first: str = "rec 12 100 200",
        scale: str = "1000(0)/mV",
        names: tuple[str, ...] = LEADS,
        lines: dict[int, str] | None = None,
        samples: np.ndarray = digital,
        data: bytes | None = None,
        comments: str = "",
    ) -> Path:
        changed = lines or {}
        signals = [
            changed.get(row, f"rec.dat 16 {scale} 16 0 0 0 0 {name}") for row, name in enumerate(names)
        ]
        (tmp_path / "rec.hea").write_text("\n".join([first, *signals]) + "\n" + comments, encoding="utf-8")
        (tmp_path / "rec.dat").write_bytes(samples.T.tobytes() if data is None else data)
        return tmp_path / "rec.hea"

    return write
