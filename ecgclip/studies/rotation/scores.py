"""What one finished model is measured by on one test fold: scores, probes and retrieval, kept record by record."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ecgclip.evaluation import auroc, linear_probe, retrieval_table
from ecgclip.evaluation.bootstrap import scorable

if TYPE_CHECKING:
    from ecgclip.corpora import Store
    from ecgclip.models import ECGTextModel

__all__ = [
    "FINDINGS",
    "FINDING_MINIMUM",
    "FRACTIONS",
    "MINIMUM",
    "SETS",
    "fold_figures",
    "localisation_figures",
    "localisation_scores",
    "outside_figures",
    "probe_figures",
    "probe_scores",
    "protocol",
    "retrieval_figures",
    "zero_shot_scores",
]

SETS = ("ptbxl-superclass", "ptbxl-subclass", "ptbxl-form", "ptbxl-rhythm")
FINDINGS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "beat": ("ptbxl-form", ("PVC", "PAC")),
    "leads": ("ptbxl-subclass", ("AMI", "IMI", "LMI", "ISCA", "ISCI")),
}
MINIMUM = 10  # positives and negatives that a label needs in a fold to count in a macro figure
FINDING_MINIMUM = 5  # the same for the findings that are asked for by name, which are rarer
FRACTIONS = (0.01, 0.1)
_DRAWS = 3
_PLANTED = 80  # recordings of a fold in which beats are planted
_KEYS = ["record", "patient", "fold", "labels"]

Rows = npt.NDArray[np.int64]


def protocol(sets: Sequence[str] = SETS) -> dict[str, Any]:
    """What scores of a model follow from beside the model: when it changes, cells are scored again."""
    from ecgclip.prompts import PromptBank

    return {
        "version": 2,
        "banks": {name: PromptBank.load(name).hash for name in sets},
        "minimum": MINIMUM,
        "finding_minimum": FINDING_MINIMUM,
        "fractions": list(FRACTIONS),
        "draws": _DRAWS,
    }


def zero_shot_scores(model: "ECGTextModel", store: "Store", rows: Rows) -> pd.DataFrame:
    """Scores of every recording with every label of the four sets.

    Returns:
        One row a recording and label: ``record``, ``patient``, ``fold``, ``labels`` (the set), ``label``,
        ``score`` float32, ``target`` int8.

    Raises:
        DataError: a recording cannot be scored.
    """
    from ecgclip.evaluation.evaluate import evaluation
    from ecgclip.models import StorePart

    part = StorePart(store, rows)
    folds = dict(zip(part.table["record_id"], part.table["fold"], strict=True))
    frames = []
    for name in SETS:
        found = evaluation(model, part, name, split=None, draws=1, on_error="raise").long_scores()
        frames.append(found.assign(labels=name, fold=found["record"].map(folds).astype(np.int16)))
    table: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return _typed(table[[*_KEYS, "label", "score", "target"]])


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    typed: pd.DataFrame = table.astype({"score": np.float32, "target": np.int8, "fold": np.int16})
    return typed


def fold_figures(scores: pd.DataFrame) -> dict[str, Any]:
    """AUROC of one test fold: a figure a label, the macro of each set, their mean, and the named findings.

    A label counts in a macro figure where the fold has ``MINIMUM`` positives and negatives of it, a named
    finding where it has ``FINDING_MINIMUM``; what does not count has ``counted: false``.
    """
    sets: dict[str, Any] = {}
    for name, part in scores.groupby("labels", sort=False):
        wide = part.pivot(index="record", columns="label", values=["score", "target"])
        labels = wide["score"].columns
        truth = wide["target"].to_numpy().astype(bool)
        values = auroc(wide["score"].to_numpy(), truth)
        counted = scorable(truth, MINIMUM)
        sets[str(name)] = {
            "macro": float(values[counted].mean()) if counted.any() else None,
            "counted": int(counted.sum()),
            "labels": {
                str(label): {
                    "auroc": None if np.isnan(value) else float(value),
                    "positives": int(truth[:, k].sum()),
                    "counted": bool(counted[k]),
                }
                for k, (label, value) in enumerate(zip(labels, values, strict=True))
            },
        }
    macros = [each["macro"] for each in sets.values() if each["macro"] is not None]
    return {
        "mean": float(np.mean(macros)) if macros else None,
        "sets": sets,
        "findings": {group: _findings(sets, *where) for group, where in FINDINGS.items()},
    }


def _findings(sets: Mapping[str, Any], name: str, codes: Sequence[str]) -> dict[str, Any]:
    found = {}
    for code in codes:
        row = sets.get(name, {}).get("labels", {}).get(code)
        if row is not None:
            counted = row["positives"] >= FINDING_MINIMUM and row["auroc"] is not None
            found[code] = {**row, "counted": counted}
    return found


def probe_scores(
    model: "ECGTextModel", store: "Store", train: Rows, test: Rows, *, seed: int, fractions: Sequence[float]
) -> pd.DataFrame:
    """Logits of linear probes on shares of the training patients, three draws a share, on the benchmark's features.

    The draws follow from the seed and the labels, so that every variant of a fold meets the same patients.

    Returns:
        As `zero_shot_scores`, with ``fraction`` and ``draw``. A label without a positive in the draw is absent.
    """
    from ecgclip.corpora import label_set
    from ecgclip.models import StorePart
    from ecgclip.studies.benchmark.encoders import ModelEncoder

    rows = np.concatenate([train, test])
    features = ModelEncoder(model).features(StorePart(store, rows))
    table = store.table.iloc[rows]
    split = np.array(["train"] * len(train) + ["test"] * len(test))
    patients = table["patient_id"].to_numpy()
    tested = table.iloc[len(train) :]
    frames = []
    for name in SETS:
        wanted = label_set(name)
        found = linear_probe(
            features,
            wanted.matrix(table),
            patients,
            split,
            codes=wanted.codes,
            fractions=fractions,
            draws=_DRAWS,
            seed=seed,
        )
        for draw in found.draws:
            there = [k for k, code in enumerate(wanted.codes) if code not in draw.absent]
            frames.append(
                pd.DataFrame(
                    {
                        "record": np.repeat(tested["record_id"].to_numpy(), len(there)),
                        "patient": np.repeat(tested["patient_id"].to_numpy(), len(there)),
                        "fold": np.repeat(tested["fold"].to_numpy(), len(there)),
                        "labels": name,
                        "fraction": draw.fraction,
                        "draw": draw.number,
                        "label": np.tile(np.array(wanted.codes)[there], len(tested)),
                        "score": draw.scores[:, there].reshape(-1),
                        "target": found.targets[:, there].reshape(-1),
                    }
                )
            )
    return _typed(pd.concat(frames, ignore_index=True))


def probe_figures(scores: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """Macro AUROC of each fraction and set, the mean over draws, and ``mean`` over the sets."""
    found: dict[str, dict[str, float | None]] = {}
    for fraction, part in scores.groupby("fraction"):
        row: dict[str, float | None] = {}
        for name, each in part.groupby("labels", sort=False):
            macros = [fold_figures(draw)["mean"] for _, draw in each.groupby("draw")]
            known = [macro for macro in macros if macro is not None]
            row[str(name)] = float(np.mean(known)) if known else None
        macros = [macro for macro in row.values() if macro is not None]
        row["mean"] = float(np.mean(macros)) if macros else None
        found[f"{float(str(fraction)):g}"] = row
    return found


def retrieval_figures(model: "ECGTextModel", store: "Store", rows: Rows) -> dict[str, dict[str, float]]:
    """Recall and median rank of whole reports within the test fold, in both directions."""
    from ecgclip.models import StorePart, join_statements
    from ecgclip.training.batches import statement_lists

    lists = statement_lists(store.table.iloc[rows], model.config.findings)
    reports = [join_statements(row) for row in lists]
    named = [k for k, text in enumerate(reports) if text]
    if len(named) < 2:
        return {}
    texts = [reports[k] for k in named]
    ecg = model.encode_ecg(StorePart(store, rows[named]))
    table = retrieval_table(ecg, model.text_vectors(texts)[0], texts)
    return {
        str(direction): {str(key): float(value) for key, value in row.items()}
        for direction, row in table.iterrows()
    }


def localisation_scores(model: "ECGTextModel", store: "Store", fold: int) -> pd.DataFrame:
    """Where the masses of premature beats lie, the model read out with the coupling and temperature of its training.

    Study ``real``: recordings whose report names a PVC and that have one to four premature beats; ``value`` is the
    share of the mass of PVC on them over their share of time. Study ``competing``: a PVC and a premature atrial
    beat planted in recordings of a regular sinus rhythm, both findings and a dustbin asked for at once; ``value``
    is 1 where the mass of each is larger on its own beat than on the other's.

    Returns:
        ``study``, ``record``, ``patient``, ``fold``, ``value``, and for ``real`` ``share`` (of the mass) and
        ``possible`` (the ratio of a perfect pointer); empty for a model that points at no moments.
    """
    from ecgclip.studies import localisation as study

    frames = []
    if model.config.readouts:
        own = study.readings_of(model)[0]
        asked = replace(own, measure="phrases")
        found = study.real_rows(model, study.real_cases(store, [fold]), [own])
        frames.append(pd.DataFrame(found).assign(study="real").rename(columns={"ratio": "value"}))
        cases = study.planted_in_real(store, [fold], ["PVC", "PAC"], n=_PLANTED, seed=fold, fewer=True)
        found = study.two_finding_rows(model, cases, [asked])
        frames.append(pd.DataFrame(found).assign(study="competing").rename(columns={"both": "value"}))
    columns = ["study", "case", "patient", "value", "share", "possible"]
    table = pd.concat([each.reindex(columns=columns) for each in frames]) if frames else None
    kept: pd.DataFrame = pd.DataFrame(columns=columns) if table is None else table
    kept = kept.rename(columns={"case": "record"}).astype({"value": np.float64})
    placed: pd.DataFrame = kept.assign(fold=np.int16(fold)).reset_index(drop=True)
    return placed


def localisation_figures(scores: pd.DataFrame) -> dict[str, float | int | None]:
    """Mean ratio and share on the real premature beats, share of the planted pairs that is right, and of how many."""
    real, competing = (scores[scores["study"] == name] for name in ("real", "competing"))
    return {
        "n": len(real),
        "ratio": _mean(real["value"]),
        "share": _mean(real["share"]),
        "possible": _mean(real["possible"]),
        "planted": len(competing),
        "competing": _mean(competing["value"]),
    }


def _mean(values: "pd.Series[float]") -> float | None:
    return float(values.mean()) if len(values) else None


def outside_figures(model: "ECGTextModel", data: Path) -> dict[str, Any]:
    """Zero-shot AUROC over the classes of CPSC 2018 on a corpus that no training saw, every recording of it.

    ``macro`` averages the classes with enough positives, ``all-classes`` all that have one.

    Raises:
        DataError: the corpus cannot be read, or one of its recordings.
    """
    from ecgclip.corpora import open_corpus
    from ecgclip.evaluation.evaluate import evaluation

    corpus = open_corpus("auto", data, allow_missing=True)
    found = evaluation(model, corpus, "cpsc2018", split=None, draws=1, on_error="raise")
    values = {str(code): _finite(value) for code, value in found.table["auroc"].items()}
    return {
        "corpus": corpus.name,
        "hash": corpus.hash,
        "n": len(corpus),
        "labels": "cpsc2018",
        "auroc": values,
    }


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
