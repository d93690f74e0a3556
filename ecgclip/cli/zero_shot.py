"""``ecgclip zero-shot``: a model and recordings in, a table or one row a recording out."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import add_data, add_json, add_labels, add_out, add_split, check_out

if TYPE_CHECKING:
    from ecgclip.models import ECGTextModel

NAME = "zero-shot"
HELP = "classify recordings by a model that was given no labels; a table where the corpus has labels"

_DEFAULT_SETS = {
    "scp": "ptbxl-superclass,ptbxl-subclass,ptbxl-form,ptbxl-rhythm",
    "cpsc2018": "cpsc2018",
    "snomed": "challenge-2021",
    "csn": "csn",
}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("model", metavar="RUN", help="run folder, model folder or hub id")
    add_data(parser, required=True, what="a corpus, a store, a folder of recordings or one recording")
    add_labels(parser)
    add_split(parser)
    add_out(parser, "write the scores, one row a recording and label (CSV or Parquet by the ending)")
    add_json(parser)
    parser.add_argument(
        "--scores", action="store_true", help="one row a recording even where labels are known"
    )
    parser.add_argument("--allow-missing", action="store_true", help="go on where recordings are absent")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import torch

    from ecgclip.models import ECGTextModel

    check_out(args.out, (".csv", ".parquet"))
    model = ECGTextModel.from_pretrained(args.model)
    corpus = _open(args.data, args.allow_missing)
    if len(corpus) == 1:  # several threads would only wait for one another, on a busy machine for seconds
        torch.set_num_threads(1)
    systems = [s for s in corpus.table["code_system"].unique() if s != "none"]
    labels = args.labels or _DEFAULT_SETS.get(systems[0] if systems else "", "ptbxl-superclass")
    wanted = list(dict.fromkeys(name.strip() for name in labels.split(",") if name.strip()))
    if systems and not args.scores and not any(_is_bank_file(name) for name in wanted):
        _check_readable(wanted, systems)
        return _tables(model, corpus, wanted, args)
    return _rows(model, corpus, wanted, args)


def _open(data: str, allow_missing: bool) -> Any:
    from ecgclip.corpora import Store, open_corpus

    if (Path(data) / "manifest.json").is_file():
        return Store.open(data)
    return open_corpus("auto", data, allow_missing=allow_missing)


def _is_bank_file(name: str) -> bool:
    return Path(name).suffix.lower() in (".yaml", ".yml")


def _check_readable(wanted: list[str], systems: list[str]) -> None:
    """Refuse a table for which the corpus has no truth, and name the way to scores without one."""
    from ecgclip.corpora import label_set
    from ecgclip.errors import UsageError

    for name in wanted:
        labels = label_set(name)
        known = {*labels.systems, "label"}
        if labels.sources and not labels.substring and known.isdisjoint(systems):
            raise UsageError(
                f"--labels {name}: this corpus carries {', '.join(systems)} codes, off which the set cannot be "
                "read: choose another set, or --scores for one row a recording"
            )


def _split(corpus: Any, asked: str | None) -> str | None:
    """The split to read: what was asked; else validation where the corpus has one, else everything."""
    if asked is not None:
        return None if asked == "all" else asked
    return "validation" if (corpus.table["split"] == "validation").any() else None


def _tables(model: "ECGTextModel", corpus: Any, wanted: list[str], args: argparse.Namespace) -> int:
    import pandas as pd

    from ecgclip.evaluation import render_table
    from ecgclip.evaluation.evaluate import evaluations

    split = _split(corpus, args.split)
    means, found_json, long = [], {}, []
    for name, found in evaluations(model, corpus, wanted, split=split).items():
        means.append(found.macro)
        found_json[name] = json.loads(found.table.to_json(orient="index"))
        long.append(found.long_scores().assign(labels=name))
        if not args.json:
            print(
                render_table(found.table, title=f"{name}, zero-shot, {split or 'all recordings'}"), end="\n\n"
            )
    _tell_errors(found.errors)
    if args.json:
        print(json.dumps(found_json))
    else:
        _tell_mean(means)
    _write(pd.concat(long, ignore_index=True), args.out)
    return 0


def _tell_mean(means: list[float]) -> None:
    """The mean over label sets, only where each of them can be scored."""
    if len(means) < 2:
        return
    unscored = sum(mean != mean for mean in means)
    if unscored:
        print(f"no mean of the {len(means)} sets: {unscored} of them have too few positives to be scored")
    else:
        print(f"mean of the {len(means)} sets: {sum(means) / len(means):.3f}")


def _rows(model: "ECGTextModel", corpus: Any, wanted: list[str], args: argparse.Namespace) -> int:
    import pandas as pd

    from ecgclip.errors import DataError
    from ecgclip.models import take_split
    from ecgclip.prompts import ZeroShotClassifier, decision_functions

    part = take_split(corpus, None if args.split in (None, "all") else args.split)
    ids = part.table["record_id"].to_numpy()
    classifiers = [ZeroShotClassifier(model, name) for name in wanted]
    found = decision_functions(classifiers, part, on_error="mark")
    errors = {str(ids[k]): why for k, why in classifiers[0].errors_.items()}
    if errors and len(errors) == len(ids):
        raise DataError(_none_read(errors))
    long, names = [], {}
    for name, classifier, scores in zip(wanted, classifiers, found, strict=True):
        probability = classifier.probability(scores)
        names.update({(name, code): title for code, title in classifier.bank.names.items()})
        for k, record in enumerate(ids):
            order = (-scores[k]).argsort()
            rows = [(record, name, classifier.classes_[j], scores[k, j], probability[k, j]) for j in order]
            long.append(pd.DataFrame(rows, columns=["record", "labels", "label", "score", "probability"]))
    table = pd.concat(long, ignore_index=True)
    if args.json:
        print(table.to_json(orient="records"))
    elif args.out is None or len(ids) == 1:
        shown = table.assign(
            finding=[names[key] for key in zip(table["labels"], table["label"], strict=True)]
        )
        shown = shown[shown["score"].notna()]
        print(shown.to_string(index=False, float_format=lambda v: f"{v:.3f}"))
        print(
            "\nscore ranks recordings within a label; probability rests on a stated prior of 0.1, uncalibrated"
        )
    _tell_errors(errors)
    _write(table, args.out)
    return 0


def _none_read(errors: dict[str, str]) -> str:
    """One sentence for recordings none of which could be read."""
    first = next(iter(errors.values()))
    return (
        first if len(errors) == 1 else f"none of {len(errors)} recordings could be read, the first: {first}"
    )


def _tell_errors(errors: dict[str, str]) -> None:
    if not errors:
        return
    whose = (
        "recording could not be read and has" if len(errors) == 1 else "recordings could not be read and have"
    )
    sys.stderr.write(f"ecgclip: {len(errors)} {whose} no score:\n")
    for record, why in list(errors.items())[:10]:
        sys.stderr.write(f"  {record}: {why}\n")
    if len(errors) > 10:
        sys.stderr.write(f"  and {len(errors) - 10} more\n")


def _write(table: Any, out: str | None) -> None:
    if out is None:
        return
    from ecgclip.corpora.writing import whole_file

    path = Path(out)
    with whole_file(path) as temporary:
        if path.suffix.lower() == ".parquet":
            table.to_parquet(temporary)
        else:
            table.to_csv(temporary, index=False)
    print(f"scores: {path}")
