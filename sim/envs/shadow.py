"""The shadow world: cousins with hidden physics and an imperfect robot.

It stands in for a real robot cell: masses, frictions, restitutions and joint parameters differ from those of the cousin
by factors that depend on a secret seed, and the robot has a gain, a delay and noise of its own. It is best stepped by
another engine than the one that trained. Every result measured in it is sim-to-sim and must carry the label `LABEL`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from cousins.affordances import Signature
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset
from cousins.scene.scenes import PlacedAsset, Scene, Structure
from cousins.vary.cousins import Cousin
from cousins.vary.distributions import Distribution, LogUniform, Uniform, distribution_toml
from sim.envs.robot_imperfections import RobotImperfectionRanges, RobotImperfections
from sim.tasks.affordance_queries import signatures_of
from sim.worlds.worlds import CousinSource

LABEL: Final = "sim-to-sim"
"""Label of every number that was measured in a shadow world."""
FRICTION_LIMITS: Final = (0.05, 1.5)
"""Smallest and largest friction coefficient."""
ROBOT_RANGES: Final = RobotImperfectionRanges(
    gain=Uniform(low=0.8, high=1.15),
    latency_steps=Uniform(low=1.0, high=3.0),
    position_noise_m=Uniform(low=0.002, high=0.006),
    angle_noise_rad=Uniform(low=0.01, high=0.05),
    joint_noise=Uniform(low=0.002, high=0.01),
)
"""Robots of shadow worlds: each has a delay and observation noise."""
_ROBOT_SPAWN_KEY: Final = (1 << 32) - 1
"""Spawn key of the robot's random numbers; no cousin has this number."""


@dataclass(frozen=True, kw_only=True)
class ShadowRanges:
    """Distributions of the deviations of a shadow world from its cousin; factors unless noted otherwise."""

    mass: Distribution = LogUniform(low=0.5, high=2.0)
    """Factor of each object's mass and inertia."""
    friction: Distribution = LogUniform(low=0.6, high=1.7)
    """Factor of each friction coefficient, of objects and structures."""
    restitution: Distribution = Uniform(low=0.0, high=0.2)
    """Increase of each coefficient of restitution."""
    joint_damping: Distribution = LogUniform(low=0.3, high=3.0)
    """Factor of each joint's viscous damping."""
    joint_friction: Distribution = LogUniform(low=0.3, high=3.0)
    """Factor of each joint's dry friction."""
    robot: RobotImperfectionRanges = ROBOT_RANGES
    """Absolute ranges of the robot's imperfections; no factors."""


class ShadowSource:
    """A source whose scenes keep shapes and poses and have hidden physics; `cousin` returns the believed parameters."""

    label = LABEL

    def __init__(self, source: CousinSource, *, seed: int, ranges: ShadowRanges | None = None) -> None:
        self.source = source
        self.seed = seed
        self.ranges = ShadowRanges() if ranges is None else ranges
        description = f"shadow of {source.digest} seed {seed} {describe_ranges(self.ranges)}"
        self.digest = f"{LABEL}:{hashlib.sha256(description.encode()).hexdigest()}"

    def cousin(self, index: int) -> Cousin:
        """Return the cousin of the wrapped source, without the hidden physics."""
        return self.source.cousin(index)

    def scene(self, index: int) -> Scene:
        """Return the scene of a cousin with its hidden physics."""
        scene = self.source.scene(index)
        return replace(
            scene,
            structures=tuple(
                self._with_hidden_structure_physics(
                    structure, np.random.SeedSequence(self.seed, spawn_key=(index, 0, number))
                )
                for number, structure in enumerate(scene.structures)
            ),
            objects=tuple(
                self._with_hidden_object_physics(
                    placed, np.random.SeedSequence(self.seed, spawn_key=(index, 1, number))
                )
                for number, placed in enumerate(scene.objects)
            ),
        )

    def signatures(self, index: int) -> Mapping[str, Signature]:
        """Return the affordances of each object of a cousin by name; they depend on shapes, which are not hidden."""
        return signatures_of(self.source, self.source.scene(index), index)

    def _with_hidden_structure_physics(self, structure: Structure, seeds: np.random.SeedSequence) -> Structure:
        friction, restitution = np.random.default_rng(seeds).random(2).tolist()
        return replace(
            structure,
            friction=_scaled_friction(structure.friction, self.ranges.friction.at_quantile(friction)),
            restitution=_raised_restitution(structure.restitution, self.ranges.restitution.at_quantile(restitution)),
        )

    def _with_hidden_object_physics(self, placed: PlacedAsset, seeds: np.random.SeedSequence) -> PlacedAsset:
        asset: Asset = placed.asset
        mass, friction, restitution, damping, dry_friction = np.random.default_rng(seeds).random(5).tolist()
        mass_factor, ranges = self.ranges.mass.at_quantile(mass), self.ranges
        changed = replace(
            asset,
            links=tuple(
                replace(link, mass_kg=link.mass_kg.scaled(mass_factor), inertia_kg_m2=link.inertia_kg_m2 * mass_factor)
                for link in asset.links
            ),
            joints=tuple(
                replace(
                    joint,
                    damping=joint.damping * ranges.joint_damping.at_quantile(damping),
                    friction=joint.friction * ranges.joint_friction.at_quantile(dry_friction),
                )
                for joint in asset.joints
            ),
            friction=_scaled_friction(asset.friction, ranges.friction.at_quantile(friction)),
            restitution=_raised_restitution(asset.restitution, ranges.restitution.at_quantile(restitution)),
        )
        return replace(placed, asset=changed)


def shadow_robot(seed: int, *, drives: int, ranges: ShadowRanges | None = None) -> RobotImperfections:
    """Return the imperfections of the robot of a shadow world; an environment applies them."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_ROBOT_SPAWN_KEY,)))
    return (ranges or ShadowRanges()).robot.sample(rng, drives=drives)


def describe_ranges(ranges: ShadowRanges) -> dict[str, Any]:
    """Return the label and the ranges for a report; the sampled values stay hidden."""
    physics = {
        name: distribution_toml(getattr(ranges, name)) for name in ranges.__dataclass_fields__ if name != "robot"
    }
    robot = {name: distribution_toml(getattr(ranges.robot, name)) for name in RobotImperfections.__dataclass_fields__}
    return {"label": LABEL, "ranges": {**physics, **robot}}


def _scaled_friction(quantity: Quantity, factor: float) -> Quantity:
    low, high = FRICTION_LIMITS
    return _with_value(quantity, min(max(quantity.value * factor, low), high))


def _raised_restitution(quantity: Quantity, increase: float) -> Quantity:
    return _with_value(quantity, min(quantity.value + increase, 1.0))


def _with_value(quantity: Quantity, value: float) -> Quantity:
    """Return the quantity with another value; its interval is widened to contain the value."""
    return replace(quantity, value=value, low=min(quantity.low, value), high=max(quantity.high, value))
