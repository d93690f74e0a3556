"""Owns banks of phrases a label, the zero-shot classifier made of them, and explanation as numbers."""

from typing import TYPE_CHECKING, Any

_HOME = {
    "BANKS": "bank",
    "PhraseScores": "scoring",
    "PromptBank": "bank",
    "ZeroShotClassifier": "classifier",
    "decision_functions": "classifier",
    "finding_scores": "classifier",
    "joined": "scoring",
    "lint_bank": "bank",
    "score_phrases": "scoring",
}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from .bank import BANKS as BANKS
    from .bank import PromptBank as PromptBank
    from .bank import lint_bank as lint_bank
    from .classifier import ZeroShotClassifier as ZeroShotClassifier
    from .classifier import decision_functions as decision_functions
    from .classifier import finding_scores as finding_scores
    from .scoring import PhraseScores as PhraseScores
    from .scoring import joined as joined
    from .scoring import score_phrases as score_phrases


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ecgclip.prompts' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"ecgclip.prompts.{_HOME[name]}"), name)
    globals()[name] = value
    return value
