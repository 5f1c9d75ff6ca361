"""Physical numbers that say where they come from and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Source = Literal["measured", "material table", "model", "default"]
"""Where a physical number comes from."""


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A value with its interval; the interval is the range that a recipe samples."""

    value: float
    """Best estimate, in the unit that the field's name ends in."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""
    source: Source
    """Where the value comes from."""

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"interval [{self.low}, {self.high}] does not hold {self.value}")

    def scaled(self, factor: float) -> Quantity:
        """Return the quantity times a positive factor."""
        return Quantity(value=self.value * factor, low=self.low * factor, high=self.high * factor, source=self.source)
