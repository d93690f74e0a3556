"""One phase of a study: rotations of its variants, their differences, and one results file that grows with them."""

import json
import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgclip.errors import DataError, UsageError
from ecgclip.studies.comparison import MEASURES, compare_family
from ecgclip.studies.rotation import (
    DONE,
    Cell,
    Rotation,
    finished_rotation,
    open_shared_store,
    protocol,
    rotate_all,
)

from .phases import PHASES, Decision, Family, Phase, claim_confirmation, phase_folds
from .variants import Variant

if TYPE_CHECKING:
    from ecgclip.corpora import Store

__all__ = ["SHOWN", "confirm", "explore"]

SHOWN = ("macro", "beat", "leads", "localisation", "competing", "probe-1", "probe-10")
"""The measures whose differences an exploring phase computes."""


def explore(
    variants: Mapping[str, Variant],
    data: str | Path | None,
    *,
    out: str | Path,
    results: str | Path,
    folds: Iterable[int] | None = None,
    jobs: int = 1,
    draws: int = 1000,
    report: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Rotate variants over the exploring folds and add them to the results file.

    Args:
        variants: by name.
        data: corpus or prepared store.
        out: folder of the cells.
        results: the JSON file; variants that it holds already stay there.
        folds: some of the phase's folds.
        jobs: cells trained at once.
        draws: of the patient bootstrap.
        report: told the progress.

    Raises:
        UsageError: a fold of the other phase, or variants of different stores.
        DataError: the data cannot be used, or the results file is of another store.
    """
    phase, file = PHASES["explore"], Path(results)
    store = _one_store(variants, data, report)
    known = _known(file, store)
    rotations = _rotate(variants, store, phase, folds, Path(out), jobs, report)
    found = {
        **_header(phase, store),
        "variants": known.get("variants", {}),
        "differences": known.get("differences", {}),
    }
    for name, rotation in rotations.items():
        found["variants"][name] = _entry(variants[name], rotation)
    for variant in {each.group: each for each in variants.values()}.values():
        members = _members(variant, found["variants"], Path(out) / phase.name / "cells")
        found["differences"][variant.group] = _differences(variant.against, members, draws)
    _write(file, found)
    return found


def confirm(
    variants: Mapping[str, Variant],
    decision: Decision,
    data: str | Path | None,
    *,
    out: str | Path,
    results: str | Path,
    folds: Iterable[int] | None = None,
    jobs: int = 1,
    draws: int = 1000,
    report: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Rotate the decided variants over the confirming folds, once, and compare the decided families.

    The families are trained first, and compared and written when every fold of theirs is there; then what is only
    reported. Some of the folds may be run before. The decision is kept in ``<results>.decision.json`` from the
    first call on.

    Raises:
        UsageError: a fold of the other phase.
        DataError: another decision was confirmed before.
    """
    phase, file = PHASES["confirm"], Path(results)
    wanted = {name: variants[name] for name in decision.variants}
    store = _one_store(wanted, data, report)
    kept = claim_confirmation(
        file.with_suffix(".decision.json"),
        decision,
        {name: each.recipe for name, each in wanted.items()},
        store.hash,
    )
    rotations: dict[str, Rotation] = {}
    found: dict[str, Any] = {}
    # what is judged first: a night that ends early decides
    for names in (decision.judged, decision.reported):
        part = {name: wanted[name] for name in names if name not in rotations}
        if not part:
            continue
        rotations |= _rotate(part, store, phase, folds, Path(out), jobs, report)
        found = {**_header(phase, store), **kept, **_compared(decision, rotations, phase, draws)}
        found["variants"] = {name: _entry(wanted[name], rotation) for name, rotation in rotations.items()}
        _write(file, found)
    return found


def _compared(
    decision: Decision, rotations: Mapping[str, Rotation], phase: Phase, draws: int
) -> dict[str, Any]:
    """Whether all folds of the families are there, their comparisons if so, and what is reported beside them."""
    if not _complete([rotations[name] for name in decision.judged], phase):
        return {"complete": False}
    families = [
        {
            **each.model_dump(),
            "against": list(each.against),
            "differences": [
                asdict(row)
                for row in compare_family(
                    rotations[each.formulation],
                    {name: rotations[name] for name in each.against},
                    each.measure,
                    draws=draws,
                )
            ],
            "other_measures": _other_measures(each, rotations, draws),
        }
        for each in decision.families
    ]
    first = decision.families[0]
    beside = [name for name in decision.reported if name in rotations and _complete([rotations[name]], phase)]
    return {
        "complete": True,
        "families": families,
        "reported": _unadjusted(rotations[first.formulation], beside, first.measure, rotations, draws),
    }


def _other_measures(family: Family, rotations: Mapping[str, Rotation], draws: int) -> dict[str, Any]:
    """The family's differences on what it is not judged on."""
    mine = rotations[family.formulation]
    found = {
        measure: _unadjusted(mine, family.against, measure, rotations, draws)
        for measure in SHOWN
        if measure != family.measure
    }
    return {measure: rows for measure, rows in found.items() if rows}


def _unadjusted(
    formulation: Rotation, against: Iterable[str], measure: str, rotations: Mapping[str, Rotation], draws: int
) -> list[dict[str, Any]]:
    """A rotation less each of others; left out where a side has no such figure, as one that points at no moments."""
    found = []
    for name in against:
        try:
            row = compare_family(formulation, {name: rotations[name]}, measure, draws=draws)[0]
        except DataError:
            continue
        found.append({**asdict(row), "p_holm": None})
    return found


def _one_store(
    variants: Mapping[str, Variant], data: str | Path | None, report: Callable[[str], None] | None
) -> "Store":
    """The store that all variants read.

    Raises:
        UsageError: they do not share one.
    """
    first = next(iter(variants.values()))
    for each in variants.values():
        for part in ("preprocessing", "data"):
            if getattr(each.recipe, part) != getattr(first.recipe, part):
                raise UsageError(
                    f"variants {first.name} and {each.name} differ in {part}: a study compares on one store"
                )
    return open_shared_store(first.recipe, data, report)


def _rotate(
    variants: Mapping[str, Variant],
    store: "Store",
    phase: Phase,
    folds: Iterable[int] | None,
    out: Path,
    jobs: int,
    report: Callable[[str], None] | None,
) -> dict[str, Rotation]:
    """Run the cells that are asked for; give for each variant all finished cells of the phase."""
    root = out / phase.name
    recipes = {name: each.recipe for name, each in variants.items()}
    wanted = phase_folds(phase, folds)
    rotate_all(recipes, store.path, out=root, folds=wanted, seed=phase.seed, jobs=jobs, report=report)
    return {
        name: finished_rotation(name, recipe, store, folds=phase.folds, seed=phase.seed, out=root)
        for name, recipe in recipes.items()
    }


def _complete(rotations: Iterable[Rotation], phase: Phase) -> bool:
    return all(set(rotation.cells) == set(phase.folds) for rotation in rotations)


def _entry(variant: Variant, rotation: Rotation) -> dict[str, Any]:
    return {
        "group": variant.group,
        "title": variant.title,
        "note": variant.note,
        "recipe": variant.recipe.to_dict(),
        "cells": {str(fold): cell.folder.name for fold, cell in rotation.cells.items()},
        **rotation.figures(),
    }


def _members(variant: Variant, entries: Mapping[str, Any], cells: Path) -> dict[str, Rotation]:
    """Rotations of a variant's group, and what it is held against, whose cells are here, of earlier calls too."""
    found = {}
    for name, entry in entries.items():
        mine = {int(fold): Cell(cells / folder) for fold, folder in entry["cells"].items()}
        asked = entry["group"] == variant.group or name == variant.against
        if asked and mine and all((cell.folder / DONE).is_file() for cell in mine.values()):
            found[name] = Rotation(name, mine)
    return found


def _differences(against: str, members: Mapping[str, Rotation], draws: int) -> dict[str, Any]:
    """Every variant of a group minus the one that it is held against, where both have the same folds."""
    found: dict[str, list[dict[str, Any]]] = {}
    if against not in members:
        return {"against": against, "measures": found}
    reference = members[against]
    same = [
        each for name, each in members.items() if name != against and set(each.cells) == set(reference.cells)
    ]
    for measure in SHOWN:
        found[measure] = [
            {**row, "name": each.name}
            for each in same
            for row in _unadjusted(each, [against], measure, members, draws)
        ]
    return {"against": against, "measures": found}


def _header(phase: Phase, store: "Store") -> dict[str, Any]:
    from importlib.metadata import version

    return {
        "phase": phase.name,
        "folds": list(phase.folds),
        "study_seed": phase.seed,
        "corpus": {"name": store.name, "hash": store.corpus_hash, "store": store.hash, "n": len(store)},
        "protocol": protocol(),
        "measures": {name: measure.title for name, measure in MEASURES.items()},
        "command": " ".join(["python", *sys.argv]),
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": f"{platform.machine()}, {platform.system()}",
        "versions": {name: version(name) for name in ("ecgclip", "torch", "numpy")},
    }


def _known(file: Path, store: "Store") -> dict[str, Any]:
    if not file.is_file():
        return {}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if found["corpus"]["store"] != store.hash:
        raise DataError(
            f"{file}: holds results of store {found['corpus']['store']}, and this is {store.hash}: write the results "
            "of another corpus to another file"
        )
    return found


def _write(file: Path, value: Mapping[str, Any]) -> None:
    from ecgclip.training.run_folder import write_json

    write_json(file, value)
