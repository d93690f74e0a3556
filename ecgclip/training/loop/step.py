"""One step: embed in portions, join, take the loss once, carry its gradient back (GradCache).

Gao et al. 2021 (arXiv 2101.06983), section 3: the loss of a joined batch needs only its embeddings, so each
portion is embedded without a graph, the gradient on the embeddings is taken, and the portion is embedded
again with a graph to carry it on. One portion needs no second pass. Every process takes the whole loss and
carries back only its own rows, so gradients are summed over processes, not averaged. What the loss itself
holds, the scales and the terms' own parameters, gets the same gradient in every process: its share is summed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ecgclip.alignment import AlignmentBatch, Objective
from ecgclip.models import ECGTextModel, LocalEncoded
from ecgclip.signals import SignalBatch
from ecgclip.training.batches import StepTexts

from .portions import Joined, Tensors
from .processes import share, sum_gradients

__all__ = ["Share", "loss_and_gradients"]

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

    def joined(self, embed: Callable[[slice], Tensors], total: int, micro: int) -> Joined:
        """Embed this process's part of ``total`` rows, ``micro`` at once, and join all parts."""
        return Joined(embed, total, micro, self.rank, self.processes)


class _Signals:
    """The recordings' side: what the terms need of it."""

    def __init__(
        self, model: ECGTextModel, batch: SignalBatch, keys: Tensor, needs: frozenset[str], autocast: Autocast
    ) -> None:
        self._model, self._batch, self._keys, self._autocast = model, batch, keys, autocast
        self._needs = needs
        self._seen: LocalEncoded | None = None
        self._names: list[str] = []

    def embed(self, rows: slice) -> Tensors:
        """Embed some of this process's recordings."""
        with self._autocast():
            views = self._model.signal_views(
                self._batch[rows],
                self._keys[rows],
                local="local" in self._needs,
                second="second_view" in self._needs,
            )
        found = {"signal": views.z}
        if views.second is not None:
            found["second_view"] = views.second
        if "signal_tokens" in self._needs:
            found |= {"signal_tokens": views.tokens, "signal_token_mask": views.token_mask}
        if views.local is not None:
            self._seen = views.local
            found |= {
                name: getattr(views.local, name)
                for name in ("beats", "tokens", "beat_mask", "token_mask", "beat_times")
            }
        self._names = list(found)
        return tuple(found.values())

    def fields(self, joined: Joined) -> dict[str, Any]:
        """The joined tensors by their names in an ``AlignmentBatch``."""
        found: dict[str, Tensor] = dict(zip(self._names, joined.leaves, strict=True))
        if self._seen is None:
            return {**found, "local": None}
        local = {
            name: found.pop(name) for name in ("beats", "tokens", "beat_mask", "token_mask", "beat_times")
        }
        seen = LocalEncoded(
            token_times=self._seen.token_times,
            token_span=self._seen.token_span,
            token_leads=self._seen.token_leads,
            beat_span=self._seen.beat_span,
            **local,
        )
        return {**found, "local": seen}


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
    """Take the loss of a joined batch and leave its gradient in the parameters of model and objective.

    Args:
        model: in training mode, with gradients cleared.
        objective: what is made small.
        batch: this process's recordings ``(n, 12, time)``.
        keys: ``(n,)`` int64, for the dropout.
        texts: texts of the whole joined batch, the same in every process.
        here: which process this is.
        micro: recordings embedded at once.
        autocast: context for the encoders and the terms' networks; every loss is in float32.

    Returns:
        The loss and its terms, the same in every process.
    """
    needs = objective.needs
    side = _Signals(model, batch, keys, needs, autocast)
    signals = here.joined(side.embed, len(texts.reports), micro)
    words = _words(model, texts, needs, here, max(256, micro), autocast)
    gathered = AlignmentBatch(
        **side.fields(signals),
        **words.fields,
        says=torch.from_numpy(texts.says).to(keys.device),
        scale=model.log_scale.exp().clamp(max=100.0),
        local_scale=model.local_log_scale.exp().clamp(max=100.0),
    )
    with autocast():
        loss, terms = objective(gathered)
    loss.backward()
    for parameter in (model.log_scale, model.local_log_scale, *objective.parameters()):
        if parameter.grad is not None:
            parameter.grad /= here.processes
    for joined in (signals, *words.joined):
        joined.backward()
    sum_gradients([*model.parameters(), *objective.parameters()], here.processes)
    return loss.detach(), {name: value.detach() for name, value in terms.items()}


@dataclass(frozen=True)
class _Words:
    """The texts' side: leaves to carry gradients back from, and the fields of the batch."""

    joined: Sequence[Joined]
    fields: dict[str, Any]


def _words(
    model: ECGTextModel, texts: StepTexts, needs: frozenset[str], here: Share, micro: int, autocast: Autocast
) -> _Words:
    """Embed each distinct text once; with tokens the reports only, since deepening tokens costs most."""
    statements = texts.statements if "statements" in needs else []
    bank = model.config.reference if "local_bank" in needs else ()
    reports = list(dict.fromkeys(texts.reports))
    every = list(dict.fromkeys([*reports, *statements, *bank, *texts.kinds]))
    deep = "text_tokens" in needs
    groups = [(every[: len(reports)], True), (every[len(reports) :], False)] if deep else [(every, False)]

    def side(group: list[str], tokens: bool) -> Joined:
        mine = group[share(len(group), here.rank, here.processes)]

        def embed(rows: slice) -> Tensors:
            with autocast():
                views = model.text_views(mine[rows], tokens=tokens)
            return (views.z, views.local, *((views.tokens, views.token_mask) if tokens else ()))

        return here.joined(embed, len(group), micro)

    joined = [side(group, tokens) for group, tokens in groups]
    z, local = (torch.cat([each.leaves[k] for each in joined]) for k in range(2))
    device = z.device
    place = {text: k for k, text in enumerate(every)}
    rows = torch.tensor([place[text] for text in texts.reports], device=device)
    said = torch.tensor([place[text] for text in statements], device=device, dtype=torch.int64)
    number = torch.from_numpy(texts.groups).to(device)
    fields: dict[str, Any] = {
        "text": z[rows],
        "text_group": number[:, None] == number[None, :],
        "holds": torch.from_numpy(texts.holds).to(device),
        "derived": torch.from_numpy(texts.derived if statements else texts.derived[:0]).to(device),
        "has_text": torch.tensor([bool(text) for text in texts.reports], device=device),
        "statements": z[said],
        "local_statements": local[said],
    }
    if texts.kinds:
        fields["kinds"] = z[[place[text] for text in texts.kinds]]
        fields["kinds_hold"] = torch.from_numpy(texts.kinds_hold).to(device)
    if bank:
        fields["local_bank"] = local[[place[text] for text in bank]]
    if deep:
        tokens, mask = joined[0].leaves[2:]
        fields |= {"text_tokens": tokens[rows], "text_token_mask": mask[rows]}
    if "text_ids" in needs:
        fields["text_ids"] = model.text_encoder.pieces(texts.reports)
    return _Words(joined, fields)
