import numpy as np
import trimesh

from cousins.geometry import rigid
from cousins.meshes import Mesh, concatenate


def test_moving_a_mesh_keeps_faces_and_colours() -> None:
    box = trimesh.creation.box()
    mesh = Mesh(vertices=np.array(box.vertices), faces=np.array(box.faces), colors=np.zeros((8, 3), np.uint8))
    moved = mesh.transformed(rigid(translation=np.array([1.0, 0.0, 0.0])))
    np.testing.assert_allclose(moved.vertices - mesh.vertices, [[1.0, 0.0, 0.0]] * 8)
    assert moved.faces is mesh.faces
    assert moved.colors is mesh.colors


def test_joined_meshes_keep_their_volume_and_no_mesh_is_empty() -> None:
    first = Mesh.from_trimesh(trimesh.creation.box(extents=(1, 2, 3)))
    second = first.transformed(rigid(translation=np.array([5.0, 0.0, 0.0])))
    assert np.isclose(concatenate([first, second]).to_trimesh().volume, 12.0)
    assert len(concatenate([]).vertices) == 0
