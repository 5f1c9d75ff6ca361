from __future__ import annotations

import numpy as np
import trimesh

from cousins.meshes import Mesh
from cousins.reconstruct.surface.flat_faces import flatten_faces


def dented(solid: trimesh.Trimesh) -> Mesh:
    """The solid with vertices every two millimetres and dents of 0.6 mm."""
    vertices, faces = trimesh.remesh.subdivide_to_size(solid.vertices, solid.faces, 0.003)
    fine = trimesh.Trimesh(vertices, faces, process=True)
    dents = 0.0006 * np.random.default_rng(0).normal(size=len(fine.vertices))
    return Mesh(
        vertices=np.asarray(fine.vertices + dents[:, None] * fine.vertex_normals),
        faces=np.asarray(fine.faces, dtype=np.int32),
    )


def test_the_faces_of_a_dented_box_become_planes_and_its_edges_straight():
    size = np.array([0.10, 0.06, 0.12])
    mesh = flatten_faces(dented(trimesh.creation.box(size)), tolerance_m=0.0025)
    off_the_box = np.abs(np.max(np.abs(mesh.vertices) - 0.5 * size, axis=1))
    assert np.median(off_the_box) < 0.0001
    assert np.quantile(off_the_box, 0.95) < 0.0003
    edge = (np.abs(np.abs(mesh.vertices[:, :2]) - 0.5 * size[:2]) < 0.0006).all(axis=1)
    assert np.quantile(np.abs(np.abs(mesh.vertices[edge, :2]) - 0.5 * size[:2]), 0.95) < 0.0002


def test_the_round_side_of_a_cylinder_gets_no_facets():
    before = dented(trimesh.creation.cylinder(0.03, 0.10, sections=96))
    after = flatten_faces(before, tolerance_m=0.0025)
    side = (np.abs(before.vertices[:, 2]) < 0.04) & (np.hypot(*before.vertices[:, :2].T) > 0.028)
    assert np.array_equal(after.vertices[side], before.vertices[side])
