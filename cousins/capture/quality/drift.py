"""How far a scan disagrees with itself: surfaces seen early against the same surfaces seen late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TypeVar

import numpy as np

from cousins.capture.captures import Frame
from cousins.capture.quality.reprojection import FAR_M, surface
from cousins.geometry import Array, Intrinsics, invert, project, transform

MAX_GAP_M = 0.15
"""Surfaces farther apart are taken for two things."""

_T = TypeVar("_T")
_COLUMNS = 64
_MIN_MATCHES = 60
"""Matched samples below which two frames are taken not to overlap."""
_END_SHARE = 0.1
"""Early and late are the first and the last tenth of the frames."""
_END_FRAMES = 4
_NEIGHBOURS = 10
_SAME_NORMAL = np.cos(np.deg2rad(25.0))


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Median distances between surfaces seen twice [m]; None where nothing was seen twice."""

    neighbour_m: float | None
    """Between frames that follow each other: sensor noise."""
    loop_m: float | None
    """Between the first and the last frames: noise and drift."""


def measure_drift(frames: Sequence[Frame]) -> Drift:
    """Compare neighbouring frames, and the first frames with the last ones."""
    ends = max(1, round(_END_SHARE * len(frames)))
    early, late = _spread(frames[:ends], _END_FRAMES), _spread(frames[-ends:], _END_FRAMES)
    neighbours = _spread(list(pairwise(frames)), _NEIGHBOURS)
    loops = [(first, last) for first, last in product(early, late) if first.index != last.index]
    return Drift(neighbour_m=_median_gap_m(neighbours), loop_m=_median_gap_m(loops))


def surface_gaps_m(first: Frame, second: Frame) -> Array:
    """Return point-to-plane distances [n] [m] between samples of surfaces that both frames see.

    A sample counts where the other frame saw a surface of the same direction within `MAX_GAP_M`: so what one view
    hides from the other is left out.
    """
    points, normals, _ = _trusted_surface(first)
    seen = normals.any(axis=-1)
    second_from_first = invert(second.world_from_camera) @ first.world_from_camera
    moved = transform(second_from_first, points[seen])
    turned = normals[seen] @ second_from_first[:3, :3].T
    other_points, other_normals, camera = _trusted_surface(second)
    cells = project(moved, camera)[0]
    with np.errstate(invalid="ignore"):
        inside: Array = np.all((cells > -0.5) & (cells < np.array([camera.width, camera.height]) - 0.5), axis=-1)
    column, row = np.rint(cells[inside]).astype(int).T
    planes = other_normals[row, column]
    gaps = np.sum(planes * (moved[inside] - other_points[row, column]), axis=-1)
    same = (np.sum(planes * turned[inside], axis=-1) > _SAME_NORMAL) & (np.abs(gaps) < MAX_GAP_M)
    return np.asarray(np.abs(gaps[same]))


def _trusted_surface(frame: Frame) -> tuple[Array, Array, Intrinsics]:
    trusted = (frame.confidence >= 1) & (frame.depth_m < FAR_M)
    return surface(np.where(trusted, frame.depth_m, 0.0), frame.depth_camera, columns=_COLUMNS)


def _median_gap_m(pairs: Sequence[tuple[Frame, Frame]]) -> float | None:
    gaps = [surface_gaps_m(first, second) for first, second in pairs]
    matched = [gap for gap in gaps if len(gap) >= _MIN_MATCHES]
    return float(np.median(np.concatenate(matched))) if matched else None


def _spread(items: Sequence[_T], count: int) -> list[_T]:
    return [items[index] for index in np.unique(np.linspace(0, len(items) - 1, count).astype(int))] if items else []
