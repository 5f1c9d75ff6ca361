"""RoomPlan's USDZ, as the solids of its prims: boxes and meshes named `Wall0`, `Door1`, `Chair2`, y up.

The parametric export holds scaled cubes, doors and openings among them; the mesh export walls 16 cm thick with the
holes cut in. Either way a prim's own frame has x along the width and y up, and the surface lies in its middle plane.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import manifold3d
import numpy as np

from cousins.capture.decoders import parsing
from cousins.capture.formats.arkit import Z_UP_FROM_Y_UP
from cousins.errors import CaptureError
from cousins.geometry import Array, rigid
from cousins.rooms.room import Furniture, Panel, PanelKind, Room
from cousins.rooms.roomplan import BOX_FROM_LOCAL, MAX_SIDE_M, MAX_SURFACES, MIN_SIDE_M, path_safe_name

PANEL_KINDS: Mapping[str, PanelKind] = {
    "wall": "wall",
    "floor": "floor",
    "door": "door",
    "window": "window",
    "opening": "opening",
}
"""Prim names without their number that are surfaces; all else is furniture."""
MIN_FACING_COS = 0.9
"""A triangle belongs to a surface's face when its normal is this near to the surface's."""
MAX_POINTS = 1_000_000
"""Most points that are believed."""


def read_usd_room(record: Any, *, name: str) -> Room:
    """Return the room of a child's answer: `{"solids": [{name, group, pose, points, triangles}]}`.

    Raises CaptureError where there is no wall in it or a number is out of the world.
    """
    answer = parsing.mapping(record, context=name)
    if "error" in answer:
        raise CaptureError(
            f"{name}: {parsing.text(answer['error'], context='error')}",
            expected="a room scanned by RoomPlan",
            hint="Export the room again, as USDZ or JSON.",
        )
    if answer.get("up", "y") != "y":
        raise CaptureError(
            f"{name} with {parsing.text(answer['up'], context='up axis')} up",
            expected="RoomPlan's y",
            hint="Pass the USDZ as RoomPlan exported it.",
        )
    panels: list[Panel] = []
    furniture: list[Furniture] = []
    used_names: set[str] = set()
    for number, item in enumerate(parsing.sequence(answer.get("solids"), context="solids", max_length=MAX_SURFACES)):
        solid = parsing.mapping(item, context=f"solids[{number}]")
        label, panel_name = _unique_name(parsing.text(solid.get("name"), context="name"), used_names)
        if label in PANEL_KINDS:
            panels += _panels(solid, panel_name, PANEL_KINDS[label])
        else:
            furniture += _furniture(solid, panel_name, label)
    if not any(panel.kind == "wall" for panel in panels):
        raise CaptureError(
            f"{name} without a prim named Wall0",
            expected="a room scanned by RoomPlan",
            hint="A finished mesh of one thing is no room.",
        )
    return Room(name=name, panels=tuple(panels), furniture=tuple(furniture))


def _unique_name(prim: str, used_names: set[str]) -> tuple[str, str]:
    """Return what a prim is and its name among ours: its own number, or the next that is free."""
    letters, digits = re.fullmatch(r"(.*?)(\d{0,6})", prim, flags=re.DOTALL).groups()  # type: ignore[union-attr]
    label = path_safe_name(letters)
    number = int(digits or 0)
    while f"{label}_{number}" in used_names:
        number += 1
    used_names.add(f"{label}_{number}")
    return label, f"{label}_{number}"


def _panels(solid: Mapping[str, Any], name: str, kind: PanelKind) -> list[Panel]:
    """Return the surface, and its holes as openings of their own."""
    pose, points, triangles = _geometry(solid, name)
    if kind == "floor" and abs(pose[1, 2]) < MIN_FACING_COS:
        pose, points = _floor_with_z_up(pose, points)
    middle = rigid(None, np.array([0.0, 0.0, 0.5 * (points[:, 2].min() + points[:, 2].max())]))
    rings = _face_outlines(points, triangles)
    if not rings:
        return []
    panel = Panel(
        name=name,
        kind=kind,
        world_from_panel=Z_UP_FROM_Y_UP @ pose @ middle,
        outline=rings[0],
        is_open=kind == "opening",
    )
    holes = [
        Panel(
            name=f"{name}_hole_{number}",
            kind="opening",
            world_from_panel=panel.world_from_panel,
            outline=ring[::-1],
            parent=name,
            is_open=True,
        )
        for number, ring in enumerate(rings[1:])
    ]
    return [panel, *holes]


def _floor_with_z_up(pose: Array, points: Array) -> tuple[Array, Array]:
    """Return a floor whose own frame has y up in a frame whose z points up instead."""
    return pose @ np.linalg.inv(BOX_FROM_LOCAL), points @ BOX_FROM_LOCAL[:3, :3].T


def _face_outlines(points: Array, triangles: Array) -> list[Array]:
    """Return the outline [k, 2] of what faces along z, counter-clockwise, then its holes, clockwise."""
    corners = points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    facing = np.abs(normals[:, 2]) > MIN_FACING_COS * np.maximum(lengths, 1e-12)
    flat = corners[facing][:, :, :2]
    turned = normals[facing][:, 2] < 0.0
    flat[turned] = flat[turned][:, ::-1]
    if len(flat) == 0:
        return []
    union = manifold3d.CrossSection([np.ascontiguousarray(triangle) for triangle in flat], manifold3d.FillRule.NonZero)
    rings = [np.asarray(ring) for ring in union.simplify(MIN_SIDE_M / 10.0).to_polygons()]
    rings = [ring for ring in rings if abs(_area(ring)) > MIN_SIDE_M**2]
    return sorted(rings, key=lambda ring: -_area(ring))


def _area(ring: Array) -> float:
    next_corners = np.roll(ring, -1, axis=0)
    return 0.5 * float(np.sum(ring[:, 0] * next_corners[:, 1] - ring[:, 1] * next_corners[:, 0]))


def _furniture(solid: Mapping[str, Any], name: str, label: str) -> list[Furniture]:
    pose, points, _ = _geometry(solid, name)
    low, high = points.min(axis=0), points.max(axis=0)
    width, height, depth = high - low
    if min(width, height, depth) < MIN_SIDE_M:
        return []
    world_from_local = Z_UP_FROM_Y_UP @ pose @ rigid(None, 0.5 * (low + high))
    return [
        Furniture(
            name=name,
            category=label,
            world_from_box=world_from_local @ np.linalg.inv(BOX_FROM_LOCAL),
            size_m=np.array([width, depth, height]),
        )
    ]


def _geometry(solid: Mapping[str, Any], name: str) -> tuple[Array, Array, Array]:
    """Return the checked pose [4, 4], points [n, 3] [m] and triangles [m, 3] of a solid."""
    pose = parsing.pose(parsing.matrix(solid.get("pose"), 4, 4, context=f"{name} pose"), context=f"{name} pose")
    rows = parsing.sequence(solid.get("points"), context=f"{name} points", max_length=MAX_POINTS)
    points = parsing.matrix(rows, len(rows), 3, context=f"{name} points") if rows else np.zeros((0, 3))
    faces = parsing.sequence(solid.get("triangles"), context=f"{name} triangles", max_length=MAX_POINTS)
    triangles = parsing.matrix(faces, len(faces), 3, context=f"{name} triangles") if faces else np.zeros((0, 3))
    if len(points) < 3 or np.abs(points).max() > MAX_SIDE_M or len(triangles) == 0:
        raise CaptureError(
            f"{name} of {len(points)} points and {len(triangles)} triangles",
            expected=f"a solid within {MAX_SIDE_M:g} m",
            hint="Export the room again.",
        )
    if triangles.min() < 0 or triangles.max() >= len(points):
        raise CaptureError(
            f"{name} with a corner beyond its {len(points)} points",
            expected="whole triangles",
            hint="Export the room again.",
        )
    return pose, points, triangles.astype(np.int64)
