"""Owns the command line: arguments to calls, results to text. One module a command."""

from .main import main

__all__ = ["main"]
