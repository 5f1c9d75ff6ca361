"""Refine the poses of a capture whose tracking drifted, and estimate its range bias.

All frames are compared with all frames that see the same surface (see `pose_graph`), poses and bias are
solved for together, and the result is validated on held-out pairs of frames. A correction that does not lower
their residual clearly is not applied.

The bias is estimated on smoothed depth: noise of single pixels moves points along their rays onto other surfels, which
appears as a bias of -1 to -2 mm. The poses are then estimated on depth as measured, less the bias: smoothing rounds off
edges and small curves, and its poses move the cameras back by half a millimetre more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cousins.capture.captures import Capture, Frame, hold_out_frames
from cousins.fusion.pose_graph import FramePairs, PoseSolution, choose_pairs, pair_residuals, solve_poses
from cousins.fusion.surfels import Surfels, fit_surfels, with_smoothed_depth
from cousins.geometry import Array, Intrinsics, invert, rigid
from cousins.scale.check import ASSUMED_PREFIX


@dataclass(frozen=True, kw_only=True)
class RefineConfig:
    """How poses are refined."""

    sigma_m: float = 0.002
    """Noise of a depth at zero range [m]."""
    sigma_per_m: float = 0.005
    """Growth of the noise with range."""
    min_depth_m: float = 0.15
    """Nearest depth that is used [m]."""
    max_depth_m: float = 4.0
    """Furthest depth that is used [m]."""
    min_confidence: int = 2
    """Least confidence that is used."""
    gates_m: tuple[float, ...] = (0.1, 0.1, 0.06, 0.04, 0.02, 0.01, 0.005, 0.005)
    """Largest residual beyond four σ, one Gauss-Newton step each: from the drift expected to none [m]."""
    stride: int = 4
    """Stride at which surfels are used."""
    max_keyframes: int = 160
    """Largest number of frames that are optimised; those between are interpolated."""
    min_gain: float = 0.03
    """Fraction by which new poses must lower the held-out residual to be kept: six unknowns per frame fit a part of
    its noise, which pairs held out share."""
    estimate_bias: bool = True
    """Whether a constant range bias is estimated."""
    max_bias_m: float = 0.01
    """Largest range bias that is accepted [m]."""
    bias_floor_m: float = 0.0006
    """Error of the bias beside noise [m]: depth edges and curves that two views sample differently (the rms error
    of the estimate over simulated scenes with biases from -4 to 3 mm)."""
    bias_sigmas: float = 1.0
    """Standard deviations that a bias must differ from zero by to be corrected: phones err by several millimetres,
    so an estimate helps as soon as it exceeds its own error."""


@dataclass(frozen=True, kw_only=True)
class RefineReport:
    """Result of pose refinement."""

    residual_before_m: float
    """Mean distance between surfels of held-out pairs of frames as reported [m]."""
    residual_after_m: float
    """The same as returned [m]."""
    loop_residual_before_m: float
    """The same for pairs more than half the capture apart; NaN where there is none [m]."""
    loop_residual_after_m: float
    """The same as returned [m]."""
    kept: bool
    """Whether refined poses are returned."""
    range_bias_m: float
    """Measured minus true range, as estimated [m]."""
    range_bias_std_m: float
    """Its standard deviation [m]; 0 where it was not estimated."""
    bias_corrected: bool
    """Whether the bias is subtracted from the returned depth."""
    pairs: int
    """Pairs of frames compared."""
    warnings: tuple[str, ...] = ()
    """What was not corrected, one sentence each."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Refined:
    """A capture with refined poses, or the input capture."""

    capture: Capture
    """Capture with refined poses and corrected depth; every eighth frame is held out of it."""
    report: RefineReport
    """Residuals before and after, and the estimated bias."""


