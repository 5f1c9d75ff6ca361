"""Align the pictures of a video with depth images by the agreement of their edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from cousins.geometry import Array, rotation_angle_rad

PICTURE_OFFSETS = (0, -1, 1)
"""Candidate offsets of picture number minus line number, the most likely first."""
_PROBE_COUNT = 12
"""Number of frames compared: those during which the camera turns fastest."""
_MAX_PROBED_FRAMES = 900
"""Number of frames from the start among which these are selected, to limit decoding."""
_MIN_EDGE_STEP = 0.05
"""Least relative depth change between neighbouring pixels at an edge."""
_MIN_ADVANTAGE = 1.03
"""Ratio by which another offset must outscore offset 0 to be selected."""


def fastest_turning_frames(poses: Sequence[Array]) -> list[int]:
    """Return the indices of the frames at which the camera turns fastest, ascending; `poses` are [4, 4]."""
    first_poses = poses[:_MAX_PROBED_FRAMES]
    turns = [
        rotation_angle_rad(
            first_poses[max(0, index - 1)][:3, :3].T @ first_poses[min(len(first_poses) - 1, index + 1)][:3, :3]
        )
        for index in range(len(first_poses))
    ]
    return sorted(np.argsort(turns, kind="stable")[::-1][:_PROBE_COUNT].tolist())


def best_offset(pairs: Sequence[tuple[Array, Mapping[int, Array]]]) -> tuple[int, str]:
    """Return the offset at which edges of depth [h, w] and pictures [h, w, 3] agree best, and a warning with scores."""
    complete = [(depth, pictures) for depth, pictures in pairs if all(offset in pictures for offset in PICTURE_OFFSETS)]
    if not complete:
        return 0, "Pictures and depth were paired by their order: too few frames to test it."
    scores = {
        offset: float(np.mean([_edge_agreement(depth, pictures[offset]) for depth, pictures in complete]))
        for offset in PICTURE_OFFSETS
    }
    best = max(PICTURE_OFFSETS, key=lambda offset: scores[offset])
    score_text = ", ".join(f"{offset:+d}: {scores[offset]:.2f}" for offset in PICTURE_OFFSETS)
    if scores[best] < _MIN_ADVANTAGE * scores[0]:
        return 0, f"Pictures and depth were paired by their order (agreement of edges by offset {score_text})."
    return (
        best,
        f"Pictures and depth are {best:+d} apart and were paired so (agreement of edges by offset {score_text}).",
    )


def _edge_agreement(depth: Array, picture: Array) -> float:
    """Return the mean image gradient at depth edges divided by the mean gradient elsewhere."""
    z = depth.astype(np.float64)
    image = Image.fromarray(picture).convert("L").resize((z.shape[1], z.shape[0]), Image.Resampling.BOX)
    gray = np.asarray(image, dtype=np.float64)
    change = np.abs(np.diff(gray, axis=1))[:-1] + np.abs(np.diff(gray, axis=0))[:, :-1]
    across = np.abs(np.diff(z, axis=1))[:-1] + np.abs(np.diff(z, axis=0))[:, :-1]
    nearest_depth = np.minimum(np.minimum(z[:-1, :-1], z[1:, :-1]), z[:-1, 1:])
    edge = (nearest_depth > 0) & (across > _MIN_EDGE_STEP * nearest_depth)
    flat = (nearest_depth > 0) & ~edge
    if not edge.any() or not flat.any():
        return 1.0
    return float(change[edge].mean() / max(change[flat].mean(), 1e-6))
