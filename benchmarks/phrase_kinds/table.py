"""Measure the kinds of phrase of one run, or write README.md's tables from the results files (``--check``: compare).

python benchmarks/phrase_kinds/table.py RUN STORE --folds 9 --out benchmarks/phrase_kinds/results/RUN.fold9.json
python benchmarks/phrase_kinds/table.py
"""

import argparse
import json
import platform
import sys
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from ecgclip.errors import ECGClipError
from ecgclip.studies.readme_tables import keep_tables

HERE = Path(__file__).parent
SETS = ("ptbxl-superclass", "ptbxl-subclass", "ptbxl-form", "ptbxl-rhythm")
TABLES = ("fold9", "exploring", "fold10")
"""Results files by the end of their names."""


def measure(run: str, store: str, folds: list[int], out: Path) -> None:
    """Make the table of one run on folds that it did not train on, and write it with what it rests on."""
    from ecgclip import ECGTextModel
    from ecgclip.corpora import Store
    from ecgclip.corpora.writing import write_text
    from ecgclip.evaluation import phrase_kinds
    from ecgclip.models import StorePart, model_hash

    model, corpus = ECGTextModel.from_pretrained(run), Store.open(store)
    part = StorePart(corpus, corpus.indices(folds=folds))
    table = phrase_kinds(model, part, SETS, split=None)
    result = {
        "protocol": "phrase_kinds",
        "rows": json.loads(table.to_json(orient="index", double_precision=6)),
        **table.attrs,
        "folds": folds,
        "n": len(part),
        "model": model_hash(model),
        "corpus": corpus.name,
        "corpus_hash": corpus.corpus_hash,
        "store_hash": corpus.hash,
        "versions": {name: version(name) for name in ("ecgclip", "torch", "numpy", "scikit-learn")},
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "command": f"python benchmarks/phrase_kinds/table.py RUN STORE --folds {' '.join(map(str, folds))} --out OUT",
        "date": datetime.now(timezone.utc).date().isoformat(),
    }
    write_text(out, json.dumps(result, indent=1) + "\n")
    print(table.round(3).to_string())


def rendered(name: str) -> list[str]:
    """One table, a line a kind: means over its results files, and the interval of each."""
    files = sorted((HERE / "results").glob(f"*.{name}.json"))
    found = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    if not found:
        return ["*Not run yet.*"]
    lines = [
        "| phrases | superclass | subclass | form | rhythm | mean | less the default | by reports |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind, says in found[0]["says"].items():
        rows = [each["rows"][kind] for each in found]
        cells = [_mean(rows, name) for name in (*SETS, "mean", "difference", "by_reports")]
        cells[5] = "" if kind == "default" else f"{sum(r['difference'] for r in rows) / len(rows):+.3f}"
        if kind != "default":
            cells[5] += " (" + ", ".join(f"{row['low']:+.3f} to {row['high']:+.3f}" for row in rows) + ")"
        note = f"; {rows[0]['fallbacks']} labels have none" if rows[0]["fallbacks"] else ""
        lines.append(f"| `{kind}`: {says}{note} | {' | '.join(cells)} |")
    return lines


def _mean(rows: list[dict[str, float]], name: str) -> str:
    return f"{sum(row[name] for row in rows) / len(rows):.3f}"


def main() -> int:
    """Measure, write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?")
    parser.add_argument("store", nargs="?")
    parser.add_argument("--folds", type=int, nargs="+", default=[9], help="that the run did not train on")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    if args.run:
        if args.store is None or args.out is None:
            parser.error("give RUN, STORE and --out")
        measure(args.run, args.store, args.folds, args.out)
        return 0
    try:
        tables = {f"phrase_kinds-{name}": rendered(name) for name in TABLES}
        keep_tables(HERE / "README.md", tables, check=args.check)
    except ECGClipError as error:
        sys.exit(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
