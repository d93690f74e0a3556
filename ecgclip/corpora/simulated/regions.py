"""Injury, ischaemia and other changes of ST and T: which wall, which leads, which label."""

from __future__ import annotations

from .patients import INFARCT, QRS_FORM, STT, Patient, Regional, pick
from .walls import leads_of
from .waveforms import Rng

INJURIES = {
    "INJAS": "anteroseptal",
    "INJAL": "anterolateral",
    "INJIN": "inferior",
    "INJLA": "lateral",
    "INJIL": "inferolateral",
}
ISCHAEMIA = {
    "ISCAL": "anterolateral",
    "ISCIN": "inferior",
    "ISCIL": "inferolateral",
    "ISCAS": "anteroseptal",
    "ISCLA": "lateral",
    "ISCAN": "anterior",
}


def add_repolarisation(rng: Rng, patient: Patient) -> None:
    """ST and T changes that are not secondary to something else; at most one family."""
    if patient.has("CLBBB", "WPW", "PACE") or patient.strain > 0:
        return
    busy = any(part.kind in ("st", "t") for part in patient.regional)
    chances = {"none": 0.40 if not busy else 0.85} | _FAMILIES
    if patient.has("CRBBB", "RVH"):
        chances["none"] = 1.5
    family = pick(rng, chances)
    if family == "none":
        return
    if family == "injury" and patient.plan.rhythm in ("SVTAC", "PSVT"):
        family = "STD_"
    _ADD[family](rng, patient)


def _injury(rng: Rng, patient: Patient) -> None:
    code = pick(rng, {"INJAS": 0.4, "INJAL": 0.25, "INJIN": 0.15, "INJLA": 0.12, "INJIL": 0.08})
    region = INJURIES[code]
    up = rng.random() < 0.4
    patient.regional.append(Regional("st", region, float(rng.uniform(0.08, 0.2)) * (1 if up else -1)))
    patient.regional.append(Regional("t", region, float(rng.uniform(-0.3, -0.12)), 1.0))
    patient.say(code, STT, key="INJ", region=region, leads=leads_of(region))
    if rng.random() < 0.4:
        patient.say("STE_" if up else "STD_", STT, leads=leads_of(region))
    if rng.random() < 0.4:
        patient.say("INVT", STT, leads=leads_of(region))


def _ischaemia(rng: Rng, patient: Patient) -> None:
    code = pick(rng, {"ISCAL": 0.4, "ISCIN": 0.18, "ISCIL": 0.13, "ISCAS": 0.13, "ISCLA": 0.1, "ISCAN": 0.06})
    region = ISCHAEMIA[code]
    patient.regional.append(Regional("t", region, float(rng.uniform(-0.34, -0.08)), 1.0))
    if rng.random() < 0.6:
        patient.regional.append(Regional("st", region, -float(rng.uniform(0.03, 0.14))))
    patient.say(
        code,
        STT,
        key="ISC",
        region=region,
        leads=leads_of(region),
        doubt=pick(rng, {"": 0.6, "possible": 0.4}),
    )
    roll = rng.random()
    if roll < 0.25:
        patient.say("INVT", STT, leads=leads_of(region))
    elif roll < 0.35:
        patient.say("NDT", STT, leads=leads_of(region))


def _wide_ischaemia(rng: Rng, patient: Patient) -> None:
    region = pick(rng, {"widespread": 0.6, "anterolateral": 0.25, "inferolateral": 0.15})
    patient.regional.append(Regional("st", region, -float(rng.uniform(0.05, 0.16))))
    patient.regional.append(Regional("t", region, float(rng.uniform(-0.22, 0.05)), 1.0))
    patient.say("ISC_", STT, doubt=pick(rng, {"": 0.5, "possible": 0.25, "probable": 0.25}))
    roll = rng.random()
    if roll < 0.35:
        patient.say("STD_", STT, leads=leads_of(region))
    elif roll < 0.55:
        patient.say("INVT", STT, leads=leads_of(region))


_T_REGION = {"inferior": 0.14, "lateral": 0.28, "anterolateral": 0.22, "widespread": 0.24, "anterior": 0.12}


def _t_change(code: str, low: float, high: float, named: float) -> None:
    def add(rng: Rng, patient: Patient) -> None:
        region = pick(rng, _T_REGION)
        patient.regional.append(
            Regional("t", region, float(rng.uniform(low, high)), float(rng.uniform(0.8, 1.0)))
        )
        patient.regional.append(Regional("st", region, -abs(float(rng.normal(0, 0.025)))))
        leads = leads_of(region) if rng.random() < named else ()
        patient.say(code, STT, leads=leads)
        patient.leads.setdefault(code, leads_of(region))
        if code in ("NDT", "NT_") and rng.random() < 0.25:
            other = "INVT" if patient.regional[-2].size < -0.06 else "LOWT"
            patient.say(other, STT, leads=leads_of(region))

    _ADD[code] = add


