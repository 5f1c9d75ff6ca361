import numpy as np
import pytest
import trimesh

from cousins.capture.captures import Capture
from cousins.geometry import Array, Intrinsics, look_at
from cousins.meshes import Mesh
from cousins.reconstruct.shape import reconstruct_shape
from cousins.reconstruct.surface.isosurface import extract_surface
from cousins.reconstruct.surface.relief_solid import relief_field
from cousins.segment.leftovers import report_leftovers
from cousins.segment.multi_view import LabelledCloud
from cousins.segment.relief.joining import join_raised_patches
from cousins.segment.relief.raised_patches import RaisedPatch, find_raised_patches
from cousins.segment.relief.reports import report_raised_patches
from cousins.segment.segments import Plane, Segment, Segmentation
from cousins.segment.structure.planes import FittedPlane, FixedStructure
from tests.cousins.rendered_captures import rendered_capture

CAMERA = Intrinsics(width=256, height=192, fx=193.0, fy=193.0, cx=127.5, cy=95.5)
NOISE_M = 0.004
UP = np.array([0.0, 0.0, 1.0])


def _box(size_m: tuple[float, float, float], middle: tuple[float, float], yaw: float = 0.0) -> Mesh:
    box = trimesh.creation.box(size_m)
    box.apply_transform(trimesh.transformations.rotation_matrix(yaw, [0, 0, 1]))
    box.apply_translation([*middle, 0.5 * size_m[2]])
    return Mesh.from_trimesh(box)


def _table() -> Mesh:
    box = trimesh.creation.box((1.0, 0.8, 0.03))
    box.apply_translation([0.0, 0.0, -0.015])
    return Mesh.from_trimesh(box)


def _support(name: str = "table") -> FittedPlane:
    corners = np.array([[-0.5, -0.4, 0.0], [0.5, -0.4, 0.0], [0.5, 0.4, 0.0], [-0.5, 0.4, 0.0]])
    plane = Plane(name=name, kind="table", normal=UP, offset_m=0.0, outline=corners)
    return FittedPlane(plane=plane, scatter_m=0.004, area_m2=0.8)


def _noisy_capture(meshes: list[Mesh], *, frames: int = 36) -> Capture:
    """Return an orbit whose depth is uncertain by 4 mm a pixel, and whose poses are off by up to 3 mm in height."""
    rng = np.random.default_rng(5)
    angles = np.linspace(0.0, 2.0 * np.pi, frames, endpoint=False)
    poses = [look_at(np.array([0.45 * np.cos(a), 0.45 * np.sin(a), 0.45]), np.zeros(3)) for a in angles]
    capture = rendered_capture(meshes, CAMERA, poses)
    for frame in capture.frames:
        frame.world_from_camera[2, 3] += rng.uniform(-0.003, 0.003)
        frame.depth_m[...] += np.where(frame.depth_m > 0.0, rng.normal(size=frame.depth_m.shape) * NOISE_M, 0.0)
    return capture


@pytest.fixture(scope="module")
def strip() -> RaisedPatch:
    capture = _noisy_capture([_table(), _box((0.15, 0.014, 0.006), (0.05, -0.03), yaw=0.5)])
    patches = find_raised_patches(capture.frames, [_support()])
    assert [patch.kind for patch in patches] == ["object"]
    return patches[0]


def test_a_strip_as_low_as_the_noise_of_a_depth_pixel_is_found_with_its_place_and_size(strip: RaisedPatch) -> None:
    assert strip.points[:, :2].mean(axis=0) == pytest.approx([0.05, -0.03], abs=0.003)
    assert strip.outline.length_m == pytest.approx(0.15, abs=0.01)
    assert strip.outline.height_m == pytest.approx(0.006, abs=0.0015)
    assert strip.outline.breadth_m == pytest.approx(0.014, abs=0.006)


def test_a_low_object_becomes_a_watertight_solid_of_its_height_that_lies_on_its_support(strip: RaisedPatch) -> None:
    segment = Segment(name="object_0", label="", points=strip.points, support="table", relief_cell_m=strip.cell_m)
    segmentation = Segmentation(planes=(_support().plane,), segments=(segment,))
    shape = reconstruct_shape(_noisy_capture([_table()], frames=1), segmentation, segment)
    solid = shape.mesh.to_trimesh()
    assert solid.is_watertight
    assert solid.bounds[0, 2] == pytest.approx(0.0, abs=0.001)
    assert solid.bounds[1, 2] == pytest.approx(0.006, abs=0.002)
    assert solid.volume == pytest.approx(0.15 * 0.014 * 0.006, rel=0.35)
    assert shape.observed.mean() > 0.4


