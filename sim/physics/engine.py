"""The protocol of a physics engine: load a scene, step it, read poses, velocities, joint positions and contacts.

All engines share these conventions. Gravity is 9.81 m/s² along -z. Links of one asset do not collide with each other.
The friction coefficient between an object and a structure is the geometric mean of the two coefficients; between two
objects it lies between the two (PyBullet: geometric mean, MuJoCo: the larger). The same holds for the coefficient of
restitution in PyBullet, while nothing bounces in MuJoCo. Joints are damped, free motion is not. Fixed objects collide
with moving ones, stay where they are put, and have zero velocity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

import numpy as np

from cousins.errors import EngineError
from cousins.geometry import Array
from cousins.scene.scenes import Scene

GRAVITY_M_S2: Final = 9.81
"""Gravity along -z [m/s²]."""
SLEEP_SPEED: Final = 0.03
"""Speed below which a body may be put to sleep [m/s or rad/s]; lasting motion at this speed fails every drift gate."""
MAX_SPEED_M_S: Final = 1000.0
"""Speed above which a state counts as exploded [m/s]; a free fall of one minute reaches 600 m/s."""


@dataclass(frozen=True, kw_only=True)
class Contact:
    """One contact point between two bodies of a scene, by name."""

    first: str
    """Name of an object or structure."""
    second: str
    """Name of the other object or structure."""
    depth_m: float
    """Penetration depth, positive where the bodies overlap [m]."""
    normal: tuple[float, float, float]
    """Unit vector in the world frame along which `first` moves away from `second`."""


class Engine(Protocol):
    """A physics engine that holds one scene; a context manager that frees its resources on exit."""

    name: str
    """Public name of the back-end, such as `pybullet`."""
    version: str
    """Version of the engine."""
    timestep_s: float
    """Duration of one step [s]."""

    def load(self, scene: Scene) -> None:
        """Build the scene at its given poses, at rest, joints at 0; raises `EngineError`."""
        ...

    def step(self, count: int) -> None:
        """Advance by `count` steps; raises `EngineError` on a NaN or exploding state."""
        ...

    def poses(self) -> Mapping[str, Array]:
        """Return `world_from_asset` [4, 4] of every object by name."""
        ...

    def velocities(self) -> Mapping[str, Array]:
        """Return by object the velocity of its root link's centre of mass [m/s] and its spin [rad/s], world, [6]."""
        ...

    def set_pose(self, name: str, world_from_asset: Array) -> None:
        """Set an object's pose `world_from_asset` [4, 4], at rest, its joints at 0; raises `EngineError` on a NaN."""
        ...

    def set_velocity(self, name: str, velocity: Array) -> None:
        """Set an object's velocity [6] as in `velocities`, its joints at rest; raises `EngineError` on a NaN."""
        ...

    def joints(self) -> Mapping[tuple[str, str], float]:
        """Return the position [rad or m] of every movable joint by (asset, joint)."""
        ...

    def set_joint(self, asset: str, joint: str, position: float) -> None:
        """Set the position of a joint [rad or m], at rest; the asset's root link does not move."""
        ...

    def allow_sleep(self) -> None:
        """Allow the engine to put bodies slower than `SLEEP_SPEED` to sleep, where it can, until the next `load`."""
        ...

    def contacts(self) -> list[Contact]:
        """Return the contacts between different objects or structures in the current state, without stepping."""
        ...

    def close(self) -> None:
        """Free the engine."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def require_finite(values: Array, *, description: str, engine: str) -> None:
    """Raise `EngineError` where a value of an array of any shape is NaN or infinite; `description` names the array."""
    if not np.all(np.isfinite(values)):
        raise EngineError(f"{description} holds NaN or infinity", engine=engine)


def require_valid_state(poses: Mapping[str, Array], velocities: Mapping[str, Array], *, engine: str) -> None:
    """Raise `EngineError` where a pose [4, 4] or velocity [6] is not finite or a speed exceeds `MAX_SPEED_M_S`."""
    for name, pose in poses.items():
        require_finite(pose, description=f"the pose of {name}", engine=engine)
        require_finite(velocities[name], description=f"the velocity of {name}", engine=engine)
        speed = float(np.linalg.norm(velocities[name][:3]))
        if speed > MAX_SPEED_M_S:
            raise EngineError(f"{name} exploded: {speed:.3g} m/s after a step", engine=engine)


def require_loadable(scene: Scene, *, engine: str) -> None:
    """Raise `EngineError` for a scene with non-finite values, non-positive masses or links without collision pieces."""
    for placed in scene.objects:
        name = placed.asset.name
        require_finite(placed.world_from_asset, description=f"the pose of {name}", engine=engine)
        for link in placed.asset.links:
            link_name = f"link {link.name} of {name}"
            require_finite(link.center_of_mass_m, description=f"the centre of mass of {link_name}", engine=engine)
            require_finite(link.inertia_kg_m2, description=f"the inertia of {link_name}", engine=engine)
            moments = np.linalg.eigvalsh(link.inertia_kg_m2)
            if not link.mass_kg.value > 0.0 or moments[0] <= 0.0:
                raise EngineError(
                    f"{link_name} has mass {link.mass_kg.value:.3g} kg and smallest moment {moments[0]:.3g} kg·m²; "
                    "both must be positive",
                    engine=engine,
                )
            if not link.pieces:
                raise EngineError(f"{link_name} has no collision piece", engine=engine)
            for piece in link.pieces:
                require_finite(piece.mesh.vertices, description=f"a collision piece of {link_name}", engine=engine)
    for structure in scene.structures:
        for piece in structure.pieces:
            require_finite(piece.mesh.vertices, description=f"a collision piece of {structure.name}", engine=engine)
