"""What goes wrong with a corpus's CSV before its columns can be looked at, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from ecgclip.errors import DataError


@contextmanager
def readable_csv(path: Path, instead: str) -> Iterator[None]:
    """Turn what pandas raises at an empty or damaged file into an error that names it.

    Args:
        path: the CSV that is read inside.
        instead: what to use in its place.

    Raises:
        DataError: if it is empty, no CSV, or not in UTF-8.
    """
    try:
        yield
    except pd.errors.EmptyDataError:
        raise DataError(f"{path}: is empty; use {instead}") from None
    except (pd.errors.ParserError, UnicodeError) as error:
        why = str(error).strip().splitlines()[0]
        raise DataError(f"{path}: no CSV in UTF-8 ({why}); use {instead}") from None
