"""Calibration error within the validation part: each recording by a classifier calibrated without its patient.

python benchmarks/calibration/within_validation.py RUN STORE --out results/within-validation-seed1.json

Ten groups of patients; nine calibrate, one is measured. The figure is the expected calibration error (15 bins of equal
width), macro over labels with at least 10 positives; ``perfect`` is what labels drawn from the same probabilities give.
Test recordings are not read.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ecgclip import ECGTextModel, ZeroShotClassifier
from ecgclip.corpora import Store, label_set
from ecgclip.corpora.writing import write_text
from ecgclip.evaluation import expected_calibration_error
from ecgclip.models import model_hash

SETS = ("ptbxl-superclass", "ptbxl-subclass", "ptbxl-form", "ptbxl-rhythm")
METHODS = ("prior", "sigmoid", "isotonic", "temperature")
GROUPS, DRAWS, MINIMUM, SEED = 10, 20, 10, 0


def held_out(classifier, scores, truth, group, method):
    """Probabilities of each group by a classifier that was calibrated on the others."""
    found = np.zeros_like(scores)
    for k in range(GROUPS):
        classifier.calibration_ = None
        if method != "prior":
            classifier.calibrate(scores[group != k], truth[group != k], method=method)
        found[group == k] = classifier.probability(scores[group == k])
    return found


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("store")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model, store = ECGTextModel.from_pretrained(args.run), Store.open(args.store)
    rows = store.table.iloc[store.indices(split="validation")]
    rng = np.random.default_rng(SEED)
    patients, place = np.unique(rows["patient_id"], return_inverse=True)
    group = (rng.permutation(len(patients)) % GROUPS)[place]
    figures: dict[str, dict[str, dict[str, float]]] = {method: {} for method in METHODS}
    banks = {}
    for name in SETS:
        classifier = ZeroShotClassifier(model, name)
        banks[name] = classifier.bank.hash
        scores = classifier.decision_function(store, split="validation")
        truth = label_set(name).matrix(rows)
        scored = truth.sum(axis=0) >= MINIMUM
        for method in METHODS:
            found = held_out(classifier, scores, truth, group, method)
            drawn = [
                expected_calibration_error(found, rng.random(found.shape) < found)[scored].mean()
                for _ in range(DRAWS)
            ]
            error = expected_calibration_error(found, truth)[scored].mean()
            figures[method][name] = {
                "error": round(float(error), 4),
                "perfect": round(float(np.mean(drawn)), 4),
            }
    result = {
        "figures": figures,
        "mean": {m: round(float(np.mean([f["error"] for f in figures[m].values()])), 4) for m in METHODS},
        "n": len(rows),
        "corpus": store.name,
        "corpus_hash": store.corpus_hash,
        "model": model_hash(model),
        "banks": banks,
        "versions": {name: version(name) for name in ("ecgclip", "torch", "numpy", "scikit-learn")},
        "seed": SEED,
    }
    write_text(args.out, json.dumps(result, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
