"""RoomPlan's JSON and USDZ, walls with passages, gaps between walls, furniture."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cousins.capture.formats.arkit import Z_UP_FROM_Y_UP
from cousins.errors import CaptureError
from cousins.geometry import Array, rigid, transform
from cousins.rooms.furniture import furniture_asset
from cousins.rooms.prims import read_usd_room
from cousins.rooms.room import Furniture, Panel
from cousins.rooms.roomplan import read_roomplan
from cousins.rooms.solids import convex_prisms, extruded_section, section_with_holes
from cousins.rooms.wall_gaps import close_walls


def columns(position: tuple[float, float, float], yaw: float = 0.0) -> list[float]:
    """A y-up pose, column by column, turned about y."""
    c, s = np.cos(yaw), np.sin(yaw)
    return [c, 0.0, -s, 0.0, 0.0, 1.0, 0.0, 0.0, s, 0.0, c, 0.0, *position, 1.0]


def surface(kind: str, size: tuple[float, float], pose: list[float], **more: Any) -> dict[str, Any]:
    return {
        "category": {kind: {}},
        "confidence": {"high": {}},
        "dimensions": [*size, 0],
        "transform": pose,
        "polygonCorners": [],
        "curve": None,
    } | more


def room_of(**lists: list[dict[str, Any]]) -> dict[str, Any]:
    empty: dict[str, Any] = {"walls": [], "doors": [], "windows": [], "openings": [], "floors": [], "objects": []}
    return empty | {"version": 2} | lists


def square_room() -> dict[str, Any]:
    """Four walls of 4 m, 2.5 m high, a door in the first, a chair in the middle."""
    walls = [
        surface("wall", (4.0, 2.5), columns((0.0, 1.25, -2.0)), identifier="A"),
        surface("wall", (4.0, 2.5), columns((2.0, 1.25, 0.0), np.pi / 2)),
        surface("wall", (4.0, 2.5), columns((0.0, 1.25, 2.0), np.pi)),
        surface("wall", (4.0, 2.5), columns((-2.0, 1.25, 0.0), -np.pi / 2)),
    ]
    door = surface("door", (0.9, 2.0), columns((0.5, 1.0, -2.0)), parentIdentifier="A")
    door["category"] = {"door": {"isOpen": False}}
    chair = {
        "category": "chair",
        "confidence": {"medium": {}},
        "dimensions": [0.5, 0.9, 0.6],
        "transform": columns((0.0, 0.45, 0.5)),
    }
    return room_of(walls=walls, doors=[door], objects=[chair])


def encoded(record: Any) -> bytes:
    return json.dumps(record).encode()


def test_a_room_is_read_with_z_up() -> None:
    room = read_roomplan(encoded(square_room()), name="room")
    assert [panel.name for panel in room.panels] == ["wall_0", "wall_1", "wall_2", "wall_3", "door_0"]
    door = room.of_kind("door")[0]
    assert (door.parent, door.is_open) == ("wall_0", False)
    np.testing.assert_allclose(door.world_from_panel[:3, 3], [0.5, 2.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(door.world_from_panel[:3, 1], [0.0, 0.0, 1.0], atol=1e-12)
    (chair,) = room.furniture
    np.testing.assert_allclose(chair.size_m, [0.5, 0.6, 0.9])
    np.testing.assert_allclose(chair.world_from_box[:3, 3], [0.0, -0.5, 0.45], atol=1e-12)
    np.testing.assert_allclose(chair.world_from_box[:3, 2], [0.0, 0.0, 1.0], atol=1e-12)
    assert (chair.category, chair.confidence) == ("chair", "medium")


def test_json_without_walls_and_objects_is_refused() -> None:
    with pytest.raises(CaptureError, match="without RoomPlan's lists of walls and objects"):
        read_roomplan(b"{}", name="room.json")


def test_surfaces_without_extent_are_left_out_and_counted() -> None:
    record = room_of(walls=[surface("wall", (0.0, 2.5), columns((0.0, 0.0, 0.0)))])
    room = read_roomplan(encoded(record), name="room")
    assert room.panels == ()
    assert room.warnings == ("1 walls without extent left out.",)


def test_a_box_without_a_category_is_kept_with_a_warning() -> None:
    record = square_room()
    del record["objects"][0]["category"]
    room = read_roomplan(encoded(record), name="room")
    assert room.furniture[0].name == "object_0"
    assert room.warnings == ("object_0 has no category in the scan: it became a box of unknown kind and mass.",)


def wall(start: tuple[float, float], stop: tuple[float, float], name: str = "wall") -> Panel:
    along = np.array([*stop, 0.0]) - np.array([*start, 0.0])
    half = float(np.linalg.norm(along)) / 2.0
    x = along / (2.0 * half)
    up = np.array([0.0, 0.0, 1.0])
    center = (np.array([*start, 2.5]) + np.array([*stop, 0.0])) / 2.0
    outline = np.array([[-half, -1.25], [half, -1.25], [half, 1.25], [-half, 1.25]])
    pose = rigid(np.stack([x, up, np.cross(x, up)], axis=1), center)
    return Panel(name=name, kind="wall", world_from_panel=pose, outline=outline)


def test_a_small_gap_between_walls_is_filled_with_a_note() -> None:
    walls = [
        wall((0, 0), (4, 0), "south"),
        wall((4, 0), (4, 3), "east"),
        wall((4, 3), (0.3, 3), "north"),
        wall((0, 2.8), (0, 0), "west"),
    ]
    closed = close_walls(walls)
    (filler,) = closed.fillers
    assert np.ptp(filler.outline[:, 0]) == pytest.approx(np.hypot(0.3, 0.2))
    assert closed.notes == ("wall_filled_0 of 0.36 m was put between north and west: nobody scanned it",)
    assert closed.warnings == ()


def test_a_wide_gap_stays_open_with_a_warning() -> None:
    walls = [wall((0, 0), (4, 0), "south"), wall((4, 0), (4, 3), "east"), wall((2, 3), (4, 3), "north")]
    closed = close_walls(walls)
    assert closed.fillers == ()
    assert closed.warnings == ("the walls do not close: open at an end of north, south",)


def test_walls_that_meet_in_a_corner_or_a_tee_are_closed() -> None:
    box = [wall((0, 0), (4, 0)), wall((4, 0), (4, 3)), wall((4, 3), (0, 3)), wall((0, 3), (0, 0)), wall((2, 0), (2, 3))]
    closed = close_walls(box)
    assert (closed.fillers, closed.warnings) == ((), ())


def test_prisms_fill_a_wall_with_a_door_exactly_and_leave_the_door_free() -> None:
    outline = np.array([[-2.0, 0.0], [2.0, 0.0], [2.0, 2.5], [-2.0, 2.5]])
    door = np.array([[0.0, 0.0], [0.9, 0.0], [0.9, 2.0], [0.0, 2.0]])
    section = section_with_holes(outline, [door])
    pieces = convex_prisms(section, low_m=0.0, high_m=0.1)
    assert [piece.kind for piece in pieces] == ["box"] * 3
    assert sum(piece.mesh.to_trimesh().volume for piece in pieces) == pytest.approx(0.1 * (4.0 * 2.5 - 0.9 * 2.0))
    assert extruded_section(section, low_m=0.0, high_m=0.1).to_trimesh().is_watertight


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=3, max_size=12))
def test_prisms_of_any_floor_are_convex_and_fill_it(points: list[tuple[float, float]]) -> None:
    ring = np.unique(np.round(np.array(points), 2), axis=0)
    ring = ring[np.hypot(*ring.T) > 0.1]
    angles = np.round(np.arctan2(ring[:, 1], ring[:, 0]), 3)
    _, first = np.unique(angles, return_index=True)
    ring = ring[first]
    if len(ring) < 3:
        return
    section = section_with_holes(ring, [])
    pieces = convex_prisms(section, low_m=-0.05, high_m=0.0)
    volume = sum(piece.mesh.to_trimesh().volume for piece in pieces)
    assert volume == pytest.approx(0.05 * section.area(), abs=0.05 * 2e-5 * (len(ring) + 2) ** 2)
    for piece in pieces:
        mesh = piece.mesh.to_trimesh()
        assert mesh.volume == pytest.approx(mesh.convex_hull.volume, abs=0.05 * 1e-4)


@pytest.mark.parametrize(("category", "count"), [("table", 5), ("chair", 6), ("sofa", 1)])
def test_furniture_fills_its_box_with_convex_pieces(category: str, count: int) -> None:
    furniture = Furniture(
        name=f"{category}_0", category=category, world_from_box=np.eye(4), size_m=np.array([0.6, 0.5, 0.9])
    )
    asset = furniture_asset(furniture)
    assert (asset.label, asset.label_source, asset.label_score) == (category, "RoomPlan", None)
    mesh = asset.links[0].visual.to_trimesh()
    assert mesh.is_watertight
    np.testing.assert_allclose(mesh.extents, furniture.size_m, atol=1e-6)
    assert len(asset.links[0].pieces) == count
    assert asset.observed_fraction == 0.0
    assert asset.links[0].mass_kg.source == "material table"


def corners_of(panel: Panel) -> Array:
    return transform(panel.world_from_panel, np.column_stack([panel.outline, np.zeros(len(panel.outline))]))


def test_a_real_room_reads_alike_from_json_and_usdz(shared_data: Callable[[str], Path]) -> None:
    from cousins.importers.rooms import read_room

    folder = shared_data("restricted/roomplan_libroom")
    json_room, usd_room = read_room(folder / "Room.json"), read_room(folder / "Room.usdz")
    assert {panel.name for panel in json_room.panels} == {panel.name for panel in usd_room.panels}
    by_name = {panel.name: panel for panel in usd_room.panels}
    for panel in json_room.panels:
        json_corners, usd_corners = corners_of(panel), corners_of(by_name[panel.name])
        gaps = np.linalg.norm(json_corners[:, None] - usd_corners[None], axis=2)
        assert max(gaps.min(axis=0).max(), gaps.min(axis=1).max()) < 1e-3
    boxes = {each.name: each for each in usd_room.furniture}
    for each in json_room.furniture:
        np.testing.assert_allclose(each.size_m, boxes[each.name].size_m, atol=1e-5)
        np.testing.assert_allclose(each.world_from_box, boxes[each.name].world_from_box, atol=1e-5)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_room_is_read_or_refused_with_our_error(data: st.DataObject) -> None:
    record = square_room()
    node: Any = record
    for _ in range(data.draw(st.integers(1, 4))):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if data.draw(st.booleans()) or not isinstance(node[key], dict | list):
            node[key] = data.draw(JSON_VALUES)
            break
        node = node[key]
    with contextlib.suppress(CaptureError):
        read_roomplan(encoded(record), name="room")


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["name", "pose", "points", "triangles", "error"]), JSON_VALUES, max_size=5))
def test_damaged_solids_are_refused_with_our_error(solid: dict[str, Any]) -> None:
    valid = {
        "name": "Wall0",
        "pose": Z_UP_FROM_Y_UP.tolist(),
        "points": [[0, 0, 0], [1, 0, 0], [1, 1, 0]],
        "triangles": [[0, 1, 2]],
    }
    with contextlib.suppress(CaptureError):
        read_usd_room({"solids": [valid, valid | solid]}, name="room")
