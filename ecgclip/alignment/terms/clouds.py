"""Transport between the cloud of the batch's recordings and the cloud of its reports."""

from typing import ClassVar

from torch import Tensor

from ecgclip.alignment.batch import AlignmentBatch
from ecgclip.alignment.sinkhorn import sinkhorn_divergence

__all__ = ["Clouds"]


class Clouds:
    """Sinkhorn divergence of the two clouds, cost one minus cosine (Feydy et al. 2019, equation 3).

    It says nothing of pairs: the two sides are to lie in the same places. Its gradient is the envelope's.

    Args:
        reg: entropic regularisation, in units of the cost.
    """

    name = "clouds"
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, *, reg: float = 0.05) -> None:
        self.reg = reg

    def __call__(self, batch: AlignmentBatch) -> Tensor:
        """Return the divergence for ``batch``."""
        keep = batch.has_text
        if not bool(keep.any()):
            return batch.signal.sum() * 0.0
        signal, text = batch.signal[keep].float(), batch.text[keep].float()
        costs = (1.0 - x @ y.T for x, y in ((signal, text), (signal, signal), (text, text)))
        found: Tensor = sinkhorn_divergence(*costs, reg=self.reg, tol=1e-3, max_iter=500)
        return found
