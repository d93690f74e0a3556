"""The rotation: every fold is a test part once; what a finished one keeps is read without torch."""

from typing import TYPE_CHECKING, Any

_HOME = {
    "Cell": "kept",
    "CellJob": "cell",
    "DONE": "kept",
    "FINDINGS": "scores",
    "FINDING_MINIMUM": "scores",
    "MINIMUM": "scores",
    "Rotation": "kept",
    "SETS": "scores",
    "cell_job": "cell",
    "finished_rotation": "runner",
    "open_shared_store": "runner",
    "protocol": "scores",
    "rotate": "runner",
    "rotate_all": "runner",
    "run_cell": "cell",
}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from .cell import CellJob as CellJob
    from .cell import cell_job as cell_job
    from .cell import run_cell as run_cell
    from .kept import DONE as DONE
    from .kept import Cell as Cell
    from .kept import Rotation as Rotation
    from .runner import finished_rotation as finished_rotation
    from .runner import open_shared_store as open_shared_store
    from .runner import rotate as rotate
    from .runner import rotate_all as rotate_all
    from .scores import FINDING_MINIMUM as FINDING_MINIMUM
    from .scores import FINDINGS as FINDINGS
    from .scores import MINIMUM as MINIMUM
    from .scores import SETS as SETS
    from .scores import protocol as protocol


def __getattr__(name: str) -> Any:
    """Load the module that owns ``name`` (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'ecgclip.studies.rotation' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"ecgclip.studies.rotation.{_HOME[name]}"), name)
    globals()[name] = value
    return value
