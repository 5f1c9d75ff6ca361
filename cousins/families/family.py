"""Interface of asset families, and families that are defined by parameter ranges and an assembly function.

A family is one file in `backends/` with a frozen `Config`, whose fields are the ranges of its parameters, and a
`build(config)`. All extents are among the parameters, so that an instance can be made in the size of another object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Protocol

import numpy as np

from cousins.families.assembly import Assembly, build_asset
from cousins.geometry import Array
from cousins.plugins import backend_names, load_backend
from cousins.reconstruct.assets import Asset

PACKAGE: Final = "cousins.families.backends"
"""Package of the families."""
MAX_TRIES: Final = 200
"""Most samples before the ranges of a family count as contradictory."""
MAX_EXTENT_ERROR: Final = 0.15
"""Largest relative deviation of an extent from its target."""

Parameters = Mapping[str, float]
"""Parameters of an instance by name: lengths [m], angles [rad], ratios, counts."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """Range of a parameter."""

    low: float
    """Smallest value."""
    high: float
    """Largest value."""
    integer: bool = False
    """True for counts."""

    def sample(self, rng: np.random.Generator) -> float:
        """Return a value sampled uniformly from the range."""
        if self.integer:
            return float(rng.integers(round(self.low), round(self.high) + 1))
        return float(rng.uniform(self.low, self.high))


class Family(Protocol):
    """A category of objects in all sizes and shapes."""

    @property
    def name(self) -> str:
        """Name of its file."""

    @property
    def label(self) -> str:
        """Label in plain words, such as `kitchen counter`."""

    @property
    def hollow(self) -> bool:
        """Whether each instance has a cavity that is open upwards."""

    def sample(self, rng: np.random.Generator) -> Parameters:
        """Return sampled parameters of an instance."""

    def sample_with_size(self, size_m: Array, rng: np.random.Generator) -> Parameters | None:
        """Return parameters of an instance whose extents are close to `size_m` [3] [m]; None where none are."""

    def build(self, parameters: Parameters, *, name: str, rng: np.random.Generator, texture_px: int = 128) -> Asset:
        """Return the asset; `rng` selects colours only, `texture_px` 0 omits textures."""


@dataclass(frozen=True, kw_only=True)
class ParametricFamily:
    """A family defined by parameter ranges and by the assembly that parameters give."""

    name: str
    """Name of its file."""
    label: str
    """Label in plain words."""
    ranges: Mapping[str, Range]
    """Ranges of its parameters."""
    extents: tuple[str, str, str]
    """Parameters that are the extents along x, y and z [m]; round objects name one twice."""
    assemble: Callable[[Parameters], Assembly]
    """Returns solids, pieces and joints for parameters."""
    is_valid: Callable[[Parameters], bool] = lambda _: True
    """Returns whether parameters are consistent."""
    hollow: bool = False
    """Whether each instance has a cavity that is open upwards."""

    def sample(self, rng: np.random.Generator) -> Parameters:
        """Return parameters sampled uniformly among the consistent ones; raises `ValueError` where none are found."""
        for _ in range(MAX_TRIES):
            parameters = {name: parameter_range.sample(rng) for name, parameter_range in self.ranges.items()}
            if self.is_valid(parameters):
                return parameters
        raise ValueError(f"the ranges of family {self.name} contradict each other")

    def sample_with_size(self, size_m: Array, rng: np.random.Generator) -> Parameters | None:
        """Return parameters with extents close to `size_m` [3] [m] and all others sampled; None where out of range."""
        target_sizes = {
            measure: float(np.exp(np.mean([np.log(size_m[k]) for k in range(3) if self.extents[k] == measure])))
            for measure in self.extents
        }
        fixed = {
            name: float(np.clip(size, self.ranges[name].low, self.ranges[name].high))
            for name, size in target_sizes.items()
        }
        extents = np.array([fixed[name] for name in self.extents])
        if np.any(np.abs(extents / np.asarray(size_m) - 1.0) > MAX_EXTENT_ERROR):
            return None
        for _ in range(MAX_TRIES):
            parameters = {name: parameter_range.sample(rng) for name, parameter_range in self.ranges.items()} | fixed
            if self.is_valid(parameters):
                return parameters
        return None

    def build(self, parameters: Parameters, *, name: str, rng: np.random.Generator, texture_px: int = 128) -> Asset:
        """Return the asset of parameters; `rng` selects colours only, `texture_px` 0 omits textures."""
        return build_asset(self.assemble(parameters), name=name, label=self.label, rng=rng, texture_px=texture_px)


def ranges_of(config: Any) -> dict[str, Range]:
    """Return the fields of a family's `Config` that are ranges, by name."""
    return {field.name: getattr(config, field.name) for field in fields(config)}


def span(low: float, high: float) -> Range:
    """Return the range between two values."""
    return Range(low=low, high=high)


def count(low: int, high: int) -> Range:
    """Return the range of integers between two values, both included."""
    return Range(low=low, high=high, integer=True)


def family_names() -> list[str]:
    """Return the names of all families."""
    return backend_names(PACKAGE)


def load_family(name: str) -> Family:
    """Return a family with its default ranges; raises `UnknownNameError` for an unknown name."""
    module = load_backend(PACKAGE, name, kind="family")
    loaded: Family = module.build(module.Config())
    return loaded
