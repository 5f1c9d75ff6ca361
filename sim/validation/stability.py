"""Stability of a scene in one engine: initial overlap, drift, and whether an object leaves the scene."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from cousins.geometry import Array, transform
from cousins.scene.scenes import Scene
from sim.physics.engine import Engine
from sim.physics.motion import pose_distance


@dataclass(frozen=True, kw_only=True)
class StabilityConfig:
    """Durations and limits of a stability measurement."""

    settle_s: float = 1.0
    """Time for a scene to come to rest [s]."""
    watch_s: float = 3.0
    """Time after that over which drift is measured [s]."""
    escape_s: float = 30.0
    """Time from the start within which no object may leave the scene [s]."""
    sample_s: float = 0.1
    """Time between two pose samples [s]."""
    still_m: float = 2e-4
    """A scene in which objects move less than this (3 mm in half a minute) ... [m]."""
    still_rad: float = 2e-3
    """... and turns less than this (`still_m` at an arm of 10 cm) ... [rad]"""
    still_s: float = 2.0
    """... during this time is not simulated to the end [s]."""
    escape_margin_m: float = 0.5
    """Distance of an object's origin outside the scene's bounding box at which it has left the scene [m]."""


@dataclass(frozen=True, kw_only=True)
class ObjectStability:
    """Measurements of one object."""

    name: str
    """Name of the object."""
    depth_m: float
    """Depth of the deepest contact at t = 0 [m], 0 without a contact."""
    settle_m: float
    """Largest distance from the pose at t = 0 while it settled [m]."""
    settle_rad: float
    """Largest angle from the pose at t = 0 while it settled [rad]."""
    drift_m: float
    """Largest distance from the settled pose afterwards [m]."""
    drift_rad: float
    """Largest angle from the settled pose afterwards [rad]."""
    escaped: bool
    """Whether it left the scene."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SceneStability:
    """Measurements of a scene in one engine."""

    engine: str
    """Name of the engine."""
    version: str
    """Version of the engine."""
    objects: tuple[ObjectStability, ...]
    """One measurement per object that is not fixed, in the scene's order."""
    rest: Mapping[str, Array]
    """Poses at the end of the drift measurement, by object [4, 4]."""
    simulated_s: float
    """Simulated time [s]; less than `escape_s` only if nothing moved any more."""


def measure_stability(scene: Scene, engine: Engine, *, config: StabilityConfig) -> SceneStability:
    """Load a scene and measure its stability; raises `EngineError` where the simulation fails."""
    engine.load(scene)
    free = [placed.asset.name for placed in scene.objects if not placed.fixed]
    start = _poses(engine, free)
    depths = deepest_contacts(engine, start)
    settle, samples = _sample_motion(engine, start, config.settle_s, config.sample_s)
    settled = samples[-1]
    drift, drift_samples = _sample_motion(engine, settled, config.watch_s, config.sample_s)
    samples += drift_samples
    low, high = _bounds(scene, config.escape_margin_m)
    simulated_s = config.settle_s + config.watch_s
    engine.allow_sleep()
    while simulated_s < config.escape_s - 1e-9 and not _is_still(samples, config):
        engine.step(round(config.sample_s / engine.timestep_s))
        samples.append(_poses(engine, free))
        simulated_s += config.sample_s
    objects = tuple(
        ObjectStability(
            name=name,
            depth_m=depths[name],
            settle_m=settle[name][0],
            settle_rad=settle[name][1],
            drift_m=drift[name][0],
            drift_rad=drift[name][1],
            escaped=any(_is_outside(sample[name], low, high) for sample in samples),
        )
        for name in start
    )
    return SceneStability(
        engine=engine.name,
        version=engine.version,
        objects=objects,
        rest=drift_samples[-1],
        simulated_s=round(simulated_s, 6),
    )


def deepest_contacts(engine: Engine, names: Iterable[str]) -> dict[str, float]:
    """Return the depth [m] of the deepest contact of each named object in the current state, 0 without one."""
    depths = dict.fromkeys(names, 0.0)
    for contact in engine.contacts():
        for name in {contact.first, contact.second} & depths.keys():
            depths[name] = max(depths[name], contact.depth_m)
    return depths


def _sample_motion(
    engine: Engine, origin: Mapping[str, Array], duration_s: float, sample_s: float
) -> tuple[dict[str, tuple[float, float]], list[Mapping[str, Array]]]:
    samples: list[Mapping[str, Array]] = []
    largest_motion = dict.fromkeys(origin, (0.0, 0.0))
    for _ in range(round(duration_s / sample_s)):
        engine.step(round(sample_s / engine.timestep_s))
        samples.append(_poses(engine, origin))
        for name, pose in samples[-1].items():
            distance, angle = pose_distance(origin[name], pose)
            largest_motion[name] = (max(largest_motion[name][0], distance), max(largest_motion[name][1], angle))
    return largest_motion, samples


def _poses(engine: Engine, names: Iterable[str]) -> dict[str, Array]:
    """Return the poses of the named objects."""
    poses = engine.poses()
    return {name: poses[name] for name in names}


def _is_still(samples: list[Mapping[str, Array]], config: StabilityConfig) -> bool:
    last = samples[-1]
    for sample in samples[-1 - round(config.still_s / config.sample_s) : -1]:
        for name, pose in sample.items():
            distance, angle = pose_distance(pose, last[name])
            if distance > config.still_m or angle > config.still_rad:
                return False
    return True


def _bounds(scene: Scene, margin_m: float) -> tuple[Array, Array]:
    points = [piece.mesh.vertices for structure in scene.structures for piece in structure.pieces]
    points += [
        transform(placed.world_from_asset, piece.mesh.vertices)
        for placed in scene.objects
        for piece in placed.asset.links[0].pieces
    ]
    all_points = np.concatenate(points)
    return all_points.min(axis=0) - margin_m, all_points.max(axis=0) + margin_m


def _is_outside(pose: Array, low: Array, high: Array) -> bool:
    return bool(np.any(pose[:3, 3] < low) or np.any(pose[:3, 3] > high))
