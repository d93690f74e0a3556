"""Everything that ecgclip raises on purpose.

ECGClipError
├── DataError      (ValueError): a file, record, table or store that cannot be used; exit status 1
└── UsageError     (ValueError): a wrong argument, recipe key or option; exit status 2

A message is one sentence: what, where (file, lead, row, key), what was expected, what to do.
"""

from collections.abc import Iterable

__all__ = ["DataError", "ECGClipError", "UsageError", "unknown_name"]


class ECGClipError(Exception):
    """Base of every error that a user can act on."""

    exit_status = 1


class DataError(ECGClipError, ValueError):
    """A file, record, table, store or model folder that cannot be used as it is."""


class UsageError(ECGClipError, ValueError):
    """A call, option or recipe key that is wrong whatever the data."""

    exit_status = 2


def unknown_name(kind: str, name: object, known: Iterable[str]) -> UsageError:
    """Build the error for a name that no registry holds, near matches first.

    Args:
        kind: what the name stands for, such as ``"label set"``.
        name: the name that was asked for.
        known: the names that exist.
    """
    import difflib

    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    return UsageError(f"unknown {kind} {name!r}: {hint}there is {', '.join(names)}")
