"""What the model points at, as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ecgclip.alignment import COMPETITIVE, local_coupling
from ecgclip.errors import DataError, UsageError, unknown_name
from ecgclip.models import LocalReadout, as_source, embed_windows
from ecgclip.models.inference import WINDOW_S
from ecgclip.records import LEADS
from ecgclip.signals import Prepared, collate, windows

if TYPE_CHECKING:
    import pandas as pd

    from ecgclip.models import ECGTextModel, LocalEncoded

__all__ = [
    "TEXT_MEASURES",
    "Asked",
    "Explanation",
    "Looked",
    "ask",
    "explain",
    "explain_looked",
    "look",
    "readout_of",
]

Floats = npt.NDArray[np.float32]
Key = TypeVar("Key", float, str)

TEXT_MEASURES = ("bank", "phrases")


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """The plan between the moments of one recording and some phrases: what the loss used, not drawn yet.

    Attributes:
        plan: ``(n_tokens, n_phrases)`` non-negative mass; what went to the dustbin, or to the bank's other
            findings, is not among it.
        token_times: ``(n_tokens,)`` s from the recording's start; for beats, the R-peak.
        token_span: seconds of signal that a token sees.
        token_leads: lead of each token, or None where tokens mix all leads.
        beats: ``(n_beats,)`` s, all R-peaks.
        phrases: the phrases.
        text_measure: the texts that competed, with a dustbin: ``bank`` (the findings that the model knows)
            or ``phrases`` (these alone).
        coupling: the plan's kind.
        scale: ``beat`` or ``token``.
    """

    plan: Floats
    token_times: Floats
    token_span: float
    token_leads: tuple[str, ...] | None
    beats: Floats
    phrases: tuple[str, ...]
    text_measure: str
    coupling: str
    scale: str = "beat"

    @property
    def mass(self) -> Floats:
        """``(n_phrases,)`` mass that each phrase drew; at most one together."""
        return np.asarray(self.plan.sum(axis=0), dtype=np.float32)

    def share_near(self, seconds: Sequence[float], within: float = 0.3) -> Floats:
        """Share of each phrase's mass within some seconds of some moments: ``(n_phrases,)``, NaN without mass.

        Args:
            seconds: the moments, s from the recording's start.
            within: half the width of the window round each, s.
        """
        away = np.abs(self.token_times[:, None] - np.asarray(seconds, dtype=np.float32)[None, :])
        near = (away <= within).any(axis=1)
        total = self.plan.sum(axis=0)
        found = np.where(total > 0, self.plan[near].sum(axis=0) / np.where(total > 0, total, 1), np.nan)
        return found.astype(np.float32)

    def places(self, column: int, share: float = 0.5) -> list[tuple[float, float]]:
        """The fewest moments that hold some share of a phrase's mass: ``(s, share)`` each, in order of time.

        Args:
            column: which phrase.
            share: of its mass.
        """
        return sorted(_fewest([float(second) for second in self.token_times], self.plan[:, column], share))

    def leads(self, column: int, share: float = 0.5) -> list[tuple[str, float]]:
        """The fewest leads that hold some share of a phrase's mass, heaviest first; empty where tokens mix all.

        Args:
            column: which phrase.
            share: of its mass.
        """
        return [] if self.token_leads is None else _fewest(self.token_leads, self.plan[:, column], share)

    def to_frame(self) -> "pd.DataFrame":
        """One row a token, one column a phrase, by ``time_s`` and, where tokens know it, ``lead``."""
        import pandas as pd

        table: pd.DataFrame = pd.DataFrame(self.plan, columns=list(self.phrases))
        table.insert(0, "time_s", self.token_times, allow_duplicates=True)  # a phrase may be of that name
        if self.token_leads is not None:
            table.insert(1, "lead", list(self.token_leads), allow_duplicates=True)
        return table


def _fewest(keys: Sequence[Key], mass: Floats, share: float) -> list[tuple[Key, float]]:
    """The heaviest keys that together hold some share of the mass, heaviest first."""
    total: dict[Key, float] = {}
    for key, weight in zip(keys, mass.astype(np.float64), strict=True):
        total[key] = total.get(key, 0.0) + float(weight)
    whole = sum(total.values())
    found: list[tuple[Key, float]] = []
    held = 0.0
    for key, weight in sorted(total.items(), key=lambda item: -item[1]):
        if whole <= 0 or held >= min(share, 1.0 - 1e-9):
            break
        held += weight / whole
        found.append((key, weight / whole))
    return found


@dataclass(frozen=True, eq=False)
class Looked:
    """One recording as the local branch sees it, window by window.

    Attributes:
        parts: second at which each window starts, and what the branch says of it.
        beats: ``(n_beats,)`` s, R-peaks of the whole recording.
    """

    parts: tuple[tuple[float, "LocalEncoded"], ...]
    beats: Floats


@dataclass(frozen=True, eq=False)
class Asked:
    """Phrases and what competes with them.

    Attributes:
        phrases: in words.
        vectors: ``(n_phrases, dim)`` unit vectors of the local space.
        bank: ``(n_bank, dim)`` findings that compete, or None: the phrases do.
        text_measure: ``bank`` or ``phrases``.
    """

    phrases: tuple[str, ...]
    vectors: torch.Tensor
    bank: torch.Tensor | None
    text_measure: str


def explain(
    model: "ECGTextModel",
    record: Any,
    phrases: Sequence[str],
    *,
    scale: str | None = None,
    plan: str | None = None,
    text_measure: str | None = None,
) -> Explanation:
    """Say which beats or moments of a recording each phrase's mass lies on.

    Coupling and temperature are those that the model was trained with, so that what is shown is what the
    loss used. Texts compete only under ``transport`` and ``softmax``; each of the other plans looks at every
    phrase for itself, whatever the text measure. Phrases that mean the same compete as one, and each shows
    the mass of that one.

    Args:
        model: a model with a local branch.
        record: one recording, as ``encode_ecg`` takes it.
        phrases: what to look for.
        scale: ``beat`` or ``token``; by default the first that the model was trained with.
        plan: another coupling than the one the model was trained with, as a control.
        text_measure: ``bank`` (the findings that the model knows compete, and each phrase is read at the
            prices that these leave: what else is asked changes nothing) or ``phrases`` (these compete with
            one another). By default ``bank``, as in zero-shot, where texts compete and the model
            keeps findings, else ``phrases``.

    Raises:
        UsageError: no phrase, an empty one, several recordings, or an unknown scale, plan or text measure.
        DataError: the model has no local branch, or the recording cannot be read.
    """
    phrases = () if isinstance(phrases, str) else tuple(phrases)
    if not phrases:
        raise UsageError("phrases must be a list of at least one finding in words")
    readout = readout_of(model, scale, plan)
    known = readout.plan in COMPETITIVE and bool(model.config.reference)
    measure = text_measure or ("bank" if known else "phrases")
    source = as_source(record, model.preprocessor)
    if len(source) != 1:
        raise UsageError(f"explain takes one recording, got {len(source)}")
    asked = ask(model, phrases, measure)
    return explain_looked(look(model, source.prepared(0)), asked, readout)


def ask(model: "ECGTextModel", phrases: Sequence[str], text_measure: str) -> Asked:
    """Embed what is asked for, and what it competes with.

    Raises:
        UsageError: an empty phrase or an unknown text measure.
        DataError: the text measure is ``bank`` and the model keeps none.
    """
    if text_measure not in TEXT_MEASURES:
        raise unknown_name("text measure", text_measure, TEXT_MEASURES)
    vectors = _local_vectors(model, phrases)
    if text_measure == "phrases":
        return Asked(tuple(phrases), vectors, None, text_measure)
    if not model.config.reference:
        raise DataError("the model keeps no findings that could compete: ask for text_measure='phrases'")
    return Asked(tuple(phrases), vectors, _local_vectors(model, model.config.reference), text_measure)


def _local_vectors(model: "ECGTextModel", texts: Sequence[str]) -> torch.Tensor:
    return torch.from_numpy(model.text_vectors(texts)[1]).to(model.device)


def look(model: "ECGTextModel", prepared: Prepared) -> Looked:
    """Encode the moments and beats of one prepared recording, once for any number of plans.

    Raises:
        DataError: the model has no local branch.
    """
    fs = model.preprocessor.fs
    parts = []
    for start, stop in windows(prepared.signal.shape[1], fs, WINDOW_S):
        _, local = embed_windows(model, collate([prepared.cut(start, stop)], fs))
        if local is None:
            raise _no_local_branch()
        parts.append((start / fs, local))
    return Looked(tuple(parts), prepared.beats.astype(np.float32))


def explain_looked(looked: Looked, asked: Asked, readout: LocalReadout) -> Explanation:
    """Couple a recording that was looked at with what is asked; windows share the mass evenly.

    A moment that two windows see belongs to the first.
    """
    plans, times, leads, span, seen_until = [], [], [], 0.0, -np.inf
    for start, local in looked.parts:
        with torch.inference_mode():
            found = local_coupling(local, asked.vectors, readout, bank=asked.bank)
        mass = found.plan[0].cpu().numpy()
        at, mask, span = _moments(local, readout.scale, len(mass))
        moment = at + start
        keep = mask & (moment > seen_until)
        plans.append(mass[keep])
        times.append(moment[keep])
        if readout.scale == "token" and local.token_leads is not None:
            leads += [LEADS[k] for k in local.token_leads[: len(mass)].cpu().numpy()[keep]]
        seen_until = max(seen_until, float(moment[keep].max(initial=-np.inf)))
    return Explanation(
        plan=(np.concatenate(plans) / len(plans)).astype(np.float32),
        token_times=np.concatenate(times).astype(np.float32),
        token_span=span,
        token_leads=tuple(leads) or None,
        beats=looked.beats,
        phrases=asked.phrases,
        text_measure=asked.text_measure,
        coupling=readout.plan,
        scale=readout.scale,
    )


def _moments(local: "LocalEncoded", scale: str, count: int) -> tuple[Floats, npt.NDArray[np.bool_], float]:
    """Times of the first tokens in the window, which of them are there, and what one sees, s."""
    times, mask, span = (
        (local.beat_times[0], local.beat_mask[0], local.beat_span)
        if scale == "beat"
        else (local.token_times, local.token_mask[0], local.token_span)
    )
    return times[:count].cpu().numpy(), mask[:count].cpu().numpy(), span


def readout_of(model: "ECGTextModel", scale: str | None = None, plan: str | None = None) -> LocalReadout:
    """The readout that the model was trained with, at a scale, or the same with another plan.

    Raises:
        UsageError: an unknown scale.
        DataError: the model has no local branch, was trained without a local term, or has no moments.
    """
    if model.config.local is None:
        raise _no_local_branch()
    if not model.config.readouts:
        raise DataError(
            "the model's beats were never aligned with statements: train it with a local term in the recipe's objective"
        )
    if scale not in (None, "beat", "token"):
        raise unknown_name("local scale", scale, ("beat", "token"))
    known = [r for r in model.config.readouts if scale in (None, r.scale)]
    readout = known[0] if known else LocalReadout(scale=scale or "beat")
    if readout.scale == "token" and not model.config.local.get("tokens", True):
        raise DataError(
            "the model has no moments: train it with a local term of scale token, or ask for beats"
        )
    return readout if plan is None else replace(readout, plan=plan)


def _no_local_branch() -> DataError:
    return DataError("the model has no local branch: train it with model.local in the recipe")
