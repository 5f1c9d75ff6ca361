"""Hand-held camera paths around a target, and the drift of their tracked poses."""

from __future__ import annotations

import numpy as np

from cousins.geometry import Array, look_at, rigid, rotation_about


def orbit(
    target: Array,
    frames: int,
    *,
    radius_m: tuple[float, float],
    elevation_rad: tuple[float, float],
    turns: float,
    shake_m: float,
    shake_rad: float,
    rng: np.random.Generator,
) -> Array:
    """Return poses `world_from_camera` [frames, 4, 4] of an orbit around `target` [3] that looks at it.

    Distance and height oscillate slowly between their limits; the hand adds a smooth sway and a tremor with standard
    deviations `shake_m` and `shake_rad`.
    """
    time = np.linspace(0.0, 1.0, frames)
    azimuth = rng.uniform(0.0, 2.0 * np.pi) + 2.0 * np.pi * turns * time * rng.choice([-1.0, 1.0])
    radius = _swing(time, radius_m, cycles=rng.uniform(1.2, 2.2), phase=rng.uniform(0.0, 2.0 * np.pi))
    elevation = _swing(time, elevation_rad, cycles=rng.uniform(2.0, 3.2), phase=rng.uniform(0.0, 2.0 * np.pi))
    outward = np.stack(
        [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)], axis=1
    )
    eyes = target + radius[:, None] * outward + _sway(time, rng) * shake_m
    aims = target + _sway(time, rng) * shake_rad * radius[:, None]
    rolls = _sway(time, rng)[:, 0] * shake_rad
    axis = np.array([0.0, 0.0, 1.0])
    return np.stack(
        [
            look_at(eye, aim) @ rigid(rotation_about(axis, float(roll)))
            for eye, aim, roll in zip(eyes, aims, rolls, strict=True)
        ]
    )


def drifted(world_from_camera: Array, *, reach_m: float, reach_rad: float, rng: np.random.Generator) -> Array:
    """Return the tracked poses [n, 4, 4] of true poses [n, 4, 4]: their error is a random walk from 0 at the first.

    The largest errors are `reach_m` and `reach_rad`. Position errors are in the world frame, orientation errors about
    the camera.
    """
    count = len(world_from_camera)
    shifts = _walk(count, reach_m, rng)
    turns = _walk(count, reach_rad, rng)
    reported = np.array(world_from_camera, dtype=np.float64)
    for k in range(count):
        angle = float(np.linalg.norm(turns[k]))
        if angle > 0.0:
            reported[k, :3, :3] = rotation_about(turns[k], angle) @ reported[k, :3, :3]
        reported[k, :3, 3] += shifts[k]
    return reported


def _swing(time: Array, limits: tuple[float, float], *, cycles: float, phase: float) -> Array:
    """Return a sine between two limits [n] at times [n]."""
    low, high = limits
    return 0.5 * (low + high) + 0.5 * (high - low) * np.sin(2.0 * np.pi * cycles * time + phase)


def _sway(time: Array, rng: np.random.Generator) -> Array:
    """Return a smooth sway plus a tremor of a fifth of its size, of unit standard deviation per axis, [n, 3]."""
    cycles = rng.uniform(3.0, 14.0, size=(6, 3))
    phases = rng.uniform(0.0, 2.0 * np.pi, size=(6, 3))
    smooth = np.sin(2.0 * np.pi * cycles[None] * time[:, None, None] + phases[None]).sum(axis=1) / np.sqrt(3.0)
    return (smooth + 0.2 * rng.normal(size=(len(time), 3))) / np.sqrt(1.04)


def _walk(count: int, reach: float, rng: np.random.Generator) -> Array:
    """Return a random walk [count, 3] that starts at 0 and whose largest distance from it is `reach`."""
    steps = rng.normal(size=(count, 3))
    steps[0] = 0.0
    path = np.cumsum(steps, axis=0)
    farthest = np.linalg.norm(path, axis=1).max()
    return path * (reach / farthest) if farthest > 0.0 else path
