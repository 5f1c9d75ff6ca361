"""The engine protocol: load a scene, step it, read poses and contacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from cousins.geometry import Array
from cousins.scene.scenes import Scene


@dataclass(frozen=True, kw_only=True)
class Contact:
    """One contact point between two bodies of a scene, by name."""

    first: str
    """Name of an object or structure."""
    second: str
    """Name of the other one."""
    depth_m: float
    """Penetration, positive when they overlap [m]."""


class Engine(Protocol):
    """A physics engine that holds one scene; used as a context manager, so that nothing leaks."""

    name: str
    """Public name of the back-end, such as `pybullet`."""
    version: str
    """Version of the engine."""
    timestep_s: float
    """Duration of one step [s]."""

    def load(self, scene: Scene) -> None:
        """Build the scene as it lies, at time 0; raises `EngineError`."""
        ...

    def step(self, count: int) -> None:
        """Advance by `count` steps; raises `EngineError` on a NaN or exploding state."""
        ...

    def poses(self) -> Mapping[str, Array]:
        """Return `world_from_asset` [4, 4] of every object by name."""
        ...

    def set_pose(self, name: str, world_from_asset: Array) -> None:
        """Put an object somewhere, at rest, its joints at 0."""
        ...

    def contacts(self) -> list[Contact]:
        """Return the contacts of the present state, found without stepping."""
        ...

    def close(self) -> None:
        """Free the engine."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
