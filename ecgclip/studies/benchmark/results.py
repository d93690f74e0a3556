"""A results file: every figure of one protocol with what it takes to believe it. docs/results.md describes it.

Written whole after each row, so that a killed run goes on; read strictly, so that nothing else passes for one.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ecgclip.corpora.writing import write_text
from ecgclip.errors import DataError

from .strict_json import Fault, plain, read_as

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FORMAT",
    "MARKS",
    "ClassRow",
    "CorpusFacts",
    "LeftOut",
    "ModelFacts",
    "Reliability",
    "Results",
    "Row",
    "Unread",
    "find_results",
    "read_results",
    "row_text",
    "write_results",
]

FORMAT = "ecgclip-results/1"

MARKS = (
    "label-free",
    "label-supervised",
    "simulated only",
    "validation-label-tuned",
    "calibrated on validation labels",
    "prior",
    "labels of the training part",
    "peer population",
    "outside encoder",
    "untrained",
)
"""What a row may say of itself; more than one may hold."""


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """One label: ``auroc`` and what stands beside it are None where they are not defined.

    ``sensitivity`` is at 90 % specificity; ``skipped_draws`` counts bootstrap draws without a positive or a
    negative; ``scored`` says whether the label counts in the macro figure and ``reason`` why it does not.
    """

    code: str
    name: str
    n: int
    positives: int
    auroc: float | None
    low: float | None
    high: float | None
    auprc: float | None
    sensitivity: float | None
    skipped_draws: int
    scored: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """The reliability diagram of one label in bins of equal width; None in an empty bin."""

    code: str
    probability: list[float | None]
    share: list[float | None]
    count: list[int]


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What should stand here and does not, with the reason."""

    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure of a protocol.

    Attributes:
        key: unique in its file; a run that goes on does not compute it again.
        name: whose figure it is: ``model``, ``model, from text``, ``untrained``, ``neurokit2 features`` or
            ``supervised``.
        labels: the label set, ``ptbxl-mean`` for the mean of four, empty where labels play no part.
        setting: what differs between rows of the protocol, such as ``fraction`` and ``draw``.
        population: ``all``, ``peer population`` or ``all-classes``.
        metric: what ``figure`` is.
        figure: the point estimate.
        low: lower end of the 95 % interval.
        high: upper end.
        n: records of the test part.
        patients: their patients.
        n_labels: labels that the figure averages.
        bank: hash of the prompt bank, empty without one.
        marks: of `MARKS`.
        more: further figures by name.
        classes: one row a label.
        reliability: for probabilities.
        left_out: labels or records that this row lacks.
        scores: the Parquet file of the scores, relative to the folder that holds ``evaluation``; empty
            without one.
    """

    key: str
    name: str
    labels: str
    setting: dict[str, str | int | float | bool]
    population: str
    metric: str
    figure: float | None
    low: float | None
    high: float | None
    n: int
    patients: int
    n_labels: int
    bank: str
    marks: list[str]
    more: dict[str, float | None]
    classes: list[ClassRow]
    reliability: list[Reliability]
    left_out: list[LeftOut]
    scores: str


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What was measured: ``recipe`` and ``seed`` are empty and None where nobody said."""

    name: str
    hash: str
    preprocessor: str
    recipe: str
    seed: int | None
    trained_on: str = field(compare=False)  # how a recipe called its start makes no other model


@dataclass(frozen=True, kw_only=True)
class CorpusFacts:
    """What it was measured on: ``hash`` of the corpus table, ``store`` of the prepared signals."""

    name: str
    title: str
    hash: str
    store: str
    n: int


@dataclass(frozen=True, kw_only=True)
class Unread:
    """Recordings of a corpus that no figure rests on, whatever their part.

    Attributes:
        corpus: its name.
        rejected: recordings that could not be prepared.
        absent: recordings that the corpus names and the disk does not hold; None where a prepared store was
            given, which does not say.
        first: the first of them with the reason.
        file: a CSV of all of them, relative to the folder that holds ``evaluation``; empty where there is none.
    """

    corpus: str
    rejected: int
    absent: int | None
    first: list[LeftOut]
    file: str


@dataclass(frozen=True, kw_only=True)
class Results:
    """All figures of one protocol on one part of one corpus."""

    format: str
    protocol: str
    split: str
    model: ModelFacts
    corpus: CorpusFacts
    draws: int
    seed: int
    minimum: int
    command: str
    date: str
    seconds: float
    environment: dict[str, str | int | None]
    finished: bool
    rows: list[Row]
    left_out: list[LeftOut]
    unread: list[Unread]

    def row(self, key: str) -> Row | None:
        """The row of a key, None where it is not there yet."""
        return next((row for row in self.rows if row.key == key), None)

    def to_frame(self) -> "pd.DataFrame":
        """One row a figure: settings as columns, without classes."""
        import pandas as pd

        plain = ("key", "name", "labels", "population", "metric", "figure", "low", "high", "n", "n_labels")
        rows = [{k: getattr(row, k) for k in plain} | row.setting | row.more for row in self.rows]
        table: pd.DataFrame = pd.DataFrame(rows)
        return table


def row_text(row: Row) -> str:
    """A row as it stands in a results file, on one line: those of a probe fill a megabyte."""
    return _json(row, indent=None)


def write_results(path: Path, results: Results, rows: Sequence[str] | None = None) -> None:
    """Write a results file whole; numbers that are not finite become null.

    Args:
        path: where.
        results: the file.
        rows: `row_text` of each row, where it was made before: hundreds of rows take a while.

    Raises:
        DataError: the disk is full or the folder cannot be written.
    """
    texts = [row_text(row) for row in results.rows] if rows is None else rows
    head, tail = _json(replace(results, rows=[])).split('\n "rows": []', maxsplit=1)
    listed = "[\n  " + ",\n  ".join(texts) + "\n ]" if texts else "[]"
    write_text(path, f'{head}\n "rows": {listed}{tail}\n')


def _json(value: "Results | Row", indent: int | None = 1) -> str:
    return json.dumps(plain(asdict(value)), indent=indent, ensure_ascii=False, allow_nan=False)


def read_results(path: str | Path) -> Results:
    """Read a results file, strictly.

    Raises:
        DataError: it is absent, no JSON, of another format, or a key is missing, unknown or of another kind.
    """
    file = Path(path)
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error}); give a results file") from None
    except ValueError as error:
        raise DataError(f"{file}: no results file, for it is not JSON ({error}); measure again") from None
    found = value.get("format") if isinstance(value, dict) else None
    if found != FORMAT:
        raise DataError(
            f"{file}: no results file of this version (format {found!r}, expected {FORMAT!r}); measure again"
        )
    try:
        results: Results = read_as(value, Results)
    except Fault as fault:
        raise DataError(f"{file}: no results file: {fault}; measure again") from None
    keys = [row.key for row in results.rows]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise DataError(f"{file}: no results file: row {twice!r} stands twice; measure again")
    return results


def find_results(folder: str | Path) -> Iterator[tuple[Path, Results]]:
    """The results files in ``evaluation/`` of a run folder, in order of name.

    Files that other commands wrote there (a training's validation tables) are no results files and are passed
    over; a damaged results file is an error.

    Raises:
        DataError: a results file cannot be read.
    """
    for file in sorted((Path(folder) / "evaluation").glob("*.json")):
        if f'"{FORMAT.partition("/")[0]}/' in file.read_text(encoding="utf-8", errors="replace")[:200]:
            yield file, read_results(file)
