"""Measure printed tags in a capture: their corners seen from many sides tell how long its metre is.

Every corner is triangulated from the colour frames alone (least squares over rays), so LiDAR bias has no part in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from cousins.capture.captures import Capture, Frame, Scale
from cousins.errors import CaptureError
from cousins.geometry import Array
from cousins.scale.sheet import FAMILY

LEAST_FRAMES: Final = 3
"""Fewer views of a tag tell nothing."""
LEAST_PARALLAX_RAD: Final = np.deg2rad(8.0)
"""Least angle under which the views see a tag."""
PRINT_ERROR: Final = 0.003
"""Relative error of a printed length as measured with a ruler: 0.2 mm on 60 mm."""
BELIEVED: Final = 0.25
"""A larger disagreement is a wrong number typed, not a wrong scale."""


@dataclass(frozen=True, kw_only=True)
class ScaleCheck:
    """How the capture's metre compares with the tags'."""

    ratio: float
    """True length by measured length; the capture is to be scaled by it."""
    error: float
    """Relative error of the ratio, one standard deviation."""
    tags: int
    """Number of tags that were measured."""
    frames: int
    """Number of colour frames that show any."""


def check_scale(capture: Capture, *, side_m: float) -> ScaleCheck:
    """Measure all tags of a side [m]; raises CaptureError where too few are seen or the size cannot be right."""
    rays: dict[tuple[int, int], list[tuple[Array, Array]]] = defaultdict(list)
    frames = 0
    for frame in capture.frames:
        found = _corners(frame)
        frames += bool(found)
        for number, pixels in found.items():
            for corner, ray in enumerate(_rays(frame, pixels)):
                rays[number, corner].append((frame.world_from_camera[:3, 3], ray))
    numbers = sorted({number for number, _ in rays})
    sides = {number: _sides([rays[number, corner] for corner in range(4)]) for number in numbers}
    known = {number: found for number, found in sides.items() if found is not None}
    if not known:
        raise CaptureError(
            f"{len(numbers)} tags in {frames} colour frames, none from {LEAST_FRAMES} sides",
            expected="a printed tag of family 36h11, seen from several sides",
            hint="`cousins tag-sheet -o tags.pdf` makes a sheet; lay it flat beside the things and walk around it.",
        )
    lengths = np.concatenate(list(known.values()))
    measured = float(np.median(lengths))
    spread = float(1.4826 * np.median(np.abs(lengths / measured - 1.0))) / np.sqrt(len(lengths))
    ratio = side_m / measured
    if abs(ratio - 1.0) > BELIEVED:
        raise CaptureError(
            f"tags {1000.0 * measured:.1f} mm wide by the phone, {1000.0 * side_m:g} mm as typed",
            expected="the same within a quarter",
            hint="Measure the black square of a printed tag and type its side in millimetres with --tag-size.",
        )
    return ScaleCheck(ratio=ratio, error=float(np.hypot(PRINT_ERROR, spread)), tags=len(known), frames=frames)


def rescaled(capture: Capture, check: ScaleCheck) -> Capture:
    """Return the capture in true metres: positions and depth times the ratio, its scale told with the new error."""
    off = 100.0 * (check.ratio - 1.0)
    source = f"{capture.scale.source}, corrected by {check.tags} tags ({off:+.1f} %)"
    warnings = capture.warnings
    if abs(check.ratio - 1.0) > 3.0 * np.hypot(capture.scale.error, check.error):
        doubt = f"The tags say that lengths were off by {off:+.1f} %, more than the phone's own error explains."
        warnings = (*warnings, f"{doubt} Measure a printed tag again.")
    frames = tuple(_scaled(frame, check.ratio) for frame in capture.frames)
    return replace(capture, frames=frames, scale=Scale(source=source, error=check.error), warnings=warnings)


def _scaled(frame: Frame, ratio: float) -> Frame:
    pose = frame.world_from_camera.copy()
    pose[:3, 3] *= ratio
    return replace(frame, world_from_camera=pose, depth_m=(frame.depth_m * ratio).astype(np.float32))


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


def _sides(corners: Sequence[Sequence[tuple[Array, Array]]]) -> Array | None:
    """Return the four sides [m] of a tag from the rays through its corners; None where they do not tell."""
    points = [_meeting(rays) for rays in corners]
    if any(point is None for point in points):
        return None
    around = np.array(points, dtype=np.float64)
    return np.asarray(np.linalg.norm(around - np.roll(around, -1, axis=0), axis=1))


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
