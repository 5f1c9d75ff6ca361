"""Segmentation of a capture: fixed planes and separate objects, as masks by frame and points in the world."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.segment.frame_masks import FrameMasks


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Plane:
    """A flat piece of fixed structure: points x with `normal · x = offset_m`."""

    name: str
    """Unique: `floor`, `table`, `wall_0`, ..."""
    kind: Literal["floor", "table", "wall"]
    """Role of the plane; `table` is any raised horizontal support."""
    normal: Array
    """Unit normal towards free space, float64 [3]."""
    offset_m: float
    """Distance of the plane from the world origin along the normal [m]."""
    outline: Array
    """Corners of its convex outline in the world [m], float64 [k, 3], counter-clockwise about the normal."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Segment:
    """One physical object."""

    name: str
    """Unique and path-safe: `object_0`, ..."""
    label: str
    """Display name; by geometry (`box 19×12×5 cm`) until a namer or user sets it."""
    label_source: str = "geometry"
    """Source of the label: `geometry`, `yolox`, `clip`, `RoomPlan` or `user`."""
    label_score: float = 0.0
    """Confidence of the label, 0 to 1."""
    masks: FrameMasks = field(default_factory=FrameMasks)
    """By frame index: bool [h, w] at the depth image's size; frames that do not show it are absent."""
    points: Array = field(default_factory=lambda: np.zeros((0, 3)))
    """Points of its surface in the world [m], float64 [n, 3]."""
    support: str | None = None
    """Name of the plane or segment that supports it, where known."""
    relief_cell_m: float = 0.0
    """For an object so low that it was measured as a height map: `points` are the tops of its cells, so far apart [m];
    0 for all others."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Segmentation:
    """Planes and objects of a capture."""

    planes: tuple[Plane, ...]
    """Fixed structure, largest support first."""
    segments: tuple[Segment, ...]
    """Objects in a stable order: by support height, then by position."""
    warnings: tuple[str, ...] = ()
    """What was ambiguous or dropped, one sentence each."""


class Segmenter(Protocol):
    """Segments a capture into planes and objects."""

    def segment(self, capture: Capture, *, rng: np.random.Generator) -> Segmentation:
        """Return planes and objects; deterministic for the same capture and generator state."""
        ...
