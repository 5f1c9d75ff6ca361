"""Scale corrections: compare a capture with known lengths, combine the results, and rescale the capture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cousins.capture.captures import Capture, Frame, Scale
from cousins.errors import CaptureError

MAX_TYPED_DISAGREEMENT: Final = 0.25
"""Relative disagreement with a device's metric scale beyond which the typed length is rejected as wrong."""
ASSUMED_PREFIX: Final = "assumed"
"""Prefix of `Scale.source` of an unmeasured scale, for which any ratio is plausible."""
MAX_SIGMAS: Final = 3.0
"""Standard deviations beyond which two measurements contradict each other."""


@dataclass(frozen=True, kw_only=True)
class ScaleCheck:
    """Ratio between true and captured lengths, with its error."""

    ratio: float
    """True length divided by length in the capture; the capture is to be scaled by it."""
    error: float
    """Relative error of the ratio, one standard deviation."""
    by: str
    """Description of the reference, such as `3 tags`."""


def plausible_ratio(capture: Capture, *, measured_m: float, true_m: float, name: str, hint: str) -> float:
    """Return true length divided by measured length; raises CaptureError where the ratio is implausible."""
    ratio = true_m / measured_m
    if abs(ratio - 1.0) > MAX_TYPED_DISAGREEMENT and not capture.scale.source.startswith(ASSUMED_PREFIX):
        raise CaptureError(
            f"{name} {1000.0 * measured_m:.1f} mm by the phone, {1000.0 * true_m:g} mm as typed",
            expected="the same within a quarter",
            hint=hint,
        )
    return ratio


def combine_checks(checks: Sequence[ScaleCheck]) -> ScaleCheck:
    """Return the inverse-variance weighted mean of several checks; contradicting checks increase its error."""
    ratios = np.array([check.ratio for check in checks])
    errors = np.array([check.error for check in checks])
    weights = errors**-2.0 / (errors**-2.0).sum()
    ratio = float(weights @ ratios)
    spread = float(np.sqrt(weights @ (ratios / ratio - 1.0) ** 2))
    combined_error = float((errors**-2.0).sum() ** -0.5)
    return ScaleCheck(
        ratio=ratio,
        error=float(np.hypot(combined_error, spread if spread > MAX_SIGMAS * combined_error else 0.0)),
        by=" and ".join(check.by for check in checks),
    )


def rescale_capture(capture: Capture, check: ScaleCheck) -> Capture:
    """Return the capture in true metres: positions and depth times the ratio, with updated scale source and error."""
    frames = tuple(_scaled(frame, check.ratio) for frame in capture.frames)
    held_out = tuple(_scaled(frame, check.ratio) for frame in capture.held_out)
    capture = replace(capture, frames=frames, held_out=held_out)
    if capture.scale.source.startswith(ASSUMED_PREFIX):
        return replace(capture, scale=Scale(source=f"measured by {check.by}", error=check.error))
    correction_percent = 100.0 * (check.ratio - 1.0)
    source = f"{capture.scale.source}, corrected by {check.by} ({correction_percent:+.1f} %)"
    warnings = capture.warnings
    if abs(check.ratio - 1.0) > MAX_SIGMAS * np.hypot(capture.scale.error, check.error):
        warning = (
            f"By {check.by} lengths were off by {correction_percent:+.1f} %, more than the phone's own error explains."
        )
        warnings = (*warnings, f"{warning} Measure what you typed again.")
    return replace(capture, scale=Scale(source=source, error=check.error), warnings=warnings)


def _scaled(frame: Frame, ratio: float) -> Frame:
    pose = frame.world_from_camera.copy()
    pose[:3, 3] *= ratio
    return frame.with_pose(pose, lambda depth_m: (depth_m * ratio).astype(np.float32))
