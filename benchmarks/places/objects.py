"""Which true objects a set of surfaces holds: found, merged, split, missed; and how close the shapes are.

- *Counted* are true objects of which the frames show at least 20 % of the surface, underside included.
- *Found* is a counted object with a surface of its own, one to one, whose solid overlaps the true one by an
  intersection over union of at least 0.5 (for thin walls and open meshes see solids.py).
- *Merged* are counted objects that share a surface: of both, half of the visible points or more are nearest to it.
- *Split* is a counted object of whose visible points two or more surfaces hold 15 % each, each of them a surface that
  holds no more points of another object.
- A *thin* thing is found where a surface holds half of its visible points and half of that surface's points are near
  it: of a pen of 8 mm, an overlap of solids measures noise. Thin things stand in no other share.
- Chamfer, F-score and volume error are those of the surface that holds most of the object, whether found or not; an
  object that no surface holds counts as half its diagonal, no match and a volume error of 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from cousins.geometry import Array
from cousins.meshes import Mesh
from places.solids import iou, voxel_size_m
from scenes.objects import compare, missed, sample

LEAST_VISIBLE: Final = 0.2
"""Share of its surface that an object must show to count."""
LEAST_IOU: Final = 0.5
"""Least overlap of solids of an object that is found."""
NEAR_M: Final = 0.015
"""A visible point belongs to the nearest surface, none farther than this [m]: three sigmas of depth at 1 m."""
MERGED_SHARE: Final = 0.5
"""Share of an object's visible points that a surface holds which the object shares with another."""
SPLIT_SHARE: Final = 0.15
"""Share of an object's visible points that makes a surface a part of it."""
VISIBLE_SAMPLES: Final = 3000
"""Points on each true object and each surface that are assigned."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrueShape:
    """A true object as it is scored."""

    mesh: Mesh
    """Its mesh."""
    surface: Array
    """Points of its outer surface [m], [n, 3]."""
    visible: Array
    """Those of its points that some frame shows [m], [m, 3]."""
    visible_fraction: float
    """Share of its surface that some frame shows."""
    volume_m3: float
    """Volume that its outer surface encloses [m³]."""
    hollow: bool
    """Whether it is open above."""
    thin: bool
    """Whether it may be named in place of being rebuilt."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Holding:
    """Which surface holds the points of which true object."""

    share: Array
    """Share of an object's visible points that are nearest to a surface, [objects, surfaces]."""
    count: Array
    """The same as numbers of points, [objects, surfaces]."""


def score_objects(shapes: Mapping[str, TrueShape], surfaces: Sequence[Mesh]) -> list[dict[str, Any]]:
    """Return a row for each true object that counts; all meshes are in one frame."""
    counted = {name: shape for name, shape in shapes.items() if shape.visible_fraction >= LEAST_VISIBLE}
    holding = hold_points(list(counted.values()), surfaces)
    merged, split = merged_and_split(holding)
    overlaps = _overlaps(list(counted.values()), surfaces, holding)
    matched = _matches(overlaps)
    rows = []
    for number, (name, shape) in enumerate(counted.items()):
        main = int(np.argmax(holding.share[number])) if len(surfaces) and holding.share[number].max() > 0.0 else None
        best = matched.get(number)
        rows.append(
            {
                "object": name,
                "thin": shape.thin,
                "hollow": shape.hollow,
                "visible": round(shape.visible_fraction, 3),
                "iou": 0.0 if best is None else round(float(overlaps[number, best]), 3),
                "found": (best is not None and bool(overlaps[number, best] >= LEAST_IOU))
                or (
                    shape.thin
                    and main is not None
                    and _is_of(shape, surfaces[main], float(holding.share[number, main]))
                ),
                "merged": bool(merged[number]),
                "split": bool(split[number]),
                "surface": main if best is None else best,
                **shape_errors(shape, None if main is None else surfaces[main]),
            }
        )
    return rows


