"""What furniture and appliances have in common: carcasses, doors, drawers and the handles to pull them by.

The front looks to -y. A door hangs on its outer front corner, so that it never meets its own carcass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from cousins.families.assembly import Body, Hinge
from cousins.families.parts import Part, Point, block

GAP_M: Final = 0.003
"""Room between fronts, and between a drawer and its carcass [m]."""
BAR_M: Final = 0.012
"""Thickness of a handle's bar [m]."""
REACH_M: Final = 0.04
"""How far a handle stands out of its front [m]."""
DOOR_FRICTION_N_M: Final = 0.3
"""Dry friction of a door's hinges, as cup hinges have it [N·m]."""
DRAWER_FRICTION_N: Final = 3.0
"""Dry friction of a drawer's slides [N]."""

Bounds = tuple[float, float, float, float, float, float]
"""Lower and upper x, y and z of a box [m]."""


def slab(bounds: Bounds, *, coat: int = 0, fitted: bool = False) -> Part:
    """Return a box between two corners, given as x, x, y, y, z, z."""
    x0, x1, y0, y1, z0, z1 = bounds
    size = (x1 - x0, y1 - y0, z1 - z0)
    return block(size, ((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2), coat=coat, fitted=fitted)


def carcass(bounds: Bounds, wall_m: float, *, shelves: Sequence[float] = (), coat: int = 0) -> list[Part]:
    """Return a box that is open to the front, with shelves whose middles lie at some heights [m]."""
    x0, x1, y0, y1, z0, z1 = bounds
    boards = [
        slab((x0, x0 + wall_m, y0, y1, z0, z1), coat=coat),
        slab((x1 - wall_m, x1, y0, y1, z0, z1), coat=coat),
        slab((x0, x1, y0, y1, z0, z0 + wall_m), coat=coat),
        slab((x0, x1, y0, y1, z1 - wall_m, z1), coat=coat),
        slab((x0, x1, y1 - wall_m, y1, z0, z1), coat=coat),
    ]
    inner = (x0 + 0.5 * wall_m, x1 - 0.5 * wall_m, y0 + 0.01, y1 - 0.5 * wall_m)
    return boards + [slab((*inner, z - wall_m / 2, z + wall_m / 2), coat=coat) for z in shelves]


def bar(center_m: Point, length_m: float, *, upright: bool, coat: int) -> list[Part]:
    """Return a handle on a front whose face is at `center_m`, with two feet; it stands out to -y."""
    x, y, z = center_m
    out = y - REACH_M + BAR_M / 2
    size = (BAR_M, BAR_M, length_m) if upright else (length_m, BAR_M, BAR_M)
    parts = [block(size, (x, out, z), coat=coat)]
    for side in (-1.0, 1.0):
        shift = side * (length_m / 2 - BAR_M)
        place = (x, y - REACH_M / 2 + 0.001, z + shift) if upright else (x + shift, y - REACH_M / 2 + 0.001, z)
        parts.append(block((BAR_M, REACH_M, BAR_M), place, coat=coat))
    return parts


def door(
    name: str,
    bounds: Bounds,
    *,
    side: Literal["left", "right", "bottom"],
    opening_rad: float,
    coats: tuple[int, int],
    handle_m: float = 0.14,
    pane: int | None = None,
) -> tuple[Body, Hinge]:
    """Return a door in front of a carcass, hinged at a side, its handle at the other; `coats` of board and handle.

    `pane` is the coat of a window in it.
    """
    x0, x1, y0, _, z0, z1 = bounds
    parts = [slab(bounds, coat=coats[0])]
    if pane is not None:
        rim = 0.16 * min(x1 - x0, z1 - z0)
        right, top = (rim, 1.5 * rim) if side == "bottom" else (2.2 * rim, rim)
        parts.append(slab((x0 + rim, x1 - right, y0 - 0.0005, y0 + 0.002, z0 + rim, z1 - top), coat=pane).bare())
    middle = (z0 + z1) / 2
    inset = 0.035
    if side == "bottom":
        parts += bar(((x0 + x1) / 2, y0, z1 - inset), 0.8 * (x1 - x0), upright=False, coat=coats[1])
        origin, axis = ((x0 + x1) / 2, y0, z0), (1.0, 0.0, 0.0)
    else:
        x = x1 - inset if side == "left" else x0 + inset
        parts += bar((x, y0, middle), min(handle_m, 0.8 * (z1 - z0)), upright=True, coat=coats[1])
        origin = (x0 if side == "left" else x1, y0, middle)
        axis = (0.0, 0.0, -1.0 if side == "left" else 1.0)
    hinge = Hinge(
        name=f"{name}_hinge",
        kind="revolute",
        child=name,
        origin_m=origin,
        axis=axis,
        upper=opening_rad,
        damping=0.2,
        friction=DOOR_FRICTION_N_M,
    )
    return Body(name=name, parts=parts), hinge


def drawer(
    name: str, front: Bounds, inside: Bounds, *, wall_m: float, coats: tuple[int, int], travel: float
) -> tuple[Body, Hinge]:
    """Return a drawer: its front before the carcass and its box inside `inside`, out by `travel` of its depth."""
    x0, x1, y0, y1, z0, z1 = inside
    low, high = z0 + GAP_M, z0 + max(0.7 * (z1 - z0), 0.02)
    left, right, back = x0 + GAP_M, x1 - GAP_M, y1 - 2.0 * GAP_M
    reach = front[3] - 0.001
    parts = [
        slab(front, coat=coats[0]),
        slab((left, right, reach, back, low, low + wall_m), coat=coats[0]),
        slab((left, left + wall_m, reach, back, low, high), coat=coats[0]),
        slab((right - wall_m, right, reach, back, low, high), coat=coats[0]),
        slab((left, right, back - wall_m, back, low, high), coat=coats[0]),
    ]
    middle = ((front[0] + front[1]) / 2, front[2], (front[4] + front[5]) / 2)
    parts += bar(middle, min(0.16, 0.5 * (front[1] - front[0])), upright=False, coat=coats[1])
    slide = Hinge(
        name=f"{name}_slide",
        kind="prismatic",
        child=name,
        origin_m=((x0 + x1) / 2, y0, (z0 + z1) / 2),
        axis=(0.0, -1.0, 0.0),
        upper=travel * (back - reach),
        damping=5.0,
        friction=DRAWER_FRICTION_N,
    )
    return Body(name=name, parts=parts), slide
