"""How close a twin comes to the simulated world that the phone saw."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from trimesh.sample import sample_surface

from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.scene.scenes import PlacedAsset, Scene
from flows.reporting.pictures import link_poses
from sim.synthetic.phone import Truth

SAMPLES = 20_000
"""Points on each surface."""
NEAR_M = 0.05
"""A twin's object farther than this from a true one, centre to centre, is not it [m]."""


def compare(scene: Scene, truth: Truth) -> list[dict[str, Any]]:
    """Return a row for each true object: which asset it became, and the errors; None where it was not found.

    Poses are taken as they are: drift of the simulated phone counts as error.
    """
    names = list(truth.meshes)
    centers = np.array([_center(truth.meshes[name].vertices) for name in names])
    twins = [_world_vertices(placed) for placed in scene.objects]
    matches: dict[int, int] = {}
    if twins:
        distances = np.linalg.norm(centers[:, None] - np.array([_center(points) for points in twins])[None], axis=2)
        rows, columns = linear_sum_assignment(distances)
        matches = {row: column for row, column in zip(rows, columns, strict=True) if distances[row, column] < NEAR_M}
    return [
        {
            "truth": truth.labels[name],
            **_row(scene.objects[matches[index]] if index in matches else None, truth.meshes[name]),
        }
        for index, name in enumerate(names)
    ]


def _row(placed: PlacedAsset | None, true: Mesh) -> dict[str, Any]:
    if placed is None:
        return dict.fromkeys(("name", "chamfer_mm", "size_error_mm", "position_error_mm", "volume_error"))
    reconstructed = placed.asset.links[0].visual.transformed(placed.world_from_asset)
    size = np.ptp(true.vertices, axis=0) - np.ptp(_world_vertices(placed), axis=0)
    offset = _center(true.vertices) - _center(_world_vertices(placed))
    true_volume = float(true.to_trimesh().volume)
    volume = float(reconstructed.to_trimesh().volume)
    return {
        "name": placed.asset.name,
        "chamfer_mm": round(chamfer_m(reconstructed, true) * 1000.0, 3),
        "size_error_mm": round(float(np.abs(size).max()) * 1000.0, 3),
        "position_error_mm": round(float(np.linalg.norm(offset)) * 1000.0, 3),
        "volume_error": round(volume / true_volume - 1.0, 4) if true_volume > 0.0 else None,
    }


def chamfer_m(first: Mesh, second: Mesh) -> float:
    """Return the mean of the two mean distances between surfaces [m]."""
    points = [sample_surface(mesh.to_trimesh(), SAMPLES, seed=0)[0] for mesh in (first, second)]
    forward_m = cKDTree(points[1]).query(points[0])[0].mean()
    backward_m = cKDTree(points[0]).query(points[1])[0].mean()
    return float(forward_m + backward_m) / 2.0


def _world_vertices(placed: PlacedAsset) -> Array:
    poses = link_poses(placed)
    return np.concatenate([link.visual.transformed(poses[link.name]).vertices for link in placed.asset.links])


def _center(points: Array) -> Array:
    return np.asarray((points.min(axis=0) + points.max(axis=0)) / 2.0)
