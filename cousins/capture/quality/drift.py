"""Drift of a scan: distance between surfaces seen early and the same surfaces seen late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TypeVar

import numpy as np

from cousins.capture.captures import Frame
from cousins.capture.quality.reprojection import FAR_M, surface_normals
from cousins.geometry import Array, Intrinsics, invert, project, transform

MAX_GAP_M = 0.15
"""Largest distance between two observations of one surface [m]."""

_T = TypeVar("_T")
_SAMPLE_COLUMNS = 64
_MIN_MATCHES = 60
"""Least number of matched samples of two overlapping frames."""
_END_SHARE = 0.1
"""Share of the frames that count as early and as late."""
_END_FRAMES = 4
_NEIGHBOUR_PAIRS = 10
_SAME_NORMAL_COSINE = np.cos(np.deg2rad(25.0))


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Median distances between two observations of the same surfaces [m]; None without overlap."""

    neighbour_m: float | None
    """Between consecutive frames: sensor noise."""
    loop_m: float | None
    """Between the first and the last frames: noise and drift."""


def measure_drift(frames: Sequence[Frame]) -> Drift:
    """Return the surface distances between consecutive frames, and between the first and the last frames."""
    ends = max(1, round(_END_SHARE * len(frames)))
    early, late = _evenly_spaced(frames[:ends], _END_FRAMES), _evenly_spaced(frames[-ends:], _END_FRAMES)
    neighbours = _evenly_spaced(list(pairwise(frames)), _NEIGHBOUR_PAIRS)
    loops = [(first, last) for first, last in product(early, late) if first.index != last.index]
    return Drift(neighbour_m=_median_gap_m(neighbours), loop_m=_median_gap_m(loops))


def surface_gaps_m(first: Frame, second: Frame) -> Array:
    """Return point-to-plane distances [n] [m] between samples of surfaces visible in both frames.

    A sample counts where the other frame has a surface of the same orientation within `MAX_GAP_M`, so that occluded
    surfaces are left out.
    """
    points, normals, _ = _trusted_surface(first)
    has_normal = normals.any(axis=-1)
    second_from_first = invert(second.world_from_camera) @ first.world_from_camera
    moved = transform(second_from_first, points[has_normal])
    turned = normals[has_normal] @ second_from_first[:3, :3].T
    other_points, other_normals, camera = _trusted_surface(second)
    cells = project(moved, camera)[0]
    with np.errstate(invalid="ignore"):
        inside: Array = np.all((cells > -0.5) & (cells < np.array([camera.width, camera.height]) - 0.5), axis=-1)
    column, row = np.rint(cells[inside]).astype(int).T
    planes = other_normals[row, column]
    gaps = np.sum(planes * (moved[inside] - other_points[row, column]), axis=-1)
    is_same_surface = (np.sum(planes * turned[inside], axis=-1) > _SAME_NORMAL_COSINE) & (np.abs(gaps) < MAX_GAP_M)
    return np.asarray(np.abs(gaps[is_same_surface]))


def _trusted_surface(frame: Frame) -> tuple[Array, Array, Intrinsics]:
    trusted = (frame.confidence >= 1) & (frame.depth_m < FAR_M)
    return surface_normals(np.where(trusted, frame.depth_m, 0.0), frame.depth_camera, columns=_SAMPLE_COLUMNS)


def _median_gap_m(pairs: Sequence[tuple[Frame, Frame]]) -> float | None:
    gaps = [surface_gaps_m(first, second) for first, second in pairs]
    matched_gaps = [gap for gap in gaps if len(gap) >= _MIN_MATCHES]
    return float(np.median(np.concatenate(matched_gaps))) if matched_gaps else None


def _evenly_spaced(items: Sequence[_T], count: int) -> list[_T]:
    return [items[index] for index in np.unique(np.linspace(0, len(items) - 1, count).astype(int))] if items else []
