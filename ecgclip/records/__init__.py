"""One recording from any file or array: millivolts, a rate, and leads with names."""

from .leads import LEADS, canonical_lead
from .reader import read_record
from .record import ECGRecord
from .twelve import twelve_leads

__all__ = ["LEADS", "ECGRecord", "canonical_lead", "read_record", "twelve_leads"]
