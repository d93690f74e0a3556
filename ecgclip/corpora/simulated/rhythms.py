"""When beats happen, of what kind they are, and whether a P wave leads them.

Rates and intervals are the textbook limits (Surawicz & Knilans, Chou's Electrocardiography; AHA/ACCF/HRS
recommendations 2009): sinus rhythm 60-100 a minute, flutter 240-340 atrial waves a minute, first-degree block
PR over 0.20 s, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .waveforms import Array, Rng

NO_P = 0.0

SINUS = ("SR", "SBRAD", "STACH", "SARRH")


@dataclass
class Plan:
    """What the rhythm of a recording is to be.

    Args:
        rhythm: SCP code of the basic rhythm, or ``2AVB``, ``3AVB`` for its schedule.
        rate: beats a minute (ventricular).
        pr: onset of P to onset of QRS, s.
        ectopy: ``none``, ``PVC``, ``PAC``, ``BIGU``, ``TRIGU`` or ``COUPLET``.
        ectopic_kind: ``PVC`` or ``PAC``: what the ectopic beats are.
        n_ectopic: how many single ectopic beats.
        flutter_hz: flutter waves a second.
        retrograde: atrial wave behind QRS (supraventricular tachycardia).
        atrial_paced: a spike before P as well.
        pacing: ``V`` paced ventricles, ``A`` paced atria with beats of the patient's own conduction.
        demand: share of beats that come by themselves.
        mobitz: 1 Wenckebach, 2 Mobitz II or 2:1.
    """

    rhythm: str
    rate: float
    pr: float = 0.16
    ectopy: str = "none"
    ectopic_kind: str = "PVC"
    n_ectopic: int = 1
    flutter_hz: float = 0.0
    flutter_phase: float = 0.0
    retrograde: bool = False
    atrial_paced: bool = False
    pacing: str = "V"
    demand: float = 0.0
    mobitz: int = 1


@dataclass
class Beats:
    """The beats of a recording, before and a little behind it too.

    Args:
        time: onset of QRS (of P for a lone P), s.
        kind: ``normal PAC PVC paced escape fused P``; ``P`` is an atrial wave without QRS.
        pr: s from onset of P to onset of QRS; negative: behind it.
        p: 1 a P wave is there, 0 none.
    """

    time: list[float] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    pr: list[float] = field(default_factory=list)
    p: list[float] = field(default_factory=list)

    def add(self, time: float, kind: str, pr: float, p: float = 1.0) -> None:
        """Append a beat."""
        self.time.append(time)
        self.kind.append(kind)
        self.pr.append(pr)
        self.p.append(p)


def sinus_intervals(rng: Rng, rate: float, n: int, *, arrhythmia: bool, breath_hz: float) -> Array:
    """(n,) RR intervals in s: respiratory arrhythmia and a slow drift about the mean rate."""
    mean = 60.0 / rate
    calm = min(1.0, mean)
    depth = rng.uniform(0.10, 0.24) if arrhythmia else rng.uniform(0.002, 0.028) * calm
    clock = np.cumsum(np.full(n, mean)) * breath_hz * 2 * np.pi + rng.uniform(0, 2 * np.pi)
    scatter = rng.uniform(0.02, 0.05) if arrhythmia else rng.uniform(0.003, 0.014)
    drift = np.cumsum(rng.normal(0, scatter * 0.3, n))
    return np.asarray(mean * np.clip(1 + depth * np.sin(clock) + drift + rng.normal(0, scatter, n), 0.6, 1.6))


def fibrillation_intervals(rng: Rng, rate: float, n: int) -> Array:
    """(n,) irregularly irregular RR intervals, s."""
    mean = 60.0 / rate
    spread = rng.uniform(0.14, 0.28)
    values = mean * np.exp(rng.normal(-(spread**2) / 2, spread, n))
    return np.asarray(np.clip(values, 0.30, 2.4))


def flutter_intervals(rng: Rng, plan: Plan, n: int) -> Array:
    """(n,) RR intervals as whole numbers of flutter waves, s."""
    wave = 1.0 / plan.flutter_hz
    ratio = max(2, round(60.0 / plan.rate / wave))
    counts = (
        np.full(n, ratio)
        if rng.random() < 0.55
        else np.maximum(2, ratio + rng.choice([-1, 0, 0, 1, 2], size=n))
    )
    return np.asarray(counts * wave + rng.normal(0, 0.006, n))


def schedule(rng: Rng, plan: Plan, seconds: float, breath_hz: float) -> Beats:
    """All beats from 1 s before the recording to 0.6 s behind it."""
    if plan.rhythm == "3AVB":
        return _complete_block(rng, plan, seconds)
    if plan.rhythm == "2AVB":
        return _second_degree(rng, plan, seconds, breath_hz)
    n = int((seconds + 4) * plan.rate / 60 * 1.8) + 8
    intervals = _intervals(rng, plan, n, breath_hz)
    beats = Beats()
    wanted = _ectopic_slots(rng, plan, intervals, seconds)
    time = -1.0 - rng.random() * intervals[0]
    index = 0
    stop = _onset(rng, plan, seconds)
    while time < seconds + 0.6 and index < n - 1:
        rr = float(intervals[index])
        if plan.rhythm == "PSVT" and time > stop:
            rr = 60.0 / max(plan.rate, 150.0) * (1 + rng.normal(0, 0.004))
        _plain_beat(rng, beats, plan, time, time > stop)
        if index in wanted:
            time = _ectopic_beat(rng, beats, plan, time, rr)
        else:
            time += rr
        index += 1
    return beats


def _intervals(rng: Rng, plan: Plan, n: int, breath_hz: float) -> Array:
    if plan.rhythm in ("AFIB", "PACE-AF"):
        return fibrillation_intervals(rng, plan.rate, n)
    if plan.rhythm == "AFLT":
        return flutter_intervals(rng, plan, n)
    if plan.rhythm == "SVTAC":
        return np.asarray(60 / plan.rate * (1 + rng.normal(0, 0.006, n)))
    if plan.rhythm == "PACE":
        return np.asarray(60 / plan.rate * (1 + rng.normal(0, 0.002, n)))
    if plan.rhythm == "SVARR":
        spread = rng.uniform(0.07, 0.2)
        return np.asarray(60 / plan.rate * np.clip(1 + rng.normal(0, spread, n), 0.6, 1.6))
    base = min(plan.rate, 100.0) if plan.rhythm == "PSVT" else plan.rate
    return sinus_intervals(rng, base, n, arrhythmia=plan.rhythm == "SARRH", breath_hz=breath_hz)


def _onset(rng: Rng, plan: Plan, seconds: float) -> float:
    """When a paroxysm starts; it may have been there from the beginning."""
    if plan.rhythm != "PSVT":
        return np.inf
    return -9.0 if rng.random() < 0.4 else float(rng.uniform(0.15, 0.6) * seconds)


def _plain_beat(rng: Rng, beats: Beats, plan: Plan, time: float, paroxysm: bool) -> None:
    if plan.rhythm in ("AFIB", "AFLT"):
        beats.add(time, "normal", plan.pr, NO_P)
    elif plan.rhythm in ("SVTAC",) or paroxysm:
        beats.add(time, "normal", -0.10 if plan.retrograde else plan.pr, float(plan.retrograde))
    elif plan.rhythm == "PACE":
        own = rng.random() < plan.demand
        beats.add(time, "normal" if own else "paced", plan.pr if not own else 0.16, float(own or plan.pr > 0))
    elif plan.rhythm == "SVARR":
        kind = "normal" if rng.random() < 0.45 else "PAC"
        beats.add(time, kind, plan.pr * rng.uniform(0.75, 1.15), float(rng.random() < 0.9))
    else:
        beats.add(time, "normal", plan.pr + rng.normal(0, 0.002))


def _ectopic_slots(rng: Rng, plan: Plan, intervals: Array, seconds: float) -> set[int]:
    """Positions of the plain beats that an ectopic one follows."""
    if plan.ectopy == "none":
        return set()
    start = int(np.searchsorted(np.cumsum(intervals), 1.6))
    stop = max(start + 2, int(np.searchsorted(np.cumsum(intervals), seconds + 0.3)))
    if plan.ectopy == "BIGU":
        return set(range(0, len(intervals)))
    if plan.ectopy == "TRIGU":
        return set(range(int(rng.integers(2)), len(intervals), 2))
    slots = np.arange(start, stop)
    keep = rng.choice(slots, size=min(plan.n_ectopic, len(slots)), replace=False)
    return {int(value) for value in keep}


def _ectopic_beat(rng: Rng, beats: Beats, plan: Plan, time: float, rr: float) -> float:
    """Add the premature beat behind the beat at ``time``; return when the next plain beat comes."""
    if plan.ectopic_kind == "PVC":
        coupling = float(np.clip(rng.uniform(0.50, 0.72) * rr, 0.34, 0.62 if rr > 0.62 else rr * 0.8))
        beats.add(time + coupling, "PVC", 0.16, NO_P)
        if plan.ectopy == "COUPLET" and rng.random() < 0.6:
            coupling += rng.uniform(0.36, 0.48)
            beats.add(time + coupling, "PVC", 0.16, NO_P)
        if plan.rhythm in ("AFIB", "AFLT"):
            return time + coupling + rr * rng.uniform(1.0, 1.4)
        if rng.random() < 0.06 and rr > 0.95:
            return time + rr * rng.uniform(1.0, 1.05)
        return time + max(2 * rr, coupling + 0.8 * rr) + rng.normal(0, 0.01)
    coupling = float(max(rng.uniform(0.52, 0.76) * rr, 0.36))
    beats.add(time + coupling, "PAC", plan.pr * rng.uniform(0.8, 1.15), float(rng.random() < 0.93))
    return time + coupling + rr * rng.uniform(1.02, 1.3)


def _second_degree(rng: Rng, plan: Plan, seconds: float, breath_hz: float) -> Beats:
    beats = Beats()
    rate = plan.rate * 1.5
    intervals = sinus_intervals(
        rng, rate, int((seconds + 4) * rate / 60) + 8, arrhythmia=False, breath_hz=breath_hz
    )
    period = int(rng.choice([3, 4, 5])) if plan.mobitz == 1 else int(rng.choice([2, 2, 3, 4]))
    time, index = -1.3, int(rng.integers(period))
    for rr in intervals:
        step = index % period
        pr = plan.pr + (0.07 * step if plan.mobitz == 1 else 0.0)
        if step == period - 1:
            beats.add(time, "P", 0.0)
        else:
            beats.add(time + pr, "normal", pr)
        time += float(rr)
        index += 1
        if time > seconds + 0.6:
            break
    return beats


def _complete_block(rng: Rng, plan: Plan, seconds: float) -> Beats:
    """Atria and ventricles each at their own rate; the ventricles escape."""
    beats = Beats()
    time = -1.5 + rng.random()
    while time < seconds + 0.6:
        beats.add(time, "escape", 0.0, NO_P)
        time += 60.0 / plan.rate * (1 + rng.normal(0, 0.01))
    time, atrial = -1.5 + rng.random(), rng.uniform(65, 105)
    while time < seconds + 0.6:
        beats.add(time, "P", 0.0)
        time += 60.0 / atrial * (1 + rng.normal(0, 0.02))
    return beats


def premature(beats: Beats) -> list[int]:
    """Positions of beats that come early by kind."""
    return [index for index, kind in enumerate(beats.kind) if kind in ("PAC", "PVC")]