def hold_points(shapes: Sequence[TrueShape], surfaces: Sequence[Mesh]) -> Holding:
    """Return which surface is nearest to the visible points of each object, none where all are far."""
    count = np.zeros((len(shapes), len(surfaces)), dtype=np.int64)
    if surfaces and shapes:
        rng = np.random.default_rng(0)
        points = [sample(mesh, 4 * VISIBLE_SAMPLES, rng=rng) for mesh in surfaces]
        owner = np.append(np.repeat(np.arange(len(surfaces)), [len(part) for part in points]), -1)
        tree = cKDTree(np.concatenate(points))
        for number, shape in enumerate(shapes):
            _, nearest = tree.query(shape.visible, distance_upper_bound=NEAR_M)
            held = owner[nearest]
            count[number] = np.bincount(held[held >= 0], minlength=len(surfaces))
    totals = np.array([max(len(shape.visible), 1) for shape in shapes], dtype=np.float64).reshape(-1, 1)
    return Holding(share=count / totals, count=count)


def merged_and_split(holding: Holding) -> tuple[Array, Array]:
    """Return bool [objects] each: whether it shares a surface with another object, whether it is in several parts."""
    merged, split = (np.zeros(len(holding.share), dtype=bool) for _ in range(2))
    if holding.share.shape[1]:
        together = holding.share >= MERGED_SHARE
        merged = (together & (together.sum(axis=0, keepdims=True) >= 2)).any(axis=1)
        mostly = holding.count >= holding.count.max(axis=0, keepdims=True)
        split = ((holding.share >= SPLIT_SHARE) & mostly).sum(axis=1) >= 2
    return merged, split


def shape_errors(shape: TrueShape, surface: Mesh | None) -> dict[str, Any]:
    """Return Chamfer [mm], F-scores, and the relative volume error of a surface, or those of none."""
    if surface is None or not len(surface.faces):
        return {**_rounded(asdict(missed(shape.surface))), "volume_error": 1.0, "missed": True}
    match = compare(surface, shape.surface, rng=np.random.default_rng(0))
    volume_m3 = abs(float(surface.to_trimesh().volume))
    error = abs(volume_m3 - shape.volume_m3) / shape.volume_m3
    return {**_rounded(asdict(match)), "volume_error": round(error, 4), "missed": False}


def extra_surfaces(holding: Holding) -> list[int]:
    """Return the numbers of the surfaces that hold no point of any object."""
    return [int(number) for number in np.flatnonzero(holding.count.sum(axis=0) == 0)]


def _is_of(shape: TrueShape, surface: Mesh, share: float) -> bool:
    """Return whether a surface that holds a share of a thin thing's visible points is of that thing alone."""
    points = sample(surface, VISIBLE_SAMPLES, rng=np.random.default_rng(0))
    near = cKDTree(shape.surface).query(points, distance_upper_bound=NEAR_M)[0] <= NEAR_M
    return share >= 0.5 and float(near.mean()) >= 0.5


def _overlaps(shapes: Sequence[TrueShape], surfaces: Sequence[Mesh], holding: Holding) -> Array:
    """Return the overlap of solids [objects, surfaces]; 0 for pairs that share hardly a point."""
    overlaps = np.zeros(holding.share.shape)
    for row, column in zip(*np.nonzero(holding.share >= 0.1), strict=True):
        shape = shapes[row]
        overlaps[row, column] = iou(shape.mesh, surfaces[column], voxel_m=voxel_size_m(shape.mesh))
    return overlaps


def _matches(overlaps: Array) -> dict[int, int]:
    """Return the surface of each object, one to one, so that the sum of overlaps is largest."""
    rows, columns = linear_sum_assignment(-overlaps)
    return {int(row): int(column) for row, column in zip(rows, columns, strict=True) if overlaps[row, column] > 0.0}


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {key: round(float(value), 4) for key, value in values.items()}
