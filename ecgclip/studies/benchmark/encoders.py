"""Frozen encoders as the probe sees them: recordings in, one row of features a recording out."""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ecgclip.errors import DataError, UsageError
from ecgclip.models import ECGTextModel, PreparedSource, embed_windows, model_hash, window_batches
from ecgclip.signals import Preprocessor, SignalBatch
from ecgclip.studies.supervised import Supervised

__all__ = ["FILE_ENDINGS", "Encoder", "ModelEncoder", "OutsideEncoder", "TwinEncoder", "untrained"]

Floats = npt.NDArray[np.float32]

_TORCHSCRIPT = (".pt", ".ts", ".pth", ".torchscript")
FILE_ENDINGS = (*_TORCHSCRIPT, ".onnx")
"""What an encoder's file is called."""

_WINDOWS_AT_ONCE = 64


class Encoder(Protocol):
    """What a probe needs of an encoder."""

    @property
    def hash(self) -> str:
        """Changes whenever its features do."""
        ...

    @property
    def preprocessor(self) -> Preprocessor:
        """How recordings are prepared for it."""
        ...

    def features(self, source: PreparedSource) -> Floats:
        """``(n, dim)``; a recording longer than a window is the mean over its windows."""
        ...


class ModelEncoder:
    """The signal side of a model: its embedding in the shared space, and the mean of its beats' embeddings.

    Args:
        model: a pretrained model, or one of the same shape with weights as drawn.
    """

    def __init__(self, model: ECGTextModel) -> None:
        self.model = model.eval()
        self.hash = model_hash(model)
        self.preprocessor = model.preprocessor

    def features(self, source: PreparedSource) -> Floats:
        """``(n, dim)``, or ``(n, 2 dim)`` where the model has a local branch."""
        return _by_windows(source, self._embed)

    def _embed(self, batch: SignalBatch) -> Floats:
        z, seen = embed_windows(self.model, batch)
        if seen is None:
            return z
        return np.concatenate([z, seen.mean_beat().cpu().numpy()], axis=1)


