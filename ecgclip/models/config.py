"""What a model is made of, as plain values that live in its folder."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ecgclip.errors import DataError

__all__ = ["BANK_SIZE", "LocalReadout", "ModelConfig"]

BANK_SIZE = 80  # findings of the bank, before near-duplicates are merged


@dataclass(frozen=True, kw_only=True)
class LocalReadout:
    """How the local branch's similarities become one score a text; saved with the model.

    Attributes:
        scale: which tokens are read, ``token`` or ``beat``.
        plan: ``attention``, ``transport``, ``maxsim``, ``logsumexp``, ``softmax`` or ``uniform``.
        score: ``similarity`` (mean under the plan), ``mass`` (log of the text's mass over its prior) or
            ``potential`` (what the text would pay: the soft maximum of similarity plus price).
        reg: entropic regularisation on the cosine cost.
        reg_m: relaxation of the texts' marginal; None holds it.
        dustbin: mass of the text that stands for nothing.
        dustbin_cost: cost of sending a token there.
        reg_m_signal: relaxation of the tokens' marginal; None holds it.
        text_measure: the texts that compete in training, with a dustbin: the statements of one ``report``, those of
            the ``batch``, or the ``bank``. Zero-shot is always against the bank: no phrase competes with another.
        merge: cosine above which two texts compete as one.
    """

    scale: str = "beat"
    plan: str = "attention"
    score: str = "similarity"
    reg: float = 0.05
    reg_m: float | None = 0.05
    dustbin: float = 0.5
    dustbin_cost: float = 1.0
    text_measure: str = "batch"
    reg_m_signal: float | None = None
    merge: float = 0.8


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything that the weights do not say.

    Attributes:
        dim: width of the shared space.
        signal: ``kind`` and arguments of the signal encoder.
        text: ``kind`` and arguments of the text encoder.
        local: arguments of the local branch; None leaves it out.
        findings: how a text is read before it is encoded: ``canonical``, ``raw`` or ``both``.
        familiar: how many training reports used each of the commoner statements; it weighs prompts.
        bank: the findings that compete for a recording's tokens in zero-shot; see ``reference``.
        readouts: the local scores that join the global one in zero-shot.
        weights: weight of the global score and of each readout, summing to one.
        spreads: spread of the global score and of each readout over other recordings, by which each is
            divided before they are joined.
        center: mean of the joined score over other recordings and the findings of their reports.
        scatter: standard deviation of that score.
    """

    dim: int = 256
    signal: Mapping[str, Any] = field(default_factory=lambda: {"kind": "resnet", "size": "small"})
    text: Mapping[str, Any] = field(default_factory=lambda: {"kind": "bag", "width": 256})
    local: Mapping[str, Any] | None = field(default_factory=lambda: {"width": 128})
    findings: str = "canonical"
    familiar: Mapping[str, int] = field(default_factory=dict)
    bank: tuple[str, ...] = ()
    readouts: tuple[LocalReadout, ...] = ()
    weights: tuple[float, ...] = (1.0,)
    spreads: tuple[float, ...] = (0.1,)
    center: float = 0.0
    scatter: float = 1.0

    @property
    def reference(self) -> tuple[str, ...]:
        """The bank; of a model without one, its commonest training statements."""
        if self.bank:
            return self.bank
        return tuple(sorted(self.familiar, key=lambda text: (-self.familiar[text], text))[:BANK_SIZE])

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values; ``from_dict`` reads them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ModelConfig":
        """Build from ``to_dict``'s values.

        Raises:
            DataError: a key is unknown or a value has the wrong form.
        """
        try:
            readouts = tuple(LocalReadout(**r) for r in values.get("readouts", ()))
            rest: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k != "readouts"
            }
            return cls(readouts=readouts, **rest)
        except TypeError as error:
            raise DataError(
                f"model configuration cannot be read ({error}): was it written by another version?"
            ) from None
