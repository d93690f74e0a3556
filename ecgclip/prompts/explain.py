"""What the model points at, as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from ecgclip.alignment import couple
from ecgclip.errors import DataError, UsageError, unknown_name
from ecgclip.models import LocalReadout, as_source, embed_windows
from ecgclip.models.inference import WINDOW_S
from ecgclip.signals import collate, windows

if TYPE_CHECKING:
    import pandas as pd

    from ecgclip.models import ECGTextModel

__all__ = ["Explanation", "explain"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """The plan between the moments of one recording and some phrases: what the loss used, not drawn yet.

    Attributes:
        plan: ``(n_tokens, n_phrases)`` non-negative mass; what went to the dustbin is not among it.
        token_times: ``(n_tokens,)`` s from the recording's start; for beats, the R-peak.
        token_span: seconds of signal that a token sees.
        token_leads: lead of each token, or None where tokens mix all leads.
        beats: ``(n_beats,)`` s, all R-peaks.
        phrases: the phrases.
        text_measure: the texts that competed: ``phrases`` (these and a dustbin).
        coupling: the plan's kind.
    """

    plan: Floats
    token_times: Floats
    token_span: float
    token_leads: tuple[str, ...] | None
    beats: Floats
    phrases: tuple[str, ...]
    text_measure: str
    coupling: str

    def to_frame(self) -> "pd.DataFrame":
        """One row a token, one column a phrase, by ``time_s``."""
        import pandas as pd

        table: pd.DataFrame = pd.DataFrame(self.plan, columns=list(self.phrases))
        table.insert(0, "time_s", self.token_times)
        return table


def explain(
    model: "ECGTextModel",
    record: Any,
    phrases: Sequence[str],
    *,
    scale: str | None = None,
    plan: str | None = None,
) -> Explanation:
    """Say which beats or moments of a recording each phrase's mass lies on.

    The phrases compete with one another and with a dustbin where the coupling is one in which texts compete.

    Args:
        model: a model with a local branch.
        record: one recording, as ``encode_ecg`` takes it.
        phrases: what to look for.
        scale: ``beat`` or ``token``; by default the first that the model was trained with.
        plan: another coupling than the one the model was trained with.

    Raises:
        UsageError: no phrase, an empty one, or several recordings.
        DataError: the model has no local branch.
    """
    if isinstance(phrases, str) or not phrases:
        raise UsageError("phrases must be a list of at least one finding in words")
    readout = _readout(model, scale, plan)
    source = as_source(record, model.preprocessor)
    if len(source) != 1:
        raise UsageError(f"explain takes one recording, got {len(source)}")
    prepared = source.prepared(0)
    texts = torch.from_numpy(model.text_vectors(phrases)[1]).to(model.device)
    fs = model.preprocessor.fs
    plans, times, span, seen_until = [], [], 0.0, -np.inf
    for start, stop in windows(prepared.signal.shape[1], fs, WINDOW_S):
        _, local = embed_windows(model, collate([prepared.cut(start, stop)], fs))
        if local is None:
            raise DataError("the model has no local branch: train it with model.local in the recipe")
        tokens, mask = (
            (local.beats, local.beat_mask) if readout.scale == "beat" else (local.tokens, local.token_mask)
        )
        at = local.beat_times[0] if readout.scale == "beat" else local.token_times
        span = local.beat_span if readout.scale == "beat" else local.token_span
        with torch.inference_mode():
            found = couple(
                torch.einsum("bnd,md->bnm", tokens, texts),
                mask,
                plan=readout.plan,
                reg=readout.reg,
                reg_m=readout.reg_m,
                dustbin=readout.dustbin,
                dustbin_cost=readout.dustbin_cost,
                iterations=50,
            )
        moment = at.cpu().numpy() + start / fs
        keep = mask[0].cpu().numpy() & (moment > seen_until)
        plans.append(found.plan[0].cpu().numpy()[keep])
        times.append(moment[keep])
        seen_until = max(seen_until, float(moment[keep].max(initial=-np.inf)))
    joined = np.concatenate(plans)
    return Explanation(
        plan=(joined / len(plans)).astype(np.float32),
        token_times=np.concatenate(times).astype(np.float32),
        token_span=span,
        token_leads=None,
        beats=prepared.beats.astype(np.float32),
        phrases=tuple(phrases),
        text_measure="phrases",
        coupling=readout.plan,
    )


def _readout(model: "ECGTextModel", scale: str | None, plan: str | None) -> LocalReadout:
    from dataclasses import replace

    if model.config.local is None:
        raise DataError("the model has no local branch: train it with model.local in the recipe")
    if scale not in (None, "beat", "token"):
        raise unknown_name("local scale", scale, ("beat", "token"))
    known = [r for r in model.config.readouts if scale in (None, r.scale)]
    readout = known[0] if known else LocalReadout(scale=scale or "beat")
    if readout.scale == "token" and not model.config.local.get("tokens", True):
        raise DataError(
            "the model has no moments: train it with a local term of scale token, or ask for beats"
        )
    return readout if plan is None else replace(readout, plan=plan)
