"""Does a finding's mass lie on the beat that shows it: planted beats, two findings at once, real beats.

Three studies give one row a recording and reading: `planted` (a PVC in a known second of a simulated
patient), `two_findings` (a PVC and a premature atrial beat, simulated or planted in real recordings) and
`real_beats` (the premature beats of real recordings whose report names a PVC). `summary` turns rows into
figures with intervals over patients.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecgclip.corpora.planting import Planted, plant_in, simulated_with
from ecgclip.errors import DataError
from ecgclip.evaluation.bootstrap import patient_weights, percentiles
from ecgclip.models import LocalReadout
from ecgclip.prompts.explain import ask, explain_looked, look, readout_of
from ecgclip.signals import Prepared

if TYPE_CHECKING:
    from ecgclip.corpora import Store
    from ecgclip.models import ECGTextModel

__all__ = [
    "PAC",
    "PVC",
    "Case",
    "Reading",
    "planted_in_real",
    "planted_simulated",
    "readings_of",
    "real_cases",
    "real_rows",
    "summary",
    "two_finding_rows",
    "within_rows",
]

PVC, PAC = "ventricular extrasystole", "atrial premature complex"
WITHIN_S = 0.3
"""A beat's mass is what lies this near to its R-peak, s."""
ENOUGH = 0.6
"""Share of the mass that must lie on the planted beat."""
EARLY = 0.8
"""A real beat is premature where the RR before it is under this share of the median."""
_MOST_BEATS = 4
_CHEAP_DUSTBIN = 0.65
_NO_ECTOPY = ("PVC", "PAC", "AFIB", "AFLT", "PACE", "SVARR", "BIGU", "TRIGU", "SVTAC", "PSVT", "2AVB", "3AVB")


@dataclass(frozen=True)
class Reading:
    """One way to read a model out.

    Attributes:
        name: in tables.
        readout: scale, plan, temperature.
        measure: texts that compete, ``phrases`` or ``bank``.
    """

    name: str
    readout: LocalReadout
    measure: str


@dataclass(frozen=True, eq=False)
class Case:
    """A recording in which it is known when the premature beats are.

    Attributes:
        name: the recording.
        patient: whose it is.
        prepared: as the model takes it.
        seconds: R-peaks of the premature beats, by kind.
    """

    name: str
    patient: str
    prepared: Prepared
    seconds: dict[str, tuple[float, ...]]


def readings_of(model: "ECGTextModel", scale: str | None = None) -> list[Reading]:
    """How the model was trained, the controls, and transport against the bank and the phrases alone.

    All have the temperature that the model was trained with. A dustbin that costs as much as a similarity of
    zero takes in nothing where only a few phrases compete: the one of the last reading costs as much as a
    similarity of 0.35.
    """
    own = readout_of(model, scale)
    measure = "bank" if own.plan in ("transport", "softmax") else "phrases"
    tight = replace(own, plan="transport", reg_m=10 * own.reg)
    return [
        Reading("as trained", own, measure),
        *(Reading(plan, replace(own, plan=plan), "phrases") for plan in ("attention", "maxsim", "logsumexp")),
        Reading("softmax, bank", replace(own, plan="softmax"), "bank"),
        Reading("transport, bank", replace(own, plan="transport"), "bank"),
        Reading("transport, bank, tight", tight, "bank"),
        Reading("transport, phrases", replace(own, plan="transport"), "phrases"),
        Reading("transport, phrases, tight", tight, "phrases"),
        Reading(
            "transport, phrases, cheap dustbin",
            replace(own, plan="transport", dustbin_cost=_CHEAP_DUSTBIN),
            "phrases",
        ),
    ]


def planted_simulated(
    model: "ECGTextModel", kinds: Sequence[str], *, n: int = 100, seed: int = 7919
) -> Iterator[Case]:
    """Simulated patients with findings and planted beats whose R-peaks preparation finds.

    Args:
        model: gives the preprocessor.
        kinds: ``PVC``, ``PAC`` or both.
        n: cases.
        seed: of the simulator, unlike any training's.
    """
    index = given = 0
    while given < n:
        found = simulated_with(kinds, seed=seed, index=index, preprocessor=model.preprocessor)
        if found is not None and found.found:
            yield _case(f"sim-{seed}-{index:06d}", f"sim-{index}", found)
            given += 1
        index += 1


def planted_in_real(
    store: "Store",
    folds: Iterable[int],
    kinds: Sequence[str],
    *,
    n: int = 150,
    seed: int = 0,
    fewer: bool = False,
) -> Iterator[Case]:
    """Real recordings in regular sinus rhythm without ectopy, with planted beats; in a seeded order.

    Args:
        store: prepared PTB-XL.
        folds: that the recordings are of.
        kinds: ``PVC``, ``PAC`` or both.
        n: cases.
        seed: of the order and the planting.
        fewer: give what there is where that is less.

    Raises:
        DataError: fewer than ``n`` recordings can take the beats, and not ``fewer``.
    """
    rows = [int(row) for row in store.indices(folds=folds)]
    table = store.table
    fit = [row for row in rows if "SR" in table["codes"][row] and _calm(table["codes"][row])]
    given = 0
    for row in np.random.default_rng(seed).permutation(fit):
        found = plant_in(
            store.prepared(int(row)), kinds, seed=seed, index=int(row), preprocessor=store.preprocessor
        )
        if found is None or not found.found:
            continue
        yield _case(str(table["record_id"][row]), str(table["patient_id"][row]), found)
        given += 1
        if given == n:
            return
    if fewer:
        return
    raise DataError(
        f"store {store.path}: beats can be planted in {given} recordings of folds {sorted(folds)}, "
        f"expected {n}: ask for fewer or for more folds"
    )


