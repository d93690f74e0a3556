"""ecgclip: ECG encoders pretrained against clinical text, and zero-shot classifiers made of them.

``import ecgclip`` is instant: each name below loads its room, and torch, only when touched.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "ECGRecord": "records",
    "ECGTextModel": "models",
    "Explanation": "prompts.explain",
    "PromptBank": "prompts",
    "ZeroShotClassifier": "prompts",
    "evaluate": "evaluation.evaluate",
    "explain": "prompts.explain",
    "open_corpus": "corpora",
    "pretrain": "training",
    "read_record": "records",
    "simulate": "corpora",
    "sinkhorn": "alignment.sinkhorn",
}

__all__ = sorted([*_HOME, "__version__"])

if TYPE_CHECKING:
    from .alignment.sinkhorn import sinkhorn as sinkhorn
    from .corpora import open_corpus as open_corpus
    from .corpora import simulate as simulate
    from .evaluation.evaluate import evaluate as evaluate
    from .models import ECGTextModel as ECGTextModel
    from .prompts import PromptBank as PromptBank
    from .prompts import ZeroShotClassifier as ZeroShotClassifier
    from .prompts.explain import Explanation as Explanation
    from .prompts.explain import explain as explain
    from .records import ECGRecord as ECGRecord
    from .records import read_record as read_record
    from .training import pretrain as pretrain


def __getattr__(name: str) -> Any:
    """Load the room that owns ``name`` (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'ecgclip' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"ecgclip.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
