"""How good a capture is, said before any work is spent on it, in words for the person who scanned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cousins.capture.captures import OF_PICTURES, Capture, Frame
from cousins.capture.quality.coverage import Coverage, measure_coverage
from cousins.capture.quality.drift import Drift, measure_drift
from cousins.capture.quality.reprojection import FAR_M
from cousins.capture.quality.sharpness import blur_and_detail
from cousins.findings import Finding
from cousins.geometry import rotation_angle_rad

MAX_BLUR = 0.4
"""Blur (see `sharpness.py`) above which edges spread over some 6 px of a 1920 px picture."""
MAX_BLURRED_SHARE = 0.2
MIN_TRUSTED_SHARE = 0.6
"""Share of depth pixels that should be medium or high in confidence."""
MIN_CONFIRMED_SHARE = 0.3
"""The same for depth found from pictures, in which plain surfaces and what few views share have none."""
MAX_PAUSE_S = 1.0
"""Longest time without a frame."""
MAX_SPEED_M_S = 3.0
"""Nobody carries a phone faster: a faster pose jumped."""
MAX_TURN_RAD_S = 1.0
"""Turning faster smears the picture by more than 20 px at 1/60 s."""
MIN_CIRCLE_RAD = np.deg2rad(270.0)
"""An object needs views from this much of the circle to show all its sides."""
MAX_NARROW_SHARE = 0.5
MIN_SIDE_WEIGHT = 0.1
MAX_DRIFT_M = 0.015
"""Larger loop residuals blur a twin visibly: three fusion voxels of 5 mm."""
MAX_DISTANCE_M = 3.0
"""Beyond it a phone's LiDAR, 256 points wide, sees every 14 mm only."""
MIN_DISTANCE_M = 0.3
"""Nearer a phone's LiDAR is out of its range."""

_LOOKED_AT = 30
"""Colour frames whose blur is measured."""


@dataclass(frozen=True, kw_only=True)
class QualityReport:
    """Measured values and what they mean."""

    metrics: dict[str, float]
    """By name; names end in their unit."""
    findings: tuple[Finding, ...]
    """What could be better, each with the measured value and what to do."""


def assess_quality(capture: Capture) -> QualityReport:
    """Measure sharpness, coverage, depth, gaps, motion and drift; never raises for a poor scan."""
    rng = np.random.default_rng(0)
    parts = (
        _sharpness(capture.frames),
        _depth(capture.frames, of_pictures=capture.app in OF_PICTURES),
        _coverage(measure_coverage(capture.frames, rng)),
        _motion(capture.frames),
        _drift(measure_drift(capture.frames)),
    )
    metrics = {"frames": float(len(capture.frames)), "duration_s": capture.frames[-1].timestamp_s}
    findings: list[Finding] = []
    for values, found in parts:
        metrics.update(values)
        findings.extend(found)
    return QualityReport(metrics=metrics, findings=tuple(findings))


_Part = tuple[dict[str, float], list[Finding]]


def _warning(rule: str, message: str, fix: str, *, where: str = "capture") -> Finding:
    return Finding(rule=rule, severity="warning", where=where, message=message, fix=fix)


def _note(rule: str, message: str, fix: str) -> Finding:
    return Finding(rule=rule, severity="info", where="capture", message=message, fix=fix)


def _sharpness(frames: Sequence[Frame]) -> _Part:
    colored = [frame for frame in frames if frame.color_path is not None]
    metrics = {"color_share": len(colored) / len(frames)}
    if not colored:
        return metrics, [
            _warning("no-color", "No frame has colour.", "The twin will be grey: export colour images with the depth.")
        ]
    chosen = [colored[index] for index in np.unique(np.linspace(0, len(colored) - 1, _LOOKED_AT).astype(int))]
    measured = np.array([blur_and_detail(frame) for frame in chosen])
    blurred = [frame.index for frame, blur in zip(chosen, measured[:, 0], strict=True) if blur > MAX_BLUR]
    share = len(blurred) / len(chosen)
    metrics |= {"blur_median": float(np.median(measured[:, 0])), "blurred_share": share}
    metrics["laplacian_variance_median"] = float(np.median(measured[:, 1]))
    if share <= MAX_BLURRED_SHARE:
        return metrics, []
    return metrics, [
        _warning(
            "blurred-color",
            f"{share:.0%} of the pictures looked at are blurred.",
            "Move slower, tap to lock focus, and turn on more light.",
            where=f"frames {_listed(blurred)}",
        )
    ]


