"""The model folder: safetensors, JSON, tokenizer, preprocessor and kept text embeddings. No code."""

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ecgclip.corpora.writing import whole_file
from ecgclip.errors import DataError, ECGClipError
from ecgclip.signals import Preprocessor

from .config import ModelConfig

if TYPE_CHECKING:
    from .ecg_text_model import ECGTextModel

__all__ = ["load_model", "model_hash", "push_model", "save_model"]

_FORMAT = 1
_CONFIG, _WEIGHTS, _TOKENIZER, _TEXTS = (
    "model.json",
    "model.safetensors",
    "tokenizer.json",
    "texts.safetensors",
)
_TOWER = "tower"


def save_model(model: "ECGTextModel", folder: str | Path) -> Path:
    """Write a model folder, each file under a temporary name first.

    A frozen tower of the hub is named, not copied: its weights are where they were.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for stale in (_CONFIG, _TOKENIZER, _TEXTS):
        (folder / stale).unlink(missing_ok=True)
    shutil.rmtree(folder / _TOWER, ignore_errors=True)
    config = _config(model)
    config["text"].pop("tokenizer", None)
    if hasattr(model.text_encoder, "save_architecture") and not model.text_encoder.frozen:
        model.text_encoder.save_architecture(folder / _TOWER)
    tokenizer = model.config.text.get("tokenizer")
    if tokenizer is not None:
        _replace(folder / _TOKENIZER, lambda path: path.write_text(tokenizer, encoding="utf-8"))
    weights = {k: v.detach().cpu().contiguous() for k, v in _own_weights(model).items()}
    _replace(folder / _WEIGHTS, lambda path: save_file(weights, path))
    texts = sorted(model.kept_texts)
    if texts:
        pair = [np.stack([model.kept_texts[t][k] for t in texts]) for k in (0, 1)]
        tensors = {"global": torch.from_numpy(pair[0].copy()), "local": torch.from_numpy(pair[1].copy())}
        _replace(folder / _TEXTS, lambda path: save_file(tensors, path))
    record = {
        "format": _FORMAT,
        "config": config,
        "preprocessor": model.preprocessor.to_dict(),
        "kept_texts": texts,
    }
    text = json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True)
    _replace(folder / _CONFIG, lambda path: path.write_text(text + "\n", encoding="utf-8"))
    return folder


def load_model(source: str | Path) -> "ECGTextModel":
    """Load a model from a run folder, a model folder or a hub id.

    Raises:
        DataError: it is not there, or a file of it cannot be read.
    """
    from .ecg_text_model import ECGTextModel

    folder = _find(source)
    record = _read_json(folder / _CONFIG)
    try:
        config_values, preprocessor = dict(record["config"]), Preprocessor.from_dict(record["preprocessor"])
        text = dict(config_values["text"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder / _CONFIG}: not a model of this version ({error})") from None
    if (folder / _TOKENIZER).is_file():
        text["tokenizer"] = (folder / _TOKENIZER).read_text(encoding="utf-8")
    if (folder / _TOWER / "config.json").is_file():
        text["architecture"] = str(folder / _TOWER)
    _refuse_foreign_code(folder / _CONFIG, config_values)
    try:
        model = ECGTextModel(ModelConfig.from_dict({**config_values, "text": text}), preprocessor)
    except ECGClipError as error:
        raise DataError(f"{folder / _CONFIG}: {error}") from None
    except Exception as error:  # noqa: BLE001 - a damaged tokenizer raises a bare Exception
        reason = str(error).strip().split("\n")[0][:160]
        raise DataError(
            f"{folder}: no model can be built from {_CONFIG} and {_TOKENIZER} ({reason}): copy the folder again"
        ) from None
    _load_weights(model, folder / _WEIGHTS)
    model.eval()
    model.kept_texts = _load_texts(folder / _TEXTS, record.get("kept_texts", []))
    return model


def model_hash(model: "ECGTextModel") -> str:
    """Twelve hexadecimal digits over weights, configuration and preprocessor."""
    digest = hashlib.sha256()
    config = {**_config(model), "preprocessor": model.preprocessor.to_dict()}
    digest.update(json.dumps(config, sort_keys=True).encode())
    for name, value in sorted(_own_weights(model).items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]


def push_model(model: "ECGTextModel", repo_id: str, *, private: bool) -> str:
    """Upload a model folder to the Hugging Face hub and return its address."""
    from huggingface_hub import HfApi

    api = HfApi()
    url = api.create_repo(repo_id, private=private, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        save_model(model, folder)
        api.upload_folder(repo_id=repo_id, folder_path=folder)
    return str(url)


def _config(model: "ECGTextModel") -> dict[str, Any]:
    """The configuration as it is written: a tower by its name and width, not by where it was loaded from."""
    config = model.config.to_dict()
    config["text"].pop("architecture", None)
    if hasattr(model.text_encoder, "save_architecture"):
        config["text"]["width"] = model.text_encoder.width
    return config


def _refuse_foreign_code(path: Path, config: dict[str, Any]) -> None:
    """A third party's encoder is used only where its module is imported already: loading runs no code."""
    for part in ("signal", "text"):
        section = config.get(part)
        kind = str(section.get("kind", "")) if isinstance(section, dict) else ""
        module = kind.partition(":")[0]
        if ":" in kind and module not in sys.modules:
            raise DataError(
                f"{path}: the {part} encoder is {kind!r}: if you trust it, import {module} before loading the model"
            )


def _own_weights(model: "ECGTextModel") -> dict[str, torch.Tensor]:
    frozen = bool(getattr(model.text_encoder, "frozen", False))
    state = model.state_dict()
    return {k: v for k, v in state.items() if not (frozen and k.startswith("text_encoder.tower."))}


def _find(source: str | Path) -> Path:
    folder = Path(source)
    for candidate in (folder, folder / "model"):
        if (candidate / _CONFIG).is_file():
            return candidate
    if folder.exists():
        raise DataError(f"{folder}: no {_CONFIG} here or in {folder / 'model'}: give a run or model folder")
    if str(source).count("/") != 1 or str(source).startswith((".", "/")):
        raise DataError(
            f"{source}: no such folder: give a run folder, a model folder or a hub id (owner/name)"
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(str(source), allow_patterns=["*.json", "*.safetensors"]))
    except Exception as error:  # noqa: BLE001 - the hub client raises a dozen kinds; all mean the same here
        reason = str(error).strip().split("\n")[0][:160]
        raise DataError(
            f"{source}: neither a folder here nor a model that the hub gives ({reason}): check the path"
        ) from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}): copy the model folder again") from None
    if not isinstance(record, dict) or record.get("format") != _FORMAT:
        raise DataError(f"{path}: format {_FORMAT} expected: the folder was written by another version")
    return record


def _load_weights(model: "ECGTextModel", path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: weights cannot be read ({error}): copy the model folder again") from None
    try:
        missing, extra = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        reason = str(error).strip().split("\n")[-1].strip()[:160]
        raise DataError(f"{path}: weights do not fit {_CONFIG} ({reason}): copy the folder again") from None
    missing = [k for k in missing if k in _own_weights(model)]
    if missing or extra:
        raise DataError(
            f"{path}: weights do not fit {_CONFIG} ({len(missing)} missing, {len(extra)} unknown)"
        )


def _load_texts(path: Path, texts: list[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    if not texts:
        return {}
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = load_file(path)
        return dict(zip(texts, zip(found["global"], found["local"], strict=True), strict=True))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"{path}: kept texts cannot be read ({error}): copy the model folder again") from None


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    with whole_file(path) as temporary:
        write(temporary)
