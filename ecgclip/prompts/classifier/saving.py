"""A classifier's folder: JSON and safetensors. The model stays where it is, and is known by its hash."""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ecgclip.corpora.writing import whole_file, write_text
from ecgclip.errors import DataError
from ecgclip.models import model_hash, readable_texts
from ecgclip.prompts.bank import BANKS, PromptBank

from .calibration import Calibration
from .thresholds import Thresholds
from .zero_shot import ZeroShotClassifier

if TYPE_CHECKING:
    from ecgclip.models import ECGTextModel

__all__ = ["load_classifier", "save_classifier"]

_FORMAT = "ecgclip.ZeroShotClassifier/1"
_STATE = "classifier.json"
_WORDING = ("languages", "kinds", "combine", "negation", "parts", "places")

Floats = npt.NDArray[np.float32]


def save_classifier(classifier: ZeroShotClassifier, folder: str | Path) -> Path:
    """Write a classifier's folder; what was there stays whole until the new one is.

    The embeddings of the phrases get a name of their own, and the JSON, which comes last, names them.

    Raises:
        DataError: the folder cannot be written.
    """
    from safetensors.numpy import save

    folder = Path(folder)
    if folder.is_file():
        raise DataError(f"{folder}: is a file; name a folder for the classifier")
    texts = classifier._map.texts
    first, second = classifier._kept if classifier._kept is not None else classifier.model.text_vectors(texts)
    content = save({"global": np.ascontiguousarray(first), "local": np.ascontiguousarray(second)})
    digest = hashlib.sha256(content).hexdigest()
    vectors = folder / f"phrases-{digest[:12]}.safetensors"
    state = {
        "format": _FORMAT,
        "model": model_hash(classifier.model),
        "bank_hash": classifier.bank.hash,
        "bank": classifier.bank.to_dict(),
        "labels": _name(classifier),
        "prior": _plain(classifier.prior),
        "window": classifier.window,
        **{key: _plain(getattr(classifier, key)) for key in _WORDING},
        "calibration": None if classifier.calibration_ is None else classifier.calibration_.to_dict(),
        "thresholds": None if classifier.thresholds_ is None else classifier.thresholds_.to_dict(),
        "texts": {text: _reading(classifier.model, text) for text in texts},
        "vectors": {"file": vectors.name, "sha256": digest},
    }
    with whole_file(vectors) as temporary:
        temporary.write_bytes(content)
    write_text(folder / _STATE, json.dumps(state, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    for stale in folder.glob("phrases-*.safetensors"):
        if stale != vectors:
            stale.unlink(missing_ok=True)
    return folder


def load_classifier(folder: str | Path, model: "ECGTextModel") -> ZeroShotClassifier:
    """Load a classifier's folder for the model that it was saved with.

    Raises:
        DataError: no classifier is there, a file of it is damaged, it belongs to another model, or its bank, or
            the way its phrases are read, is another one today.
    """
    path = Path(folder) / _STATE
    state = _read(path)
    found = model_hash(model)
    if state["model"] != found:
        raise DataError(f"{path}: the classifier is of model {state['model']}, and this model is {found}")
    bank = PromptBank.from_dict(state["bank"])
    for now in (bank, _today(state["labels"])):
        if now is not None and now.hash != state["bank_hash"]:
            raise DataError(
                f"{path}: the classifier is of prompt bank {bank.name} {state['bank_hash']}, and the bank is "
                f"{now.hash} now: make the classifier again"
            )
    shipped = state["labels"] in BANKS
    classifier = ZeroShotClassifier(
        model,
        state["labels"] if shipped else bank,
        prior=state["prior"],
        window=state["window"],
        **{key: state[key] for key in _WORDING},
    )
    classifier._kept = _vectors(path, state, classifier)
    if state["calibration"] is not None:
        classifier.calibration_ = Calibration.from_dict(state["calibration"])
    if state["thresholds"] is not None:
        classifier.thresholds_ = Thresholds.from_dict(state["thresholds"])
    return classifier


def _name(classifier: ZeroShotClassifier) -> str | None:
    """The shipped bank's name or the bank file's path, where the labels came from one."""
    labels = classifier.labels
    if isinstance(labels, str) and labels in BANKS:
        return labels
    return str(Path(labels).resolve()) if isinstance(labels, (str, Path)) else None


def _today(name: str | None) -> PromptBank | None:
    """The bank of that name as it is now; None where its file is gone, as it may be on another machine."""
    if name is None or not (name in BANKS or Path(name).is_file()):
        return None
    return PromptBank.load(name)


def _plain(value: Any) -> Any:
    """JSON data of an argument."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, Mapping):
        return {key: float(share) for key, share in value.items()}
    return sorted(value) if isinstance(value, Collection) else float(value)


def _reading(model: "ECGTextModel", text: str) -> list[str]:
    return list(readable_texts(text, model.config.findings))


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DataError(
            f"{path.parent}: no classifier ({_STATE} is absent); make one by ZeroShotClassifier.save"
        )
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); save the classifier again") from None
    expected = {"model", "bank_hash", "bank", "labels", "prior", "window", "calibration", "thresholds"}
    expected |= {"texts", "vectors", *_WORDING}
    if not isinstance(state, dict) or state.get("format") != _FORMAT or not expected <= set(state):
        raise DataError(f"{path}: no classifier of format {_FORMAT}; save it again with this version")
    return state


def _vectors(path: Path, state: dict[str, Any], classifier: ZeroShotClassifier) -> tuple[Floats, Floats]:
    """The saved embeddings, in the order in which the classifier wants them."""
    from safetensors.numpy import load

    file = path.parent / Path(str(state["vectors"]["file"])).name
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); save the classifier again") from None
    if hashlib.sha256(content).hexdigest() != state["vectors"]["sha256"]:
        raise DataError(f"{file}: is not the file that {_STATE} names; save the classifier again")
    saved = load(content)
    place = {text: row for row, text in enumerate(state["texts"])}
    for text in classifier._map.texts:
        if text not in place or state["texts"][text] != _reading(classifier.model, text):
            raise DataError(
                f"{path}: the phrase {text!r} is read differently by this version; make the classifier again"
            )
    rows = [place[text] for text in classifier._map.texts]
    return saved["global"][rows], saved["local"][rows]