def test_a_low_plate_becomes_a_solid_without_holes_however_its_cells_lie() -> None:
    cell_m, yaw = 0.0017, 0.5
    flat = np.stack(np.meshgrid(np.arange(80), np.arange(40)), axis=-1).reshape(-1, 2) * cell_m
    turn = np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]])
    tops = np.column_stack([flat @ turn, np.full(len(flat), 0.0097)])
    field, grid = relief_field(tops, tops[:, 2], cell_m=cell_m, base_m=0.0, max_voxels=3_000_000)
    solid = extract_surface(field, grid, max_faces=20_000).to_trimesh()
    assert solid.euler_number == 2
    assert solid.volume == pytest.approx(len(flat) * cell_m**2 * 0.0097, rel=0.06)


def test_a_bare_table_and_a_tall_box_give_no_low_thing_but_fringes() -> None:
    capture = _noisy_capture([_table(), _box((0.1, 0.1, 0.1), (0.0, 0.0))])
    assert {patch.kind for patch in find_raised_patches(capture.frames, [_support()])} <= {"fringe"}


def test_a_soft_fold_is_reported_as_a_swell_and_not_made_an_object() -> None:
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 126), np.linspace(-0.4, 0.4, 101), indexing="ij")
    fold = 0.005 * np.exp(-0.5 * (y / 0.02) ** 2 - 0.5 * (x / 0.1) ** 4)
    index = np.arange(x.size).reshape(x.shape)
    corners = [index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]]
    a, b, c, d = (corner.ravel() for corner in corners)
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)]).astype(np.int32)
    cloth = Mesh(vertices=np.stack([x, y, fold], axis=-1).reshape(-1, 3), faces=faces)
    patches = find_raised_patches(_noisy_capture([cloth]).frames, [_support()])
    assert "swell" in {patch.kind for patch in patches}
    assert "object" not in {patch.kind for patch in patches}
    assert any("folds" in sentence for sentence in report_raised_patches(patches))


def test_a_cable_is_no_object_and_is_reported_with_name_size_and_place() -> None:
    pieces = [_box((0.122, 0.006, 0.006), (0.112 * (k - 2), 0.0), yaw=0.35 * (-1) ** k) for k in range(5)]
    patches = find_raised_patches(_noisy_capture([_table(), *pieces]).frames, [_support()])
    assert [patch.kind for patch in patches] == ["cable"]
    (sentence,) = report_raised_patches(patches)
    assert sentence.startswith("something thin and long like a cable (")
    assert "on table" in sentence
    assert "no rigid object" in sentence


def _cloud(points: Array, labels: list[int]) -> LabelledCloud:
    return LabelledCloud(
        points=points,
        normals=np.tile(UP, (len(points), 1)),
        labels=np.array(labels, dtype=np.int64),
        height_m=points[:, 2],
        voxel_m=0.005,
        rest=np.zeros((0, 3)),
        leftover=np.zeros((0, 3)),
    )


def test_an_object_over_a_low_thing_is_joined_with_it_and_one_beside_it_stays(strip: RaisedPatch) -> None:
    bump = strip.points[::20] + 0.004 * UP
    box = np.array([[0.3, 0.3, 0.01 * k] for k in range(1, 10)])
    cloud = _cloud(np.concatenate([bump, box]), [0] * len(bump) + [1] * len(box))
    joined, patches = join_raised_patches(cloud, [strip], FixedStructure(planes=(_support(),), up=UP))
    assert patches == (strip,)
    assert np.array_equal(joined.points, box)
    assert set(joined.labels) == {0}


def test_a_low_thing_under_an_object_that_extends_beyond_it_is_that_objects_foot(strip: RaisedPatch) -> None:
    rng = np.random.default_rng(0)
    middle = strip.points.mean(axis=0)
    body = middle + rng.uniform([-0.1, -0.1, 0.0], [0.1, 0.1, 0.2], size=(40000, 3))
    cloud = _cloud(body, [0] * len(body))
    joined, patches = join_raised_patches(cloud, [strip], FixedStructure(planes=(_support(),), up=UP))
    assert patches == ()
    assert len(joined.points) == len(body)


def test_a_cluster_that_no_object_holds_is_reported_with_its_place_and_a_rim_is_not() -> None:
    cluster = np.stack(np.meshgrid(*[np.arange(3) * 0.005] * 3), axis=-1).reshape(-1, 3)
    (sentence,) = report_leftovers(cluster + np.array([0.195, 0.095, 0.0]), [cluster], voxel_m=0.005)
    assert sentence.startswith("1 cluster above the supports is too small")
    assert "x 0.20 m, y 0.10 m" in sentence
    assert report_leftovers(cluster + 0.002, [cluster], voxel_m=0.005) == ()
    assert report_leftovers(cluster[:10], [], voxel_m=0.005) == ()
