"""The shallow branch: moments and beats that see at most 0.4 s, and beats that know their timing."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgclip.errors import UsageError, unknown_name

from .beat_queries import BeatQueries
from .encoded import LocalEncoded
from .layers import AttentionPool, as_rows, conv_rows
from .lead_tokens import LeadTokens

__all__ = ["LocalBranch", "beat_timing"]

BEATS = ("r_peaks", "learned")
LEADS_OF_TOKENS = ("mixed", "each")
_RATE_HZ = 100.0  # the branch works at this rate; a faster signal is averaged down to it
_FRAME_S = 0.04  # four samples: the strides of the two first convolutions
_FRAMES_PER_TOKEN = 4
# edges of the five parts of a beat in frames round the R-peak: P wave, PR segment, QRS, ST segment, T wave
_EDGES = (-7, -3, -1, 2, 5, 10)
_APART = 3  # frames before the next R-peak at which a beat ends: what it sees ends before that peak
_FIELD = 9 + 4 * 2 + 2 * 4  # samples that one frame sees
_GRID_S = 0.6  # stands in for the beats of a recording in which no R-peak was found
_TIMING = 7


def _rr(times: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """RR before and after each beat in s, zero where there is none: two ``(batch, n_beats)``."""
    gap = (times[:, 1:] - times[:, :-1]).clamp(min=0.0)
    both = (mask[:, 1:] & mask[:, :-1]).to(gap.dtype)
    gap = gap * both
    return F.pad(gap, (1, 0)), F.pad(gap, (0, 1))


def beat_timing(times: Tensor, mask: Tensor) -> Tensor:
    """Timing of each beat: RR before and after, in s and over the record's median RR.

    An RR after a beat that is shorter than the median counts as the median: that the next beat comes early is that
    beat's own sign, and a beat that knew it would stand for its premature neighbour as well as that one does.

    Args:
        times: ``(batch, n_beats)`` s.
        mask: ``(batch, n_beats)`` bool.

    Returns:
        ``(batch, n_beats, 7)``: RR before, RR after, log of each over the median, their difference,
        and whether there is a beat before and after.
    """
    before, after = _rr(times, mask)
    known = torch.where(after > 0, after, torch.full_like(after, torch.nan))
    median = torch.nan_to_num(known.nanmedian(dim=1, keepdim=True).values, nan=0.8).clamp(min=0.2)
    has_before, has_after = (before > 0).to(before.dtype), (after > 0).to(after.dtype)
    pause = torch.maximum(after, median)
    early = torch.log((before / median).clamp(0.1, 5.0)) * has_before
    late = torch.log((pause / median).clamp(max=5.0)) * has_after
    return torch.stack([before, pause * has_after, early, late, early - late, has_before, has_after], dim=2)


class LocalBranch(nn.Module):
    """Shallow convolutions over all leads; tokens of 0.16 s and beats pooled round the R-peaks.

    Args:
        fs: sampling rate of the input in Hz, at least 100.
        dim: width of the shared local space.
        width: channels of the branch.
        scale_per_mv: the fixed factor on the input.
        tokens: give tokens besides beats; without, they are empty and cost nothing.
        beats: ``r_peaks`` for windows round the R-peaks with their timing, ``learned`` for queries over all frames.
        queries: how many learned queries.
        leads: ``mixed`` for tokens of all leads together, ``each`` for tokens of one lead each.
        feeds_global: pool the beats to one vector, for the whole recording's embedding to be made of as well.

    Raises:
        UsageError: the rate is too low, or ``beats`` or ``leads`` is unknown.
    """

    def __init__(
        self,
        *,
        fs: float,
        dim: int,
        width: int = 128,
        scale_per_mv: float = 4.0,
        tokens: bool = True,
        beats: str = "r_peaks",
        queries: int = 10,
        leads: str = "mixed",
        feeds_global: bool = False,
    ) -> None:
        super().__init__()
        if beats not in BEATS:
            raise unknown_name("kind of beats", beats, BEATS)
        if leads not in LEADS_OF_TOKENS:
            raise unknown_name("kind of tokens' leads", leads, LEADS_OF_TOKENS)
        self.fs = fs
        if fs < _RATE_HZ:
            raise UsageError(
                f"model.local needs a signal of at least {_RATE_HZ:g} Hz, got {fs:g} Hz: raise "
                "preprocessing.fs or set model.local to null"
            )
        self.decimate = int(fs / _RATE_HZ)
        self.rate = fs / self.decimate
        self.scale_per_mv = scale_per_mv
        self.conv_1 = nn.Conv1d(12, 64, 9, 2, 4)
        self.conv_2 = nn.Conv1d(64, width, 5, 2, 2)
        self.conv_3 = nn.Conv1d(width, width, 3, 1, 1)
        self.missing = nn.Linear(12, 64, bias=False)
        self.to_token = nn.Linear(width, dim) if tokens and leads == "mixed" else None
        self.dim = dim
        if beats == "r_peaks":
            self.to_beat = nn.Linear((len(_EDGES) - 1) * width, dim)
            self.timing = nn.Sequential(nn.Linear(_TIMING, 64), nn.GELU(), nn.Linear(64, dim))
        self.queries = BeatQueries(width=width, dim=dim, count=queries) if beats == "learned" else None
        self.beat_mix = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.look = AttentionPool(dim) if feeds_global else None
        self.frame_s = 4.0 / self.rate
        self.lead_tokens = LeadTokens(rate=self.rate, dim=dim) if tokens and leads == "each" else None
        self.token_span = _FIELD / self.rate + (_FRAMES_PER_TOKEN - 1) * self.frame_s
        if self.lead_tokens is not None:
            self.token_span = self.lead_tokens.token_span
        self.beat_span = (_EDGES[-1] - _EDGES[0] - 1) * self.frame_s + _FIELD / self.rate

    def slowed(self, signal: Tensor, time_mask: Tensor) -> tuple[Tensor, Tensor]:
        """The signal and its mask at the branch's own rate."""
        if self.decimate > 1:
            signal = F.avg_pool1d(signal, self.decimate)
            first, last = time_mask[:, :: self.decimate], time_mask[:, self.decimate - 1 :: self.decimate]
            time_mask = first[:, : last.shape[1]] & last
        return signal, time_mask

    def frames(self, signal: Tensor, lead_mask: Tensor, time_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Frames of 0.04 s ``(batch, n_frames, width)`` and their mask, of a signal at the branch's rate."""
        masked = not bool(time_mask.all())
        x = _conv(self.conv_1, as_rows(signal * self.scale_per_mv))
        if torch.is_grad_enabled() or not bool(lead_mask.all()):
            x = x.add_(self.missing((~lead_mask).to(x.dtype))[:, :, None, None])
        x = F.relu_(x)
        x = F.relu_(_conv(self.conv_2, x * time_mask[:, None, None, ::2].to(x.dtype) if masked else x))
        present = time_mask[:, ::4]
        x = F.relu_(_conv(self.conv_3, x * present[:, None, None, :].to(x.dtype) if masked else x))
        return x[:, :, 0].transpose(1, 2), present

    def forward(
        self, signal: Tensor, lead_mask: Tensor, time_mask: Tensor, beats: Tensor, beat_mask: Tensor
    ) -> LocalEncoded:
        """Encode moments and beats.

        Args:
            signal: ``(batch, 12, time)`` mV.
            lead_mask: ``(batch, 12)`` bool.
            time_mask: ``(batch, time)`` bool.
            beats: ``(batch, n_beats)`` R-peaks in s from the first sample.
            beat_mask: ``(batch, n_beats)`` bool; a recording without beats gets a grid of moments.
        """
        slow, slow_mask = self.slowed(signal, time_mask)
        frames, present = self.frames(slow, lead_mask, slow_mask)
        if self.queries is None:
            beats, beat_mask, found = _with_grid(beats, beat_mask, time_mask, self.fs)
            timing = beat_timing(beats, beat_mask & found[:, None])
            x, span = self.to_beat(self._parts(frames, present, beats)) + self.timing(timing), self.beat_span
        else:
            x, beats = self.queries(frames, present, self.frame_s)
            beat_mask, span = present.any(1, keepdim=True).expand(beats.shape), signal.shape[2] / self.fs
        x = x + self.beat_mix(x)
        if self.lead_tokens is None:
            tokens, token_mask = self._tokens(frames, present)
            times = torch.arange(tokens.shape[1], device=frames.device, dtype=torch.float32) + 0.375
            times, leads = times * (_FRAMES_PER_TOKEN * self.frame_s), None
        else:
            tokens, token_mask = self.lead_tokens(slow * self.scale_per_mv, lead_mask, slow_mask)
            times, leads = self.lead_tokens.times(tokens.shape[1] // lead_mask.shape[1], frames.device)
        return LocalEncoded(
            tokens=tokens,
            token_mask=token_mask,
            token_times=times,
            token_span=self.token_span,
            token_leads=leads,
            beats=F.normalize(x.float(), dim=-1),
            beat_mask=beat_mask,
            beat_times=beats,
            beat_span=span,
            pooled=None if self.look is None else self.look(x, beat_mask),
        )

    def _tokens(self, frames: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        count = frames.shape[1] // _FRAMES_PER_TOKEN
        if self.to_token is None:
            return frames.new_zeros(len(frames), 0, self.dim).float(), present.new_zeros(len(frames), 0)
        cut = count * _FRAMES_PER_TOKEN
        mask = present[:, :cut].view(len(frames), count, _FRAMES_PER_TOKEN)
        weight = mask.to(frames.dtype)
        grouped = frames[:, :cut].view(len(frames), count, _FRAMES_PER_TOKEN, frames.shape[2])
        mean = (grouped * weight[..., None]).sum(2) / weight.sum(2, keepdim=True).clamp(min=1.0)
        return F.normalize(self.to_token(mean).float(), dim=-1), mask.all(2)

    def _parts(self, frames: Tensor, present: Tensor, beats: Tensor) -> Tensor:
        """Mean of the frames in each part of each beat: ``(batch, n_beats, parts * width)``."""
        batch, n_frames, width = frames.shape
        edges = torch.tensor(_EDGES, device=frames.device)
        middle = (beats / self.frame_s).round().long()
        following = F.pad(middle[:, 1:], (0, 1), value=n_frames + _APART)
        end = torch.where(following > middle, following, n_frames + _APART) - _APART
        at = torch.minimum(middle[:, :, None] + edges, end[:, :, None])
        if not torch.is_grad_enabled():
            return _means(frames, present, at.clamp(0, n_frames)).view(*beats.shape[:2], -1)
        at = at.flatten(1)
        frame = torch.arange(n_frames, device=frames.device)
        before = (frame < at[:, :, None]).view(batch, beats.shape[1], len(_EDGES), n_frames)
        inside = before[:, :, 1:] & ~before[:, :, :-1]
        total = torch.bmm(
            inside.flatten(1, 2).to(frames.dtype), frames * present[:, :, None].to(frames.dtype)
        )
        seen = (
            F.pad(present.cumsum(1), (1, 0)).gather(1, at.clamp(0, n_frames)).view(*beats.shape, len(_EDGES))
        )
        count = (seen[:, :, 1:] - seen[:, :, :-1]).clamp(min=1).to(total.dtype)
        mean = total.view(batch, beats.shape[1], len(_EDGES) - 1, width) / count[..., None]
        return mean.flatten(2)


def _means(frames: Tensor, present: Tensor, at: Tensor) -> Tensor:
    """Mean of the present frames from each edge to the next: what masks and products give, in a tenth of the time.

    Args:
        frames: ``(batch, n_frames, width)``.
        present: ``(batch, n_frames)`` bool.
        at: ``(batch, n_beats, parts + 1)`` edges in frames, ascending.

    Returns:
        ``(batch * n_beats * parts, width)``.
    """
    batch, n_frames, width = frames.shape
    seen = F.pad(present.cumsum(1), (1, 0)).gather(1, at.flatten(1)).view_as(at)
    sizes = seen.diff(dim=2).flatten()
    frame = at[:, :, :1] + torch.arange(_EDGES[-1] - _EDGES[0], device=at.device)
    here = present.gather(1, frame.clamp(max=n_frames - 1).flatten(1)).view_as(frame)
    row = frame + n_frames * torch.arange(batch, device=at.device)[:, None, None]
    rows = row[here & (frame < at[:, :, -1:])]
    return F.embedding_bag(rows, frames.reshape(-1, width), sizes.cumsum(0) - sizes, mode="mean")


def _conv(layer: nn.Conv1d, x: Tensor) -> Tensor:
    return conv_rows(x, layer.weight, layer.bias, layer.stride[0])


def _with_grid(beats: Tensor, mask: Tensor, time_mask: Tensor, fs: float) -> tuple[Tensor, Tensor, Tensor]:
    """Give a recording without beats a grid of moments; also says where beats were found."""
    found = mask.any(1) if mask.shape[1] else torch.zeros(len(mask), dtype=torch.bool, device=mask.device)
    if bool(found.all()):
        return beats, mask, found
    n_times = time_mask.shape[1]
    count = int(n_times / fs / _GRID_S) + 1
    grid = (torch.arange(count, device=beats.device, dtype=beats.dtype) + 0.5) * _GRID_S
    sample = (grid * fs).round().long()
    wide = max(count, beats.shape[1])
    here = F.pad(time_mask[:, sample.clamp(max=n_times - 1)] & (sample < n_times), (0, wide - count))
    beats, mask = F.pad(beats, (0, wide - beats.shape[1])), F.pad(mask, (0, wide - mask.shape[1]))
    grid = F.pad(grid, (0, wide - count))
    return (
        torch.where(found[:, None], beats, grid[None, :]),
        torch.where(found[:, None], mask, here),
        found,
    )