def real_cases(store: "Store", folds: Iterable[int]) -> Iterator[Case]:
    """Recordings whose report names a PVC and that have one to four premature beats."""
    table = store.table
    for row in store.indices(folds=folds):
        if not any(s == "ventricular premature complex" for s in table["statements"][row]):
            continue
        prepared = store.prepared(int(row))
        early = premature_beats(prepared.beats)
        if 1 <= len(early) <= _MOST_BEATS:
            name, patient = str(table["record_id"][row]), str(table["patient_id"][row])
            yield Case(name, patient, prepared, {"PVC": tuple(early.tolist())})


def premature_beats(beats: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """R-peaks whose RR before is under 80 % of the recording's median, s."""
    rr = np.diff(beats)
    return beats[1:][rr < EARLY * np.median(rr)] if rr.size else beats[:0]


def within_rows(
    model: "ECGTextModel", cases: Iterable[Case], readings: Sequence[Reading]
) -> list[dict[str, Any]]:
    """Share of the mass of `PVC` near the planted PVC."""
    return [
        {"case": case.name, "patient": case.patient, "reading": reading, "share": float(share[0])}
        for case, reading, share, _ in _shares(model, cases, readings, [PVC])
    ]


def two_finding_rows(
    model: "ECGTextModel", cases: Iterable[Case], readings: Sequence[Reading]
) -> list[dict[str, Any]]:
    """Shares of the mass of both findings near both beats, and whether each prefers its own."""
    return [
        {
            "case": case.name,
            "patient": case.patient,
            "reading": reading,
            "pvc_on_pvc": float(at_pvc[0]),
            "pvc_on_pac": float(at_pac[0]),
            "pac_on_pac": float(at_pac[1]),
            "pac_on_pvc": float(at_pvc[1]),
            "pvc": bool(at_pvc[0] > at_pac[0]),
            "pac": bool(at_pac[1] > at_pvc[1]),
            "both": bool(at_pvc[0] > at_pac[0] and at_pac[1] > at_pvc[1]),
        }
        for case, reading, at_pvc, at_pac in _shares(model, cases, readings, [PVC, PAC])
    ]


def real_rows(
    model: "ECGTextModel", cases: Iterable[Case], readings: Sequence[Reading]
) -> list[dict[str, Any]]:
    """Share of the mass of `PVC` near the premature beats, over their share of time, and the most possible."""
    rows = []
    for case, reading, share, _ in _shares(model, cases, readings, [PVC]):
        time = _time_share(case)
        row = {"case": case.name, "patient": case.patient, "reading": reading, "share": float(share[0])}
        rows.append({**row, "ratio": float(share[0]) / time, "possible": 1.0 / time})
    return rows


def summary(
    rows: Sequence[dict[str, Any]], key: str, *, against: Sequence[str] = (), draws: int = 2000, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Mean of a column by reading with its interval over patients, and paired differences.

    Args:
        rows: what a study gave.
        key: the column, such as ``both`` or ``ratio``.
        against: readings from which the difference of every other is taken.
        draws: of patients.
        seed: of the draws.
    """
    names = list(dict.fromkeys(str(row["reading"]) for row in rows))
    first = [row for row in rows if row["reading"] == names[0]]
    weights = patient_weights([row["patient"] for row in first], draws=draws, seed=seed).astype(np.float64)
    columns = {
        name: np.array([float(row[key]) for row in rows if row["reading"] == name], dtype=np.float64)
        for name in names
    }
    found: dict[str, dict[str, Any]] = {}
    for name, values in columns.items():
        found[name] = {**_with_interval(values, weights), "n": len(values)}
        for other in against:
            if other in columns and other != name:
                found[name][f"over {other}"] = _with_interval(values - columns[other], weights)
    return found


def _with_interval(
    values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> dict[str, float | int]:
    low, high = percentiles(weights @ values / weights.sum(axis=1))
    return {"mean": float(values.mean()), "low": low, "high": high}


def _shares(
    model: "ECGTextModel", cases: Iterable[Case], readings: Sequence[Reading], phrases: Sequence[str]
) -> Iterator[tuple[Case, str, npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Each case by each reading: shares of each phrase near the PVC and near the PAC; nothing counts as none."""
    asked = {measure: ask(model, phrases, measure) for measure in {r.measure for r in readings}}
    for case in cases:
        looked = look(model, case.prepared)
        for reading in readings:
            found = explain_looked(looked, asked[reading.measure], reading.readout)
            at = [
                np.nan_to_num(found.share_near(case.seconds.get(kind, ()), WITHIN_S))
                for kind in ("PVC", "PAC")
            ]
            yield case, reading.name, at[0], at[1]


def _time_share(case: Case) -> float:
    """Share of the recording within `WITHIN_S` of its premature beats."""
    grid = np.arange(case.prepared.signal.shape[1]) / case.prepared.fs
    away = np.abs(grid[:, None] - np.array(case.seconds["PVC"])[None, :])
    return float((away <= WITHIN_S).any(axis=1).mean())


def _case(name: str, patient: str, planted: Planted) -> Case:
    return Case(name, patient, planted.prepared, {kind: (at,) for kind, at in planted.seconds.items()})


def _calm(codes: Sequence[str]) -> bool:
    return not set(codes) & set(_NO_ECTOPY)
