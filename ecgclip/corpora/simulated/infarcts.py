"""Infarction: which wall, old or acute, its scar, its ST and T, and what is said of it."""

from __future__ import annotations

from .patients import INFARCT, QRS_FORM, STT, Patient, Regional, pick
from .walls import leads_of
from .waveforms import Rng

INFARCTS: dict[str, tuple[str, ...]] = {
    "IMI": ("inferior",),
    "ASMI": ("anteroseptal",),
    "AMI": ("anterior",),
    "ALMI": ("anterolateral",),
    "ILMI": ("inferolateral",),
    "LMI": ("lateral",),
    "IPMI": ("inferior", "posterior"),
    "IPLMI": ("inferolateral", "posterior"),
    "PMI": ("posterior",),
}
_INFARCT_CHANCE = {
    "none": 0.70,
    "IMI": 0.085,
    "ASMI": 0.075,
    "AMI": 0.03,
    "ALMI": 0.025,
    "ILMI": 0.028,
    "LMI": 0.025,
    "IPMI": 0.01,
    "IPLMI": 0.01,
    "PMI": 0.012,
}
_OPPOSITE = {
    "inferior": "high lateral",
    "inferolateral": "septal",
    "lateral": "inferior",
    "anterolateral": "inferior",
    "anterior": "inferior",
    "anteroseptal": "inferior",
    "posterior": "",
}


def add_infarct(rng: Rng, patient: Patient) -> None:
    """Old infarct (Q waves) or acute one (ST elevation, reciprocal depression)."""
    if patient.has("CLBBB", "WPW", "PACE", "ILBBB", "LVOLT") or patient.plan.rhythm in ("SVTAC", "PSVT"):
        return
    if patient.has("RVH", "SEHYP"):
        return
    code = pick(rng, _INFARCT_CHANCE)
    if code == "none" or (patient.has("LVH") and rng.random() < 0.5):
        return
    acute = rng.random() < 0.2
    strength = float(rng.uniform(0.5, 1.25))
    walls = INFARCTS[code]
    leads = tuple(dict.fromkeys(lead for wall in walls for lead in leads_of(wall)))
    for wall in walls:
        _scar(rng, patient, wall, strength * (0.5 if acute else 1.0))
        _repolarise(rng, patient, wall, acute)
    doubt = (
        "possible"
        if strength < 0.7 and not acute
        else pick(rng, {"": 0.7, "probable": 0.18, "possible": 0.12})
    )
    age = "-acute" if acute else pick(rng, {"-old": 0.45, "": 0.35, "-age": 0.2})
    patient.say(code, INFARCT, key=f"MI{age}", region="+".join(walls), leads=leads, doubt=doubt)
    if walls == ("posterior",):
        patient.statements.append(patient.statements.pop())
    _describe_scar(rng, patient, acute, leads)


def _scar(rng: Rng, patient: Patient, wall: str, strength: float) -> None:
    if wall == "posterior":
        patient.regional.append(Regional("posterior", wall, strength))
        return
    patient.regional.append(
        Regional("q", wall, float(rng.uniform(0.28, 0.5)) * strength, min(1.0, 0.9 * strength))
    )


def _repolarise(rng: Rng, patient: Patient, wall: str, acute: bool) -> None:
    if acute:
        size = float(rng.uniform(0.12, 0.34)) * (-0.5 if wall == "posterior" else 1.0)
        patient.regional.append(Regional("st", wall, size))
        if _OPPOSITE[wall]:
            patient.regional.append(Regional("st", _OPPOSITE[wall], -0.4 * size))
        if rng.random() < 0.5 and wall != "posterior":
            patient.regional.append(Regional("t", wall, -0.15, 0.8))
    elif wall in ("anteroseptal", "anterior") and rng.random() < 0.5:
        patient.regional.append(Regional("st", wall, float(rng.uniform(0.02, 0.09))))
    elif wall != "posterior" and rng.random() < (0.3 if wall == "inferior" else 0.5):
        patient.regional.append(
            Regional("t", wall, float(rng.uniform(-0.22, 0.03)), float(rng.uniform(0.6, 1.0)))
        )


def _describe_scar(rng: Rng, patient: Patient, acute: bool, leads: tuple[str, ...]) -> None:
    roll = rng.random()
    if roll < 0.50:
        patient.say("ABQRS", QRS_FORM)
    elif roll < 0.78:
        patient.say("QWAVE", QRS_FORM, leads=leads)
    if acute and rng.random() < 0.6:
        patient.say("STE_", STT, leads=leads)
    inverted = any(part.kind == "t" and part.size < -0.08 for part in patient.regional)
    if inverted and rng.random() < 0.3:
        patient.say("INVT", STT, leads=leads)
