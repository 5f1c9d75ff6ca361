"""Serialise frozen dataclasses: a JSON tree of the fields, followed by the raw bytes of the arrays.

Layout: the magic, the length of the tree (uint64, little-endian), the tree as canonical JSON, then each array's
bytes, aligned to eight. Fields are decoded by their type hints, so the bytes can name no class and run no code.
The same value gives the same bytes anywhere.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal, TypeVar

import numpy as np

from cousins.errors import InputError
from cousins.geometry import Array
from cousins.stored_arrays import ArraySource, FileArray, StoredArray, held

MAGIC = b"cousins value 1\n"
_ALIGNMENT = 8
_KINDS = "biuf"
"""Array kinds that may be stored: booleans, signed and unsigned integers, floats."""

T = TypeVar("T")


def encode(value: object, *, root: Path | None = None) -> bytes:
    """Return the bytes of a value made of dataclasses, containers, scalars and arrays.

    Paths are stored relative to `root`; a path outside it raises ValueError.
    """
    buffer = io.BytesIO()
    write_value(value, buffer, root=root)
    return buffer.getvalue()


def write_value(value: object, file: BinaryIO, *, root: Path | None = None) -> None:
    """Write what `encode` returns to a file, array by array: stored arrays are never in memory together."""
    arrays: list[Array | ArraySource] = []
    tree = _flatten(value, arrays, root)
    head = canonical_json({"tree": tree, "arrays": [_describe(array) for array in arrays]})
    size = file.write(MAGIC + len(head).to_bytes(8, "little") + head)
    for item in arrays:
        array = item if isinstance(item, np.ndarray) else item.read()
        little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
        size += file.write(b"\0" * (-size % _ALIGNMENT))
        size += file.write(little.reshape(-1).view(np.uint8).data)


def decode(kind: type[T], data: bytes, *, root: Path | None = None) -> T:
    """Return the value of type `kind` that `encode` wrote; raises InputError for anything else."""
    return _decode(kind, io.BytesIO(data), len(data), lambda item: _BufferArray(data=data, item=item), root)


def read_value(kind: type[T], path: Path, *, root: Path | None = None) -> T:
    """Return the value that `write_value` wrote to a file; fields that are a `StoredArray` stay there until used.

    Raises InputError for any other file.
    """
    with path.open("rb") as file:
        return _decode(kind, file, path.stat().st_size, lambda item: FileArray(path=path, **item), root)


def _decode(
    kind: type[T], file: BinaryIO, size: int, place: Callable[[Mapping[str, Any]], ArraySource], root: Path | None
) -> T:
    try:
        tree, places = _open(file, size)
        value: T = _build(kind, tree, [place(item) for item in places], root)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
        raise InputError(
            f"bytes that are no {getattr(kind, '__name__', kind)} ({error})",
            expected="a value written by this version of cousins",
            hint="Delete the file and run again.",
        ) from error
    return value


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _BufferArray:
    """An array within bytes in memory."""

    data: bytes
    item: Mapping[str, Any]

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.item["dtype"])

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.item["shape"])

    def read(self) -> Array:
        count = math.prod(self.shape)
        array = np.frombuffer(self.data, dtype=self.dtype, count=count, offset=self.item["offset"])
        return array.reshape(self.shape).copy()


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


def _flatten(value: object, arrays: list[Array | ArraySource], root: Path | None) -> Any:
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


def _flatten_container(value: object, arrays: list[Array | ArraySource], root: Path | None) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _flatten_field(value, field.name, arrays, root)
            for field in dataclasses.fields(value)
            if field.init
        }
    if isinstance(value, Mapping):
        return [[_flatten(key, arrays, root), _flatten(item, arrays, root)] for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [_flatten(item, arrays, root) for item in value]
    raise ValueError(f"values of type {type(value).__name__} cannot be stored")


def _flatten_field(value: object, name: str, arrays: list[Array | ArraySource], root: Path | None) -> Any:
    item, kind = held(value, name), _kind_of(value)
    if name in _stored_names(kind) and not isinstance(item, np.ndarray):
        arrays.append(item)
        return len(arrays) - 1
    return _flatten(item, arrays, root)


def _kind_of(value: object) -> type:
    return type(value)


def _describe(array: Array | ArraySource) -> dict[str, Any]:
    return {"dtype": array.dtype.newbyteorder("<").str, "shape": list(array.shape)}


def _open(file: BinaryIO, size: int) -> tuple[Any, list[dict[str, Any]]]:
    """Return the tree and the place of each array: type, shape and position of its first byte."""
    start = len(MAGIC) + 8
    begin = file.read(start)
    if begin[: len(MAGIC)] != MAGIC or len(begin) < start:
        raise ValueError("not a stored value")
    position = start + int.from_bytes(begin[len(MAGIC) :], "little")
    if position > size:
        raise ValueError("cut short")
    head = json.loads(file.read(position - start))
    places = []
    for item in head["arrays"]:
        position += -position % _ALIGNMENT
        dtype, shape = _array_type(item)
        places.append({"dtype": dtype, "shape": shape, "offset": position})
        position += math.prod(shape) * dtype.itemsize
        if position > size:
            raise ValueError("cut short")
    if position != size:
        raise ValueError("bytes are left over")
    return head["tree"], places


def _array_type(item: Mapping[str, Any]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    name, shape = item["dtype"], item["shape"]
    if not isinstance(name, str) or len(name) > 4 or name[:1] not in "<|" or name[1:2] not in _KINDS:
        raise ValueError(f"array type {name!r}")
    if not isinstance(shape, list) or any(type(length) is not int or length < 0 for length in shape):
        raise ValueError(f"array shape {shape!r}")
    return np.dtype(name), tuple(shape)


def _build(kind: Any, tree: Any, arrays: list[ArraySource], root: Path | None) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is np.ndarray or kind is np.ndarray:
        return arrays[_index(tree)].read()
    if kind is StoredArray:
        return arrays[_index(tree)]
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


def _build_container(origin: Any, arguments: Any, tree: Any, arrays: list[ArraySource], root: Path | None) -> Any:
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


def _build_union(choices: tuple[Any, ...], tree: Any, arrays: list[ArraySource], root: Path | None) -> Any:
    """Decode an optional value; the codec stores no type tag, so a union of two types beside None is ambiguous."""
    if tree is None and type(None) in choices:
        return None
    kinds = [choice for choice in choices if choice is not type(None)]
    if len(kinds) != 1:
        raise ValueError(f"a union of {len(kinds)} kinds cannot be read")
    return _build(kinds[0], tree, arrays, root)


def _index(tree: Any) -> int:
    index: int = _plain(int, tree)
    if index < 0:
        raise ValueError(f"array number {index}")
    return index


@cache
def _stored_names(kind: type) -> frozenset[str]:
    return frozenset(name for name, hint in _hints(kind).items() if hint is StoredArray)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _build_dataclass(kind: type, tree: Any, arrays: list[ArraySource], root: Path | None) -> Any:
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
