"""Quality report of a capture: metrics, and findings with advice for the person who scanned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cousins.capture.captures import IMAGE_ONLY_APPS, Capture, Frame
from cousins.capture.quality.coverage import Coverage, measure_coverage
from cousins.capture.quality.drift import Drift, measure_drift
from cousins.capture.quality.reprojection import FAR_M
from cousins.capture.quality.sharpness import blur_and_detail
from cousins.findings import Finding
from cousins.geometry import Array, rotation_angle_rad

MAX_BLUR = 0.4
"""Blur (see `sharpness.py`) above which edges spread over some 6 px of a 1920 px picture."""
MAX_BLURRED_SHARE = 0.2
MIN_TRUSTED_SHARE = 0.6
"""Least share of depth pixels of medium or high confidence."""
MIN_CONFIRMED_SHARE = 0.3
"""Least share of confirmed depth pixels of image-only captures, where untextured or rarely seen surfaces have none."""
MAX_PAUSE_S = 1.0
"""Longest time between frames [s]."""
MAX_SPEED_M_S = 3.0
"""Largest camera speed [m/s]: a faster pose has jumped."""
MAX_TURN_RAD_S = 1.0
"""Largest camera turning rate [rad/s]: faster turns blur the image by more than 20 px at 1/60 s."""
MIN_AZIMUTH_RAD = np.deg2rad(270.0)
"""Least azimuth range of the cameras that shows all sides of an object [rad]."""
MAX_NARROW_SHARE = 0.5
MIN_SIDE_WEIGHT = 0.1
MAX_DRIFT_M = 0.015
"""Largest loop residual [m]: a larger one blurs a twin visibly (three fusion voxels of 5 mm)."""
MAX_DISTANCE_M = 3.0
"""Largest median distance [m] of a LiDAR scan: there a phone's LiDAR, 256 points wide, samples every 14 mm."""
MAX_STRUCTURED_LIGHT_M = 4.0
"""Largest median distance of other depth cameras [m]: there the error of a Kinect's depth reaches 2 to 4 cm (Khoshelham
and Elberink, Sensors 12(2), 2012)."""
MIN_DISTANCE_M = 0.3
"""Least median distance [m] of a LiDAR scan: the near limit of a phone's LiDAR."""
DEPTH_COLUMNS = 160
"""Cells across a depth image in which depth is counted: depth that was moved into a finer colour grid leaves gaps
between its samples that are no missing surface."""

_BLUR_FRAMES = 30
"""Number of colour frames whose blur is measured."""


@dataclass(frozen=True, kw_only=True)
class QualityReport:
    """Quality metrics and findings of a capture."""

    metrics: dict[str, float]
    """Metrics by name; names end in their unit."""
    findings: tuple[Finding, ...]
    """Possible improvements, each with the measured value and advice."""


def assess_quality(capture: Capture) -> QualityReport:
    """Return sharpness, coverage, depth, motion and drift of a capture; never raises for a poor scan."""
    rng = np.random.default_rng(0)
    parts = (
        _sharpness(capture.frames),
        _depth(capture.frames, of_pictures=capture.app in IMAGE_ONLY_APPS),
        _coverage(measure_coverage(capture.frames, rng), capture),
        _motion(capture),
        _drift(measure_drift(capture.frames), len(capture.frames)),
    )
    metrics = {"frames": float(len(capture.frames)), "duration_s": capture.frames[-1].timestamp_s}
    findings: list[Finding] = []
    for values, section_findings in parts:
        metrics.update(values)
        findings.extend(section_findings)
    return QualityReport(metrics=metrics, findings=tuple(findings))


_Section = tuple[dict[str, float], list[Finding]]


def _warning(rule: str, message: str, fix: str, *, location: str = "capture") -> Finding:
    return Finding(rule=rule, severity="warning", where=location, message=message, fix=fix)


def _note(rule: str, message: str, fix: str) -> Finding:
    return Finding(rule=rule, severity="info", where="capture", message=message, fix=fix)


