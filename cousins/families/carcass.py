"""Components of furniture and appliances: carcasses, doors, drawers and handles.

The front faces -y. A door is hinged at its outer front edge, so that it never collides with its carcass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from cousins.families.assembly import AssemblyBody, AssemblyJoint
from cousins.families.parts import Point, SolidPart, block

FRONT_GAP_M: Final = 0.003
"""Gap between fronts, and between a drawer and its carcass [m]."""
HANDLE_THICKNESS_M: Final = 0.012
"""Thickness of the bar of a handle [m]."""
HANDLE_DEPTH_M: Final = 0.04
"""Distance from a front to the outer face of its handle [m]."""
DOOR_FRICTION_N_M: Final = 0.3
"""Dry friction of the hinges of a door, typical of cup hinges [N·m]."""
DRAWER_FRICTION_N: Final = 3.0
"""Dry friction of the slides of a drawer [N]."""

Bounds = tuple[float, float, float, float, float, float]
"""Lower and upper x, y and z of a box [m]."""


def slab(bounds: Bounds, *, material_index: int = 0, stretch_texture: bool = False) -> SolidPart:
    """Return a box between two corners, given as x, x, y, y, z, z."""
    x0, x1, y0, y1, z0, z1 = bounds
    size = (x1 - x0, y1 - y0, z1 - z0)
    return block(
        size,
        ((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2),
        material_index=material_index,
        stretch_texture=stretch_texture,
    )


def carcass(
    bounds: Bounds, wall_m: float, *, shelves: Sequence[float] = (), material_index: int = 0
) -> list[SolidPart]:
    """Return a box that is open at the front, with shelves centred at the given heights [m]."""
    x0, x1, y0, y1, z0, z1 = bounds
    boards = [
        slab((x0, x0 + wall_m, y0, y1, z0, z1), material_index=material_index),
        slab((x1 - wall_m, x1, y0, y1, z0, z1), material_index=material_index),
        slab((x0, x1, y0, y1, z0, z0 + wall_m), material_index=material_index),
        slab((x0, x1, y0, y1, z1 - wall_m, z1), material_index=material_index),
        slab((x0, x1, y1 - wall_m, y1, z0, z1), material_index=material_index),
    ]
    inner = (x0 + 0.5 * wall_m, x1 - 0.5 * wall_m, y0 + 0.01, y1 - 0.5 * wall_m)
    return boards + [slab((*inner, z - wall_m / 2, z + wall_m / 2), material_index=material_index) for z in shelves]


def bar_handle(center_m: Point, length_m: float, *, upright: bool, material_index: int) -> list[SolidPart]:
    """Return a bar handle with two feet on a front whose face is at `center_m`; it points to -y."""
    x, y, z = center_m
    out = y - HANDLE_DEPTH_M + HANDLE_THICKNESS_M / 2
    size = (
        (HANDLE_THICKNESS_M, HANDLE_THICKNESS_M, length_m)
        if upright
        else (length_m, HANDLE_THICKNESS_M, HANDLE_THICKNESS_M)
    )
    parts = [block(size, (x, out, z), material_index=material_index)]
    for side in (-1.0, 1.0):
        shift = side * (length_m / 2 - HANDLE_THICKNESS_M)
        place = (
            (x, y - HANDLE_DEPTH_M / 2 + 0.001, z + shift)
            if upright
            else (x + shift, y - HANDLE_DEPTH_M / 2 + 0.001, z)
        )
        parts.append(
            block((HANDLE_THICKNESS_M, HANDLE_DEPTH_M, HANDLE_THICKNESS_M), place, material_index=material_index)
        )
    return parts


def door(
    name: str,
    bounds: Bounds,
    *,
    side: Literal["left", "right", "bottom"],
    opening_rad: float,
    material_indices: tuple[int, int],
    handle_m: float = 0.14,
    pane: int | None = None,
) -> tuple[AssemblyBody, AssemblyJoint]:
    """Return a door in front of a carcass, hinged at a side, with its handle at the other.

    `material_indices` are those of board and handle, `pane` is that of a window in the door.
    """
    x0, x1, y0, _, z0, z1 = bounds
    parts = [slab(bounds, material_index=material_indices[0])]
    if pane is not None:
        rim = 0.16 * min(x1 - x0, z1 - z0)
        right, top = (rim, 1.5 * rim) if side == "bottom" else (2.2 * rim, rim)
        parts.append(
            slab(
                (x0 + rim, x1 - right, y0 - 0.0005, y0 + 0.002, z0 + rim, z1 - top), material_index=pane
            ).without_pieces()
        )
    middle = (z0 + z1) / 2
    inset = 0.035
    if side == "bottom":
        parts += bar_handle(
            ((x0 + x1) / 2, y0, z1 - inset), 0.8 * (x1 - x0), upright=False, material_index=material_indices[1]
        )
        origin, axis = ((x0 + x1) / 2, y0, z0), (1.0, 0.0, 0.0)
    else:
        x = x1 - inset if side == "left" else x0 + inset
        parts += bar_handle(
            (x, y0, middle), min(handle_m, 0.8 * (z1 - z0)), upright=True, material_index=material_indices[1]
        )
        origin = (x0 if side == "left" else x1, y0, middle)
        axis = (0.0, 0.0, -1.0 if side == "left" else 1.0)
    joint = AssemblyJoint(
        name=f"{name}_hinge",
        kind="revolute",
        child=name,
        origin_m=origin,
        axis=axis,
        upper=opening_rad,
        damping=0.2,
        friction=DOOR_FRICTION_N_M,
    )
    return AssemblyBody(name=name, parts=parts), joint


def drawer(
    name: str, front: Bounds, inside: Bounds, *, wall_m: float, material_indices: tuple[int, int], travel: float
) -> tuple[AssemblyBody, AssemblyJoint]:
    """Return a drawer with a front and a box within `inside`; it opens by `travel`, a share of its depth."""
    x0, x1, y0, y1, z0, z1 = inside
    low, high = z0 + FRONT_GAP_M, z0 + max(0.7 * (z1 - z0), 0.02)
    left, right, back = x0 + FRONT_GAP_M, x1 - FRONT_GAP_M, y1 - 2.0 * FRONT_GAP_M
    reach = front[3] - 0.001
    parts = [
        slab(front, material_index=material_indices[0]),
        slab((left, right, reach, back, low, low + wall_m), material_index=material_indices[0]),
        slab((left, left + wall_m, reach, back, low, high), material_index=material_indices[0]),
        slab((right - wall_m, right, reach, back, low, high), material_index=material_indices[0]),
        slab((left, right, back - wall_m, back, low, high), material_index=material_indices[0]),
    ]
    middle = ((front[0] + front[1]) / 2, front[2], (front[4] + front[5]) / 2)
    parts += bar_handle(
        middle, min(0.16, 0.5 * (front[1] - front[0])), upright=False, material_index=material_indices[1]
    )
    joint = AssemblyJoint(
        name=f"{name}_slide",
        kind="prismatic",
        child=name,
        origin_m=((x0 + x1) / 2, y0, (z0 + z1) / 2),
        axis=(0.0, -1.0, 0.0),
        upper=travel * (back - reach),
        damping=5.0,
        friction=DRAWER_FRICTION_N,
    )
    return AssemblyBody(name=name, parts=parts), joint
