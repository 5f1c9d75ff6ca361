"""Arrays that stay in a file until they are used, so that a long recording takes no more memory than a short one.

A dataclass declares such a field as `depth_m: StoredArray = StoredArray()`. Its value is an array in memory or an
`ArraySource`; reading the field gives the array either way. `held` gives what the field holds without reading it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self, overload

import numpy as np

from cousins.geometry import Array

CACHE_BYTES: Final = 64 << 20
"""Memory for arrays that were read last [bytes]: 40 depth images of 640×480 pixels with their confidence."""


class ArraySource(Protocol):
    """A place from which an array can be read again and again."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its values."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""

    def read(self) -> Array:
        """Return the array, of that type and shape [...]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FileArray:
    """An array that lies in a file as raw bytes."""

    path: Path
    """The file."""
    offset: int
    """Position of its first byte [bytes]."""
    dtype: np.dtype[Any]
    """Type of its values."""
    shape: tuple[int, ...]
    """Its shape."""

    def read(self) -> Array:
        """Return the array [...]; raises OSError where the file is gone."""
        count = int(np.prod(self.shape, dtype=np.int64))
        return np.fromfile(self.path, dtype=self.dtype, count=count, offset=self.offset).reshape(self.shape)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ChangedArray:
    """An array that is computed from a stored one each time it is read; type and shape stay the same."""

    source: ArraySource
    """What it is computed from."""
    change: Callable[[Array], Array]
    """Returns the changed array."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its values."""
        return self.source.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self.source.shape

    def read(self) -> Array:
        """Return the changed array [...]."""
        return self.change(read(self.source))


class StoredArray:
    """Field of a dataclass that holds an array or its source, and is read as an array."""

    _name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Array: ...
    def __get__(self, instance: object | None, owner: type) -> Self | Array:
        if instance is None:
            # A dataclass takes what the class attribute gives for a default; the field has none.
            raise AttributeError(self._name)
        return read(vars(instance)[self._name])

    def __set__(self, instance: object, value: Array | ArraySource) -> None:
        vars(instance)[self._name] = value


def held(instance: object, name: str) -> Any:
    """Return the value of a field, or the source of a stored array, which is not read."""
    field = vars(type(instance)).get(name)
    return vars(instance)[name] if isinstance(field, StoredArray) else getattr(instance, name)


def changed(value: Array | ArraySource, change: Callable[[Array], Array]) -> Array | ArraySource:
    """Return an array [...] changed now, or a source whose array is changed when it is read."""
    return change(value) if isinstance(value, np.ndarray) else ChangedArray(source=value, change=change)


def read(value: Array | ArraySource) -> Array:
    """Return the array [...] of a source, from the memory of those read last; an array is returned as it is."""
    return value if isinstance(value, np.ndarray) else _CACHE.get(value)


class _Cache:
    """The arrays that were read last; shared by all threads of the process."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._arrays: OrderedDict[ArraySource, Array] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, source: ArraySource) -> Array:
        with self._lock:
            cached = self._arrays.get(source)
            if cached is not None:
                self._arrays.move_to_end(source)
                return cached
        array = source.read()
        with self._lock:
            if source not in self._arrays:
                self._arrays[source] = array
                self._bytes += array.nbytes
            while self._bytes > self._most_bytes and len(self._arrays) > 1:
                _, dropped = self._arrays.popitem(last=False)
                self._bytes -= dropped.nbytes
        return array


_CACHE: Final = _Cache(CACHE_BYTES)
