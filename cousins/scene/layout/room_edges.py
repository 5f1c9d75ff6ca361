"""Surfaces that a layout scan leaves out where its furniture needs them: edges of floors, and ceilings over lamps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import manifold3d
import numpy as np

from cousins.geometry import Array, invert, rigid, transform
from cousins.rooms.room import Furniture, Panel
from cousins.rooms.solids import section_with_holes
from cousins.scene.layout.collision_bodies import CollisionBody

FLOOR_EDGE_MARGIN_M: Final = 0.1
"""How far a floor reaches beyond furniture that stood over its edge [m]: the longest push of the layout repair."""
MIN_OVERHANG_M: Final = 0.03
"""Furniture over a floor's edge by less than a strip this wide along its longer side stands on the floor as it is [m]:
the error of a layout scan's places."""
CEILING_MARGIN_M: Final = 0.05
"""How far a ceiling reaches beyond the lamp under it [m]."""


def floor_additions(
    floors: Sequence[Panel], furniture: Sequence[Furniture], *, reach_m: float
) -> tuple[dict[str, list[Array]], list[str]]:
    """Return outlines [k, 2] by floor, in its plane, that furniture standing at its level needs beyond it, and notes.

    Furniture stands at a floor's level where its underside is within `reach_m` of it.
    """
    additions: dict[str, list[Array]] = {floor.name: [] for floor in floors}
    notes = []
    for item in furniture:
        overhangs = []
        for floor in floors:
            corners = transform(invert(floor.world_from_panel), _underside(item, 0.0))
            if float(np.abs(corners[:, 2]).max()) > reach_m:
                continue
            foot = _section(corners[:, :2])
            covered = foot ^ section_with_holes(floor.outline, [])
            overhangs.append((float(foot.area() - covered.area()), _distance_m(corners, floor), floor.name, floor))
        if not overhangs:
            continue
        # The parts of several floors under one thing, such as those of two rooms, do not add up: floors may overlap.
        overhang_m2, _, _, floor = min(overhangs, key=lambda entry: entry[:3])
        if overhang_m2 <= MIN_OVERHANG_M * float(item.size_m[:2].max()):
            continue
        grown = transform(invert(floor.world_from_panel), _underside(item, FLOOR_EDGE_MARGIN_M))[:, :2]
        additions[floor.name].append(np.asarray(_section(grown).to_polygons()[0]))
        notes.append(f"{floor.name} was extended under {item.name}, which stood over its edge by {overhang_m2:.2f} m²")
    return additions, notes


def ceiling_over(body: CollisionBody, walls: Sequence[Panel], name: str) -> Panel | None:
    """Return a ceiling over a body at the height of the walls around it, None where no wall reaches its height.

    The height is the median of the tops of the walls that stand at the body's height.
    """
    middle = float(body.box.low[2] + body.box.high[2]) / 2.0
    tops = []
    for wall in walls:
        heights = transform(wall.world_from_panel, np.column_stack([wall.outline, np.zeros(len(wall.outline))]))[:, 2]
        if heights.min() <= middle <= heights.max():
            tops.append(float(heights.max()))
    if not tops:
        return None
    low, high = body.box.low[:2] - CEILING_MARGIN_M, body.box.high[:2] + CEILING_MARGIN_M
    half = (high - low) / 2.0
    return Panel(
        name=name,
        kind="ceiling",
        world_from_panel=rigid(translation=np.array([*(low + high) / 2.0, float(np.median(tops))])),
        outline=half * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]),
    )


def _underside(item: Furniture, margin_m: float) -> Array:
    """Return the corners of a box's underside in the world, grown sideways by a margin [4, 3]."""
    half = 0.5 * item.size_m + np.array([margin_m, margin_m, 0.0])
    corners = half * np.array([[-1.0, -1.0, -1.0], [1.0, -1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, 1.0, -1.0]])
    return transform(item.world_from_box, corners)


def _section(corners: Array) -> manifold3d.CrossSection:
    """Return the polygon [k, 2] as a section, whichever way round it goes."""
    return manifold3d.CrossSection([np.ascontiguousarray(corners)], manifold3d.FillRule.NonZero)


def _distance_m(corners: Array, floor: Panel) -> float:
    """Return the distance of the middle of corners [k, 3] from the middle of a floor, in its plane [m]."""
    return float(np.linalg.norm(corners[:, :2].mean(axis=0) - floor.outline.mean(axis=0)))
