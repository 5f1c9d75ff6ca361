"""Check the camera convention of a capture: reject it where another convention fits the depth better.

Points of one frame are transformed into another frame and compared with its depth, for frame pairs with enough motion,
under every convention of `conventions`, and with ray depth instead of planar depth. The score of a convention is the
share of points that agree with the measured depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cousins.capture.captures import Capture, Frame
from cousins.capture.quality.conventions import Convention, axes_conventions, ray_lengths, unit_conventions
from cousins.capture.quality.reprojection import (
    FAR_M,
    NEAR_M,
    OCCLUSION_M,
    depth_errors_m,
    sample_points,
    trusted_pixels,
)
from cousins.errors import ConventionError
from cousins.geometry import Array, rigid

MAX_PAIRS = 20
"""Maximum number of frame pairs compared."""
MAX_DEPTHS = 20_000_000
"""Largest number of depths whose median is taken: 400 LiDAR frames; of more, every n-th."""
POINTS_PER_PAIR = 300
"""Number of depth samples transformed from one frame of a pair to the other."""
MIN_POINTS = 30
"""Least number of trusted depth pixels of a frame."""
MIN_MOTION = 0.4
"""Least motion of a pair that distinguishes conventions, in units of `_PAIR_ANGLE_RAD` and `_PAIR_BASELINE_M`."""
MAX_FIT_ERROR_M = 0.03
"""Depth fits if its error is below this [m] ..."""
MAX_FIT_ERROR_SHARE = 0.02
"""... or this share of the distance: noise of a phone's LiDAR (1 % of range) and drift between the frames."""
MIN_SCORE = 0.15
"""Least score of a convention that counts: below it the frames hardly overlap, or nothing fits."""
MIN_OVERLAP = 0.3
"""Least share of points visible in both frames from which agreement is expected."""
MIN_FIT_SHARE = 0.2
"""Least share of the points visible in both frames that must fit; the rest may be occluded or drift."""
MIN_OVERRULING_RATIO = 1.3
"""Ratio by which another convention's score must exceed the declared one's ..."""
MIN_OVERRULING_MARGIN = 0.05
"""... and difference by which it must exceed it, to reject the declared convention."""

UNIT_REACH, UNIT_STEPS = 1.5, 41
"""Search range around the best of `UNITS_M`, as a factor, and number of steps."""
UNIT_TIE_SHARE = 0.95
"""Units that score at least this share of the best score are considered equal."""
MAX_RAY_RESIDUAL_RATIO = 0.75
"""Depth is along the ray where this interpretation reduces residuals to this share, and more points fit.
Measured: 0.50 to 0.65 for depth along the ray, 1.3 to 4 for planar depth."""

_PAIR_ANGLE_RAD = np.deg2rad(20.0)
_PAIR_BASELINE_M = 0.3


