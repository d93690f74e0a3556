"""Measure where the mass of a finding lies, for any models: README.md states the protocol.

    python benchmarks/localisation/measure.py --store STORE --model seed0=RUN --out benchmarks/localisation/results

Each model and study has its own JSON file; what is there already is not measured again.
"""

import argparse
import json
import platform
import sys
from pathlib import Path

from ecgclip import ECGTextModel
from ecgclip.corpora import Store
from ecgclip.corpora.writing import write_text
from ecgclip.studies import localisation as study

STUDIES = ("planted", "two-simulated", "two-real", "real")
CONTROLS = ("attention", "maxsim", "logsumexp")


def measure(model: ECGTextModel, store: Store, name: str, scale: str | None, folds: list[int]) -> dict:
    readings = study.readings_of(model, scale)
    if name == "planted":
        rows = study.within_rows(model, study.planted_simulated(model, ["PVC"]), readings)
        rows = [row | {"enough": row["share"] >= study.ENOUGH} for row in rows]
        keys = ["enough", "share"]
    elif name == "two-simulated":
        rows = study.two_finding_rows(model, study.planted_simulated(model, ["PVC", "PAC"]), readings)
        keys = ["both", "pvc", "pac", "pvc_on_pvc", "pac_on_pac"]
    elif name == "two-real":
        rows = study.two_finding_rows(model, study.planted_in_real(store, folds, ["PVC", "PAC"]), readings)
        keys = ["both", "pvc", "pac", "pvc_on_pvc", "pac_on_pac"]
    else:
        rows = study.real_rows(model, study.real_cases(store, folds), readings)
        keys = ["ratio", "possible", "share"]
    figures = {key: study.summary(rows, key, against=CONTROLS) for key in keys}
    return {"figures": figures, **columns(rows)}


def columns(rows: list[dict]) -> dict:
    """Every recording's values, by reading and column, in the order of ``cases``."""
    first = [row for row in rows if row["reading"] == rows[0]["reading"]]
    keys = [key for key in rows[0] if key not in ("case", "patient", "reading")]
    values = {
        reading: {
            key: [round(float(row[key]), 4) for row in rows if row["reading"] == reading] for key in keys
        }
        for reading in dict.fromkeys(row["reading"] for row in rows)
    }
    return {
        "cases": [row["case"] for row in first],
        "patients": [row["patient"] for row in first],
        "values": values,
    }


def show(name: str, found: dict) -> None:
    keys = list(found["figures"])
    print(f"\n{name}, {next(iter(found['figures'][keys[0]].values()))['n']} recordings")
    print(f"{'reading':28}" + "".join(f"{key:>26}" for key in keys))
    for reading in found["figures"][keys[0]]:
        cells = [found["figures"][key][reading] for key in keys]
        print(
            f"{reading:28}" + "".join(f"{c['mean']:9.3f} ({c['low']:6.3f}-{c['high']:6.3f})" for c in cells)
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", action="append", required=True, metavar="NAME=RUN")
    parser.add_argument("--store", required=True, help="prepared PTB-XL")
    parser.add_argument("--folds", type=int, nargs="+", default=[9, 10], help="that no model trained on")
    parser.add_argument("--scale", choices=("beat", "token"))
    parser.add_argument("--studies", nargs="+", choices=STUDIES, default=list(STUDIES))
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    store = Store.open(args.store)
    for entry in args.model:
        name, _, run = entry.partition("=")
        model = ECGTextModel.from_pretrained(run)
        for each in args.studies:
            path = Path(args.out) / f"{name}{'-' + args.scale if args.scale else ''}.{each}.json"
            if path.is_file():
                found = json.loads(path.read_text(encoding="utf-8"))
            else:
                found = {
                    "command": " ".join(sys.argv),
                    "machine": platform.machine(),
                    "store": store.hash,
                    "folds": args.folds,
                }
                found |= measure(model, store, each, args.scale, args.folds)
                write_text(path, json.dumps(found) + "\n")
            show(f"{name}: {each}", found)


if __name__ == "__main__":
    main()
