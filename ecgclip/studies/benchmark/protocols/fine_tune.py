"""Fine-tuning: a short training of the whole encoder on the labels, from the model's weights."""

from ecgclip.corpora import label_set
from ecgclip.studies.benchmark.bench import Bench
from ecgclip.studies.benchmark.ledger import Ledger
from ecgclip.studies.benchmark.protocols.zero_shot import mean_row
from ecgclip.studies.benchmark.rows import Scored, auroc_rows, row_key
from ecgclip.studies.benchmark.twin import labelled_twin

__all__ = ["EPOCHS", "fine_tune"]

EPOCHS = 10


def fine_tune(bench: Bench, ledger: Ledger) -> None:
    """Train the signal side on all statements of the training part for a few epochs, and score the part."""
    assert bench.recipe is not None
    setting: dict[str, str | int | float | bool] = {"epochs": bench.epochs or EPOCHS}
    bench.progress.start(1)
    there = all(ledger.has(row_key("model", labels, setting)) for labels in bench.sets)
    if not bench.progress.begins(f"{setting['epochs']} epochs on all statements", there):
        return
    trained = labelled_twin(bench, bench.recipe, start=True, epochs=bench.epochs or EPOCHS)
    rows, parts = bench.rows(bench.split), []
    for labels in bench.sets:
        wanted = label_set(labels)
        scored = Scored(
            name="model",
            labels=labels,
            codes=wanted.codes,
            titles=wanted.names,
            scores=trained.label_scores(bench.store, rows, labels),
            targets=bench.targets(labels)[1],
            table=bench.table(),
            setting=setting,
            marks=(*bench.marks, "label-supervised"),
        )
        ledger.add(auroc_rows(scored, **bench.figures, populations=("all", "all-classes")), scored)
        parts.append(scored)
    mean_row(bench, ledger, parts)