@dataclass(frozen=True, kw_only=True)
class ConventionReport:
    """Result of the convention check."""

    conclusive: bool
    """False where the frames cannot distinguish conventions."""
    pairs: int
    """Number of frame pairs compared."""
    declared_score: float
    """Share of points that fit under the convention with which the capture was read, 0..1."""
    rival: str
    """Description of the best other convention."""
    rival_score: float
    """Share of points that fit under the best other convention, 0..1."""
    median_residual_mm: float
    """Median depth residual of visible points under the declared convention [mm]."""
    warnings: tuple[str, ...]
    """Warnings to the user, one sentence each."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Comparison:
    """Agreement of frame pairs under several conventions."""

    scores: Array
    """Share of points that fit, by convention, float64 [n]."""
    overlap: float
    """Share of points visible in both frames under the first convention."""
    residual_mm: float
    """Median depth residual of visible points under the first convention [mm]."""


def check_camera_convention(capture: Capture) -> ConventionReport:
    """Return the scores of the declared and the best other convention.

    Raises ConventionError where another convention fits clearly better, or none fits.
    """
    frames = _scale_to_phone_range(capture.frames)
    pairs = _frame_pairs([frame for frame in frames if trusted_pixels(frame).size >= MIN_POINTS])
    if not pairs:
        return _inconclusive(
            "The camera moved too little, or saw too little, to check its convention against the depth."
        )
    axes, units = axes_conventions(), unit_conventions()
    comparison = _compare_conventions(pairs, [*axes, *units])
    rival = _rival_index(comparison.scores, len(axes))
    report = ConventionReport(
        conclusive=bool(comparison.scores[0] >= MIN_SCORE and comparison.scores[0] >= comparison.scores[rival]),
        pairs=len(pairs),
        declared_score=float(comparison.scores[0]),
        rival=axes[rival].name if rival < len(axes) else _refine_unit(pairs, units[rival - len(axes)].unit_m).name,
        rival_score=float(comparison.scores[rival]),
        median_residual_mm=comparison.residual_mm,
        warnings=(),
    )
    along_ray = _ray_depth_score(pairs, axes[0], comparison)
    if along_ray > max(report.declared_score, report.rival_score):
        raise _convention_error(replace(report, rival="depth along the ray for planar depth", rival_score=along_ray))
    return _check_report(report, overlap=comparison.overlap)


def _scale_to_phone_range(frames: Sequence[Frame]) -> Sequence[Frame]:
    """Return the frames scaled so that depth lies in a phone's range; usually they are in metres and unchanged."""
    stride = max(1, -(-sum(frame.depth_camera.width * frame.depth_camera.height for frame in frames) // MAX_DEPTHS))
    trusted_depths = [
        depth[::stride]
        for frame in frames
        if (depth := frame.depth_m[(frame.depth_m > 0) & (frame.confidence >= 1)]).size
    ]
    median_m = float(np.median(np.concatenate(trusted_depths))) if trusted_depths else 1.0
    if NEAR_M < median_m < FAR_M:
        return frames
    unit = 1.0 / median_m
    return [
        frame.with_pose(
            rigid(frame.world_from_camera[:3, :3], unit * frame.world_from_camera[:3, 3]),
            lambda depth_m: depth_m * np.float32(unit),
        )
        for frame in frames
    ]


def _compare_conventions(pairs: Sequence[tuple[Frame, Frame]], conventions: Sequence[Convention]) -> _Comparison:
    rng = np.random.default_rng(0)
    scores = np.zeros((len(pairs), len(conventions)))
    overlaps = np.zeros(len(pairs))
    residuals = []
    for row, (first, second) in enumerate(pairs):
        points = sample_points(first, POINTS_PER_PAIR, rng)
        relative = np.stack([convention.relative(first, second) for convention in conventions])
        errors = depth_errors_m(points, relative, second)
        scores[row] = (np.abs(errors) < np.maximum(MAX_FIT_ERROR_M, MAX_FIT_ERROR_SHARE * points[:, 2])).mean(axis=1)
        overlaps[row] = np.isfinite(errors[0]).mean()
        residuals.append(np.abs(errors[0][np.abs(errors[0]) < OCCLUSION_M]))
    all_residuals = np.concatenate(residuals)
    return _Comparison(
        scores=scores.mean(axis=0),
        overlap=float(overlaps.mean()),
        residual_mm=float(np.median(all_residuals) * 1000.0) if len(all_residuals) else 0.0,
    )


def _refine_unit(pairs: Sequence[tuple[Frame, Frame]], near_m: float) -> Convention:
    """Return the unit convention near one of `UNITS_M`: the mean of those that fit about as well as the best."""
    finer = near_m * np.geomspace(1.0 / UNIT_REACH, UNIT_REACH, UNIT_STEPS)
    scores = _compare_conventions(pairs, unit_conventions(finer)).scores
    middle = np.exp(np.log(finer[scores >= UNIT_TIE_SHARE * scores.max()]).mean())
    return unit_conventions(np.array([middle]))[0]


def _ray_depth_score(
    pairs: Sequence[tuple[Frame, Frame]], declared: Convention, declared_comparison: _Comparison
) -> float:
    """Return the share of points that fit if depth is along the ray; 0 where planar depth fits as well."""
    ray_comparison = _compare_conventions(
        [(_with_planar_depth(first), _with_planar_depth(second)) for first, second in pairs], [declared]
    )
    score = float(ray_comparison.scores[0])
    is_clear = ray_comparison.residual_mm < MAX_RAY_RESIDUAL_RATIO * declared_comparison.residual_mm and score >= max(
        MIN_SCORE, float(declared_comparison.scores[0])
    )
    return score if is_clear else 0.0


def _with_planar_depth(frame: Frame) -> Frame:
    """Return the frame with its depth converted from ray length to planar depth."""
    return replace(frame, depth_m=(frame.depth_m / ray_lengths(frame.depth_camera)).astype(np.float32))


def _rival_index(scores: Array, axes: int) -> int:
    """Return the index of the best other axes convention, or of a unit (after the axes) that fits clearly better."""
    best, unit = 1 + int(np.argmax(scores[1:axes])), axes + int(np.argmax(scores[axes:]))
    return unit if _clearly_better(scores[unit], scores[0]) and scores[unit] > scores[best] else best


def _clearly_better(rival: float, declared: float) -> bool:
    return rival >= MIN_SCORE and rival > MIN_OVERRULING_RATIO * declared and rival > declared + MIN_OVERRULING_MARGIN


def _check_report(report: ConventionReport, *, overlap: float) -> ConventionReport:
    if _clearly_better(report.rival_score, report.declared_score):
        raise _convention_error(report)
    if overlap >= MIN_OVERLAP and report.declared_score < MIN_FIT_SHARE * overlap:
        raise ConventionError(
            f"poses that do not fit the depth in any convention ({_scores(report)}, {report.pairs} frame pairs)",
            expected="depth that agrees between frames",
            hint="Tracking failed or units are mixed: scan again, slowly, keeping textured things in view.",
        )
    if report.conclusive:
        return report
    return replace(report, warnings=(f"The camera convention could not be confirmed: {_scores(report)}.",))


def _convention_error(report: ConventionReport) -> ConventionError:
    return ConventionError(
        f"a camera convention that its own depth contradicts ({_scores(report)}, {report.pairs} frame pairs)",
        expected="depth that agrees between frames",
        hint="The poses are written in another convention or unit than the format's: "
        "export again with the app itself, or name the true format with --format.",
    )


def _scores(report: ConventionReport) -> str:
    return f"{report.declared_score:.0%} of the points fit as declared, {report.rival_score:.0%} as {report.rival}"


def _inconclusive(sentence: str) -> ConventionReport:
    return ConventionReport(
        conclusive=False,
        pairs=0,
        declared_score=0.0,
        rival="",
        rival_score=0.0,
        median_residual_mm=0.0,
        warnings=(sentence,),
    )


def _frame_pairs(frames: Sequence[Frame]) -> list[tuple[Frame, Frame]]:
    """Return evenly spaced pairs: a frame and the first later one that moved by about 20° or 0.3 m.

    Such a pair overlaps whatever the unit of the positions: in a unit that is too large it is the next frame.
    """
    if len(frames) < 2:
        return []
    rotations = np.stack([frame.world_from_camera[:3, :3] for frame in frames])
    centers = np.stack([frame.world_from_camera[:3, 3] for frame in frames])
    pairs = []
    for index in np.unique(np.linspace(0, max(0, len(frames) - 2), MAX_PAIRS).astype(int)):
        turned = np.einsum("nij,ij->n", rotations[index + 1 :], rotations[index])
        motion = np.arccos(np.clip(0.5 * (turned - 1.0), -1.0, 1.0)) / _PAIR_ANGLE_RAD
        motion += np.linalg.norm(centers[index + 1 :] - centers[index], axis=1) / _PAIR_BASELINE_M
        enough = np.flatnonzero(motion >= 1.0)
        other = int(enough[0]) if len(enough) else int(np.argmax(motion)) if len(motion) else -1
        if other >= 0 and motion[other] >= MIN_MOTION:
            pairs.append((frames[index], frames[index + 1 + other]))
    return pairs
