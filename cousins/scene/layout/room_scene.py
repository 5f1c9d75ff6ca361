"""A scanned room as a scene: walls with their passages cut out, floors, and furniture on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from cousins.capture.captures import Scale
from cousins.errors import CaptureError
from cousins.geometry import Array, invert, rigid, rotation_about, transform
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Piece
from cousins.rooms.furniture import furniture_asset
from cousins.rooms.room import Panel, Room
from cousins.rooms.solids import convex_prisms, extruded_section, section_with_holes
from cousins.rooms.wall_gaps import close_walls
from cousins.scene.layout.collision_bodies import scene_bodies
from cousins.scene.layout.hanging import (
    HangingConfig,
    hang_objects,
    hangs_by_nature,
    is_supported,
    layout_scan_hanging,
)
from cousins.scene.layout.relations import find_relations
from cousins.scene.layout.repair import overlap_warnings, repair
from cousins.scene.layout.room_edges import ceiling_over, floor_additions
from cousins.scene.layout.structures import DEFAULT_FRICTION, DEFAULT_RESTITUTION, SLAB_THICKNESS_M, smallest_rectangle
from cousins.scene.scenes import PlacedAsset, Scene, Structure

WALL_THICKNESS_M: Final = 0.10
"""Thickness of a wall, laid behind the face that was scanned [m]: a light partition."""
LEAF_THICKNESS_M: Final = 0.04
"""Thickness of a door's leaf or a window [m]."""
SAME_PLANE_DISTANCE_M: Final = 0.15
"""A passage belongs to every wall whose plane is this near [m]: walls are often scanned twice."""
SAME_PLANE_MIN_COS: Final = 0.97
"""And whose normal is within 14°."""
SCALE_ERROR: Final = 0.02
"""Relative error of a length of RoomPlan, one standard deviation: some centimetres on walls of 3 m."""
FLOOR_MARGIN_M: Final = 0.5
"""How far a floor that was not scanned reaches beyond the walls [m]."""
PANEL_COLORS: Final = {
    "wall": (222, 218, 210),
    "floor": (172, 146, 116),
    "door": (150, 108, 74),
    "window": (170, 200, 220),
}
"""sRGB by kind of panel."""


def room_scene(room: Room, name: str, *, digest: str = "") -> Scene:
    """Return the scene of a room, repaired so that nothing overlaps, with relations and the assumptions made.

    Raises `CaptureError` where the room has neither a wall nor a floor.
    """
    if not room.of_kind("wall") and not room.of_kind("floor"):
        raise CaptureError(
            f"{room.name} without a wall or a floor",
            expected="a room scanned by RoomPlan, with some of its walls",
            hint="Walk along the walls while RoomPlan scans, until their outlines are drawn, and export again.",
        )
    closed = close_walls(room.of_kind("wall"))
    walls = (*room.of_kind("wall"), *closed.fillers)
    floors, notes = _floors(room)
    hanging_config = layout_scan_hanging()
    additions, edge_notes = floor_additions(floors, room.furniture, reach_m=hanging_config.support_reach_m)
    passages = [panel for panel in room.panels if panel.kind in ("door", "window", "opening")]
    structures = [
        *(_floor(floor, additions[floor.name]) for floor in floors),
        *(_wall(wall, passages, floors, walls) for wall in walls),
        *(_leaf(panel) for panel in passages if not panel.is_open),
    ]
    objects = tuple(
        PlacedAsset(asset=furniture_asset(item), world_from_asset=item.world_from_box) for item in room.furniture
    )
    scene = Scene(
        name=name,
        structures=tuple(item for item in structures if item is not None),
        objects=objects,
        relations=(),
        scale=Scale(source="lidar", error=SCALE_ERROR),
        capture_digest=digest,
        warnings=(*room.warnings, *closed.warnings),
        fallbacks=(
            f"walls have no thickness in a layout scan: {WALL_THICKNESS_M:.2f} m was laid behind their faces",
            "furniture is told as typed boxes: tables and chairs got boards and legs, all else is a solid box",
            *notes,
            *edge_notes,
            *closed.notes,
        ),
    )
    scene, report = repair(_with_hanging(scene, walls, hanging_config))
    move_warnings = [
        f"{item} was moved by {100.0 * distance_m:.1f} cm to stand free and on its support"
        for item, distance_m in report.moved_m.items()
        if distance_m > SAME_PLANE_DISTANCE_M / 3.0
    ]
    warnings = (*scene.warnings, *move_warnings, *overlap_warnings(report))
    return replace(scene, warnings=warnings, relations=find_relations(scene))


