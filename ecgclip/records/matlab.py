"""Just enough of MATLAB's level 5 files to read a struct of arrays, each length checked before it is used.

Format: MAT-File Format (The MathWorks), level 5. Written out here because scipy's parser, which is in C,
crashes on damaged structs, and a crash would take a whole preparation with it.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MatlabFault", "read_struct"]

_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_STRUCT, _CHARACTERS, _NUMERIC = 2, 4, range(6, 16)
_COMPLEX = 0x0800
_MOST_BYTES = 1 << 30

Value = NDArray[np.generic] | str


class MatlabFault(ValueError):
    """What is wrong with the file; the reader that knows its path says so."""


@dataclass(frozen=True)
class _Element:
    """One tagged piece: its type and its bytes."""

    kind: int
    data: bytes


def read_struct(content: bytes, name: str) -> dict[str, Value]:
    """Read the fields of the one-element struct called ``name`` in a level 5 file.

    Args:
        content: the whole file.
        name: the variable.

    Returns:
        The fields that are numeric arrays or texts; others are left out.

    Raises:
        MatlabFault: no level 5 file, no such struct, or a length that does not fit.
    """
    if content[124:128] not in (b"\x00\x01IM", b"\x01\x00MI"):
        raise MatlabFault("is no MATLAB file of level 5 (version 7 or older)")
    order = "<" if content[126:128] == b"IM" else ">"
    for element in _elements(content[128:], order):
        if element.kind == _COMPRESSED:
            unpacked = _elements(_unpacked(element.data), order)
            if not unpacked:
                continue
            element = unpacked[0]
        if element.kind == _MATRIX:
            fields = _struct(element.data, order, name)
            if fields is not None:
                return fields
    raise MatlabFault(f"has no struct {name}")


def _elements(data: bytes, order: str) -> list[_Element]:
    """Cut ``data`` into its elements."""
    found, at = [], 0
    while at + 8 <= len(data):
        kind, size = (int(word) for word in np.frombuffer(data, f"{order}u4", 2, at))
        if kind >> 16:  # a short element: type and length in one word, data in the other
            kind, size = kind & 0xFFFF, kind >> 16
            start, end = at + 4, at + 8
            if size > 4:
                raise MatlabFault(f"has a short element of {size} bytes")
        else:
            start = at + 8
            end = start + (size if kind == _COMPRESSED else -(-size // 8) * 8)
        if start + size > len(data):
            raise MatlabFault(f"claims {size} bytes where {len(data) - start} are left")
        found.append(_Element(kind, data[start : start + size]))
        at = end
    return found


def _unpacked(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(data, _MOST_BYTES)
    except zlib.error as error:
        raise MatlabFault("has damaged compressed data") from error
    if not stream.eof:
        raise MatlabFault("has compressed data that end early or do not fit into memory")
    return unpacked


def _header(parts: list[_Element], order: str) -> tuple[int, bool, tuple[int, ...], str]:
    """Read class, complexity, dimensions and name of a matrix."""
    if len(parts) < 3 or len(parts[0].data) < 8 or len(parts[1].data) not in range(8, 132, 4):
        raise MatlabFault("has a matrix without flags, dimensions or name")
    flags = int(np.frombuffer(parts[0].data, f"{order}u4", 1)[0])
    shape = tuple(int(size) for size in np.frombuffer(parts[1].data, f"{order}i4"))
    return flags & 0xFF, bool(flags & _COMPLEX), shape, parts[2].data.decode("latin-1")


def _struct(data: bytes, order: str, name: str) -> dict[str, Value] | None:
    """Read the struct, or give None for another variable."""
    parts = _elements(data, order)
    matlab_class, _, shape, found = _header(parts, order)
    if found != name:
        return None
    if matlab_class != _STRUCT or shape != (1, 1) or len(parts) < 5 or len(parts[3].data) != 4:
        raise MatlabFault(f"has a variable {name} that is no single struct")
    width = int(np.frombuffer(parts[3].data, f"{order}i4")[0])
    if width < 1:
        raise MatlabFault(f"has a struct {name} whose field names have length {width}")
    packed = parts[4].data
    names = [packed[at : at + width].split(b"\0")[0].decode("latin-1") for at in range(0, len(packed), width)]
    values = {field: _value(part, order) for field, part in zip(names, parts[5:], strict=False)}
    return {field: value for field, value in values.items() if value is not None}


def _value(element: _Element, order: str) -> Value | None:
    """Read an array of real numbers or a text; None for anything else."""
    if element.kind != _MATRIX or not element.data:
        return None
    parts = _elements(element.data, order)
    matlab_class, is_complex, shape, _ = _header(parts, order)
    if len(parts) < 4 or is_complex:
        return None
    kind, data = parts[3].kind, parts[3].data
    if matlab_class == _CHARACTERS and kind in _TEXTS:
        encoding = _TEXTS[kind]
        if encoding in ("utf-16", "utf-32"):
            encoding += "-le" if order == "<" else "-be"
        return data.decode(encoding, errors="replace")
    if matlab_class not in _NUMERIC or kind not in _NUMBERS:
        return None
    dtype = np.dtype(order + _NUMBERS[kind])
    count = 1
    for size in shape:
        count *= size
    if min(shape, default=0) < 0 or count * dtype.itemsize != len(data):
        raise MatlabFault(f"has an array of shape {shape} in {len(data)} bytes")
    return np.frombuffer(data, dtype).reshape(shape, order="F")
