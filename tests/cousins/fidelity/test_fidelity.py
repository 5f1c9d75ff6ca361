"""A twin held against frames that are rendered from known meshes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from cousins.capture.captures import Capture, hold_out_frames
from cousins.fidelity.comparison import compare_with_capture, total_counts
from cousins.fidelity.measurement import measure_fidelity
from cousins.geometry import Intrinsics, look_at, rigid
from cousins.meshes import Mesh
from cousins.raster import render
from cousins.scene.layout.assemble import assemble
from cousins.scene.scenes import Scene
from cousins.segment.segments import Plane, Segmentation
from tests.cousins.rendered_captures import rendered_capture

CAMERA = Intrinsics(width=64, height=48, fx=60.0, fy=60.0, cx=31.5, cy=23.5)


def box(size: tuple[float, float, float], center: tuple[float, float, float]) -> Mesh:
    return Mesh.from_trimesh(trimesh.creation.box(extents=size)).transformed(rigid(translation=np.array(center)))


def quad(width: float, height_m: float = 0.0) -> Mesh:
    corners = 0.5 * width * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    return Mesh(
        vertices=np.hstack([corners, np.full((4, 1), height_m)]), faces=np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    )


FLOOR = quad(1.6)
BOX = box((0.2, 0.2, 0.2), (0.0, 0.0, 0.1))


def filmed(meshes: list[Mesh], count: int = 24) -> Capture:
    angles = 2.0 * np.pi * np.arange(count) / count
    eyes = [np.array([np.cos(angle), np.sin(angle), 0.9]) for angle in angles]
    return rendered_capture(meshes, CAMERA, [look_at(eye, np.array([0.0, 0.0, 0.05])) for eye in eyes])


def shares(meshes: list[Mesh], capture: Capture) -> list[float]:
    counts, *_ = total_counts(compare_with_capture(meshes, capture))
    return [float(count / counts[1:].sum()) for count in counts[1:]]


def floor_scene(capture: Capture) -> Scene:
    corners = FLOOR.vertices
    plane = Plane(name="floor", kind="floor", normal=np.array([0.0, 0.0, 1.0]), offset_m=0.0, outline=corners)
    return assemble("room", [], Segmentation(planes=(plane,), segments=()), capture)


def test_every_eighth_frame_of_a_capture_of_sixteen_is_held_out_and_keeps_its_number() -> None:
    capture = filmed([FLOOR], count=16)
    held = hold_out_frames(capture)
    assert [frame.index for frame in held.held_out] == [7, 15]
    assert [frame.index for frame in held.frames] == [*range(7), *range(8, 15)]
    assert held.all_frames == capture.frames
    few = replace(capture, frames=capture.frames[:15])
    assert hold_out_frames(few) is few


def test_the_true_meshes_explain_all_and_an_absent_or_an_invented_box_is_counted() -> None:
    capture = hold_out_frames(filmed([FLOOR, BOX]))
    assert shares([FLOOR, BOX], capture) == pytest.approx([1.0, 0.0, 0.0], abs=0.005)
    explained, missing, phantom = shares([FLOOR], capture)
    assert missing > 0.04
    assert phantom == 0.0
    assert explained + missing == pytest.approx(1.0)
    empty = hold_out_frames(filmed([FLOOR]))
    explained, missing, phantom = shares([FLOOR, BOX], empty)
    assert phantom > 0.04
    assert missing == 0.0


def test_a_pixel_that_no_other_frame_confirms_does_not_count() -> None:
    capture = filmed([FLOOR, BOX])
    ghost = render([FLOOR, box((0.1, 0.1, 0.3), (0.4, 0.0, 0.4))], CAMERA, capture.frames[7].world_from_camera).depth_m
    frames = [replace(frame, depth_m=ghost) if frame.index == 7 else frame for frame in capture.frames]
    spoilt = hold_out_frames(replace(capture, frames=tuple(frames)))
    assert shares([FLOOR, BOX], spoilt)[1] < 0.005


def test_low_confidence_and_far_pixels_do_not_count() -> None:
    capture = filmed([FLOOR])
    unsure = [replace(frame, confidence=np.ones_like(frame.confidence)) for frame in capture.frames]
    counts, *_ = total_counts(compare_with_capture([FLOOR], replace(capture, frames=tuple(unsure))))
    assert counts[1:].sum() == 0
    far = [
        replace(frame, depth_m=10.0 * frame.depth_m, world_from_camera=frame.world_from_camera)
        for frame in capture.frames
    ]
    counts, *_ = total_counts(compare_with_capture([FLOOR], replace(capture, frames=tuple(far))))
    assert counts[1:].sum() == 0


def test_what_no_plane_or_object_explains_becomes_the_remainder_and_is_counted_as_such() -> None:
    capture = hold_out_frames(filmed([FLOOR, BOX]))
    scene = floor_scene(capture)
    (floor, remainder) = scene.structures
    assert (floor.kind, remainder.kind) == ("floor", "remainder")
    assert np.all(remainder.visual.vertices.min(axis=0) >= [-0.12, -0.12, -0.01])
    assert np.all(remainder.visual.vertices.max(axis=0) <= [0.12, 0.12, 0.22])
    covered = np.concatenate([piece.mesh.vertices for piece in remainder.pieces])
    assert covered.max(axis=0) == pytest.approx([0.1, 0.1, 0.2], abs=0.025)
    fidelity = measure_fidelity(scene, capture)
    assert fidelity.held_out
    assert fidelity.explained > 0.95
    assert fidelity.phantom < 0.01
    assert 0.05 < fidelity.remainder < 0.5
    assert fidelity.verdict == "usable"
    assert "nothing in it can move" in fidelity.advice


def test_a_scene_that_its_planes_explain_has_no_remainder() -> None:
    scene = floor_scene(filmed([FLOOR]))
    assert [structure.kind for structure in scene.structures] == ["floor"]


def test_a_twin_without_most_of_what_was_measured_is_poor() -> None:
    capture = hold_out_frames(filmed([FLOOR, BOX]))
    scene = replace(floor_scene(capture), structures=())
    fidelity = measure_fidelity(scene, capture)
    assert fidelity.explained == 0.0
    assert fidelity.verdict == "poor"
    assert "Scan again" in fidelity.advice


def test_a_single_view_is_compared_with_itself_and_says_so() -> None:
    capture = filmed([FLOOR, BOX], count=1)
    fidelity = measure_fidelity(floor_scene(capture), capture)
    assert not fidelity.on_other_views
    assert not fidelity.held_out
    assert fidelity.pixels > 0


def test_a_hole_that_the_phone_looked_through_is_no_floor() -> None:
    ring = [quad(6.0, -0.5)]
    for x, y, width, depth in (
        (0.0, 0.55, 1.6, 0.5),
        (0.0, -0.55, 1.6, 0.5),
        (0.55, 0.0, 0.5, 0.6),
        (-0.55, 0.0, 0.5, 0.6),
    ):
        ring.append(box((width, depth, 0.002), (x, y, -0.001)))
    scene = floor_scene(hold_out_frames(filmed(ring)))
    floor = scene.structures[0].visual
    triangles = floor.vertices[floor.faces]
    area = (
        0.5
        * np.linalg.norm(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1).sum()
    )
    assert area == pytest.approx(1.6**2 - 0.6**2, rel=0.08)
    middle = render([floor], CAMERA, look_at(np.array([0.001, 0.0, 1.0]), np.zeros(3))).depth_m[20:28, 28:36]
    assert np.all(middle == 0.0)


def test_plain_fusion_of_the_same_frames_stands_beside_the_twin() -> None:
    capture = hold_out_frames(filmed([FLOOR, BOX]))
    scene = floor_scene(capture)
    understood = [structure for structure in scene.structures if structure.kind != "remainder"]
    full, floor_only = (
        measure_fidelity(scene, capture),
        measure_fidelity(replace(scene, structures=tuple(understood)), capture),
    )
    assert full.plain is not None
    assert full.plain.explained > 0.97
    assert full.plain == floor_only.plain
    assert "plain fusion of the same frames explains" in floor_only.advice
    assert "plain fusion" not in full.advice
    box_m2 = 0.2 * 0.2 * 5
    assert floor_only.unexplained_m2 == pytest.approx(box_m2, rel=0.25)
    assert full.unexplained_m2 < 0.05 * box_m2
    assert full.surface_m2 == pytest.approx(1.6**2 + box_m2 - 0.04, rel=0.1)


def test_a_single_view_has_no_plain_fusion_beside_it() -> None:
    capture = filmed([FLOOR, BOX], count=1)
    assert measure_fidelity(floor_scene(capture), capture).plain is None
