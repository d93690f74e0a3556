"""Who lies under the electrodes: a rhythm, and the findings that go together.

A patient is drawn finding by finding under the rules of medicine: no P-wave findings in atrial fibrillation,
no infarct read through left bundle branch block, pacing or preexcitation, a normal ECG only where there is
nothing else. Rare findings are drawn more often than they happen, so that each can be learned. Labels are
SCP-ECG statement codes (EN 1064), complete: diagnosis, form and rhythm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .rhythms import SINUS, Plan
from .waveforms import Rng

RHYTHM, AXIS, CONDUCTION, HYPERTROPHY, INFARCT, QRS_FORM, STT, CONCLUSION = range(8)
"""Sections of a report, in the order in which they are read out."""


@dataclass(frozen=True)
class Statement:
    """Something the report says: a key of the wordings, its section, the leads, wall and doubt."""

    key: str
    section: int
    region: str = ""
    leads: tuple[str, ...] = ()
    doubt: str = ""


@dataclass(frozen=True)
class Regional:
    """A change of the leads that face a region: ``q``, ``st``, ``t``, ``rsr`` or ``posterior``; mV."""

    kind: str
    region: str
    size: float
    share: float = 1.0


@dataclass
class Patient:
    """Everything that was drawn for one recording before its beats."""

    plan: Plan
    codes: list[str] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    shapers: dict[str, float] = field(default_factory=dict)
    regional: list[Regional] = field(default_factory=list)
    leads: dict[str, tuple[str, ...]] = field(default_factory=dict)
    gain: float = 1.0
    strain: float = 0.0
    t_scale: float = 1.0

    def say(
        self,
        code: str,
        section: int,
        *,
        key: str = "",
        region: str = "",
        leads: tuple[str, ...] = (),
        doubt: str = "",
        label: bool = True,
    ) -> None:
        """Note a finding: its label, its leads and what the report says of it."""
        if label and code not in self.codes:
            self.codes.append(code)
        if label and leads:
            self.leads[code] = tuple(dict.fromkeys((*self.leads.get(code, ()), *leads)))
        statement = Statement(key or code, section, region, leads, doubt)
        if statement not in self.statements:
            self.statements.append(statement)

    def has(self, *codes: str) -> bool:
        """Whether any of the codes was noted."""
        return any(code in self.codes for code in codes)


def pick(rng: Rng, choices: Mapping[str, float]) -> str:
    """Draw a name by weight."""
    names = list(choices)
    total = sum(choices.values())
    left = rng.random() * total
    for name in names:
        left -= choices[name]
        if left < 0:
            return name
    return names[-1]


_HEALTHY_RHYTHM = {"SR": 0.70, "SBRAD": 0.12, "STACH": 0.07, "SARRH": 0.11}
_SICK_RHYTHM = {
    "SR": 0.52,
    "SBRAD": 0.06,
    "STACH": 0.07,
    "SARRH": 0.05,
    "AFIB": 0.105,
    "AFLT": 0.03,
    "SVTAC": 0.025,
    "PSVT": 0.02,
    "PACE": 0.04,
    "SVARR": 0.03,
    "2AVB": 0.02,
    "3AVB": 0.015,
}
_RATE = {
    "SR": (58, 98),
    "SBRAD": (38, 58),
    "STACH": (101, 150),
    "SARRH": (52, 92),
    "AFIB": (50, 150),
    "AFLT": (60, 155),
    "SVTAC": (140, 210),
    "PSVT": (62, 98),
    "PACE": (58, 90),
    "SVARR": (60, 120),
    "2AVB": (40, 65),
    "3AVB": (30, 52),
}


def draw_plan(rng: Rng, healthy: bool) -> Plan:
    """The basic rhythm with its rate and PR interval."""
    rhythm = pick(rng, _HEALTHY_RHYTHM if healthy else _SICK_RHYTHM)
    low, high = _RATE[rhythm]
    rate = float(rng.triangular(low, low + 0.38 * (high - low), high))
    pr = float(rng.uniform(0.125, 0.192)) - (0.02 if rate > 110 else 0.0)
    plan = Plan(rhythm, rate, pr)
    if rhythm == "AFLT":
        plan.flutter_hz, plan.flutter_phase = float(rng.uniform(3.9, 5.6)), float(rng.random())
    if rhythm in ("SVTAC", "PSVT"):
        plan.retrograde = bool(rng.random() < 0.5)
        plan.rate = plan.rate if rhythm == "SVTAC" else float(rng.uniform(145, 205))
    if rhythm == "PACE":
        style = rng.random()
        plan.pacing = "A" if style < 0.15 else "V"
        plan.atrial_paced = bool(style < 0.38)
        plan.pr = float(rng.uniform(0.14, 0.20)) if style < 0.65 else 0.0
        plan.demand = float(rng.uniform(0.2, 0.6)) if rng.random() < 0.2 else 0.0
    if rhythm == "2AVB":
        plan.mobitz = 1 if rng.random() < 0.6 else 2
        plan.pr = float(rng.uniform(0.16, 0.24))
    return plan


def say_rhythm(rng: Rng, patient: Patient) -> None:
    """Label and read out the basic rhythm."""
    plan = patient.plan
    rhythm = plan.rhythm
    if rhythm in ("2AVB", "3AVB"):
        patient.say("SR", RHYTHM)
        key = f"2AVB-{plan.mobitz}" if rhythm == "2AVB" else rhythm
        patient.say(rhythm, CONDUCTION, key=key if rng.random() < 0.7 else rhythm)
    elif rhythm == "AFIB":
        key = "AFIB-fast" if plan.rate > 100 else "AFIB-slow" if plan.rate < 60 else "AFIB"
        patient.say("AFIB", RHYTHM, key=key if rng.random() < 0.6 else "AFIB")
    elif rhythm == "PSVT":
        patient.say("PSVT", RHYTHM)
        if rng.random() < 0.3:
            patient.say("SVTAC", RHYTHM)
    elif rhythm == "SARRH":
        patient.say("SARRH", RHYTHM)
        if rng.random() < 0.25:
            patient.say("SR", RHYTHM)
    elif rhythm == "SVARR":
        patient.say("SVARR", RHYTHM)
        if rng.random() < 0.4:
            patient.say("PAC", RHYTHM)
    elif rhythm == "PACE":
        key = "PACE-dual" if plan.atrial_paced else "PACE-ventricular"
        key = "PACE" if plan.pacing == "A" else key
        patient.say("PACE", RHYTHM, key=key if rng.random() < 0.5 else "PACE")
    else:
        patient.say(rhythm, RHYTHM)


_ECTOPY = {"none": 0.70, "PVC": 0.105, "PAC": 0.09, "COUPLET": 0.015, "BIGU": 0.04, "TRIGU": 0.04}


def add_ectopy(rng: Rng, patient: Patient, share: float) -> None:
    """Premature beats, single or in a pattern."""
    plan = patient.plan
    if plan.rhythm in ("SVTAC", "PSVT", "2AVB", "3AVB", "SVARR"):
        return
    if rng.random() > share:
        return
    chances = dict(_ECTOPY)
    if plan.rhythm in ("AFIB", "AFLT", "PACE"):
        chances |= {"PAC": 0.0, "BIGU": 0.015, "TRIGU": 0.01}
    plan.ectopy = pick(rng, chances)
    if plan.ectopy == "none":
        return
    atrial = plan.ectopy == "PAC" or (
        plan.ectopy in ("BIGU", "TRIGU") and plan.rhythm in SINUS and rng.random() < 0.25
    )
    plan.ectopic_kind = "PAC" if atrial else "PVC"
    plan.rate = min(plan.rate, 96.0)
    if plan.rhythm == "STACH":
        plan.rate = 104.0
    plan.n_ectopic = int(rng.choice([1, 1, 1, 2, 2, 3, 4]))
    code = plan.ectopic_kind
    key = f"{code}-many" if plan.n_ectopic >= 3 and rng.random() < 0.6 else code
    if plan.ectopy in ("BIGU", "TRIGU"):
        name = "ventricular" if code == "PVC" else "atrial"
        patient.say(plan.ectopy, RHYTHM, key=f"{plan.ectopy}-{name}" if rng.random() < 0.6 else plan.ectopy)
        if rng.random() < 0.8:
            patient.say(code, RHYTHM)
        else:
            patient.codes.append(code)
    elif plan.ectopy == "COUPLET":
        patient.say("PVC", RHYTHM, key="PVC-couplet")
        patient.say("PVC", RHYTHM)
    elif rng.random() < 0.05:
        patient.say("PRC(S)", RHYTHM)
        patient.codes.append(code)
    else:
        patient.say(code, RHYTHM, key=key)


_BLOCK = {
    "none": 0.645,
    "IRBBB": 0.06,
    "CRBBB": 0.055,
    "CLBBB": 0.065,
    "ILBBB": 0.02,
    "LAFB": 0.05,
    "LPFB": 0.02,
    "IVCD": 0.04,
    "WPW": 0.025,
    "CRBBB+LAFB": 0.022,
    "CRBBB+LPFB": 0.005,
}


def add_conduction(rng: Rng, patient: Patient) -> None:
    """Bundle branches, fascicles, preexcitation and the AV node."""
    plan = patient.plan
    if plan.rhythm == "PACE":
        return
    chances = dict(_BLOCK)
    if plan.rhythm not in SINUS:
        chances["WPW"] = 0.0
    for code in pick(rng, chances).split("+"):
        if code == "none":
            continue
        patient.shapers[code] = 1.0
        patient.say(code, CONDUCTION)
        if code == "IRBBB":
            patient.regional.append(Regional("rsr", "septal", float(rng.uniform(0.06, 0.3))))
    if patient.has("WPW"):
        plan.pr = float(rng.uniform(0.08, 0.115))
    elif plan.rhythm in SINUS and plan.rate < 110 and rng.random() < 0.085:
        plan.pr = float(rng.uniform(0.215, 0.33))
        style = rng.random()
        if style < 0.7:
            patient.say("1AVB", CONDUCTION)
        if style > 0.5:
            patient.say("LPR", CONDUCTION)
