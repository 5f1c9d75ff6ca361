"""Distances that a person measured and typed: between two printed tags, or between two places in one picture.

    tag3:tag7=0.50              centres of two tags of `cousins tag-sheet`, half a metre apart
    12:310,220:505,228=0.50     two pixels of picture 000012.jpg, as `cousins inspect CAPTURE --pictures` writes it

A place in a picture is known by the depth around it, so it must lie within a surface and not at its edge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cousins.capture.captures import Capture, Frame
from cousins.errors import CaptureError, InputError
from cousins.geometry import Array
from cousins.scale.check import ScaleCheck, believed, combined

LENGTHS_M: Final = (0.02, 20.0)
"""Least and greatest distance that is believed [m]."""
RULER_M: Final = 0.001
"""Error of a length that a person measures with a tape [m]."""
PICK_PX: Final = 1.5
"""Error of a pixel that a person picks, for a picture 640 pixels wide [px]; it grows with the picture."""
TAG_M: Final = 0.0005
"""Error of a tag's triangulated centre [m]."""
REACH_PX: Final = 2
"""Depth pixels around a place that tell its depth."""
LEAST_KNOWN: Final = 8
"""Fewer known depths around a place, of 25, tell nothing."""
MOST_ERROR: Final = 0.05
"""Relative error beyond which a distance measures nothing worth having."""
FORM: Final = "TAG:TAG=METRES such as tag3:tag7=0.50, or FRAME:u,v:u,v=METRES such as 12:310,220:505,228=0.50"

