"""Lights, exposure, background and camera of a scene."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.geometry import Intrinsics


@dataclass(frozen=True, kw_only=True)
class Light:
    """A distant light."""

    direction: tuple[float, float, float]
    """Unit direction in which it shines, in the world."""
    color: tuple[float, float, float]
    """Linear RGB, 0 to 1."""
    intensity: float
    """Strength; 1 lights a white surface that faces it fully."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """Lighting and camera of a scene."""

    lights: tuple[Light, ...] = (Light(direction=(-0.3, 0.4, -0.866), color=(1.0, 1.0, 1.0), intensity=0.7),)
    """Distant lights."""
    ambient: float = 0.4
    """Intensity of the ambient light."""
    exposure: float = 1.0
    """Factor on all light."""
    background: tuple[float, float, float] = (0.9, 0.9, 0.9)
    """Linear RGB of the background."""
    camera: Intrinsics | None = None
    """Intrinsics of the camera; None for none."""
    world_from_camera: tuple[tuple[float, ...], ...] = ()
    """Its pose, four rows of four; empty without camera."""
