"""What was seen well enough to be rebuilt: from enough directions, whole, and with enough surface."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.segment.geometric_names import fit_upright_box
from cousins.segment.masks import cut_by_border

LEAST_ARC_DEG = 25.0
"""Arc of views under which depth noise and drift cannot be told from shape [degree]."""
LEAST_SHARE = 0.1
"""Least visible surface beside that of the box around it: wires, leaves and ghosts have less."""
LEAST_PIXELS = 30
"""Least depth pixels in half of the views of an object: a die half a metre away has 36, and a shape to tell."""
FRINGE_SHARE = 0.8
"""Share of its frames in which an object may be cut off by the image before it counts as incomplete."""


def weigh(
    capture: Capture, masks: Sequence[dict[int, Array]], clouds: Sequence[Array], *, voxel_m: float, up: Array
) -> tuple[list[int], tuple[str, ...]]:
    """Return the objects that were seen well enough, and a sentence for each reason to leave others out."""
    arcs = [_arc_deg(capture, mask, cloud, up) for mask, cloud in zip(masks, clouds, strict=True)]
    least = min(LEAST_ARC_DEG, 0.5 * max(arcs, default=0.0))
    kept: list[int] = []
    fringe = small = sided = bare = 0
    for k, (mask, cloud) in enumerate(zip(masks, clouds, strict=True)):
        if _at_fringe(mask, len(capture.frames)):
            fringe += 1
        elif np.median([np.count_nonzero(image) for image in mask.values()]) < LEAST_PIXELS:
            small += 1
        elif arcs[k] < least:
            sided += 1
        elif _share_seen(cloud, voxel_m, up) < LEAST_SHARE:
            bare += 1
        else:
            kept.append(k)
    reasons = (
        (fringe, "at the edge of what was filmed: film around them to include them"),
        (small, f"under {LEAST_PIXELS} depth pixels large: go nearer to include them"),
        (sided, f"seen from one side only, over less than {least:.0f}°: walk around them to include them"),
        (bare, "seen in bits, under a tenth of their surface: go nearer to include them"),
    )
    return kept, tuple(f"left out {_things(count)} {why}" for count, why in reasons if count)


def _things(count: int) -> str:
    return "1 thing" if count == 1 else f"{count} things"


def _at_fringe(masks: dict[int, Array], frames: int) -> bool:
    """Tell whether an object was hardly filmed: in under three of more than ten frames, or cut off in most."""
    if len(masks) == 0 or (frames > 10 and len(masks) < 3):
        return True
    return sum(cut_by_border(mask) for mask in masks.values()) > FRINGE_SHARE * len(masks)


def _arc_deg(capture: Capture, masks: dict[int, Array], cloud: Array, up: Array) -> float:
    """Return the level arc that the views of an object span about it [degree]: all but the widest gap."""
    if not masks:
        return 0.0
    helper = np.linalg.svd(up[None, :])[2][1:]
    eyes = np.array([frame.world_from_camera[:3, 3] for frame in capture.frames if frame.index in masks])
    away = (eyes - np.median(cloud, axis=0)) @ helper.T
    turn = np.sort(np.degrees(np.arctan2(away[:, 1], away[:, 0])) % 360.0)
    return float(360.0 - np.diff(np.append(turn, turn[0] + 360.0)).max())


def _share_seen(cloud: Array, voxel_m: float, up: Array) -> float:
    """Return the visible surface as a share of the surface of the upright box around it."""
    long_m, wide_m, high_m = fit_upright_box(cloud, up).size_m + voxel_m
    return float(len(cloud) * voxel_m**2 / (2.0 * (long_m * wide_m + long_m * high_m + wide_m * high_m)))
