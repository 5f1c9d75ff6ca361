"""Strict reading of JSON from strangers: every value is asked for by type, and what is wrong is told with its path."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np

from cousins.errors import SceneError
from cousins.geometry import Array

MAX_BYTES: Final = 64 * 2**20
"""Largest JSON text that is parsed."""
MAX_TEXT: Final = 2000
"""Longest string."""
MAX_ITEMS: Final = 20_000
"""Most items in a list."""
MAX_MAGNITUDE: Final = 1e9
"""Largest magnitude of a number; keeps squares and products finite."""

Choice = TypeVar("Choice", bound=str)


@dataclass(frozen=True, kw_only=True)
class Node:
    """A JSON value and where it stands."""

    value: Any
    """What the parser gave."""
    path: str
    """Place in the file, such as `scene.json: objects[2].asset`."""

    def __getitem__(self, key: str) -> Node:
        """Return a member of an object; raises `SceneError` where it is missing."""
        if not isinstance(self.value, dict) or key not in self.value:
            raise self.bad(f"an object with {key!r}")
        return Node(value=self.value[key], path=f"{self.path}.{key}")

    def has(self, key: str) -> bool:
        """Tell whether an object has a member that is not null."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def items(self) -> list[Node]:
        """Return the items of a list."""
        if not isinstance(self.value, list) or len(self.value) > MAX_ITEMS:
            raise self.bad(f"a list of at most {MAX_ITEMS}")
        return [Node(value=item, path=f"{self.path}[{index}]") for index, item in enumerate(self.value)]

    def text(self) -> str:
        """Return a string."""
        if not isinstance(self.value, str) or len(self.value) > MAX_TEXT:
            raise self.bad(f"a text of at most {MAX_TEXT} characters")
        return self.value

    def texts(self) -> tuple[str, ...]:
        """Return a list of strings."""
        return tuple(item.text() for item in self.items())

    def choice(self, *allowed: Choice) -> Choice:
        """Return one of the allowed words."""
        for word in allowed:
            if self.value == word and isinstance(self.value, str):
                return word
        raise self.bad("one of " + ", ".join(allowed))

    def number(self, *, low: float = -MAX_MAGNITUDE, high: float = MAX_MAGNITUDE) -> float:
        """Return a finite number within [low, high]."""
        plain = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        if not plain or not -MAX_MAGNITUDE <= self.value <= MAX_MAGNITUDE or not low <= self.value <= high:
            raise self.bad(f"a number from {low:g} to {high:g}")
        return float(self.value)

    def flag(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            raise self.bad("true or false")
        return self.value

    def integer(self, *, low: int, high: int) -> int:
        """Return a whole number within [low, high]."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or not low <= self.value <= high:
            raise self.bad(f"a whole number from {low} to {high}")
        return self.value

    def array(self, *shape: int) -> Array:
        """Return nested lists of finite numbers as float64 of exactly this shape."""
        flat = self._flat(shape)
        return np.array(flat, dtype=np.float64).reshape(shape)

    def bad(self, expected: str) -> SceneError:
        """Return the error that tells what stands here and what was expected."""
        found = repr(self.value)
        found = found if len(found) <= 60 else f"{found[:57]}..."
        return SceneError(f"{found} at {self.path}", expected=expected, hint="Write the scene folder anew.")

    def _flat(self, shape: tuple[int, ...]) -> list[float]:
        if not shape:
            return [self.number()]
        items = self.items()
        if len(items) != shape[0]:
            raise self.bad(f"a list of {shape[0]}")
        return [value for item in items for value in item._flat(shape[1:])]


def parse(data: bytes, *, where: str) -> Node:
    """Parse JSON text; NaN, Infinity, bad UTF-8, depth bombs and huge texts raise `SceneError`."""
    if len(data) > MAX_BYTES:
        raise SceneError(f"{len(data)} bytes in {where}", expected=f"at most {MAX_BYTES}", hint="Is it a scene?")
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        text = str(error)[:100]
        raise SceneError(f"{where} that is no JSON ({text})", expected="JSON text", hint="Is it a scene?") from error
    return Node(value=value, path=where)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large")
    return value
