"""Does the depth agree with the poses? If another camera convention explains it better, the export is refused.

Points of one frame are carried into another and compared with its depth, for frame pairs that moved enough, under
every way of misreading poses in `conventions`, and with depth along the ray for planar depth. The score of a
convention is the share of points that land on depth that fits.
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
"""Frame pairs looked at."""
POINTS_PER_PAIR = 300
"""Depth samples carried from one frame of a pair to the other."""
MIN_POINTS = 30
"""Frames with fewer trusted depth pixels are passed over."""
MIN_MOTION = 0.4
"""Least motion of a pair that tells conventions apart, in units of `_ANGLE_RAD` and `_BASELINE_M`."""
FIT_M = 0.03
"""Depth fits within this [m] ..."""
FIT_SHARE = 0.02
"""... or this share of the distance: noise of a phone's LiDAR (1 % of range) and drift between the frames."""
MIN_SCORE = 0.15
"""A convention that explains fewer points explains nothing: the frames hardly overlap, or nothing fits."""
MIN_OVERLAP = 0.3
"""Share of points seen again that is enough to expect agreement."""
MIN_FIT = 0.2
"""Least share of the points seen again that must fit; the rest may be hidden or drift."""
CLEAR_RATIO = 1.3
"""The best convention must explain this many times the points of the declared one to overrule it."""
CLEAR_MARGIN = 0.05
"""... and this share of all points more."""

UNIT_REACH, UNIT_STEPS = 1.5, 41
"""How far around the best of `UNITS` the unit is looked for, by a factor, and in how many steps."""
ABOUT_BEST = 0.95
"""Scores of at least this share of the best one do not tell units apart."""
RAY_RATIO = 0.75
"""Depth is along the ray where reading it so makes differences this many times as large, and more points fit.
Measured: 0.50 to 0.65 for depth along the ray, 1.3 to 4 for planar depth."""

_ANGLE_RAD = np.deg2rad(20.0)
_BASELINE_M = 0.3


