"""One static HTML page of a benchmark run: it opens from disk, fetches nothing, and is made of the results files."""

from .page import write_report

__all__ = ["write_report"]
