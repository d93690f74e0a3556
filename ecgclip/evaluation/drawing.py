"""Which training records a probe is given, and how they are dealt to folds; patients are never split."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .metrics import Bools

__all__ = ["draw_patients", "draw_shots", "patient_folds"]


def draw_patients(
    targets: Bools, patients: ArrayLike, fraction: float, rng: np.random.Generator, wanted: Bools
) -> NDArray[np.intp]:
    """Records ``(k,)`` of a share of the patients, stratified: each label keeps its share of positive patients or more.

    Labels are filled in order of rarity, a wanted one with at least one positive patient, as far as the number of
    patients allows; the rest of the draw is uniform (after Sechidis et al. 2011).

    Args:
        targets: ``(n, labels)``.
        patients: ``(n,)``.
        fraction: share of the patients.
        rng: draws.
        wanted: ``(labels,)`` labels that must keep a positive where that can be.
    """
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    size = max(1, round(fraction * len(names)))
    if size >= len(names):
        return np.arange(len(targets))
    has = np.zeros((len(names), targets.shape[1]), dtype=bool)
    np.logical_or.at(has, owner, targets)
    chosen = np.zeros(len(names), dtype=bool)
    for label in np.argsort(has.sum(axis=0), kind="stable"):
        share = max(round(fraction * int(has[:, label].sum())), int(wanted[label]))
        rest = np.flatnonzero(has[:, label] & ~chosen)
        lacking = min(share - int((has[:, label] & chosen).sum()), size - int(chosen.sum()), rest.size)
        if lacking > 0:
            chosen[rng.choice(rest, size=lacking, replace=False)] = True
    rest = np.flatnonzero(~chosen)
    chosen[rng.choice(rest, size=size - int(chosen.sum()), replace=False)] = True
    return np.flatnonzero(chosen[owner])


def draw_shots(targets: Bools, patients: ArrayLike, shots: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Records ``(k,)`` of at least ``shots`` positive patients a label, or of all that it has.

    Rarest labels draw first, and a patient who was drawn for one label counts for every label that they carry.
    All records of a drawn patient are taken.
    """
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    has = np.zeros((len(names), targets.shape[1]), dtype=bool)
    np.logical_or.at(has, owner, targets)
    chosen = np.zeros(len(names), dtype=bool)
    for label in np.argsort(has.sum(axis=0), kind="stable"):
        rest = np.flatnonzero(has[:, label] & ~chosen)
        wanted = shots - int((has[:, label] & chosen).sum())
        if wanted > 0:
            chosen[rng.choice(rest, size=min(wanted, len(rest)), replace=False)] = True
    return np.flatnonzero(chosen[owner])


def patient_folds(
    targets: Bools, patients: NDArray[np.generic], rng: np.random.Generator, folds: int
) -> NDArray[np.intp]:
    """Fold ``(n,)`` of each record: patients dealt in turn, sorted by the rarest label that they carry."""
    names, owner = np.unique(patients, return_inverse=True)
    count = np.where(targets, targets.sum(axis=0), len(targets) + 1)
    rarest = np.full(len(names), len(targets) + 1)
    np.minimum.at(rarest, owner, count.min(axis=1, initial=len(targets) + 1))
    order = np.lexsort((rng.random(len(names)), rarest))
    fold = np.empty(len(names), dtype=np.intp)
    fold[order] = np.arange(len(names)) % folds
    return np.asarray(fold[owner], dtype=np.intp)
