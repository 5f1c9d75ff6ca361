"""Metric scale of photos from a layout scan of the same room, by matching walls.

Photos know the walls up to a turn, a shift and a scale. Three walls fix these, so the fourth is the first that can
contradict: with fewer the scale would be a guess, and is refused. It is refused too where walls of the layout fit in
two ways that differ in scale.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from cousins.capture.captures import Capture
from cousins.errors import CaptureError
from cousins.geometry import Array, transform, unproject
from cousins.rooms.room import Room
from cousins.scale.check import ScaleCheck, plausible_ratio, rescale_capture
from cousins.segment.structure.detection import find_planes

MIN_MATCHED_WALLS: Final = 4
"""Walls that must fit: one more than a turn, a shift and a scale can always be made to fit."""
WALL_SIGMA_M: Final = 0.03
"""Error of a wall's place in a layout scan, one standard deviation [m]."""
MAX_WALL_OFFSET_M: Final = 0.08
"""A wall farther off its place does not fit [m]."""
PARALLEL_DEG: Final = 6.0
"""Walls that differ by less face the same way [degree]."""
SAME_SCALE_TOLERANCE: Final = 0.03
"""Relative difference of scales that say the same."""
RATIO_RANGE: Final = (0.4, 2.5)
"""Least and greatest ratio to the first guess, by how wide room and capture are."""
MIN_WALL_SPACING_M: Final = 0.8
"""Walls nearer to each other do not determine the scale [m]."""
MAX_CAPTURE_WALLS: Final = 8
"""Walls of the pictures that are tried, the largest."""
MAX_LAYOUT_WALLS: Final = 24
"""Most walls of a layout: of more, too many fit by chance."""
SCALE_SOURCE: Final = "walls of a layout scan"
_MAX_POINTS = 20_000
_HINT: Final = (
    "Walk a circle in the room, look outwards and take 36 photos, so that all walls are seen; walls of one colour have "
    "no depth. Or measure with --scale-distance or printed tags."
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _WallLines:
    """Upright walls seen from above: points x with `normals · x = offsets_m`."""

    normals: Array
    """Unit normals, float64 [n, 2]."""
    offsets_m: Array
    """Distances from the origin [m], float64 [n]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Fit:
    """A match of measured walls with walls of the layout."""

    pairs: tuple[tuple[int, int], ...]
    """Measured wall, wall of the layout."""
    ratio: float
    """Metres of the layout by those of the capture."""
    off_m: float
    """Root mean square of how far walls are off [m], degrees of freedom accounted for."""
    error: float
    """Relative error of the ratio, one standard deviation."""


def check_scale_with_room(capture: Capture, room: Room, *, rng: np.random.Generator) -> ScaleCheck:
    """Compare the capture's walls with those of a layout scan; raises CaptureError where the scale is undetermined."""
    layout = _layout_walls(room)
    if not MIN_MATCHED_WALLS <= len(layout.offsets_m) <= MAX_LAYOUT_WALLS:
        raise _no_scale(f"a layout of {len(layout.offsets_m)} walls")
    guess = _initial_ratio(capture, room)
    rescaled_capture = rescale_capture(capture, ScaleCheck(ratio=guess, error=1.0, by="a guess"))
    measured = _capture_walls(rescaled_capture, rng)
    if len(measured.offsets_m) < MIN_MATCHED_WALLS:
        raise _no_scale(f"{len(measured.offsets_m)} walls in the pictures")
    fit = _best_fit(measured, layout)
    ratio = plausible_ratio(
        capture, measured_m=1.0, true_m=guess * fit.ratio, name="a room whose metre is", hint="Is it the same room?"
    )
    return ScaleCheck(ratio=ratio, error=fit.error, by=f"{len(fit.pairs)} {SCALE_SOURCE}")


def _layout_walls(room: Room) -> _WallLines:
    """Return the walls of a layout; those in one line count once."""
    normals: list[Array] = []
    offsets: list[float] = []
    for panel in room.of_kind("wall"):
        normal = panel.world_from_panel[:2, 2]
        if np.linalg.norm(normal) < np.cos(np.deg2rad(PARALLEL_DEG)):
            continue
        normal = normal / np.linalg.norm(normal)
        offset = float(normal @ panel.world_from_panel[:2, 3])
        same = [
            abs(float(normal @ other)) > np.cos(np.deg2rad(PARALLEL_DEG))
            and abs(offset - np.sign(float(normal @ other)) * place) < MAX_WALL_OFFSET_M
            for other, place in zip(normals, offsets, strict=True)
        ]
        if not any(same):
            normals.append(normal)
            offsets.append(offset)
    return _WallLines(normals=np.array(normals).reshape(-1, 2), offsets_m=np.array(offsets))


def _initial_ratio(capture: Capture, room: Room) -> float:
    """Return the ratio at which what was seen is about as wide as the room, for sizes that planes must have."""
    clouds = []
    for frame in capture.frames:
        points = transform(frame.world_from_camera, unproject(frame.depth_m, frame.depth_camera))[frame.depth_m > 0.0]
        clouds.append(points[:: max(1, len(points) * len(capture.frames) // _MAX_POINTS)])
    flat = np.concatenate(clouds)[:, :2]
    corners = [
        transform(panel.world_from_panel, np.pad(panel.outline, ((0, 0), (0, 1))))[:, :2]
        for panel in room.of_kind("wall")
    ]
    return _mean_extent(np.concatenate(corners), edge=0.0) / max(_mean_extent(flat, edge=0.02), 1e-6)


def _mean_extent(flat: Array, *, edge: float) -> float:
    """Return the mean extent of points [n, 2] over all directions [m]; `edge` is the share left out at each end."""
    angles = np.deg2rad(np.arange(0.0, 180.0, 15.0))
    along = flat @ np.stack([np.cos(angles), np.sin(angles)])
    return float(np.ptp(np.quantile(along, [edge, 1.0 - edge], axis=0), axis=0).mean())


def _capture_walls(capture: Capture, rng: np.random.Generator) -> _WallLines:
    """Return the largest walls that the capture shows."""
    walls = [wall for wall in find_planes(capture, rng=rng).planes if wall.plane.kind == "wall"]
    planes = [wall.plane for wall in sorted(walls, key=lambda wall: -wall.area_m2)[:MAX_CAPTURE_WALLS]]
    normals = np.array([plane.normal[:2] / np.linalg.norm(plane.normal[:2]) for plane in planes]).reshape(-1, 2)
    places = [float(normal @ plane.outline[:, :2].mean(axis=0)) for normal, plane in zip(normals, planes, strict=True)]
    return _WallLines(normals=normals, offsets_m=np.array(places))


def _best_fit(measured: _WallLines, layout: _WallLines) -> _Fit:
    """Return the way to fit that most walls agree with; raises CaptureError where none or several of them do."""
    fits = [fit for turn in _candidate_turns(measured, layout) for fit in _candidate_fits(measured, layout, turn)]
    most_pairs = max((len(fit.pairs) for fit in fits), default=0)
    if not fits:
        raise _no_scale(
            f"{len(measured.offsets_m)} walls in the pictures, not {MIN_MATCHED_WALLS} of which fit the layout"
        )
    best = min((fit for fit in fits if len(fit.pairs) == most_pairs), key=lambda fit: fit.off_m)
    rivals = [
        fit for fit in fits if len(fit.pairs) == most_pairs and abs(fit.ratio / best.ratio - 1.0) > SAME_SCALE_TOLERANCE
    ]
    if rivals:
        raise _no_scale(f"walls that fit the layout in two ways, {best.ratio / rivals[0].ratio:.2f} apart in scale")
    return best


def _candidate_turns(measured: _WallLines, layout: _WallLines) -> list[float]:
    """Return angles [rad] by which measured walls are turned so that one faces as one of the layout, or against it."""
    angles = [np.arctan2(lines.normals[:, 1], lines.normals[:, 0]) for lines in (measured, layout)]
    turns: list[float] = []
    for turn in np.sort((angles[1][:, None] - angles[0]).ravel() % np.pi):
        if not turns or turn - turns[-1] > np.deg2rad(0.5 * PARALLEL_DEG):
            turns.append(float(turn))
    return [turn + half for turn in turns for half in (0.0, np.pi)]


def _candidate_fits(measured: _WallLines, layout: _WallLines, turn: float) -> Iterator[_Fit]:
    """Yield the ways to fit at one turn: every scale and shift that three walls give, with what else agrees.

    A wall `n · x = d` of the capture lies on one of the layout, `n' · y = e`, where y = scale · x' + shift:
    scale · d + n' · shift = e, with x' and n' turned.
    """
    c, s = np.cos(turn), np.sin(turn)
    normals = measured.normals @ np.array([[c, s], [-s, c]])
    facing = normals @ layout.normals.T
    matches = np.argwhere(np.abs(facing) > np.cos(np.deg2rad(PARALLEL_DEG)))
    if len(matches) < MIN_MATCHED_WALLS:
        return
    measured_index, layout_index = matches.T
    design = np.column_stack([measured.offsets_m[measured_index], normals[measured_index]])
    places = np.sign(facing[measured_index, layout_index]) * layout.offsets_m[layout_index]
    triples = np.array(list(itertools.combinations(range(len(matches)), 3)))
    is_distinct = [
        len(set(a)) == 3 and len(set(b)) == 3
        for a, b in zip(measured_index[triples], layout_index[triples], strict=True)
    ]
    triples = triples[is_distinct]
    triples = triples[
        np.abs(np.linalg.det(design[triples])) > MIN_WALL_SPACING_M * np.sin(np.deg2rad(2.0 * PARALLEL_DEG))
    ]
    guesses = np.linalg.solve(design[triples], places[triples][..., None])[..., 0]
    guesses = guesses[(guesses[:, 0] > RATIO_RANGE[0]) & (guesses[:, 0] < RATIO_RANGE[1])]
    is_near = np.abs(guesses @ design.T - places) <= MAX_WALL_OFFSET_M
    for guess in guesses[is_near.sum(axis=1) >= MIN_MATCHED_WALLS]:
        fit = _fit_from_guess(design, places, matches, guess)
        if fit is not None:
            yield fit


def _fit_from_guess(design: Array, places: Array, matches: Array, guess: Array) -> _Fit | None:
    """Return the fit of all walls that agree with a guess of scale and shift [3]; None where hardly any do."""
    offsets = np.abs(design @ guess - places)
    match_by_wall: dict[int, int] = {}
    used_places: set[int] = set()
    for k in np.argsort(offsets, kind="stable"):
        wall, place = (int(number) for number in matches[k])
        if offsets[k] <= MAX_WALL_OFFSET_M and wall not in match_by_wall and place not in used_places:
            match_by_wall[wall] = int(k)
            used_places.add(place)
    rows = sorted(match_by_wall.values())
    if len(rows) < MIN_MATCHED_WALLS:
        return None
    solution, *_ = np.linalg.lstsq(design[rows], places[rows], rcond=None)
    misfit = design[rows] @ solution - places[rows]
    off_m = float(np.sqrt((misfit**2).sum() / (len(rows) - 3)))
    spread = float(np.linalg.inv(design[rows].T @ design[rows])[0, 0])
    if solution[0] <= 0.0 or np.abs(misfit).max() > MAX_WALL_OFFSET_M:
        return None
    return _Fit(
        pairs=tuple((int(matches[k][0]), int(matches[k][1])) for k in rows),
        ratio=float(solution[0]),
        off_m=off_m,
        error=max(WALL_SIGMA_M, off_m) * float(np.sqrt(spread)) / float(solution[0]),
    )


def _no_scale(problem: str) -> CaptureError:
    return CaptureError(
        problem,
        expected=f"{MIN_MATCHED_WALLS} walls or more that fit the layout in one way, two facing each other",
        hint=_HINT,
    )
