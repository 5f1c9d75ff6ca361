"""What a robot's file holds, whatever its format: moving links, joints, limits, named frames and a home."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cousins.errors import CaptureError
from cousins.geometry import Array
from cousins.reconstruct.assets import Joint, Link


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RobotModel:
    """A robot as its file describes it; all that is fixed to a moving link belongs to that link."""

    links: tuple[Link, ...]
    """Moving links, the root first, each with its convex pieces."""
    joints: tuple[Joint, ...]
    """Joints between them, parents first."""
    frames: Mapping[str, tuple[str, Array]]
    """Every link, body and site by name: the moving link that it belongs to, and its pose in it [4, 4]."""
    max_force: Mapping[str, float]
    """Force [N] or torque [N·m] limit by joint; 0 or absent where the file has none."""
    max_speed: Mapping[str, float]
    """Speed limit [m/s] or [rad/s] by joint; 0 or absent where the file has none."""
    armature: Mapping[str, float] = field(default_factory=dict)
    """Inertia of motor and gears by joint [kg] or [kg·m²]."""
    home: Mapping[str, float] = field(default_factory=dict)
    """Position by joint at the start [m] or [rad]; empty where the file has none."""


def robot_error(path: Path, problem: str, *, expected: str, hint: str, names: Iterable[str] = ()) -> CaptureError:
    """Return the error for what is wrong with a robot's file: what was found, expected, and what to type."""
    choices = ", ".join(names)
    has = f" It has {choices}." if choices else ""
    return CaptureError(f"{problem} in {path.name[:80]!r}", expected=expected, hint=f"{hint}{has}")
