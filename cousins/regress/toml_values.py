"""Values of a TOML file read by type; every error names file and key, and unknown keys are refused."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cousins.errors import InputError

MAX_TEXT_CHARACTERS: Final = 500
"""Longest text of a value [characters]."""
_MISSING: Final = object()


class TomlTable:
    """A table of a TOML file; it remembers which keys were read."""

    def __init__(self, content: Mapping[str, Any], *, source: str, prefix: str = "") -> None:
        self._content, self._source, self._prefix = content, source, prefix
        self._read: set[str] = set()

    def has(self, key: str) -> bool:
        """Return whether the table has a key."""
        return key in self._content

    def error(self, key: str, expected: str) -> InputError:
        """Return the error of a key whose value is not the expected one."""
        value_text = repr(self._content[key])[:80] if key in self._content else "nothing"
        return InputError(
            f"{value_text} for {self._prefix}{key} in {self._source!r}",
            expected=expected,
            hint="Mend it; `cousins regress init PACK` writes a suite with every key explained.",
        )

    def text(self, key: str, default: str | None = None, *, pattern: re.Pattern[str] | None = None) -> str:
        """Return a text, of a pattern where there is one."""
        value = self._value(key, _MISSING if default is None else default)
        if not isinstance(value, str) or len(value) > MAX_TEXT_CHARACTERS or (not value and default is None):
            raise self.error(key, f"a text of at most {MAX_TEXT_CHARACTERS} characters")
        if pattern is not None and not pattern.fullmatch(value):
            raise self.error(key, f"a text like {pattern.pattern}")
        return value

    def optional_text(self, key: str) -> str | None:
        """Return a text, None where there is none."""
        return self.text(key) if self.has(key) else None

    def integer(self, key: str, default: int, *, low: int = 0, high: int = 2**63 - 1) -> int:
        """Return a whole number within [low, high]."""
        value = self._value(key, default)
        if type(value) is not int or not low <= value <= high:
            raise self.error(key, f"a whole number from {low} to {high}")
        return value

    def integers(self, key: str, *, low: int, high: int) -> tuple[int, ...]:
        """Return a list of different whole numbers within [low, high], none where the key is missing."""
        values = self._list(key, ())
        if any(type(value) is not int or not low <= value <= high for value in values) or _has_doubles(values):
            raise self.error(key, f"a list of different whole numbers from {low} to {high}")
        return tuple(values)

    def number(self, key: str, default: float | None, *, low: float, high: float) -> float | None:
        """Return a number within [low, high]; the default where the key is missing."""
        value = self._value(key, default)
        if value is None:
            return None
        if type(value) not in (int, float) or not low <= value <= high:
            raise self.error(key, f"a number from {low:g} to {high:g}")
        return float(value)

    def interval(self, key: str, *, low: float, high: float) -> tuple[float, float]:
        """Return a list of two rising numbers within [low, high]."""
        values = self._list(key, ())
        are_numbers = len(values) == 2 and all(type(value) in (int, float) for value in values)
        if not are_numbers or not low <= values[0] <= values[1] <= high:
            raise self.error(key, f"two rising numbers from {low:g} to {high:g}")
        return float(values[0]), float(values[1])

    def names(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Return a list of different texts, at least one."""
        values = self._list(key, default)
        if not values or not all(isinstance(value, str) and value for value in values) or _has_doubles(values):
            raise self.error(key, "a list of different names, at least one")
        return tuple(values)

    def date(self, key: str) -> datetime.date:
        """Return a date, such as 2026-12-31, written as a date or as a text."""
        value = self._value(key, _MISSING)
        try:
            date = datetime.date.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            date = None
        if type(date) is not datetime.date:
            raise self.error(key, "a date such as 2026-12-31")
        return date

    def table(self, key: str) -> TomlTable:
        """Return a table, an empty one where the key is missing."""
        value = self._value(key, {})
        if not isinstance(value, dict):
            raise self.error(key, "a table")
        return TomlTable(value, source=self._source, prefix=f"{self._prefix}{key}.")

    def tables(self, key: str) -> list[TomlTable]:
        """Return a list of tables, none where the key is missing."""
        values = self._list(key, ())
        if not all(isinstance(value, dict) for value in values):
            raise self.error(key, f"tables, each under [[{key}]]")
        return [
            TomlTable(value, source=self._source, prefix=f"{key}[{number}].") for number, value in enumerate(values)
        ]

    def require_nothing_else(self, names_read: Sequence[str] = ()) -> None:
        """Raise `InputError` for the first key that no method was asked for."""
        names = sorted({*self._read, *names_read})
        for key in self._content:
            if key not in names:
                close = difflib.get_close_matches(key, names, n=1)
                guess = f"Did you mean {close[0]!r}? " if close else ""
                raise InputError(
                    f"an unknown key {self._prefix}{key} in {self._source!r}",
                    expected="one of " + ", ".join(names),
                    hint=f"{guess}Mend or remove it.",
                )

    def _list(self, key: str, default: Sequence[Any] | None) -> Sequence[Any]:
        value = self._value(key, _MISSING if default is None else default)
        if not isinstance(value, list | tuple):
            raise self.error(key, "a list")
        return value

    def _value(self, key: str, default: Any) -> Any:
        self._read.add(key)
        value = self._content.get(key, default)
        if value is _MISSING:
            raise self.error(key, "a value: the suite needs it")
        return value


def _has_doubles(values: Sequence[Any]) -> bool:
    return len(set(values)) != len(values)
