"""Joint pose optimisation of a capture: selection of frame pairs, and Gauss-Newton over their residuals."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count

import numpy as np

from cousins.fusion.alignment import PAIR_TERMS, add_pair_terms, surfel_overlap
from cousins.fusion.surfels import Surfels
from cousins.geometry import Array, invert, rigid, rotation_about, rotation_angle_rad

MIN_OVERLAP = 0.25
"""Smallest fraction of a frame's surfels that match another frame's for the two to be compared."""
MAX_PAIRS_PER_FRAME = 12
"""Largest number of later frames that a frame is compared with."""
HELD_OUT_INTERVAL = 5
"""Every so many pairs one is held out for validation and never optimised."""
DRIFT_SIGMA_M = 0.0005
"""Drift of tracking between neighbouring frames [m], in addition to `DRIFT_SHARE` of the translation."""
DRIFT_SIGMA_RAD = 0.0005
"""The same for orientation [rad], in addition to `DRIFT_SHARE` of the rotation."""
DRIFT_SHARE = 0.01
"""Drift of visual-inertial tracking as a fraction of the motion: the usual 1 %."""
BIAS_SIGMA_M = 0.02
"""Standard deviation of the range bias prior [m]; far wider than any accepted bias."""
NOISE_CORRELATION = 4.0
"""Factor by which correlated noise of neighbouring pixels lowers information: half of σ over 4×4 surfels."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FramePairs:
    """Pairs of frames that are compared."""

    used: Array
    """Optimised pairs of frame numbers, int [n, 2]."""
    held_out: Array
    """Pairs for validation, int [m, 2]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PoseSolution:
    """Optimised poses and range bias."""

    poses: Array
    """world_from_camera, float64 [n, 4, 4]."""
    bias_m: float
    """Range bias [m]; 0 where it was not estimated."""
    bias_std_m: float
    """Its standard deviation [m], from the scatter of the frames' contributions."""


def choose_pairs(surfels: list[Surfels], poses: Array, *, gate_m: float) -> FramePairs:
    """Return pairs of overlapping frames with poses [n, 4, 4], spread over all gaps in time."""
    count = len(surfels)
    candidates = [(i, j) for i in range(count) for j in range(i + 1, count)]

    def meets(pair: tuple[int, int]) -> float:
        i, j = pair
        stride = max(len(surfels[i].pixels) // 200, 1)
        source, target = surfels[i].image, surfels[j].image
        return surfel_overlap(surfels[i].pixels, source, target, poses[i], poses[j], gate_m, stride)

    with ThreadPoolExecutor(_THREADS) as pool:
        shares = list(pool.map(meets, candidates, chunksize=256))
    by_first: dict[int, list[int]] = {i: [] for i in range(count)}
    for (i, j), share in zip(candidates, shares, strict=True):
        if share >= MIN_OVERLAP:
            by_first[i].append(j)
    selected = []
    for i, later in by_first.items():
        picks = np.unique(np.linspace(0, len(later) - 1, min(MAX_PAIRS_PER_FRAME, len(later))).round().astype(int))
        selected += [(i, later[pick]) for pick in picks]
    pairs = np.array(selected, dtype=np.int64).reshape(-1, 2)
    is_held_out = np.arange(len(pairs)) % HELD_OUT_INTERVAL == HELD_OUT_INTERVAL - 1
    return FramePairs(used=pairs[~is_held_out], held_out=pairs[is_held_out])


def pair_residuals(surfels: list[Surfels], poses: Array, pairs: Array, *, gate_m: float, bias_m: float = 0.0) -> Array:
    """Return the mean distance [m] of matching surfels by pair [n, 2], float64 [n]; NaN where too few match."""
    terms = _all_terms(_without_bias(surfels, bias_m), poses, pairs, gate_m, stride=3)
    enough = terms[:, 36] >= 20
    return np.where(enough, terms[:, 37] / np.maximum(terms[:, 36], 1.0), np.nan)


def solve_poses(
    surfels: list[Surfels], poses: Array, pairs: Array, *, gates_m: tuple[float, ...], with_bias: bool, stride: int
) -> PoseSolution:
    """Refine poses [n, 4, 4] over pairs [m, 2] from coarse to fine: one Gauss-Newton step for each gate."""
    start, current, bias_m = poses, poses.copy(), 0.0
    centre = poses[:, :3, 3].mean(axis=0)
    weight = len(poses) / max(4.0 * NOISE_CORRELATION * len(pairs), 1.0)
    for gate_m in gates_m:
        terms = _all_terms(_without_bias(surfels, bias_m), current, pairs, gate_m, stride, centre) * weight
        normal, gradient = _assemble(terms, pairs, len(poses), with_bias=with_bias)
        _add_prior(normal, gradient, start, current, centre)
        update = np.linalg.solve(normal, -gradient)
        for k in range(len(poses)):
            current[k] = _apply_twist(current[k], update[6 * k : 6 * k + 6], centre)
        bias_m += float(update[-1])
    std_m = _bias_std(normal, terms[:, 28:35], pairs, len(poses)) if with_bias else 0.0
    return PoseSolution(poses=current, bias_m=bias_m, bias_std_m=std_m)


_THREADS = cpu_count() or 1
_GRADIENT_SIGNS = np.array([-1.0] * 6 + [1.0])
_SWAP_SIGNS = np.concatenate(
    [np.outer(_GRADIENT_SIGNS, _GRADIENT_SIGNS)[np.triu_indices(7)], _GRADIENT_SIGNS, np.ones(3)]
)


def _without_bias(surfels: list[Surfels], bias_m: float) -> list[Surfels]:
    """Return the surfels with a range bias [m] subtracted along their rays."""
    return [surfel.without_bias(bias_m) for surfel in surfels] if bias_m else surfels


def _all_terms(
    surfels: list[Surfels], poses: Array, pairs: Array, gate_m: float, stride: int, centre: Array | None = None
) -> Array:
    """Return the terms of all pairs, both ways, float64 [n, TERMS]."""
    terms = np.zeros((len(pairs), PAIR_TERMS))
    back = np.zeros((len(pairs), PAIR_TERMS))
    middle = np.zeros(3) if centre is None else centre

    def add(row: int) -> None:
        i, j = pairs[row]
        one_way, other_way = (poses[i], poses[j], middle), (poses[j], poses[i], middle)
        a, b = surfels[i], surfels[j]
        add_pair_terms(a.pixels, a.image, b.image, *one_way, gate_m, stride, terms[row])
        add_pair_terms(b.pixels, b.image, a.image, *other_way, gate_m, stride, back[row])

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(add, range(len(pairs)), chunksize=32))
    # Seen from the second frame, the first pose's gradient has the opposite sign; the bias's has not.
    return terms + back * _SWAP_SIGNS


