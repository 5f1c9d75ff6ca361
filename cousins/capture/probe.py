"""Does the depth agree with the poses? If another camera convention explains it better, the export is refused.

Points of one frame are carried into another and compared with its depth, for frame pairs that moved enough, under
every way of misreading a pose that apps and importers are known for: camera axes turned in any of the 24 ways (this
holds OpenGL for OpenCV and the four rolls), world-to-camera for camera-to-world, other units. The score of a
convention is the share of points that land on depth that fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np

from cousins.capture.captures import Capture, Frame
from cousins.capture.reproject import OCCLUSION_M, depth_errors_m, sample_points, trusted_pixels
from cousins.errors import ConventionError
from cousins.geometry import Array, invert, rigid

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
UNITS = np.delete(np.geomspace(1e-3, 1e3, 77), 38)
"""Units of position that are tried [m], 1.2 times apart, 1 m itself left out."""
CLEAR_RATIO = 1.3
"""The best convention must explain this many times the points of the declared one to overrule it."""
CLEAR_MARGIN = 0.05
"""... and this share of all points more."""

_ANGLE_RAD = np.deg2rad(20.0)
_BASELINE_M = 0.3
_ROLLS = {0: "", 1: ", image turned by 90°", 2: ", image turned by 180°", 3: ", image turned by 270°"}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Convention:
    """One way to read the poses."""

    name: str
    """In words."""
    turn: Array
    """Camera axes, as a rotation [4, 4] behind the declared pose."""
    inverse: bool = False
    """True reads the matrix as world-to-camera."""
    unit_m: float = 1.0
    """Length of one unit of position [m]."""


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


def check_convention(capture: Capture) -> ProbeReport:
    """Compare conventions; raise ConventionError when the declared one clearly loses."""
    pairs = _pairs([frame for frame in capture.frames if trusted_pixels(frame).size >= MIN_POINTS])
    if not pairs:
        return _inconclusive(
            0, "The camera moved too little, or saw too little, to check its convention against the depth."
        )
    conventions = _conventions()
    rng = np.random.default_rng(0)
    scores = np.zeros((len(pairs), len(conventions)))
    overlaps = np.zeros(len(pairs))
    residuals: list[Array] = []
    for row, (first, second) in enumerate(pairs):
        points = sample_points(first, POINTS_PER_PAIR, rng)
        relative = np.stack([_relative(first, second, convention) for convention in conventions])
        errors = depth_errors_m(points, relative, second)
        fits = np.abs(errors) < np.maximum(FIT_M, FIT_SHARE * points[:, 2])
        scores[row] = fits.mean(axis=1)
        overlaps[row] = np.isfinite(errors[0]).mean()
        residuals.append(np.abs(errors[0][np.abs(errors[0]) < OCCLUSION_M]))
    total = scores.mean(axis=0)
    rival = _rival(total)
    report = ProbeReport(
        conclusive=bool(total[0] >= MIN_SCORE and total[0] >= total[rival]),
        pairs=len(pairs),
        declared_score=float(total[0]),
        rival=conventions[rival].name,
        rival_score=float(total[rival]),
        median_residual_mm=_median_mm(residuals),
        warnings=(),
    )
    return _judge(report, overlap=float(overlaps.mean()))


def _rival(total: Array) -> int:
    """Return the index of the best other camera convention, or of a unit that clearly beats the declared one."""
    axes, unit = (
        1 + int(np.argmax(total[1 : -UNITS.size])),
        len(total) - UNITS.size + int(np.argmax(total[-UNITS.size :])),
    )
    return unit if _clearly_better(total[unit], total[0]) and total[unit] > total[axes] else axes


def _clearly_better(rival: float, declared: float) -> bool:
    return rival >= MIN_SCORE and rival > CLEAR_RATIO * declared and rival > declared + CLEAR_MARGIN


def _judge(report: ProbeReport, *, overlap: float) -> ProbeReport:
    declared, rival = report.declared_score, report.rival_score
    scores = f"{declared:.0%} of the points fit as declared, {rival:.0%} as {report.rival}"
    if _clearly_better(rival, declared):
        raise ConventionError(
            f"a camera convention that its own depth contradicts ({scores}, {report.pairs} frame pairs)",
            expected="depth that agrees between frames",
            hint="The poses are written in another convention or unit than the format's: "
            "export again with the app itself, or name the true format with --format.",
        )
    if overlap >= MIN_OVERLAP and declared < MIN_FIT * overlap:
        raise ConventionError(
            f"poses that do not fit the depth in any convention ({scores}, {report.pairs} frame pairs)",
            expected="depth that agrees between frames",
            hint="Tracking failed or units are mixed: scan again, slowly, keeping textured things in view.",
        )
    if report.conclusive:
        return report
    return replace(report, warnings=(f"The camera convention could not be confirmed: {scores}.",))


def _inconclusive(pairs: int, sentence: str) -> ProbeReport:
    return ProbeReport(
        conclusive=False,
        pairs=pairs,
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


def _conventions() -> list[_Convention]:
    """Return every convention; the declared one is the first."""
    flip = np.diag([1.0, -1.0, -1.0])
    named = {}
    for quarter, roll in _ROLLS.items():
        turn = np.linalg.matrix_power(np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), quarter)
        named[(turn + 0.0).tobytes()] = "these camera axes" + roll
        named[(flip @ turn + 0.0).tobytes()] = "camera axes with y and z flipped (OpenGL for OpenCV)" + roll
    conventions = []
    for inverse, axes in product((False, True), _axis_turns()):
        name = named.get((axes + 0.0).tobytes(), "camera axes swapped")
        name += ", world-to-camera for camera-to-world" if inverse else ""
        conventions.append(_Convention(name=name, turn=rigid(axes), inverse=inverse))
    neutral = conventions[0].turn
    for scale in UNITS:
        conventions.append(_Convention(name=f"positions in units of {scale:.2g} m", turn=neutral, unit_m=float(scale)))
    return conventions


def _axis_turns() -> list[Array]:
    """Return the 24 rotations that map axes onto axes, the neutral one first."""
    turns = []
    for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        matrix = np.zeros((3, 3))
        matrix[np.arange(3), order] = signs
        if np.linalg.det(matrix) > 0:
            turns.append(matrix)
    return turns


def _relative(first: Frame, second: Frame, convention: _Convention) -> Array:
    """Return `second_from_first` [4, 4] under a convention."""
    poses = [frame.world_from_camera for frame in (first, second)]
    if convention.inverse:
        poses = [invert(pose) for pose in poses]
    relative = invert(poses[1] @ convention.turn) @ (poses[0] @ convention.turn)
    return rigid(relative[:3, :3], convention.unit_m * relative[:3, 3])


def _median_mm(residuals: list[Array]) -> float:
    together = np.concatenate(residuals)
    return float(np.median(together) * 1000.0) if len(together) else 0.0
