"""Transfer: trained on one corpus, tested on all of another, by a linear probe and zero-shot."""

from dataclasses import replace

import numpy as np

from ecgclip.corpora import Store, label_set
from ecgclip.errors import DataError
from ecgclip.evaluation import linear_probe
from ecgclip.studies.benchmark.bench import Bench
from ecgclip.studies.benchmark.leakage import refuse_shared
from ecgclip.studies.benchmark.ledger import Ledger
from ecgclip.studies.benchmark.mapping import label_mapping, tested_sets
from ecgclip.studies.benchmark.results import LeftOut
from ecgclip.studies.benchmark.rows import Scored, auroc_rows

__all__ = ["transfer"]


def transfer(bench: Bench, ledger: Ledger) -> None:
    """Probe fitted on the training part of this corpus, every record of the other scored."""
    other = bench.other
    assert other is not None
    refuse_shared(bench.store, bench.rows("train"), other, np.arange(len(other)))
    systems = sorted(set(bench.store.table["code_system"]) - {"none"})
    sets = tested_sets(other)
    bench.progress.start((1 if bench.model is None else 2) * len(sets))
    for labels in sets:
        base = _scored(bench, other, labels)
        if bench.model is None:
            ledger.leave_out(f"{labels}, zero-shot", "an outside encoder has no text side")
        elif bench.progress.begins(f"{labels}, zero-shot", ledger.has(base.key)):
            scores = bench.scores(labels, split="all", store=other)
            scored = replace(base, scores=scores, bank=bench.bank_hash(labels))
            ledger.add(auroc_rows(scored, populations=("all", "all-classes"), **bench.figures), scored)
        try:
            mapping = label_mapping(systems[0] if systems else "none", labels)
        except DataError as error:
            ledger.leave_out(f"{labels}, linear probe", str(error))
            continue
        setting = {**base.setting, "by": "linear probe"}
        scored = replace(base, setting=setting, marks=(*bench.marks, "labels of the training part"))
        if not bench.progress.begins(f"{labels}, linear probe", ledger.has(scored.key)):
            continue
        train = bench.rows("train")
        features = np.concatenate(
            [bench.features(bench.encoder)[train], bench.features(bench.encoder, other)]
        )
        targets = np.concatenate([mapping.matrix(bench.table("train")), base.targets])
        patients = [
            *(f"a/{who}" for who in bench.table("train")["patient_id"]),
            *(f"b/{who}" for who in base.patients),
        ]
        split = ["train"] * len(train) + ["test"] * len(other)
        found = linear_probe(
            features,
            targets,
            patients,
            split,
            codes=base.codes,
            fractions=(1.0,),
            seed=bench.seed,
            minimum=bench.minimum,
        ).draws[0]
        absent = [
            LeftOut(what=code, why="no counterpart or no positive where it is trained")
            for code in found.absent
        ]
        scored = replace(scored, scores=found.scores, left_out=tuple(absent))
        ledger.add(auroc_rows(scored, populations=("all", "all-classes"), **bench.figures), scored)


def _scored(bench: Bench, other: Store, labels: str) -> Scored:
    wanted = label_set(labels)
    targets = wanted.matrix(other.table)
    return Scored(
        name="model",
        labels=labels,
        codes=wanted.codes,
        titles=wanted.names,
        scores=np.zeros(targets.shape),
        targets=targets,
        table=other.table,
        setting={"to": other.name, "corpus": other.corpus_hash, "by": "zero-shot"},
        marks=bench.marks,
    )
