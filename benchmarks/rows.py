"""Rows of RESULTS.md: what was measured, the bar that was set for it, and how the value is read from a program's JSON.

Each program declares `ROWS`, a tuple of `Row`, beside its measurement. `read_rows` reads them without importing the
program, whose libraries may be missing where the table is written: only the imports from this module and the
assignment of `ROWS` are executed, so rows may use nothing but what is imported from here. Standard library alone.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Result = dict[str, Any]
"""The JSON object that a program prints."""
Getter = Callable[[Result], Any]
"""Reads a row's value from a result."""
Check = Callable[[Any], bool]
"""Returns whether a value meets its bar."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a program's table."""

    quantity: str
    """What was measured, with its unit."""
    bar: str = ""
    """The bar in words; empty where the value is only shown."""
    value: Getter
    """Reads the value."""
    met: Check | None = None
    """Compares the value with the bar; None where there is no bar."""
    digits: int = 3
    """Decimals that are shown of a float."""

    def line(self, result: Result) -> str:
        """Return the row as a line of a Markdown table."""
        value = self.value(result)
        met = "" if self.met is None else "yes" if self.met(value) else "**no**"
        return f"| {self.quantity} | {self.bar} | {format_value(value, self.digits)} | {met} |"


def format_value(value: Any, digits: int) -> str:
    """Return a value as text: yes or no for booleans, floats with so many decimals."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def read_rows(program: Path) -> tuple[Row, ...]:
    """Return the `ROWS` of a program file without importing it.

    Raises `NameError` where they use a name that is not imported from this module.
    """
    tree = ast.parse(program.read_text(encoding="utf-8"), filename=str(program))
    tree.body = [node for node in tree.body if _defines_rows(node)]
    namespace: dict[str, Any] = {}
    exec(compile(tree, str(program), "exec"), namespace)
    return tuple(namespace["ROWS"])


def _defines_rows(node: ast.stmt) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "rows"
    return isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "ROWS" for target in node.targets)


def entry(*path: str) -> Getter:
    """Return the getter of a nested key."""

    def get(result: Result) -> Any:
        for key in path:
            result = result[key]
        return result

    return get


def optional(key: str) -> Getter:
    """Return the getter of a key that is "not run" where it is missing."""
    return lambda result: result.get(key, "not run")


def count_of(count: str, total: str) -> Getter:
    """Return the getter of "count of total" from two keys."""
    return lambda result: f"{result[count]} of {result[total]}"


def smallest(*getters: Getter) -> Getter:
    """Return the getter of the smallest of several values."""
    return lambda result: min(get(result) for get in getters)


def largest(*getters: Getter) -> Getter:
    """Return the getter of the largest of several values."""
    return lambda result: max(get(result) for get in getters)


def mean_by_object(key: str, *, prefix: str) -> Getter:
    """Return the getter of the mean of a key over the objects whose names begin with a prefix."""

    def get(result: Result) -> float:
        values: list[float] = [row[key] for name, row in result["by_object"].items() if name.startswith(prefix)]
        return sum(values) / max(len(values), 1)

    return get


def points(*path: str) -> Getter:
    """Return the getter of a share in percentage points."""
    return lambda result: 100.0 * float(entry(*path)(result))


def interval(*path: str, form: str = ".0f") -> Getter:
    """Return the getter of a difference with its interval in percentage points, each number in a format."""

    def get(result: Result) -> str:
        difference = entry(*path)(result)
        value, low, high = (f"{100.0 * difference[key]:{form}}" for key in ("value", "low", "high"))
        return f"{value} [{low}, {high}]"

    return get


def at_most(limit: float) -> Check:
    """Return the check that a value is at most a limit; None is not."""
    return lambda value: value is not None and float(value) <= limit


def at_least(limit: float) -> Check:
    """Return the check that a value is at least a limit; None is not."""
    return lambda value: value is not None and float(value) >= limit


def equals(expected: Any) -> Check:
    """Return the check that a value is the expected one."""
    return lambda value: bool(value == expected)


def is_complete(value: str) -> bool:
    """Return whether "count of total", with more words after a comma, counts all."""
    count, total = value.split(",")[0].split(" of ")
    return count == total


def is_zero(value: str) -> bool:
    """Return whether "count of total" counts none."""
    return value.startswith("0 ")
