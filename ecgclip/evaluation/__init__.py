"""Owns every figure that is published: metrics with intervals, probes, retrieval, one model's table.

Numbers in, numbers out; torch is loaded only by ``ecgclip.evaluation.evaluate`` (also ``ecgclip.evaluate``), which
needs a model.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "Interval": "bootstrap",
    "PairedDifference": "bootstrap",
    "ProbeResult": "probe",
    "auprc": "metrics",
    "auroc": "metrics",
    "auroc_table": "table",
    "brier": "metrics",
    "challenge_metric": "challenge",
    "expected_calibration_error": "metrics",
    "f1": "metrics",
    "few_shot_probe": "probe",
    "fmax": "metrics",
    "holm": "bootstrap",
    "linear_probe": "probe",
    "macro_interval": "bootstrap",
    "paired_bootstrap": "bootstrap",
    "patient_weights": "bootstrap",
    "phrase_kinds": "wording",
    "reliability": "metrics",
    "retrieval_ranks": "retrieval",
    "render_table": "table",
    "retrieval_table": "retrieval",
    "sensitivity_at_specificity": "metrics",
}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from .bootstrap import Interval as Interval
    from .bootstrap import PairedDifference as PairedDifference
    from .bootstrap import holm as holm
    from .bootstrap import macro_interval as macro_interval
    from .bootstrap import paired_bootstrap as paired_bootstrap
    from .bootstrap import patient_weights as patient_weights
    from .challenge import challenge_metric as challenge_metric
    from .metrics import auprc as auprc
    from .metrics import auroc as auroc
    from .metrics import brier as brier
    from .metrics import expected_calibration_error as expected_calibration_error
    from .metrics import f1 as f1
    from .metrics import fmax as fmax
    from .metrics import reliability as reliability
    from .metrics import sensitivity_at_specificity as sensitivity_at_specificity
    from .probe import ProbeResult as ProbeResult
    from .probe import few_shot_probe as few_shot_probe
    from .probe import linear_probe as linear_probe
    from .retrieval import retrieval_ranks as retrieval_ranks
    from .retrieval import retrieval_table as retrieval_table
    from .table import auroc_table as auroc_table
    from .table import render_table as render_table
    from .wording import phrase_kinds as phrase_kinds


def __getattr__(name: str) -> Any:
    """Load the module that owns ``name`` (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'ecgclip.evaluation' has no attribute {name!r}")
    value = getattr(import_module(f"ecgclip.evaluation.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
