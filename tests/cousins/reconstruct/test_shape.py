from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from cousins.capture.captures import Capture, Frame, Scale
from cousins.errors import StageError
from cousins.geometry import Intrinsics, look_at, transform, unproject
from cousins.meshes import Mesh
from cousins.raster import render
from cousins.reconstruct.shape import ReconstructedShape, reconstruct_shape, require_measured_surface
from cousins.segment.frame_masks import pack_masks
from cousins.segment.segments import Plane, Segment, Segmentation

CAMERA = Intrinsics(width=128, height=96, fx=96.0, fy=96.0, cx=63.5, cy=47.5)


def scan(
    solid: trimesh.Trimesh, *, views: int = 30, arc_rad: float = 2.0 * np.pi, distance_m: float = 0.5
) -> ReconstructedShape:
    """Look at a solid on a table from all around, with LiDAR noise, and rebuild it."""
    rng = np.random.default_rng(4)
    table = trimesh.creation.box((2.0, 2.0, 0.02))
    table.apply_translation([0.0, 0.0, -0.01])
    meshes = [Mesh.from_trimesh(table), Mesh.from_trimesh(solid)]
    centre = np.array([0.0, 0.0, 0.4 * solid.bounds[1, 2]])
    frames, masks, points = [], {}, []
    for index in range(views):
        around, above = arc_rad * index / views, np.deg2rad((20.0, 40.0, 60.0)[index % 3])
        eye = centre + distance_m * np.array(
            [np.cos(around) * np.cos(above), np.sin(around) * np.cos(above), np.sin(above)]
        )
        pose = look_at(eye, centre)
        raster = render(meshes, CAMERA, pose)
        depth = raster.depth_m + np.where(raster.depth_m > 0.0, 0.003 * rng.normal(size=raster.depth_m.shape), 0.0)
        frames.append(
            Frame(
                index=index,
                timestamp_s=0.1 * index,
                world_from_camera=pose,
                depth_camera=CAMERA,
                depth_m=depth.astype(np.float32),
                confidence=np.full(depth.shape, 2, dtype=np.uint8),
            )
        )
        masks[index] = raster.body == 1
        points.append(transform(pose, unproject(depth, CAMERA)[masks[index]]))
    capture = Capture(
        name="test", device="simulated", app="test", frames=tuple(frames), scale=Scale(source="lidar", error=0.01)
    )
    corners = np.array([[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, 1.0, 0.0]])
    plane = Plane(name="table", kind="table", normal=np.array([0.0, 0.0, 1.0]), offset_m=0.0, outline=corners)
    segment = Segment(
        name="object_0", label="thing", masks=pack_masks(masks), points=np.concatenate(points), support="table"
    )
    segmentation = Segmentation(planes=(plane,), segments=(segment,))
    return reconstruct_shape(capture, segmentation, segment)


def gaps_m(shape: ReconstructedShape, truth: trimesh.Trimesh) -> np.ndarray:
    """Distances [m] from the rebuilt vertices to the true surface."""
    points, _ = trimesh.sample.sample_surface(truth, 40_000, seed=1)
    return np.asarray(cKDTree(points).query(shape.mesh.vertices)[0])


def bowl() -> trimesh.Trimesh:
    angles = np.linspace(0.0, 0.45 * np.pi, 12)
    outer = 0.08 * np.stack([np.sin(angles), 1.0 - np.cos(angles)], axis=1)
    inner = 0.074 * np.stack([np.sin(angles), 1.0 - np.cos(angles)], axis=1) + [0.0, 0.006]
    profile = np.concatenate([outer, inner[::-1]])
    return trimesh.creation.revolve(profile, sections=48)


@pytest.fixture(scope="module")
def box() -> tuple[ReconstructedShape, trimesh.Trimesh]:
    solid = trimesh.creation.box((0.10, 0.06, 0.12))
    solid.apply_translation([0.0, 0.0, 0.06])
    return scan(solid), solid


