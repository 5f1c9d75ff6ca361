"""Depth of each picture from all the others: matched coarse to fine, then kept where several views agree."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cousins.geometry import Array, Intrinsics, invert
from cousins.stereo.agreement import DepthMap, agreed
from cousins.stereo.patchmatch import scatter, sweep
from cousins.stereo.views import View, depth_range, neighbours


@dataclass(frozen=True, kw_only=True)
class StereoConfig:
    """How depth is searched."""

    long_side: int = 256
    """Longer side of the depth images [px]; pictures are compared at twice that."""
    views: int = 7
    """Other pictures that each is compared with, at most."""
    best_of: int = 3
    """Of these the most alike count: the rest may be hidden."""
    coarse_sweeps: int = 5
    """Rounds over a quarter of the pixels, from chance."""
    fine_sweeps: int = 3
    """Rounds over all pixels."""
    agreeing_sweeps: int = 2
    """Rounds in which disagreement with the others' depth costs."""
    threads: int = 2
    """Pictures at work at the same time; the result does not depend on it."""


Tell = Callable[[float], None]
"""Hears how much is done, 0..1."""

_WIDE = np.array([[1.0, 1.0], [0.1, 0.5], [0.02, 0.15], [0.004, 0.04]], dtype=np.float32)
_NARROW = np.array([[0.03, 0.3], [0.006, 0.08], [0.0015, 0.02]], dtype=np.float32)
_FINEST = np.array([[0.004, 0.05], [0.001, 0.015]], dtype=np.float32)
_NO_DEPTHS = np.zeros((0, 0, 0), dtype=np.float32)


@dataclass(slots=True, eq=False)
class _Work:
    """A picture at one scale, and what is known of it so far."""

    picture: Array
    """Grey, float32 [2h, 2w]."""
    camera: Intrinsics
    """Camera of the picture."""
    planes: Array
    """Guesses, float32 [h, w, 3]."""
    costs: Array
    """What they cost, float32 [h, w]."""
    limits: Array
    """Least and greatest inverse depth, focal length [px]."""


def depth_maps(views: Sequence[View], points: Array, *, config: StereoConfig | None = None) -> list[DepthMap | None]:
    """Return the depth of each view in the unit of the poses; None for a view that no other one helps.

    `points` [n, 3] are the sparse points of the views: they tell which views belong together, and where to search.
    """
    settings = config or StereoConfig()
    near = neighbours(views, points, most=settings.views)
    ranges = [depth_range(view, points) for view in views]
    usable = [bool(others) and extent is not None for others, extent in zip(near, ranges, strict=True)]
    near = [[other for other in others if usable[other]] for others in near]
    numbers = [index for index in range(len(views)) if usable[index] and near[index]]
    half = settings.long_side // 2
    works = {index: _start(views[index], ranges[index] or (0.0, 0.0), half, points, index) for index in numbers}
    near = [[other for other in others if other in works] for others in near]
    _rounds(works, views, near, settings, settings.coarse_sweeps, _WIDE, seed=1)
    works = {index: _finer(work, views[index], settings.long_side) for index, work in works.items()}
    _rounds(works, views, near, settings, settings.fine_sweeps, _NARROW, seed=2)
    for again in range(settings.agreeing_sweeps):
        _rounds(works, views, near, settings, 1, _FINEST, seed=3 + again, agreeing=True)
    depths = {index: 1.0 / work.planes[..., 0] for index, work in works.items()}
    cameras = {index: _grid_camera(work) for index, work in works.items()}
    poses = {index: views[index].world_from_camera for index in works}
    costs = {index: work.costs for index, work in works.items()}
    kept = agreed(depths, costs, cameras, poses, near)
    return [kept.get(index) for index in range(len(views))]


def _rounds(
    works: dict[int, _Work],
    views: Sequence[View],
    near: list[list[int]],
    settings: StereoConfig,
    count: int,
    changes: Array,
    *,
    seed: int,
    agreeing: bool = False,
) -> None:
    """Sweep over every picture; those of one round read only what the round before left."""
    depths = {index: (1.0 / work.planes[..., 0]).astype(np.float32) for index, work in works.items()}

    def improve(index: int) -> None:
        work, others = works[index], [works[other] for other in near[index]]
        pictures = _padded([other.picture for other in others], np.nan)
        told = _padded([depths[other] for other in near[index]], 0.0) if agreeing else _NO_DEPTHS
        homographies, epipoles = _relations(work, others, views, index, near[index])
        best_of = min(settings.best_of, len(others))
        for again in range(count):
            for colour in (0, 1):
                sweep(
                    colour, work.picture, pictures, homographies, epipoles, told, work.planes, work.costs,
                    work.limits, best_of, changes, (seed * 64 + again * 2 + colour) * 4096 + index,
                )  # fmt: skip

    with ThreadPoolExecutor(max_workers=min(settings.threads, os.cpu_count() or 1)) as pool:
        list(pool.map(improve, works))


