"""Measure printed tags in a capture: their corners seen from many sides tell how long its metre is.

Every corner is triangulated from the colour frames alone (least squares over rays), so LiDAR bias has no part in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np

from cousins.capture.captures import Capture, Frame
from cousins.errors import CaptureError
from cousins.geometry import Array
from cousins.scale.check import ScaleCheck, believed
from cousins.scale.sheet import FAMILY

LEAST_FRAMES: Final = 3
"""Fewer views of a tag tell nothing."""
LEAST_PARALLAX_RAD: Final = np.deg2rad(8.0)
"""Least angle under which the views see a tag."""
PRINT_ERROR: Final = 0.003
"""Relative error of a printed length as measured with a ruler: 0.2 mm on 60 mm."""


def check_scale(capture: Capture, known: Mapping[int, Array], *, side_m: float) -> ScaleCheck:
    """Measure tags of a side [m] by their corners; raises CaptureError where the size cannot be right."""
    lengths = np.concatenate([_sides(corners) for corners in known.values()])
    measured = float(np.median(lengths))
    spread = float(1.4826 * np.median(np.abs(lengths / measured - 1.0))) / np.sqrt(len(lengths))
    hint = "Measure the black square of a printed tag and type its side in millimetres with --tag-size."
    ratio = believed(capture, measured_m=measured, true_m=side_m, what="tags as wide as", hint=hint)
    return ScaleCheck(
        ratio=ratio, error=float(np.hypot(PRINT_ERROR, spread)), by=f"{len(known)} tag{'s' if len(known) > 1 else ''}"
    )


def tag_corners(capture: Capture) -> dict[int, Array]:
    """Return the corners in the world [m] of each tag that was seen well enough, float64 [4, 3], by its number.

    Raises CaptureError where there is none.
    """
    rays: dict[tuple[int, int], list[tuple[Array, Array]]] = defaultdict(list)
    frames = 0
    for frame in capture.frames:
        found = _corners(frame)
        frames += bool(found)
        for number, pixels in found.items():
            for corner, ray in enumerate(_rays(frame, pixels)):
                rays[number, corner].append((frame.world_from_camera[:3, 3], ray))
    numbers = sorted({number for number, _ in rays})
    points = {number: [_meeting(rays[number, corner]) for corner in range(4)] for number in numbers}
    known = {
        number: np.array(corners, dtype=np.float64)
        for number, corners in points.items()
        if all(corner is not None for corner in corners)
    }
    if not known:
        raise CaptureError(
            f"{len(numbers)} tags in {frames} colour frames, none from {LEAST_FRAMES} sides",
            expected="a printed tag of family 36h11, seen from several sides",
            hint="`cousins tag-sheet -o tags.pdf` makes a sheet; lay it flat beside the things and walk around it.",
        )
    return known


def _corners(frame: Frame) -> dict[int, Array]:
    """Return the four corners [px] of each tag in the colour image, float64 [4, 2]."""
    image = frame.color()
    if image is None:
        return {}
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(FAMILY), parameters)
    corners, numbers, _ = detector.detectMarkers(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    if len(corners) == 0:
        return {}
    return {
        int(number): np.asarray(found, dtype=np.float64).reshape(4, 2)
        for number, found in zip(np.ravel(numbers), corners, strict=True)
    }


def _rays(frame: Frame, pixels: Array) -> Array:
    """Return unit directions in the world through pixels [n, 2] of the colour image, float64 [n, 3]."""
    camera = frame.color_camera
    assert camera is not None, "a frame with colour has a colour camera"
    seen = np.column_stack(
        [(pixels[:, 0] - camera.cx) / camera.fx, (pixels[:, 1] - camera.cy) / camera.fy, np.ones(len(pixels))]
    )
    world = seen @ frame.world_from_camera[:3, :3].T
    return np.asarray(world / np.linalg.norm(world, axis=1, keepdims=True))


def _sides(corners: Array) -> Array:
    """Return the four sides [m] of a tag from its corners [4, 3]."""
    return np.asarray(np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1))


def _meeting(rays: Sequence[tuple[Array, Array]]) -> Array | None:
    """Return the point [3] nearest to all rays, in the sense of least squares, without the worst outliers."""
    if len(rays) < LEAST_FRAMES:
        return None
    origins, directions = (np.array(part) for part in zip(*rays, strict=True))
    if float(np.arccos(np.clip(directions @ directions.T, -1.0, 1.0)).max()) < LEAST_PARALLAX_RAD:
        return None
    kept = np.ones(len(rays), dtype=bool)
    point = np.zeros(3)
    for _ in range(3):
        across = np.eye(3) - directions[kept][:, :, None] * directions[kept][:, None, :]
        point = np.linalg.solve(across.sum(axis=0), (across @ origins[kept][:, :, None]).sum(axis=0)[:, 0])
        offsets = point - origins
        miss = np.linalg.norm(np.cross(offsets, directions), axis=1) / np.linalg.norm(offsets, axis=1)
        kept = miss <= 3.0 * max(float(np.median(miss)), 1e-4)
        if kept.sum() < LEAST_FRAMES:
            return None
    return point
