"""Assumed metre of photos, with its error: structure from motion has no metric scale.

Two cues are combined as log-normal estimates: how far people stand from what they photograph, and the focus distances
that cameras write into their photos.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.geometry import Array
from cousins.photos.structure_from_motion import PosedPhoto, SfmModel

TYPICAL_DISTANCE_M = 1.3
"""Geometric mean of the median distances at which people record things and rooms [m]: 0.23 to 2.9 m in eleven
recordings with a known metre."""
DISTANCE_SIGMA = 0.6
"""Standard deviation of the logarithm of that distance: nine of ten of these recordings lie within a factor of 2.7."""
FOCUS_SIGMA = 0.25
"""Standard deviation of the logarithm of a focus distance that all photos of a camera share: autofocus stops at the
edge of its depth of field, and aims at a part of the picture that is not known."""
FOCUS_AREA_SHARE = 0.4
"""Side of the middle of a picture that autofocus is taken to aim at, as a share of the picture's."""
MIN_FOCUS_POINTS = 5
"""Least number of points in the middle of a picture whose distance is compared."""
MIN_FOCUS_PHOTOS = 3
"""Least number of photos with a focus distance."""


@dataclass(frozen=True, kw_only=True)
class Metre:
    """An assumed metric scale."""

    per_unit: float
    """Metres per unit of the model."""
    error: float
    """Standard deviation of the logarithm of a length."""
    source: str
    """Origin, as `Scale.source` names it."""


def assumed_metre(model: SfmModel) -> Metre:
    """Return the metric scale of a model, from typical distances and the photos' focus distances."""
    distances = [
        np.linalg.norm(model.points[photo.points] - photo.world_from_camera[:3, 3], axis=1) for photo in model.photos
    ]
    log_typical = float(np.log(TYPICAL_DISTANCE_M / np.median(np.concatenate(distances))))
    logs = np.array([log for photo in model.photos if (log := _log_focus_ratio(photo, model.points)) is not None])
    if len(logs) < MIN_FOCUS_PHOTOS:
        return Metre(per_unit=float(np.exp(log_typical)), error=DISTANCE_SIGMA, source="assumed")
    log_focus = float(np.median(logs))
    spread = 1.4826 * float(np.median(np.abs(logs - log_focus))) / np.sqrt(len(logs))
    weights = np.array([DISTANCE_SIGMA**-2, 1.0 / (FOCUS_SIGMA**2 + spread**2)])
    return Metre(
        per_unit=float(np.exp(weights @ [log_typical, log_focus] / weights.sum())),
        error=float(weights.sum() ** -0.5),
        source=f"assumed, from the focus distances of {len(logs)} photos",
    )


def _log_focus_ratio(photo: PosedPhoto, points: Array) -> float | None:
    """Return the logarithm of metres per unit by a photo's focus distance; None where it has none or shows too little.

    `points` [n, 3] are those of the model.
    """
    if photo.focus_distance_m is None:
        return None
    rotation, center = photo.world_from_camera[:3, :3], photo.world_from_camera[:3, 3]
    local = (points[photo.points] - center) @ rotation
    local = local[local[:, 2] > 0.0]
    across = np.abs(local[:, :2] / local[:, 2:]) * [photo.camera.fx, photo.camera.fy]
    half = 0.5 * FOCUS_AREA_SHARE * np.array([photo.camera.width, photo.camera.height])
    middle = local[np.all(across < half, axis=1), 2]
    return float(np.log(photo.focus_distance_m / np.median(middle))) if len(middle) >= MIN_FOCUS_POINTS else None
