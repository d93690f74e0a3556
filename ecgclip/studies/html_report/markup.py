"""HTML and SVG from Python values: whatever is not markup already is escaped."""

import html
from collections.abc import Iterable, Mapping

__all__ = ["Attributes", "Child", "Markup", "joined", "slug", "tag"]

_VOID = ("meta", "link", "img", "br", "wbr")


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Child = str | int | float | None
Attributes = Mapping[str, str | int | float | None]


def tag(name: str, attributes: Attributes | None = None, *children: Child) -> Markup:
    """An element; attributes and children that are None are left out, text is escaped."""
    said = "".join(
        f' {key}="{_escaped(_plain(value))}"'
        for key, value in (attributes or {}).items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{said}>")
    return Markup(f"<{name}{said}>{joined(children)}</{name}>")


def joined(children: Iterable[Child]) -> Markup:
    """Children one after the other."""
    return Markup(
        "".join(
            each if isinstance(each, Markup) else _escaped(_plain(each))
            for each in children
            if each is not None
        )
    )


def slug(text: str) -> str:
    """A text as part of an id or class."""
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in text.lower()).split()) or "x"


def _plain(value: str | int | float) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _escaped(text: str) -> str:
    # a lone surrogate is legal in JSON and in no UTF-8 file
    return html.escape(text.encode("utf-8", "backslashreplace").decode("utf-8"))
