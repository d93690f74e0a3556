"""The reports of a corpus without its recordings: for vocabularies and for the coverage of the term file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ecgclip.corpora.corpus import select_rows
from ecgclip.corpora.store import MANIFEST, Store
from ecgclip.errors import DataError

from .ptb_xl import ptb_xl_table
from .registry import open_corpus

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ["record_id", "patient_id", "split", "fold", "report"]


def open_reports(path: str | Path, *, split: str | None = None) -> pd.DataFrame:
    """Read the reports of a corpus or store; of PTB-XL also where its recordings are not on disk.

    Args:
        path: whatever `open_corpus` opens, a prepared store, or a folder with ``ptbxl_database.csv`` alone.
        split: only this part of it.

    Returns:
        One row a report that is not empty: ``record_id``, ``patient_id``, ``split``, ``fold``, ``report``.

    Raises:
        UsageError: if the split's name is unknown.
        DataError: if it cannot be read, or holds no report.
    """
    folder = Path(path)
    if (folder / MANIFEST).is_file():
        table = Store.open(folder).table
    elif (folder / "ptbxl_database.csv").is_file():
        table = ptb_xl_table(folder)
    else:
        table = open_corpus("auto", folder, allow_missing=True).table
    said: pd.DataFrame = table.loc[table["report"].str.strip() != "", _COLUMNS]
    if not len(said):
        raise DataError(f"{folder}: holds no report; expected a corpus with reports, such as PTB-XL")
    if split is not None:
        said = said.iloc[select_rows(said, str(folder), split=split)]
    told: pd.DataFrame = said.reset_index(drop=True)
    return told
