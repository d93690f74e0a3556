"""Text encoders: a small one trained here, and any encoder of the Hugging Face hub."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ecgclip.errors import DataError

from .encoded import Encoded

__all__ = ["BagTextEncoder", "PretrainedTextEncoder", "TextEncoder"]


class TextEncoder(Protocol):
    """What a text encoder gives: a width, and tokens with a pooled vector for a list of texts."""

    width: int

    def __call__(self, texts: Sequence[str], *, tokens: bool = True) -> Encoded:
        """Encode ``texts`` to tokens ``(batch, n_tokens, width)`` and ``pooled (batch, width)``."""
        ...


def _encoded(tokens: Tensor, mask: Tensor, pooled: Tensor) -> Encoded:
    times = torch.zeros(tokens.shape[1], device=tokens.device)
    return Encoded(tokens=tokens, token_mask=mask, token_times=times, token_span=0.0, pooled=pooled)


class BagTextEncoder(nn.Module):
    """A bag of word pieces through a small residual network, trained from scratch on the reports.

    On short findings it is as good as a pretrained tower and costs nothing (docs/choices.md).

    Args:
        tokenizer: a WordPiece tokenizer as the JSON text that the ``tokenizers`` library reads.
        width: width of tokens and pooled vector.
        max_tokens: pieces beyond this many are left out.
    """

    def __init__(self, *, tokenizer: str, width: int = 256, max_tokens: int = 96) -> None:
        super().__init__()
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_str(tokenizer)
        self.tokenizer.enable_truncation(max_tokens)
        self.tokenizer.enable_padding()
        self.width = width
        self.embed = nn.Embedding(self.tokenizer.get_vocab_size(), width)
        nn.init.normal_(self.embed.weight, std=0.5)
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, texts: Sequence[str], *, tokens: bool = True) -> Encoded:
        """Encode ``texts``; an empty text has no token and the pooled vector of nothing.

        Without ``tokens`` they are the bare embeddings: nobody looks at them, and deepening each costs most.
        """
        ids = self.pieces(texts)
        mask = ids >= 0
        x = self.embed(ids.clamp(min=0)) * mask[:, :, None]
        deep = self._deepen(x) * mask[:, :, None] if tokens else x
        bag = x.sum(1) / mask.sum(1, keepdim=True).clamp(min=1).sqrt()
        return _encoded(deep, mask, self._deepen(bag))

    def pieces(self, texts: Sequence[str]) -> Tensor:
        """Number of each word piece of ``texts``, start and end marked: ``(n, longest)`` int64, -1 beyond a text."""
        coded = self.tokenizer.encode_batch([text.lower() for text in texts])
        rows = [[k if real else -1 for k, real in zip(c.ids, c.attention_mask, strict=True)] for c in coded]
        shape = (len(rows), len(rows[0]) if rows else 0)
        return torch.tensor(rows, dtype=torch.long, device=self.embed.weight.device).view(shape)

    def _deepen(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        out: Tensor = x + self.mix(x)
        return out


class PretrainedTextEncoder(nn.Module):
    """Any encoder of the Hugging Face hub, by hub id or local folder.

    A frozen tower takes no gradient and computes the features of a text once: they are kept by text. Its
    files are loaded when a text is first encoded, where ``width`` is known: a model folder tells it. The
    tower is in eval mode whatever ``train()`` says: its dropout would depend on how a batch was split.

    Args:
        name: hub id or local folder.
        frozen: whether the tower is kept as it is.
        max_tokens: tokens beyond this many are left out.
        width: width of the tower's tokens; None looks at the tower.
        architecture: folder with the tower's configuration and tokenizer, whose weights come from elsewhere.

    Raises:
        DataError: the tower is neither a folder nor in the cache while the hub is out of reach.
    """

    _place: Tensor

    def __init__(
        self,
        *,
        name: str,
        frozen: bool = True,
        max_tokens: int = 128,
        width: int | None = None,
        architecture: str | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.frozen = frozen
        self.max_tokens = max_tokens
        self.architecture = architecture
        self.tokenizer: Any = None
        self.tower: Any = None
        self._kept: dict[str, Tensor] = {}
        self.register_buffer("_place", torch.zeros(0), persistent=False)
        if width is None or not frozen:
            self._load()
        self.width: int = width or self._width_of_tower()

    def _width_of_tower(self) -> int:
        return int(self.tower.config.hidden_size)

    def _load(self) -> None:
        self.tokenizer, tower = _load_tower(self.name, self.architecture)
        self.tower = tower.to(self._place.device).requires_grad_(not self.frozen).eval()

    def train(self, mode: bool = True) -> "PretrainedTextEncoder":
        """Set the mode; the tower stays in eval mode."""
        super().train(mode)
        if self.tower is not None:
            self.tower.eval()
        return self

    def save_architecture(self, folder: Path) -> None:
        """Write the tower's configuration and tokenizer, which with its weights are all of it."""
        self.tower.config.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def forward(self, texts: Sequence[str], *, tokens: bool = True) -> Encoded:
        """Encode ``texts`` to tokens and their mean (mean pooling over the attention mask)."""
        if not texts:
            nothing = torch.zeros(0, 1, self.width, device=self._place.device)
            return self._pool(nothing, nothing[:, :, 0].bool())
        if not self.frozen:
            return self._pool(*self._run(list(texts)))
        todo = list(dict.fromkeys(text for text in texts if text not in self._kept))
        with torch.no_grad():
            for start in range(0, len(todo), 64):
                part = todo[start : start + 64]
                for text, row, present in zip(part, *self._run(part), strict=True):
                    self._kept[text] = row[present].cpu()
        device = self._place.device
        rows = [self._kept[text] for text in texts]
        padded = nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device)
        lengths = torch.tensor([len(row) for row in rows], device=device)
        return self._pool(padded, torch.arange(padded.shape[1], device=device)[None] < lengths[:, None])

    def _run(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        if self.tower is None:
            self._load()
        coded = self.tokenizer(
            texts, padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        ).to(self._place.device)
        tokens = self.tower(**coded).last_hidden_state
        return tokens.float(), coded["attention_mask"].bool()

    def _pool(self, tokens: Tensor, mask: Tensor) -> Encoded:
        weight = mask[:, :, None].to(tokens.dtype)
        pooled = (tokens * weight).sum(1) / weight.sum(1).clamp(min=1.0)
        return _encoded(tokens * weight, mask, pooled)


def _load_tower(name: str, architecture: str | None) -> tuple[Any, Any]:
    """Load tokenizer and encoder; no code of the folder is run, and only safetensors are read."""
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    source = architecture or name
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        if architecture is not None:
            config = AutoConfig.from_pretrained(source, trust_remote_code=False)
            tower = AutoModel.from_config(config, trust_remote_code=False)
        else:
            tower = AutoModel.from_pretrained(source, trust_remote_code=False, use_safetensors=True)
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0][:160]
        raise DataError(
            f"text tower {source!r} could not be loaded ({reason}): give a local folder, or a hub id that is in "
            f"the cache (HF_HUB_CACHE) or can be reached"
        ) from None
    return tokenizer, tower.float()
