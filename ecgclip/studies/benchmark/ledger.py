"""A protocol's results file while it grows: written whole after every step, and gone on with after a kill."""

import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecgclip.corpora.writing import whole_file
from ecgclip.errors import DataError

from .results import LeftOut, Results, Row, read_results, row_text, write_results
from .rows import Scored, score_frame

__all__ = ["Ledger"]


class Ledger:
    """The rows of one protocol; what is here already is not computed again.

    Args:
        folder: holds ``evaluation`` and ``scores``.
        head: the results file without rows.
    """

    def __init__(self, folder: Path, head: Results) -> None:
        self.folder = folder
        self.path = folder / "evaluation" / f"{_stem(head)}.json"
        self.results = self._old(head) or head
        self._texts = {row.key: row_text(row) for row in self.results.rows}
        self._began = time.monotonic() - self.results.seconds
        self.results = replace(self.results, left_out=[])

    def has(self, key: str) -> bool:
        """Whether a row is here."""
        return self.results.row(key) is not None

    def add(self, rows: Sequence[Row], scored: Scored | None = None) -> None:
        """Add rows and write the file; the scores go beside it and every row of theirs names them."""
        if scored is not None:
            name = f"scores/{_stem(self.results)}/{_slug(scored.key)}.parquet"
            with whole_file(self.folder / name) as temporary:
                score_frame(scored).to_parquet(temporary)
            rows = [replace(row, scores=name if row.population != "peer population" else "") for row in rows]
        fresh = {row.key for row in rows}
        kept = [row for row in self.results.rows if row.key not in fresh]
        self._texts.update({row.key: row_text(row) for row in rows})
        self._write(replace(self.results, rows=[*kept, *rows]))

    def scores(self, row: Row, n_labels: int) -> npt.NDArray[np.float64]:
        """Scores ``(n, labels)`` that were written beside a row.

        Raises:
            DataError: the file is gone or damaged.
        """
        import pandas as pd

        file = self.folder / row.scores
        try:
            values = pd.read_parquet(file, columns=["score"])["score"].to_numpy(dtype=np.float64)
            return values.reshape(-1, n_labels)
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"{file}: scores of row {row.key!r} cannot be read ({error}): delete {self.path} to measure again"
            ) from None

    def leave_out(self, what: str, why: str) -> None:
        """Say what is not here, and why."""
        self.results = replace(self.results, left_out=[*self.results.left_out, LeftOut(what=what, why=why)])

    def finish(self) -> None:
        """Write the file for the last time."""
        self._write(replace(self.results, finished=True))

    def _write(self, results: Results) -> None:
        self.results = replace(results, seconds=round(time.monotonic() - self._began, 1))
        write_results(self.path, self.results, [self._texts[row.key] for row in self.results.rows])

    def _old(self, head: Results) -> Results | None:
        """What an earlier run of the same thing left; another model's or corpus's figures are not gone on with."""
        if not self.path.exists():
            return None
        old = read_results(self.path)
        for key in ("model", "corpus", "draws", "seed", "minimum"):
            if getattr(old, key) != getattr(head, key):
                raise DataError(
                    f"{self.path}: holds figures of another {key} ({_short(getattr(old, key))}, now "
                    f"{_short(getattr(head, key))}): choose another --out or delete the file"
                )
        if old.environment.get("code") != head.environment.get("code"):
            return None  # figures of other code do not stand beside this one's: all are measured anew
        return replace(head, rows=old.rows, seconds=old.seconds)


def _stem(results: Results) -> str:
    return f"{results.protocol}-{_slug(results.corpus.name)}-{results.split}"


def _slug(text: str) -> str:
    """A name for a file: letters that any disk takes, and a hash where some had to go."""
    plain = re.sub(r"[^A-Za-z0-9._=-]+", "-", text)
    return plain if plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def _short(value: object) -> str:
    facts = [str(getattr(value, k)) for k in ("name", "hash", "store") if hasattr(value, k)]
    return " ".join(facts) or str(value)