def _sharpness(frames: Sequence[Frame]) -> _Section:
    colored = [frame for frame in frames if frame.color_path is not None]
    metrics = {"color_share": len(colored) / len(frames)}
    if not colored:
        return metrics, [
            _warning("no-color", "No frame has colour.", "The twin will be grey: export colour images with the depth.")
        ]
    sampled = [colored[index] for index in np.unique(np.linspace(0, len(colored) - 1, _BLUR_FRAMES).astype(int))]
    measured = np.array([blur_and_detail(frame) for frame in sampled])
    blurred = [frame.index for frame, blur in zip(sampled, measured[:, 0], strict=True) if blur > MAX_BLUR]
    share = len(blurred) / len(sampled)
    metrics |= {"blur_median": float(np.median(measured[:, 0])), "blurred_share": share}
    metrics["laplacian_variance_median"] = float(np.median(measured[:, 1]))
    if share <= MAX_BLURRED_SHARE:
        return metrics, []
    return metrics, [
        _warning(
            "blurred-color",
            f"{share:.0%} of the pictures looked at are blurred.",
            "Move slower, tap to lock focus, and turn on more light.",
            location=f"frames {_format_indices(blurred)}",
        )
    ]


def _depth(frames: Sequence[Frame], *, of_pictures: bool) -> _Section:
    counts = np.zeros(4)
    for frame in frames:
        is_known = _in_cells(frame.depth_m > 0.0)
        is_trusted = _in_cells((frame.depth_m > 0.0) & (frame.confidence >= 1))
        is_far = _in_cells((frame.depth_m > FAR_M) & (frame.confidence >= 1))
        counts += [is_known.size, is_known.sum(), is_trusted.sum(), is_far.sum()]
    known_share, trusted_share, far_share = (float(share) for share in counts[1:] / counts[0])
    metrics = {"depth_known_share": known_share, "depth_trusted_share": trusted_share, "depth_far_share": far_share}
    if of_pictures and trusted_share < MIN_CONFIRMED_SHARE:
        message = f"Only {trusted_share:.0%} of the pixels have a depth that other pictures confirm."
        fix = "Take pictures 10° apart all the way around, and lay printed paper under plain things."
        return metrics, [_warning("little-confirmed-depth", message, fix)]
    if of_pictures or trusted_share >= MIN_TRUSTED_SHARE:
        return metrics, []
    return metrics, [
        _warning(
            "little-trusted-depth",
            f"Only {trusted_share:.0%} of the picture has depth that the camera trusts.",
            "Stay 0.5 to 3 m away, and avoid sun, glass, mirrors and glossy black things, or cover them.",
        )
    ]


