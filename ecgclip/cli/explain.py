"""``ecgclip explain``: where in a recording a model sees each finding, as a table, a sheet or numbers."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import add_data, add_json, add_labels, add_out, check_out

if TYPE_CHECKING:
    import pandas as pd

    from ecgclip.models import ECGTextModel
    from ecgclip.prompts.explain import Explanation

NAME = "explain"
HELP = "show on which beats or moments of a recording each finding rests; draws the 12-lead sheet"

_PICTURES, _TABLES = (".png", ".svg", ".pdf"), (".json", ".csv")
_TOP = 5


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("model", metavar="RUN", help="run folder, model folder or hub id")
    add_data(parser, required=True, what="one recording, or a corpus or store with --record")
    parser.add_argument("--record", metavar="ID", help="record id in a corpus or store")
    parser.add_argument("--text", metavar="'A; B'", help="findings in words; by default those of the report")
    add_labels(parser)
    add_out(parser, "write the sheet (.png, .svg, .pdf) or the numbers (.csv, .json)")
    parser.add_argument("--plan", help="another coupling than the model was trained with, as a control")
    parser.add_argument("--scale", choices=("beat", "token"), help="beats, or moments of 0.16 s")
    parser.add_argument(
        "--against",
        choices=("phrases", "bank"),
        help="what the findings compete with: one another, or all findings that the model knows",
    )
    parser.add_argument(
        "--start", type=float, default=0.0, metavar="S", help="second at which the sheet begins"
    )
    add_json(parser)
    parser.add_argument("--plain", action="store_true", help="tab-separated lines without a heading")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from ecgclip.errors import UsageError

    check_out(args.out, (*_PICTURES, *_TABLES))
    if args.text is not None and args.labels is not None:
        raise UsageError("--text and --labels both say what to look for: give one of them")
    from ecgclip.models import ECGTextModel
    from ecgclip.prompts.explain import explain

    part, name, report = _record(args.data, args.record)
    model = ECGTextModel.from_pretrained(args.model)
    phrases = _phrases(model, part, report, args)
    found = explain(model, part, phrases, scale=args.scale, plan=args.plan, text_measure=args.against)
    rows = _rows(model, part, found)
    if args.json:
        print(json.dumps(_numbers(found, rows, name)))
    else:
        _tell(rows, found, name, plain=args.plain)
    if args.out is not None:
        _write(args, part, found, rows, name)
    return 0


def _record(data: str, record: str | None) -> tuple[Any, str, str]:
    """The one recording as a corpus or part of a store, its id and its report."""
    from ecgclip.corpora import Store, open_corpus
    from ecgclip.models import StorePart

    is_store = (Path(data) / "manifest.json").is_file()
    whole: Any = Store.open(data) if is_store else open_corpus("auto", data, allow_missing=True)
    row = _row(whole.table, data, record)
    report, name = str(whole.table["report"].iloc[row]), str(whole.table["record_id"].iloc[row])
    if is_store:
        import numpy as np

        return StorePart(whole, np.array([row])), name, report
    return whole.select(indices=[row]), name, report


def _row(table: "pd.DataFrame", data: str, record: str | None) -> int:
    """Position of the recording asked for; the only one where none is."""
    import difflib

    from ecgclip.errors import DataError, UsageError

    ids = [str(each) for each in table["record_id"]]
    if record is None:
        if len(ids) == 1:
            return 0
        raise UsageError(f"{data} holds {len(ids)} recordings: name one by --record, such as {ids[0]}")
    if record not in ids:
        near = difflib.get_close_matches(record, ids, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"its first is {ids[0]}"
        raise DataError(f"{data}: no record {record!r} among {len(ids)}; {hint}")
    return ids.index(record)


def _phrases(model: "ECGTextModel", part: Any, report: str, args: argparse.Namespace) -> list[str]:
    """What was asked for: words, the top labels of a set, or the findings of the record's own report."""
    from ecgclip.errors import UsageError
    from ecgclip.models import readable_texts

    if args.text is not None:
        asked = [phrase.strip() for phrase in args.text.split(";") if phrase.strip()]
        if not asked:
            raise UsageError("--text names no finding: write --text 'atrial fibrillation; premature beats'")
        return list(dict.fromkeys(asked))
    if args.labels is not None:
        return _top_labels(model, part, args.labels)
    found = list(readable_texts(report, model.config.findings))
    if not found:
        raise UsageError("the recording has no report: say what to look for by --text or --labels")
    return found


