"""Which part of the true surfaces the frames of a recording show."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import Array, Intrinsics, invert, project, transform
from places.objects import VISIBLE_SAMPLES, TrueShape
from places.place import Place, TrueItem
from scenes.objects import DENSE, outer_surface, sample
from sim.synthetic.phone import Truth

SLACK_M: Final = 0.004
"""Depth by which a point may lie behind the surface that its pixel shows [m]: half a pixel on a slope."""
SLACK_PER_M: Final = 0.006
"""The same by distance [m/m]."""
MAX_RANGE_M: Final = 4.0
"""Depth beyond which nothing counts as shown [m]: where a phone's depth is no more confident."""
MANY_FACES: Final = 4000
"""Scanned meshes, which have more faces, have inner shells, which are no part of the outer surface."""


def true_shapes(place: Place, truth: Truth, camera: Intrinsics) -> dict[str, TrueShape]:
    """Return the true objects with what the frames of a depth camera show of them."""
    return {name: _true_shape(name, item, truth, camera) for name, item in place.items.items()}


def visible_structure(place: Place, truth: Truth, camera: Intrinsics, kind: str) -> tuple[Array, float]:
    """Return visible points [n, 3] of all structures whose name begins with a kind, and the area of each [m²]."""
    meshes = [mesh for name, mesh in place.structures if name.startswith(kind)]
    if not meshes:
        return np.zeros((0, 3)), 0.0
    areas = np.array([mesh.to_trimesh().area for mesh in meshes])
    count = int(min(60_000, max(4000, float(areas.sum()) * 400)))
    rng = np.random.default_rng(0)
    parts = [
        sample(mesh, max(1, round(count * float(area / areas.sum()))), rng=rng)
        for mesh, area in zip(meshes, areas, strict=True)
    ]
    points = np.concatenate(parts)
    return points[is_shown(points, truth, camera)], float(areas.sum()) / len(points)


def is_shown(points: Array, truth: Truth, camera: Intrinsics, *, body: str | None = None) -> Array:
    """Return bool [n]: the points [n, 3] that some frame shows, in pixels of one body where it is given."""
    is_visible = np.zeros(len(points), dtype=bool)
    for index, (pose, depth) in enumerate(zip(truth.world_from_camera, truth.depth_m, strict=True)):
        mask = None if body is None else truth.masks[body].get(index)
        if body is not None and mask is None:
            continue
        rest = np.flatnonzero(~is_visible)
        camera_points = transform(invert(pose), points[rest])
        front = camera_points[:, 2] > 0.05
        pixels, z = project(camera_points[front], camera)
        column, row = np.rint(pixels).astype(int).T
        inside = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height) & (z <= MAX_RANGE_M)
        numbers = rest[front][inside]
        column, row, z = column[inside], row[inside], z[inside]
        hit = z <= depth[row, column] + SLACK_M + SLACK_PER_M * z
        if mask is not None:
            hit &= mask[row, column]
        is_visible[numbers[hit]] = True
    return is_visible


def _true_shape(name: str, item: TrueItem, truth: Truth, camera: Intrinsics) -> TrueShape:
    rng = np.random.default_rng(0)
    if len(item.mesh.faces) > MANY_FACES:
        surface = outer_surface(item.mesh, count=DENSE, rng=rng)
    else:
        surface = sample(item.mesh, DENSE, rng=rng)
    points = surface[rng.permutation(len(surface))[: 2 * VISIBLE_SAMPLES]]
    is_visible = is_shown(points, truth, camera, body=name)
    return TrueShape(
        mesh=item.mesh,
        surface=surface,
        visible=points[is_visible],
        visible_fraction=float(is_visible.mean()),
        volume_m3=item.volume_m3,
        hollow=item.hollow,
        thin=item.thin,
    )