class TwinEncoder:
    """The supervised twin without its last layer.

    Args:
        trained: the twin.
    """

    def __init__(self, trained: Supervised) -> None:
        self.twin = trained.twin.eval()
        digest = hashlib.sha256()
        for name, value in sorted(self.twin.state_dict().items()):
            digest.update(name.encode() + value.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        self.hash = digest.hexdigest()[:12]
        self.preprocessor = self.twin.encoders.preprocessor

    def features(self, source: PreparedSource) -> Floats:
        """``(n, dim)``: what the last layer is given."""
        return _by_windows(
            source, lambda batch: np.asarray(self.twin.features(batch).float().numpy(), dtype=np.float32)
        )


class OutsideEncoder:
    """Anybody's encoder: ``(batch, 12, time)`` float32 in mV at a stated rate to ``(batch, dim)``.

    Leads come as I II III aVR aVL aVF V1..V6; a missing lead is zero, a recording shorter than the 10 s window
    is padded with zeros on the right, a longer one is the mean over its windows.

    Args:
        module: an ``nn.Module``, a callable on tensors, or a file: TorchScript (``.pt``, ``.ts``) or ONNX (``.onnx``,
            which needs onnxruntime).
        fs: samples a second that it expects.
        band: pass band in Hz of what it is given; by default 0.5 to 40 Hz.
        name: what it is called in tables.

    Raises:
        DataError: a file that cannot be read as what it claims to be.
        UsageError: another kind of file, or onnxruntime is not installed.
    """

    def __init__(
        self,
        module: nn.Module | str | Path | Callable[[torch.Tensor], torch.Tensor],
        fs: float,
        band: tuple[float, float] | None = None,
        *,
        name: str | None = None,
    ) -> None:
        settings = Preprocessor(fs=fs)
        self.preprocessor = settings if band is None else replace(settings, band=band)
        self.name = name or (Path(module).stem if isinstance(module, (str, Path)) else type(module).__name__)
        self._length = round(10.0 * self.preprocessor.fs)
        if isinstance(module, (str, Path)):
            path = Path(module)
            self._call, content = _from_file(path), path.read_bytes()
        else:
            self._call, content = _from_module(module), _state(module)
        digest = hashlib.sha256(content + self.preprocessor.hash.encode())
        self.hash = digest.hexdigest()[:12]

    def features(self, source: PreparedSource) -> Floats:
        """``(n, dim)``.

        Raises:
            DataError: the encoder fails, or gives another shape or values that are not finite.
        """
        return _by_windows(source, self._embed)

    def _embed(self, batch: SignalBatch) -> Floats:
        signal = nn.functional.pad(batch.signal, (0, self._length - batch.signal.shape[2]))
        try:
            with torch.inference_mode():
                found = self._call(signal)
        except Exception as error:  # noqa: BLE001 - it is somebody else's code
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
            raise DataError(
                f"encoder {self.name} fails on {tuple(signal.shape)} float32 ({reason}): it must take "
                "(batch, 12, time)"
            ) from None
        shape = tuple(getattr(found, "shape", ()))
        if not hasattr(found, "shape") or len(shape) != 2 or shape[0] != len(batch):
            what = f"shape {shape}" if shape else type(found).__name__
            raise DataError(
                f"encoder {self.name} gives {what} for {len(batch)} windows: expected (batch, dim)"
            )
        values = np.asarray(torch.as_tensor(found).detach().float().cpu().numpy(), dtype=np.float32)
        bad = int((~np.isfinite(values).all(axis=1)).sum())
        if bad:
            raise DataError(
                f"encoder {self.name} gives NaN or infinity for {bad} of {len(batch)} windows: correct it, its "
                "input is finite mV"
            )
        return values


def untrained(model: ECGTextModel, *, seed: int = 0) -> ModelEncoder:
    """An encoder of the same shape with weights as they are drawn before training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ModelEncoder(ECGTextModel(model.config, model.preprocessor))


def _by_windows(source: PreparedSource, embed: Callable[[SignalBatch], Floats]) -> Floats:
    total: npt.NDArray[np.float64] | None = None
    seen = np.zeros(len(source), dtype=np.int64)
    with torch.inference_mode():
        for part in window_batches(source, batch_size=_WINDOWS_AT_ONCE, on_error="raise", errors={}):
            found = embed(part.batch)
            if total is None:
                total = np.zeros((len(source), found.shape[1]))
            np.add.at(total, part.owner, found)
            seen += np.bincount(part.owner, minlength=len(source))
    if total is None:
        raise DataError("no recording to embed: give a part of the corpus that holds some")
    return (total / seen[:, None]).astype(np.float32)


def _state(module: Any) -> bytes:
    """Bytes that differ where weights do; a callable without any is known by its name."""
    parts = [
        type(module).__qualname__.encode(),
        getattr(module, "__qualname__", "").encode(),
        repr(module).encode(),
    ]
    if isinstance(module, nn.Module):
        parts[2] = str(module).encode()
        for name, value in sorted(module.state_dict().items()):
            parts += [
                name.encode(),
                value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes(),
            ]
    return b"\0".join(parts)


def _from_module(module: Any) -> Callable[[torch.Tensor], Any]:
    if isinstance(module, nn.Module):
        module.eval()
    elif not callable(module):
        raise UsageError(f"{type(module).__name__} is no encoder: give an nn.Module, a .pt or an .onnx file")
    found: Callable[[torch.Tensor], Any] = module
    return found


def _from_file(path: Path) -> Callable[[torch.Tensor], Any]:
    if not path.is_file():
        raise DataError(f"{path}: no such file: give a TorchScript (.pt) or ONNX (.onnx) encoder")
    if path.suffix.lower() == ".onnx":
        return _from_onnx(path)
    if path.suffix.lower() not in _TORCHSCRIPT:
        raise UsageError(f"{path}: expected a TorchScript file (.pt) or an ONNX file (.onnx)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # TorchScript is old, and what people have
            loaded: Any = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError):
        raise DataError(
            f"{path}: no TorchScript file: save the encoder by torch.jit.script(encoder).save(path), as a "
            "pickled module would run code"
        ) from None
    found: Callable[[torch.Tensor], Any] = loaded
    return found


def _from_onnx(path: Path) -> Callable[[torch.Tensor], Any]:
    try:
        import onnxruntime
    except ImportError:
        raise UsageError(
            f"{path}: ONNX encoders need onnxruntime: pip install 'ecgclip[onnx]', or give TorchScript (.pt)"
        ) from None
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4  # what goes wrong is raised, and told once
    try:
        session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - onnxruntime has exceptions of its own for every damage
        said = " ".join(str(error).split())[:160]
        raise DataError(f"{path}: no ONNX model that can be run ({said}): export the encoder again") from None
    given = session.get_inputs()[0]
    single = bool(given.shape) and given.shape[0] == 1  # exported from one example

    def call(signal: torch.Tensor) -> Any:
        parts = torch.tensor_split(signal, len(signal)) if single else (signal,)
        found = [np.asarray(session.run(None, {given.name: part.numpy()})[0]) for part in parts]
        return torch.from_numpy(found[0] if len(found) == 1 else np.concatenate(found))

    return call
