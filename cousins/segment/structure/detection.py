"""Detect the fixed flat structure of a capture from posed depth: floors, raised supports, walls and ceilings.

Planes are fitted to depth points sampled over all frames, patch by patch. Membership is decided from a plane's own
measured scatter, never beyond what the depth noise model allows, so that a book of 15 mm stays an object.
"""

from __future__ import annotations

import numpy as np

from cousins.capture.captures import Capture
from cousins.capture.gravity import HOW_TO_SHOW_UP
from cousins.geometry import Array
from cousins.segment.structure.plane_fitting import MIN_NORMAL_COS, fit_plane
from cousins.segment.structure.planes import FixedStructure, PlaneConfig
from cousins.segment.structure.samples import DepthSamples, sample_depth, subset
from cousins.segment.structure.supports import find_supports
from cousins.segment.structure.walls import find_walls

MAX_UP_ERROR_COS = np.cos(np.deg2rad(15.0))
"""Cosine of the largest angle between an estimated z axis and the normal of a plane that corrects it: 15 degrees."""
MIN_LEVEL_SHARE = 0.04
"""Least share of the seen area whose normals lie that near to an estimated z axis that is worth trusting."""


def find_planes(capture: Capture, *, config: PlaneConfig | None = None, rng: np.random.Generator) -> FixedStructure:
    """Return the floor, tables and walls of a capture of one or more frames."""
    config = config or PlaneConfig()
    per_frame = max(config.samples_per_frame, config.samples // len(capture.frames))
    samples = sample_depth(capture, per_frame=per_frame, max_frames=config.max_frames)
    warnings: list[str] = []
    up = np.array([0.0, 0.0, 1.0])
    if len(samples.points) < 50:
        return FixedStructure(planes=(), up=up, warnings=("too little depth to find a plane",))
    if not capture.gravity_known:
        up, sentence = _up_without_gravity(samples, rng)
        warnings.append(sentence)
    supports = find_supports(samples, capture.frames, up, config)
    if not supports:
        warnings.append("no support plane was found: objects are separated without one")
    walls = find_walls(samples, capture.frames, up, supports, config)
    return FixedStructure(planes=tuple(supports + walls), up=up, warnings=tuple(warnings))


def _up_without_gravity(samples: DepthSamples, rng: np.random.Generator) -> tuple[Array, str]:
    """Return the up direction [3] of a capture whose z axis was estimated when it was read, and a warning.

    The largest nearly level plane corrects z. Where little faces along z, the largest plane of all is taken instead:
    then z was a guess.
    """
    z = np.array([0.0, 0.0, 1.0])
    is_level = samples.normals @ z > MAX_UP_ERROR_COS
    if samples.areas[is_level].sum() >= MIN_LEVEL_SHARE * samples.areas.sum():
        level = subset(samples, is_level)
        up = _dominant_normal(level, rng)
        if up @ z > MAX_UP_ERROR_COS:
            return up, "gravity is unknown: up is estimated from how the phone was held and corrected by a level plane"
    return _dominant_normal(samples, rng), (
        "gravity is unknown and nothing level was seen: up is taken from the largest plane and unsure. "
        f"To be sure, {HOW_TO_SHOW_UP}"
    )


def _dominant_normal(samples: DepthSamples, rng: np.random.Generator) -> Array:
    """Return the normal of the plane with the most area: seeds are points with normals, scored by inlier area."""
    seeds = rng.choice(len(samples.points), size=min(200, len(samples.points)), replace=False)
    subset = slice(None, None, max(1, len(samples.points) // 8000))
    points, normals, areas = samples.points[subset], samples.normals[subset], samples.areas[subset]
    best, score = samples.normals[seeds[0]], -1.0
    for seed in seeds:
        normal = samples.normals[seed]
        near = np.abs((points - samples.points[seed]) @ normal) < 2.0 * samples.sigmas[seed]
        area = float(areas[near & (normals @ normal > MIN_NORMAL_COS)].sum())
        if area > score:
            best, score = normal, area
    offset = float(np.median(points[normals @ best > MIN_NORMAL_COS] @ best))
    return fit_plane(points, best, offset, normals=normals, reach_m=0.03).normal
