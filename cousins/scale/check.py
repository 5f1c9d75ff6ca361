"""What a measurement says about a capture's metre, and the capture in true metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cousins.capture.captures import Capture, Frame, Scale
from cousins.errors import CaptureError

BELIEVED: Final = 0.25
"""A larger disagreement with a metre that the device knew is a wrong number typed, not a wrong scale."""
ASSUMED: Final = "assumed"
"""How the source of a scale begins that nothing measured: any ratio may be true of it."""
DOUBTED: Final = 3.0
"""Standard deviations beyond which two measurements contradict each other."""


@dataclass(frozen=True, kw_only=True)
class ScaleCheck:
    """How the capture's metre compares with something of known length."""

    ratio: float
    """True length by measured length; the capture is to be scaled by it."""
    error: float
    """Relative error of the ratio, one standard deviation."""
    by: str
    """What measured it, such as `3 tags`."""


def believed(capture: Capture, *, measured_m: float, true_m: float, what: str, hint: str) -> float:
    """Return true by measured length; raises CaptureError where the two cannot be the same thing."""
    ratio = true_m / measured_m
    if abs(ratio - 1.0) > BELIEVED and not capture.scale.source.startswith(ASSUMED):
        raise CaptureError(
            f"{what} {1000.0 * measured_m:.1f} mm by the phone, {1000.0 * true_m:g} mm as typed",
            expected="the same within a quarter",
            hint=hint,
        )
    return ratio


def combined(checks: Sequence[ScaleCheck]) -> ScaleCheck:
    """Return the mean of several measurements by their weights; where they contradict, its error grows to say so."""
    ratios = np.array([check.ratio for check in checks])
    errors = np.array([check.error for check in checks])
    weights = errors**-2.0 / (errors**-2.0).sum()
    ratio = float(weights @ ratios)
    spread = float(np.sqrt(weights @ (ratios / ratio - 1.0) ** 2))
    alone = float((errors**-2.0).sum() ** -0.5)
    return ScaleCheck(
        ratio=ratio,
        error=float(np.hypot(alone, spread if spread > DOUBTED * alone else 0.0)),
        by=" and ".join(check.by for check in checks),
    )


def rescaled(capture: Capture, check: ScaleCheck) -> Capture:
    """Return the capture in true metres: positions and depth times the ratio, its scale told with the new error."""
    frames = tuple(_scaled(frame, check.ratio) for frame in capture.frames)
    if capture.scale.source.startswith(ASSUMED):
        return replace(capture, frames=frames, scale=Scale(source=f"measured by {check.by}", error=check.error))
    off = 100.0 * (check.ratio - 1.0)
    source = f"{capture.scale.source}, corrected by {check.by} ({off:+.1f} %)"
    warnings = capture.warnings
    if abs(check.ratio - 1.0) > DOUBTED * np.hypot(capture.scale.error, check.error):
        doubt = f"By {check.by} lengths were off by {off:+.1f} %, more than the phone's own error explains."
        warnings = (*warnings, f"{doubt} Measure what you typed again.")
    return replace(capture, frames=frames, scale=Scale(source=source, error=check.error), warnings=warnings)


def _scaled(frame: Frame, ratio: float) -> Frame:
    pose = frame.world_from_camera.copy()
    pose[:3, 3] *= ratio
    return replace(frame, world_from_camera=pose, depth_m=(frame.depth_m * ratio).astype(np.float32))
