"""From a recipe to a run folder."""

import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ecgclip.corpora import Progress, Store, label_set
from ecgclip.corpora.writing import whole_file
from ecgclip.errors import DataError
from ecgclip.evaluation import render_table
from ecgclip.evaluation.evaluate import evaluations
from ecgclip.models import ECGTextModel, model_hash

from .assembly import (
    Parts,
    build_augmentation,
    build_model,
    build_objective,
    build_parts,
    build_store,
    check_objective,
)
from .journal import duration
from .recipe import Recipe, load_recipe
from .run_folder import Run, claim, refuse_foreign, write_json
from .validation import MOST_RETRIEVED, settle_readouts

__all__ = ["preparation_line", "pretrain"]

_SETS_OF = {
    "scp": ("ptbxl-superclass", "ptbxl-subclass", "ptbxl-form", "ptbxl-rhythm"),
    "cpsc2018": ("cpsc2018",),
    "snomed": ("challenge-2021",),
    "csn": ("csn",),
}


def pretrain(
    recipe: str | Path | Mapping[str, Any] | Recipe,
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    report: Callable[[str], None] | None = None,
) -> Run:
    """Train a model by a recipe; an unfinished run of the same recipe in ``out`` is resumed.

    Args:
        recipe: a YAML file, a mapping or a ``Recipe``.
        data: the corpus on disk, or a prepared store; the simulated corpus needs none.
        out: the run folder; ``runs/<recipe name>`` by default.
        overrides: values by dotted key, such as ``{"optimizer.lr": 1e-3}``.
        report: where lines for people go; standard error by default.

    Returns:
        The run: ``run.path``, ``run.model()``.

    Raises:
        UsageError: the recipe is wrong.
        DataError: the data or the run folder cannot be used.
    """
    resolved = load_recipe(recipe, overrides)
    path = Path(out) if out is not None else Path("runs") / resolved.name
    run = _Pretraining(resolved, data, path, report or _to_stderr).run()
    from .loop import give_back_freed_memory

    give_back_freed_memory()
    return run


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class _Pretraining:
    """The stations of a training, in order."""

    def __init__(
        self, recipe: Recipe, data: str | Path | None, path: Path, report: Callable[[str], None]
    ) -> None:
        from accelerate import Accelerator

        self.recipe, self.data, self.path = recipe, data, path
        self.accelerator = Accelerator(cpu=not _has_cuda())
        self.main = self.accelerator.is_main_process
        self.report = report if self.main else lambda line: None

    def run(self) -> Run:
        from .loop import Loop

        check_objective(self.recipe)
        if self.main:
            refuse_foreign(self.path, self.recipe)
        store = self._store()
        parts = build_parts(self.recipe, store)
        self._tell_parts(parts)
        run = Run(self.path)
        if self.main:
            going_on = claim(self.path, self.recipe, self._fed(parts))
            if going_on and run.finished:
                self.report(f"{self.path}: this run is finished already")
        self.accelerator.wait_for_everyone()
        if run.finished:
            return run
        model = build_model(self.recipe, parts.texts)
        objective, readouts = build_objective(self.recipe, model)
        loop = Loop(
            self.recipe, parts, model, objective, build_augmentation(self.recipe), self.path, self.accelerator
        )
        self.report(
            f"trains {sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters on {loop.device} "
            f"in {loop.precision}, {loop.steps} steps of {loop.order.batch_size}; run folder {self.path}"
        )
        loop.run()
        if self.main:
            self._finish(model, parts, readouts)
        self.accelerator.wait_for_everyone()
        return run

    def _fed(self, parts: Parts) -> dict[str, str]:
        """Hashes of what the weights follow from beside the recipe."""
        fed = {"store": parts.store.hash, "texts": parts.texts.hash}
        if self.recipe.start_from is not None:
            fed["start_from"] = model_hash(ECGTextModel.from_pretrained(self.recipe.start_from))
        return fed

    def _store(self) -> Store:
        """Prepare in the first process; the others wait and open."""
        if self.main:
            build_store(self.recipe, self.data, preparation_line(self.report))
        self.accelerator.wait_for_everyone()
        return build_store(self.recipe, self.data, None)

    def _tell_parts(self, parts: Parts) -> None:
        line = (
            f"{parts.store.name}: {len(parts.rows)} recordings to train, {len(parts.held.part)} to validate, "
            f"{len(parts.texts.vocabulary)} distinct statements"
        )
        if parts.without_report:
            line += f"; {parts.without_report} without a report take no part in the contrast"
        if len(parts.held.part) > MOST_RETRIEVED:
            line += f"; reports are looked for among {MOST_RETRIEVED} of those to validate"
        if parts.store.rejected:
            line += f"; {len(parts.store.rejected)} rejected, listed in {parts.store.path / 'rejected.csv'}"
        self.report(line)

    def _finish(self, model: ECGTextModel, parts: Parts, readouts: tuple[Any, ...]) -> None:
        model = model.to("cpu").eval()
        tried = settle_readouts(model, parts.held, readouts)
        _keep_bank_texts(model)
        figures = {str(k): v for k, v in tried.items()}
        write_json(self.path / "evaluation" / "local-weight.json", {"findings_auroc_by_weight": figures})
        self._tables(model, parts)
        temporary = self.path / f".model.{os.getpid()}"
        model.save_pretrained(temporary)
        os.replace(temporary, self.path / "model")
        self.report(f"model: {self.path / 'model'}")

    def _tables(self, model: ECGTextModel, parts: Parts) -> None:
        """The validation table of every label set that the corpus carries."""
        table = parts.held.part.table
        digest = model_hash(model)
        systems = [system for system in _SETS_OF if (table["code_system"] == system).any()]
        named = [name for system in systems for name in _SETS_OF[system] if self._carried(name, table)]
        found = evaluations(model, parts.held.part, named, split=None) if named else {}
        means = []
        for name, each in found.items():
            self.report(render_table(each.table, title=f"\n{name}, zero-shot, validation"))
            means += [each.macro] if math.isfinite(each.macro) else []
            self._write(name, each, digest)
        if len(means) > 1:
            self.report(f"\nmean of the {len(means)} sets, validation: {sum(means) / len(means):.3f}")

    def _carried(self, name: str, table: Any) -> bool:
        """Whether the corpus carries the labels of a set; says why where it does not."""
        try:
            label_set(name).matrix(table)
        except DataError as error:
            self.report(f"{name}: no table ({error})")
            return False
        return True

    def _write(self, name: str, found: Any, digest: str) -> None:
        table = found.table.reset_index().rename(columns={"index": "label"})
        record = {
            "labels": name,
            "split": "validation",
            "corpus": self.recipe.data.corpus.kind,
            "model": digest,
            "rows": [
                {k: (None if v != v else v) for k, v in row.items()} for row in table.to_dict("records")
            ],
        }
        write_json(self.path / "evaluation" / f"validation-{name}.json", record)
        with whole_file(self.path / "scores" / f"validation-{name}.parquet") as temporary:
            found.long_scores().to_parquet(temporary)


def _keep_bank_texts(model: ECGTextModel) -> None:
    """Embed the phrases of the shipped banks and the model's own findings: classifying loads no text tower."""
    from ecgclip.prompts import BANKS, PromptBank
    from ecgclip.prompts.classifier import PhraseMap

    model.kept_texts = {}
    model.keep_texts(model.config.reference)
    for name in BANKS:
        bank = PromptBank.load(name)
        model.keep_texts([*bank.texts, *PhraseMap.of(bank, model).texts])


def preparation_line(report: Callable[[str], None] | None = None) -> Callable[[Progress], None]:
    """Make what tells of preparation: a line every ten seconds and one at the end."""
    import time

    last = [0.0]
    say = report or _to_stderr

    def tell(progress: Progress) -> None:
        now = time.monotonic()
        if progress.done < progress.total and now - last[0] < 10.0:
            return
        last[0] = now
        rejected = f", {progress.rejected} rejected" if progress.rejected else ""
        say(
            f"prepared {progress.done} of {progress.total} recordings{rejected}, {progress.rate:.0f} a second, "
            f"{duration(progress.seconds_left)} left"
        )

    return tell


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()