def _start(view: View, extent: tuple[float, float], long_side: int, points: Array, index: int) -> _Work:
    """Return the view at a scale with guesses at the sparse points, and random ones elsewhere."""
    work = _at_scale(view, long_side)
    work.limits[:2] = 1.0 / extent[1], 1.0 / extent[0]
    height, width = work.costs.shape
    seen = (points[view.points] - view.world_from_camera[:3, 3]) @ view.world_from_camera[:3, :3]
    grid = _grid_camera(work)
    u = np.rint(grid.fx * seen[:, 0] / seen[:, 2] + grid.cx).astype(int)
    v = np.rint(grid.fy * seen[:, 1] / seen[:, 2] + grid.cy).astype(int)
    inside = (seen[:, 2] > extent[0]) & (seen[:, 2] < extent[1]) & (u >= 0) & (u < width) & (v >= 0) & (v < height)
    work.planes[v[inside], u[inside], 0] = 1.0 / seen[inside, 2]
    scatter(work.planes, work.limits, index + 1)
    return work


def _finer(work: _Work, view: View, long_side: int) -> _Work:
    """Return the view at another scale with the guesses of the coarse one."""
    fine = _at_scale(view, long_side)
    fine.limits[:2] = work.limits[:2]
    height, width = fine.costs.shape
    rows, columns = work.costs.shape
    sy, sx = rows / height, columns / width
    v, u = (np.arange(height) + 0.5) * sy - 0.5, (np.arange(width) + 0.5) * sx - 0.5
    row, column = np.clip(np.rint(v), 0, rows - 1).astype(int), np.clip(np.rint(u), 0, columns - 1).astype(int)
    coarse = work.planes[row[:, None], column[None]]
    across, down = 2.0 * (u - column)[None], 2.0 * (v - row)[:, None]
    fine.planes[..., 0] = np.clip(
        coarse[..., 0] + coarse[..., 1] * across + coarse[..., 2] * down, work.limits[0], work.limits[1]
    )
    fine.planes[..., 1], fine.planes[..., 2] = coarse[..., 1] * sx, coarse[..., 2] * sy
    return fine


def _at_scale(view: View, long_side: int) -> _Work:
    scale = long_side / max(view.camera.width, view.camera.height)
    width, height = max(8, round(view.camera.width * scale)), max(8, round(view.camera.height * scale))
    picture = Image.fromarray(view.gray).resize((2 * width, 2 * height), Image.Resampling.BOX)
    camera = view.camera.scaled(2 * width, 2 * height)
    return _Work(
        picture=np.ascontiguousarray(picture, dtype=np.float32),
        camera=camera,
        planes=np.zeros((height, width, 3), dtype=np.float32),
        costs=np.full((height, width), 2.0, dtype=np.float32),
        limits=np.array([0.0, 0.0, camera.fx], dtype=np.float32),
    )


def _grid_camera(work: _Work) -> Intrinsics:
    return work.camera.scaled(work.costs.shape[1], work.costs.shape[0])


def _relations(
    work: _Work, others: Sequence[_Work], views: Sequence[View], index: int, near: Sequence[int]
) -> tuple[Array, Array]:
    """Return the homographies at infinity [s, 3, 3] and epipoles [s, 3] from the picture to the others."""
    back = np.linalg.inv(work.camera.matrix)
    homographies, epipoles = [], []
    for other, number in zip(others, near, strict=True):
        other_from_own = invert(views[number].world_from_camera) @ views[index].world_from_camera
        homographies.append(other.camera.matrix @ other_from_own[:3, :3] @ back)
        epipoles.append(other.camera.matrix @ other_from_own[:3, 3])
    return np.array(homographies, dtype=np.float32), np.array(epipoles, dtype=np.float32)


def _padded(images: Sequence[Array], value: float) -> Array:
    """Return images of several sizes as one array, float32 [n, h, w]."""
    height, width = max(image.shape[0] for image in images), max(image.shape[1] for image in images)
    together = np.full((len(images), height, width), value, dtype=np.float32)
    for place, image in zip(together, images, strict=True):
        place[: image.shape[0], : image.shape[1]] = image
    return together
