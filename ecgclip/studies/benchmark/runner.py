"""Runs protocols over one model and one corpus: opens both, refuses what must not be measured, goes on after a kill."""

import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from ecgclip.corpora import Progress, Store, label_set, open_corpus, prepare
from ecgclip.errors import DataError, UsageError, unknown_name
from ecgclip.models import ECGTextModel
from ecgclip.signals import Preprocessor
from ecgclip.studies.html_report import write_report
from ecgclip.training.journal import duration
from ecgclip.training.run_folder import environment

from .bench import MORE_SETS_OF, OWN, SETS_OF, Bench
from .cache import Cache, code_hash
from .encoders import Encoder, ModelEncoder, OutsideEncoder
from .leakage import refuse_patients, refuse_seen_in_training, refuse_shared, refuse_substring_labels
from .ledger import Ledger
from .protocols import LEARNS, NEEDS_BANK, NEEDS_TEXT, PROTOCOLS
from .results import FORMAT, MARKS, CorpusFacts, ModelFacts, Results

if TYPE_CHECKING:
    from ecgclip.training.recipe import Recipe

__all__ = ["Options", "benchmark"]

PTB_XL_RECORDS = 21_799
_ENCODER_FILES = (".pt", ".ts", ".pth", ".torchscript", ".onnx")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What may be asked of a benchmark beside model, corpus and protocols.

    Attributes:
        split: ``validation``, ``test`` or ``all`` (a corpus that no training stage saw).
        labels: label sets; by default those of the corpus.
        to: a second corpus, for ``transfer``.
        draws: bootstrap draws.
        seed: of every draw.
        minimum: positives and negatives that a label needs in the scored part.
        probe_draws: draws of training patients.
        supervised: train the supervised twin for its row (minutes).
        epochs: of that twin and of fine-tuning, instead of their own.
        marks: what every row of the model says of itself; None for what its recipe tells.
        fs: samples a second that an outside encoder expects.
        band: pass band in Hz of what an outside encoder is given.
        allow_missing: go on where recordings of the corpus are absent.
        workers: processes that prepare and delineate.
        command: how this was called, for the results file.
    """

    split: str = "test"
    labels: tuple[str, ...] | None = None
    to: str | Path | None = None
    draws: int = 1000
    seed: int = 0
    minimum: int = 10
    probe_draws: int = 3
    supervised: bool = False
    epochs: int | None = None
    marks: tuple[str, ...] | None = None
    fs: float | None = None
    band: tuple[float, float] | None = None
    allow_missing: bool = False
    workers: int = 1
    command: str = ""

    def __post_init__(self) -> None:
        if self.split not in ("validation", "test", "all"):
            raise unknown_name("split", self.split, ("validation", "test", "all"))
        for mark in self.marks or ():
            if mark not in MARKS:
                raise unknown_name("mark", mark, MARKS)
        for name in ("draws", "minimum", "probe_draws", "workers"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)!r}: expected 1 or more")


def benchmark(
    run: "str | Path | OutsideEncoder",
    data: str | Path | Store,
    *,
    protocols: Sequence[str] | None = None,
    out: str | Path | None = None,
    options: Options | None = None,
    report: Callable[[str], None] | None = None,
) -> list[Path]:
    """Measure a model by protocols and write a results file each; what is there already is not computed again.

    ``evaluation/report.html`` is written at the end, of all results files of the folder.

    Args:
        run: a run folder, model folder or hub id; an encoder file (TorchScript or ONNX, with ``options.fs``); or an
            `OutsideEncoder`.
        data: a corpus with labels, or a prepared store.
        protocols: of ``PROTOCOLS``; all by default.
        out: holds ``evaluation``, ``scores`` and ``cache``; by default the run folder.
        options: everything else.
        report: told the progress; standard error by default.

    Returns:
        The results files.

    Raises:
        UsageError: an unknown protocol, label set, split or mark.
        DataError: model or corpus cannot be used, or must not be measured so.
    """
    wanted = list(protocols) if protocols is not None else list(PROTOCOLS)
    for name in wanted:
        if name not in PROTOCOLS:
            raise unknown_name("protocol", name, PROTOCOLS)
    how, say = options or Options(), report or _to_stderr
    for name in how.labels or ():
        label_set(name)
    subject = _subject(run, how)
    folder = _folder(run, out, subject)
    store = _store(data, subject.encoder.preprocessor, how, say)
    bench, unchecked = _bench(subject, store, folder, how, say)
    written = []
    for name in wanted:
        began = time.monotonic()
        ledger = Ledger(folder, _head(name, subject, store, how))
        if unchecked:
            ledger.leave_out("check for recordings seen in training", unchecked)
        _run(name, bench, ledger)
        ledger.finish()
        say(f"{name}: {len(ledger.results.rows)} rows in {duration(time.monotonic() - began)}: {ledger.path}")
        written.append(ledger.path)
    say(f"report: {write_report(folder, data=store)}")
    return written


def _run(name: str, bench: Bench, ledger: Ledger) -> None:
    if bench.model is None and name in NEEDS_TEXT:
        ledger.leave_out(name, "an outside encoder has no text side and no recipe")
    elif name in NEEDS_BANK and not bench.banked:
        ledger.leave_out(name, f"label set {OWN!r} has no prompt bank: give --labels a set that has one")
    elif name in LEARNS and bench.split == "all":
        ledger.leave_out(
            name, "it learns on the training part, which split 'all' would score: give another split"
        )
    elif name in LEARNS and not (bench.store.table["split"] == "train").any():
        ledger.leave_out(name, "the corpus has no training part")
    else:
        PROTOCOLS[name](bench, ledger)


@dataclass(frozen=True, eq=False)
class _Subject:
    """What is measured."""

    name: str
    encoder: Encoder
    model: ECGTextModel | None
    recipe: "Recipe | None"
    run: Path | None


def _subject(run: "str | Path | OutsideEncoder", how: Options) -> _Subject:
    if isinstance(run, OutsideEncoder):
        return _Subject(run.name, run, None, None, None)
    path = Path(run)
    if path.suffix.lower() in _ENCODER_FILES:
        if how.fs is None:
            raise UsageError(f"{path}: an outside encoder needs its rate: give --fs, such as --fs 500")
        outside = OutsideEncoder(path, how.fs, how.band)
        return _Subject(outside.name, outside, None, None, None)
    if how.fs is not None or how.band is not None:
        raise UsageError(f"{path}: --fs and --band are for an outside encoder: a run knows its own")
    model = ECGTextModel.from_pretrained(run)
    recipe = None
    if (path / "recipe.yaml").is_file():
        from ecgclip.training.recipe import load_recipe

        recipe = load_recipe(path / "recipe.yaml")
    return _Subject(path.resolve().name, ModelEncoder(model), model, recipe, path if recipe else None)


def _folder(run: "str | Path | OutsideEncoder", out: str | Path | None, subject: _Subject) -> Path:
    if out is not None:
        folder = Path(out)
    else:
        folder = subject.run if subject.run is not None else Path("runs") / subject.name
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder}: is a file: give a folder")
    return folder


def _store(
    data: str | Path | Store, preprocessor: Preprocessor, how: Options, say: Callable[[str], None]
) -> Store:
    """The corpus, prepared as the encoder wants it."""
    store = data if isinstance(data, Store) else None
    if store is None and (Path(str(data)) / "manifest.json").is_file():
        store = Store.open(str(data))
    if store is not None:
        if store.preprocessor.hash != preprocessor.hash:
            raise DataError(
                f"{store.path}: prepared with preprocessor {store.preprocessor.hash}, and the encoder wants "
                f"{preprocessor.hash} ({preprocessor.fs:g} Hz): give the corpus itself, it is prepared again"
            )
        return store
    corpus = open_corpus("auto", str(data), allow_missing=how.allow_missing)
    where = str(Path(str(data)).resolve())
    key = hashlib.sha256(f"{where}:{preprocessor.hash}".encode()).hexdigest()[:6]
    return prepare(
        corpus,
        preprocessor,
        Path("stores") / f"{corpus.name}-{key}",
        workers=how.workers,
        progress=_telling(say),
    )


def _telling(say: Callable[[str], None]) -> Callable[[Progress], None]:
    """A line of preparation every ten seconds, and one at the end."""
    last = [0.0]

    def tell(progress: Progress) -> None:
        now = time.monotonic()
        if progress.done == progress.total or now - last[0] >= 10.0:
            last[0] = now
            left = duration(progress.seconds_left)
            say(
                f"prepared {progress.done} of {progress.total} recordings, {progress.rejected} rejected, {left} left"
            )

    return tell


def _bench(
    subject: _Subject, store: Store, folder: Path, how: Options, say: Callable[[str], None]
) -> tuple[Bench, str]:
    """Everything a protocol needs, after what must not be measured was refused; and what could not be checked."""
    systems = [each for each in store.table["code_system"].unique() if each != "none"]
    known = [system for system in systems if system in SETS_OF]
    if how.labels is None and not known and "label" not in systems:
        raise UsageError(
            f"{store.name}: its labels ({', '.join(systems) or 'none'}) are of no known corpus: name a label set by "
            "--labels"
        )
    sets = how.labels or (SETS_OF[known[0]] if known else (OWN,))
    other = None if how.to is None else _store(how.to, subject.encoder.preprocessor, how, say)
    bench = Bench(
        name=subject.name,
        encoder=subject.encoder,
        model=subject.model,
        recipe=subject.recipe,
        store=store,
        split=how.split,
        sets=sets,
        marks=_marks(subject, how),
        cache=Cache(folder / "cache"),
        draws=how.draws,
        seed=how.seed,
        minimum=how.minimum,
        probe_draws=how.probe_draws,
        supervised=how.supervised,
        epochs=how.epochs,
        other=other,
        workers=how.workers,
        report=say,
        more_sets=MORE_SETS_OF.get(known[0], ()) if how.labels is None and known else (),
    )
    for name in sets:
        refuse_substring_labels(bench.label_set(name), store.table, store.name)
        bench.targets(name)
    if how.split != "all":
        refuse_patients(store.table, how.split, store.name)
        if (store.table["split"] == "train").any():
            refuse_shared(store, bench.rows("train"), store, bench.rows(how.split))
    if subject.run is None:
        return bench, "nobody says what it was trained on"
    unchecked = refuse_seen_in_training(subject.run, store, bench.rows(how.split))
    return bench, unchecked


def _marks(subject: _Subject, how: Options) -> tuple[str, ...]:
    if how.marks is not None:
        return how.marks
    if subject.model is None:
        return ("outside encoder",)
    simulated = subject.recipe is not None and subject.recipe.data.corpus.kind == "simulated"
    return ("simulated only",) if simulated else ()


def _head(name: str, subject: _Subject, store: Store, how: Options) -> Results:
    """The results file before its first row."""
    recipe = subject.recipe
    n = len(store)
    title = f"{store.name} ({n:,})"
    if store.name == "ptb-xl":
        title = "PTB-XL" if n >= PTB_XL_RECORDS - len(store.rejected) else f"PTB-XL subset ({n:,})"
    return Results(
        format=FORMAT,
        protocol=name,
        split=how.split,
        model=ModelFacts(
            name=subject.name,
            hash=subject.encoder.hash,
            preprocessor=subject.encoder.preprocessor.hash,
            recipe=recipe.name if recipe is not None else "",
            seed=recipe.seed if recipe is not None else None,
            trained_on=recipe.data.corpus.kind if recipe is not None else "",
        ),
        corpus=CorpusFacts(name=store.name, title=title, hash=store.corpus_hash, store=store.hash, n=n),
        draws=how.draws,
        seed=how.seed,
        minimum=how.minimum,
        command=how.command,
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        seconds=0.0,
        environment={**environment(), "code": code_hash()},
        finished=False,
        rows=[],
        left_out=[],
    )


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
