"""The same recordings seen otherwise: fewer leads, more noise, wrong electrodes."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ecgclip.errors import unknown_name
from ecgclip.records import LEADS
from ecgclip.signals import Prepared, Preprocessor, r_peaks
from ecgclip.signals.dipole import ELECTRODES_TO_LEADS
from ecgclip.signals.disturb import disturbances
from ecgclip.signals.keys import augmentation_keys, uniforms
from ecgclip.signals.preprocess import resample

__all__ = ["DISTURBANCES", "LEAD_SETS", "SeenThrough", "View"]

LEAD_SETS: dict[str, tuple[str, ...]] = {
    "I": ("I",),
    "I, II": ("I", "II"),
    "six limb leads": ("I", "II", "III", "aVR", "aVL", "aVF"),
    "I, II, V1-V6": ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"),
    "twelve": LEADS,
}

_RAW_HZ = 500.0
_LEAD_OFF = 40  # stream of a record's key


@dataclass(frozen=True)
class View:
    """What is changed before the model sees a recording.

    Attributes:
        leads: of `LEAD_SETS`; the others are taken away.
        fill: ``mask`` says that they are missing, ``zero`` hands them over as a flat line.
        disturbance: of `DISTURBANCES`, or empty.
        severity: mV for noise, a count for leads off, 1 for swapped arms.
        seed: of what is drawn for a record.
    """

    leads: str = "twelve"
    fill: str = "mask"
    disturbance: str = ""
    severity: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.leads not in LEAD_SETS:
            raise unknown_name("lead set", self.leads, LEAD_SETS)
        if self.fill not in ("mask", "zero"):
            raise unknown_name("fill", self.fill, ("mask", "zero"))
        if self.disturbance and self.disturbance not in DISTURBANCES:
            raise unknown_name("disturbance", self.disturbance, DISTURBANCES)

    @property
    def facts(self) -> dict[str, Any]:
        """The settings, ready for JSON."""
        return asdict(self)

    @property
    def plain(self) -> bool:
        """Whether nothing is changed."""
        return self.leads == "twelve" and not self.disturbance

    def of(self, prepared: Prepared, index: int, preprocessor: Preprocessor) -> Prepared:
        """Change one recording; R-peaks are found again on what is left.

        Args:
            prepared: the recording.
            index: its row in the store, which keys what is drawn.
            preprocessor: what prepared it: a disturbance enters before it, as it would in a ward.
        """
        if self.plain:
            return prepared
        signal, mask = prepared.signal.copy(), prepared.lead_mask.copy()
        if self.disturbance:
            signal, mask = DISTURBANCES[self.disturbance](signal, mask, self, index, preprocessor)
        mask = mask & np.isin(LEADS, LEAD_SETS[self.leads])
        if not mask.any():  # a recording that lacks the leads asked for keeps one flat line
            mask[LEADS.index(LEAD_SETS[self.leads][0])] = True
        signal[~mask] = 0.0
        beats = r_peaks(signal, mask, prepared.fs)
        told = mask if self.fill == "mask" else prepared.lead_mask
        return Prepared(signal, told, beats, prepared.duration_s)


class SeenThrough:
    """Recordings of a store through a view.

    Args:
        store: the prepared store.
        rows: positions in it.
        view: what is changed.
    """

    def __init__(self, store: Any, rows: npt.NDArray[np.int64], view: View) -> None:
        self.store, self.rows, self.view = store, rows, view
        self.preprocessor: Preprocessor = store.preprocessor

    def __len__(self) -> int:
        return len(self.rows)

    def prepared(self, index: int) -> Prepared:
        """Give one recording."""
        row = int(self.rows[index])
        return self.view.of(self.store.prepared(row), row, self.preprocessor)


Changed = tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]
Change = Callable[[npt.NDArray[np.float32], npt.NDArray[np.bool_], View, int, Preprocessor], Changed]


def _noise(kind: str) -> Change:
    """Noise of one kind at every electrode, its standard deviation over leads and time being the severity.

    It is made at 500 Hz and goes through the preprocessor's resampling and pass band, which are linear: what is
    added is what would be left of it had it been in the recording.
    """

    def change(
        signal: npt.NDArray[np.float32],
        mask: npt.NDArray[np.bool_],
        view: View,
        index: int,
        preprocessor: Preprocessor,
    ) -> Changed:
        keys = augmentation_keys(view.seed, 0, [index])
        n_times = round(signal.shape[1] * _RAW_HZ / preprocessor.fs)
        levels = {f"{name}_mv": float(name == kind) for name in ("wander", "mains", "muscle")}
        mixing, courses = disturbances(keys, n_times, _RAW_HZ, torch.device("cpu"), **levels)
        noise = (ELECTRODES_TO_LEADS @ mixing[0]) @ courses[0].numpy()
        noise *= view.severity / max(float(noise.std()), 1e-9)
        heard = preprocessor.filter(resample(noise.astype(np.float32), _RAW_HZ, preprocessor.fs))
        wide = min(heard.shape[1], signal.shape[1])
        signal[mask, :wide] += heard[mask, :wide]
        return signal, mask

    return change


def _lead_off(
    signal: npt.NDArray[np.float32],
    mask: npt.NDArray[np.bool_],
    view: View,
    index: int,
    preprocessor: Preprocessor,
) -> Changed:
    """Take away as many leads as the severity says, drawn by record; a flat lead is masked by the preprocessor."""
    drawn = uniforms(augmentation_keys(view.seed, 0, [index]), _LEAD_OFF, len(mask))[0]
    off = np.argsort(np.where(mask, drawn, 2.0))[: min(int(view.severity), int(mask.sum()) - 1)]
    mask = mask.copy()
    mask[off] = False
    return signal, mask


def _swapped_arms(
    signal: npt.NDArray[np.float32],
    mask: npt.NDArray[np.bool_],
    view: View,
    index: int,
    preprocessor: Preprocessor,
) -> Changed:
    """Right and left arm exchanged: I upside down, II with III, aVR with aVL; the rest as it was."""
    order = [0, 2, 1, 4, 3, *range(5, len(mask))]
    signal, mask = signal[order].copy(), mask[order]
    signal[0] *= -1.0
    return signal, mask


DISTURBANCES: Mapping[str, Change] = {
    "noise": _noise("muscle"),
    "wander": _noise("wander"),
    "powerline": _noise("mains"),
    "lead-off": _lead_off,
    "swapped arms": _swapped_arms,
}
