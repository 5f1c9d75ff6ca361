"""All poses of a capture at once: which frames to compare, and Gauss-Newton over the comparison."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count

import numpy as np

from cousins.fusion.alignment import TERMS, measure, overlap
from cousins.fusion.surfels import Facets
from cousins.geometry import Array, invert, rigid, rotation_about, rotation_angle_rad

LEAST_OVERLAP = 0.25
"""Part of a frame's facets that must meet another frame's for the two to be compared."""
PARTNERS = 12
"""Most later frames that a frame is compared with."""
HELD_OUT = 5
"""Every how many pairs one is kept for judging and never optimised."""
STEP_SIGMA_M = 0.0005
"""Drift of tracking between neighbouring frames [m], in addition to `STEP_SHARE` of the way."""
STEP_SIGMA_RAD = 0.0005
"""The same for orientation [rad], in addition to `STEP_SHARE` of the turn."""
STEP_SHARE = 0.01
"""Drift of visual-inertial tracking as a part of the way: the usual 1 %."""
BIAS_SIGMA_M = 0.02
"""Range bias thinkable at all [m]; far wider than any that is believed."""
SHARED_NOISE = 4.0
"""By how much noise that neighbouring pixels share lowers what they tell: half of σ over patches of 4×4 facets."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pairs:
    """Which frames are compared."""

    used: Array
    """Optimised pairs of frame numbers, int [n, 2]."""
    held_out: Array
    """Pairs for judging, int [m, 2]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Solution:
    """Poses that Gauss-Newton found."""

    poses: Array
    """world_from_camera, float64 [n, 4, 4]."""
    bias_m: float
    """Range bias [m]; 0 where it was not asked for."""
    bias_std_m: float
    """Its standard deviation [m], from how much the frames' contributions scatter."""


def choose_pairs(facets: list[Facets], poses: Array, *, gate_m: float) -> Pairs:
    """Return neighbours and overlapping frames, spread over all gaps in time."""
    count = len(facets)
    candidates = [(i, j) for i in range(count) for j in range(i + 1, count)]

    def meets(pair: tuple[int, int]) -> float:
        i, j = pair
        stride = max(len(facets[i].points) // 200, 1)
        return overlap(_source(facets[i]), _target(facets[j]), poses[i], poses[j], gate_m, stride)

    with ThreadPoolExecutor(_WORKERS) as pool:
        shares = list(pool.map(meets, candidates, chunksize=256))
    by_first: dict[int, list[int]] = {i: [] for i in range(count)}
    for (i, j), share in zip(candidates, shares, strict=True):
        if share >= LEAST_OVERLAP:
            by_first[i].append(j)
    chosen = []
    for i, later in by_first.items():
        picks = np.unique(np.linspace(0, len(later) - 1, min(PARTNERS, len(later))).round().astype(int))
        chosen += [(i, later[pick]) for pick in picks]
    pairs = np.array(chosen, dtype=np.int64).reshape(-1, 2)
    judged = np.arange(len(pairs)) % HELD_OUT == HELD_OUT - 1
    return Pairs(used=pairs[~judged], held_out=pairs[judged])


def residuals(facets: list[Facets], poses: Array, pairs: Array, *, gate_m: float, bias_m: float = 0.0) -> Array:
    """Return by pair the mean distance [m] between facets that meet within `gate_m`; NaN where too few meet."""
    terms = _all_terms(_unbiased(facets, bias_m), poses, pairs, gate_m, stride=3)
    enough = terms[:, 36] >= 20
    return np.where(enough, terms[:, 37] / np.maximum(terms[:, 36], 1.0), np.nan)


def solve(
    facets: list[Facets], poses: Array, pairs: Array, *, gates_m: tuple[float, ...], with_bias: bool, stride: int
) -> Solution:
    """Refine poses from coarse to fine: one Gauss-Newton step for each gate."""
    start, current, bias_m = poses, poses.copy(), 0.0
    centre = poses[:, :3, 3].mean(axis=0)
    weight = len(poses) / max(4.0 * SHARED_NOISE * len(pairs), 1.0)
    for gate_m in gates_m:
        terms = _all_terms(_unbiased(facets, bias_m), current, pairs, gate_m, stride, centre) * weight
        normal, gradient = _assemble(terms, pairs, len(poses), with_bias=with_bias)
        _add_prior(normal, gradient, start, current, centre)
        update = np.linalg.solve(normal, -gradient)
        for k in range(len(poses)):
            current[k] = _moved(current[k], update[6 * k : 6 * k + 6], centre)
        bias_m += float(update[-1])
    std_m = _bias_std(normal, terms[:, 28:35], pairs, len(poses)) if with_bias else 0.0
    return Solution(poses=current, bias_m=bias_m, bias_std_m=std_m)


_WORKERS = cpu_count() or 1
_SIGN = np.array([-1.0] * 6 + [1.0])
_SWAP = np.concatenate([np.outer(_SIGN, _SIGN)[np.triu_indices(7)], _SIGN, np.ones(3)])


def _source(facets: Facets) -> tuple[Array, Array, Array]:
    return facets.points, facets.normals, facets.sigma_m


def _target(facets: Facets) -> tuple[Array, float, float, float, float]:
    camera = facets.camera
    return facets.plane, camera.fx, camera.fy, camera.cx, camera.cy


def _unbiased(facets: list[Facets], bias_m: float) -> list[Facets]:
    """Return the facets with a range bias taken off along their rays."""
    return [facet.without_bias(bias_m) for facet in facets] if bias_m else facets


def _all_terms(
    facets: list[Facets], poses: Array, pairs: Array, gate_m: float, stride: int, centre: Array | None = None
) -> Array:
    """Return the terms of all pairs, both ways, float64 [n, TERMS]."""
    terms = np.zeros((len(pairs), TERMS))
    back = np.zeros((len(pairs), TERMS))
    middle = np.zeros(3) if centre is None else centre

    def add(at: int) -> None:
        i, j = pairs[at]
        measure(_source(facets[i]), _target(facets[j]), poses[i], poses[j], middle, gate_m, stride, terms[at])
        measure(_source(facets[j]), _target(facets[i]), poses[j], poses[i], middle, gate_m, stride, back[at])

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(add, range(len(pairs)), chunksize=32))
    # Seen from the second frame, the first pose's gradient has the opposite sign; the bias's has not.
    return terms + back * _SWAP


