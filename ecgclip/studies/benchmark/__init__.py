"""The benchmark runner: protocols over one model and one corpus, each a results file that can be published."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "Options": "options",
    "OutsideEncoder": "encoders",
    "PROTOCOLS": "protocols",
    "Results": "results",
    "Row": "results",
    "benchmark": "runner",
    "find_results": "results",
    "read_results": "results",
    "write_results": "results",
}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from .encoders import OutsideEncoder as OutsideEncoder
    from .options import Options as Options
    from .protocols import PROTOCOLS as PROTOCOLS
    from .results import Results as Results
    from .results import Row as Row
    from .results import find_results as find_results
    from .results import read_results as read_results
    from .results import write_results as write_results
    from .runner import benchmark as benchmark


def __getattr__(name: str) -> Any:
    """Load the module that owns ``name`` (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'ecgclip.studies.benchmark' has no attribute {name!r}")
    value = getattr(import_module(f"ecgclip.studies.benchmark.{_HOME[name]}"), name)
    globals()[name] = value
    return value