def test_a_box_on_a_table_comes_back_watertight_with_its_size_and_volume(box):
    shape, truth = box
    mesh = shape.mesh.to_trimesh()
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume == pytest.approx(truth.volume, rel=0.08)
    assert mesh.bounds == pytest.approx(truth.bounds, abs=0.004)
    assert np.mean(gaps_m(shape, truth)) < 0.0015


def test_the_unseen_bottom_is_flat_on_the_table_and_not_called_observed(box):
    shape, _ = box
    bottom = (shape.mesh.vertices[shape.mesh.faces][:, :, 2] < 1e-4).all(axis=1)
    assert bottom.any()
    assert not shape.observed[bottom].any()
    assert shape.observed[~bottom].mean() > 0.9
    assert shape.completions == ("support contact",)


def test_the_same_capture_gives_the_same_bytes(box):
    again = scan(box[1])
    assert again.mesh.vertices.tobytes() == box[0].mesh.vertices.tobytes()
    assert again.mesh.faces.tobytes() == box[0].mesh.faces.tobytes()


def test_a_bowl_stays_hollow():
    truth = bowl()
    shape = scan(truth)
    mesh = shape.mesh.to_trimesh()
    floor_m = mesh.vertices[np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 1]) < 0.01]
    assert mesh.is_watertight
    assert floor_m[:, 2].max() < 0.015
    assert mesh.bounds[1, 2] == pytest.approx(truth.bounds[1, 2], abs=0.006)


def test_a_standing_three_centimetre_tube_survives():
    truth = trimesh.creation.cylinder(0.015, 0.4)
    truth.apply_translation([0.0, 0.0, 0.2])
    shape = scan(truth, distance_m=0.7)
    assert shape.mesh.to_trimesh().volume == pytest.approx(truth.volume, rel=0.2)
    assert shape.mesh.to_trimesh().bounds == pytest.approx(truth.bounds, abs=0.006)


def test_too_few_points_are_refused_by_name():
    frame = Frame(
        index=0,
        timestamp_s=0.0,
        world_from_camera=np.eye(4),
        depth_camera=CAMERA,
        depth_m=np.zeros((96, 128), dtype=np.float32),
        confidence=np.zeros((96, 128), dtype=np.uint8),
    )
    capture = Capture(name="t", device="d", app="a", frames=(frame,), scale=Scale(source="lidar", error=0.01))
    with pytest.raises(StageError, match="object_7 has 0 points, wanted at least 50"):
        reconstruct_shape(
            capture,
            Segmentation(planes=(), segments=()),
            Segment(name="object_7", label="thing"),
        )


def test_one_look_at_a_box_is_completed_to_a_box_and_the_back_is_not_called_observed():
    truth = trimesh.creation.box((0.20, 0.12, 0.10))
    truth.apply_transform(trimesh.transformations.rotation_matrix(0.6, [0.0, 0.0, 1.0]))
    truth.apply_translation([0.0, 0.0, 0.05])
    shape = scan(truth, views=1)
    centres = shape.mesh.vertices[shape.mesh.faces].mean(axis=1)
    behind = centres[:, 0] < -0.07
    assert shape.completions == ("support contact", "box")
    assert shape.mesh.to_trimesh().is_watertight
    assert shape.mesh.to_trimesh().volume == pytest.approx(truth.volume, rel=0.12)
    assert behind.any()
    assert shape.observed[behind & (centres[:, 2] < 0.08)].mean() < 0.05
    areas = shape.mesh.to_trimesh().area_faces
    assert areas[shape.observed].sum() / areas.sum() == pytest.approx(0.46, abs=0.1)


def test_a_mesh_of_which_nothing_was_measured_makes_no_asset(box):
    shape, _ = box
    require_measured_surface("object_3", shape.mesh, shape.observed)
    with pytest.raises(StageError, match=r"of object_3 only 0\.00 cm² of surface was measured, wanted at least 1 cm²"):
        require_measured_surface("object_3", shape.mesh, np.zeros_like(shape.observed))