def _in_cells(mask: Array) -> Array:
    """Return whether each cell of a mask [h, w] of pixels holds any, bool [h', w']."""
    step = max(1, mask.shape[1] // DEPTH_COLUMNS)
    height, width = mask.shape[0] // step, mask.shape[1] // step
    return np.asarray(mask[: height * step, : width * step].reshape(height, step, width, step).any(axis=(1, 3)))


def _coverage(coverage: Coverage | None, capture: Capture) -> _Section:
    if coverage is None:
        return {}, [
            _warning(
                "no-depth", "There is next to no trusted depth.", "Scan again from 0.5 to 3 m away, in even light."
            )
        ]
    low, high = np.rad2deg(coverage.elevation_rad)
    metrics = {
        "azimuth_deg": float(np.rad2deg(coverage.azimuth_rad)),
        "azimuth_gap_deg": float(np.rad2deg(coverage.gap_rad)),
        "elevation_low_deg": float(low),
        "elevation_high_deg": float(high),
        "distance_median_m": coverage.distance_m,
    }
    findings = [] if capture.app in IMAGE_ONLY_APPS else _distance(coverage, of_lidar=_is_lidar(capture))
    if not coverage.inward or len(capture.frames) < 2:
        return metrics, findings
    metrics |= {f"narrow_{side}_share": share for side, share in coverage.narrow.items()}
    if coverage.azimuth_rad < MIN_AZIMUTH_RAD and coverage.unvisited:
        findings.append(
            _warning(
                "not-all-around",
                f"The scene was seen from {metrics['azimuth_deg']:.0f}° of the circle; "
                f"nobody stood at the {_join_sides(coverage.unvisited)} (from where you started).",
                "Walk all the way around, or push things away from the wall; unseen backs are completed by guess.",
            )
        )
    narrow_sides = [side for side, share in coverage.narrow.items() if share > MAX_NARROW_SHARE]
    narrow_sides = [side for side in narrow_sides if coverage.weight[side] > MIN_SIDE_WEIGHT]
    if narrow_sides:
        shares = ", ".join(f"{coverage.narrow[side]:.0%} of the {side}" for side in narrow_sides)
        findings.append(
            _warning(
                "seen-from-one-direction",
                f"Seen from one direction only: {shares} (from where you started).",
                f"Look at the {_join_sides(narrow_sides)} again from higher, lower and both sides.",
            )
        )
    return metrics, findings


def _is_lidar(capture: Capture) -> bool:
    return capture.scale.source.startswith("lidar")


def _distance(coverage: Coverage, *, of_lidar: bool) -> list[Finding]:
    distance = f"Most of what was seen is {coverage.distance_m:.2f} m away."
    if coverage.distance_m > (MAX_DISTANCE_M if of_lidar else MAX_STRUCTURED_LIGHT_M):
        fix = "Go closer, 0.5 to 2 m: from here small things are a few depth points, or as small as the depth's error."
        return [_warning("too-far", distance, fix)]
    if of_lidar and coverage.distance_m < MIN_DISTANCE_M:
        return [_warning("too-near", distance, "Step back to 0.5 m: a phone's LiDAR guesses below 0.3 m.")]
    return []


def _motion(capture: Capture) -> _Section:
    """Return speeds and pauses; of photos, chosen film pictures and frames without times only the path."""
    frames = capture.frames
    if len(frames) < 2:
        return {}, [_warning("one-frame", "There is one frame only.", "Walk around the scene while recording.")]
    times = np.array([frame.timestamp_s for frame in frames])
    centers = np.stack([frame.world_from_camera[:3, 3] for frame in frames])
    steps_m = np.linalg.norm(np.diff(centers, axis=0), axis=1)
    if not capture.timed or capture.app in IMAGE_ONLY_APPS:
        return {"path_m": float(steps_m.sum())}, []
    steps_s = np.diff(times)
    lapse_s = np.maximum(steps_s, 1e-3)
    turns = np.array([_turn_rad(a, b) for a, b in pairwise(frames)])
    metrics = {
        "longest_pause_s": float(steps_s.max()),
        "path_m": float(steps_m.sum()),
        "speed_median_m_s": float(np.median(steps_m / lapse_s)),
        "turn_median_rad_s": float(np.median(turns / lapse_s)),
    }
    findings = []
    pauses = np.flatnonzero(steps_s > max(MAX_PAUSE_S, 5.0 * float(np.median(steps_s))))
    if len(pauses):
        findings.append(
            _warning(
                "pause",
                f"Nothing was recorded for {steps_s.max():.1f} s.",
                "Keep the recording running; a stop lets the tracking slip.",
                location=f"after frame {_format_indices(pauses.tolist())}",
            )
        )
    jumps = np.flatnonzero(steps_m / lapse_s > MAX_SPEED_M_S)
    if len(jumps):
        findings.append(
            _warning(
                "pose-jump",
                f"The pose jumps by up to {steps_m[jumps].max():.2f} m between frames.",
                "Tracking was lost: scan again with textured things in view.",
                location=f"after frame {_format_indices(jumps.tolist())}",
            )
        )
    fast_share = float(np.mean(turns / lapse_s > MAX_TURN_RAD_S))
    if fast_share > MAX_BLURRED_SHARE:
        findings.append(_warning("hasty", f"The phone turned fast in {fast_share:.0%} of the frames.", "Turn slower."))
    return metrics, findings


def _drift(drift: Drift, frame_count: int) -> _Section:
    metrics = {} if drift.neighbour_m is None else {"neighbour_residual_mm": drift.neighbour_m * 1000.0}
    if frame_count < 2:
        return metrics, []
    if drift.loop_m is None:
        return metrics, [
            _note(
                "no-loop",
                "The end of the scan sees nothing that its start saw, so its drift is not known.",
                "End a scan where it began, looking at the same things.",
            )
        ]
    metrics["loop_residual_mm"] = drift.loop_m * 1000.0
    if drift.loop_m <= max(MAX_DRIFT_M, 2.0 * (drift.neighbour_m or 0.0)):
        return metrics, []
    return metrics, [
        _warning(
            "drift",
            f"Start and end of the scan disagree by {drift.loop_m * 1000.0:.0f} mm.",
            "Scan a smaller area, slower, and come back to the start; the poses will be refined.",
        )
    ]


def _turn_rad(first: Frame, second: Frame) -> float:
    return rotation_angle_rad(first.world_from_camera[:3, :3].T @ second.world_from_camera[:3, :3])


def _join_sides(sides: Sequence[str]) -> str:
    return " and ".join([", ".join(sides[:-1]), sides[-1]]) if len(sides) > 1 else "".join(sides)


def _format_indices(indices: Sequence[int]) -> str:
    index_text = ", ".join(str(index) for index in indices[:6])
    return index_text if len(indices) <= 6 else f"{index_text} and {len(indices) - 6} more"
