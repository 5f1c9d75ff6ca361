"""Captures rendered from known meshes, for tests that need exact depth and poses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cousins.capture.captures import Capture, Frame, Scale
from cousins.geometry import Array, Intrinsics
from cousins.meshes import Mesh
from cousins.raster import render


def rendered_capture(
    meshes: Sequence[Mesh], camera: Intrinsics, poses: Sequence[Array], *, gravity_known: bool = True
) -> Capture:
    frames = []
    for number, pose in enumerate(poses):
        depth = render(meshes, camera, pose).depth_m
        frames.append(
            Frame(
                index=number,
                timestamp_s=0.1 * number,
                world_from_camera=pose,
                depth_camera=camera,
                depth_m=depth,
                confidence=np.full(depth.shape, 2, dtype=np.uint8),
            )
        )
    scale = Scale(source="lidar", error=0.01)
    return Capture(
        name="test", device="test", app="test", frames=tuple(frames), scale=scale, gravity_known=gravity_known
    )
