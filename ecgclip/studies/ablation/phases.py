"""Explore, decide, confirm once: folds 1-5 and their seeds to look at, folds 6-10 and fresh seeds to believe.

What is confirmed is written down before: ``decision.yaml`` names the formulation, the one measure on which it
is judged and the comparisons of each family. The first confirmation keeps the decision with its results, the
recipes included, and no other decision is confirmed after it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from ecgclip.errors import DataError, UsageError, unknown_name
from ecgclip.studies.comparison import MEASURES
from ecgclip.training.recipe import Recipe, Section
from ecgclip.training.run_folder import write_json
from ecgclip.training.yaml import read_yaml

__all__ = ["PHASES", "Decision", "Family", "Phase", "claim_confirmation", "phase_folds", "read_decision"]


@dataclass(frozen=True)
class Phase:
    """Which folds test, and the study's seed.

    Attributes:
        name: ``explore`` or ``confirm``.
        folds: the test folds.
        seed: from which the seed of each fold follows.
    """

    name: str
    folds: tuple[int, ...]
    seed: int


PHASES: Mapping[str, Phase] = {
    "explore": Phase("explore", (1, 2, 3, 4, 5), 0),
    "confirm": Phase("confirm", (6, 7, 8, 9, 10), 1),
}


def phase_folds(phase: Phase, folds: Iterable[int] | None) -> tuple[int, ...]:
    """The folds of a phase, or some of them.

    Raises:
        UsageError: a fold of another phase.
    """
    wanted = phase.folds if folds is None else tuple(dict.fromkeys(folds))
    for fold in wanted:
        if fold not in phase.folds:
            raise UsageError(
                f"fold {fold} is none of --phase {phase.name}: that has {', '.join(map(str, phase.folds))}"
            )
    return wanted


class Family(Section):
    """Comparisons whose p-values are adjusted together."""

    name: str
    formulation: str
    measure: str
    against: tuple[str, ...] = Field(min_length=1)


class Decision(Section):
    """What is to be confirmed, written down before the confirming rotation."""

    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    why: str = Field(min_length=1)
    families: tuple[Family, ...] = Field(min_length=1)
    reported: tuple[str, ...] = ()

    @property
    def judged(self) -> tuple[str, ...]:
        """The variants of the families."""
        named = [name for each in self.families for name in (each.formulation, *each.against)]
        return tuple(dict.fromkeys(named))

    @property
    def variants(self) -> tuple[str, ...]:
        """Every variant that is trained: those that are judged, and those that are reported beside them."""
        return tuple(dict.fromkeys([*self.judged, *self.reported]))


def read_decision(path: str | Path) -> Decision:
    """Read ``decision.yaml``.

    Raises:
        UsageError: it is absent or wrong.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(
            f"{file}: is absent: write down the formulation, its measure, the comparisons and the date before "
            "you confirm (benchmarks/ablation/README.md shows how)"
        )
    try:
        decision = Decision.model_validate_json(json.dumps(read_yaml(file)))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, each['loc']))} {each['msg']}" for each in error.errors()]
        raise UsageError(f"{file}: {'; '.join(faults)}") from None
    for family in decision.families:
        if family.measure not in MEASURES:
            raise unknown_name(f"measure of family {family.name} in {file}:", family.measure, MEASURES)
        if family.formulation in family.against:
            raise UsageError(f"{file}: family {family.name} compares {family.formulation} with itself")
    return decision


def claim_confirmation(
    path: Path, decision: Decision, recipes: Mapping[str, Recipe], store: str
) -> dict[str, Any]:
    """Keep a decision with the hashes of what it trains; later calls must be of the same.

    Args:
        path: the file that keeps it, beside the results.
        decision: what was decided.
        recipes: of every variant that the decision names.
        store: hash of the prepared store.

    Returns:
        What the file holds.

    Raises:
        DataError: another decision was confirmed before.
    """
    wanted = {
        "decision": json.loads(decision.model_dump_json()),
        "recipes": {name: _recipe_hash(recipes[name]) for name in decision.variants},
        "store": store,
    }
    if path.is_file():
        try:
            kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path}: is damaged ({error}): bring it back from the repository") from None
        for key, what in (("decision", "decision"), ("recipes", "recipe of a variant"), ("store", "store")):
            if kept.get(key) != wanted[key]:
                raise DataError(
                    f"{path}: another {what} was confirmed before, and folds 6-10 are looked at once: keep that "
                    "result, or gather new data for a new question"
                )
        return kept
    write_json(path, wanted)
    return wanted


def _recipe_hash(recipe: Recipe) -> str:
    values = {key: value for key, value in recipe.to_dict().items() if key != "name"}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
