"""The losses of MERL and MELP in a plain PyTorch loop: same encoders and batch, nothing of the framework's loop."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgclip.models import ECGTextModel
from ecgclip.signals import SignalBatch
from ecgclip.training.batches import StepTexts

__all__ = ["LOSSES", "Plain"]


class Merl(nn.Module):
    """InfoNCE with the reports and between two dropout views, each the sum of both directions, temperature 0.07."""

    def __init__(self, model: ECGTextModel) -> None:
        super().__init__()
        self.model = [model]  # not a submodule: its parameters are the model's own

    def forward(self, batch: SignalBatch, texts: StepTexts) -> Tensor:
        """Return the loss of a batch."""
        (model,) = self.model
        pooled = model.signal_encoder(batch.signal, batch.lead_mask, batch.time_mask).pooled
        one, two = (F.normalize(model.signal_head(F.dropout(pooled, 0.1)).float(), dim=-1) for _ in range(2))
        said = model.text_encoder(texts.reports, tokens=False).pooled
        text = F.normalize(model.text_head(said).float(), dim=-1)
        with torch.autocast(pooled.device.type, enabled=False):
            return _both_ways(one @ text.T / 0.07) + _both_ways(one @ two.T / 0.07)


class Melp(nn.Module):
    """InfoNCE, a caption told by a causal decoder, and statements against learned queries."""

    def __init__(self, model: ECGTextModel) -> None:
        super().__init__()
        self.model = [model]
        width, pieces = model.signal_encoder.width, model.text_encoder.embed.num_embeddings
        self.embed = nn.Embedding(pieces, width)
        self.place = nn.Parameter(0.02 * torch.randn(96, width))
        layer = nn.TransformerDecoderLayer(
            width, 4, 4 * width, 0.0, F.gelu, batch_first=True, norm_first=True
        )
        self.decoder = nn.TransformerDecoder(layer, 2, nn.LayerNorm(width))
        self.queries = nn.Parameter(torch.randn(10, width) * width**-0.5)
        self.look = nn.MultiheadAttention(width, 4, batch_first=True)
        self.project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, model.config.dim))

    def forward(self, batch: SignalBatch, texts: StepTexts) -> Tensor:
        """Return the loss of a batch."""
        (model,) = self.model
        encoded = model.signal_encoder(batch.signal, batch.lead_mask, batch.time_mask)
        signal = F.normalize(model.signal_head(F.dropout(encoded.pooled, 0.1)).float(), dim=-1)
        reports, statements = (
            F.normalize(model.text_head(model.text_encoder(part, tokens=False).pooled).float(), dim=-1)
            for part in (texts.reports, texts.statements)
        )
        caption = self._caption(encoded.tokens, ~encoded.token_mask, texts.reports)
        queries = self.queries.expand(len(signal), -1, -1)
        looked = self.look(queries, encoded.tokens, encoded.tokens, ~encoded.token_mask, need_weights=False)[
            0
        ]
        beats = F.normalize(self.project(looked).float(), dim=-1)
        with torch.autocast(signal.device.type, enabled=False):
            pairs = 0.5 * _both_ways(model.log_scale.exp() * signal @ reports.T)
            says = torch.from_numpy(texts.says).to(signal)
            return pairs + 2.0 * caption + 0.2 * self._local(beats, statements, says)

    def _caption(self, tokens: Tensor, absent: Tensor, reports: list[str]) -> Tensor:
        coded = self.model[0].text_encoder.tokenizer.encode_batch(reports)
        ids = torch.tensor([each.ids for each in coded], device=tokens.device)
        before, told = ids[:, :-1], ids[:, 1:]
        causal = torch.ones(before.shape[1], before.shape[1], dtype=torch.bool, device=ids.device).triu(1)
        x = self.decoder(
            self.embed(before) + self.place[: before.shape[1]],
            tokens,
            tgt_mask=causal,
            memory_key_padding_mask=absent,
        )
        there = told != 0
        return F.cross_entropy(F.linear(x[there], self.embed.weight).float(), told[there])

    @staticmethod
    def _local(beats: Tensor, statements: Tensor, says: Tensor) -> Tensor:
        share = (4.0 * torch.einsum("bqd,sd->bsq", beats, statements)).softmax(dim=2)
        seen = F.normalize(torch.einsum("bsq,bqd->bsd", share, beats), dim=-1)
        close = torch.einsum("bsd,sd->bs", seen, statements)
        scores = 10.0 * ((5.0 * close).exp() @ says.T).clamp(min=1e-12).log()
        return 0.5 * _both_ways(scores)


def _both_ways(logits: Tensor) -> Tensor:
    own = torch.arange(len(logits), device=logits.device)
    return F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)


LOSSES: dict[str, Callable[[ECGTextModel], nn.Module]] = {"merl": Merl, "melp": Melp}


class Plain:
    """A training step as a tutorial writes it."""

    def __init__(self, model: ECGTextModel, name: str, autocast: Callable[[], torch.autocast]) -> None:
        device = model.log_scale.device
        self.loss, self.autocast = LOSSES[name](model).to(device), autocast
        self.parameters = [*model.parameters(), *self.loss.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-3, weight_decay=0.05, fused=True)

    def step(self, batch: SignalBatch, texts: StepTexts) -> float:
        """Take one step and return the loss."""
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast():
            loss = self.loss(batch, texts)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return float(loss.detach())
