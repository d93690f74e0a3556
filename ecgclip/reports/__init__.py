"""Owns what a clinical text says: cleaning, the term file, canonical findings and vocabularies."""

from ecgclip.reports.cleaning import clean
from ecgclip.reports.coverage import coverage
from ecgclip.reports.finding import Finding, Report, Statement
from ecgclip.reports.lint import lint_terms
from ecgclip.reports.reading import (
    canonical_findings,
    findings,
    kinds_of,
    language_of,
    read_report,
    without_place,
)
from ecgclip.reports.termfile import Entry
from ecgclip.reports.vocabulary import train_wordpiece

__all__ = [
    "Entry",
    "Finding",
    "Report",
    "Statement",
    "canonical_findings",
    "clean",
    "coverage",
    "findings",
    "kinds_of",
    "language_of",
    "lint_terms",
    "read_report",
    "train_wordpiece",
    "without_place",
]
