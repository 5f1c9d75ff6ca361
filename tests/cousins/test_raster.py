import numpy as np
import pytest
import trimesh

from cousins.geometry import Intrinsics, invert, look_at, rigid, rotation_about, transform
from cousins.meshes import Mesh
from cousins.raster import render, shade

CAMERA = Intrinsics(width=256, height=192, fx=193.0, fy=193.0, cx=127.5, cy=95.5)


def _square(half_m: float, world_from_square: np.ndarray) -> Mesh:
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * half_m
    faces = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
    return Mesh(vertices=corners, faces=faces).transformed(world_from_square)


def _sphere(radius_m: float, centre: tuple[float, float, float], *, subdivisions: int = 5) -> Mesh:
    ball = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius_m)
    return Mesh.from_trimesh(ball).transformed(rigid(None, np.array(centre)))


def _rays() -> np.ndarray:
    u, v = np.meshgrid(np.arange(256), np.arange(192))
    return np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones_like(u)], axis=-1)


def test_a_slanted_plane_has_its_analytic_depth_at_every_pixel() -> None:
    tilt = rotation_about(np.array([1.0, 0.4, 0.0]), 1.35)
    plane = _square(50.0, rigid(tilt, np.array([0.1, 0.2, 1.0])))
    raster = render([plane], CAMERA, np.eye(4))
    normal = tilt[:, 2]
    exact = (normal @ np.array([0.1, 0.2, 1.0])) / (_rays() @ normal)
    visible = (exact > 0.01) & (exact < 40.0)
    assert visible.any()
    assert not visible.all()
    np.testing.assert_allclose(raster.depth_m[visible], exact[visible], rtol=1e-6)
    assert np.all(raster.depth_m[exact < 0.0] == 0.0)


def test_a_face_that_passes_through_the_camera_plane_is_drawn_where_it_lies_in_front() -> None:
    floor = _square(5.0, rigid(None, np.array([0.0, 0.0, -1.0])))
    raster = render([floor], CAMERA, look_at(np.zeros(3), np.array([1.0, 0.0, 0.0])))
    below = np.arange(192) > 95.5
    exact = 1.0 / ((np.arange(192) - CAMERA.cy) / CAMERA.fy)
    inside = below & (exact < 4.9)
    np.testing.assert_allclose(raster.depth_m[inside, 128], exact[inside], rtol=1e-6)
    assert np.all(raster.body[~below] == -1)


def test_the_silhouette_of_a_sphere_is_its_cone_of_tangents() -> None:
    raster = render([_sphere(0.2, (0.05, -0.1, 1.0), subdivisions=6)], CAMERA, np.eye(4))
    centre = np.array([0.05, -0.1, 1.0])
    rays = _rays() / np.linalg.norm(_rays(), axis=-1, keepdims=True)
    along = rays @ centre
    off = np.sqrt(np.maximum(centre @ centre - along**2, 0.0))
    assert np.all((raster.body == 0)[off < 0.199])
    assert np.all((raster.body == -1)[off > 0.2001])
    hit = off < 0.15
    exact = (along - np.sqrt(np.maximum(0.04 - off**2, 0.0))) * rays[..., 2]
    np.testing.assert_allclose(raster.depth_m[hit], exact[hit], atol=2e-4)


def test_the_nearer_mesh_hides_the_farther_whatever_their_order() -> None:
    near = _square(0.1, rigid(None, np.array([0.0, 0.0, 0.5])))
    far = _square(1.0, rigid(None, np.array([0.0, 0.0, 1.0])))
    first, second = render([near, far], CAMERA, np.eye(4)), render([far, near], CAMERA, np.eye(4))
    np.testing.assert_array_equal(first.depth_m, second.depth_m)
    np.testing.assert_array_equal(first.body, np.where(second.body < 0, -1, 1 - second.body))
    assert set(np.unique(first.depth_m)) == {np.float32(0.5), np.float32(1.0)}


def test_barycentrics_give_back_the_point_that_the_depth_says() -> None:
    mesh = _sphere(0.3, (0.0, 0.0, 0.0), subdivisions=2)
    pose = look_at(np.array([0.7, 0.5, 0.4]), np.zeros(3))
    raster = render([mesh], CAMERA, pose)
    covered = raster.face >= 0
    corners = mesh.vertices[mesh.faces[raster.face[covered]]]
    points = np.einsum("nk,nkd->nd", raster.barycentric[covered], corners)
    rays = _rays()[covered] * raster.depth_m[covered][:, None]
    np.testing.assert_allclose(transform(invert(pose), points), rays, atol=1e-6)


def test_a_closed_mesh_shows_no_pinholes_along_shared_edges() -> None:
    raster = render([_sphere(2.0, (0.0, 0.0, 0.0), subdivisions=6)], CAMERA, np.eye(4))
    assert np.all(raster.body == 0)


def test_two_calls_give_the_same_bytes_also_for_images_that_are_drawn_in_threads() -> None:
    meshes = [_sphere(0.2, (0.1 * k, 0.05 * k, 1.0 + 0.02 * k), subdivisions=3) for k in range(4)]
    large = CAMERA.scaled(1024, 768)
    first, second = render(meshes, large, np.eye(4)), render(meshes, large, np.eye(4))
    for field in ("depth_m", "body", "face", "barycentric"):
        assert getattr(first, field).tobytes() == getattr(second, field).tobytes()
    assert shade(first, meshes).tobytes() == shade(second, meshes).tobytes()


def test_a_texture_is_upright_and_not_mirrored() -> None:
    texture = np.zeros((64, 64, 3), dtype=np.uint8)
    texture[:32, :32], texture[:32, 32:], texture[32:, :32], texture[32:, 32:] = (
        250,
        (250, 0, 0),
        (0, 250, 0),
        (0, 0, 250),
    )
    square = _square(0.4, np.eye(4))
    poster = Mesh(
        vertices=square.vertices,
        faces=square.faces,
        uv=np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]),
        texture=texture,
    )
    pose = look_at(np.array([0.0, 0.0, 1.0]), np.zeros(3), up=np.array([0.0, 1.0, 0.0]))
    image = shade(render([poster], CAMERA, pose), [poster], background=(1, 2, 3)).astype(int)
    dominant = {name: image[y, x] for name, y, x in [("tr", 70, 150), ("bl", 120, 100), ("br", 120, 150)]}
    assert dominant["tr"][0] > 100 > dominant["tr"][1:].max()
    assert dominant["bl"][1] > 100 > dominant["bl"][[0, 2]].max()
    assert dominant["br"][2] > 100 > dominant["br"][:2].max()
    assert image[70, 100].min() > 100
    assert tuple(image[0, 0]) == (1, 2, 3)


@pytest.mark.parametrize("corners", [(0, 1, 2), (2, 1, 0)])
def test_light_falls_on_the_side_that_faces_the_camera_whatever_the_winding(corners: tuple[int, int, int]) -> None:
    square = _square(0.4, np.eye(4))
    faces = np.ascontiguousarray(square.faces[:, corners])
    mesh = Mesh(vertices=square.vertices, faces=faces, colors=np.full((4, 3), 128, dtype=np.uint8))
    image = shade(render([mesh], CAMERA, look_at(np.array([0.0, 0.0, 1.0]), np.zeros(3))), [mesh])
    assert 118 <= image[96, 128].min() <= image[96, 128].max() <= 140


def test_an_empty_scene_is_all_background() -> None:
    raster = render([], CAMERA, np.eye(4))
    assert np.all(raster.body == -1)
    assert np.all(shade(raster, []) == 255)
