"""YAML without surprises: every scalar stays the text that was written.

Plain YAML 1.1 reads ``no`` as False, ``010`` as 8, ``12:30`` as 750 and lets the last of two equal keys win
in silence. Here ``NO``, ``1e-4`` and ``1AVB`` stay strings, and a key that stands twice is refused; so are
tags and aliases.
"""

from typing import Any

import yaml

from ecgclip.errors import DataError

__all__ = ["Section", "parse"]

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))


class Section(dict[str, Any]):
    """A mapping that knows the line it begins on (counted from 1)."""

    line: int = 0


def parse(text: str, where: str) -> Any:
    """Read one YAML document into `Section`, list and str.

    Args:
        text: the document.
        where: the name of the file, for messages.

    Raises:
        DataError: bad YAML, a key that stands twice, a tag or an alias; the message names the line.
    """
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise DataError(f"{where}, line {line}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise DataError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from None
    return None if node is None else _build(node, where, set())


def _build(node: yaml.Node, where: str, seen: set[int]) -> Any:
    line = node.start_mark.line + 1
    if id(node) in seen:
        raise DataError(f"{where}, line {line}: aliases (& and *) are not read; write the value out")
    seen.add(id(node))
    if node.tag not in _PLAIN_TAGS:
        raise DataError(f"{where}, line {line}: the tag {node.tag} is not read; write a plain value")
    if isinstance(node, yaml.MappingNode):
        return _section(node, where, seen)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, where, seen) for item in node.value]
    return str(node.value)


def _section(node: yaml.MappingNode, where: str, seen: set[int]) -> Section:
    section = Section()
    section.line = node.start_mark.line + 1
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise DataError(f"{where}, line {line}: a key must be plain text")
        key = str(key_node.value)
        if key in section:
            raise DataError(f"{where}, line {line}: the key {key!r} stands twice; keep one of them")
        section[key] = _build(value_node, where, seen)
    return section