def _with_hanging(scene: Scene, walls: Sequence[Panel], config: HangingConfig) -> Scene:
    """Return the scene with what hangs fixed to its wall, and lamps in the air to ceilings put over them."""
    scene, _ = hang_objects(scene, config=config)
    bodies = scene_bodies(scene)
    ceilings: list[Structure] = []
    notes = []
    for placed in scene.objects:
        body = bodies[placed.asset.name]
        is_lamp = hangs_by_nature(placed.asset.label, "ceiling")
        if placed.fixed or not is_lamp or is_supported(body, bodies, config.support_reach_m):
            continue
        panel = ceiling_over(body, walls, f"ceiling_{len(ceilings)}")
        structure = None if panel is None else _structure(panel, [], low_m=0.0, high_m=SLAB_THICKNESS_M)
        if structure is not None:
            ceilings.append(structure)
            notes.append(
                f"no ceiling was scanned: {structure.name} was put over {body.name} at the height of the walls"
            )
    scene = replace(scene, structures=(*scene.structures, *ceilings), fallbacks=(*scene.fallbacks, *notes))
    return hang_objects(scene, config=config)[0] if ceilings else scene


def _floors(room: Room) -> tuple[list[Panel], list[str]]:
    """Return the floors, or one under the walls where none was scanned."""
    floors = list(room.of_kind("floor"))
    if floors:
        return floors, []
    corners = np.concatenate([_world_corners(wall) for wall in room.of_kind("wall")])
    angle, center, size = smallest_rectangle(corners[:, :2])
    turn = rotation_about(np.array([0.0, 0.0, 1.0]), angle)
    pose = rigid(turn, np.array([*center, corners[:, 2].min()]))
    half = size / 2.0 + FLOOR_MARGIN_M
    outline = half * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    floor = Panel(name="floor_0", kind="floor", world_from_panel=pose, outline=outline)
    return [floor], ["no floor was scanned: one was laid under the walls"]


def _floor(floor: Panel, additions: list[Array]) -> Structure | None:
    up = 1.0 if floor.world_from_panel[2, 2] > 0.0 else -1.0
    low, high = sorted((0.0, -up * SLAB_THICKNESS_M))
    return _structure(floor, [], low_m=low, high_m=high, additions=additions)


def _wall(wall: Panel, passages: Sequence[Panel], floors: Sequence[Panel], walls: Sequence[Panel]) -> Structure | None:
    """Return the wall with the passages in its plane cut out, laid away from the room."""
    holes = [_corners_in_plane(passage, wall) for passage in passages if _same_plane(passage, wall)]
    behind = -_inner_side(wall, floors, walls)
    low, high = sorted((0.0, behind * WALL_THICKNESS_M))
    return _structure(wall, holes, low_m=low, high_m=high)


def _leaf(panel: Panel) -> Structure | None:
    return _structure(panel, [], low_m=-LEAF_THICKNESS_M / 2.0, high_m=LEAF_THICKNESS_M / 2.0)


