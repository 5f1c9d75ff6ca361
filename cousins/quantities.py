"""Physical quantities with their origin and uncertainty interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

QuantitySource = Literal["measured", "material table", "model", "default"]
"""Origin of a physical quantity."""


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A value with its uncertainty interval; recipes sample within the interval."""

    value: float
    """Best estimate, in the unit that the field's name ends in."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""
    source: QuantitySource
    """Origin of the value."""

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"interval [{self.low}, {self.high}] does not hold {self.value}")

    def scaled(self, factor: float) -> Quantity:
        """Return the quantity with value and interval multiplied by a positive factor."""
        return Quantity(value=self.value * factor, low=self.low * factor, high=self.high * factor, source=self.source)