def _assemble(terms: Array, pairs: Array, count: int, *, with_bias: bool) -> tuple[Array, Array]:
    """Return normal matrix and gradient over 6 unknowns a pose and the bias."""
    size = 6 * count + 1
    normal, gradient = np.zeros((size, size)), np.zeros(size)
    upper = np.triu_indices(7)
    for at, (i, j) in enumerate(pairs):
        block = np.zeros((7, 7))
        block[upper] = terms[at, :28]
        block += np.triu(block, 1).T
        slope = terms[at, 28:35]
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
    """Hold the first pose and expect tracking's drift between neighbours to be small; rare jumps are let go."""
    twists = [_twist(now @ invert(before), centre) for now, before in zip(current, start, strict=True)]
    axes = np.arange(6)
    normal[axes, axes] += 1e12
    for k in range(len(twists) - 1):
        way = invert(start[k]) @ start[k + 1]
        sigma_m = STEP_SIGMA_M + STEP_SHARE * float(np.linalg.norm(way[:3, 3]))
        sigma_rad = STEP_SIGMA_RAD + STEP_SHARE * rotation_angle_rad(way[:3, :3])
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


def _moved(pose: Array, twist: Array, centre: Array) -> Array:
    """Return a pose turned and shifted in the world about `centre` by a twist (ω, v)."""
    angle = float(np.linalg.norm(twist[:3]))
    turn = rotation_about(twist[:3], angle) if angle > 0.0 else np.eye(3)
    return rigid(turn, centre - turn @ centre + twist[3:]) @ pose


def _twist(motion: Array, centre: Array) -> Array:
    """Return the twist (ω, v) about `centre` of a small world motion."""
    turn = motion[:3, :3]
    skew = 0.5 * (turn - turn.T)
    omega = np.array([skew[2, 1], skew[0, 2], skew[1, 0]])
    return np.concatenate([omega, motion[:3, 3] + turn @ centre - centre])
