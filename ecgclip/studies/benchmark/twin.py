"""The supervised twin for the row ``supervised``, trained once and kept."""

import hashlib
import json
from typing import TYPE_CHECKING, Any

import torch

from ecgclip.corpora import label_set
from ecgclip.corpora.writing import whole_file
from ecgclip.errors import DataError
from ecgclip.studies.supervised import Supervised, SupervisedTwin, train_supervised

from .bench import Bench
from .cache import TWIN, code_hash
from .encoders import TwinEncoder
from .ledger import Ledger

if TYPE_CHECKING:
    from ecgclip.training.recipe import Recipe

__all__ = ["labelled_twin", "twin_encoder"]


def twin_encoder(bench: Bench, ledger: Ledger) -> TwinEncoder | None:
    """The twin's encoder; None with the reason in the file where it is not asked for or cannot be made."""
    if not bench.supervised:
        ledger.leave_out("supervised", "trains for minutes: ask for it by --supervised")
    elif bench.recipe is None or bench.model is None:
        ledger.leave_out("supervised", "no recipe says what the encoder is made of: give a run folder")
    elif not (bench.store.table["code_system"] == "scp").all():
        ledger.leave_out("supervised", "the twin learns PTB-XL's statements, and this corpus carries none")
    else:
        return TwinEncoder(labelled_twin(bench, bench.recipe, start=False, epochs=bench.epochs))
    return None


def labelled_twin(bench: Bench, recipe: "Recipe", *, start: bool, epochs: int | None) -> Supervised:
    """Train on the labels of the training part, or take what was trained before.

    Args:
        bench: what is measured.
        recipe: encoders, augmentation and schedule.
        start: whether the weights start as the model's.
        epochs: instead of the recipe's.
    """
    rows = bench.rows("train")
    values = recipe.to_dict()
    facts: dict[str, Any] = {
        "recipe": {k: values[k] for k in ("augmentation", "model", "optimizer", "schedule", "seed")},
        "store": bench.store.hash,
        "rows": hashlib.sha256(rows.tobytes()).hexdigest()[:12],
        "start": bench.encoder.hash if start else None,
        "code": code_hash(TWIN),
        "epochs": epochs,
        "shape": None if bench.model is None else [bench.model.config.signal, bench.model.config.local],
    }
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:20]
    shape = bench.model.config if bench.model is not None else None
    path = bench.cache.folder / f"twin-{key}.pt"
    codes = label_set("ptbxl-all").codes
    if path.is_file():
        twin = SupervisedTwin(recipe, len(codes), shape)
        try:
            twin.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except Exception as error:  # noqa: BLE001 - a damaged archive raises whatever it hits
            raise DataError(f"{path}: the kept twin is damaged ({error}): delete it") from None
        return Supervised(twin.eval(), codes)
    count = epochs or recipe.schedule.epochs
    bench.progress.say(f"  trains on {len(rows):,} labelled recordings, {count} epochs")
    trained = train_supervised(
        recipe,
        bench.store,
        rows,
        epochs=epochs,
        shape=shape,
        start=bench.model if start else None,
        report=lambda line: bench.progress.say(f"  {line}"),
    )
    with whole_file(path) as temporary:
        torch.save(trained.twin.state_dict(), temporary)
    return trained
