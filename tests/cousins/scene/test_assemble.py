"""Assembling: level supports, supports where none was seen, flat feet, structure that holds what stands on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cousins.capture.captures import Capture, Frame, Scale
from cousins.capture.quality.assessment import QualityReport
from cousins.fusion.pose_refinement import Refined, RefineReport
from cousins.geometry import Array, Intrinsics, rigid, rotation_about
from cousins.reconstruct.assets import Asset
from cousins.reconstruct.objects import ReconstructedObject
from cousins.scene.layout.assemble import assemble
from cousins.scene.layout.collision_bodies import asset_body, clearance_below, scene_bodies
from cousins.scene.layout.flat_feet import with_flat_foot
from cousins.scene.layout.rest_poses import rest_rotation
from cousins.scene.layout.structures import join_corners, level_plane, smallest_rectangle, structure_from_plane
from cousins.scene.layout.twin import assemble_twin
from cousins.scene.scenes import PlacedAsset, Relation
from cousins.segment.segments import Plane, Segment, Segmentation
from tests.cousins.scene.scenes_for_tests import asset_of, bowl_asset, box_asset, hull_piece, link_of

Z = np.array([0.0, 0.0, 1.0])


def capture() -> Capture:
    """A capture of one frame without colour."""
    camera = Intrinsics(width=4, height=3, fx=4.0, fy=4.0, cx=1.5, cy=1.0)
    frame = Frame(
        index=0,
        timestamp_s=0.0,
        world_from_camera=np.eye(4),
        depth_camera=camera,
        depth_m=np.zeros((3, 4), dtype=np.float32),
        confidence=np.zeros((3, 4), dtype=np.uint8),
    )
    scale = Scale(source="lidar", error=0.01)
    return Capture(name="small", device="none", app="none", frames=(frame,), scale=scale)


def table(tilt_rad: float = 0.0, *, size: float = 0.8, height_m: float = 0.7, kind: str = "table") -> Plane:
    turn = rotation_about(np.array([1.0, 0.5, 0.0]), tilt_rad)
    h = size / 2
    outline = np.array([[-h, -h, 0.0], [h, -h, 0.0], [h, h, 0.0], [-h, h, 0.0]]) @ turn.T + [0.0, 0.0, height_m]
    return Plane(name=kind, kind=kind, normal=turn @ Z, offset_m=float(outline[0] @ turn @ Z), outline=outline)


def wall() -> Plane:
    outline = np.array([[-0.3, 0.45, 0.1], [0.3, 0.45, 0.1], [0.3, 0.45, 1.5], [-0.3, 0.45, 1.5]])
    return Plane(name="wall_0", kind="wall", normal=np.array([0.0, -1.0, 0.0]), offset_m=-0.45, outline=outline)


def pose_at(x: float, y: float, z: float, tilt: float = 0.0) -> Array:
    return rigid(rotation_about(np.array([1.0, 0.5, 0.0]), tilt), np.array([x, y, z]))


def uneven_asset(errors_m: tuple[float, ...]) -> Asset:
    """A block whose underside has corners at uneven heights, as convex decomposition leaves it."""
    angles = 2.0 * np.pi * np.arange(len(errors_m)) / len(errors_m)
    ring = 0.05 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    low = np.hstack([ring, (-0.05 + np.array(errors_m))[:, None]])
    high = np.hstack([ring, np.full((len(errors_m), 1), 0.05)])
    piece = hull_piece(np.concatenate([low, high]))
    return asset_of("block", "block", (link_of("body", piece.mesh, (piece,)),), (), np.array([0.1, 0.1, 0.1]))


def test_a_support_level_within_noise_becomes_exactly_level_where_its_objects_stand() -> None:
    tilted = table(0.02)
    pose = rigid(rotation_about(np.array([1.0, 0.5, 0.0]), 0.02), np.array([0.1, 0.05, 0.7]))
    pose[:3, 3] += pose[:3, 2] * 0.025 + pose[:3, 0] * 0.0
    scene = assemble("s", [(box_asset(), pose)], Segmentation(planes=(tilted,), segments=()), capture())
    slab = scene_bodies(scene)["table"]
    assert any(np.allclose(normal, Z, atol=1e-12) for normal in slab.hulls[0].normals)
    np.testing.assert_allclose(scene.objects[0].world_from_asset[:3, 2], Z, atol=1e-6)
    assert np.linalg.norm(scene.objects[0].world_from_asset[:3, 3] - pose[:3, 3]) < 0.004
    assert 0.0 <= clearance_below(scene_bodies(scene)["box"], slab) <= 5e-4
    assert scene.relations == (Relation(kind="on", subject="box", object="table"),)
    assert scene.fallbacks == ()


def test_a_ramp_keeps_its_tilt() -> None:
    ramp = table(0.2)
    assert level_plane(ramp, np.zeros(3)) is ramp
    assert level_plane(wall(), np.zeros(3)).normal[1] == -1.0


def test_the_slab_has_its_upper_face_on_the_plane_and_the_wall_stands_behind_it() -> None:
    top = structure_from_plane(table(), []).pieces[0]
    np.testing.assert_allclose(top.link_from_piece[:3, 3], [0.0, 0.0, 0.675], atol=1e-9)
    assert top.mesh.vertices[:, 2].max() == pytest.approx(0.7, abs=1e-12)
    behind = structure_from_plane(wall(), []).pieces[0]
    assert behind.mesh.vertices[:, 1].min() == pytest.approx(0.45, abs=1e-12)


def test_structure_reaches_under_what_stands_on_it_also_where_it_was_not_seen() -> None:
    pose = pose_at(0.43, 0.0, 0.725)
    scene = assemble("s", [(box_asset(), pose)], Segmentation(planes=(table(),), segments=()), capture())
    structure = scene.structures[0]
    assert structure.visual.vertices[:, 0].max() > 0.43 + 0.095
    assert structure.visual.vertices[:, 0].min() == pytest.approx(-0.4)
    assert scene.fallbacks == ()


def test_an_object_without_a_seen_support_gets_one_and_the_scene_says_so() -> None:
    built = [(box_asset("low"), pose_at(0.0, 0.0, 0.025)), (box_asset("high"), pose_at(0.0, 0.6, 0.525))]
    scene = assemble("s", built, Segmentation(planes=(), segments=()), capture())
    assert [(structure.name, structure.kind) for structure in scene.structures] == [
        ("floor_added", "floor"),
        ("table_added", "table"),
    ]
    assert scene.fallbacks == (
        "no surface was seen under low: floor_added was put there",
        "no surface was seen under high: table_added was put there",
    )
    assert Relation(kind="on", subject="high", object="table_added") in scene.relations


def test_carriers_come_before_what_they_carry() -> None:
    built = [
        (box_asset("top", (0.1, 0.1, 0.05)), pose_at(0.0, 0.0, 0.775)),
        (box_asset("bottom"), pose_at(0.0, 0.0, 0.725)),
    ]
    scene = assemble("s", built, Segmentation(planes=(table(),), segments=()), capture())
    assert [placed.asset.name for placed in scene.objects] == ["bottom", "top"]
    assert Relation(kind="on", subject="top", object="bottom") in scene.relations


def test_a_plane_that_cuts_an_object_and_supports_nothing_is_dropped_with_a_note() -> None:
    seat = replace(table(height_m=0.5, size=0.3), name="seat")
    block = box_asset("block", (0.4, 0.4, 1.0))
    floor = table(height_m=0.0, size=3.0, kind="floor")
    scene = assemble("s", [(block, pose_at(0.0, 0.0, 0.5))], Segmentation(planes=(floor, seat), segments=()), capture())
    assert [structure.name for structure in scene.structures] == ["floor"]
    assert scene.fallbacks == ("plane seat was dropped: it carries nothing and runs through block",)


def test_the_support_from_the_segmenter_counts() -> None:
    low = replace(table(height_m=0.69), name="lower")
    segments = (Segment(name="box", label="box", support="lower"),)
    segmentation = Segmentation(planes=(table(0.01), low), segments=segments)
    scene = assemble("s", [(box_asset(), pose_at(0.0, 0.0, 0.74))], segmentation, capture())
    assert scene.objects[0].world_from_asset[2, 3] == pytest.approx(0.725, abs=0.002)


def test_floor_and_wall_are_drawn_out_to_where_they_meet() -> None:
    floor, side = join_corners([table(height_m=0.0, kind="floor"), wall()])
    assert floor.outline[:, 1].max() == pytest.approx(0.45)
    assert side.outline[:, 2].min() == pytest.approx(0.0, abs=1e-12)
    apart = join_corners([table(height_m=-1.0, kind="floor"), wall()])
    assert len(apart[0].outline) == len(apart[1].outline) == 4


def test_an_uneven_underside_becomes_a_flat_foot_and_the_object_keeps_its_pose() -> None:
    placed = PlacedAsset(
        asset=uneven_asset((0.0, 0.003, 0.001, 0.0035, 0.002, 0.003)), world_from_asset=pose_at(0.1, 0.0, 0.75)
    )
    body = asset_body(placed.asset).transformed(placed.world_from_asset)
    before = rest_rotation(body, max_tilt_rad=0.5)
    assert before is not None
    footed = with_flat_foot(placed)
    assert footed is not None
    after = asset_body(footed.asset).transformed(footed.world_from_asset)
    assert rest_rotation(after, max_tilt_rad=0.5) == pytest.approx(np.eye(3), abs=1e-6)
    assert after.box.low[2] == pytest.approx(body.box.low[2])
    np.testing.assert_allclose(after.box.high, body.box.high, atol=1e-9)
    assert footed.asset.completions[-1] == "flat foot"
    np.testing.assert_array_equal(footed.world_from_asset, placed.world_from_asset)


def test_an_object_that_could_not_stand_gets_no_foot() -> None:
    placed = PlacedAsset(
        asset=uneven_asset((0.0, 0.03, 0.03, 0.03, 0.03, 0.03)), world_from_asset=pose_at(0.0, 0.0, 0.75)
    )
    assert with_flat_foot(placed) is None


def test_a_box_and_a_bowl_need_no_foot() -> None:
    scene = assemble(
        "s",
        [(box_asset(), pose_at(0.2, 0.0, 0.725)), (bowl_asset(), pose_at(-0.2, 0.0, 0.735))],
        Segmentation(planes=(table(),), segments=()),
        capture(),
    )
    assert all("flat foot" not in placed.asset.completions for placed in scene.objects)


def test_the_smallest_rectangle_lies_along_an_edge() -> None:
    turn = rotation_about(Z, 0.3)[:2, :2]
    corners = np.array([[-2.0, -1.0], [2.0, -1.0], [2.0, 1.0], [-2.0, 1.0]]) @ turn.T + [5.0, 6.0]
    angle, center, size = smallest_rectangle(corners)
    np.testing.assert_allclose(center, [5.0, 6.0])
    assert sorted(size) == pytest.approx([2.0, 4.0])
    assert np.mod(angle - 0.3, np.pi / 2) == pytest.approx(0.0, abs=1e-6)


def test_a_fragment_becomes_surface_and_takes_the_support_that_was_made_for_it_along() -> None:
    report = RefineReport(
        residual_before_m=0.0,
        residual_after_m=0.0,
        loop_residual_before_m=0.0,
        loop_residual_after_m=0.0,
        kept=False,
        range_bias_m=0.0,
        range_bias_std_m=0.0,
        bias_corrected=False,
        pairs=0,
    )
    box, bowl = box_asset(), bowl_asset()
    built = tuple(
        ReconstructedObject(name=asset.name, placed=(asset, pose))
        for asset, pose in ((box, pose_at(0.0, 0.0, 0.75)), (bowl, pose_at(3.0, 0.0, 0.75)))
    )
    scenes = [
        assemble_twin(
            capture(),
            Refined(capture=capture(), report=report),
            Segmentation(planes=(table(),), segments=()),
            built,
            quality=QualityReport(metrics={}, findings=()),
            fragments=fragments,
        )
        for fragments in ((), (bowl.name,))
    ]
    assert [placed.asset.name for placed in scenes[1].objects] == [box.name]
    assert [structure.name for structure in scenes[0].structures] == ["table", "table_added"]
    assert [structure.name for structure in scenes[1].structures] == ["table"]
    assert any(
        note.startswith(f"{bowl.name} was kept as fixed surface and not as an object") for note in scenes[1].fallbacks
    )
