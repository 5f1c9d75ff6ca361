"""Multi-view depth of each picture: PatchMatch from coarse to fine, then a consistency filter."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cousins.geometry import Array, Intrinsics, invert
from cousins.stereo.agreement import DepthMap, fuse_consistent_depths
from cousins.stereo.patchmatch import fill_random_planes, sweep
from cousins.stereo.views import StereoView, depth_range, neighbours


@dataclass(frozen=True, kw_only=True)
class StereoConfig:
    """Parameters of the depth search."""

    long_side: int = 256
    """Longer side of the depth images [px]; pictures are matched at twice that resolution."""
    views: int = 7
    """Maximum number of other views that each is matched with."""
    best_of: int = 3
    """Number of best-matching views whose costs are averaged: the surface may be hidden in the rest."""
    coarse_sweeps: int = 5
    """Sweeps at half resolution, from random planes."""
    fine_sweeps: int = 3
    """Sweeps at full resolution."""
    agreeing_sweeps: int = 2
    """Sweeps whose cost includes the disagreement with the other views' depths."""
    threads: int = 2
    """Views processed in parallel; the result does not depend on it."""


_WIDE_CHANGES = np.array([[1.0, 1.0], [0.1, 0.5], [0.02, 0.15], [0.004, 0.04]], dtype=np.float32)
_NARROW_CHANGES = np.array([[0.03, 0.3], [0.006, 0.08], [0.0015, 0.02]], dtype=np.float32)
_FINEST_CHANGES = np.array([[0.004, 0.05], [0.001, 0.015]], dtype=np.float32)
_NO_DEPTHS = np.zeros((0, 0, 0), dtype=np.float32)


@dataclass(slots=True, eq=False)
class _ScaleState:
    """A view at one scale with its current plane estimates."""

    picture: Array
    """Grey, float32 [2h, 2w]."""
    camera: Intrinsics
    """Camera of the picture."""
    planes: Array
    """Estimated planes, float32 [h, w, 3]."""
    costs: Array
    """Matching costs of the planes, float32 [h, w]."""
    limits: Array
    """Least and greatest inverse depth, and focal length [px], float32 [3]."""


def depth_maps(
    views: Sequence[StereoView], points: Array, *, config: StereoConfig | None = None
) -> list[DepthMap | None]:
    """Return the depth of each view in the unit of the poses; None for a view without usable neighbours.

    `points` [n, 3] are the sparse points of the views; they select the neighbouring views and the search range.
    """
    settings = config or StereoConfig()
    neighbour_lists = neighbours(views, points, max_count=settings.views)
    ranges = [depth_range(view, points) for view in views]
    usable = [
        bool(neighbour_indices) and depth_extent is not None
        for neighbour_indices, depth_extent in zip(neighbour_lists, ranges, strict=True)
    ]
    neighbour_lists = [[other for other in neighbour_indices if usable[other]] for neighbour_indices in neighbour_lists]
    usable_indices = [index for index in range(len(views)) if usable[index] and neighbour_lists[index]]
    half = settings.long_side // 2
    states = {
        index: _initial_state(views[index], ranges[index] or (0.0, 0.0), half, points, index)
        for index in usable_indices
    }
    neighbour_lists = [
        [other for other in neighbour_indices if other in states] for neighbour_indices in neighbour_lists
    ]
    _run_sweeps(states, views, neighbour_lists, settings, settings.coarse_sweeps, _WIDE_CHANGES, seed=1)
    states = {index: _upsampled_state(work, views[index], settings.long_side) for index, work in states.items()}
    _run_sweeps(states, views, neighbour_lists, settings, settings.fine_sweeps, _NARROW_CHANGES, seed=2)
    for round_number in range(settings.agreeing_sweeps):
        _run_sweeps(states, views, neighbour_lists, settings, 1, _FINEST_CHANGES, seed=3 + round_number, agreeing=True)
    depths = {index: 1.0 / work.planes[..., 0] for index, work in states.items()}
    cameras = {index: _grid_camera(work) for index, work in states.items()}
    poses = {index: views[index].world_from_camera for index in states}
    costs = {index: work.costs for index, work in states.items()}
    maps = fuse_consistent_depths(depths, costs, cameras, poses, neighbour_lists)
    return [maps.get(index) for index in range(len(views))]


def _run_sweeps(
    states: dict[int, _ScaleState],
    views: Sequence[StereoView],
    neighbour_lists: list[list[int]],
    settings: StereoConfig,
    count: int,
    changes: Array,
    *,
    seed: int,
    agreeing: bool = False,
) -> None:
    """Run `count` sweeps over every view in place; views read only the other views' depths from before the call."""
    depths = {index: (1.0 / work.planes[..., 0]).astype(np.float32) for index, work in states.items()}

    def improve(index: int) -> None:
        state, other_states = states[index], [states[other] for other in neighbour_lists[index]]
        pictures = _padded([other.picture for other in other_states], np.nan)
        other_depths = _padded([depths[other] for other in neighbour_lists[index]], 0.0) if agreeing else _NO_DEPTHS
        homographies, epipoles = _relations(state, other_states, views, index, neighbour_lists[index])
        best_of = min(settings.best_of, len(other_states))
        for round_number in range(count):
            for colour in (0, 1):
                sweep(
                    colour, state.picture, pictures, homographies, epipoles, other_depths, state.planes, state.costs,
                    state.limits, best_of, changes, (seed * 64 + round_number * 2 + colour) * 4096 + index,
                )  # fmt: skip

    with ThreadPoolExecutor(max_workers=min(settings.threads, os.cpu_count() or 1)) as pool:
        list(pool.map(improve, states))


