"""Write a corpus as WFDB recordings with a manifest, so that other programs can read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ecgclip.errors import DataError

from .corpus import Corpus
from .opening import MANIFEST_CSV
from .writing import whole_file


def write_wfdb(corpus: Corpus, folder: str | Path) -> Path:
    """Write every recording (format 16, 1 µV a step) and ``manifest.csv``, which comes last.

    The manifest has the columns ``path``, ``report``, ``patient_id``, ``split`` and ``labels``, so that
    ``open_corpus("manifest", …)`` reads the folder back.

    Args:
        corpus: what to write.
        folder: new or empty.

    Returns:
        The manifest's path.

    Raises:
        DataError: the folder holds something already, or cannot be written.
    """
    import wfdb

    place = Path(folder)
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise DataError(f"{place}: exists and is not empty; choose a new folder")
    (place / "records").mkdir(parents=True, exist_ok=True)
    for index in range(len(corpus)):
        record = corpus.record(index)
        wfdb.wrsamp(
            record.record_id,
            fs=record.fs,
            units=["mV"] * len(record.lead_names),
            sig_name=list(record.lead_names),
            p_signal=np.asarray(record.signal.T, dtype=np.float64),
            fmt=["16"] * len(record.lead_names),
            adc_gain=[1000.0] * len(record.lead_names),
            baseline=[0] * len(record.lead_names),
            comments=list(record.comments),
            write_dir=str(place / "records"),
        )
    table = corpus.table[["report", "patient_id", "split"]].copy()
    table.insert(0, "path", [f"records/{name}.hea" for name in corpus.table["record_id"]])
    table["labels"] = [";".join(codes) for codes in corpus.table["codes"]]
    with whole_file(place / MANIFEST_CSV) as temporary:
        table.to_csv(temporary, index=False)
    return place / MANIFEST_CSV