def _top_labels(model: "ECGTextModel", part: Any, labels: str) -> list[str]:
    """The likeliest labels of a set, each by its first English phrase."""
    from ecgclip.prompts import ZeroShotClassifier

    classifier = ZeroShotClassifier(model, labels)
    order = (-classifier.predict_proba(part)[0]).argsort()[:_TOP]
    phrases = []
    for code in (classifier.bank.labels[k] for k in order):
        known = classifier.bank.label(code).phrases
        english = [phrase.text for phrase in known if phrase.lang == "en"]
        phrases.append((english or [phrase.text for phrase in known])[0])
    return list(dict.fromkeys(phrases))


def _rows(model: "ECGTextModel", part: Any, found: "Explanation") -> list[dict[str, Any]]:
    """Score, mass and place of each phrase."""
    from ecgclip.prompts import finding_scores

    scores = finding_scores(model, part, found.phrases)[0]
    return [
        {
            "phrase": phrase,
            "score": round(float(score), 3),
            "mass": round(float(mass), 4),
            "where": [[round(second, 2), round(share, 3)] for second, share in found.places(column)],
            "leads": [[lead, round(share, 3)] for lead, share in found.leads(column)],
        }
        for column, (phrase, score, mass) in enumerate(zip(found.phrases, scores, found.mass, strict=True))
    ]


def _place(row: dict[str, Any]) -> str:
    """The fewest moments that hold half of the mass, and where tokens know it the leads, in words."""
    where = row["where"]
    if not where:
        return "nowhere"
    leads = f" in {', '.join(lead for lead, _ in row['leads'])}" if 0 < len(row["leads"]) <= 4 else ""
    if len(where) > 4:
        return f"spread: half of it over {len(where)} moments{leads}"
    share = sum(each[1] for each in where)
    return f"{share:.0%} at {', '.join(f'{each[0]:.2f} s' for each in where)}{leads}"


def _tell(rows: list[dict[str, Any]], found: "Explanation", name: str, *, plain: bool) -> None:
    if plain:
        for row in rows:
            places = " ".join(f"{second:.2f}" for second, _ in row["where"])
            print(f"{row['phrase']}\t{row['score']:.3f}\t{row['mass']:.4f}\t{places}")
        return
    wide = max(len("finding"), *(len(row["phrase"]) for row in rows))
    print(f"{name}: {found.coupling} of {len(found.plan)} {found.scale}s, {_competitors(found)}\n")
    print(f"{'finding':{wide}}  {'score':>7}  {'mass':>5}  where")
    for row in rows:
        print(f"{row['phrase']:{wide}}  {row['score']:7.2f}  {row['mass']:5.0%}  {_place(row)}")
    print("\nmass is the part of the recording that a finding drew; the fewest places that hold half of it")


def _competitors(found: "Explanation") -> str:
    if found.coupling not in ("transport", "softmax"):
        return "each finding for itself, with equal mass"
    others = "one another" if found.text_measure == "phrases" else "all findings that the model knows"
    return f"the findings compete with {others}"


def _numbers(found: "Explanation", rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return {
        "record": name,
        "coupling": found.coupling,
        "scale": found.scale,
        "text_measure": found.text_measure,
        "token_span": round(found.token_span, 4),
        "beats": [round(float(second), 3) for second in found.beats],
        "phrases": rows,
        "token_times": [round(float(second), 3) for second in found.token_times],
        "token_leads": None if found.token_leads is None else list(found.token_leads),
        "plan": [[round(float(mass), 6) for mass in row] for row in found.plan],
    }


def _write(
    args: argparse.Namespace, part: Any, found: "Explanation", rows: list[dict[str, Any]], name: str
) -> None:
    """Write the sheet, the table or the numbers, by the ending."""
    path = Path(args.out)
    if path.suffix.lower() in _PICTURES:
        _draw(args, part, found, rows, name)
    else:
        from ecgclip.corpora.writing import write_text

        numbers = json.dumps(_numbers(found, rows, name), indent=1) + "\n"
        write_text(path, numbers if path.suffix.lower() == ".json" else found.to_frame().to_csv(index=False))
    if not args.json and not args.plain:
        print(f"written: {path}")


def _draw(
    args: argparse.Namespace, part: Any, found: "Explanation", rows: list[dict[str, Any]], name: str
) -> None:
    from ecgclip.figures import plan_sheet

    stored = hasattr(part, "prepared")
    signal: Any = part.prepared(0).signal if stored else part.record(0)
    plan_sheet(
        signal,
        found.plan,
        found.token_times,
        found.phrases,
        args.out,
        notes=[f"score {row['score']:.2f}     {_place(row)}" for row in rows],
        token_span=found.token_span,
        token_leads=found.token_leads,
        fs=part.preprocessor.fs if stored else None,
        title=name,
        subtitle=f"{found.coupling}, {found.scale}s, {_competitors(found)}",
        start=args.start,
    )
