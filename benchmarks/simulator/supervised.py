"""Train the supervised twin on one store and read it on others, condition by condition."""

import argparse
import json
import platform
import sys
import time
from pathlib import Path

from ecgclip.corpora import Store
from ecgclip.studies.supervised import train_supervised
from ecgclip.training.recipe import load_recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", required=True, help="prepared store")
    parser.add_argument("--split", default="train")
    parser.add_argument("--test", nargs="+", required=True, help="store:split, several")
    parser.add_argument("--recipe", default="recipes/ptbxl.yaml")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    store = Store.open(args.train)
    began = time.monotonic()
    twin = train_supervised(
        load_recipe(args.recipe),
        store,
        store.indices(split=args.split),
        epochs=args.epochs,
        report=lambda line: print(line, file=sys.stderr, flush=True),
    )
    found: dict[str, object] = {"command": " ".join(sys.argv), "machine": platform.machine()}
    found |= {"train": args.train, "train_hash": store.hash, "seconds": round(time.monotonic() - began)}
    for each in args.test:
        path, _, split = each.partition(":")
        other = Store.open(path)
        tables = twin.tables(other, other.indices(split=split))
        means = {name: float(table["auroc"]["macro"]) for name, table in tables.items()}
        found[each] = {
            "mean": sum(means.values()) / len(means),
            "sets": means,
            "conditions": {
                name: {
                    str(code): {"auroc": round(float(row["auroc"]), 4), "positives": int(row["positives"])}
                    for code, row in table.iterrows()
                    if row["scored"]
                }
                for name, table in tables.items()
            },
        }
        print(each, f"mean {found[each]['mean']:.3f}", means)  # type: ignore[index]
    Path(args.out).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
