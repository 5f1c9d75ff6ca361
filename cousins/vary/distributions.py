"""A value or a distribution in the same slot: what a recipe's field may hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cousins.errors import InputError

MAX_NUMBER: Final = 1e6
"""Largest number of a recipe."""


@dataclass(frozen=True, kw_only=True)
class Constant:
    """Always the same."""

    value: float
    """The value."""

    def at(self, quantile: float) -> float:
        """Return the value."""
        del quantile
        return self.value

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return self.value, self.value


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """Every value between two ends alike."""

    low: float
    """Lower end."""
    high: float
    """Upper end."""

    def at(self, quantile: float) -> float:
        """Return the value under which a share `quantile` of all lies."""
        return self.low + quantile * (self.high - self.low)

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return self.low, self.high


@dataclass(frozen=True, kw_only=True)
class LogUniform:
    """Every ratio between two positive ends alike."""

    low: float
    """Lower end, above 0."""
    high: float
    """Upper end."""

    def at(self, quantile: float) -> float:
        """Return the value under which a share `quantile` of all lies."""
        return self.low * (self.high / self.low) ** quantile

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return self.low, self.high


Distribution = Constant | Uniform | LogUniform
"""What a field of a recipe holds."""


def parse_distribution(value: Any, *, where: str) -> Distribution:
    """Return a number, `{ uniform = [a, b] }` or `{ log_uniform = [a, b] }` as a distribution; raises `InputError`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Constant(value=_number(value, where=where))
    if isinstance(value, Mapping) and len(value) == 1:
        kind, ends = next(iter(value.items()))
        if kind in ("uniform", "log_uniform") and isinstance(ends, list) and len(ends) == 2:
            low, high = (_number(end, where=where) for end in ends)
            if low > high or (kind == "log_uniform" and low <= 0.0):
                raise InputError(
                    f"{where}: {kind} = [{low:g}, {high:g}]",
                    expected="two ends in order" + (", both above 0" if kind == "log_uniform" else ""),
                    hint=f"Write {where} = {{ {kind} = [0.5, 2.0] }}.",
                )
            return Uniform(low=low, high=high) if kind == "uniform" else LogUniform(low=low, high=high)
    raise InputError(
        f"{where} = {str(value)[:80]}",
        expected="a number, { uniform = [a, b] } or { log_uniform = [a, b] }",
        hint="`cousins recipe init SCENE` writes a recipe with every field.",
    )


def written(distribution: Distribution) -> str:
    """Return a distribution as TOML."""
    if isinstance(distribution, Constant):
        return _text(distribution.value)
    kind = "uniform" if isinstance(distribution, Uniform) else "log_uniform"
    return f"{{ {kind} = [{_text(distribution.low)}, {_text(distribution.high)}] }}"


def _text(value: float) -> str:
    return repr(int(value)) if float(value).is_integer() else repr(float(value))


def _number(value: Any, *, where: str) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or abs(value) > MAX_NUMBER:
        raise InputError(
            f"{where}: {str(value)[:40]}",
            expected=f"a finite number up to {MAX_NUMBER:g}",
            hint="Correct the recipe.",
        )
    return float(value)
