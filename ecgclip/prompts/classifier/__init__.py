"""The zero-shot classifier: from the scores of phrases to labels, with calibration, thresholds and a folder."""

from .combining import PhraseMap, Wording
from .places import Places
from .together import decision_functions, finding_scores
from .zero_shot import ZeroShotClassifier

__all__ = [
    "PhraseMap",
    "Places",
    "Wording",
    "ZeroShotClassifier",
    "decision_functions",
    "finding_scores",
]
