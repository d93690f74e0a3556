"""Why a protocol cannot be run on a model and a corpus, said before anything is computed."""

from collections.abc import Callable, Mapping

from .bench import OWN, Bench
from .mapping import tested_sets

__all__ = ["hindrance"]


def hindrance(name: str, bench: Bench) -> str:
    """What is missing for a protocol, and what to do; empty where it can be run.

    Args:
        name: of ``PROTOCOLS``.
        bench: model and corpus.
    """
    for check in _NEEDS[name]:
        if said := check(bench):
            return said
    return ""


def _model(bench: Bench) -> str:
    return "" if bench.model is not None else "an outside encoder has no text side and no recipe"


def _labels(bench: Bench) -> str:
    return (
        ""
        if bench.sets
        else "the corpus carries no labels: give one that does, or a manifest with a column labels"
    )


def _bank(bench: Bench) -> str:
    if bench.banked:
        return ""
    return f"label set {OWN!r} has no prompt bank: give --labels a set that has one, such as ptbxl-superclass"


def _apart(bench: Bench) -> str:
    if bench.split != "all":
        return ""
    return "it learns on the training part, which split 'all' would score: give another split"


def _training_part(bench: Bench) -> str:
    held = (bench.store.table["split"] == "train").any()
    return "" if held else "the corpus has no training part: mark recordings as train in it"


def _second_corpus(bench: Bench) -> str:
    if bench.other is None:
        return "no second corpus to test on: give --to PATH"
    if tested_sets(bench.other):
        return ""
    held = ", ".join(sorted(bench.other.table["code_system"].unique()))
    return f"{bench.other.name} carries {held} codes, off which CPSC's nine classes cannot be read: give another corpus"


def _reports(bench: Bench) -> str:
    reports = bench.table()["report"]
    named = sum(bool(str(text).strip()) for text in reports)
    return "" if named > 1 else f"{named} of the {len(reports)} recordings have a report, and two are needed"


def _recipe(bench: Bench) -> str:
    if bench.recipe is None:
        return "no recipe says how to train: give a run folder"
    scp = (bench.store.table["code_system"] == "scp").all()
    return "" if scp else "it learns PTB-XL's statements, and this corpus carries none"


_Check = Callable[[Bench], str]

_NEEDS: Mapping[str, tuple[_Check, ...]] = {
    "zero_shot": (_model, _labels, _bank),
    "linear_probe": (_labels, _apart, _training_part),
    "few_shot": (_labels, _apart, _training_part),
    "retrieval": (_model, _reports),
    "transfer": (_second_corpus, _training_part),
    "leads": (_model, _labels, _bank),
    "robustness": (_model, _labels, _bank),
    "calibration": (_model, _labels, _bank),
    "fine_tune": (_model, _labels, _apart, _training_part, _recipe),
}
