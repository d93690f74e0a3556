"""The attention that terms with parameters of their own are made of."""

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Attention", "FeedForward", "TokenTerm"]


class TokenTerm(nn.Module):
    """A term with a network over tokens: it computes in the precision of the encoders, its loss in float32."""


class Attention(nn.Module):
    """Scaled dot-product attention of several heads (Vaswani et al. 2017, section 3.2), queries from one side.

    Args:
        width: of the queries and of the result.
        width_seen: of the tokens that are looked at.
        heads: a divisor of ``width``.
    """

    def __init__(self, width: int, width_seen: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.seen = nn.Linear(width_seen, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, seen: Tensor, mask: Tensor) -> Tensor:
        """Let ``x (batch, n, width)`` look at ``seen (batch, m, width_seen)``.

        Args:
            x: queries.
            seen: tokens.
            mask: ``(batch, 1 or n, m)`` bool, what each may look at; who may look at nothing looks at all.
        """
        mask = mask | ~mask.any(-1, keepdim=True)
        batch, count, width = x.shape
        split = (batch, -1, self.heads, width // self.heads)
        key, value = self.seen(seen).chunk(2, dim=-1)
        q, k, v = (part.reshape(split).transpose(1, 2) for part in (self.query(x), key, value))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None])
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, count, width))
        return out


class FeedForward(nn.Sequential):
    """Norm and two layers, added to what comes in by the caller."""

    def __init__(self, width: int) -> None:
        super().__init__(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
