"""What the caller states about a file, held against what the file states itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgclip.errors import DataError, UsageError

from .leads import LEADS, MILLIVOLTS, canonical_lead, millivolts_per
from .record import checked_rate, refuse_duplicates

__all__ = ["Stated"]

# Leads with a name of their own that are none of the twelve: Frank (1956), modified chest leads.
_OTHER_LEADS = {"VX", "VY", "VZ", "X", "Y", "Z"} | {f"MCL{n}" for n in range(1, 7)}


@dataclass(frozen=True)
class Stated:
    """The caller's ``fs`` in Hz, ``lead_names`` and ``units``; each fills what a file leaves out.

    Raises:
        UsageError: a rate that is no rate, names that are no names, a unit that is no voltage.
    """

    fs: float | None = None
    lead_names: Sequence[str] | None = None
    units: str | None = None

    def __post_init__(self) -> None:
        if self.fs is not None:
            checked_rate(self.fs)
        names: object = self.lead_names
        if names is not None:
            if isinstance(names, str) or not isinstance(names, Sequence | np.ndarray):
                raise UsageError(f"lead_names is {names!r}, but must be a list with one name a signal")
            if any(not isinstance(name, str) or not name.strip() for name in names):
                raise UsageError(f"lead_names is {list(names)!r}, but every signal needs a name")
        if self.units is not None and (not isinstance(self.units, str) or millivolts_per(self.units) is None):
            raise UsageError(f"units is {self.units!r}, but must be one of {', '.join(MILLIVOLTS)}")

    def rate(self, path: Path, in_file: float | None) -> float:
        """Settle the rate in Hz.

        Raises:
            DataError: nobody states one.
            UsageError: the caller and the file disagree.
        """
        if in_file is None:
            if self.fs is None:
                raise DataError(f"{path}: states no sampling rate; state fs= in Hz")
            return float(self.fs)
        if self.fs is not None and abs(float(self.fs) - in_file) > 1e-6 * in_file:
            raise UsageError(f"{path}: fs={float(self.fs):g} is stated, but the file says {in_file:g} Hz")
        return in_file

    def names(self, path: Path, in_file: Sequence[str]) -> tuple[str, ...]:
        """Settle the name of every signal; a standard lead gets its standard name.

        Raises:
            DataError: a lead twice; or, where the caller names none, a signal without a name or none of the
                twelve.
            UsageError: the caller names more or fewer signals, or another lead than the file.
        """
        if self.lead_names is None:
            unnamed = [str(number) for number, name in enumerate(in_file, start=1) if not name.strip()]
            if unnamed:
                raise DataError(f"{path}: signal {', '.join(unnamed)} has no name; state lead_names=")
            names = tuple(canonical_lead(name) or name.strip() for name in in_file)
            if not any(name in LEADS for name in names):
                raise DataError(
                    f"{path}: none of the twelve leads is among its signals "
                    f"({', '.join(names[:15])}); state lead_names="
                )
        else:
            names = self._agreed(path, in_file, self.lead_names)
        refuse_duplicates(in_file, names, str(path))
        return names

    def _agreed(self, path: Path, in_file: Sequence[str], stated: Sequence[str]) -> tuple[str, ...]:
        """Take the caller's names where they do not contradict a lead that the file names."""
        if len(stated) != len(in_file):
            raise UsageError(
                f"{path}: {len(stated)} lead_names are stated, but the file has {len(in_file)} signals"
            )
        for ours, theirs in zip(stated, in_file, strict=True):
            known = canonical_lead(theirs) or (
                theirs.strip() if theirs.strip().upper() in _OTHER_LEADS else None
            )
            if known is not None and known.upper() != (canonical_lead(ours) or ours.strip()).upper():
                raise UsageError(f"{path}: lead {ours!r} is stated where the file says {theirs!r}")
        return tuple(canonical_lead(name) or name.strip() for name in stated)

    def millivolts(self, path: Path, lead: str, in_file: str | None) -> float | None:
        """Settle what one unit of ``lead`` is in mV; None for an extra signal that is no voltage.

        Raises:
            DataError: one of the twelve leads has no unit, or one that is no voltage.
            UsageError: the caller and the file disagree.
        """
        unit = in_file if in_file is not None else self.units
        factor = None if unit is None else millivolts_per(unit)
        if factor is None:
            if lead not in LEADS:
                return None
            if unit is None:
                raise DataError(f"{path}: lead {lead} states no unit; state units=, such as 'mV'")
            raise DataError(f"{path}: lead {lead} is in {unit!r}, expected a voltage such as mV")
        if self.units is not None and factor != millivolts_per(self.units):
            raise UsageError(f"{path}: units={self.units!r} is stated, but lead {lead} is in {unit!r}")
        return factor
