"""Runs protocols over one model and one corpus: opens both, refuses what must not be measured, goes on after a kill."""

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from ecgclip.corpora import Store, label_set
from ecgclip.errors import DataError, UsageError, unknown_name
from ecgclip.studies.html_report import write_report
from ecgclip.training.journal import duration
from ecgclip.training.run_folder import environment

from .bench import MORE_SETS_OF, OWN, SETS_OF, Bench
from .cache import FIGURES, Cache, code_hash
from .encoders import OutsideEncoder
from .hindrance import hindrance
from .leakage import refuse_patients, refuse_seen_in_training, refuse_shared, refuse_substring_labels
from .ledger import Ledger
from .measured_corpus import MeasuredCorpus, open_measured
from .options import Options
from .progress import Progress
from .protocols import PROTOCOLS
from .results import FORMAT, ModelFacts, Results, Row, Unread
from .subject import Subject, open_subject

__all__ = ["NothingMeasured", "benchmark"]


class NothingMeasured(DataError):
    """A protocol gave no figure.

    Attributes:
        paths: the results files, which list the reasons.
    """

    def __init__(self, said: str, paths: Sequence[Path]) -> None:
        super().__init__(said)
        self.paths = list(paths)


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
        data: a corpus, or a prepared store.
        protocols: of ``PROTOCOLS``; by default all, those that this model and corpus do not allow with the reason in
            their file.
        out: holds ``evaluation``, ``scores`` and ``cache``; by default the run folder.
        options: everything else.
        report: told the progress; standard error by default.

    Returns:
        The results files.

    Raises:
        UsageError: an unknown protocol, label set, split or mark, or a protocol was named that this model and corpus
            do not allow.
        DataError: model or corpus cannot be used, or must not be measured so.
        NothingMeasured: a protocol that was named gave no figure (by default: none did); all files are written.
    """
    wanted = list(dict.fromkeys(protocols)) if protocols is not None else list(PROTOCOLS)
    for name in wanted:
        if name not in PROTOCOLS:
            raise unknown_name("protocol", name, PROTOCOLS)
    how, say = options or Options(), report or _to_stderr
    for name in how.labels or ():
        label_set(name)
    subject = open_subject(run, how)
    folder = subject.folder(out)
    corpora = [open_measured(each, subject.encoder.preprocessor, how, say) for each in _both(data, how)]
    bench, unchecked = _bench(subject, corpora, folder, how, say)
    hindered = {name: why for name in wanted if (why := hindrance(name, bench))}
    if hindered and (protocols is not None or len(hindered) == len(wanted)):
        raise UsageError(f"{subject.name} on {bench.store.name} allows no {_joined(hindered)}")
    unread = [each for corpus in corpora for each in corpus.unread(folder)]
    written, empty = [], {}
    for number, name in enumerate(wanted, start=1):
        began = time.monotonic()
        ledger = Ledger(folder, _head(name, subject, corpora[0], unread, how))
        if unchecked:
            ledger.leave_out("check for recordings seen in training", unchecked)
        if name in hindered:
            ledger.leave_out(name, hindered[name])
        else:
            bench.progress.head = f"[{number}/{len(wanted)}] {name}"
            PROTOCOLS[name](bench, ledger)
        ledger.finish()
        spent = duration(time.monotonic() - began)
        say(f"{name}: {len(ledger.results.rows)} rows in {spent}: {ledger.path}")
        written.append(ledger.path)
        if not any(_stands(row) for row in ledger.results.rows):
            empty[name] = hindered.get(name) or _why_empty(ledger.results)
    write_report(folder, data=bench.store)
    if empty and (protocols is not None or len(empty) == len(wanted)):
        raise NothingMeasured(f"{bench.store.name} gives no figure by {_joined(empty)}", written)
    return written


def _both(data: str | Path | Store, how: Options) -> list[str | Path | Store]:
    return [data] if how.to is None else [data, how.to]


def _joined(reasons: Mapping[str, str]) -> str:
    """Protocols with what hinders them, the same reason said once."""
    by_reason: dict[str, list[str]] = {}
    for name, why in reasons.items():
        by_reason.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(names)} ({why})" for why, names in by_reason.items())


def _stands(row: Row) -> bool:
    return row.figure is not None and math.isfinite(row.figure)


def _why_empty(results: Results) -> str:
    if results.rows:
        return f"no label has {results.minimum} positives and {results.minimum} negatives in the {results.split} part"
    said = [each for each in results.left_out if each.what in results.protocol] or results.left_out[-1:]
    return said[0].why if said else "nothing could be scored"


def _bench(
    subject: Subject,
    corpora: Sequence[MeasuredCorpus],
    folder: Path,
    how: Options,
    say: Callable[[str], None],
) -> tuple[Bench, str]:
    """Everything a protocol needs, after what must not be measured was refused; and what could not be checked."""
    store = corpora[0].store
    sets, more_sets = _label_sets(store, how)
    bench = Bench(
        name=subject.name,
        encoder=subject.encoder,
        model=subject.model,
        recipe=subject.recipe,
        store=store,
        split=how.split,
        sets=sets,
        marks=subject.marks(how.marks),
        cache=Cache(folder / "cache"),
        draws=how.draws,
        seed=how.seed,
        minimum=how.minimum,
        probe_draws=how.probe_draws,
        supervised=how.supervised,
        epochs=how.epochs,
        other=corpora[1].store if len(corpora) > 1 else None,
        workers=how.workers,
        progress=Progress(say),
        more_sets=more_sets,
    )
    tested = bench.rows(how.split)
    for name in sets:
        refuse_substring_labels(bench.label_set(name), store.table, store.name)
        bench.targets(name)
    if how.split != "all":
        refuse_patients(store.table, how.split, store.name)
        if (store.table["split"] == "train").any():
            refuse_shared(store, bench.rows("train"), store, tested)
    if subject.run is None:
        return bench, "nobody says what it was trained on"
    return bench, refuse_seen_in_training(subject.run, store, tested)


def _label_sets(store: Store, how: Options) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The label sets to score, and those that zero-shot alone scores; none where the corpus has no labels."""
    if how.labels is not None:
        return how.labels, ()
    known = [system for system in store.table["code_system"].unique() if system in SETS_OF]
    if known:
        return SETS_OF[known[0]], MORE_SETS_OF.get(known[0], ())
    return ((OWN,) if any(len(codes) for codes in store.table["codes"]) else ()), ()


def _head(name: str, subject: Subject, corpus: MeasuredCorpus, unread: list[Unread], how: Options) -> Results:
    """The results file before its first row."""
    recipe = subject.recipe
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
            trained_on=subject.trained_on,
        ),
        corpus=corpus.facts,
        draws=how.draws,
        seed=how.seed,
        minimum=how.minimum,
        command=how.command,
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        seconds=0.0,
        environment={**environment(), "code": code_hash(FIGURES)},
        finished=False,
        rows=[],
        left_out=[],
        unread=unread,
    )


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
