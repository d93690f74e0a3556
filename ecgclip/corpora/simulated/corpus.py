"""The simulated corpus: every recording made from (seed, index) alone, drawn when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ecgclip.corpora.corpus import Corpus, fold_of, split_of
from ecgclip.corpora.processes import spread
from ecgclip.errors import DataError, UsageError

from .hearts import Heart, axis_statement, draw_heart, draw_signal
from .patients import Patient
from .waveforms import R2, WINDOW, Rng
from .wordings import language_of, write_report

if TYPE_CHECKING:
    from ecgclip.records import ECGRecord

_HEART, _REPORT, _SIGNAL = range(3)
_CHUNK = 500


def stream(seed: int, index: int, part: int) -> Rng:
    """The generator of one part of one record: a counter-based one, keyed, so that order never matters."""
    return np.random.Generator(np.random.Philox(key=[np.uint64(seed), np.uint64(4 * index + part)]))


@dataclass(frozen=True)
class SimulatedReader:
    """Draws the recording of a table's row; picklable, and equal readers draw equal signals.

    Args:
        seed: of the corpus.
        fs: Hz.
        seconds: length.
    """

    seed: int
    fs: float
    seconds: float

    def __call__(self, row: Mapping[str, Any]) -> ECGRecord:
        """``ECGRecord`` of (12, seconds * fs) mV.

        Raises:
            DataError: if the row was not simulated with this seed.
        """
        from ecgclip.records import LEADS, ECGRecord

        seed, index = _parse(str(row["record_id"]))
        if seed != self.seed:
            raise DataError(f"record {row['record_id']!r} was simulated with seed {seed}, not {self.seed}")
        heart = draw_heart(stream(self.seed, index, _HEART), self.seconds)
        signal = draw_signal(heart, stream(self.seed, index, _SIGNAL), self.fs)
        comments = (f"beats: {beats_truth(heart)}", f"findings: {findings_truth(heart)}")
        return ECGRecord(
            signal, fs=self.fs, lead_names=LEADS, record_id=str(row["record_id"]), comments=comments
        )


def simulate(
    n: int = 1000, seed: int = 0, *, fs: float = 100.0, seconds: float = 10.0, workers: int = 1
) -> Corpus:
    """Simulate a corpus of 12-lead recordings with reports, SCP codes and the truth about every beat.

    Record ``i`` depends on ``seed`` and ``i`` alone: a larger corpus begins with the smaller one. Signals are
    drawn when ``record(i)`` is called. Splits are a seeded hash: 80 % train, 10 % validation, 10 % test.

    Besides the usual columns the table has ``beats_truth`` (JSON: ``[[seconds of R, kind], …]``),
    ``findings_truth`` (JSON: ``[{"code", "leads", "spans"}, …]``, spans in seconds), ``axis`` (degrees) and
    ``language``.

    Args:
        n: recordings.
        seed: of everything random; 0 or larger.
        fs: Hz.
        seconds: length of each recording.
        workers: processes that draw the table.

    Raises:
        UsageError: if a number is out of range.
    """
    if n < 1 or seed < 0 or workers < 1:
        raise UsageError(
            f"simulate(n={n}, seed={seed}, workers={workers}): n and workers must be at least 1, seed 0"
        )
    if not 50.0 <= fs <= 5000.0 or not 2.0 <= seconds <= 3600.0:
        raise UsageError(f"simulate(fs={fs}, seconds={seconds}): fs must be 50 to 5000 Hz, seconds 2 to 3600")
    spans = [(seed, start, min(n, start + _CHUNK), seconds) for start in range(0, n, _CHUNK)]
    if workers == 1 or len(spans) == 1:
        parts = [_rows(span) for span in spans]
    else:
        drawn = dict(spread(_rows, ((span[1], span) for span in spans), workers))
        parts = [drawn[start] for start in sorted(drawn)]
    table = pd.DataFrame([row for part in parts for row in part])
    return Corpus(table, name="simulated", reader=SimulatedReader(seed, float(fs), float(seconds)))


def _rows(span: tuple[int, int, int, float]) -> list[dict[str, Any]]:
    seed, start, stop, seconds = span
    return [simulated_row(seed, index, seconds) for index in range(start, stop)]


def simulated_row(seed: int, index: int, seconds: float) -> dict[str, Any]:
    """The table's row of one record: report, codes, split and truth."""
    record_id = f"sim-{seed}-{index:06d}"
    heart = draw_heart(stream(seed, index, _HEART), seconds)
    rng = stream(seed, index, _REPORT)
    language = language_of(rng)
    axis = axis_statement(rng, heart, language)
    statements = heart.patient.statements + ([axis] if axis else [])
    fold = fold_of(record_id, seed)
    return {
        "record_id": record_id,
        "report": write_report(rng, statements, language),
        "patient_id": record_id,
        "fold": fold,
        "split": split_of(fold),
        "codes": list(heart.patient.codes),
        "code_system": "scp",
        "beats_truth": beats_truth(heart),
        "findings_truth": findings_truth(heart),
        "axis": round(heart.axis, 1),
        "language": language,
    }


def _parse(record_id: str) -> tuple[int, int]:
    name = record_id.rsplit("/", 1)[-1].split("-")
    if len(name) != 3 or name[0] != "sim" or not name[1].isdigit() or not name[2].isdigit():
        raise DataError(f"record {record_id!r} is not a simulated one; expected an id such as sim-0-000012")
    return int(name[1]), int(name[2])


def _r_times(heart: Heart) -> list[tuple[float, str]]:
    beats = [
        (round(float(time + heart.shapes[kind].time[R2]), 3), kind)
        for time, kind in zip(heart.beats.time, heart.beats.kind, strict=True)
        if kind != "P"
    ]
    return sorted(beat for beat in beats if 0.0 <= beat[0] < heart.seconds)


def beats_truth(heart: Heart) -> str:
    """JSON of ``[[seconds of the R peak, kind], …]`` within the recording."""
    return json.dumps([list(beat) for beat in _r_times(heart)])


def findings_truth(heart: Heart) -> str:
    """JSON of each label with the leads that show it and its spans in seconds."""
    beats = _r_times(heart)
    whole = [[0.0, heart.seconds]]
    truth = []
    for code in heart.patient.codes:
        spans = whole
        if code in ("PVC", "PAC", "PRC(S)"):
            kinds = ("PVC", "PAC") if code == "PRC(S)" else (code,)
            spans = [[round(t + WINDOW[0] / 2, 3), round(t + 0.4, 3)] for t, kind in beats if kind in kinds]
        truth.append({"code": code, "leads": list(_leads(heart.patient, code)), "spans": spans})
    return json.dumps(truth)


def _leads(patient: Patient, code: str) -> tuple[str, ...]:
    from ecgclip.records import LEADS

    return patient.leads.get(code, tuple(LEADS))
