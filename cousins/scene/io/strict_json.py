"""Strict reader of untrusted JSON: every value is read by type, and every error names the path of the value."""

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
MAX_TEXT_CHARACTERS: Final = 2000
"""Longest string [characters]."""
MAX_ITEMS: Final = 20_000
"""Most items in a list."""
MAX_MAGNITUDE: Final = 1e9
"""Largest magnitude of a number; keeps squares and products finite."""

Choice = TypeVar("Choice", bound=str)


@dataclass(frozen=True, kw_only=True)
class Node:
    """A JSON value and its path in the file."""

    value: Any
    """The value as `json.loads` returned it."""
    path: str
    """Path in the file, such as `scene.json: objects[2].asset`."""

    def __getitem__(self, key: str) -> Node:
        """Return a member of an object; raises `SceneError` where it is missing."""
        if not isinstance(self.value, dict) or key not in self.value:
            raise self.error(f"an object with {key!r}")
        return Node(value=self.value[key], path=f"{self.path}.{key}")

    def has(self, key: str) -> bool:
        """Return whether an object has a member that is not null."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def items(self) -> list[Node]:
        """Return the items of a list."""
        if not isinstance(self.value, list) or len(self.value) > MAX_ITEMS:
            raise self.error(f"a list of at most {MAX_ITEMS}")
        return [Node(value=item, path=f"{self.path}[{index}]") for index, item in enumerate(self.value)]

    def text(self) -> str:
        """Return a string."""
        if not isinstance(self.value, str) or len(self.value) > MAX_TEXT_CHARACTERS:
            raise self.error(f"a text of at most {MAX_TEXT_CHARACTERS} characters")
        return self.value

    def texts(self) -> tuple[str, ...]:
        """Return a list of strings."""
        return tuple(item.text() for item in self.items())

    def choice(self, *allowed: Choice) -> Choice:
        """Return the string where it is one of the allowed ones."""
        for word in allowed:
            if self.value == word and isinstance(self.value, str):
                return word
        raise self.error("one of " + ", ".join(allowed))

    def number(self, *, low: float = -MAX_MAGNITUDE, high: float = MAX_MAGNITUDE) -> float:
        """Return a finite number within [low, high]."""
        plain = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        if not plain or not -MAX_MAGNITUDE <= self.value <= MAX_MAGNITUDE or not low <= self.value <= high:
            raise self.error(f"a number from {low:g} to {high:g}")
        return float(self.value)

    def flag(self) -> bool:
        """Return a boolean."""
        if not isinstance(self.value, bool):
            raise self.error("true or false")
        return self.value

    def integer(self, *, low: int, high: int) -> int:
        """Return an integer within [low, high]."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or not low <= self.value <= high:
            raise self.error(f"a whole number from {low} to {high}")
        return self.value

    def array(self, *shape: int) -> Array:
        """Return nested lists of finite numbers as a float64 array of exactly the given shape."""
        flat = self._flat(shape)
        return np.array(flat, dtype=np.float64).reshape(shape)

    def error(self, expected: str) -> SceneError:
        """Return an error with this value, its path and the expected value."""
        value_text = repr(self.value)
        value_text = value_text if len(value_text) <= 60 else f"{value_text[:57]}..."
        return SceneError(f"{value_text} at {self.path}", expected=expected, hint="Write the scene folder anew.")

    def _flat(self, shape: tuple[int, ...]) -> list[float]:
        if not shape:
            return [self.number()]
        items = self.items()
        if len(items) != shape[0]:
            raise self.error(f"a list of {shape[0]}")
        return [value for item in items for value in item._flat(shape[1:])]


def parse(data: bytes, *, source: str) -> Node:
    """Parse JSON text; `source` names it in errors.

    NaN, Infinity, invalid UTF-8, very deep nesting and texts over `MAX_BYTES` raise `SceneError`.
    """
    if len(data) > MAX_BYTES:
        raise SceneError(f"{len(data)} bytes in {source}", expected=f"at most {MAX_BYTES}", hint="Is it a scene?")
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_parse_finite)
    except (ValueError, RecursionError) as error:
        text = str(error)[:100]
        raise SceneError(f"{source} that is no JSON ({text})", expected="JSON text", hint="Is it a scene?") from error
    return Node(value=value, path=source)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _parse_finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large")
    return value
