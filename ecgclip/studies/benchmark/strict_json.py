"""JSON read as dataclasses, strictly: nothing is coerced, and a key that is missing or unknown is named."""

import math
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

__all__ = ["Fault", "plain", "read_as"]


class Fault(Exception):
    """What is wrong, with its place in the file."""


def plain(value: Any) -> Any:
    """A value as JSON takes it: numbers that are not finite become null, NumPy's become Python's."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value.item() if hasattr(value, "item") else value


def read_as(value: Any, kind: Any, at: str = "") -> Any:
    """A JSON value as ``kind``: a dataclass, list, dict, union or plain type.

    Raises:
        Fault: it is of another kind, or a key is missing or unknown.
    """
    origin = get_origin(kind)
    if is_dataclass(kind):
        return _read_record(value, kind, at)
    if origin is list:
        _expect(isinstance(value, list), at, value, "a list")
        return [read_as(each, get_args(kind)[0], f"{at}[{k}]") for k, each in enumerate(value)]
    if origin is dict:
        _expect(isinstance(value, dict), at, value, "an object")
        return {key: read_as(each, get_args(kind)[1], f"{at}.{key}") for key, each in value.items()}
    kinds = get_args(kind) if origin in (Union, types.UnionType) else (kind,)
    wanted = " or ".join("null" if each is type(None) else each.__name__ for each in kinds)
    if isinstance(value, bool):
        _expect(bool in kinds, at, value, wanted)
        return value
    if isinstance(value, int) and int not in kinds and float in kinds:
        return float(value)
    _expect(isinstance(value, tuple(kinds)), at, value, wanted)
    return value


def _read_record(value: Any, kind: Any, at: str) -> Any:
    _expect(isinstance(value, dict), at, value, "an object")
    names = [field.name for field in fields(kind)]
    for name in names:
        if name not in value:
            raise Fault(f"{_joined(at, name)} is missing")
    for name in value:
        if name not in names:
            raise Fault(f"{_joined(at, name)} is an unknown key (there is {', '.join(names)})")
    hints = get_type_hints(kind)
    return kind(**{name: read_as(value[name], hints[name], _joined(at, name)) for name in names})


def _joined(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _expect(holds: bool, at: str, value: Any, wanted: str) -> None:
    if not holds:
        raise Fault(f"{at or 'the file'} is {value!r:.60}, expected {wanted}")
