"""The folder that a store is made in: claimed, shared with others who fill it, and given up where nothing is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ecgclip.corpora.writing import disk_error
from ecgclip.errors import DataError

from .store import FORMAT, MANIFEST, REJECTED, read_manifest

SHARDS = "shards"


def claim(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The manifest to go on with; refuses folders that hold something else.

    Raises:
        DataError: the folder is no store and not empty, or holds a store of other settings.
    """
    found = read_manifest(folder) if folder.is_dir() else None
    if found is not None:
        for key, value in settings.items():
            if found.get(key) != value:
                what = key.replace("_", " ")
                raise DataError(
                    f"{folder}: holds a store with {what} {found.get(key)}, and this one has {what} {value}; "
                    "choose another folder, or delete that store"
                )
        return found
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: exists and is no store; choose an empty or new folder")
    make(folder)
    return {"format": FORMAT, **settings}


def make(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        DataError: if it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(folder, error) from error


def absent(folder: Path) -> list[Path]:
    """The folder and those above it that are not there, the deepest first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


@contextmanager
def shared(folder: Path) -> Iterator[int | None]:
    """Let others know that somebody is at work in a folder; gives what `give_up` needs to ask for them."""
    handle = None
    with suppress(ImportError, OSError):  # a system or a disk without such locks
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_SH)
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)


def give_up(folder: Path, made: list[Path], handle: int | None) -> None:
    """Delete a store without rows, and the folders in `made`; nothing where another process is filling it."""
    try:
        import fcntl

        if handle is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    except (ImportError, OSError):
        pass
    shards = folder / SHARDS
    for file in (*shards.glob("data-*.arrow"), folder / REJECTED, folder / MANIFEST):
        file.unlink(missing_ok=True)
    for path in (shards, *made):
        with suppress(OSError):  # somebody else's file is in it
            path.rmdir()
