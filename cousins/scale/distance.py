"""Scale from distances that the user measured and typed: between two printed tags, or two pixels of one picture.

    tag3:tag7=0.50              centres of two tags of `cousins tag-sheet`, half a metre apart
    12:310,220:505,228=0.50     two pixels of picture 000012.jpg, as `cousins inspect CAPTURE --pictures` writes it

A pixel is located in space by the depth around it, so it must lie within a surface and not at its edge.
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
from cousins.scale.check import ScaleCheck, combine_checks, plausible_ratio

LENGTH_RANGE_M: Final = (0.02, 20.0)
"""Least and greatest distance that is accepted [m]."""
TAPE_ERROR_M: Final = 0.001
"""Standard error of a length measured with a tape [m]."""
PICK_ERROR_PX: Final = 1.5
"""Standard error of a pixel picked by a person in a picture 640 pixels wide [px]; it grows with the width."""
TAG_ERROR_M: Final = 0.0005
"""Standard error of a tag's triangulated centre [m]."""
DEPTH_WINDOW_PX: Final = 2
"""Half the side of the window of depth pixels used around a picked pixel [px]."""
MIN_KNOWN_DEPTHS: Final = 8
"""Least number of known depths, of 25 in the window."""
MAX_ERROR: Final = 0.05
"""Largest relative error of a distance that is accepted."""
DISTANCE_FORMS: Final = "TAG:TAG=METRES such as tag3:tag7=0.50, or FRAME:u,v:u,v=METRES such as 12:310,220:505,228=0.50"

