"""Detect gaps between the walls of a room and fill the small ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cousins.geometry import Array, rigid
from cousins.rooms.room import Panel

WALL_CONTACT_M = 0.10
"""Ends of walls this near to another wall meet it [m]: two wall thicknesses of what RoomPlan leaves at corners."""
MAX_FILLED_GAP_M = 0.7
"""A wider gap between two ends is taken for a passage, not for a wall that was missed [m]: a narrow door."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ClosedWalls:
    """Walls that were added, and ends that stay open."""

    fillers: tuple[Panel, ...]
    """Walls that nobody scanned, between two open ends each."""
    notes: tuple[str, ...]
    """What was filled in, a sentence each."""
    warnings: tuple[str, ...]
    """What stays open, a sentence each."""


def close_walls(walls: Sequence[Panel]) -> ClosedWalls:
    """Return walls that fill the small gaps, and warnings about the ends that stay open."""
    ends = [(number, end) for number, wall in enumerate(walls) for end in base_ends(wall)]
    open_ends = [(number, end) for number, end in ends if _gap(end, number, walls) > WALL_CONTACT_M]
    fillers: list[Panel] = []
    notes: list[str] = []
    while len(open_ends) > 1:
        gap, first, second = min(
            (float(np.linalg.norm(open_ends[a][1] - open_ends[b][1])), a, b)
            for a in range(len(open_ends))
            for b in range(a + 1, len(open_ends))
            if open_ends[a][0] != open_ends[b][0] or len(open_ends) == 2
        )
        if gap > MAX_FILLED_GAP_M:
            break
        pair = (walls[open_ends[first][0]], walls[open_ends[second][0]])
        filler = _filler(open_ends[first][1], open_ends[second][1], pair, name=f"wall_filled_{len(fillers)}")
        fillers.append(filler)
        notes.append(
            f"{filler.name} of {gap:.2f} m was put between {pair[0].name} and {pair[1].name}: nobody scanned it"
        )
        open_ends = [open_end for number, open_end in enumerate(open_ends) if number not in (first, second)]
    open_walls = sorted({walls[number].name for number, _ in open_ends})
    warnings = (f"the walls do not close: open at an end of {', '.join(open_walls)}",) if open_walls else ()
    return ClosedWalls(fillers=tuple(fillers), notes=tuple(notes), warnings=warnings)


def base_ends(wall: Panel) -> tuple[Array, Array]:
    """Return both ends of a wall's foot, seen from above [m], float64 [2] each."""
    low, high = wall.outline[:, 0].min(), wall.outline[:, 0].max()
    pose = wall.world_from_panel
    return pose[:2, 3] + low * pose[:2, 0], pose[:2, 3] + high * pose[:2, 0]


def _gap(end: Array, owner: int, walls: Sequence[Panel]) -> float:
    """Return the distance from an end to the nearest other wall, seen from above [m]."""
    return min(
        (_to_segment(end, *base_ends(wall)) for number, wall in enumerate(walls) if number != owner), default=np.inf
    )


def _to_segment(point: Array, start: Array, stop: Array) -> float:
    along = stop - start
    share = np.clip((point - start) @ along / max(float(along @ along), 1e-12), 0.0, 1.0)
    return float(np.linalg.norm(point - start - share * along))


def _filler(start: Array, stop: Array, walls: tuple[Panel, Panel], *, name: str) -> Panel:
    spans = [
        wall.world_from_panel[2, 3] + np.array([wall.outline[:, 1].min(), wall.outline[:, 1].max()]) for wall in walls
    ]
    bottom, top = min(span[0] for span in spans), min(span[1] for span in spans)
    along = (stop - start) / np.linalg.norm(stop - start)
    x, up = np.array([*along, 0.0]), np.array([0.0, 0.0, 1.0])
    center = np.array([*((start + stop) / 2.0), (bottom + top) / 2.0])
    half = 0.5 * np.array([np.linalg.norm(stop - start), top - bottom])
    outline = half * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    return Panel(
        name=name,
        kind="wall",
        world_from_panel=rigid(np.stack([x, up, np.cross(x, up)], axis=1), center),
        outline=outline,
    )
