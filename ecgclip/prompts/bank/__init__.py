"""Banks of phrases: what one is made of, the form of its file, and what is wrong with it."""

from .bank import BANKS, KINDS, Label, Phrase, PromptBank, shipped_path
from .lint import lint_bank, lint_file, sound_bank

__all__ = [
    "BANKS",
    "KINDS",
    "Label",
    "Phrase",
    "PromptBank",
    "lint_bank",
    "lint_file",
    "shipped_path",
    "sound_bank",
]
