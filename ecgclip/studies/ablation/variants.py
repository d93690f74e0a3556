"""Variants of a study: named recipes in groups, read from YAML, each a base recipe with a few values changed."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecgclip.errors import UsageError, unknown_name
from ecgclip.training.recipe import Recipe, load_recipe
from ecgclip.training.yaml import read_yaml

__all__ = ["Variant", "read_variants"]

_GROUP = {"title", "against", "recipe", "set", "variants"}
_VARIANT = {"recipe", "set", "note"}


@dataclass(frozen=True)
class Variant:
    """One row of a study.

    Attributes:
        name: unique in the study.
        group: what it is compared within.
        title: of the group.
        against: the variant that the group's differences are taken from; empty for none.
        note: what it stands for.
        recipe: resolved.
    """

    name: str
    group: str
    title: str
    against: str
    note: str
    recipe: Recipe


def read_variants(
    path: str | Path, names: Iterable[str] | None = None, *, overrides: Mapping[str, Any] | None = None
) -> dict[str, Variant]:
    """Read variants and resolve their recipes.

    A group has ``title``, ``against`` (a variant's name), ``recipe`` (a file, relative to the variants' file),
    ``set`` (values by dotted key) and ``variants``; a variant may name another ``recipe``, and its ``set`` comes on
    top of the group's.

    Args:
        path: the YAML file.
        names: only these, or the groups of these names; all by default.
        overrides: values for every variant, on top of its own.

    Raises:
        UsageError: an unknown name or key, a name given twice, or a recipe that is wrong.
    """
    file = Path(path)
    listed = _listed(read_yaml(file), file)
    wanted = _wanted(listed, names)
    found = {}
    for name in wanted:
        group, values, variant = listed[name]
        _refuse_unknown(variant, _VARIANT, f"{file}: {name}")
        base = variant.get("recipe", values.get("recipe"))
        if base is None:
            raise UsageError(f"{file}: variant {name} names no recipe, and neither does its group {group}")
        changes = {**(values.get("set") or {}), **(variant.get("set") or {}), **(overrides or {})}
        try:
            recipe = load_recipe(os.path.normpath(file.parent / base), {**changes, "name": name})
        except UsageError as error:
            raise UsageError(f"{file}: variant {name}: {error}") from None
        note = str(variant.get("note", ""))
        title, against = str(values.get("title", group)), str(values.get("against", ""))
        found[name] = Variant(name, group, title, against, note, recipe)
    return found


def _listed(
    values: Mapping[str, Any], file: Path
) -> dict[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Group, the group's values and the variant's by name."""
    listed: dict[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]] = {}
    for group, each in values.items():
        if not isinstance(each, dict) or not isinstance(each.get("variants"), dict):
            raise UsageError(f"{file}: group {group} needs variants, a mapping of names")
        _refuse_unknown(each, _GROUP, f"{file}: {group}")
        for name, variant in each["variants"].items():
            if name in listed or name in values:
                raise UsageError(
                    f"{file}: the name {name} stands twice: give every variant and group its own"
                )
            listed[name] = (group, each, variant or {})
    return listed


def _refuse_unknown(values: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in values:
        if key not in known:
            raise unknown_name(f"key of {where}", key, known)


def _wanted(listed: Mapping[str, tuple[str, Any, Any]], names: Iterable[str] | None) -> list[str]:
    if names is None:
        return list(listed)
    groups = {group for group, _, _ in listed.values()}
    wanted: list[str] = []
    for name in names:
        if name in groups:
            wanted += [each for each, (group, _, _) in listed.items() if group == name]
        elif name in listed:
            wanted.append(name)
        else:
            raise unknown_name("variant", name, [*listed, *groups])
    return list(dict.fromkeys(wanted))
