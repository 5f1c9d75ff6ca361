"""Evidence about an object's voxels."""

from __future__ import annotations

import numpy as np

from cousins.capture.captures import Capture
from cousins.geometry import Intrinsics, look_at
from cousins.meshes import Mesh
from cousins.reconstruct.shape import object_window
from cousins.reconstruct.surface.view_evidence import (
    Evidence,
    VoxelGrid,
    add_evidence,
    no_evidence,
    prepare_observation,
)
from cousins.segment.frame_masks import pack_mask
from sim.synthetic import primitives
from tests.cousins.rendered_captures import rendered_capture

CAMERA = Intrinsics(width=120, height=90, fx=100.0, fy=100.0, cx=61.3, cy=44.1)
GRID = VoxelGrid(origin=np.array([-0.06, -0.06, -0.01]), voxel_m=0.01, shape=(13, 13, 12))


def cube_on_a_floor() -> Capture:
    texture = np.zeros((8, 8, 3), dtype=np.uint8)
    floor: Mesh = primitives.box((2.0, 2.0, 0.01), texture)
    eyes = ((0.6, 0.1, 0.5), (-0.2, 0.5, 0.4), (0.1, -0.9, 0.3), (0.02, 0.03, 0.14))
    poses = [look_at(np.array(eye), np.array([0.1, 0.0, 0.0])) for eye in eyes]
    return rendered_capture([primitives.box((0.1, 0.1, 0.09), texture), floor], CAMERA, poses)


def evidence_of(capture: Capture, *, whole_frames: bool) -> Evidence:
    evidence = no_evidence(GRID)
    for frame in capture.frames:
        mask = frame.depth_m < np.median(frame.depth_m)
        window = None if whole_frames else object_window(frame, GRID, pack_mask(mask & (mask.cumsum(axis=1) < 9)))
        add_evidence(evidence, prepare_observation(frame, mask, window), GRID, truncation_m=0.03)
    return evidence


def test_the_window_of_an_object_gives_the_evidence_of_the_whole_frame() -> None:
    capture = cube_on_a_floor()
    windows = [object_window(frame, GRID, None) for frame in capture.frames]
    sizes = [(rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in windows]
    assert min(sizes) < 0.5 * CAMERA.width * CAMERA.height
    cut, full = evidence_of(capture, whole_frames=False), evidence_of(capture, whole_frames=True)
    assert full.weight.any()
    for name in ("weight", "moment", "free_views", "surface_views"):
        assert np.array_equal(getattr(cut, name), getattr(full, name)), name


def test_a_window_holds_the_mask_beside_the_grid() -> None:
    frame = cube_on_a_floor().frames[0]
    mask = np.zeros(frame.depth_m.shape, dtype=bool)
    mask[2:4, 100:119] = True
    rows, columns = object_window(frame, GRID, pack_mask(mask))
    assert rows.start <= 2
    assert columns.stop >= 119
