"""Which picture of a video goes with which depth image: their edges lie in the same places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from cousins.geometry import Array, rotation_angle_rad

OFFSETS = (0, -1, 1)
"""Offsets of picture number minus line number that are tried, the likeliest first."""
_PROBES = 12
"""Frames looked at: those during which the camera turned fastest."""
_FIRST = 900
"""Only so many frames from the start are looked at, to decode no more than that."""
_STEP = 0.05
"""Depth that changes by this share from pixel to pixel is an edge."""
_CLEAR = 1.03
"""Another offset must fit the edges this many times better to be chosen."""


def probes(poses: Sequence[Array]) -> list[int]:
    """Return the indices of the frames between whose neighbours the camera turned most, ascending."""
    few = poses[:_FIRST]
    turns = [
        rotation_angle_rad(few[max(0, index - 1)][:3, :3].T @ few[min(len(few) - 1, index + 1)][:3, :3])
        for index in range(len(few))
    ]
    return sorted(np.argsort(turns, kind="stable")[::-1][:_PROBES].tolist())


def best_offset(pairs: Sequence[tuple[Array, Mapping[int, Array]]]) -> tuple[int, str]:
    """Return the offset under which edges of depth [h, w] and pictures [h, w, 3] agree best, and what was found."""
    complete = [(depth, near) for depth, near in pairs if all(offset in near for offset in OFFSETS)]
    if not complete:
        return 0, "Pictures and depth were paired by their order: too few frames to test it."
    scores = {
        offset: float(np.mean([_agreement(depth, near[offset]) for depth, near in complete])) for offset in OFFSETS
    }
    best = max(OFFSETS, key=lambda offset: scores[offset])
    told = ", ".join(f"{offset:+d}: {scores[offset]:.2f}" for offset in OFFSETS)
    if scores[best] < _CLEAR * scores[0]:
        return 0, f"Pictures and depth were paired by their order (agreement of edges by offset {told})."
    return best, f"Pictures and depth are {best:+d} apart and were paired so (agreement of edges by offset {told})."


def _agreement(depth: Array, picture: Array) -> float:
    """Return how much stronger the picture changes at edges of depth than elsewhere."""
    z = depth.astype(np.float64)
    image = Image.fromarray(picture).convert("L").resize((z.shape[1], z.shape[0]), Image.Resampling.BOX)
    gray = np.asarray(image, dtype=np.float64)
    change = np.abs(np.diff(gray, axis=1))[:-1] + np.abs(np.diff(gray, axis=0))[:, :-1]
    across = np.abs(np.diff(z, axis=1))[:-1] + np.abs(np.diff(z, axis=0))[:, :-1]
    near = np.minimum(np.minimum(z[:-1, :-1], z[1:, :-1]), z[:-1, 1:])
    edge = (near > 0) & (across > _STEP * near)
    flat = (near > 0) & ~edge
    if not edge.any() or not flat.any():
        return 1.0
    return float(change[edge].mean() / max(change[flat].mean(), 1e-6))
