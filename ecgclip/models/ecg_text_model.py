"""The model: a recording and a text in, tokens and embeddings of one space out."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgclip.errors import UsageError, unknown_name
from ecgclip.reports import read_report
from ecgclip.signals import Preprocessor, SignalBatch

from .config import ModelConfig
from .encoded import LocalEncoded, SignalViews, TextViews
from .frozen import forget_frozen
from .layers import KeyedDropout
from .local import LocalBranch
from .resnet import ResNet1d
from .text import BagTextEncoder, PretrainedTextEncoder
from .vit import ViT1d

if TYPE_CHECKING:
    from .sources import Recordings

__all__ = ["SIGNAL_ENCODERS", "TEXT_ENCODERS", "ECGTextModel", "readable_texts"]

SIGNAL_ENCODERS: dict[str, type[nn.Module]] = {"resnet": ResNet1d, "vit": ViT1d}
TEXT_ENCODERS: dict[str, type[nn.Module]] = {"bag": BagTextEncoder, "huggingface": PretrainedTextEncoder}
FINDINGS = ("canonical", "raw", "both")
_OTHER_VIEW = 0x5DEECE66D1CE4E5B  # turns a record's key into that of its second dropout


def readable_texts(text: str, findings: str) -> tuple[str, ...]:
    """Read a text as the encoder wants it: the distinct statements of a report, in order.

    Args:
        text: a report, a statement or a prompt.
        findings: ``canonical``, ``raw`` or ``both``.
    """
    return read_report(text).texts(findings)


class ECGTextModel(nn.Module):
    """Two encoders and the space in which a recording and a text meet.

    Args:
        config: what the model is made of.
        preprocessor: turns a recording into model input; it travels with the model.
    """

    precision: str = "float32"
    """In which recordings are embedded: ``float32``, or ``bfloat16`` where the hardware multiplies in it, faster."""

    def __init__(self, config: ModelConfig, preprocessor: Preprocessor) -> None:
        super().__init__()
        if config.findings not in FINDINGS:
            raise unknown_name("way of reading reports", config.findings, FINDINGS)
        self.config = config
        self.preprocessor = preprocessor
        fs = preprocessor.fs
        self.signal_encoder = _build("signal encoder", SIGNAL_ENCODERS, {"fs": fs, **config.signal})
        self.text_encoder = _build("text encoder", TEXT_ENCODERS, dict(config.text))
        width, text_width = int(self.signal_encoder.width), int(self.text_encoder.width)
        self.local = None if config.local is None else LocalBranch(fs=fs, dim=config.dim, **config.local)
        self.fed = self.local is not None and self.local.look is not None
        self.signal_head = _Head(width + (config.dim if self.fed else 0), config.dim)
        self.text_head = _Head(text_width, config.dim)
        self.beat_drop = KeyedDropout(float(config.signal.get("dropout", 0.1)), salt=2)
        self.local_text_head = None if config.local is None else _Head(text_width, config.dim)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1.0 / 0.07)))
        self.local_log_scale = nn.Parameter(torch.tensor(math.log(1.0 / 0.07)))
        self.kept_texts: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    # -- tensors in, tensors out: what training calls

    def embed_signal(
        self, batch: SignalBatch, keys: Tensor | None = None
    ) -> tuple[Tensor, LocalEncoded | None]:
        """Embed recordings.

        Args:
            batch: ``signal (batch, 12, time)`` mV with its masks and beats.
            keys: ``(batch,)`` int64 that seed the dropout; None for none.

        Returns:
            ``(batch, dim)`` unit vectors, and what the local branch says.
        """
        views = self.signal_views(batch, keys)
        return views.z, views.local

    def signal_views(
        self, batch: SignalBatch, keys: Tensor | None = None, *, local: bool = True, second: bool = False
    ) -> SignalViews:
        """Embed recordings, with all that a term of an objective can ask for.

        Args:
            batch: ``signal (batch, 12, time)`` mV with its masks and beats.
            keys: ``(batch,)`` int64 that seed the dropout; None for none.
            local: whether the local branch is asked.
            second: whether a second view is made, by another dropout.
        """
        once = None if second else keys
        encoded = self.signal_encoder(batch.signal, batch.lead_mask, batch.time_mask, once)
        pooled, other = encoded.pooled, None
        if second:
            drop = self.signal_encoder.drop
            pooled, other = (
                drop(pooled, keys),
                drop(encoded.pooled, _other(keys)),
            )
        found = None
        if (local or self.fed) and self.local is not None:
            found = self.local(batch.signal, batch.lead_mask, batch.time_mask, batch.beats, batch.beat_mask)
        return SignalViews(
            z=self._project(pooled, found, keys),
            second=None if other is None else self._project(other, found, _other(keys)),
            tokens=encoded.tokens.float(),
            token_mask=encoded.token_mask,
            local=found if local else None,
        )

    def _project(self, pooled: Tensor, local: LocalEncoded | None, keys: Tensor | None) -> Tensor:
        if local is not None and local.pooled is not None:
            beats = self.beat_drop(local.pooled, keys)
            pooled = torch.cat([pooled, beats.to(pooled.dtype)], dim=1)
        return F.normalize(self.signal_head(pooled).float(), dim=-1)

    def embed_text(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Embed texts that were read already: unit vectors for the global and the local space.

        Args:
            texts: statements, or statements joined to a report.

        Returns:
            Two ``(n, dim)``; the second is the first where the model has no local branch.
        """
        views = self.text_views(texts)
        return views.z, views.local

    def text_views(self, texts: Sequence[str], *, tokens: bool = False) -> TextViews:
        """Embed texts, with all that a term of an objective can ask for.

        Args:
            texts: statements, or statements joined to a report.
            tokens: whether the encoder's tokens are deepened; left out, they are its bare embeddings.
        """
        encoded = self.text_encoder(list(texts), tokens=tokens)
        z = local = F.normalize(self.text_head(encoded.pooled).float(), dim=-1)
        if self.local_text_head is not None:
            local = F.normalize(self.local_text_head(encoded.pooled).float(), dim=-1)
        return TextViews(z=z, local=local, tokens=encoded.tokens.float(), token_mask=encoded.token_mask)

    # -- recordings and words in, numpy out: what people call

    def encode_ecg(
        self, records: "Recordings", *, batch_size: int = 64, on_error: str = "raise"
    ) -> np.ndarray:
        """Embed recordings of any length, rate and lead order.

        Args:
            records: paths, folders, ``ECGRecord``s, ``(array, fs, lead_names)``, a store or a corpus, or
                one of them. A recording longer than a window is the mean of its windows.
            batch_size: windows that are computed at once.
            on_error: ``raise``, or ``mark`` to give NaN for a recording that cannot be read.

        Returns:
            ``(n, dim)`` float32 unit vectors; the shape is ``(0, dim)`` for no recording.

        Raises:
            DataError: a recording cannot be read.
        """
        from .inference import embed_recordings

        found = embed_recordings(self, records, batch_size=batch_size, on_error=on_error)
        z = found.mean_global()
        norm = np.linalg.norm(z, axis=1, keepdims=True)
        return np.asarray(z / np.where(norm == 0, 1, norm), dtype=np.float32)

    def encode_text(self, texts: Sequence[str], *, batch_size: int = 256) -> np.ndarray:
        """Embed texts, each read as a report is: findings first.

        Args:
            texts: reports, statements or prompts.
            batch_size: texts that are computed at once.

        Returns:
            ``(m, dim)`` float32 unit vectors.

        Raises:
            UsageError: a text is empty.
        """
        return self.text_vectors(texts, batch_size=batch_size)[0]

    def text_vectors(self, texts: Sequence[str], *, batch_size: int = 256) -> tuple[np.ndarray, np.ndarray]:
        """Embed texts for the global and for the local space: two ``(m, dim)`` float32.

        Embeddings that the model folder keeps for the shipped banks are taken from there.

        Raises:
            UsageError: a text is empty.
        """
        if isinstance(texts, str):
            raise UsageError(f"texts must be a list of strings, got the string {texts!r}: write [{texts!r}]")
        read = [self._read(index, text) for index, text in enumerate(texts)]
        if not read:
            empty = np.zeros((0, self.config.dim), dtype=np.float32)
            return empty, empty
        kept = {} if self.training else self.kept_texts
        fresh = self._embed_read([t for t in dict.fromkeys(read) if t not in kept], batch_size)
        pairs = [kept[text] if text in kept else fresh[text] for text in read]
        return np.stack([a for a, _ in pairs]), np.stack([b for _, b in pairs])

    def keep_texts(self, texts: Sequence[str], *, batch_size: int = 256) -> None:
        """Keep the embeddings of texts with the model, so that using them needs no text tower.

        Only these are written to the model folder; what else was embedded is forgotten.

        Raises:
            UsageError: a text is empty.
        """
        self.eval()
        read = [self._read(index, text) for index, text in enumerate(texts)]
        todo = [t for t in dict.fromkeys(read) if t not in self.kept_texts]
        self.kept_texts |= self._embed_read(todo, batch_size)

    def _embed_read(self, texts: Sequence[str], batch_size: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        training = self.training
        self.eval()
        with torch.inference_mode():
            for start in range(0, len(texts), batch_size):
                part = texts[start : start + batch_size]
                z, local = self.embed_text(part)
                pairs = zip(z.cpu().numpy(), local.cpu().numpy(), strict=True)
                found |= dict(zip(part, pairs, strict=True))
        self.train(training)
        return found

    def _read(self, index: int, text: str) -> str:
        if not isinstance(text, str) or not text.strip():
            raise UsageError(f"text {index} is empty: expected a finding or a report in words")
        statements = readable_texts(text, self.config.findings)
        return join_statements(statements) if statements else text.strip().lower()

    def train(self, mode: bool = True) -> "ECGTextModel":
        """Set the mode; kept text embeddings and frozen weights are forgotten when training begins."""
        if mode and not self.training:
            self.kept_texts = {}
            forget_frozen(self)
        super().train(mode)
        return self

    @property
    def device(self) -> torch.device:
        """The device that the weights are on."""
        return self.log_scale.device

    # -- folders and the hub

    @classmethod
    def from_pretrained(cls, source: str | Path, *, device: str | torch.device = "cpu") -> "ECGTextModel":
        """Load a model from a run folder, a model folder or a hub id; no code from it is run.

        Args:
            source: where the model is.
            device: where its weights go.

        Raises:
            DataError: it is not there or cannot be read.
        """
        from .folder import load_model

        return load_model(source).to(device).eval()

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the model folder: safetensors, JSON, tokenizer, preprocessor, kept text embeddings."""
        from .folder import save_model

        return save_model(self, folder)

    def push_to_hub(self, repo_id: str, *, private: bool = False) -> str:
        """Upload the model folder to the Hugging Face hub and return its address."""
        from .folder import push_model

        return push_model(self, repo_id, private=private)


def _other(keys: Tensor | None) -> Tensor | None:
    return None if keys is None else keys ^ _OTHER_VIEW


class _Head(nn.Module):
    """Projection to the shared space: a linear way and a two-layer way, added."""

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.straight = nn.Linear(width, dim)
        self.bent = nn.Sequential(nn.Linear(width, dim), nn.GELU(), nn.Linear(dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.straight(x) + self.bent(x)
        return out


def join_statements(statements: Sequence[str]) -> str:
    """Write statements as one text, in the order given."""
    return ". ".join(statements)


def _build(kind: str, registry: dict[str, type[nn.Module]], values: dict[str, Any]) -> Any:
    """Build a part by name; a dotted path ``package.module:Name`` names a third party's."""
    name = str(values.pop("kind", ""))
    if ":" in name:
        from importlib import import_module

        module, _, attribute = name.partition(":")
        found = getattr(import_module(module), attribute, None)
        if not (isinstance(found, type) and issubclass(found, nn.Module)):
            raise UsageError(f"{kind} {name!r} is no torch module: name a class as package.module:Name")
        return found(**values)
    if name not in registry:
        raise unknown_name(kind, name, registry)
    if name in TEXT_ENCODERS:
        values.pop("fs", None)
    return registry[name](**values)
