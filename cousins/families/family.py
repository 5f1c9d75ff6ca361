"""The seam of families: what a family is asked, and how one is made of ranges and a shape.

A family is one file in `backends/` with a frozen `Config`, whose fields are the ranges of its measures, and a
`build(config)`. All extents are among an instance's measures, so that one can be made in the size of another thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Protocol

import numpy as np

from cousins.families.assembly import Shape, assembled
from cousins.geometry import Array
from cousins.plugins import load, names
from cousins.reconstruct.assets import Asset

PACKAGE: Final = "cousins.families.backends"
"""Where the families are."""
TRIES: Final = 200
"""Draws after which a family's ranges are taken to contradict each other."""
NEAR: Final = 0.15
"""Relative deviation of an extent that still counts as the wanted one."""

Values = Mapping[str, float]
"""Measures of an instance by name: lengths [m], angles [rad], ratios, counts."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """What a measure may be."""

    low: float
    """Least value."""
    high: float
    """Greatest value."""
    whole: bool = False
    """True for counts."""

    def draw(self, rng: np.random.Generator) -> float:
        """Return a value, all equally likely."""
        if self.whole:
            return float(rng.integers(round(self.low), round(self.high) + 1))
        return float(rng.uniform(self.low, self.high))


class Family(Protocol):
    """A kind of thing in all its sizes and shapes."""

    @property
    def name(self) -> str:
        """Name of its file."""

    @property
    def label(self) -> str:
        """What people call it."""

    @property
    def hollow(self) -> bool:
        """Whether each instance holds what is put into it from above."""

    def draw(self, rng: np.random.Generator) -> Values:
        """Return the measures of a typical instance."""

    def sized_like(self, size_m: Array, rng: np.random.Generator) -> Values | None:
        """Return the measures of an instance whose extents [3] [m] are near the wanted ones, None where none is."""

    def build(self, values: Values, *, name: str, rng: np.random.Generator, texture_px: int = 128) -> Asset:
        """Return the instance; `rng` picks colours alone, `texture_px` 0 leaves them out."""


@dataclass(frozen=True, kw_only=True)
class ParametricFamily:
    """A family told by the ranges of its measures, and by the shape that they give."""

    name: str
    """Name of its file."""
    label: str
    """What people call it."""
    ranges: Mapping[str, Range]
    """Ranges of its measures."""
    sizes: tuple[str, str, str]
    """Measures that are the extents along x, y and z [m]; round things name one twice."""
    shape: Callable[[Values], Shape]
    """Solids, pieces and joints that measures give."""
    holds: Callable[[Values], bool] = lambda _: True
    """Whether measures fit to each other."""
    hollow: bool = False
    """Whether each instance holds what is put into it from above."""

    def draw(self, rng: np.random.Generator) -> Values:
        """Return measures, all equally likely among those that fit to each other."""
        for _ in range(TRIES):
            values = {name: one.draw(rng) for name, one in self.ranges.items()}
            if self.holds(values):
                return values
        raise ValueError(f"the ranges of family {self.name} contradict each other")

    def sized_like(self, size_m: Array, rng: np.random.Generator) -> Values | None:
        """Return measures with the wanted extents, as far as the ranges reach, and all else drawn; else None."""
        wanted = {
            measure: float(np.exp(np.mean([np.log(size_m[k]) for k in range(3) if self.sizes[k] == measure])))
            for measure in self.sizes
        }
        fixed = {
            name: float(np.clip(size, self.ranges[name].low, self.ranges[name].high)) for name, size in wanted.items()
        }
        extents = np.array([fixed[name] for name in self.sizes])
        if np.any(np.abs(extents / np.asarray(size_m) - 1.0) > NEAR):
            return None
        for _ in range(TRIES):
            values = {name: one.draw(rng) for name, one in self.ranges.items()} | fixed
            if self.holds(values):
                return values
        return None

    def build(self, values: Values, *, name: str, rng: np.random.Generator, texture_px: int = 128) -> Asset:
        """Return the instance of some measures."""
        return assembled(self.shape(values), name=name, label=self.label, rng=rng, texture_px=texture_px)


def ranges_of(config: Any) -> dict[str, Range]:
    """Return the fields of a family's `Config` that are ranges, by name."""
    return {field.name: getattr(config, field.name) for field in fields(config)}


def span(low: float, high: float) -> Range:
    """Return the range between two values."""
    return Range(low=low, high=high)


def count(low: int, high: int) -> Range:
    """Return the range of whole numbers from one to another."""
    return Range(low=low, high=high, whole=True)


def family_names() -> list[str]:
    """Return the names of all families."""
    return names(PACKAGE)


def family(name: str) -> Family:
    """Return a family with its usual ranges; raises UnknownNameError for one that there is not."""
    module = load(PACKAGE, name, kind="family")
    made: Family = module.build(module.Config())
    return made
