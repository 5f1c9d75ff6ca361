"""Select objects that were observed well enough: from enough directions, whole, and with enough surface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.segment.geometric_names import fit_upright_box
from cousins.segment.masks import is_cut_by_border

MIN_VIEW_ARC_DEG = 25.0
"""Smallest arc of viewing directions [degree]; below it depth noise and drift dominate the shape."""
WIDE_ARC_QUANTILE = 0.9
"""Quantile of the arcs of all objects that is what a capture offers: a speck beside the camera is seen all around."""
MIN_VISIBLE_SHARE = 0.1
"""Smallest visible area relative to the surface of the bounding box: wires, leaves and ghosts have less."""
MIN_MEDIAN_PIXELS = 30
"""Smallest median number of depth pixels of an object: a die half a metre away has 36."""
MAX_CUT_OFF_SHARE = 0.8
"""Largest share of its frames in which an object may be cut off by the image edge."""


def select_observed(
    capture: Capture, masks: Sequence[Mapping[int, Array]], clouds: Sequence[Array], *, voxel_m: float, up: Array
) -> tuple[list[int], tuple[str, ...]]:
    """Return the indices of the objects that were observed well enough, and a sentence for each reason to drop others.

    `masks` holds for each object its masks by frame index, bool [h, w]; `clouds` its world points [m], [n, 3].
    """
    arcs = [_view_arc_deg(capture, mask, cloud, up) for mask, cloud in zip(masks, clouds, strict=True)]
    min_arc_deg = min(MIN_VIEW_ARC_DEG, 0.5 * float(np.quantile(arcs, WIDE_ARC_QUANTILE))) if arcs else 0.0
    kept_indices: list[int] = []
    barely_filmed = too_small = one_sided = fragmentary = 0
    for k, (mask, cloud) in enumerate(zip(masks, clouds, strict=True)):
        if _is_barely_filmed(mask, len(capture.frames)):
            barely_filmed += 1
        elif np.median([np.count_nonzero(image) for image in mask.values()]) < MIN_MEDIAN_PIXELS:
            too_small += 1
        elif arcs[k] < min_arc_deg:
            one_sided += 1
        elif _visible_share(cloud, voxel_m, up) < MIN_VISIBLE_SHARE:
            fragmentary += 1
        else:
            kept_indices.append(k)
    reasons = (
        (barely_filmed, "at the edge of what was filmed: film around them to include them"),
        (too_small, f"under {MIN_MEDIAN_PIXELS} depth pixels large: go nearer to include them"),
        (one_sided, f"seen from one side only, over less than {min_arc_deg:.0f}°: walk around them to include them"),
        (fragmentary, "seen in bits, under a tenth of their surface: go nearer to include them"),
    )
    return kept_indices, tuple(f"left out {_format_count(count)} {why}" for count, why in reasons if count)


def _format_count(count: int) -> str:
    return "1 thing" if count == 1 else f"{count} things"


def _is_barely_filmed(masks: Mapping[int, Array], frames: int) -> bool:
    """Return whether an object is in fewer than three of more than ten frames, or cut off by the image edge in most."""
    if len(masks) == 0 or (frames > 10 and len(masks) < 3):
        return True
    return sum(is_cut_by_border(mask) for mask in masks.values()) > MAX_CUT_OFF_SHARE * len(masks)


def _view_arc_deg(capture: Capture, masks: Mapping[int, Array], cloud: Array, up: Array) -> float:
    """Return the level arc that the views of an object span about it [degree]: all but the widest gap."""
    if not masks:
        return 0.0
    level_axes = np.linalg.svd(up[None, :])[2][1:]
    eyes = np.array([frame.world_from_camera[:3, 3] for frame in capture.frames if frame.index in masks])
    directions = (eyes - np.median(cloud, axis=0)) @ level_axes.T
    azimuths = np.sort(np.degrees(np.arctan2(directions[:, 1], directions[:, 0])) % 360.0)
    return float(360.0 - np.diff(np.append(azimuths, azimuths[0] + 360.0)).max())


def _visible_share(cloud: Array, voxel_m: float, up: Array) -> float:
    """Return the visible surface as a share of the surface of the upright box around it."""
    long_m, wide_m, high_m = fit_upright_box(cloud, up).size_m + voxel_m
    return float(len(cloud) * voxel_m**2 / (2.0 * (long_m * wide_m + long_m * high_m + wide_m * high_m)))
