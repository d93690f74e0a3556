"""YAML read as people mean it: 1e-4 is a number, 0010 and 12:30 and no are words, a key stands once."""

import re
from pathlib import Path
from typing import Any

import yaml

from ecgclip.errors import UsageError

__all__ = ["key_lines", "read_yaml", "yaml_value"]

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", re.I)


def _scalar(text: str) -> Any:
    """Read a plain scalar by YAML 1.2's core schema (section 10.3), with no octal and no hexadecimal."""
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _build(node: yaml.Node, path: str) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node.value) if node.style is None else node.value
    if isinstance(node, yaml.SequenceNode):
        return [_build(child, path) for child in node.value]
    if not isinstance(node, yaml.MappingNode):
        raise UsageError(f"{path}: line {node.start_mark.line + 1} holds something that a recipe cannot")
    found: dict[str, Any] = {}
    for key, child in node.value:
        name = str(key.value)
        if name in found:
            raise UsageError(f"{path}: line {key.start_mark.line + 1}: key {name!r} stands twice: keep one")
        found[name] = _build(child, path)
    return found


def _compose(text: str, path: str) -> yaml.Node | None:
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = 1 + (event.start_mark.line if event.start_mark else 0)
                raise UsageError(
                    f"{path}: line {line}: a recipe takes no alias (*{event.anchor}): write it out"
                )
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark is not None else "the file"
        problem = getattr(error, "problem", None) or "not YAML"
        raise UsageError(f"{path}: {where} is not YAML ({problem}): mend it") from None


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a mapping from a YAML file.

    Raises:
        UsageError: the file is absent, is not YAML or is no mapping, or a key stands twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"{path}: the recipe cannot be read ({reason}): check the path") from None
    node = _compose(text, str(path))
    found = None if node is None else _build(node, str(path))
    if not isinstance(found, dict):
        raise UsageError(f"{path}: a recipe is a mapping of keys to values, and this file is not one")
    return found


def yaml_value(text: str) -> Any:
    """Read the value of ``--set key=value``: a scalar, or a list or mapping in YAML's flow form."""
    node = _compose(text, "--set")
    return None if node is None else _build(node, "--set")


def key_lines(path: str | Path) -> dict[tuple[str, ...], int]:
    """Line of every key of a YAML file, by its path of keys and list positions."""
    lines: dict[tuple[str, ...], int] = {}

    def walk(node: yaml.Node, at: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, child in node.value:
                here = (*at, str(key.value))
                lines[here] = key.start_mark.line + 1
                walk(child, here)
        elif isinstance(node, yaml.SequenceNode):
            for position, child in enumerate(node.value):
                lines[at + (str(position),)] = child.start_mark.line + 1  # noqa: RUF005 - Python 3.10
                walk(child, (*at, str(position)))

    node = _compose(Path(path).read_text(encoding="utf-8"), str(path))
    if node is not None:
        walk(node, ())
    return lines
