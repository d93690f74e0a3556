"""Reading a recipe: values from a file or a mapping, overrides by dotted key, all faults told at once."""

import copy
import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ecgclip.errors import UsageError
from ecgclip.training.yaml import key_lines, read_yaml

from . import schema
from .schema import Recipe
from .section import Section
from .terms import PEER_TERMS

__all__ = ["load_recipe"]

_SECTIONS = [each for each in vars(schema).values() if isinstance(each, type) and issubclass(each, Section)]


def load_recipe(
    source: str | Path | Mapping[str, Any] | Recipe, overrides: Mapping[str, Any] | None = None
) -> Recipe:
    """Read a recipe and check all of it.

    Args:
        source: a YAML file, a mapping or a recipe.
        overrides: values by dotted key, such as ``{"optimizer.lr": 1e-3, "objective.0.weight": 2.0}``.

    Raises:
        UsageError: every fault, each with its key (and line), and near matches of an unknown key.
    """
    lines: dict[tuple[str, ...], int] = {}
    if isinstance(source, Recipe):
        values, where = source.to_dict(), "recipe"
    elif isinstance(source, (str, Path)):
        values, where, lines = read_yaml(source), str(source), key_lines(source)
    elif isinstance(source, Mapping):
        values, where = copy.deepcopy(dict(source)), "recipe"
    else:
        raise UsageError(f"a recipe is a YAML file, a mapping or a Recipe, got {type(source).__name__}")
    for key, value in (overrides or {}).items():
        if not isinstance(key, str):
            raise UsageError(f"override {key!r}: expected a dotted key such as 'optimizer.lr'")
        _override(values, key, copy.deepcopy(value))
    try:
        return Recipe.model_validate_json(json.dumps(values, default=_plain))
    except ValidationError as error:
        told = "; ".join(dict.fromkeys(_tell(fault, lines, where, values) for fault in error.errors()))
        raise UsageError(told) from None
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}: a value is none that a recipe can hold ({error})") from None


def _plain(value: Any) -> Any:
    """What JSON has no form for: paths, and numbers and arrays of numpy and torch."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{value!r} of type {type(value).__name__}")


def _override(values: dict[str, Any], key: str, value: Any) -> None:
    """Set ``values[a][b]`` for ``a.b``; a number steps into a list."""
    *path, last = key.split(".")
    here: Any = values
    for step in path:
        if isinstance(here, list):
            here = here[_position(here, step, key)]
        elif isinstance(here, dict):
            if not isinstance(here.get(step), (dict, list)):
                here[step] = {}
            here = here[step]
    if isinstance(here, list):
        here[_position(here, last, key)] = value
    else:
        here[last] = value


def _position(values: list[Any], step: str, key: str) -> int:
    if not step.isdigit() or int(step) >= len(values):
        raise UsageError(f"--set {key}: {step!r} is no position of a list of {len(values)}: count from 0")
    return int(step)


def _tell(fault: Any, lines: dict[tuple[str, ...], int], where: str, values: Any) -> str:
    """One fault as a sentence: file, line, key path, what is wrong, near matches."""
    steps = _real_steps(fault["loc"], values)
    line = next((lines[steps[:n]] for n in range(len(steps), 0, -1) if steps[:n] in lines), None)
    key = ".".join(steps) or "the recipe"
    place = f"{where}: {f'line {line}: ' if line else ''}{key}"
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(steps[-1], sorted(_known_keys()), n=2, cutoff=0.6)
        hint = f", did you mean {' or '.join(near)}?" if near else ""
        return f"{place}: unknown key{hint}"
    if fault["type"] == "missing":
        return f"{place}: is required and absent"
    got = "" if isinstance(fault.get("input"), (dict, list)) else f", got {fault.get('input')!r}"
    return f"{place}: {fault['msg'][0].lower()}{fault['msg'][1:]}{got}"


def _real_steps(location: tuple[int | str, ...], values: Any) -> tuple[str, ...]:
    """Drop the tags of unions, which are no keys of the file, from an error's location."""
    steps: list[str] = []
    here = values
    for position, step in enumerate(location):
        if isinstance(here, dict) and step not in here and here.get("kind") == step:
            continue
        if isinstance(here, dict) and step not in here and position < len(location) - 1:
            continue
        steps.append(str(step))
        if isinstance(here, dict):
            here = here.get(step)
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
    return tuple(steps)


def _known_keys() -> set[str]:
    """Every key that some section has."""
    found: set[str] = set()
    todo: list[type[Section]] = [*_SECTIONS, *PEER_TERMS]
    for section in todo:
        found |= set(section.model_fields)
    return found