def _nonspecific_st(rng: Rng, patient: Patient) -> None:
    region = pick(rng, {"widespread": 0.55, "lateral": 0.25, "inferolateral": 0.2})
    patient.regional.append(Regional("st", region, -float(rng.uniform(0.025, 0.075))))
    patient.regional.append(
        Regional("t", region, float(rng.uniform(-0.04, 0.07)), float(rng.uniform(0.5, 1.0)))
    )
    patient.say("NST_", STT)
    patient.leads.setdefault("NST_", leads_of(region))


def _st_depression(rng: Rng, patient: Patient) -> None:
    region = pick(rng, {"inferolateral": 0.3, "lateral": 0.25, "anterolateral": 0.25, "inferior": 0.2})
    patient.regional.append(Regional("st", region, -float(rng.uniform(0.06, 0.18))))
    patient.regional.append(
        Regional("t", region, float(rng.uniform(-0.05, 0.1)), float(rng.uniform(0.2, 0.8)))
    )
    patient.say("STD_", STT, leads=leads_of(region))


def _st_elevation(rng: Rng, patient: Patient) -> None:
    region = pick(rng, {"anteroseptal": 0.5, "anterior": 0.25, "inferior": 0.25})
    patient.regional.append(Regional("st", region, float(rng.uniform(0.08, 0.22))))
    patient.regional.append(Regional("t", region, float(rng.uniform(0.05, 0.3)), 0.0))
    patient.say("STE_", STT, leads=leads_of(region))


def _aneurysm(rng: Rng, patient: Patient) -> None:
    patient.regional.append(Regional("q", "anteroseptal", float(rng.uniform(0.3, 0.5)), 1.0))
    patient.regional.append(Regional("st", "anteroseptal", float(rng.uniform(0.12, 0.28))))
    patient.regional.append(Regional("t", "anteroseptal", float(rng.uniform(-0.25, 0.0)), 1.0))
    leads = leads_of("anteroseptal")
    patient.say("ASMI", INFARCT, key="MI-old", region="anteroseptal", leads=leads)
    patient.say("ANEUR", STT, leads=leads)


def _whole_heart(code: str) -> None:
    def add(rng: Rng, patient: Patient) -> None:
        patient.shapers[code] = float(rng.uniform(0.7, 1.3))
        patient.say(code, STT, doubt=pick(rng, {"": 0.7, "possible": 0.3}) if code != "LNGQT" else "")

    _ADD[code] = add


def add_form(rng: Rng, patient: Patient) -> None:
    """Abnormal QRS or Q waves without a named infarct."""
    if patient.has("CLBBB", "WPW", "PACE", "ABQRS", "QWAVE", "LVOLT") or rng.random() > 0.05:
        return
    region = pick(rng, {"inferior": 0.5, "anteroseptal": 0.25, "lateral": 0.25})
    patient.regional.append(Regional("q", region, float(rng.uniform(0.15, 0.3)), 0.4))
    if rng.random() < 0.5:
        patient.say("QWAVE", QRS_FORM, leads=leads_of(region))
    else:
        patient.say("ABQRS", QRS_FORM)


_ADD = {
    "injury": _injury,
    "ischaemia": _ischaemia,
    "ISC_": _wide_ischaemia,
    "NST_": _nonspecific_st,
    "STD_": _st_depression,
    "STE_": _st_elevation,
    "ANEUR": _aneurysm,
}
for _code, _low, _high, _named in (
    ("NDT", -0.14, 0.05, 0.6),
    ("NT_", -0.05, 0.06, 0.4),
    ("LOWT", -0.01, 0.07, 0.8),
    ("INVT", -0.32, -0.09, 1.0),
    ("TAB_", -0.15, 0.05, 0.5),
):
    _t_change(_code, _low, _high, _named)
for _code in ("LNGQT", "DIG", "EL"):
    _whole_heart(_code)

_FAMILIES = {
    "injury": 0.05,
    "ischaemia": 0.09,
    "ISC_": 0.06,
    "NST_": 0.06,
    "STD_": 0.04,
    "STE_": 0.025,
    "ANEUR": 0.012,
    "NDT": 0.07,
    "NT_": 0.035,
    "LOWT": 0.035,
    "INVT": 0.035,
    "TAB_": 0.02,
    "LNGQT": 0.03,
    "DIG": 0.03,
    "EL": 0.025,
}
