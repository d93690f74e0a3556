"""One step: embed in portions, join, take the loss once, carry its gradient back (GradCache).

Gao et al. 2021 (arXiv 2101.06983), section 3: the loss of a joined batch needs only its embeddings, so each
portion is embedded without a graph, the gradient on the embeddings is taken, and the portion is embedded
again with a graph to carry it on. One portion needs no second pass. Every process takes the whole loss and
carries back only its own rows, so gradients are summed over processes, not averaged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ecgclip.alignment import AlignmentBatch, Objective
from ecgclip.models import ECGTextModel, LocalEncoded
from ecgclip.signals import SignalBatch

from .batches import StepTexts
from .processes import gather_rows, share, sum_gradients

__all__ = ["Share", "loss_and_gradients"]

Tensors = tuple[Tensor, ...]
Autocast = Callable[[], torch.autocast]


@dataclass(frozen=True)
class Share:
    """Which process this is.

    Attributes:
        rank: number of this process.
        processes: how many there are.
    """

    rank: int = 0
    processes: int = 1

    def counts(self, total: int) -> list[int]:
        """Rows of each process out of ``total``."""
        parts = [share(total, rank, self.processes) for rank in range(self.processes)]
        return [part.stop - part.start for part in parts]


class _Portions:
    """Embeddings of one side, computed in portions, and the way back."""

    def __init__(self, embed: Callable[[int], Tensors], count: int) -> None:
        self._embed = embed
        if count == 1:
            self._graph: list[Tensors] | None = [embed(0)]
            parts = self._graph
        else:
            self._graph = None
            with torch.no_grad():
                parts = [embed(k) for k in range(count)]
        self._rows = [len(part[0]) for part in parts]
        self.values = tuple(_join([part[k].detach() for part in parts]) for k in range(len(parts[0])))

    def backward(self, gradients: Sequence[Tensor | None]) -> None:
        """Carry ``gradients`` on the joined values back to the parameters."""
        start = 0
        for k, rows in enumerate(self._rows):
            outputs = self._graph[k] if self._graph is not None else self._embed(k)
            pairs = [
                (out, grad[start : start + rows][tuple(slice(0, n) for n in out.shape)])
                for out, grad in zip(outputs, gradients, strict=True)
                if grad is not None and out.requires_grad
            ]
            if pairs:
                torch.autograd.backward([out for out, _ in pairs], [grad for _, grad in pairs])
            start += rows


def _join(parts: list[Tensor]) -> Tensor:
    """Concatenate rows; the second axis is padded with zeros to the longest."""
    if parts[0].dim() < 2 or len({part.shape[1] for part in parts}) == 1:
        return torch.cat(parts) if len(parts) > 1 else parts[0]
    longest = max(part.shape[1] for part in parts)
    wide = [part.new_zeros((len(part), longest, *part.shape[2:])) for part in parts]
    for target, part in zip(wide, parts, strict=True):
        target[:, : part.shape[1]] = part
    return torch.cat(wide)


def _signal_portions(
    model: ECGTextModel, batch: SignalBatch, keys: Tensor, micro: int, autocast: Autocast
) -> tuple[_Portions, list[LocalEncoded | None]]:
    seen: list[LocalEncoded | None] = []

    def embed(k: int) -> Tensors:
        rows = slice(k * micro, (k + 1) * micro)
        with autocast():
            z, local = model.embed_signal(batch[rows], keys[rows])
        seen.append(local)
        if local is None:
            return (z,)
        return (z, local.beats, local.tokens, local.beat_mask, local.token_mask, local.beat_times)

    return _Portions(embed, -(-len(batch) // micro)), seen


def _text_portions(model: ECGTextModel, texts: Sequence[str], micro: int, autocast: Autocast) -> _Portions:
    def embed(k: int) -> Tensors:
        with autocast():
            return model.embed_text(texts[k * micro : (k + 1) * micro])

    return _Portions(embed, max(1, -(-len(texts) // micro)))


def loss_and_gradients(
    model: ECGTextModel,
    objective: Objective,
    batch: SignalBatch,
    keys: Tensor,
    texts: StepTexts,
    *,
    here: Share,
    micro: int,
    autocast: Autocast,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Take the loss of a joined batch and leave its gradient in the parameters.

    Args:
        model: in training mode, with gradients cleared.
        objective: what is made small.
        batch: this process's recordings ``(n, 12, time)``.
        keys: ``(n,)`` int64, for the dropout.
        texts: texts of the whole joined batch, the same in every process.
        here: which process this is.
        micro: recordings embedded at once.
        autocast: context for the encoders; the loss is in float32.

    Returns:
        The loss and its terms, the same in every process.
    """
    every = list(dict.fromkeys([*texts.reports, *texts.statements]))
    mine = every[share(len(every), here.rank, here.processes)]
    signals, seen = _signal_portions(model, batch, keys, micro, autocast)
    words = _text_portions(model, mine, max(256, micro), autocast)
    counts, text_counts = here.counts(len(texts.reports)), here.counts(len(every))
    joined = [_leaf(gather_rows(value, counts)) for value in signals.values]
    joined_words = [_leaf(gather_rows(value, text_counts)) for value in words.values]
    loss, terms = objective(_alignment_batch(model, texts, every, joined, joined_words, seen[0]))
    loss.backward()  # type: ignore[no-untyped-call]
    for parameter in (model.log_scale, model.local_log_scale):
        if parameter.grad is not None:
            parameter.grad /= here.processes
    own, own_words = (share(n, here.rank, here.processes) for n in (len(texts.reports), len(every)))
    signals.backward([None if v.grad is None else v.grad[own] for v in joined])
    words.backward([None if v.grad is None else v.grad[own_words] for v in joined_words])
    sum_gradients(model.parameters(), here.processes)
    return loss.detach(), {name: value.detach() for name, value in terms.items()}


def _leaf(value: Tensor) -> Tensor:
    return value.detach().requires_grad_(value.is_floating_point())


def _alignment_batch(
    model: ECGTextModel,
    texts: StepTexts,
    every: list[str],
    signals: list[Tensor],
    words: list[Tensor],
    seen: LocalEncoded | None,
) -> AlignmentBatch:
    device = words[0].device
    place = {text: k for k, text in enumerate(every)}
    reports = torch.tensor([place[text] for text in texts.reports], device=device)
    statements = torch.tensor([place[text] for text in texts.statements], device=device, dtype=torch.int64)
    groups = torch.from_numpy(texts.groups).to(device)
    local = None
    if seen is not None:
        _, beats, tokens, beat_mask, token_mask, beat_times = signals
        local = LocalEncoded(
            tokens=tokens,
            token_mask=token_mask,
            token_times=seen.token_times,
            token_span=seen.token_span,
            beats=beats,
            beat_mask=beat_mask,
            beat_times=beat_times,
            beat_span=seen.beat_span,
        )
    return AlignmentBatch(
        signal=signals[0],
        text=words[0][reports],
        text_group=groups[:, None] == groups[None, :],
        has_text=torch.tensor([bool(text) for text in texts.reports], device=device),
        statements=words[0][statements],
        local_statements=words[1][statements],
        says=torch.from_numpy(texts.says).to(device),
        local=local,
        scale=model.log_scale.exp().clamp(max=100.0),
        local_scale=model.local_log_scale.exp().clamp(max=100.0),
    )