_NUMBER: Final = r"\d{1,6}(?:\.\d{1,6})?"
_TAGS: Final = re.compile(rf"tag(\d{{1,4}}):tag(\d{{1,4}})=({_NUMBER})", re.ASCII)
_PIXELS: Final = re.compile(rf"(\d{{1,6}}):({_NUMBER}),({_NUMBER}):({_NUMBER}),({_NUMBER})=({_NUMBER})", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class TagDistance:
    """Distance between the centres of two tags."""

    tags: tuple[int, int]
    """Numbers of the tags."""
    length_m: float
    """Typed distance [m]."""


@dataclass(frozen=True, kw_only=True)
class PixelDistance:
    """Distance between the surface points at two pixels of one picture."""

    frame: int
    """Number of the frame in the ingested capture."""
    pixels: tuple[tuple[float, float], tuple[float, float]]
    """Two pixels (u, v) of its colour image, or of its depth image where it has no colour."""
    length_m: float
    """Typed distance [m]."""


Distance = TagDistance | PixelDistance


def parse_distance(text: str) -> Distance:
    """Parse one typed distance; raises InputError that shows both accepted forms."""
    tags, pixels = _TAGS.fullmatch(text.strip()), _PIXELS.fullmatch(text.strip())
    distance: Distance
    if tags is not None:
        first, second, length = tags.groups()
        distance = TagDistance(tags=(int(first), int(second)), length_m=float(length))
        is_same_place = first == second
    elif pixels is not None:
        frame, *coordinates, length = pixels.groups()
        u0, v0, u1, v1 = (float(place) for place in coordinates)
        distance = PixelDistance(frame=int(frame), pixels=((u0, v0), (u1, v1)), length_m=float(length))
        is_same_place = (u0, v0) == (u1, v1)
    else:
        raise InputError(f"the distance {text[:60]!r}", expected=DISTANCE_FORMS, hint=_HINT)
    low, high = LENGTH_RANGE_M
    if is_same_place or not low <= distance.length_m <= high:
        raise InputError(
            f"the distance {text[:60]!r}",
            expected=f"two different places {low:g} to {high:g} m apart",
            hint="Type metres: half a metre is 0.50.",
        )
    return distance


def needs_tags(distances: Sequence[Distance]) -> bool:
    """Return whether any distance is between tags, so that tags must be detected."""
    return any(isinstance(distance, TagDistance) for distance in distances)


def check_distances(
    capture: Capture, distances: Sequence[Distance], *, tags: Mapping[int, Array] | None = None
) -> ScaleCheck:
    """Return the scale check of typed distances; `tags` holds the world corners [4, 3] [m] of each tag by its number.

    Raises CaptureError where a point is too uncertain or a length is implausible.
    """
    combined = combine_checks([_check_distance(capture, distance, tags or {}) for distance in distances])
    return replace(combined, by="1 typed distance" if len(distances) == 1 else f"{len(distances)} typed distances")


def _check_distance(capture: Capture, distance: Distance, tags: Mapping[int, Array]) -> ScaleCheck:
    if isinstance(distance, TagDistance):
        first, second = distance.tags
        name = f"tag {first} to tag {second}"
        measured = float(np.linalg.norm(_tag_center(second, tags) - _tag_center(first, tags)))
        error = float(np.hypot(TAG_ERROR_M, TAG_ERROR_M)) / distance.length_m
    else:
        name = f"the distance in frame {distance.frame}"
        (start, start_error), (end, end_error) = (
            _locate_pixel(capture, distance.frame, pixel) for pixel in distance.pixels
        )
        measured = float(np.linalg.norm(end - start))
        error = float(np.hypot(start_error, end_error)) / measured
    error = float(np.hypot(TAPE_ERROR_M / distance.length_m, error))
    if error > MAX_ERROR:
        raise CaptureError(
            f"{name}, known to {100.0 * error:.0f} % only",
            expected=f"{100.0 * MAX_ERROR:.0f} % or better",
            hint="Pick places within flat surfaces, not at edges, and farther apart; or lay down two tags.",
        )
    ratio = plausible_ratio(
        capture, measured_m=measured, true_m=distance.length_m, name=name, hint="Measure again and type metres."
    )
    return ScaleCheck(ratio=ratio, error=error, by=name)


def _tag_center(number: int, tags: Mapping[int, Array]) -> Array:
    """Return the centre [3] of a tag in the world frame [m]."""
    if number not in tags:
        raise CaptureError(
            f"no tag {number} seen from three sides",
            expected="one of " + ", ".join(f"tag{tag}" for tag in sorted(tags)) if tags else "tags in the scene",
            hint="Tags of `cousins tag-sheet` are numbered from 0, row by row.",
        )
    return np.asarray(tags[number].mean(axis=0))


def _locate_pixel(capture: Capture, number: int, pixel: tuple[float, float]) -> tuple[Array, float]:
    """Return the world point [3] of a pixel and its error [m], by a plane fitted to the depth around it."""
    frames = capture.all_frames
    if number >= len(frames):
        raise CaptureError(
            f"frame {number} of {len(frames)}",
            expected=f"0 to {len(frames) - 1}",
            hint="`cousins inspect CAPTURE --pictures FOLDER` writes the pictures with their numbers.",
        )
    frame = frames[number]
    camera = frame.color_camera or frame.depth_camera
    u, v = pixel
    if not (u <= camera.width - 1 and v <= camera.height - 1):
        raise CaptureError(
            f"pixel {u:g},{v:g} in a picture of {camera.width}×{camera.height}",
            expected="a pixel of that picture",
            hint="`cousins inspect CAPTURE --pictures FOLDER` writes the pictures as they are counted here.",
        )
    ray = np.array([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1.0])
    depth_m, spread_m = _depth(frame, ray)
    pick_error_m = PICK_ERROR_PX * camera.width / 640.0 / camera.fx * depth_m
    point = frame.world_from_camera[:3, :3] @ (ray * depth_m) + frame.world_from_camera[:3, 3]
    return np.asarray(point), float(np.hypot(pick_error_m, spread_m))


def _depth(frame: Frame, ray: Array) -> tuple[float, float]:
    """Return planar depth along a ray [3] [m] and its error [m], by a fit linear in inverse depth (a plane)."""
    camera = frame.depth_camera
    u, v = camera.fx * ray[0] + camera.cx, camera.fy * ray[1] + camera.cy
    column, row = round(u), round(v)
    rows = np.arange(max(0, row - DEPTH_WINDOW_PX), min(camera.height, row + DEPTH_WINDOW_PX + 1))
    columns = np.arange(max(0, column - DEPTH_WINDOW_PX), min(camera.width, column + DEPTH_WINDOW_PX + 1))
    depth = frame.depth_m[np.ix_(rows, columns)].astype(np.float64)
    known_mask = depth > 0.0
    if known_mask.sum() < MIN_KNOWN_DEPTHS:
        raise CaptureError(
            f"no depth around pixel {u:.0f},{v:.0f} of the depth image of frame {frame.index}",
            expected="a place that the depth shows",
            hint="Pick a place on a dull, flat surface within 3 m.",
        )
    dv, du = np.meshgrid(rows - v, columns - u, indexing="ij")
    design = np.column_stack([np.ones(known_mask.sum()), du[known_mask], dv[known_mask]])
    solution, *_ = np.linalg.lstsq(design, 1.0 / depth[known_mask], rcond=None)
    depth_m = 1.0 / float(np.clip(solution[0], (1.0 / depth[known_mask]).min(), (1.0 / depth[known_mask]).max()))
    residuals = 1.0 / depth[known_mask] - design @ solution
    return depth_m, float(np.sqrt((residuals**2).mean())) * depth_m**2


_HINT: Final = (
    "`cousins inspect CAPTURE --pictures FOLDER` writes pictures to pick pixels in; `cousins tag-sheet` makes tags."
)
