"""How a scene is lit and seen: lights, exposure, a camera, and materials made by program."""

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
    """How a scene is lit and seen."""

    lights: tuple[Light, ...] = (Light(direction=(-0.3, 0.4, -0.866), color=(1.0, 1.0, 1.0), intensity=0.7),)
    """Distant lights."""
    ambient: float = 0.4
    """Light from everywhere, as an intensity."""
    exposure: float = 1.0
    """Factor on all light."""
    background: tuple[float, float, float] = (0.9, 0.9, 0.9)
    """Linear RGB of what lies behind everything."""
    camera: Intrinsics | None = None
    """Camera that looks at the scene; None for none."""
    world_from_camera: tuple[tuple[float, ...], ...] = ()
    """Its pose, four rows of four; empty without camera."""
