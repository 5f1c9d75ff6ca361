"""Camera paths of a hand-held phone: before a shelf, along a corridor, around a room, and from one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from cousins.geometry import Array, look_at

SHAKE_M: Final = 0.006
"""Standard deviation of the hand's tremor [m]."""
SHAKE_RAD: Final = 0.015
"""Standard deviation of the viewing direction's tremor [rad]."""


def arc(
    target: Sequence[float],
    frames: int,
    *,
    azimuth_deg: tuple[float, float],
    elevation_deg: tuple[float, float],
    radius_m: tuple[float, float],
    sweeps: float,
    rng: np.random.Generator,
) -> Array:
    """Return poses [frames, 4, 4] on an arc before a target [3]; azimuth 0 is +x.

    Azimuth swings `sweeps` times from the one limit to the other while height and distance swing slowly.
    """
    time = np.linspace(0.0, 1.0, frames)
    azimuth = np.deg2rad(_swing(time, azimuth_deg, 0.5 * sweeps, 0.0))
    elevation = np.deg2rad(_swing(time, elevation_deg, float(rng.uniform(1.1, 1.7)), float(rng.uniform(0.0, 6.0))))
    radius = _swing(time, radius_m, float(rng.uniform(0.8, 1.4)), float(rng.uniform(0.0, 6.0)))
    outward = np.stack(
        [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)], axis=1
    )
    return _poses(np.asarray(target) + radius[:, None] * outward, np.tile(np.asarray(target), (frames, 1)), rng)


def along(
    eyes: Array, frames: int, *, ahead_m: float, glance_deg: float, drop_m: float, rng: np.random.Generator
) -> Array:
    """Return poses [frames, 4, 4] of a walk along corners [n, 3] of a path.

    The camera looks `ahead_m` along the path and `drop_m` down, and glances to both sides in turn by `glance_deg`.
    """
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(eyes, axis=0), axis=1))])
    places = np.linspace(0.0, lengths[-1], frames)
    eyes_on_path = np.stack([np.interp(places, lengths, eyes[:, axis]) for axis in range(3)], axis=1)
    turn = np.unwrap(np.arctan2(*np.diff(eyes, axis=0)[:, 1::-1].T))
    middles = 0.5 * (lengths[1:] + lengths[:-1])
    heading = np.interp(places, middles, turn) + np.deg2rad(glance_deg) * np.sin(2.0 * np.pi * places / 2.4)
    aims = eyes_on_path + ahead_m * np.stack([np.cos(heading), np.sin(heading), np.zeros(frames)], axis=1)
    return _poses(eyes_on_path, aims - np.array([0.0, 0.0, drop_m]), rng)


def around(
    center: Sequence[float],
    radii_m: tuple[float, float],
    frames: int,
    *,
    drop_m: tuple[float, float],
    turns: float,
    rng: np.random.Generator,
) -> Array:
    """Return poses [frames, 4, 4] on an ellipse about a centre [3] that look outwards, `drop_m` [m] down over 1.5 m."""
    time = np.linspace(0.0, 1.0, frames)
    turn = 2.0 * np.pi * turns * time + float(rng.uniform(0.0, 2.0 * np.pi))
    out = np.stack([np.cos(turn), np.sin(turn), np.zeros(frames)], axis=1)
    eyes = np.asarray(center) + out * np.array([*radii_m, 0.0])
    drops = _swing(time, drop_m, 2.0 * turns + 0.37, 0.0)
    return _poses(eyes, eyes + 1.5 * out - drops[:, None] * np.array([0.0, 0.0, 1.0]), rng)


def _swing(time: Array, limits: tuple[float, float], cycles: float, phase: float) -> Array:
    low, high = limits
    return np.asarray(0.5 * (low + high) - 0.5 * (high - low) * np.cos(2.0 * np.pi * cycles * time + phase))


def _poses(eyes: Array, aims: Array, rng: np.random.Generator) -> Array:
    shaken = eyes + SHAKE_M * rng.standard_normal(eyes.shape)
    reach = np.linalg.norm(aims - eyes, axis=1, keepdims=True)
    shaken_aims = aims + SHAKE_RAD * reach * rng.standard_normal(eyes.shape)
    return np.stack([look_at(eye, aim) for eye, aim in zip(shaken, shaken_aims, strict=True)])
