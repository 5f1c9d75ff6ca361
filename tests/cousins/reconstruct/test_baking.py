from pathlib import Path

import numpy as np
import pytest
import trimesh

from cousins.capture.captures import Capture, Scale
from cousins.capture.io.capture_folder import CaptureWriter
from cousins.geometry import Intrinsics, look_at
from cousins.meshes import Mesh
from cousins.raster import render
from cousins.reconstruct.texture.baking import TextureConfig, bake_texture, inflate

CAMERA = Intrinsics(width=320, height=240, fx=300.0, fy=300.0, cx=159.5, cy=119.5)
COLORS = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200], [200, 200, 40], [40, 200, 200], [200, 40, 200]])
"""One colour by side of the cube."""


def cube() -> Mesh:
    return Mesh.from_trimesh(trimesh.creation.box(extents=(0.2, 0.2, 0.2)).subdivide())


def side_of(normals: np.ndarray) -> np.ndarray:
    axis = np.abs(normals).argmax(axis=-1)
    sign = np.take_along_axis(normals, axis[..., None], axis=-1)[..., 0] > 0
    return 2 * axis + sign


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """Four frames from above that see five sides of a cube; the last two are darker."""
    mesh = cube()
    normals = mesh.to_trimesh().face_normals
    folder: Path = tmp_path_factory.mktemp("captures") / "cube"
    writer = CaptureWriter(folder, name="cube", device="test", app="test", scale=Scale(source="lidar", error=0.01))
    for number, (x, y) in enumerate(((0.5, 0.3), (-0.4, 0.5), (-0.5, -0.3), (0.4, -0.5))):
        pose = look_at(np.array([x, y, 0.45]), np.zeros(3))
        raster = render([mesh], CAMERA, pose)
        color = np.where(raster.face[..., None] >= 0, COLORS[side_of(normals[raster.face])], 90)
        color = np.rint(color * (1.0 if number < 2 else 0.8)).astype(np.uint8)
        writer.add(
            timestamp_s=float(number),
            world_from_camera=pose,
            depth_camera=CAMERA,
            depth_m=raster.depth_m,
            confidence=np.full(raster.depth_m.shape, 2, dtype=np.uint8),
            color_camera=CAMERA,
            color=color,
        )
    return writer.close()


def baked(capture: Capture) -> Mesh:
    return bake_texture(cube(), capture, config=TextureConfig(texel_m=0.002))


def test_each_side_gets_its_own_colour_up_to_exposure(capture: Capture) -> None:
    mesh = baked(capture)
    assert mesh.uv is not None
    assert mesh.texture is not None
    centers = mesh.uv[mesh.faces].mean(axis=1)
    size = mesh.texture.shape[0]
    texels = mesh.texture[((1 - centers[:, 1]) * size).astype(int), (centers[:, 0] * size).astype(int)].astype(float)
    sides = side_of(mesh.to_trimesh().face_normals)
    for side in (0, 1, 2, 3, 5):
        expected = COLORS[side] / COLORS[side].sum()
        baked_color = texels[sides == side] / texels[sides == side].sum(axis=1, keepdims=True)
        np.testing.assert_allclose(baked_color, np.broadcast_to(expected, baked_color.shape), atol=0.04)


def test_the_geometry_does_not_move(capture: Capture) -> None:
    plain, mesh = cube().to_trimesh(), baked(capture).to_trimesh()
    assert np.isclose(mesh.volume, plain.volume)
    assert np.isclose(mesh.area, plain.area)


def test_baking_twice_gives_the_same_texture(capture: Capture) -> None:
    first, second = baked(capture), baked(capture)
    np.testing.assert_array_equal(first.texture, second.texture)
    np.testing.assert_array_equal(first.uv, second.uv)


def test_nothing_of_a_body_is_painted_onto_the_ground_under_it(capture: Capture) -> None:
    corners = np.array([[-0.3, -0.3, -0.1], [0.3, -0.3, -0.1], [0.3, 0.3, -0.1], [-0.3, 0.3, -0.1]])
    flat = (corners[:, :2] / 0.6) + 0.5
    ground = Mesh(vertices=corners, faces=np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32), uv=flat)
    shell = inflate(bake_texture(cube(), capture), 0.01)
    mesh = bake_texture(ground, capture, occluders=(shell,), config=TextureConfig(texel_m=0.004))
    assert mesh.texture is not None
    assert np.ptp(mesh.texture.astype(int), axis=2).max() <= 40