def _structure(
    panel: Panel, holes: list[Array], *, low_m: float, high_m: float, additions: Sequence[Array] = ()
) -> Structure | None:
    """Return a panel, and what is added to its outline, as structure; None where its holes leave nothing."""
    section = section_with_holes(panel.outline, holes)
    for outline in additions:
        section = section + section_with_holes(outline, [])
    pieces = convex_prisms(section, low_m=low_m, high_m=high_m)
    if not pieces:
        return None
    visual = extruded_section(section, low_m=low_m, high_m=high_m).transformed(panel.world_from_panel)
    color = np.array(PANEL_COLORS.get(panel.kind, PANEL_COLORS["wall"]), dtype=np.uint8)
    return Structure(
        name=panel.name,
        kind=panel.kind if panel.kind in ("floor", "ceiling") else "wall",
        visual=Mesh(vertices=visual.vertices, faces=visual.faces, colors=np.tile(color, (len(visual.vertices), 1))),
        pieces=tuple(_in_world(piece, panel.world_from_panel) for piece in pieces),
        friction=DEFAULT_FRICTION,
        restitution=DEFAULT_RESTITUTION,
    )


def _in_world(piece: Piece, world_from_panel: Array) -> Piece:
    if piece.kind == "mesh":
        return replace(piece, mesh=piece.mesh.transformed(world_from_panel))
    pose = world_from_panel @ piece.link_from_piece
    return replace(piece, mesh=piece.mesh.transformed(world_from_panel), link_from_piece=pose)


def _world_corners(panel: Panel) -> Array:
    """Return a panel's corners in the world [k, 3]."""
    return transform(panel.world_from_panel, np.column_stack([panel.outline, np.zeros(len(panel.outline))]))


def _corners_in_plane(passage: Panel, wall: Panel) -> Array:
    """Return a passage's corners in a wall's plane, counter-clockwise [k, 2]."""
    flat = transform(invert(wall.world_from_panel), _world_corners(passage))[:, :2]
    same = float(passage.world_from_panel[:3, 2] @ wall.world_from_panel[:3, 2]) > 0.0
    return np.asarray(flat if same else flat[::-1])


def _same_plane(passage: Panel, wall: Panel) -> bool:
    if passage.parent == wall.name:
        return True
    normal = wall.world_from_panel[:3, 2]
    offset = float((passage.world_from_panel[:3, 3] - wall.world_from_panel[:3, 3]) @ normal)
    return (
        abs(float(passage.world_from_panel[:3, 2] @ normal)) > SAME_PLANE_MIN_COS
        and abs(offset) < SAME_PLANE_DISTANCE_M
    )


def _inner_side(wall: Panel, floors: Sequence[Panel], walls: Sequence[Panel]) -> float:
    """Return +1 where the room lies on the side of a wall's normal, else -1.

    Decided by the floor where exactly one side has some, else by the mean position of all walls.
    """
    pose = wall.world_from_panel
    middle = transform(pose, np.array([[*wall.outline.mean(axis=0), 0.0]]))[0]
    sides = [
        side
        for side in (1.0, -1.0)
        if any(_is_over_floor(middle + side * WALL_THICKNESS_M * pose[:3, 2], floor) for floor in floors)
    ]
    if len(sides) == 1:
        return sides[0]
    center = np.mean([each.world_from_panel[:3, 3] for each in walls], axis=0)
    return 1.0 if float((center - middle) @ pose[:3, 2]) >= 0.0 else -1.0


def _is_over_floor(point: Array, floor: Panel) -> bool:
    """Return whether a point [3] lies over a floor's outline: a ray crosses it an odd number of times."""
    x, y = transform(invert(floor.world_from_panel), point[None])[0, :2]
    starts, ends = floor.outline, np.roll(floor.outline, -1, axis=0)
    crosses = (starts[:, 1] > y) != (ends[:, 1] > y)
    rise = np.where(crosses, ends[:, 1] - starts[:, 1], 1.0)
    crossing_x = starts[:, 0] + (y - starts[:, 1]) / rise * (ends[:, 0] - starts[:, 0])
    return bool(np.count_nonzero(crosses & (crossing_x > x)) % 2)
