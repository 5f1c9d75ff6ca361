"""Measure printed tags in a capture: the metric scale from tag corners triangulated over several views.

Every corner is triangulated from the colour frames alone (least squares over rays), so LiDAR bias does not affect it.
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
from cousins.scale.check import ScaleCheck, plausible_ratio
from cousins.scale.sheet import TAG_FAMILY

MIN_VIEWS: Final = 3
"""Least number of views of a tag."""
MIN_PARALLAX_RAD: Final = np.deg2rad(8.0)
"""Least largest angle between the viewing rays of a tag corner [rad]."""
PRINT_ERROR: Final = 0.003
"""Relative error of a printed length as measured with a ruler: 0.2 mm on 60 mm."""


def check_tag_scale(capture: Capture, tags: Mapping[int, Array], *, side_m: float) -> ScaleCheck:
    """Return the scale check of tags [4, 3] (corners [m] by number) with true side `side_m` [m].

    Raises CaptureError where the size is implausible.
    """
    lengths = np.concatenate([_side_lengths_m(corners) for corners in tags.values()])
    measured_m = float(np.median(lengths))
    spread = float(1.4826 * np.median(np.abs(lengths / measured_m - 1.0))) / np.sqrt(len(lengths))
    hint = "Measure the black square of a printed tag and type its side in millimetres with --tag-size."
    ratio = plausible_ratio(capture, measured_m=measured_m, true_m=side_m, name="tags as wide as", hint=hint)
    return ScaleCheck(
        ratio=ratio, error=float(np.hypot(PRINT_ERROR, spread)), by=f"{len(tags)} tag{'s' if len(tags) > 1 else ''}"
    )


def tag_corners(capture: Capture) -> dict[int, Array]:
    """Return the world corners [m], float64 [4, 3], of each tag seen from enough sides, by its number.

    Raises CaptureError where there is none.
    """
    rays: dict[tuple[int, int], list[tuple[Array, Array]]] = defaultdict(list)
    frames = 0
    for frame in capture.frames:
        corners_px = _detect_corners(frame)
        frames += bool(corners_px)
        for number, pixels in corners_px.items():
            for corner, ray in enumerate(_rays(frame, pixels)):
                rays[number, corner].append((frame.world_from_camera[:3, 3], ray))
    numbers = sorted({number for number, _ in rays})
    points = {number: [_triangulate(rays[number, corner]) for corner in range(4)] for number in numbers}
    tags = {
        number: np.array(corners, dtype=np.float64)
        for number, corners in points.items()
        if all(corner is not None for corner in corners)
    }
    if not tags:
        raise CaptureError(
            f"{len(numbers)} tags in {frames} colour frames, none from {MIN_VIEWS} sides",
            expected="a printed tag of family 36h11, seen from several sides",
            hint="`cousins tag-sheet -o tags.pdf` makes a sheet; lay it flat beside the things and walk around it.",
        )
    return tags


def _detect_corners(frame: Frame) -> dict[int, Array]:
    """Return the four corners [px] of each tag detected in the colour image, float64 [4, 2], by its number."""
    image = frame.color()
    if image is None:
        return {}
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(TAG_FAMILY), parameters)
    corners, numbers, _ = detector.detectMarkers(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    if len(corners) == 0:
        return {}
    return {
        int(number): np.asarray(pixels, dtype=np.float64).reshape(4, 2)
        for number, pixels in zip(np.ravel(numbers), corners, strict=True)
    }


def _rays(frame: Frame, pixels: Array) -> Array:
    """Return unit ray directions in the world frame through pixels [n, 2] of the colour image, float64 [n, 3]."""
    camera = frame.color_camera
    assert camera is not None, "a frame with colour has a colour camera"
    directions = np.column_stack(
        [(pixels[:, 0] - camera.cx) / camera.fx, (pixels[:, 1] - camera.cy) / camera.fy, np.ones(len(pixels))]
    )
    world = directions @ frame.world_from_camera[:3, :3].T
    return np.asarray(world / np.linalg.norm(world, axis=1, keepdims=True))


def _side_lengths_m(corners: Array) -> Array:
    """Return the four side lengths [4] [m] of a tag from its corners [4, 3]."""
    return np.asarray(np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1))


def _triangulate(rays: Sequence[tuple[Array, Array]]) -> Array | None:
    """Return the least-squares intersection point [3] of rays without outliers; None where it is ill-conditioned."""
    if len(rays) < MIN_VIEWS:
        return None
    origins, directions = (np.array(part) for part in zip(*rays, strict=True))
    if float(np.arccos(np.clip(directions @ directions.T, -1.0, 1.0)).max()) < MIN_PARALLAX_RAD:
        return None
    inliers = np.ones(len(rays), dtype=bool)
    point = np.zeros(3)
    for _ in range(3):
        projections = np.eye(3) - directions[inliers][:, :, None] * directions[inliers][:, None, :]
        point = np.linalg.solve(projections.sum(axis=0), (projections @ origins[inliers][:, :, None]).sum(axis=0)[:, 0])
        offsets = point - origins
        angular_errors = np.linalg.norm(np.cross(offsets, directions), axis=1) / np.linalg.norm(offsets, axis=1)
        inliers = angular_errors <= 3.0 * max(float(np.median(angular_errors)), 1e-4)
        if inliers.sum() < MIN_VIEWS:
            return None
    return point
