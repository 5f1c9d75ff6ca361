"""Serialise frozen dataclasses: a JSON tree of the fields, followed by the raw bytes of the arrays.

Layout: the magic, the length of the tree (uint64, little-endian), the tree as canonical JSON, then each array's
bytes, aligned to eight. Fields are decoded by their type hints, so the bytes can name no class and run no code.
The same value gives the same bytes anywhere.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar

import numpy as np

from cousins.errors import InputError
from cousins.geometry import Array

MAGIC = b"cousins value 1\n"
_ALIGNMENT = 8
_KINDS = "biuf"
"""Array kinds that may be stored: booleans, signed and unsigned integers, floats."""

T = TypeVar("T")


def encode(value: object, *, root: Path | None = None) -> bytes:
    """Return the bytes of a value made of dataclasses, containers, scalars and arrays.

    Paths are stored relative to `root`; a path outside it raises ValueError.
    """
    arrays: list[Array] = []
    tree = _flatten(value, arrays, root)
    head = canonical_json({"tree": tree, "arrays": [_describe(array) for array in arrays]})
    parts = [MAGIC, len(head).to_bytes(8, "little"), head]
    size = len(MAGIC) + 8 + len(head)
    for array in arrays:
        padding = -size % _ALIGNMENT
        raw = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        parts += [b"\0" * padding, raw]
        size += padding + len(raw)
    return b"".join(parts)


def decode(kind: type[T], data: bytes, *, root: Path | None = None) -> T:
    """Return the value of type `kind` that `encode` wrote; raises InputError for anything else."""
    try:
        tree, arrays = _open(data)
        value: T = _build(kind, tree, arrays, root)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
        raise InputError(
            f"bytes that are no {getattr(kind, '__name__', kind)} ({error})",
            expected="a value written by this version of cousins",
            hint="Delete the file and run again.",
        ) from error
    return value


def canonical_json(value: object) -> bytes:
    """Return JSON with sorted keys and no spaces; NaN and infinity raise ValueError."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def plain(value: object) -> Any:
    """Convert dataclasses, tuples, arrays and paths to JSON types for readable output; NaN and infinity become null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    return str(value)


def _flatten(value: object, arrays: list[Array], root: Path | None) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in _KINDS:
            raise ValueError(f"arrays of {value.dtype} cannot be stored")
        arrays.append(value)
        return len(arrays) - 1
    if isinstance(value, np.generic):
        return _flatten(value.item(), arrays, root)
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Path):
        return value.relative_to(root).as_posix() if root is not None else value.as_posix()
    return _flatten_container(value, arrays, root)


def _flatten_container(value: object, arrays: list[Array], root: Path | None) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _flatten(getattr(value, field.name), arrays, root)
            for field in dataclasses.fields(value)
            if field.init
        }
    if isinstance(value, Mapping):
        return [[_flatten(key, arrays, root), _flatten(item, arrays, root)] for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [_flatten(item, arrays, root) for item in value]
    raise ValueError(f"values of type {type(value).__name__} cannot be stored")


def _describe(array: Array) -> dict[str, Any]:
    return {"dtype": array.dtype.newbyteorder("<").str, "shape": list(array.shape)}


def _open(data: bytes) -> tuple[Any, list[Array]]:
    start = len(MAGIC) + 8
    if data[: len(MAGIC)] != MAGIC or len(data) < start:
        raise ValueError("not a stored value")
    position = start + int.from_bytes(data[len(MAGIC) : start], "little")
    if position > len(data):
        raise ValueError("cut short")
    head = json.loads(data[start:position])
    arrays = []
    for item in head["arrays"]:
        position += -position % _ALIGNMENT
        array, position = _array(item, data, position)
        arrays.append(array)
    if position != len(data):
        raise ValueError("bytes are left over")
    return head["tree"], arrays


def _array(item: Mapping[str, Any], data: bytes, position: int) -> tuple[Array, int]:
    name = item["dtype"]
    if not isinstance(name, str) or len(name) > 4 or name[:1] not in "<|" or name[1:2] not in _KINDS:
        raise ValueError(f"array type {name!r}")
    dtype, shape = np.dtype(name), item["shape"]
    if not isinstance(shape, list) or any(type(length) is not int or length < 0 for length in shape):
        raise ValueError(f"array shape {shape!r}")
    count = math.prod(shape)
    end = position + count * dtype.itemsize
    if end > len(data):
        raise ValueError("cut short")
    array = np.frombuffer(data, dtype=dtype, count=count, offset=position).reshape(shape)
    return array.copy(), end


def _build(kind: Any, tree: Any, arrays: list[Array], root: Path | None) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is np.ndarray or kind is np.ndarray:
        return arrays[_plain(int, tree)]
    if origin in (typing.Union, types.UnionType):
        return _build_union(arguments, tree, arrays, root)
    if origin is Literal:
        if tree not in arguments:
            raise ValueError(f"{tree!r} is none of {arguments}")
        return tree
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, tree, arrays, root)
    if kind is Path:
        return _path(_plain(str, tree), root)
    if origin is None:
        return _plain(kind, tree)
    return _build_container(origin, arguments, tree, arrays, root)


def _build_container(origin: Any, arguments: Any, tree: Any, arrays: list[Array], root: Path | None) -> Any:
    items = _plain(list, tree)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, item = arguments
        return {_build(key, a, arrays, root): _build(item, b, arrays, root) for a, b in items}
    if origin is tuple and arguments[-1:] != (Ellipsis,):
        return tuple(_build(item, part, arrays, root) for item, part in zip(arguments, items, strict=True))
    if isinstance(origin, type) and issubclass(origin, Sequence):
        values = [_build(arguments[0], part, arrays, root) for part in items]
        return values if origin is list else tuple(values)
    raise ValueError(f"type {origin} cannot be read")


def _build_union(choices: tuple[Any, ...], tree: Any, arrays: list[Array], root: Path | None) -> Any:
    """Decode an optional value; the codec stores no type tag, so a union of two types beside None is ambiguous."""
    if tree is None and type(None) in choices:
        return None
    kinds = [choice for choice in choices if choice is not type(None)]
    if len(kinds) != 1:
        raise ValueError(f"a union of {len(kinds)} kinds cannot be read")
    return _build(kinds[0], tree, arrays, root)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _build_dataclass(kind: type, tree: Any, arrays: list[Array], root: Path | None) -> Any:
    fields = _plain(dict, tree)
    hints = _hints(kind)
    return kind(**{name: _build(hints[name], item, arrays, root) for name, item in fields.items()})


def _path(text: str, root: Path | None) -> Path:
    if root is None:
        return Path(text)
    parts = PurePosixPath(text).parts
    if text.startswith("/") or ".." in parts:
        raise ValueError(f"path {text!r} leaves its folder")
    return root.joinpath(*parts)


def _plain(kind: Any, tree: Any) -> Any:
    if kind is float and isinstance(tree, str) and tree in ("nan", "inf", "-inf"):
        return float(tree)
    if kind is float and type(tree) is int:
        return float(tree)
    if type(tree) is not kind:
        raise ValueError(f"{type(tree).__name__} where {getattr(kind, '__name__', kind)} belongs")
    return tree
