"""What must not be published: a test that training saw, and labels that are not what they say."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ecgclip.corpora import LabelSet, Store
from ecgclip.corpora.fingerprints import shared_recordings
from ecgclip.corpora.label_sets import facts
from ecgclip.corpora.store import read_manifest
from ecgclip.errors import DataError
from ecgclip.models import ECGTextModel, model_hash

__all__ = ["refuse_patients", "refuse_seen_in_training", "refuse_shared", "refuse_substring_labels"]

Rows = npt.NDArray[np.int64]

_FEWEST = 5  # records that carry the longer name, before its shorter one beside it says anything


def refuse_patients(table: pd.DataFrame, split: str, name: str) -> None:
    """Refuse a part whose patients are in the training part as well.

    Raises:
        DataError: naming the first such patient.
    """
    if split == "train":
        raise DataError(f"{name}: the training part is not a test: score validation or test")
    train = set(table.loc[table["split"] == "train", "patient_id"])
    part = table if split == "all" else table[table["split"] == split]
    held = part.loc[part["split"] != "train", "patient_id"]
    both = sorted(train & set(held))
    if both:
        raise DataError(
            f"{name}: {len(both)} patients are in train and in {split} (first: {both[0]!r}), so the figures would be "
            "too good: split by patient"
        )


def refuse_shared(first: Store, rows: Rows, second: Store, others: Rows, where: str = "in training") -> None:
    """Refuse recordings of ``second`` that are in ``first`` under whatever name; ``where`` tells what saw them.

    Raises:
        DataError: naming the first pair and how many there are.
    """
    found = shared_recordings(first.fingerprints[rows], second.fingerprints[others])
    if first.path == second.path:
        found = [each for each in found if rows[each.first] != others[each.second]]
    if not found:
        return
    a = first.table["record_id"].iloc[int(rows[found[0].first])]
    b = second.table["record_id"].iloc[int(others[found[0].second])]
    count = len({each.second for each in found})
    raise DataError(
        f"{count} of the {len(others)} recordings to be tested were seen {where}, under another name or in "
        f"another corpus (for example {b} is {a}): leave them out of the test, or train without them"
    )


def refuse_seen_in_training(run: Path, store: Store, tested: Rows) -> str:
    """Refuse recordings that a training saw: the run's own, or that of the model it started from, and so on back.

    Returns:
        Why one of these could not be checked; empty if all were.

    Raises:
        DataError: some recordings were seen.
    """
    unknown = []
    for each, start in _line(run):
        trained, train = (None, np.zeros(0, dtype=np.int64)) if each is None else _training_part(each, store)
        if trained is None:
            model = f"the model that it started from ({start})" if start else "the model"
            unknown.append(f"the store that {model} was trained on is not at hand")
            continue
        where, mend = "in training", "choose --split validation or test"
        if start:
            where = f"in the training of {start}, where the model started"
            mend = "start from a model that did not see them, or leave them out of the test"
        same = np.intersect1d(train, tested) if trained.hash == store.hash else train[:0]
        if same.size:
            raise DataError(
                f"{same.size} of the {len(tested)} recordings to be tested were seen {where} (for example "
                f"{store.table['record_id'].iloc[int(same[0])]}): {mend}"
            )
        refuse_shared(store if trained.hash == store.hash else trained, train, store, tested, where)
    return "; ".join(unknown)


def _line(run: Path) -> Iterator[tuple[Path | None, str]]:
    """A run folder and the folders of the trainings that its weights went through, each with how a recipe calls it.

    None stands for a start that is no run folder at hand, or whose model is another one by now.
    """
    each, called, passed = run, "", set[Path]()
    while True:
        yield each, called
        passed.add(each.resolve())
        try:
            called = json.loads((each / "recipe.json").read_text(encoding="utf-8")).get("start_from")
            wanted = json.loads((each / "run.json").read_text(encoding="utf-8"))["fed"].get("start_from")
        except (OSError, ValueError, KeyError):
            return
        if called is None:
            return
        place = Path(called)
        start = place if (place / "run.json").is_file() else place.parent
        if not (start / "run.json").is_file() or start.resolve() in passed or _hash_of(place) != wanted:
            yield None, called
            return
        each = start


def _hash_of(model: Path) -> str | None:
    """Of a model folder; None where it cannot be read."""
    try:
        return model_hash(ECGTextModel.from_pretrained(model))
    except DataError:
        return None


def _training_part(run: Path, tested: Store) -> tuple[Store | None, Rows]:
    """The store that a run was fed and the rows that it learned from: the tested one, or one that is at hand."""
    nothing = np.zeros(0, dtype=np.int64)
    try:
        fed = json.loads((run / "run.json").read_text(encoding="utf-8"))["fed"]["store"]
        data = json.loads((run / "recipe.json").read_text(encoding="utf-8"))["data"]
    except (OSError, ValueError, KeyError):
        return None, nothing
    places = [Path(data["store"])] if data.get("store") else []
    found = tested if tested.hash == fed else _store_of(fed, [*places, *sorted(Path("stores").glob("*"))])
    if found is None:
        return None, nothing
    folds = data.get("train_folds")
    return found, found.indices(folds=folds) if folds else found.indices(split="train")


def _store_of(digest: str, places: Sequence[Path]) -> Store | None:
    """The store of a hash among folders."""
    for place in places:
        try:
            manifest = read_manifest(place)
        except DataError:
            continue
        if manifest is not None and manifest.get("hash") == digest:
            return Store.open(place)
    return None


def refuse_substring_labels(labels: LabelSet, table: pd.DataFrame, name: str) -> None:
    """Refuse a label file made by substring search: every carrier of a long name carries the short one inside it.

    The circulating CSN split files say ventricular bigeminy (VB) wherever there is an AV block (AVB), and so on.

    Raises:
        DataError: two or more such pairs hold without an exception, naming the first.
    """
    if labels.substring or not (table["code_system"] == "label").any():
        return
    held = [frozenset(codes) for codes in table["codes"]]
    always = []
    for short, long in _pairs(labels.codes):
        carriers = [codes for codes in held if long in codes]
        if len(carriers) < _FEWEST:
            continue
        if not all(short in codes for codes in carriers):
            return
        always.append((short, long, len(carriers)))
    if len(always) > 1:
        short, long, count = always[0]
        raise DataError(
            f"{name}: its labels look like a substring search: all {count} recordings with {long} are labelled "
            f"{short} as well, and so for {len(always)} pairs of names; give exact labels, or --labels csn-legacy to "
            "compare with figures published on such files"
        )


def _pairs(codes: Sequence[str]) -> list[tuple[str, str]]:
    """Names that lie inside other names of the set and mean something else."""
    same = facts()["csn_acronyms"]
    return [
        (short, long)
        for short in codes
        for long in codes
        if short != long and short in long and not (short in same and same.get(short) == same.get(long))
    ]
