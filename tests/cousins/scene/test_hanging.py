"""What hangs: decided by geometry and kind, fixed to its wall, written so in every format."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest
from pxr import Usd, UsdPhysics

from cousins.capture.captures import Scale
from cousins.errors import CaptureError, SceneError
from cousins.geometry import Array, Intrinsics, rigid
from cousins.meshes import Mesh
from cousins.rooms.room import Furniture, Panel, Room
from cousins.scene.checks import check
from cousins.scene.layout.assemble import assemble
from cousins.scene.layout.collision_bodies import scene_bodies
from cousins.scene.layout.hanging import attachment_gaps, hang_objects, layout_scan_hanging
from cousins.scene.layout.room_scene import room_scene
from cousins.scene.scene_folder import read_scene, round_scene, write_scene
from cousins.scene.scenes import PlacedAsset, Relation, Scene, Structure, hanging_supports
from cousins.segment.segments import Plane, Segmentation
from tests.cousins.rendered_captures import rendered_capture
from tests.cousins.scene.scenes_for_tests import (
    FRICTION,
    RESTITUTION,
    asset_of,
    box_asset,
    box_mesh,
    box_piece,
    link_of,
    slab,
)


def panel(
    name: str, kind: str, center: tuple[float, float, float], x: Array, y: Array, half: tuple[float, float]
) -> Panel:
    outline = np.array(half) * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    pose = rigid(np.stack([x, y, np.cross(x, y)], axis=1), np.array(center))
    return Panel(name=name, kind=kind, world_from_panel=pose, outline=outline)  # type: ignore[arg-type]


def item(
    name: str, size: tuple[float, float, float], low: tuple[float, float, float], category: str | None = None
) -> Furniture:
    """A box by its size and the lower corner of it."""
    return Furniture(
        name=name,
        category=category or name.rstrip("_0123456789"),
        world_from_box=rigid(translation=np.array(low) + np.array(size) / 2.0),
        size_m=np.array(size),
    )


def room(*furniture: Furniture) -> Room:
    """A room of 4×4 m, 2.5 m high, about the origin; `wall_0` is its face at y = 2."""
    x, y, z = np.eye(3)
    half = (2.0, 1.25)
    panels = (
        panel("floor_0", "floor", (0.0, 0.0, 0.0), x, y, (2.0, 2.0)),
        panel("wall_0", "wall", (0.0, 2.0, 1.25), x, z, half),
        panel("wall_1", "wall", (2.0, 0.0, 1.25), y, z, half),
        panel("wall_2", "wall", (0.0, -2.0, 1.25), x, z, half),
        panel("wall_3", "wall", (-2.0, 0.0, 1.25), y, z, half),
    )
    return Room(name="room", panels=panels, furniture=furniture)


def underside_m(scene: Scene, name: str) -> float:
    return float(scene_bodies(scene)[name].box.low[2])


TELEVISION = item("television_0", (1.2, 0.08, 0.7), (-0.6, 1.9, 1.2))


def test_a_television_on_a_wall_stays_where_it_hangs() -> None:
    scene = room_scene(room(TELEVISION), "room")
    (placed,) = scene.objects
    assert placed.fixed
    np.testing.assert_array_equal(placed.world_from_asset, TELEVISION.world_from_box)
    assert scene.relations == (Relation(kind="hangs on", subject="television_0", object="wall_0"),)
    assert not any("television" in text for text in scene.warnings)


def test_a_television_on_a_sideboard_stands_on_it() -> None:
    sideboard = item("storage_0", (1.4, 0.45, 0.75), (-0.7, 1.5, 0.0))
    scene = room_scene(room(item("television_0", (0.8, 0.1, 0.5), (-0.4, 1.6, 0.72)), sideboard), "room")
    television = next(placed for placed in scene.objects if placed.asset.name == "television_0")
    assert not television.fixed
    assert Relation(kind="on", subject="television_0", object="storage_0") in scene.relations
    assert underside_m(scene, "television_0") == pytest.approx(0.75, abs=1e-4)


def test_a_wall_cupboard_hangs_over_a_counter_and_carries_what_stands_on_it() -> None:
    counter = item("storage_0", (0.8, 0.55, 0.9), (-1.6, 1.44, 0.0))
    cupboard = item("storage_1", (0.8, 0.35, 0.6), (-1.6, 1.62, 1.4))
    basket = item("object_0", (0.3, 0.3, 0.2), (-1.4, 1.64, 2.01))
    scene = room_scene(room(counter, cupboard, basket), "room")
    assert hanging_supports(scene) == {"storage_1": "wall_0"}
    assert underside_m(scene, "storage_1") == pytest.approx(1.4)
    assert Relation(kind="on", subject="object_0", object="storage_1") in scene.relations
    assert Relation(kind="on", subject="storage_0", object="floor_0") in scene.relations


def test_what_reaches_into_its_wall_is_moved_out_of_it_and_not_down() -> None:
    scene = room_scene(room(item("picture_0", (0.6, 0.06, 0.8), (0.0, 1.98, 1.0))), "room")
    box = scene_bodies(scene)["picture_0"].box
    assert box.high[1] == pytest.approx(2.0, abs=2e-5)
    assert box.high[1] < 2.0
    assert box.low[2] == pytest.approx(1.0)


def test_a_lamp_under_no_scanned_ceiling_gets_a_piece_of_ceiling_and_the_scene_says_so() -> None:
    scene = room_scene(room(item("lamp_0", (0.4, 0.4, 0.3), (0.0, 0.0, 1.6))), "room")
    assert hanging_supports(scene) == {"lamp_0": "ceiling_0"}
    assert underside_m(scene, "lamp_0") == pytest.approx(1.6)
    ceiling = next(structure for structure in scene.structures if structure.name == "ceiling_0")
    assert ceiling.kind == "ceiling"
    assert scene_bodies(scene)["ceiling_0"].box.low[2] == pytest.approx(2.5)
    assert any("no ceiling was scanned: ceiling_0 was put over lamp_0" in text for text in scene.fallbacks)
    assert attachment_gaps(scene) == {"lamp_0": (pytest.approx(0.6), 1.5)}


def test_a_box_in_the_air_away_from_walls_is_lowered_to_the_floor() -> None:
    scene = room_scene(room(item("object_0", (0.3, 0.3, 0.3), (0.0, 0.0, 1.2))), "room")
    assert not scene.objects[0].fixed
    assert underside_m(scene, "object_0") == pytest.approx(0.0, abs=1e-4)


def test_a_kind_that_seldom_hangs_must_touch_the_wall_and_is_warned_about() -> None:
    near = room_scene(room(item("object_0", (0.3, 0.3, 0.3), (0.0, 1.6, 1.2))), "room")
    assert hanging_supports(near) == {"object_0": "wall_0"}
    assert any("object_0 hangs on wall_0 and cannot move" in text for text in near.warnings)
    away = room_scene(room(item("object_0", (0.3, 0.3, 0.3), (0.0, 1.5, 1.2))), "room")
    assert hanging_supports(away) == {}
    bracket = room_scene(room(item("television_0", (0.3, 0.3, 0.3), (0.0, 1.5, 1.2))), "room")
    assert hanging_supports(bracket) == {"television_0": "wall_0"}


def test_furniture_that_stands_past_a_wall_is_not_carried_by_it() -> None:
    beside = replace(TELEVISION, world_from_box=rigid(translation=np.array([2.4, 1.94, 1.55])))
    assert hanging_supports(room_scene(room(beside), "room")) == {}


def test_a_floor_reaches_under_what_stands_over_its_edge() -> None:
    scene = room_scene(room(item("storage_0", (0.6, 1.0, 2.0), (1.6, -0.5, 0.0))), "room")
    assert scene_bodies(scene)["floor_0"].box.high[0] >= 2.2
    assert any("floor_0 was extended under storage_0" in text and "0.20 m²" in text for text in scene.fallbacks)
    inside = room_scene(room(item("storage_0", (0.6, 1.0, 2.0), (1.4, -0.5, 0.0))), "room")
    assert scene_bodies(inside)["floor_0"].box.high[0] == pytest.approx(2.0)


def test_a_room_without_walls_and_floor_is_refused() -> None:
    with pytest.raises(CaptureError, match="room without a wall or a floor"):
        room_scene(replace(room(TELEVISION), panels=()), "room")


def hanging_scene() -> Scene:
    """A television at 1.2 m before a wall, and a crate on the floor below it."""
    television = link_of("body", box_mesh(np.array([1.0, 0.06, 0.6])), (box_piece((1.0, 0.06, 0.6)),))
    crate = link_of("body", box_mesh(np.array([0.3, 0.3, 0.3])), (box_piece((0.3, 0.3, 0.3)),))
    wall = box_piece((4.0, 0.1, 2.5), (0.0, 2.05, 1.25))
    return Scene(
        name="room",
        structures=(
            slab("floor_0", "floor", (4.0, 4.0), 0.0, (0.0, 0.0)),
            Structure(
                name="wall_0", kind="wall", visual=wall.mesh, pieces=(wall,), friction=FRICTION, restitution=RESTITUTION
            ),
        ),
        objects=(
            PlacedAsset(
                asset=asset_of("tv", "television", (television,), (), np.array([1.0, 0.06, 0.6])),
                world_from_asset=rigid(translation=np.array([0.3, 1.96, 1.5])),
            ),
            PlacedAsset(
                asset=asset_of("crate", "crate", (crate,), (), np.array([0.3, 0.3, 0.3])),
                world_from_asset=rigid(translation=np.array([0.3, 1.5, 0.15])),
            ),
        ),
        relations=(),
        scale=Scale(source="lidar", error=0.02),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scene, _ = hang_objects(hanging_scene(), config=layout_scan_hanging())
    place = tmp_path_factory.mktemp("scenes") / "hanging"
    write_scene(scene, place)
    return place


def test_the_relation_survives_the_scene_folder_which_has_no_findings(folder: Path) -> None:
    scene = read_scene(folder)
    assert hanging_supports(scene) == {"tv": "wall_0"}
    assert round_scene(scene).relations == (Relation(kind="hangs on", subject="tv", object="wall_0"),)
    assert [finding for finding in check(folder) if finding.severity != "info"] == []


def test_usd_points_at_the_wall_and_fixes_the_body(folder: Path) -> None:
    stage = Usd.Stage.Open(str(folder / "scene.usda"))
    television = stage.GetPrimAtPath("/World/Objects/tv")
    (wall,) = television.GetRelationship("cousins:hangsOn").GetTargets()
    assert stage.GetPrimAtPath(wall).GetName() == "wall_0"
    assert UsdPhysics.RigidBodyAPI(television).GetKinematicEnabledAttr().Get() is True
    assert not stage.GetPrimAtPath("/World/Objects/crate").HasRelationship("cousins:hangsOn")


def test_the_urdf_joins_it_to_its_wall(folder: Path) -> None:
    joints = {joint.attrib["name"]: joint for joint in ET.parse(folder / "scene.urdf").iter("joint")}
    joint = joints["wall_0__tv"]
    assert joint.attrib["type"] == "fixed"
    assert joint.find("parent").attrib["link"] == "wall_0"  # type: ignore[union-attr]
    assert joints["world__crate"].attrib["type"] == "floating"


def test_it_does_not_move_in_mujoco_where_it_is_a_child_of_its_wall(folder: Path) -> None:
    model = mujoco.MjModel.from_xml_path(str(folder / "scene.xml"))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    before = data.body("tv").xpos.copy()
    mujoco.mj_step(model, data, 500)
    np.testing.assert_array_equal(data.body("tv").xpos, before)
    np.testing.assert_allclose(before, [0.3, 1.96, 1.5], atol=1e-6)
    assert model.body(model.body("tv").parentid[0]).name == "wall_0"
    assert data.body("crate").xpos[2] == pytest.approx(0.15, abs=1e-3)


def test_a_scene_in_which_something_hangs_on_an_object_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "scene")
    text = (copy / "scene.json").read_text().replace('"object": "wall_0"', '"object": "crate"')
    (copy / "scene.json").write_text(text)
    with pytest.raises(SceneError, match="'tv', which hangs on 'crate'"):
        read_scene(copy)


def looking_at(camera: tuple[float, float, float], target: tuple[float, float, float]) -> Array:
    """Return `world_from_camera` [4, 4] of a camera that looks at a point, upright."""
    z = np.array(target) - np.array(camera)
    z /= np.linalg.norm(z)
    x = np.cross(z, np.array([0.0, 0.0, 1.0]))
    x /= np.linalg.norm(x)
    return rigid(np.stack([x, np.cross(z, x), z], axis=1), np.array(camera))


def scanned_box(*more: Mesh, views: int = 4) -> Scene:
    """The scene of a box at 1 m on a wall, with what else the frames show but the segmentation does not have."""
    box = box_asset("box", (0.4, 0.2, 0.3))
    pose = rigid(translation=np.array([0.0, 1.89, 1.15]))
    floor = Plane(
        name="floor",
        kind="floor",
        normal=np.array([0.0, 0.0, 1.0]),
        offset_m=0.0,
        outline=np.array([[-2.0, -2.0, 0.0], [2.0, -2.0, 0.0], [2.0, 2.0, 0.0], [-2.0, 2.0, 0.0]]),
    )
    wall = Plane(
        name="wall_0",
        kind="wall",
        normal=np.array([0.0, -1.0, 0.0]),
        offset_m=-2.0,
        outline=np.array([[-2.0, 2.0, 0.0], [2.0, 2.0, 0.0], [2.0, 2.0, 2.5], [-2.0, 2.0, 2.5]]),
    )
    surfaces = [box_mesh(np.array([4.0, 4.0, 0.02]), rigid(translation=np.array([0.0, 0.0, -0.01])))]
    surfaces += [box_mesh(np.array([4.0, 0.02, 2.5]), rigid(translation=np.array([0.0, 2.01, 1.25])))]
    surfaces += [link.visual.transformed(pose) for link in box.links]
    camera = Intrinsics(width=160, height=120, fx=120.0, fy=120.0, cx=79.5, cy=59.5)
    poses = [looking_at((x, 0.2, 1.5), (0.0, 1.9, 1.0)) for x in np.linspace(-0.8, 0.8, views)]
    capture = rendered_capture([*surfaces, *more], camera, poses)
    return assemble("scan", [(box, pose)], Segmentation(planes=(floor, wall), segments=()), capture)


def test_a_scanned_box_under_which_the_phone_saw_through_hangs_on_its_wall() -> None:
    scene = scanned_box()
    assert hanging_supports(scene) == {"box": "wall_0"}
    assert [structure.name for structure in scene.structures] == ["floor", "wall_0"]
    assert underside_m(scene, "box") == pytest.approx(1.0)
    assert any("box hangs on wall_0 and cannot move" in text for text in scene.warnings)
    assert attachment_gaps(scene)["box"][0] == pytest.approx(0.01, abs=1e-6)


def test_a_scanned_box_on_a_board_that_nobody_segmented_gets_a_support_and_stays_movable() -> None:
    board = box_mesh(np.array([1.0, 0.3, 0.02]), rigid(translation=np.array([0.0, 1.85, 0.99])))
    scene = scanned_box(board)
    assert hanging_supports(scene) == {}
    assert Relation(kind="on", subject="box", object="table_added") in scene.relations


def test_a_scanned_box_whose_underside_was_not_seen_does_not_hang() -> None:
    screen = box_mesh(np.array([3.0, 0.02, 1.05]), rigid(translation=np.array([0.0, 1.7, 0.525])))
    assert hanging_supports(scanned_box(screen)) == {}
