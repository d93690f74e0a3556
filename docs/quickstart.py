"""Draw ``docs/quickstart.png``: a recording that the quickstart model never met, and what it points at.

Run: ``python docs/quickstart.py [RUN]`` after ``make pretrain``.
"""

import sys
from pathlib import Path

from ecgclip import ECGTextModel, ZeroShotClassifier, explain, simulate
from ecgclip.corpora import Corpus
from ecgclip.figures import plan_sheet

PHRASES = ("ventricular extrasystoles",)
SEED = 20_000  # far from the seed of the training corpus


def single_extrasystoles(corpus: Corpus) -> int:
    """The first recording of sinus rhythm with two or three ventricular extrasystoles and little else."""
    for k, (codes, truth) in enumerate(zip(corpus.table["codes"], corpus.table["beats_truth"], strict=True)):
        if "PVC" in codes and len(codes) <= 3 and 2 <= truth.count('"PVC"') <= 3:
            return k
    raise SystemExit("no simulated recording with two or three extrasystoles: take another seed")


def main() -> None:
    """Write the picture beside this file."""
    model = ECGTextModel.from_pretrained(sys.argv[1] if len(sys.argv) > 1 else "runs/quickstart")
    corpus = simulate(n=2000, seed=SEED)
    record = corpus.record(single_extrasystoles(corpus))
    classifier = ZeroShotClassifier(model, {phrase: [phrase] for phrase in PHRASES})
    found = explain(model, record, PHRASES)
    said = zip(classifier.classes_, classifier.predict_proba(record)[0], strict=True)
    plan_sheet(
        record,
        found.plan,
        found.token_times,
        PHRASES,
        Path(__file__).with_suffix(".png"),
        token_span=found.token_span,
        title="zero-shot: " + ", ".join(f"{label} {probability:.2f}" for label, probability in said),
        subtitle="prior 0.10",
    )


if __name__ == "__main__":
    main()