def _depth(frames: Sequence[Frame], *, of_pictures: bool) -> _Part:
    counts = np.zeros(4)
    for frame in frames:
        known = frame.depth_m > 0.0
        trusted = known & (frame.confidence >= 1)
        counts += [known.size, known.sum(), trusted.sum(), (trusted & (frame.depth_m > FAR_M)).sum()]
    known_share, trusted_share, far_share = counts[1:] / counts[0]
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
            f"Only {trusted_share:.0%} of the depth pixels are trusted by the phone.",
            "Stay 0.5 to 3 m away, and avoid sun, glass, mirrors and glossy black things, or cover them.",
        )
    ]


def _coverage(coverage: Coverage | None) -> _Part:
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
    findings = _distance(coverage)
    if not coverage.inward:
        return metrics, findings
    metrics |= {f"narrow_{side}_share": share for side, share in coverage.narrow.items()}
    if coverage.azimuth_rad < MIN_CIRCLE_RAD:
        findings.append(
            _warning(
                "not-all-around",
                f"The scene was seen from {metrics['azimuth_deg']:.0f}° of the circle; "
                f"nobody stood at the {_joined(coverage.unvisited)} (from where you started).",
                "Walk all the way around, or push things away from the wall; unseen backs are completed by guess.",
            )
        )
    thin = [side for side, share in coverage.narrow.items() if share > MAX_NARROW_SHARE]
    thin = [side for side in thin if coverage.weight[side] > MIN_SIDE_WEIGHT]
    if thin:
        shares = ", ".join(f"{coverage.narrow[side]:.0%} of the {side}" for side in thin)
        findings.append(
            _warning(
                "seen-from-one-direction",
                f"Seen from one direction only: {shares} (from where you started).",
                f"Look at the {_joined(thin)} again from higher, lower and both sides.",
            )
        )
    return metrics, findings


def _distance(coverage: Coverage) -> list[Finding]:
    distance = f"Most of what was seen is {coverage.distance_m:.2f} m away."
    if coverage.distance_m > MAX_DISTANCE_M:
        return [_warning("too-far", distance, "Go closer, 0.5 to 2 m: from here small things are a few depth points.")]
    if coverage.distance_m < MIN_DISTANCE_M:
        return [_warning("too-near", distance, "Step back to 0.5 m: a phone's LiDAR guesses below 0.3 m.")]
    return []


def _motion(frames: Sequence[Frame]) -> _Part:
    if len(frames) < 2:
        return {}, [_warning("one-frame", "There is one frame only.", "Walk around the scene while recording.")]
    times = np.array([frame.timestamp_s for frame in frames])
    centers = np.stack([frame.world_from_camera[:3, 3] for frame in frames])
    steps_s = np.diff(times)
    lapse_s = np.maximum(steps_s, 1e-3)
    steps_m = np.linalg.norm(np.diff(centers, axis=0), axis=1)
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
                where=f"after frame {_listed(pauses.tolist())}",
            )
        )
    jumps = np.flatnonzero(steps_m / lapse_s > MAX_SPEED_M_S)
    if len(jumps):
        findings.append(
            _warning(
                "pose-jump",
                f"The pose jumps by up to {steps_m[jumps].max():.2f} m between frames.",
                "Tracking was lost: scan again with textured things in view.",
                where=f"after frame {_listed(jumps.tolist())}",
            )
        )
    hasty = float(np.mean(turns / lapse_s > MAX_TURN_RAD_S))
    if hasty > MAX_BLURRED_SHARE:
        findings.append(_warning("hasty", f"The phone turned fast in {hasty:.0%} of the frames.", "Turn slower."))
    return metrics, findings


def _drift(drift: Drift) -> _Part:
    metrics = {} if drift.neighbour_m is None else {"neighbour_residual_mm": drift.neighbour_m * 1000.0}
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


def _joined(sides: Sequence[str]) -> str:
    return " and ".join([", ".join(sides[:-1]), sides[-1]]) if len(sides) > 1 else "".join(sides)


def _listed(indices: Sequence[int]) -> str:
    shown = ", ".join(str(index) for index in indices[:6])
    return shown if len(indices) <= 6 else f"{shown} and {len(indices) - 6} more"
