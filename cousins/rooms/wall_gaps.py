"""Whether the walls of a room close, and walls for the gaps that are small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cousins.geometry import Array, rigid
from cousins.rooms.room import Panel

MEETS_M = 0.10
"""Ends of walls this near to another wall meet it [m]: two wall thicknesses of what RoomPlan leaves at corners."""
LARGEST_GAP_M = 0.7
"""A wider gap between two ends is taken for a passage, not for a wall that was missed [m]: a narrow door."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Closed:
    """What was done about open ends."""

    fillers: tuple[Panel, ...]
    """Walls that nobody scanned, between two open ends each."""
    notes: tuple[str, ...]
    """What was filled in, a sentence each."""
    warnings: tuple[str, ...]
    """What stays open, a sentence each."""


def close(walls: Sequence[Panel]) -> Closed:
    """Fill small gaps between walls and tell of the ends that stay open."""
    ends = [(number, end) for number, wall in enumerate(walls) for end in foot(wall)]
    loose = [(number, end) for number, end in ends if _gap(end, number, walls) > MEETS_M]
    fillers: list[Panel] = []
    notes: list[str] = []
    while len(loose) > 1:
        gap, first, second = min(
            (float(np.linalg.norm(loose[a][1] - loose[b][1])), a, b)
            for a in range(len(loose))
            for b in range(a + 1, len(loose))
            if loose[a][0] != loose[b][0] or len(loose) == 2
        )
        if gap > LARGEST_GAP_M:
            break
        pair = (walls[loose[first][0]], walls[loose[second][0]])
        filler = _filler(loose[first][1], loose[second][1], pair, name=f"wall_filled_{len(fillers)}")
        fillers.append(filler)
        notes.append(
            f"{filler.name} of {gap:.2f} m was put between {pair[0].name} and {pair[1].name}: nobody scanned it"
        )
        loose = [each for number, each in enumerate(loose) if number not in (first, second)]
    open_at = sorted({walls[number].name for number, _ in loose})
    warnings = (f"the walls do not close: open at an end of {', '.join(open_at)}",) if open_at else ()
    return Closed(fillers=tuple(fillers), notes=tuple(notes), warnings=warnings)


def foot(wall: Panel) -> tuple[Array, Array]:
    """Return both ends of a wall's foot, seen from above [m], float64 [2] each."""
    low, high = wall.outline[:, 0].min(), wall.outline[:, 0].max()
    pose = wall.world_from_panel
    return pose[:2, 3] + low * pose[:2, 0], pose[:2, 3] + high * pose[:2, 0]


def _gap(end: Array, owner: int, walls: Sequence[Panel]) -> float:
    """Return the distance from an end to the nearest other wall, seen from above [m]."""
    return min((_to_segment(end, *foot(wall)) for number, wall in enumerate(walls) if number != owner), default=np.inf)


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
