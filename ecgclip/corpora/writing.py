"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ecgclip.errors import DataError


def write_text(path: Path, text: str) -> None:
    """Write a text under a passing name, then give it its own.

    Raises:
        DataError: if the disk is full or the folder cannot be written.
    """
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def disk_error(path: Path, error: OSError) -> DataError:
    """The one sentence for a file that could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DataError(
            f"{path.parent}: the disk is full; free some space and run again, finished parts are kept"
        )
    return DataError(f"{path}: cannot be written ({error.strerror or error}); check the folder and run again")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a passing name beside ``path`` to write under; the file takes its name when the block ends well.

    Whatever ends the block otherwise, Ctrl-C too, leaves nothing.

    Raises:
        DataError: if the disk is full or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(path, error) from error
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise disk_error(path, error) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def hold(file: IO[bytes]) -> None:
    """Mark an open passing file as being written, until it is closed or its process is gone, even by kill -9."""
    with suppress(ImportError, OSError):  # a system or a disk without such locks
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_held(path: Path) -> bool:
    """Whether somebody is writing a passing file now (`hold`); without locks, nobody."""
    try:
        import fcntl

        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        return False
    return False
