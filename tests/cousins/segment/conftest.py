"""Small synthetic scenes of boxes on a table, rendered exactly, with optional depth noise."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from cousins.capture.captures import Capture, Frame, Scale
from cousins.geometry import Array, Intrinsics, look_at
from cousins.meshes import Mesh
from cousins.raster import render

CAMERA = Intrinsics(width=256, height=192, fx=213.0, fy=213.0, cx=127.5, cy=95.5)
CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=np.float64)
FACES = np.array(
    [
        [0, 1, 3],
        [0, 3, 2],
        [4, 6, 7],
        [4, 7, 5],
        [0, 4, 5],
        [0, 5, 1],
        [2, 3, 7],
        [2, 7, 6],
        [0, 2, 6],
        [0, 6, 4],
        [1, 5, 7],
        [1, 7, 3],
    ]
)


def box(low: Sequence[float], high: Sequence[float]) -> Mesh:
    low_m, high_m = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    return Mesh(vertices=low_m + CORNERS * (high_m - low_m), faces=FACES)


def table() -> Mesh:
    return box((-0.6, -0.5, -0.02), (0.6, 0.5, 0.0))


def views(count: int, *, radius_m: float = 0.6, height_m: float = 0.45) -> list[Array]:
    angles = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)
    target = np.array([0.0, 0.0, 0.05])
    eyes = [np.array([radius_m * np.cos(a), radius_m * np.sin(a), height_m]) for a in angles]
    return [look_at(eye, target) for eye in eyes]


def film(meshes: Sequence[Mesh], poses: Sequence[Array], *, noise: float = 0.0) -> tuple[Capture, list[Array]]:
    """Return a capture of a table with meshes and the body at each pixel by frame: -1 none, 0 table, 1... meshes."""
    frames, bodies = [], []
    rng = np.random.default_rng(0)
    for index, pose in enumerate(poses):
        raster = render([table(), *meshes], CAMERA, pose)
        depth = raster.depth_m + noise * rng.standard_normal(raster.depth_m.shape) * (raster.depth_m > 0.0)
        frames.append(
            Frame(
                index=index,
                timestamp_s=0.1 * index,
                world_from_camera=pose,
                depth_camera=CAMERA,
                depth_m=depth.astype(np.float32),
                confidence=np.where(depth > 0.0, 2, 0).astype(np.uint8),
            )
        )
        bodies.append(raster.body)
    scale = Scale(source="made", error=0.0)
    return Capture(name="made", device="none", app="test", frames=tuple(frames), scale=scale), bodies


@pytest.fixture(scope="session")
def scene_builder() -> SimpleNamespace:
    """Return the functions that build scenes: `box`, `film` and `views`."""
    return SimpleNamespace(box=box, film=film, views=views)
