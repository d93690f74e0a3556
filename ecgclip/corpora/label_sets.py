"""Label sets: named, ordered classes and how to read them off a corpus table.

The facts stand in ``label_sets.json`` beside this file. A label is matched by name, never by position, and
counts whatever likelihood was noted with it (PTB-XL's rhythm statements nearly all carry 0.0).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecgclip.errors import DataError, UsageError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

LABEL_SETS = (
    "ptbxl-superclass",
    "ptbxl-subclass",
    "ptbxl-form",
    "ptbxl-rhythm",
    "ptbxl-diagnostic",
    "ptbxl-all",
    "cpsc2018",
    "csn",
    "csn-legacy",
    "challenge-2021",
)


@dataclass(frozen=True, eq=False)
class LabelSet:
    """Ordered classes and the codes that mean them.

    Args:
        name: the set's name.
        codes: the classes, in the order of the columns.
        names: display name of each class.
        sources: for each class, the codes of each code system that mean it.
        substring: count a class where its code is a substring of the record's joined acronyms, the fault
            of the circulating CSN split files; only to compare with figures published on them.
    """

    name: str
    codes: tuple[str, ...]
    names: Mapping[str, str]
    sources: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict, repr=False)
    substring: bool = False

    def __post_init__(self) -> None:
        if not self.codes or len(set(self.codes)) != len(self.codes):
            raise UsageError(f"label set {self.name!r} needs at least one code and no code twice")

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def of(cls, name: str, codes: Iterable[str], names: Mapping[str, str] | None = None) -> LabelSet:
        """A set of a user's own: each code stands for itself, in whatever code system it comes."""
        codes = tuple(codes)
        return cls(name, codes, {code: (names or {}).get(code, code) for code in codes})

    @property
    def systems(self) -> tuple[str, ...]:
        """Code systems that the set can be read off, besides a manifest's own labels."""
        return tuple(sorted({system for means in self.sources.values() for system in means}))

    def columns_of(self, code: str, system: str) -> tuple[int, ...]:
        """Columns that a code of a system switches on; empty where it means no class of the set."""
        return self._lookup(system).get(code, ())

    def matrix(self, table: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.int8]]:
        """Read the labels of a corpus table: ``(n, n_labels)`` of 0 and 1; an absent label is 0.

        Args:
            table: a corpus or store table, with columns ``codes`` and ``code_system``.

        Raises:
            DataError: if recordings carry no labels, codes of a system that the set cannot be read off, or
                a manifest's labels none of which belong to the set.
        """
        systems = table["code_system"].to_list()
        self._check_systems(systems)
        matrix = np.zeros((len(table), len(self.codes)), dtype=np.int8)
        for row, (codes, system) in enumerate(zip(table["codes"].to_list(), systems, strict=True)):
            matrix[row, self._columns(codes, system)] = 1
        labelled = table["code_system"] == "label"
        if labelled.any() and not matrix.any() and any(len(codes) for codes in table["codes"]):
            found = sorted({code for codes in table["codes"] for code in codes})[:5]
            raise DataError(
                f"label set {self.name!r}: no label of the manifest belongs to it (found "
                f"{', '.join(found)}); expected codes such as {', '.join(self.codes[:5])}"
            )
        return matrix

    def unread(self, table: pd.DataFrame) -> Counter[str]:
        """Codes of the table that mean no class of the set, counted."""
        left: Counter[str] = Counter()
        for codes, system in zip(table["codes"].to_list(), table["code_system"].to_list(), strict=True):
            left.update(code for code in codes if not self._columns([code], system))
        return left

    def _columns(self, codes: Iterable[str], system: str) -> list[int]:
        if self.substring and system != "label":
            joined = ",".join(_acronyms(codes, system))
            return [column for column, code in enumerate(self.codes) if code in joined]
        lookup = self._lookup(system)
        return [column for code in codes for column in lookup.get(code, ())]

    def _lookup(self, system: str) -> dict[str, tuple[int, ...]]:
        cached: dict[str, dict[str, tuple[int, ...]]] = self.__dict__.setdefault("_lookups", {})
        if system not in cached:
            cached[system] = self._build_lookup(system)
        return cached[system]

    def _build_lookup(self, system: str) -> dict[str, tuple[int, ...]]:
        own: dict[str, tuple[int, ...]] = {code: (column,) for column, code in enumerate(self.codes)}
        if not self.sources:
            return own
        found: dict[str, list[int]] = {}
        for column, code in enumerate(self.codes):
            for known, means in self.sources[code].items():
                if known == system or system == "label":
                    for source in means:
                        found.setdefault(source, []).append(column)
        lookup = {code: tuple(columns) for code, columns in found.items()}
        return {**lookup, **own} if system == "label" else lookup

    def _check_systems(self, systems: list[str]) -> None:
        counts = Counter(systems)
        bare = counts.pop("none", 0)
        if bare:
            raise DataError(
                f"label set {self.name!r}: {bare} of {len(systems)} recordings carry no labels; "
                "give a corpus with labels, or a manifest with a column labels"
            )
        if not self.sources:
            return
        known = {*self.systems, "label"} | ({"csn", "snomed"} if self.substring else set())
        for system in counts:
            if system not in known:
                raise DataError(
                    f"label set {self.name!r} cannot be read off {system} codes, only off "
                    f"{', '.join(sorted(known - {'label'}))}; choose another label set for this corpus"
                )


def label_set(name: str) -> LabelSet:
    """The label set of a name.

    Raises:
        UsageError: if there is none; the message lists those that there are.
    """
    if name not in LABEL_SETS:
        raise unknown_name("label set", name, LABEL_SETS)
    return _load(name)


@cache
def facts() -> dict[str, Any]:
    """The shipped facts: ``scp_statements``, ``csn_acronyms``, ``sets``."""
    text = (Path(__file__).parent / "label_sets.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def _load(name: str) -> LabelSet:
    labels = facts()["sets"]["csn" if name == "csn-legacy" else name]
    sources = {
        code: {key: tuple(means) for key, means in label.items() if isinstance(means, list)}
        for code, label in labels.items()
    }
    return LabelSet(
        name,
        tuple(labels),
        {code: label["name"] for code, label in labels.items()},
        sources,
        substring=name == "csn-legacy",
    )


def _acronyms(codes: Iterable[str], system: str) -> list[str]:
    """CSN acronyms of codes; a SNOMED code shared by several takes the first, as the split files do."""
    if system == "csn":
        return list(codes)
    first: dict[str, str] = {}
    for acronym, snomed in facts()["csn_acronyms"].items():
        first.setdefault(snomed, acronym)
    return [first[code] for code in codes if code in first]
