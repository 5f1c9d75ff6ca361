"""How much of the true walls and floors a twin holds, and how much it holds where there is none.

True area is what the frames show of floors and walls. A point of it is found where a structure of the same kind lies
within 5 cm. False area is that of the twin's walls and floors farther than 10 cm from any true surface of the scene,
seen or not, so that a floor under a sofa is not false, but one through a wall is; each structure counts with the side
whose normal is the most common one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.spatial import cKDTree

from cousins.geometry import Array
from cousins.meshes import Mesh
from scenes.objects import sample

FOUND_M: Final = 0.05
"""Largest distance of a found point from a structure [m]."""
FALSE_M: Final = 0.10
"""Least distance of a false point from all true surfaces [m]."""
PER_M2: Final = 900.0
"""Points that stand for an area [1/m²]: about 3 cm apart."""
SAME_SIDE: Final = 0.8
"""Least cosine between a face's normal and its structure's."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FlatSurface:
    """A structure of a twin or of its peer in the truth's frame."""

    kind: str
    """`floor`, `wall`, `table`, ..."""
    mesh: Mesh
    """Its mesh."""


def score_structure(
    flat: Sequence[FlatSurface], visible: dict[str, tuple[Array, float]], true_surface: Array
) -> dict[str, Any]:
    """Return areas [m²] by kind: true, found, and false.

    `visible` holds by kind the points [n, 3] that the frames show and the area of each [m²]; `true_surface` [m, 3] are
    points of all true surfaces.
    """
    true_tree = cKDTree(true_surface)
    result: dict[str, Any] = {}
    for kind, (points, area_m2) in visible.items():
        samples = [side_points(item.mesh) for item in flat if item.kind == kind]
        patches = [patch for patch, _ in samples if len(patch)]
        found_count = 0
        if patches and len(points):
            found_count = int((cKDTree(np.concatenate(patches)).query(points)[0] <= FOUND_M).sum())
        false_m2 = sum(
            float((true_tree.query(patch)[0] > FALSE_M).sum()) * patch_m2 for patch, patch_m2 in samples if len(patch)
        )
        result[kind] = {
            "true_m2": round(len(points) * area_m2, 4),
            "found_m2": round(found_count * area_m2, 4),
            "false_m2": round(false_m2, 4),
        }
    return result


def side_points(mesh: Mesh) -> tuple[Array, float]:
    """Return points [n, 3] of the side of a structure with the largest area, and the area of each [m²]."""
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = 0.5 * np.linalg.norm(normals, axis=1)
    if not len(areas) or areas.sum() <= 0.0:
        return np.zeros((0, 3)), 0.0
    main = normals[int(np.argmax(areas))]
    cosines = normals @ main / np.maximum(2.0 * areas * np.linalg.norm(main), 1e-18)
    side = Mesh(vertices=mesh.vertices, faces=mesh.faces[cosines >= SAME_SIDE])
    area = float(areas[cosines >= SAME_SIDE].sum())
    count = int(max(20, PER_M2 * area))
    return sample(side, count, rng=np.random.default_rng(0)), area / count
