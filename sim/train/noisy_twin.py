"""The twin with ordinary noise: copies of it that differ in their physics and starts, not in shapes or layout.

The control arm of every claim about cousins: randomising what is easy to randomise, as most do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from cousins.affordances import Signature
from cousins.scene.scenes import Scene
from cousins.vary.cousins import Cousin
from cousins.vary.distributions import LogUniform, Uniform
from sim.envs.shadow import Shadow, ShadowRanges
from sim.tasks.affordance_queries import signatures_of
from sim.worlds.worlds import Source

COPIES: Final = 100
"""Copies with noise, numbers 1 to this; number 0 is the twin as it is."""
RANGES: Final = ShadowRanges(
    mass=LogUniform(low=0.7, high=1.4),
    friction=LogUniform(low=0.7, high=1.4),
    restitution=Uniform(low=0.0, high=0.1),
    joint_damping=LogUniform(low=0.5, high=2.0),
    joint_friction=LogUniform(low=0.5, high=2.0),
)
"""How far the copies go; the robot is perfect in all of them."""
SHIFT_M: Final = 0.03
"""Largest move of the target's start along x and y [m]."""
TURN_RAD: Final = 0.5
"""Largest turn of it [rad]."""


class NoisyTwin:
    """A source whose number 0 is the twin, and all others the twin with other masses and frictions."""

    def __init__(self, source: Source, *, twin: int = 0, seed: int = 0) -> None:
        self._source, self._twin = source, twin
        self._shadow = Shadow(_Copies(source, twin), seed=seed, ranges=RANGES)
        self.digest = hashlib.sha256(f"noise of {twin} by {self._shadow.digest}".encode()).hexdigest()

    def cousin(self, index: int) -> Cousin:
        """Return the twin under another number."""
        return replace(self._source.cousin(self._twin), index=index)

    def scene(self, index: int) -> Scene:
        """Return a copy."""
        return self._shadow.scene(index) if index else self._source.scene(self._twin)

    def signatures(self, index: int) -> Mapping[str, Signature]:
        """Return what the twin's objects afford."""
        del index
        return signatures_of(self._source, self._source.scene(self._twin), self._twin)


class _Copies:
    """A source that is one cousin under every number."""

    def __init__(self, source: Source, twin: int) -> None:
        self._source, self._twin = source, twin
        self.digest = f"{source.digest}:{twin}"

    def cousin(self, index: int) -> Cousin:
        return replace(self._source.cousin(self._twin), index=index)

    def scene(self, index: int) -> Scene:
        del index
        return self._source.scene(self._twin)