@dataclass(frozen=True, kw_only=True)
class ProbeReport:
    """What the probe found."""

    conclusive: bool
    """False when the frames cannot tell conventions apart."""
    pairs: int
    """Frame pairs that were compared."""
    declared_score: float
    """Share of points that fit under the convention the capture was read with, 0..1."""
    rival: str
    """The best other convention, in words."""
    rival_score: float
    """Share of points that fit under it."""
    median_residual_mm: float
    """Median depth difference of points that are not hidden, under the declared convention [mm]."""
    warnings: tuple[str, ...]
    """What the user should know, a sentence each."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Comparison:
    """How well frame pairs agree."""

    scores: Array
    """Share of points that fit, by convention."""
    overlap: float
    """Share of points seen again under the first convention."""
    residual_mm: float
    """Median difference of points that are not hidden, under the first convention [mm]."""


def check_camera_convention(capture: Capture) -> ProbeReport:
    """Compare conventions; raise ConventionError when the declared one clearly loses."""
    frames = _in_range(capture.frames)
    pairs = _pairs([frame for frame in frames if trusted_pixels(frame).size >= MIN_POINTS])
    if not pairs:
        return _inconclusive(
            "The camera moved too little, or saw too little, to check its convention against the depth."
        )
    axes, units = axes_conventions(), unit_conventions()
    found = _compare(pairs, [*axes, *units])
    rival = _rival(found.scores, len(axes))
    report = ProbeReport(
        conclusive=bool(found.scores[0] >= MIN_SCORE and found.scores[0] >= found.scores[rival]),
        pairs=len(pairs),
        declared_score=float(found.scores[0]),
        rival=axes[rival].name if rival < len(axes) else _unit(pairs, units[rival - len(axes)].unit_m).name,
        rival_score=float(found.scores[rival]),
        median_residual_mm=found.residual_mm,
        warnings=(),
    )
    along_ray = _along_ray(pairs, axes[0], found)
    if along_ray > max(report.declared_score, report.rival_score):
        raise _refusal(replace(report, rival="depth along the ray for planar depth", rival_score=along_ray))
    return _judge(report, overlap=found.overlap)


def _in_range(frames: Sequence[Frame]) -> Sequence[Frame]:
    """Return frames in a unit in which depth lies where phones measure: most often metres as they are."""
    known = [depth for frame in frames if (depth := frame.depth_m[(frame.depth_m > 0) & (frame.confidence >= 1)]).size]
    middle_m = float(np.median(np.concatenate(known))) if known else 1.0
    if NEAR_M < middle_m < FAR_M:
        return frames
    unit = 1.0 / middle_m
    return [
        replace(
            frame,
            depth_m=frame.depth_m * np.float32(unit),
            world_from_camera=rigid(frame.world_from_camera[:3, :3], unit * frame.world_from_camera[:3, 3]),
        )
        for frame in frames
    ]


def _compare(pairs: Sequence[tuple[Frame, Frame]], conventions: Sequence[Convention]) -> _Comparison:
    rng = np.random.default_rng(0)
    scores = np.zeros((len(pairs), len(conventions)))
    overlaps = np.zeros(len(pairs))
    residuals = []
    for row, (first, second) in enumerate(pairs):
        points = sample_points(first, POINTS_PER_PAIR, rng)
        relative = np.stack([convention.relative(first, second) for convention in conventions])
        errors = depth_errors_m(points, relative, second)
        scores[row] = (np.abs(errors) < np.maximum(FIT_M, FIT_SHARE * points[:, 2])).mean(axis=1)
        overlaps[row] = np.isfinite(errors[0]).mean()
        residuals.append(np.abs(errors[0][np.abs(errors[0]) < OCCLUSION_M]))
    together = np.concatenate(residuals)
    return _Comparison(
        scores=scores.mean(axis=0),
        overlap=float(overlaps.mean()),
        residual_mm=float(np.median(together) * 1000.0) if len(together) else 0.0,
    )


def _unit(pairs: Sequence[tuple[Frame, Frame]], near_m: float) -> Convention:
    """Return the unit near one of `UNITS`: the middle of those that fit about as well as the best."""
    finer = near_m * np.geomspace(1.0 / UNIT_REACH, UNIT_REACH, UNIT_STEPS)
    scores = _compare(pairs, unit_conventions(finer)).scores
    middle = np.exp(np.log(finer[scores >= ABOUT_BEST * scores.max()]).mean())
    return unit_conventions(np.array([middle]))[0]


def _along_ray(pairs: Sequence[tuple[Frame, Frame]], declared: Convention, found: _Comparison) -> float:
    """Return the share of points that fit if depth is along the ray; 0 where nothing speaks for it."""
    other = _compare([(_planar(first), _planar(second)) for first, second in pairs], [declared])
    score = float(other.scores[0])
    clear = other.residual_mm < RAY_RATIO * found.residual_mm and score >= max(MIN_SCORE, float(found.scores[0]))
    return score if clear else 0.0


def _planar(frame: Frame) -> Frame:
    """Return the frame with depth along the ray made planar."""
    return replace(frame, depth_m=(frame.depth_m / ray_lengths(frame.depth_camera)).astype(np.float32))


def _rival(scores: Array, axes: int) -> int:
    """Return the index of the best other convention, or of a unit, behind the axes, that clearly beats the declared."""
    best, unit = 1 + int(np.argmax(scores[1:axes])), axes + int(np.argmax(scores[axes:]))
    return unit if _clearly_better(scores[unit], scores[0]) and scores[unit] > scores[best] else best


def _clearly_better(rival: float, declared: float) -> bool:
    return rival >= MIN_SCORE and rival > CLEAR_RATIO * declared and rival > declared + CLEAR_MARGIN


def _judge(report: ProbeReport, *, overlap: float) -> ProbeReport:
    if _clearly_better(report.rival_score, report.declared_score):
        raise _refusal(report)
    if overlap >= MIN_OVERLAP and report.declared_score < MIN_FIT * overlap:
        raise ConventionError(
            f"poses that do not fit the depth in any convention ({_scores(report)}, {report.pairs} frame pairs)",
            expected="depth that agrees between frames",
            hint="Tracking failed or units are mixed: scan again, slowly, keeping textured things in view.",
        )
    if report.conclusive:
        return report
    return replace(report, warnings=(f"The camera convention could not be confirmed: {_scores(report)}.",))


def _refusal(report: ProbeReport) -> ConventionError:
    return ConventionError(
        f"a camera convention that its own depth contradicts ({_scores(report)}, {report.pairs} frame pairs)",
        expected="depth that agrees between frames",
        hint="The poses are written in another convention or unit than the format's: "
        "export again with the app itself, or name the true format with --format.",
    )


def _scores(report: ProbeReport) -> str:
    return f"{report.declared_score:.0%} of the points fit as declared, {report.rival_score:.0%} as {report.rival}"


def _inconclusive(sentence: str) -> ProbeReport:
    return ProbeReport(
        conclusive=False,
        pairs=0,
        declared_score=0.0,
        rival="",
        rival_score=0.0,
        median_residual_mm=0.0,
        warnings=(sentence,),
    )


def _pairs(frames: Sequence[Frame]) -> list[tuple[Frame, Frame]]:
    """Return pairs, evenly spread: a frame and the first after it that moved by about 20° or 0.3 m.

    Whatever unit positions are in, such a pair still overlaps: in too large a unit it is the next frame.
    """
    if len(frames) < 2:
        return []
    rotations = np.stack([frame.world_from_camera[:3, :3] for frame in frames])
    centers = np.stack([frame.world_from_camera[:3, 3] for frame in frames])
    pairs = []
    for index in np.unique(np.linspace(0, max(0, len(frames) - 2), MAX_PAIRS).astype(int)):
        turned = np.einsum("nij,ij->n", rotations[index + 1 :], rotations[index])
        motion = np.arccos(np.clip(0.5 * (turned - 1.0), -1.0, 1.0)) / _ANGLE_RAD
        motion += np.linalg.norm(centers[index + 1 :] - centers[index], axis=1) / _BASELINE_M
        enough = np.flatnonzero(motion >= 1.0)
        other = int(enough[0]) if len(enough) else int(np.argmax(motion)) if len(motion) else -1
        if other >= 0 and motion[other] >= MIN_MOTION:
            pairs.append((frames[index], frames[index + 1 + other]))
    return pairs
