"""The engine protocol: load a scene, step it, read poses, velocities, joints and contacts.

All engines agree on these conventions. Gravity is 9.81 m/s² along -z. Parts of one asset do not collide with each
other. The friction coefficient of an object against structure is the geometric mean of the two sides; that of two
objects lies between theirs (PyBullet: geometric mean, MuJoCo: the larger). So does the coefficient of restitution in
PyBullet, while nothing bounces in MuJoCo. No damping but that of the joints. Fixed objects collide with what moves,
stay where they are put, and have no velocity.
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
"""Speed under which a body may fall asleep [m/s or rad/s]: jitter; going on like this would fail every drift gate."""
FASTEST_M_S: Final = 1000.0
"""Beyond this speed a state has exploded: a free fall of a minute reaches 600 m/s [m/s]."""


@dataclass(frozen=True, kw_only=True)
class Contact:
    """One contact point between two bodies of a scene, by name."""

    first: str
    """Name of an object or structure."""
    second: str
    """Name of the other one."""
    depth_m: float
    """Penetration, positive when they overlap [m]."""
    normal: tuple[float, float, float]
    """Unit direction in the world that takes `first` away from `second`."""


class Engine(Protocol):
    """A physics engine that holds one scene; used as a context manager, so that nothing leaks."""

    name: str
    """Public name of the back-end, such as `pybullet`."""
    version: str
    """Version of the engine."""
    timestep_s: float
    """Duration of one step [s]."""

    def load(self, scene: Scene) -> None:
        """Build the scene as it lies, at rest, joints at 0; raises `EngineError`."""
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
        """Put an object somewhere, at rest, its joints at 0; raises `EngineError` on a NaN."""
        ...

    def set_velocity(self, name: str, velocity: Array) -> None:
        """Give an object a velocity as in `velocities`, its joints at rest; raises `EngineError` on a NaN."""
        ...

    def joints(self) -> Mapping[tuple[str, str], float]:
        """Return the position [rad or m] of every movable joint by (asset, joint)."""
        ...

    def set_joint(self, asset: str, joint: str, position: float) -> None:
        """Put a joint somewhere [rad or m], at rest; the asset's root stays where it is."""
        ...

    def allow_sleep(self) -> None:
        """From now on, let bodies slower than `SLEEP_SPEED` be put to sleep by an engine that can; loading ends it."""
        ...

    def contacts(self) -> list[Contact]:
        """Return the contacts of the present state between different objects or structures, without stepping."""
        ...

    def close(self) -> None:
        """Free the engine."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def require_finite(values: Array, *, what: str, engine: str) -> None:
    """Raise `EngineError` where a value is NaN or infinite."""
    if not np.all(np.isfinite(values)):
        raise EngineError(f"{what} holds NaN or infinity", engine=engine)


def require_sane(poses: Mapping[str, Array], velocities: Mapping[str, Array], *, engine: str) -> None:
    """Raise `EngineError` where a pose is not finite or a speed beyond `FASTEST_M_S`."""
    for name, pose in poses.items():
        require_finite(pose, what=f"the pose of {name}", engine=engine)
        require_finite(velocities[name], what=f"the velocity of {name}", engine=engine)
        speed = float(np.linalg.norm(velocities[name][:3]))
        if speed > FASTEST_M_S:
            raise EngineError(f"{name} exploded: {speed:.3g} m/s after a step", engine=engine)


def require_loadable(scene: Scene, *, engine: str) -> None:
    """Raise `EngineError` where a scene holds numbers that no engine can use."""
    for placed in scene.objects:
        name = placed.asset.name
        require_finite(placed.world_from_asset, what=f"the pose of {name}", engine=engine)
        for link in placed.asset.links:
            where = f"link {link.name} of {name}"
            require_finite(link.center_of_mass_m, what=f"the centre of mass of {where}", engine=engine)
            require_finite(link.inertia_kg_m2, what=f"the inertia of {where}", engine=engine)
            moments = np.linalg.eigvalsh(link.inertia_kg_m2)
            if not link.mass_kg.value > 0.0 or moments[0] <= 0.0:
                raise EngineError(
                    f"{where} has mass {link.mass_kg.value:.3g} kg and smallest moment {moments[0]:.3g} kg·m²; "
                    "both must be positive",
                    engine=engine,
                )
            if not link.pieces:
                raise EngineError(f"{where} has no collision piece", engine=engine)
            for piece in link.pieces:
                require_finite(piece.mesh.vertices, what=f"a collision piece of {where}", engine=engine)
    for structure in scene.structures:
        for piece in structure.pieces:
            require_finite(piece.mesh.vertices, what=f"a collision piece of {structure.name}", engine=engine)