_NUMBER: Final = r"\d{1,6}(?:\.\d{1,6})?"
_TAGS: Final = re.compile(rf"tag(\d{{1,4}}):tag(\d{{1,4}})=({_NUMBER})", re.ASCII)
_PIXELS: Final = re.compile(rf"(\d{{1,6}}):({_NUMBER}),({_NUMBER}):({_NUMBER}),({_NUMBER})=({_NUMBER})", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class TagDistance:
    """How far the centres of two tags are apart."""

    tags: tuple[int, int]
    """Their numbers."""
    length_m: float
    """What was typed [m]."""


@dataclass(frozen=True, kw_only=True)
class PixelDistance:
    """How far two places in one picture are apart."""

    frame: int
    """Number of the frame in the ingested capture."""
    pixels: tuple[tuple[float, float], tuple[float, float]]
    """Two pixels (u, v) of its colour image, or of its depth image where it has no colour."""
    length_m: float
    """What was typed [m]."""


Distance = TagDistance | PixelDistance


def parse_distance(text: str) -> Distance:
    """Read one typed distance; raises InputError with both forms."""
    tags, pixels = _TAGS.fullmatch(text.strip()), _PIXELS.fullmatch(text.strip())
    distance: Distance
    if tags is not None:
        first, second, length = tags.groups()
        distance = TagDistance(tags=(int(first), int(second)), length_m=float(length))
        same = first == second
    elif pixels is not None:
        frame, *places, length = pixels.groups()
        u0, v0, u1, v1 = (float(place) for place in places)
        distance = PixelDistance(frame=int(frame), pixels=((u0, v0), (u1, v1)), length_m=float(length))
        same = (u0, v0) == (u1, v1)
    else:
        raise InputError(f"the distance {text[:60]!r}", expected=FORM, hint=_HOW)
    low, high = LENGTHS_M
    if same or not low <= distance.length_m <= high:
        raise InputError(
            f"the distance {text[:60]!r}",
            expected=f"two different places {low:g} to {high:g} m apart",
            hint="Type metres: half a metre is 0.50.",
        )
    return distance


def needs_tags(distances: Sequence[Distance]) -> bool:
    """Tell whether any distance is between tags, so that they must be looked for."""
    return any(isinstance(distance, TagDistance) for distance in distances)


def check_distances(
    capture: Capture, distances: Sequence[Distance], *, tags: Mapping[int, Array] | None = None
) -> ScaleCheck:
    """Compare typed distances with the capture's; `tags` holds the corners [4, 3] of each tag by its number.

    Raises CaptureError where a place is not known well enough or a length cannot be right.
    """
    mean = combined([_check(capture, distance, tags or {}) for distance in distances])
    return replace(mean, by="1 typed distance" if len(distances) == 1 else f"{len(distances)} typed distances")


def _check(capture: Capture, distance: Distance, tags: Mapping[int, Array]) -> ScaleCheck:
    if isinstance(distance, TagDistance):
        first, second = distance.tags
        name = f"tag {first} to tag {second}"
        measured = float(np.linalg.norm(_center(second, tags) - _center(first, tags)))
        error = float(np.hypot(TAG_M, TAG_M)) / distance.length_m
    else:
        name = f"the distance in frame {distance.frame}"
        (start, start_error), (end, end_error) = (_place(capture, distance.frame, pixel) for pixel in distance.pixels)
        measured = float(np.linalg.norm(end - start))
        error = float(np.hypot(start_error, end_error)) / measured
    error = float(np.hypot(RULER_M / distance.length_m, error))
    if error > MOST_ERROR:
        raise CaptureError(
            f"{name}, known to {100.0 * error:.0f} % only",
            expected=f"{100.0 * MOST_ERROR:.0f} % or better",
            hint="Pick places within flat surfaces, not at edges, and farther apart; or lay down two tags.",
        )
    ratio = believed(
        capture, measured_m=measured, true_m=distance.length_m, what=name, hint="Measure again and type metres."
    )
    return ScaleCheck(ratio=ratio, error=error, by=name)


def _center(number: int, tags: Mapping[int, Array]) -> Array:
    """Return the centre [3] of a tag in the world [m]."""
    if number not in tags:
        raise CaptureError(
            f"no tag {number} seen from three sides",
            expected="one of " + ", ".join(f"tag{known}" for known in sorted(tags)) if tags else "tags in the scene",
            hint="Tags of `cousins tag-sheet` are numbered from 0, row by row.",
        )
    return np.asarray(tags[number].mean(axis=0))


def _place(capture: Capture, number: int, pixel: tuple[float, float]) -> tuple[Array, float]:
    """Return a pixel's place in the world [3] and its error [m], by a plane through the depth around it."""
    if number >= len(capture.frames):
        raise CaptureError(
            f"frame {number} of {len(capture.frames)}",
            expected=f"0 to {len(capture.frames) - 1}",
            hint="`cousins inspect CAPTURE --pictures FOLDER` writes the pictures with their numbers.",
        )
    frame = capture.frames[number]
    shown = frame.color_camera or frame.depth_camera
    u, v = pixel
    if not (u <= shown.width - 1 and v <= shown.height - 1):
        raise CaptureError(
            f"pixel {u:g},{v:g} in a picture of {shown.width}×{shown.height}",
            expected="a pixel of that picture",
            hint="`cousins inspect CAPTURE --pictures FOLDER` writes the pictures as they are counted here.",
        )
    ray = np.array([(u - shown.cx) / shown.fx, (v - shown.cy) / shown.fy, 1.0])
    depth_m, spread_m = _depth(frame, ray)
    across = PICK_PX * shown.width / 640.0 / shown.fx * depth_m
    place = frame.world_from_camera[:3, :3] @ (ray * depth_m) + frame.world_from_camera[:3, 3]
    return np.asarray(place), float(np.hypot(across, spread_m))


def _depth(frame: Frame, ray: Array) -> tuple[float, float]:
    """Return planar depth along a ray [m] and its error [m]: inverse depth of a plane is linear over pixels."""
    camera = frame.depth_camera
    u, v = camera.fx * ray[0] + camera.cx, camera.fy * ray[1] + camera.cy
    column, row = round(u), round(v)
    rows = np.arange(max(0, row - REACH_PX), min(camera.height, row + REACH_PX + 1))
    columns = np.arange(max(0, column - REACH_PX), min(camera.width, column + REACH_PX + 1))
    depth = frame.depth_m[np.ix_(rows, columns)].astype(np.float64)
    known = depth > 0.0
    if known.sum() < LEAST_KNOWN:
        raise CaptureError(
            f"no depth around pixel {u:.0f},{v:.0f} of the depth image of frame {frame.index}",
            expected="a place that the depth shows",
            hint="Pick a place on a dull, flat surface within 3 m.",
        )
    dv, du = np.meshgrid(rows - v, columns - u, indexing="ij")
    design = np.column_stack([np.ones(known.sum()), du[known], dv[known]])
    solution, *_ = np.linalg.lstsq(design, 1.0 / depth[known], rcond=None)
    here = 1.0 / float(np.clip(solution[0], (1.0 / depth[known]).min(), (1.0 / depth[known]).max()))
    misfit = 1.0 / depth[known] - design @ solution
    return here, float(np.sqrt((misfit**2).mean())) * here**2


_HOW: Final = (
    "`cousins inspect CAPTURE --pictures FOLDER` writes pictures to pick pixels in; `cousins tag-sheet` makes tags."
)