def refine_poses(capture: Capture, *, config: RefineConfig | None = None) -> Refined:
    """Return the capture with refined poses, and depth without range bias, where held-out pairs improve.

    Every eighth frame of a capture of 16 or more is held out, so that the twin can be compared with it.

    A capture with assumed scale comes from pictures alone: its depth was estimated from its poses, and refining these
    by that depth would only copy its noise. It is returned unchanged.
    """
    settings = config or RefineConfig()
    if capture.scale.source.startswith(ASSUMED_PREFIX):
        return _unchanged(capture, 0)
    keys = _keyframes(len(capture.frames), settings.max_keyframes)
    surfels = [_surfels(capture.frames[key], settings) for key in keys]
    poses = np.array([capture.frames[key].world_from_camera for key in keys])
    pairs = choose_pairs(surfels, poses, gate_m=settings.gates_m[0])
    if len(pairs.used) < len(keys) - 1 or len(pairs.held_out) == 0:
        return _unchanged(capture, len(pairs.used), "too few frames see the same surface; poses are as reported")
    held_out = _HeldOutResiduals(surfels, pairs, settings)
    unchanged_bias = _solve(surfels, poses, pairs, settings, with_bias=False)
    best, is_kept, corrected = unchanged_bias, held_out.is_better(unchanged_bias.poses, poses), False
    bias, std_m = unchanged_bias, 0.0
    if settings.estimate_bias:
        bias = _solve([with_smoothed_depth(surfel) for surfel in surfels], poses, pairs, settings, with_bias=True)
        std_m = float(np.hypot(bias.bias_std_m, settings.bias_floor_m))
        significant = settings.bias_sigmas * std_m < abs(bias.bias_m) < settings.max_bias_m
        if is_kept and significant and held_out.has_lower_mean(bias, unchanged_bias):
            unbiased = [surfel.without_bias(bias.bias_m) for surfel in surfels]
            best, corrected = _solve(unbiased, poses, pairs, settings, with_bias=False), True
    final = _aligned_to_reported(best.poses, poses) if is_kept else poses
    bias_m = bias.bias_m if corrected else 0.0
    before, loop_before = held_out.means(poses, 0.0)
    after, loop_after = held_out.means(final, bias_m)
    report = RefineReport(
        residual_before_m=before,
        residual_after_m=after,
        loop_residual_before_m=loop_before,
        loop_residual_after_m=loop_after,
        kept=is_kept,
        range_bias_m=bias.bias_m,
        range_bias_std_m=std_m,
        bias_corrected=corrected,
        pairs=len(pairs.used),
        warnings=_bias_warnings(bias.bias_m, settings),
    )
    refined = _apply_corrections(capture, keys, poses, final, bias_m) if is_kept else capture
    return Refined(capture=hold_out_frames(refined), report=report)


class _HeldOutResiduals:
    """Residuals on held-out frame pairs, on smoothed depth for its low noise."""

    def __init__(self, surfels: list[Surfels], pairs: FramePairs, config: RefineConfig) -> None:
        self._surfels = [with_smoothed_depth(surfel) for surfel in surfels]
        self._pairs = pairs.held_out
        self._far = np.abs(pairs.held_out[:, 0] - pairs.held_out[:, 1]) > len(surfels) / 2
        self._config = config

    def residuals_by_pair(self, poses: Array, bias_m: float) -> Array:
        """Return the residual of each held-out pair [m]."""
        return pair_residuals(self._surfels, poses, self._pairs, gate_m=self._config.gates_m[0], bias_m=bias_m)

    def means(self, poses: Array, bias_m: float) -> tuple[float, float]:
        """Return the mean over all pairs and over those far apart in time [m]."""
        by_pair = self.residuals_by_pair(poses, bias_m)
        return _finite_mean(by_pair), _finite_mean(by_pair[self._far])

    def is_better(self, new: Array, old: Array) -> bool:
        """Return whether new poses lower the mean residual by the required gain and by two standard errors."""
        before, after = self.residuals_by_pair(old, 0.0), self.residuals_by_pair(new, 0.0)
        both = np.isfinite(before) & np.isfinite(after)
        gain = before[both] - after[both]
        error = gain.std() / np.sqrt(max(len(gain), 1)) if len(gain) else np.inf
        return bool(gain.mean() > max(2.0 * error, self._config.min_gain * before[both].mean())) if len(gain) else False

    def has_lower_mean(self, first: PoseSolution, second: PoseSolution) -> bool:
        """Return whether the first solution has a lower mean residual than the second."""
        gate_m = self._config.gates_m[-1]
        means = [
            _finite_mean(
                pair_residuals(self._surfels, solution.poses, self._pairs, gate_m=gate_m, bias_m=solution.bias_m)
            )
            for solution in (first, second)
        ]
        return means[0] < means[1]


