"""The twin with domain randomisation: copies that differ in physics and start poses, not in shapes or layout.

It is the control arm of every comparison with cousins.
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
from sim.envs.shadow import ShadowRanges, ShadowSource
from sim.tasks.affordance_queries import signatures_of
from sim.worlds.worlds import CousinSource

COPY_COUNT: Final = 100
"""Number of randomised copies, numbered from 1; number 0 is the twin itself."""
NOISE_RANGES: Final = ShadowRanges(
    mass=LogUniform(low=0.7, high=1.4),
    friction=LogUniform(low=0.7, high=1.4),
    restitution=Uniform(low=0.0, high=0.1),
    joint_damping=LogUniform(low=0.5, high=2.0),
    joint_friction=LogUniform(low=0.5, high=2.0),
)
"""Distributions of the physics of the copies; the robot is not changed."""
MAX_SHIFT_M: Final = 0.03
"""Largest shift of the target's start along x and y [m]."""
MAX_TURN_RAD: Final = 0.5
"""Largest rotation of the target's start about z [rad]."""


class NoisyTwin:
    """A source whose number 0 is the twin, and whose other numbers are the twin with randomised physics."""

    def __init__(self, source: CousinSource, *, twin: int = 0, seed: int = 0) -> None:
        self._source, self._twin = source, twin
        self._shadow = ShadowSource(_TwinCopies(source, twin), seed=seed, ranges=NOISE_RANGES)
        self.digest = hashlib.sha256(f"noise of {twin} by {self._shadow.digest}".encode()).hexdigest()

    def cousin(self, index: int) -> Cousin:
        """Return the twin under another number."""
        return replace(self._source.cousin(self._twin), index=index)

    def scene(self, index: int) -> Scene:
        """Return the scene of a copy."""
        return self._shadow.scene(index) if index else self._source.scene(self._twin)

    def signatures(self, index: int) -> Mapping[str, Signature]:
        """Return the affordances of the twin's objects by name."""
        del index
        return signatures_of(self._source, self._source.scene(self._twin), self._twin)


class _TwinCopies:
    """A source that returns the same cousin for every number."""

    def __init__(self, source: CousinSource, twin: int) -> None:
        self._source, self._twin = source, twin
        self.digest = f"{source.digest}:{twin}"

    def cousin(self, index: int) -> Cousin:
        return replace(self._source.cousin(self._twin), index=index)

    def scene(self, index: int) -> Scene:
        del index
        return self._source.scene(self._twin)
