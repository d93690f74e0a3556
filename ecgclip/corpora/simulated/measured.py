"""What a reader would describe: T, ST, Q and voltage read off the beat that was made, whatever made it.

Findings are drawn one by one, but their effects meet in one beat: flat T waves come with hypertrophy and
ischaemia too. So that labels are complete, the descriptive statements (EN 1064: LOWT, INVT, STD_, STE_, QWAVE,
VCLVH) are measured here. Limits: AHA/ACCF/HRS recommendations IV-VI (T under 0.1 mV flat, under -0.1 mV
inverted; ST at J+60 ms), Sokolow & Lyon 1949 (SV1 + RV5 or RV6 of 3.5 mV).
"""

from __future__ import annotations

import numpy as np

from .patients import HYPERTROPHY, QRS_FORM, STT, Patient
from .waveforms import R1, R2, RP, ST, Array, D, Q, Rng, S, Shape, T

GROUPS: tuple[tuple[str, ...], ...] = (
    ("I", "aVL", "V5", "V6"),
    ("II", "III", "aVF"),
    ("V1", "V2", "V3", "V4"),
    ("V4", "V5", "V6"),
)
_SECONDARY = ("CLBBB", "WPW", "PACE", "3AVB")


def by_lead(eight: Array) -> dict[str, float]:
    """(8,) values at I, II, V1..V6 to all twelve leads."""
    one, two = float(eight[0]), float(eight[1])
    names = ("V1", "V2", "V3", "V4", "V5", "V6")
    limb = {"I": one, "II": two, "III": two - one, "aVL": one - two / 2, "aVF": two - one / 2}
    return limb | {name: float(value) for name, value in zip(names, eight[2:], strict=True)}


def qrs_course(shape: Shape, amplitude: Array) -> Array:
    """(times, 8) mV of QRS every 2 ms from its onset."""
    t = np.arange(0.0, shape.qrs + 0.02, 0.002)[:, None]
    waves = [D, Q, R1, R2, S, RP]
    away = t - shape.time[waves]
    width = np.where(away < 0, shape.left[waves], shape.right[waves])
    return np.asarray(np.exp(-0.5 * (away / width) ** 2) @ amplitude[waves])


def _leads_where(test: dict[str, bool]) -> tuple[str, ...]:
    """The leads of the groups in which at least two neighbours pass."""
    found = [lead for group in GROUPS for lead in group if sum(test.get(other, False) for other in group) > 1]
    return tuple(lead for lead in test if test[lead] and lead in found)


def describe(rng: Rng, patient: Patient, shape: Shape, amplitude: Array) -> None:
    """Label what can be measured, in the share of readers who describe; leads go to the truth."""
    if patient.has("NORM", *_SECONDARY) or rng.random() > 0.55:
        return
    t_wave = by_lead(amplitude[T] + 0.3 * amplitude[ST])
    st = by_lead(amplitude[ST])
    rv = patient.has("CRBBB", "RVH")
    low = {lead: abs(t) < 0.06 and lead not in ("III", "V1", "aVL") for lead, t in t_wave.items()}
    inverted = {
        lead: t < -0.08 and not (lead in ("V1", "III") or (rv and lead in ("V2", "V3")))
        for lead, t in t_wave.items()
    }
    down = {lead: value < -0.055 and not (rv and lead in ("V1", "V2", "V3")) for lead, value in st.items()}
    up = {lead: value > (0.17 if lead in ("V2", "V3") else 0.09) for lead, value in st.items()}
    for code, test, chance in (
        ("STE_", up, 0.7),
        ("STD_", down, 0.85),
        ("INVT", inverted, 0.7),
        ("LOWT", low, 0.75),
    ):
        leads = _leads_where(test)
        if leads and not patient.has(code) and rng.random() < chance:
            patient.say(code, STT, leads=leads)
    course = qrs_course(shape, amplitude)
    sokolow = -course[:, 2].min() + max(course[:, 6].max(), course[:, 7].max())
    if sokolow > 3.5 and not patient.has("VCLVH", "HVOLT", "CRBBB") and rng.random() < 0.5:
        patient.say("VCLVH", HYPERTROPHY)
    if patient.has("IMI", "ILMI", "LMI", "ALMI", "IPMI", "IPLMI") and not patient.has("QWAVE", "ABQRS"):
        patient.say(
            "QWAVE",
            QRS_FORM,
            leads=tuple(
                dict.fromkeys(lead for c in patient.leads if c.endswith("MI") for lead in patient.leads[c])
            ),
        )
