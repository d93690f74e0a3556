"""Thresholds of a multi-label classifier, each by a rule that the user picks, on recordings with labels."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ecgclip.errors import UsageError, unknown_name

__all__ = ["RULES", "Thresholds", "choose_thresholds"]

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

RULES = ("prior", "sensitivity", "f1")
"""``prior``: probability one half. ``sensitivity``: the highest that keeps a floor. ``f1``: the best F1."""


@dataclass(frozen=True, eq=False)
class Thresholds:
    """Where a score becomes a yes.

    Attributes:
        rule: of `RULES`.
        values: ``(n_labels,)`` on the scale of ``decision_function``; NaN where probability one half decides.
        at_least: the floor of the sensitivity; None with other rules.
        left: why a label has no threshold of its own, by code.
        n: recordings that the rule was applied to.
    """

    rule: str
    values: Floats
    at_least: float | None = None
    left: dict[str, str] = field(default_factory=dict)
    n: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Give JSON data; ``from_dict`` reads it."""
        values = [None if np.isnan(value) else float(value) for value in self.values]
        return {
            "rule": self.rule,
            "values": values,
            "at_least": self.at_least,
            "left": self.left,
            "n": self.n,
        }

    @staticmethod
    def from_dict(state: dict[str, Any]) -> "Thresholds":
        """Make again what ``to_dict`` gave."""
        values = np.array([np.nan if value is None else value for value in state["values"]], dtype=np.float64)
        return Thresholds(state["rule"], values, state["at_least"], dict(state["left"]), int(state["n"]))


def choose_thresholds(
    scores: npt.NDArray[np.float32],
    targets: npt.NDArray[np.bool_],
    codes: tuple[str, ...],
    *,
    rule: str,
    at_least: float,
) -> Thresholds:
    """Choose a threshold for each label; a score equal to it is a yes.

    Args:
        scores: ``(n, n_labels)``.
        targets: the same shape.
        codes: the labels.
        rule: ``sensitivity`` or ``f1``.
        at_least: the sensitivity that must be kept, in (0, 1].

    Raises:
        UsageError: an unknown rule, or a floor outside (0, 1].
    """
    check_rule(rule, at_least)
    values = np.full(len(codes), np.nan)
    left: dict[str, str] = {}
    pick: Callable[[Counts, int], int] = (
        _best_f1 if rule == "f1" else lambda hits, positives: _kept(hits, positives, at_least)
    )
    for label, code in enumerate(codes):
        if not targets[:, label].any():
            left[code] = f"no positive among {len(targets)} recordings"
        else:
            values[label] = _cut(scores[:, label].astype(np.float64), targets[:, label], pick)
    return Thresholds(rule, values, at_least if rule == "sensitivity" else None, left, len(targets))


def check_rule(rule: str, at_least: float) -> None:
    """Refuse a rule that is none and a floor that cannot be kept."""
    if rule not in RULES:
        raise unknown_name("rule for thresholds", rule, RULES)
    if rule == "sensitivity" and not 0.0 < at_least <= 1.0:
        raise UsageError(f"at_least={at_least!r}: a sensitivity lies in (0, 1]")


def _cut(scores: Floats, positive: npt.NDArray[np.bool_], pick: Callable[[Counts, int], int]) -> float:
    """Midpoint below the recordings that a rule calls, so that neither neighbour lies on the threshold."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True))  # equal scores are called together
    hits = np.cumsum(positive[order])[last]
    chosen = pick(np.stack([hits, last + 1]), int(positive.sum()))
    low = ranked[last[chosen]]
    return float(low if chosen + 1 == len(last) else 0.5 * (low + ranked[last[chosen] + 1]))


def _best_f1(counts: Counts, positives: int) -> int:
    hits, called = counts
    return int(np.argmax(2.0 * hits / (called + positives)))


def _kept(counts: Counts, positives: int, at_least: float) -> int:
    return int(np.argmax(counts[0] >= at_least * positives - 1e-9))
