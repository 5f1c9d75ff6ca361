"""Constant, uniform and log-uniform distributions: the values that a field of a recipe may hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cousins.errors import InputError

MAX_NUMBER: Final = 1e6
"""Largest absolute value of a number in a recipe."""


@dataclass(frozen=True, kw_only=True)
class Constant:
    """Distribution with all its mass at one value."""

    value: float
    """The value."""

    def at_quantile(self, quantile: float) -> float:
        """Return the value, whatever the quantile."""
        del quantile
        return self.value

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value."""
        return self.value, self.value


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """Uniform distribution between two bounds."""

    low: float
    """Lower bound."""
    high: float
    """Upper bound."""

    def at_quantile(self, quantile: float) -> float:
        """Return the inverse of the cumulative distribution at a quantile, 0 to 1."""
        return self.low + quantile * (self.high - self.low)

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value."""
        return self.low, self.high


@dataclass(frozen=True, kw_only=True)
class LogUniform:
    """Log-uniform distribution between two positive bounds."""

    low: float
    """Lower bound, above 0."""
    high: float
    """Upper bound."""

    def at_quantile(self, quantile: float) -> float:
        """Return the inverse of the cumulative distribution at a quantile, 0 to 1."""
        return self.low * (self.high / self.low) ** quantile

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value."""
        return self.low, self.high


Distribution = Constant | Uniform | LogUniform
"""A value that a field of a recipe may hold."""


def parse_distribution(value: Any, *, field_name: str) -> Distribution:
    """Return a number, `{ uniform = [a, b] }` or `{ log_uniform = [a, b] }` as a distribution.

    `field_name` names the field in error messages; raises `InputError`.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Constant(value=_number(value, field_name=field_name))
    if isinstance(value, Mapping) and len(value) == 1:
        kind, ends = next(iter(value.items()))
        if kind in ("uniform", "log_uniform") and isinstance(ends, list) and len(ends) == 2:
            low, high = (_number(end, field_name=field_name) for end in ends)
            if low > high or (kind == "log_uniform" and low <= 0.0):
                raise InputError(
                    f"{field_name}: {kind} = [{low:g}, {high:g}]",
                    expected="two ends in order" + (", both above 0" if kind == "log_uniform" else ""),
                    hint=f"Write {field_name} = {{ {kind} = [0.5, 2.0] }}.",
                )
            return Uniform(low=low, high=high) if kind == "uniform" else LogUniform(low=low, high=high)
    raise InputError(
        f"{field_name} = {str(value)[:80]}",
        expected="a number, { uniform = [a, b] } or { log_uniform = [a, b] }",
        hint="`cousins recipe init SCENE` writes a recipe with every field.",
    )


def distribution_toml(distribution: Distribution) -> str:
    """Return the TOML text of a distribution."""
    if isinstance(distribution, Constant):
        return _number_toml(distribution.value)
    kind = "uniform" if isinstance(distribution, Uniform) else "log_uniform"
    return f"{{ {kind} = [{_number_toml(distribution.low)}, {_number_toml(distribution.high)}] }}"


def _number_toml(value: float) -> str:
    return repr(int(value)) if float(value).is_integer() else repr(float(value))


def _number(value: Any, *, field_name: str) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or abs(value) > MAX_NUMBER:
        raise InputError(
            f"{field_name}: {str(value)[:40]}",
            expected=f"a finite number up to {MAX_NUMBER:g}",
            hint="Correct the recipe.",
        )
    return float(value)