def _assemble(terms: Array, pairs: Array, count: int, *, with_bias: bool) -> tuple[Array, Array]:
    """Return normal matrix and gradient over 6 unknowns per pose and the bias."""
    size = 6 * count + 1
    normal, gradient = np.zeros((size, size)), np.zeros(size)
    upper = np.triu_indices(7)
    for row, (i, j) in enumerate(pairs):
        block = np.zeros((7, 7))
        block[upper] = terms[row, :28]
        block += np.triu(block, 1).T
        slope = terms[row, 28:35]
        a, b = slice(6 * i, 6 * i + 6), slice(6 * j, 6 * j + 6)
        normal[a, a] += block[:6, :6]
        normal[b, b] += block[:6, :6]
        normal[a, b] -= block[:6, :6]
        normal[b, a] -= block[:6, :6]
        gradient[a] += slope[:6]
        gradient[b] -= slope[:6]
        if with_bias:
            normal[a, -1] += block[:6, 6]
            normal[b, -1] -= block[:6, 6]
            normal[-1, -1] += block[6, 6]
            gradient[-1] += slope[6]
    normal[-1, :-1] = normal[:-1, -1]
    normal[-1, -1] += BIAS_SIGMA_M**-2
    return normal, gradient


def _add_prior(normal: Array, gradient: Array, start: Array, current: Array, centre: Array) -> None:
    """Add priors: the first pose is fixed, and drift between neighbours is small; rare jumps have low weight."""
    twists = [_twist(now @ invert(before), centre) for now, before in zip(current, start, strict=True)]
    axes = np.arange(6)
    normal[axes, axes] += 1e12
    for k in range(len(twists) - 1):
        motion = invert(start[k]) @ start[k + 1]
        sigma_m = DRIFT_SIGMA_M + DRIFT_SHARE * float(np.linalg.norm(motion[:3, 3]))
        sigma_rad = DRIFT_SIGMA_RAD + DRIFT_SHARE * rotation_angle_rad(motion[:3, :3])
        # The twist is about the centre of all cameras, so a turn also shifts the frame it belongs to.
        reach_m = float(np.linalg.norm(start[k][:3, 3] - centre))
        sigmas = np.repeat([sigma_rad, np.hypot(sigma_m, reach_m * sigma_rad)], 3)
        step = twists[k + 1] - twists[k]
        # Cauchy's weight: a step of many σ is a relocalisation, not drift.
        information = sigmas**-2 / (1.0 + (step / sigmas) @ (step / sigmas) / 6.0)
        a, b = 6 * k + axes, 6 * (k + 1) + axes
        normal[a, a] += information
        normal[b, b] += information
        normal[a, b] -= information
        normal[b, a] -= information
        gradient[a] -= information * step
        gradient[b] += information * step


def _bias_std(normal: Array, slopes: Array, pairs: Array, count: int) -> float:
    """Return the bias's standard deviation, clustered by frame: noise within a frame is not independent."""
    column = np.zeros(len(normal))
    column[-1] = 1.0
    reaction = np.linalg.solve(normal, column)
    poses = reaction[:-1].reshape(count, 6)
    pull = ((poses[pairs[:, 0]] - poses[pairs[:, 1]]) * slopes[:, :6]).sum(axis=1) + reaction[-1] * slopes[:, 6]
    by_frame = np.bincount(pairs[:, 0], pull, count) + np.bincount(pairs[:, 1], pull, count)
    return float(np.sqrt(max((by_frame**2).sum() - (pull**2).sum(), (pull**2).sum())))


def _apply_twist(pose: Array, twist: Array, centre: Array) -> Array:
    """Return a pose moved in the world by a twist (ω, v) about `centre`."""
    angle = float(np.linalg.norm(twist[:3]))
    turn = rotation_about(twist[:3], angle) if angle > 0.0 else np.eye(3)
    return rigid(turn, centre - turn @ centre + twist[3:]) @ pose


def _twist(motion: Array, centre: Array) -> Array:
    """Return the twist (ω, v) about `centre` of a small world motion."""
    turn = motion[:3, :3]
    skew = 0.5 * (turn - turn.T)
    omega = np.array([skew[2, 1], skew[0, 2], skew[1, 0]])
    return np.concatenate([omega, motion[:3, 3] + turn @ centre - centre])
