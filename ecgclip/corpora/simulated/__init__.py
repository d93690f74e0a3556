"""The simulated corpus: a moving heart vector, its findings, its report and the truth about each beat."""

from .corpus import SimulatedReader, simulate

__all__ = ["SimulatedReader", "simulate"]