def _initial_state(
    view: StereoView, extent: tuple[float, float], long_side: int, points: Array, index: int
) -> _ScaleState:
    """Return the view at a scale with planes from the sparse points [n, 3], and random planes elsewhere."""
    state = _empty_state(view, long_side)
    state.limits[:2] = 1.0 / extent[1], 1.0 / extent[0]
    height, width = state.costs.shape
    points_camera = (points[view.points] - view.world_from_camera[:3, 3]) @ view.world_from_camera[:3, :3]
    grid = _grid_camera(state)
    u = np.rint(grid.fx * points_camera[:, 0] / points_camera[:, 2] + grid.cx).astype(int)
    v = np.rint(grid.fy * points_camera[:, 1] / points_camera[:, 2] + grid.cy).astype(int)
    inside = (
        (points_camera[:, 2] > extent[0])
        & (points_camera[:, 2] < extent[1])
        & (u >= 0)
        & (u < width)
        & (v >= 0)
        & (v < height)
    )
    state.planes[v[inside], u[inside], 0] = 1.0 / points_camera[inside, 2]
    fill_random_planes(state.planes, state.limits, index + 1)
    return state


def _upsampled_state(coarse_state: _ScaleState, view: StereoView, long_side: int) -> _ScaleState:
    """Return the view at a finer scale with the planes of the coarse one."""
    fine = _empty_state(view, long_side)
    fine.limits[:2] = coarse_state.limits[:2]
    height, width = fine.costs.shape
    rows, columns = coarse_state.costs.shape
    sy, sx = rows / height, columns / width
    v, u = (np.arange(height) + 0.5) * sy - 0.5, (np.arange(width) + 0.5) * sx - 0.5
    row, column = np.clip(np.rint(v), 0, rows - 1).astype(int), np.clip(np.rint(u), 0, columns - 1).astype(int)
    coarse = coarse_state.planes[row[:, None], column[None]]
    across, down = 2.0 * (u - column)[None], 2.0 * (v - row)[:, None]
    fine.planes[..., 0] = np.clip(
        coarse[..., 0] + coarse[..., 1] * across + coarse[..., 2] * down, coarse_state.limits[0], coarse_state.limits[1]
    )
    fine.planes[..., 1], fine.planes[..., 2] = coarse[..., 1] * sx, coarse[..., 2] * sy
    return fine


def _empty_state(view: StereoView, long_side: int) -> _ScaleState:
    scale = long_side / max(view.camera.width, view.camera.height)
    width, height = max(8, round(view.camera.width * scale)), max(8, round(view.camera.height * scale))
    picture = Image.fromarray(view.gray).resize((2 * width, 2 * height), Image.Resampling.BOX)
    camera = view.camera.scaled(2 * width, 2 * height)
    return _ScaleState(
        picture=np.ascontiguousarray(picture, dtype=np.float32),
        camera=camera,
        planes=np.zeros((height, width, 3), dtype=np.float32),
        costs=np.full((height, width), 2.0, dtype=np.float32),
        limits=np.array([0.0, 0.0, camera.fx], dtype=np.float32),
    )


def _grid_camera(state: _ScaleState) -> Intrinsics:
    return state.camera.scaled(state.costs.shape[1], state.costs.shape[0])


def _relations(
    state: _ScaleState,
    other_states: Sequence[_ScaleState],
    views: Sequence[StereoView],
    index: int,
    other_indices: Sequence[int],
) -> tuple[Array, Array]:
    """Return the homographies at infinity [s, 3, 3] and epipoles [s, 3] from the view to the other views."""
    inverse_matrix = np.linalg.inv(state.camera.matrix)
    homographies, epipoles = [], []
    for other, number in zip(other_states, other_indices, strict=True):
        other_from_camera = invert(views[number].world_from_camera) @ views[index].world_from_camera
        homographies.append(other.camera.matrix @ other_from_camera[:3, :3] @ inverse_matrix)
        epipoles.append(other.camera.matrix @ other_from_camera[:3, 3])
    return np.array(homographies, dtype=np.float32), np.array(epipoles, dtype=np.float32)


def _padded(images: Sequence[Array], value: float) -> Array:
    """Return images of several sizes as one array, float32 [n, h, w]."""
    height, width = max(image.shape[0] for image in images), max(image.shape[1] for image in images)
    stack = np.full((len(images), height, width), value, dtype=np.float32)
    for layer, image in zip(stack, images, strict=True):
        layer[: image.shape[0], : image.shape[1]] = image
    return stack
