"""Best and worst recordings of a label: what it found surest, what it took for it, what it missed."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgclip.errors import DataError, ECGClipError
from ecgclip.studies.benchmark.results import Results, Row

from .markup import Markup, tag
from .signals import Signals

if TYPE_CHECKING:
    import pandas as pd

    from ecgclip.records import ECGRecord

__all__ = ["Case", "case_section", "choose_cases"]

LABELS = 4
KINDS = {
    "hit": "Surest and right: the highest score among records that carry the label",
    "false alarm": "Surest and wrong: the highest score among records that do not carry it",
    "miss": "Missed: the lowest score among records that carry it",
}
_COLUMNS = ("record", "label", "score", "target")
_DPI, _COLOURS = 120, 16


@dataclass(frozen=True)
class Case:
    """One recording that stands for a label's best or worst.

    Attributes:
        code: the label.
        kind: of ``KINDS``.
        record: its id.
        score: raw score of the label.
        rank: 1 for the highest score among the records.
        records: how many there are.
        truth: labels of the set that the recording carries.
    """

    code: str
    kind: str
    record: str
    score: float
    rank: int
    records: int
    truth: tuple[str, ...]


def case_section(all_results: Sequence[Results], folder: Path, signals: Signals | str | None) -> Markup:
    """The section; without recordings it says why.

    Args:
        all_results: of the run.
        folder: holds ``evaluation`` and ``scores``.
        signals: the recordings, the reason why there are none, or None where nobody gave any.
    """
    found = next(
        (
            (results, row)
            for results in all_results
            for row in results.rows
            if _tells(results, row)
            and (not isinstance(signals, Signals) or results.corpus.hash == signals.corpus_hash)
        ),
        None,
    )
    title = tag("h2", None, "Best and worst recordings")
    if found is None:
        note: str | None = (
            "No zero-shot scores lie beside the results files, so that no recording can be picked."
        )
    elif signals is None:
        note = "Not drawn: no corpus was given. Give --data with the corpus or store that was measured."
    else:
        note = signals if isinstance(signals, str) else None
    if note is not None or found is None or not isinstance(signals, Signals):
        return tag("section", {"id": "recordings"}, title, tag("p", {"class": "quiet"}, note))
    results, row = found
    try:
        cases = choose_cases(read_scores(folder / row.scores), row)
    except DataError as error:
        return tag(
            "section", {"id": "recordings"}, title, tag("p", {"class": "warning"}, f"Not drawn: {error}")
        )
    lead = (
        f"{row.labels}, {results.split}: labels with the highest and lowest AUROC. 25 mm/s, 10 mm/mV; a "
        "tap or Enter enlarges a sheet. A label of the corpus may be wrong as well."
    )
    names = {each.code: each.name for each in row.classes}
    parts = [
        _label(code, names, [case for case in cases if case.code == code], signals)
        for code in dict.fromkeys(c.code for c in cases)
    ]
    return tag("section", {"id": "recordings"}, title, tag("p", None, lead), *parts)


def _tells(results: Results, row: Row) -> bool:
    return bool(
        results.protocol == "zero_shot"
        and row.name == "model"
        and row.population == "all"
        and row.scores
        and any(each.scored for each in row.classes)
    )


def read_scores(path: Path) -> "pd.DataFrame":
    """The scores of a row.

    Raises:
        DataError: the file is gone, damaged, or no table of scores.
    """
    import pandas as pd

    try:
        frame: pd.DataFrame = pd.read_parquet(path, columns=list(_COLUMNS))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path}: scores cannot be read ({str(error).splitlines()[0]:.120}); measure again"
        ) from None
    if not all(pd.api.types.is_numeric_dtype(frame[name]) for name in ("score", "target")):
        raise DataError(f"{path}: score and target are no numbers; measure again")
    return frame


def choose_cases(frame: "pd.DataFrame", row: Row) -> list[Case]:
    """A hit, a false alarm and a miss of the labels with the highest and the lowest AUROC.

    Args:
        frame: ``record``, ``label``, ``score``, ``target``, a line a record and label.
        row: the figures of these scores.
    """
    scored = sorted((each for each in row.classes if each.scored), key=lambda each: -(each.auroc or 0.0))
    half = LABELS // 2
    chosen = scored if len(scored) <= LABELS else [*scored[:half], *scored[-half:]]
    carried = frame[frame["target"] > 0].groupby("record", sort=False)["label"].agg(tuple).to_dict()
    cases = []
    for each in chosen:
        part: Any = frame[(frame["label"] == each.code) & frame["score"].notna()].sort_values(
            ["score", "record"], ignore_index=True
        )
        positive = part["target"] > 0
        picks = (
            ("hit", part[positive].tail(1)),
            ("false alarm", part[~positive].tail(1)),
            ("miss", part[positive].head(1)),
        )
        for kind, picked in picks:
            for line in picked.itertuples():
                rank = int((part["score"] > line.score).sum()) + 1
                name = str(line.record)
                cases.append(
                    Case(
                        each.code,
                        kind,
                        name,
                        float(line.score),
                        rank,
                        len(part),
                        tuple(carried.get(line.record, ())),
                    )
                )
    return cases


def _label(code: str, names: dict[str, str], cases: Sequence[Case], signals: Signals) -> Markup:
    title = code if names.get(code, code) == code else f"{code}: {names[code]}"
    sheets = [_sheet(case, signals) for case in cases]
    return tag("div", None, tag("h3", None, title), tag("div", {"class": "sheets"}, *sheets))


def _sheet(case: Case, signals: Signals) -> Markup:
    """One recording on paper with what was said and what is true of it."""
    try:
        record = signals.record(case.record)
        picture = tag(
            "button",
            {
                "type": "button",
                "class": "sheet",
                "aria-expanded": "false",
                "aria-label": f"Recording {case.record}: enlarge",
            },
            tag(
                "img",
                {
                    "src": _picture(record, signals.note),
                    "alt": f"12-lead ECG of recording {case.record}",
                    "width": 1247,
                    "height": 562,
                },
            ),
        )
    except ECGClipError as error:
        picture = tag("p", {"class": "warning"}, f"Not drawn: {error}")
    truth = ", ".join(case.truth) or "none of the set"
    report = " ".join(signals.reports.get(case.record, "").split())
    caption = tag(
        "figcaption",
        None,
        tag("b", {"class": f"kind {case.kind.replace(' ', '-')}"}, KINDS[case.kind].partition(":")[0]),
        f" {case.record}: score {case.score:.2f}, rank {case.rank} of {case.records}. Carries {truth}.",
        tag("q", None, report[:300] + ("…" if len(report) > 300 else "")) if report else None,
    )
    return tag("figure", {"title": KINDS[case.kind]}, caption, tag("div", {"class": "paper"}, picture))


def _picture(record: "ECGRecord", note: str) -> str:
    """The sheet as a small PNG in a data URI: paper, grid and ink need few colours."""
    import numpy as np
    from PIL import Image

    from ecgclip.figures import ecg_sheet

    seconds = record.signal.shape[1] / record.fs
    cut = f"   first 10 of {seconds:.0f} s" if seconds > 10.5 else ""
    figure = ecg_sheet(record, title=record.record_id, subtitle=note + cut)
    figure.set_dpi(_DPI)
    canvas: Any = figure.canvas
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3])
    small = picture.quantize(_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    held = io.BytesIO()
    small.save(held, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(held.getvalue()).decode("ascii")