def _keyframes(count: int, max_count: int) -> Array:
    """Return evenly spread frame numbers that include the first and the last."""
    return np.unique(np.linspace(0, count - 1, min(count, max_count)).round().astype(np.int64))


def _surfels(frame: Frame, config: RefineConfig) -> Surfels:
    return fit_surfels(
        frame,
        sigma_m=config.sigma_m,
        sigma_per_m=config.sigma_per_m,
        depth_limits_m=(config.min_depth_m, config.max_depth_m),
        min_confidence=config.min_confidence,
    )


def _solve(
    surfels: list[Surfels], poses: Array, pairs: FramePairs, config: RefineConfig, *, with_bias: bool
) -> PoseSolution:
    return solve_poses(surfels, poses, pairs.used, gates_m=config.gates_m, with_bias=with_bias, stride=config.stride)


def _aligned_to_reported(refined: Array, reported: Array) -> Array:
    """Return refined poses moved as a whole so that the median correction is zero: the world frame stays in place.

    The mean of the reported orientations keeps gravity, which tracking measures in every frame.
    """
    corrections = np.array([new @ invert(old) for new, old in zip(refined, reported, strict=True)])
    left, _, right = np.linalg.svd(corrections[:, :3, :3].mean(axis=0))
    turn = left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right
    back = turn.T
    shift = np.median(reported[:, :3, 3] - refined[:, :3, 3] @ back.T, axis=0)
    return np.array([rigid(back, shift) @ pose for pose in refined])


def _bias_warnings(bias_m: float, config: RefineConfig) -> tuple[str, ...]:
    if abs(bias_m) < config.max_bias_m:
        return ()
    return (f"the estimated range bias of {1000.0 * bias_m:.0f} mm is beyond belief and was not taken off",)


def _apply_corrections(capture: Capture, keys: Array, before: Array, after: Array, bias_m: float) -> Capture:
    """Return the capture with corrected poses and depth; frames between keyframes take an interpolated correction."""
    corrections = [new @ invert(old) for new, old in zip(after, before, strict=True)]
    frames = []
    for index, frame in enumerate(capture.frames):
        right = min(int(np.searchsorted(keys, index)), len(keys) - 1)
        left = right if keys[right] == index else max(right - 1, 0)
        part = 0.0 if left == right else float((index - keys[left]) / (keys[right] - keys[left]))
        pose = _interpolate(corrections[left], corrections[right], part) @ frame.world_from_camera
        frames.append(frame.with_pose(pose, _bias_removal(frame.depth_camera, bias_m)))
    return replace(capture, frames=tuple(frames))


def _interpolate(first: Array, second: Array, part: float) -> Array:
    """Return a rigid motion between two similar ones: the mean rotation made orthogonal again."""
    if part == 0.0:
        return first
    mixed = (1.0 - part) * first + part * second
    left, _, right = np.linalg.svd(mixed[:3, :3])
    return rigid(left @ right, mixed[:3, 3])


def _bias_removal(camera: Intrinsics, bias_m: float) -> Callable[[Array], Array] | None:
    """Return what takes a range bias [m] off a depth image [h, w] of a camera; None where there is none."""
    if bias_m == 0.0:
        return None

    def without_bias(depth_m: Array) -> Array:
        x = (np.arange(camera.width) - camera.cx) / camera.fx
        y = (np.arange(camera.height) - camera.cy) / camera.fy
        rays = np.sqrt(1.0 + x[None, :] ** 2 + y[:, None] ** 2)
        has_depth = depth_m > max(2.0 * bias_m, 0.0)
        return np.where(has_depth, depth_m - bias_m / rays, 0.0).astype(np.float32)

    return without_bias


def _unchanged(capture: Capture, pairs: int, *warnings: str) -> Refined:
    nan = float("nan")
    report = RefineReport(
        residual_before_m=nan,
        residual_after_m=nan,
        loop_residual_before_m=nan,
        loop_residual_after_m=nan,
        kept=False,
        range_bias_m=0.0,
        range_bias_std_m=0.0,
        bias_corrected=False,
        pairs=pairs,
        warnings=warnings,
    )
    return Refined(capture=hold_out_frames(capture), report=report)


def _finite_mean(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")
