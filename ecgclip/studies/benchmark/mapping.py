"""The mapping table: which codes of a training corpus mean which class of the corpus that is tested."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ecgclip.corpora import Store, label_set
from ecgclip.errors import DataError

__all__ = ["LabelMapping", "label_mapping", "tested_sets"]

_FILE = Path(__file__).with_name("mappings.yaml")


@dataclass(frozen=True)
class LabelMapping:
    """Codes of one system that mean the classes of a label set.

    Attributes:
        system: code system of the training corpus.
        labels: the label set.
        codes: codes that mean a class.
        but: codes that make a record no example of a class.
        unmapped: classes without a counterpart.
    """

    system: str
    labels: str
    codes: Mapping[str, frozenset[str]]
    but: Mapping[str, frozenset[str]]
    unmapped: tuple[str, ...]

    def matrix(self, table: pd.DataFrame) -> npt.NDArray[np.int8]:
        """The classes of a training corpus's records, ``(n, labels)``; an unmapped class is 0 throughout."""
        wanted = label_set(self.labels).codes
        found = np.zeros((len(table), len(wanted)), dtype=np.int8)
        for row, codes in enumerate(table["codes"]):
            held = set(codes)
            for column, code in enumerate(wanted):
                means, but = self.codes.get(code, frozenset()), self.but.get(code, frozenset())
                found[row, column] = bool(means & held) and not but & held
        return found


def label_mapping(system: str, labels: str) -> LabelMapping:
    """The shipped mapping from a code system to a label set.

    Raises:
        DataError: there is none; those that there are are named.
    """
    known = {(each["from"], each["to"]): each for each in _entries()}
    if (system, labels) not in known:
        there = ", ".join(f"{a} to {b}" for a, b in known)
        raise DataError(
            f"no mapping from {system} codes to {labels}: add one to {_FILE.name} (there is {there})"
        )
    return _read(known[system, labels])


def tested_sets(store: Store) -> tuple[str, ...]:
    """Label sets that a corpus is tested on by transfer: CPSC's nine, whatever form it comes in; empty where none."""
    systems = set(store.table["code_system"])
    return ("cpsc2018",) if systems & {"cpsc2018", "snomed"} else ()


@cache
def _entries() -> Sequence[Mapping[str, Any]]:
    from ecgclip.training.yaml import read_yaml

    found: Sequence[Mapping[str, Any]] = read_yaml(_FILE)["mappings"]
    return found


def _read(entry: Mapping[str, Any]) -> LabelMapping:
    wanted, classes = label_set(str(entry["to"])).codes, entry["classes"]
    odd = sorted(set(classes) - set(wanted))
    if odd:
        raise DataError(f"{_FILE}: {entry['to']} has no class {odd[0]!r}; expected {', '.join(wanted)}")
    return LabelMapping(
        system=str(entry["from"]),
        labels=str(entry["to"]),
        codes={code: frozenset(map(str, each["codes"])) for code, each in classes.items()},
        but={code: frozenset(map(str, each.get("not", ()))) for code, each in classes.items()},
        unmapped=tuple(code for code in wanted if code not in classes),
    )
