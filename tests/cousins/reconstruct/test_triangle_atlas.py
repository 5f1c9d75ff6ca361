"""Two triangles to a square: every corner gets its own place in the texture, and no two triangles share a texel."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from cousins.meshes import Mesh
from cousins.reconstruct.texture.texel_kernels import cover_texels
from cousins.reconstruct.texture.triangle_atlas import min_texture_px, pack_triangles


def soup(count: int) -> Mesh:
    """Return `count` triangles between random vertices that they share."""
    rng = np.random.default_rng(count)
    faces = np.array([rng.choice(9, size=3, replace=False) for _ in range(count)], dtype=np.int32)
    return Mesh(vertices=rng.normal(size=(9, 3)), faces=faces)


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 600), factor=st.sampled_from([1.0, 1.3, 4.0]))
def test_each_triangle_covers_texels_of_its_own(count: int, factor: float) -> None:
    size_px = round(factor * min_texture_px(count))
    packed = pack_triangles(soup(count), size_px)
    assert packed.uv is not None
    assert packed.uv.min() > 0.0
    assert packed.uv.max() < 1.0
    corners = np.stack([packed.uv[:, 0] * size_px - 0.5, (1.0 - packed.uv[:, 1]) * size_px - 0.5], axis=1)
    covered = cover_texels(corners[packed.faces], size_px)
    assert set(np.unique(covered[covered >= 0]).tolist()) == set(range(count))
    areas = 0.5 * np.abs(np.cross(*(corners[packed.faces][:, k] - corners[packed.faces][:, 0] for k in (1, 2))))
    assert np.ptp(areas) < 1e-6 * areas[0]


def test_the_surface_stays_where_it_was() -> None:
    box = Mesh.from_trimesh(trimesh.creation.box(extents=(0.3, 0.2, 0.1)))
    packed = pack_triangles(box, 64)
    np.testing.assert_array_equal(packed.vertices[packed.faces], box.vertices[box.faces])


def test_more_triangles_than_fit_are_an_error() -> None:
    assert min_texture_px(128) == 64
    with pytest.raises(ValueError, match=r"129 triangles need a texture of 128 px, got 64 px"):
        pack_triangles(soup(129), 64)
