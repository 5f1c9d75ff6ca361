"""A room from a layout scan: flat panels and furniture boxes, in metres, z up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cousins.geometry import Array

PanelKind = Literal["wall", "floor", "ceiling", "door", "window", "opening"]
"""Type of panel; an opening is a hole without a door or window. No scan has ceilings: they are put over lamps."""
Confidence = Literal["low", "medium", "high", "untold"]
"""How sure a scan is of a piece of furniture."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Panel:
    """A flat surface."""

    name: str
    """Unique and path-safe: `wall_0`, `door_1`, ..."""
    kind: PanelKind
    """Type of panel."""
    world_from_panel: Array
    """Pose, float64 [4, 4]: x along the width, y up a wall (any way on a floor), z the normal."""
    outline: Array
    """Corners in the panel's x, y [m], float64 [k, 2], counter-clockwise."""
    parent: str | None = None
    """Name of the wall that holds a door, window or opening, where known."""
    is_open: bool = False
    """Whether one can pass: an opening, or a door that stood open."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Furniture:
    """A typed box."""

    name: str
    """Unique and path-safe: `chair_0`, ..."""
    category: str
    """What the scan calls it: `chair`, `storage`, ..."""
    world_from_box: Array
    """Pose of the box's centre, float64 [4, 4]: x along the width, y along the depth, z up."""
    size_m: Array
    """Width, depth and height [m], float64 [3]."""
    confidence: Confidence = "untold"
    """How sure the scan is."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Room:
    """One scanned room or storey."""

    name: str
    """Short, from the file."""
    panels: tuple[Panel, ...]
    """Walls, floors, doors, windows and openings."""
    furniture: tuple[Furniture, ...]
    """Typed boxes."""
    warnings: tuple[str, ...] = ()
    """What was odd or left out, a sentence each."""

    def of_kind(self, kind: PanelKind) -> tuple[Panel, ...]:
        """Return the panels of one kind, in order."""
        return tuple(panel for panel in self.panels if panel.kind == kind)
