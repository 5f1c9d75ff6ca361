from __future__ import annotations

import manifold3d
import numpy as np

from cousins.meshes import Mesh
from cousins.reconstruct.surface.isosurface import clean_mesh


def ball_on_a_wire(radius_m: float) -> Mesh:
    """A rough ball of 10 cm, tied by a wire to a smaller one 20 cm away."""
    wire = manifold3d.Manifold.cylinder(0.2, radius_m, circular_segments=6).refine_to_length(0.004)
    solid = manifold3d.Manifold.sphere(0.05, 400) + wire
    solid += manifold3d.Manifold.sphere(0.02, 40).translate((0.0, 0.0, 0.2))
    flat = solid.to_mesh()
    return Mesh(vertices=np.asarray(flat.vert_properties[:, :3], dtype=np.float64), faces=np.asarray(flat.tri_verts))


def test_simplifying_never_pinches_a_part_off():
    mesh = ball_on_a_wire(0.0008)
    light = clean_mesh(mesh, max_faces=100)
    assert len(light.faces) < len(mesh.faces)
    assert light.vertices[:, 2].max() > 0.21


def test_simplifying_goes_to_the_wanted_number_where_nothing_is_thin():
    assert len(clean_mesh(ball_on_a_wire(0.015), max_faces=3000).faces) <= 3000
