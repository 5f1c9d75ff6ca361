"""The metre of photos from a layout scan of the same room: its walls, laid over those that the photos show.

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
from cousins.scale.check import ScaleCheck, believed, rescaled
from cousins.segment.structure.planes import find_planes

LEAST_WALLS: Final = 4
"""Walls that must fit: one more than a turn, a shift and a scale can always be made to fit."""
WALL_M: Final = 0.03
"""Error of a wall's place in a layout scan, one standard deviation [m]."""
MOST_OFF_M: Final = 0.08
"""A wall farther off its place does not fit [m]."""
SAME_DEG: Final = 6.0
"""Walls that differ by less face the same way [degree]."""
SAME_SCALE: Final = 0.03
"""Relative difference of scales that say the same."""
RATIOS: Final = (0.4, 2.5)
"""Least and greatest ratio to the first guess, by how wide room and capture are."""
LEAST_SPAN_M: Final = 0.8
"""Walls nearer to each other tell no scale [m]."""
MOST_SEEN: Final = 8
"""Walls of the pictures that are tried, the largest."""
MOST_LAID: Final = 24
"""Most walls of a layout: of more, too many fit by chance."""
BY: Final = "walls of a layout scan"
_POINTS = 20_000
_HOW: Final = (
    "Walk a circle in the room, look outwards and take 36 photos, so that all walls are seen; walls of one colour have "
    "no depth. Or measure with --scale-distance or printed tags."
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Lines:
    """Upright walls seen from above: points x with `normals · x = offsets_m`."""

    normals: Array
    """Unit normals, float64 [n, 2]."""
    offsets_m: Array
    """Distances from the origin [m], float64 [n]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Fit:
    """One way to lay measured walls over those of the layout."""

    pairs: tuple[tuple[int, int], ...]
    """Measured wall, wall of the layout."""
    ratio: float
    """Metres of the layout by those of the capture."""
    off_m: float
    """Root mean square of how far walls are off [m], degrees of freedom accounted for."""
    error: float
    """Relative error of the ratio, one standard deviation."""


def check_room(capture: Capture, room: Room, *, rng: np.random.Generator) -> ScaleCheck:
    """Compare the capture's walls with those of a layout scan; raises CaptureError where too little tells."""
    wanted = _layout(room)
    if not LEAST_WALLS <= len(wanted.offsets_m) <= MOST_LAID:
        raise _refused(f"a layout of {len(wanted.offsets_m)} walls")
    guess = _guess(capture, room)
    near = rescaled(capture, ScaleCheck(ratio=guess, error=1.0, by="a guess"))
    found = _seen(near, rng)
    if len(found.offsets_m) < LEAST_WALLS:
        raise _refused(f"{len(found.offsets_m)} walls in the pictures")
    fit = _best(found, wanted)
    ratio = believed(
        capture, measured_m=1.0, true_m=guess * fit.ratio, what="a room whose metre is", hint="Is it the same room?"
    )
    return ScaleCheck(ratio=ratio, error=fit.error, by=f"{len(fit.pairs)} {BY}")


def _layout(room: Room) -> _Lines:
    """Return the walls of a layout; those in one line count once."""
    normals: list[Array] = []
    offsets: list[float] = []
    for panel in room.of_kind("wall"):
        normal = panel.world_from_panel[:2, 2]
        if np.linalg.norm(normal) < np.cos(np.deg2rad(SAME_DEG)):
            continue
        normal = normal / np.linalg.norm(normal)
        offset = float(normal @ panel.world_from_panel[:2, 3])
        same = [
            abs(float(normal @ other)) > np.cos(np.deg2rad(SAME_DEG))
            and abs(offset - np.sign(float(normal @ other)) * place) < MOST_OFF_M
            for other, place in zip(normals, offsets, strict=True)
        ]
        if not any(same):
            normals.append(normal)
            offsets.append(offset)
    return _Lines(normals=np.array(normals).reshape(-1, 2), offsets_m=np.array(offsets))


def _guess(capture: Capture, room: Room) -> float:
    """Return the ratio at which what was seen is about as wide as the room, for sizes that planes must have."""
    clouds = []
    for frame in capture.frames:
        points = transform(frame.world_from_camera, unproject(frame.depth_m, frame.depth_camera))[frame.depth_m > 0.0]
        clouds.append(points[:: max(1, len(points) * len(capture.frames) // _POINTS)])
    flat = np.concatenate(clouds)[:, :2]
    corners = [
        transform(panel.world_from_panel, np.pad(panel.outline, ((0, 0), (0, 1))))[:, :2]
        for panel in room.of_kind("wall")
    ]
    return _wide(np.concatenate(corners), edge=0.0) / max(_wide(flat, edge=0.02), 1e-6)


def _wide(flat: Array, *, edge: float) -> float:
    """Return the mean extent of points [n, 2] over all directions [m]; `edge` is the share left out at each end."""
    angles = np.deg2rad(np.arange(0.0, 180.0, 15.0))
    along = flat @ np.stack([np.cos(angles), np.sin(angles)])
    return float(np.ptp(np.quantile(along, [edge, 1.0 - edge], axis=0), axis=0).mean())


def _seen(capture: Capture, rng: np.random.Generator) -> _Lines:
    """Return the largest walls that the capture shows."""
    walls = [one for one in find_planes(capture, rng=rng).planes if one.plane.kind == "wall"]
    planes = [one.plane for one in sorted(walls, key=lambda one: -one.area_m2)[:MOST_SEEN]]
    normals = np.array([plane.normal[:2] / np.linalg.norm(plane.normal[:2]) for plane in planes]).reshape(-1, 2)
    places = [float(normal @ plane.outline[:, :2].mean(axis=0)) for normal, plane in zip(normals, planes, strict=True)]
    return _Lines(normals=normals, offsets_m=np.array(places))


def _best(found: _Lines, wanted: _Lines) -> _Fit:
    """Return the way to fit that most walls agree with; raises CaptureError where none or several of them do."""
    fits = [fit for turn in _turns(found, wanted) for fit in _fits(found, wanted, turn)]
    most = max((len(fit.pairs) for fit in fits), default=0)
    if not fits:
        raise _refused(f"{len(found.offsets_m)} walls in the pictures, not {LEAST_WALLS} of which fit the layout")
    best = min((fit for fit in fits if len(fit.pairs) == most), key=lambda fit: fit.off_m)
    rivals = [fit for fit in fits if len(fit.pairs) == most and abs(fit.ratio / best.ratio - 1.0) > SAME_SCALE]
    if rivals:
        raise _refused(f"walls that fit the layout in two ways, {best.ratio / rivals[0].ratio:.2f} apart in scale")
    return best


def _turns(found: _Lines, wanted: _Lines) -> list[float]:
    """Return angles [rad] by which measured walls are turned so that one faces as one of the layout, or against it."""
    angles = [np.arctan2(lines.normals[:, 1], lines.normals[:, 0]) for lines in (found, wanted)]
    turns: list[float] = []
    for turn in np.sort((angles[1][:, None] - angles[0]).ravel() % np.pi):
        if not turns or turn - turns[-1] > np.deg2rad(0.5 * SAME_DEG):
            turns.append(float(turn))
    return [turn + half for turn in turns for half in (0.0, np.pi)]


def _fits(found: _Lines, wanted: _Lines, turn: float) -> Iterator[_Fit]:
    """Yield the ways to fit at one turn: every scale and shift that three walls give, with what else agrees.

    A wall `n · x = d` of the capture lies on one of the layout, `n' · y = e`, where y = scale · x' + shift:
    scale · d + n' · shift = e, with x' and n' turned.
    """
    c, s = np.cos(turn), np.sin(turn)
    normals = found.normals @ np.array([[c, s], [-s, c]])
    facing = normals @ wanted.normals.T
    matches = np.argwhere(np.abs(facing) > np.cos(np.deg2rad(SAME_DEG)))
    if len(matches) < LEAST_WALLS:
        return
    mine, theirs = matches.T
    design = np.column_stack([found.offsets_m[mine], normals[mine]])
    places = np.sign(facing[mine, theirs]) * wanted.offsets_m[theirs]
    threes = np.array(list(itertools.combinations(range(len(matches)), 3)))
    apart = [len(set(a)) == 3 and len(set(b)) == 3 for a, b in zip(mine[threes], theirs[threes], strict=True)]
    threes = threes[apart]
    threes = threes[np.abs(np.linalg.det(design[threes])) > LEAST_SPAN_M * np.sin(np.deg2rad(2.0 * SAME_DEG))]
    guesses = np.linalg.solve(design[threes], places[threes][..., None])[..., 0]
    guesses = guesses[(guesses[:, 0] > RATIOS[0]) & (guesses[:, 0] < RATIOS[1])]
    near = np.abs(guesses @ design.T - places) <= MOST_OFF_M
    for guess in guesses[near.sum(axis=1) >= LEAST_WALLS]:
        fit = _agreeing(design, places, matches, guess)
        if fit is not None:
            yield fit


def _agreeing(design: Array, places: Array, matches: Array, guess: Array) -> _Fit | None:
    """Return the fit of all walls that agree with a guess of scale and shift [3]; None where hardly any do."""
    off = np.abs(design @ guess - places)
    taken: dict[int, int] = {}
    used: set[int] = set()
    for k in np.argsort(off, kind="stable"):
        wall, place = (int(number) for number in matches[k])
        if off[k] <= MOST_OFF_M and wall not in taken and place not in used:
            taken[wall] = int(k)
            used.add(place)
    rows = sorted(taken.values())
    if len(rows) < LEAST_WALLS:
        return None
    solution, *_ = np.linalg.lstsq(design[rows], places[rows], rcond=None)
    misfit = design[rows] @ solution - places[rows]
    off_m = float(np.sqrt((misfit**2).sum() / (len(rows) - 3)))
    spread = float(np.linalg.inv(design[rows].T @ design[rows])[0, 0])
    if solution[0] <= 0.0 or np.abs(misfit).max() > MOST_OFF_M:
        return None
    return _Fit(
        pairs=tuple((int(matches[k][0]), int(matches[k][1])) for k in rows),
        ratio=float(solution[0]),
        off_m=off_m,
        error=max(WALL_M, off_m) * float(np.sqrt(spread)) / float(solution[0]),
    )


def _refused(found: str) -> CaptureError:
    return CaptureError(
        found, expected=f"{LEAST_WALLS} walls or more that fit the layout in one way, two facing each other", hint=_HOW
    )
