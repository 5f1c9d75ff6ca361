"""The shadow world: cousins whose physics nobody was told, and a robot that does not quite obey.

A stand-in for the real cell while there is none: masses, frictions, restitution and joints differ from what a cousin
says by factors that only its seed knows, and the robot has a gain, a delay and noise of its own. Best stepped by
another engine than the one that trained. Whatever is measured here is sim-to-sim and has to say so: `LABEL`.
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
from cousins.scene.scenes import Placed, Scene, Structure
from cousins.vary.cousins import Cousin
from cousins.vary.distributions import Distribution, LogUniform, Uniform, written
from sim.envs.robot_imperfections import Robot, RobotRanges
from sim.tasks.affordance_queries import signatures_of
from sim.worlds.worlds import Source

LABEL: Final = "sim-to-sim"
"""What every number from a shadow world is labelled with."""
FRICTION_ENDS: Final = (0.05, 1.5)
"""Friction coefficients stay in here."""
ROBOTS: Final = RobotRanges(
    gain=Uniform(low=0.8, high=1.15),
    latency_steps=Uniform(low=1.0, high=3.0),
    position_noise_m=Uniform(low=0.002, high=0.006),
    angle_noise_rad=Uniform(low=0.01, high=0.05),
    joint_noise=Uniform(low=0.002, high=0.01),
)
"""Robots of shadow worlds: each is late, and none sees exactly."""
_ROBOT: Final = (1 << 32) - 1
"""Spawn key of the robot's draws; no cousin has this number."""


@dataclass(frozen=True, kw_only=True)
class ShadowRanges:
    """How far the shadow may be from what a cousin says; factors, where nothing else is said."""

    mass: Distribution = LogUniform(low=0.5, high=2.0)
    """Of each object's mass; its inertia goes with it."""
    friction: Distribution = LogUniform(low=0.6, high=1.7)
    """Of each coefficient of friction, objects and structures alike."""
    restitution: Distribution = Uniform(low=0.0, high=0.2)
    """Added to each coefficient of restitution."""
    joint_damping: Distribution = LogUniform(low=0.3, high=3.0)
    """Of each joint's viscous damping."""
    joint_friction: Distribution = LogUniform(low=0.3, high=3.0)
    """Of each joint's dry friction."""
    robot: RobotRanges = ROBOTS
    """Robots of which one is drawn; no factors."""


class Shadow:
    """A source whose scenes keep shapes and places and have hidden physics; `cousin` tells what is believed."""

    label = LABEL

    def __init__(self, source: Source, *, seed: int, ranges: ShadowRanges | None = None) -> None:
        self.source = source
        self.seed = seed
        self.ranges = ShadowRanges() if ranges is None else ranges
        told = f"shadow of {source.digest} seed {seed} {describe(self.ranges)}"
        self.digest = f"{LABEL}:{hashlib.sha256(told.encode()).hexdigest()}"

    def cousin(self, index: int) -> Cousin:
        """Return a cousin as the wrapped source tells it: the truth about its physics is withheld."""
        return self.source.cousin(index)

    def scene(self, index: int) -> Scene:
        """Return the scene of a cousin with its hidden physics."""
        scene = self.source.scene(index)
        return replace(
            scene,
            structures=tuple(
                self._structure(one, np.random.SeedSequence(self.seed, spawn_key=(index, 0, number)))
                for number, one in enumerate(scene.structures)
            ),
            objects=tuple(
                self._placed(one, np.random.SeedSequence(self.seed, spawn_key=(index, 1, number)))
                for number, one in enumerate(scene.objects)
            ),
        )

    def signatures(self, index: int) -> Mapping[str, Signature]:
        """Return what each object of a cousin affords, by name: shapes are no secret."""
        return signatures_of(self.source, self.source.scene(index), index)

    def _structure(self, structure: Structure, seeds: np.random.SeedSequence) -> Structure:
        friction, restitution = np.random.default_rng(seeds).random(2).tolist()
        return replace(
            structure,
            friction=_friction(structure.friction, self.ranges.friction.at(friction)),
            restitution=_restitution(structure.restitution, self.ranges.restitution.at(restitution)),
        )

    def _placed(self, placed: Placed, seeds: np.random.SeedSequence) -> Placed:
        asset: Asset = placed.asset
        mass, friction, restitution, damping, dry = np.random.default_rng(seeds).random(5).tolist()
        heavier, ranges = self.ranges.mass.at(mass), self.ranges
        changed = replace(
            asset,
            links=tuple(
                replace(link, mass_kg=link.mass_kg.scaled(heavier), inertia_kg_m2=link.inertia_kg_m2 * heavier)
                for link in asset.links
            ),
            joints=tuple(
                replace(
                    joint,
                    damping=joint.damping * ranges.joint_damping.at(damping),
                    friction=joint.friction * ranges.joint_friction.at(dry),
                )
                for joint in asset.joints
            ),
            friction=_friction(asset.friction, ranges.friction.at(friction)),
            restitution=_restitution(asset.restitution, ranges.restitution.at(restitution)),
        )
        return replace(placed, asset=changed)


def shadow_robot(seed: int, *, drives: int, ranges: ShadowRanges | None = None) -> Robot:
    """Return how the robot of a shadow world differs from a perfect one; an environment applies it."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_ROBOT,)))
    return (ranges or ShadowRanges()).robot.draw(rng, drives=drives)


def describe(ranges: ShadowRanges) -> dict[str, Any]:
    """Return the label and the ranges, as a report shows them: never what was drawn."""
    physics = {name: written(getattr(ranges, name)) for name in ranges.__dataclass_fields__ if name != "robot"}
    robot = {name: written(getattr(ranges.robot, name)) for name in Robot.__dataclass_fields__}
    return {"label": LABEL, "ranges": {**physics, **robot}}


def _friction(quantity: Quantity, factor: float) -> Quantity:
    low, high = FRICTION_ENDS
    return _at(quantity, min(max(quantity.value * factor, low), high))


def _restitution(quantity: Quantity, more: float) -> Quantity:
    return _at(quantity, min(quantity.value + more, 1.0))


def _at(quantity: Quantity, value: float) -> Quantity:
    """Return the quantity at another value; the interval grows where the value lies outside."""
    return replace(quantity, value=value, low=min(quantity.low, value), high=max(quantity.high, value))
