"""Measure where the mass of a finding lies, for any models: README.md states the protocol.

    python benchmarks/localisation/measure.py --store STORE --model seed0=RUN --out benchmarks/localisation/results

Each model and study has its own JSON file; what is there already is not measured again. Entries of the same name
are put together: the models of a rotation, each with its own test fold after an @.
"""

import argparse
import json
import platform
from pathlib import Path

from ecgclip import ECGTextModel
from ecgclip.corpora import Store
from ecgclip.corpora.writing import write_text
from ecgclip.studies import localisation as study

STUDIES = ("planted", "two-simulated", "two-real", "real")
CONTROLS = ("attention", "maxsim", "logsumexp")


def measure(parts: list[tuple[ECGTextModel, list[int]]], store: Store, name: str, scale: str | None) -> dict:
    """One study of one or several models, each on its own folds, rows put together."""
    rows, keys = [], []
    for model, folds in parts:
        readings = study.readings_of(model, scale)
        if name == "planted":
            found = study.within_rows(model, study.planted_simulated(model, ["PVC"]), readings)
            rows += [row | {"enough": row["share"] >= study.ENOUGH} for row in found]
            keys = ["enough", "share"]
        elif name == "real":
            rows += study.real_rows(model, study.real_cases(store, folds), readings)
            keys = ["ratio", "possible", "share"]
        else:
            if name == "two-simulated":
                cases = study.planted_simulated(model, ["PVC", "PAC"])
            else:
                cases = study.planted_in_real(store, folds, ["PVC", "PAC"], n=-(-150 // len(parts)))
            rows += study.two_finding_rows(model, cases, readings)
            keys = ["both", "pvc", "pac", "pvc_on_pvc", "pac_on_pac"]
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
    parser.add_argument("--model", action="append", required=True, metavar="NAME=RUN[@FOLD,FOLD]")
    parser.add_argument("--store", required=True, help="prepared PTB-XL")
    parser.add_argument("--folds", type=int, nargs="+", default=[9, 10], help="that no model trained on")
    parser.add_argument("--scale", choices=("beat", "token"))
    parser.add_argument("--studies", nargs="+", choices=STUDIES, default=list(STUDIES))
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    store = Store.open(args.store)
    entries: dict[str, list[tuple[str, list[int]]]] = {}
    for entry in args.model:
        name, _, rest = entry.partition("=")
        run, _, folds = rest.partition("@")
        entries.setdefault(name, []).append(
            (run, [int(f) for f in folds.split(",")] if folds else args.folds)
        )
    for name, runs in entries.items():
        parts = None
        for each in args.studies:
            path = Path(args.out) / f"{name}{'-' + args.scale if args.scale else ''}.{each}.json"
            if path.is_file():
                found = json.loads(path.read_text(encoding="utf-8"))
            else:
                if parts is None:
                    parts = [(ECGTextModel.from_pretrained(run), folds) for run, folds in runs]
                found = {"model": name, "folds": [folds for _, folds in runs], "store": store.hash}
                found |= {"machine": platform.machine()} | measure(parts, store, each, args.scale)
                write_text(path, json.dumps(found) + "\n")
            show(f"{name}: {each}", found)


if __name__ == "__main__":
    main()
