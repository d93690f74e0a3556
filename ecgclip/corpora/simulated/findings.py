"""From a generator to a patient: the order in which findings are drawn, and the normal ECG."""

from __future__ import annotations

from .hypertrophy import add_hypertrophy
from .infarcts import add_infarct
from .patients import (
    CONCLUSION,
    Patient,
    Statement,
    add_conduction,
    add_ectopy,
    draw_plan,
    say_rhythm,
)
from .regions import add_form, add_repolarisation
from .rhythms import SINUS
from .waveforms import Rng

HEALTHY_SHARE = 0.30
_BENIGN = frozenset((*SINUS, "PAC", "PVC", "NORM"))


def draw_patient(rng: Rng) -> Patient:
    """Draw a patient: rhythm, findings, labels and what the report will say."""
    healthy = bool(rng.random() < HEALTHY_SHARE)
    patient = Patient(draw_plan(rng, healthy))
    say_rhythm(rng, patient)
    if healthy:
        add_ectopy(rng, patient, 0.12)
        _call_normal(rng, patient)
        return patient
    add_ectopy(rng, patient, 1.0)
    add_conduction(rng, patient)
    add_hypertrophy(rng, patient)
    add_infarct(rng, patient)
    add_repolarisation(rng, patient)
    add_form(rng, patient)
    _call_normal(rng, patient)
    return patient


def _call_normal(rng: Rng, patient: Patient) -> None:
    """NORM only where nothing but sinus rhythm, or single premature beats, is there."""
    calm = set(patient.codes) <= _BENIGN and patient.plan.ectopy in ("none", "PVC", "PAC")
    if calm and patient.plan.rhythm in SINUS:
        patient.codes.insert(0, "NORM")
        extra = set(patient.codes) - {"NORM", "SR"}
        patient.statements.append(Statement("NORM-otherwise" if extra else "NORM", CONCLUSION))
    elif rng.random() < 0.3:
        patient.statements.append(Statement("ABNORMAL", CONCLUSION))
