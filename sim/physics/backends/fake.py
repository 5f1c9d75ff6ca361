"""An engine for tests without forces and contacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from cousins.geometry import Array
from cousins.scene.scenes import Scene
from sim.physics.engine import Contact, require_finite, require_loadable


@dataclass(frozen=True, kw_only=True)
class Config:
    """How the fake engine steps."""

    timestep_s: float = 0.01
    """Duration of one step [s]."""


def for_trials() -> Config:
    """Return the settings for stability trials of cousins."""
    return Config()


def build(config: Config) -> FakeEngine:
    """Return an engine without a scene."""
    return FakeEngine(config)


class FakeEngine:
    """An engine whose objects keep their linear velocity; without gravity, rotation and contacts."""

    name = "fake"
    version = "1"

    def __init__(self, config: Config) -> None:
        self.timestep_s = config.timestep_s
        self._fixed: set[str] = set()
        self._poses: dict[str, Array] = {}
        self._velocities: dict[str, Array] = {}
        self._joints: dict[tuple[str, str], float] = {}

    def load(self, scene: Scene) -> None:
        """Store the scene's poses, with zero velocities and joints at 0."""
        require_loadable(scene, engine=self.name)
        self._poses = {placed.asset.name: np.array(placed.world_from_asset) for placed in scene.objects}
        self._fixed = {placed.asset.name for placed in scene.objects if placed.fixed}
        self._velocities = {name: np.zeros(6) for name in self._poses}
        self._joints = {
            (placed.asset.name, joint.name): 0.0
            for placed in scene.objects
            for joint in placed.asset.joints
            if joint.kind != "fixed"
        }

    def step(self, count: int) -> None:
        """Move every object along its velocity."""
        for name, velocity in self._velocities.items():
            self._poses[name][:3, 3] += velocity[:3] * count * self.timestep_s

    def poses(self) -> Mapping[str, Array]:
        """Return `world_from_asset` [4, 4] of every object by name."""
        return {name: pose.copy() for name, pose in self._poses.items()}

    def velocities(self) -> Mapping[str, Array]:
        """Return the velocity [6] of every object that `set_velocity` stored."""
        return {name: velocity.copy() for name, velocity in self._velocities.items()}

    def set_pose(self, name: str, world_from_asset: Array) -> None:
        """Set an object's pose `world_from_asset` [4, 4], at rest, its joints at 0."""
        require_finite(world_from_asset, description=f"the pose of {name}", engine=self.name)
        self._poses[name] = np.array(world_from_asset)
        self._velocities[name] = np.zeros(6)
        self._joints = {key: 0.0 if key[0] == name else value for key, value in self._joints.items()}

    def set_velocity(self, name: str, velocity: Array) -> None:
        """Set an object's velocity [6]; the angular part is stored but turns nothing."""
        require_finite(velocity, description=f"the velocity of {name}", engine=self.name)
        self._velocities[name] = np.zeros(6) if name in self._fixed else np.array(velocity, dtype=np.float64)

    def joints(self) -> Mapping[tuple[str, str], float]:
        """Return the position of every movable joint by (asset, joint)."""
        return dict(self._joints)

    def set_joint(self, asset: str, joint: str, position: float) -> None:
        """Set the position of a joint [rad or m]."""
        self._joints[asset, joint] = position

    def allow_sleep(self) -> None:
        """Do nothing: there is no cost to save."""

    def contacts(self) -> list[Contact]:
        """Return an empty list."""
        return []

    def close(self) -> None:
        """Drop all state."""
        self._poses, self._velocities, self._joints = {}, {}, {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
