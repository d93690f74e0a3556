"""Hypertrophy of ventricles and atria, with the voltages and the strain that belong to it."""

from __future__ import annotations

from .patients import HYPERTROPHY, QRS_FORM, STT, Patient, pick
from .rhythms import SINUS
from .waveforms import Rng


def add_hypertrophy(rng: Rng, patient: Patient) -> None:
    """Ventricles and atria; voltage alone where the shape of ST and T does not follow."""
    if patient.has("CLBBB", "WPW", "PACE", "ILBBB"):
        return
    kind = pick(
        rng,
        {"none": 0.74, "LVH": 0.13, "VCLVH": 0.04, "HVOLT": 0.02, "RVH": 0.035, "SEHYP": 0.02, "LVOLT": 0.05},
    )
    if kind in ("LVH", "VCLVH", "HVOLT"):
        strength = float(rng.uniform(0.6, 1.3)) if kind == "LVH" else float(rng.uniform(0.45, 0.9))
        patient.shapers["LVH"] = strength
        if kind == "LVH":
            patient.say(
                "LVH", HYPERTROPHY, doubt="possible" if strength < 0.75 and rng.random() < 0.6 else ""
            )
            _voltage(rng, patient)
            _strain(rng, patient)
        else:
            patient.say(kind, HYPERTROPHY)
    elif kind == "RVH" and not patient.has("LAFB", "CRBBB", "LPFB"):
        patient.shapers["RVH"] = float(rng.uniform(0.7, 1.2))
        patient.say("RVH", HYPERTROPHY, leads=("V1", "V2", "V5", "V6"))
    elif kind == "SEHYP":
        patient.shapers["SEHYP"] = float(rng.uniform(0.7, 1.2))
        patient.say("SEHYP", HYPERTROPHY)
        if rng.random() < 0.4:
            leads = ("II", "III", "aVF", "V5", "V6")
            patient.say("QWAVE", QRS_FORM, leads=leads)
    elif kind == "LVOLT":
        patient.gain = float(rng.uniform(0.28, 0.45))
        patient.say("LVOLT", QRS_FORM)
    _atria(rng, patient)


def _voltage(rng: Rng, patient: Patient) -> None:
    roll = rng.random()
    if roll < 0.35:
        patient.say("VCLVH", HYPERTROPHY)
    elif roll < 0.43:
        patient.say("HVOLT", HYPERTROPHY)


def _strain(rng: Rng, patient: Patient) -> None:
    if rng.random() > 0.55 or patient.has("CRBBB"):
        return
    patient.strain = float(rng.uniform(0.6, 1.3))
    leads = ("I", "aVL", "V5", "V6")
    roll = rng.random()
    if roll < 0.45:
        patient.say("ISC_", STT, key="strain" if rng.random() < 0.5 else "ISC_", leads=leads)
    elif roll < 0.75:
        patient.say("NST_", STT, key="strain" if rng.random() < 0.3 else "NST_")
    else:
        patient.say("STD_", STT, leads=("V5", "V6"))
        patient.say("INVT", STT, leads=leads)


def _atria(rng: Rng, patient: Patient) -> None:
    if patient.plan.rhythm not in (*SINUS, "2AVB", "3AVB"):
        return
    left = 0.16 if patient.has("LVH") else 0.045
    right = 0.25 if patient.has("RVH") else 0.03
    if rng.random() < left:
        patient.shapers["LAO/LAE"] = float(rng.uniform(0.9, 1.3))
        patient.say("LAO/LAE", HYPERTROPHY, leads=("II", "V1"))
    if rng.random() < right:
        patient.shapers["RAO/RAE"] = float(rng.uniform(0.9, 1.3))
        patient.say("RAO/RAE", HYPERTROPHY, leads=("II", "III", "aVF", "V1"))
