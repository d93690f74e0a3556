"""The names of leads and of units: what the twelve are called, whatever a file calls them."""

__all__ = ["LEADS", "MILLIVOLTS", "canonical_lead", "millivolts_per"]

LEADS: tuple[str, ...] = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""The twelve standard leads, in the order of every model input."""

_CANONICAL: dict[str, str] = {lead.upper(): lead for lead in LEADS} | {"MLII": "II"}

MILLIVOLTS: dict[str, float] = {
    "v": 1e3,
    "volt": 1e3,
    "volts": 1e3,
    "mv": 1.0,
    "millivolt": 1.0,
    "millivolts": 1.0,
    "uv": 1e-3,
    "\u00b5v": 1e-3,  # micro sign
    "\u03bcv": 1e-3,  # Greek mu
    "microvolt": 1e-3,
    "microvolts": 1e-3,
    "nv": 1e-6,
}
"""Millivolts in one of each unit of voltage, by its lower-case name."""


def canonical_lead(name: str) -> str | None:
    """Name the standard lead that ``name`` stands for, or None for an extra lead.

    Case and surrounding space do not matter, and the modified limb lead ``MLII`` is II. Frank leads,
    ``MCL1``, a bare ``V`` and everything else are extra leads.
    """
    return _CANONICAL.get(name.strip().upper())


def millivolts_per(unit: str) -> float | None:
    """Give the millivolts in one ``unit``, or None where it is no known unit of voltage."""
    return MILLIVOLTS.get(unit.strip().lower())
