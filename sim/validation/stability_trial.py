"""A fast stability trial of one cousin: overlap at t = 0, a short settling phase, poses at rest, and failures.

The gates of `sim.validation.gates` simulate a scene for half a minute; a trial runs until the cousin is at rest. Its
objects start within 0.01 mm of their contacts, so that they either come to rest at once or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from cousins.geometry import Array
from cousins.scene.scenes import PlacedAsset, Relation, Scene
from sim.physics.engine import Engine
from sim.physics.motion import pose_distance
from sim.validation.stability import deepest_contacts


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """Durations and limits of a stability trial."""

    overlap_m: float = 0.0005
    """Deepest contact at t = 0 and at rest [m]: half of what the gates allow."""
    settle_s: float = 0.5
    """Time limit to come to rest [s]."""
    watch_s: float = 0.25
    """Time over which objects at rest must stay there [s]."""
    sample_s: float = 0.05
    """Time between two pose samples [s]."""
    still_m: float = 2e-5
    """Largest motion of an object at rest between two samples [m]."""
    still_rad: float = 2e-4
    """The same as an angle: `still_m` at an arm of 10 cm [rad]."""
    settled_m: float = 0.004
    """Largest distance from the initial pose to the pose at rest [m]; the gates allow 5 mm."""
    settled_rad: float = np.deg2rad(2.5)
    """The same as an angle [rad]; the gates allow 3°."""
    supported_m: float = 0.02
    """The same for objects on or in another object [m], more because scanned tops are uneven."""
    supported_rad: float = 0.25
    """The same as an angle [rad]; an object that turns further lies on another side than in the twin."""
    creep_m: float = 2e-5
    """Largest horizontal motion within `watch_s` at rest [m]: 2.4 mm in half a minute."""
    creep_rad: float = 5e-4
    """The same as an angle [rad]: 3.4° in half a minute."""

    def motion_limits(self, *, supported: bool) -> tuple[float, float]:
        """Return the largest distance [m] and angle [rad] between an object's initial pose and its pose at rest."""
        return (self.supported_m, self.supported_rad) if supported else (self.settled_m, self.settled_rad)


def mujoco_trial_config() -> TrialConfig:
    """Return the trial settings for MuJoCo, whose contacts come to rest within a few steps."""
    # Passing these limits over 0.03 s bounds the drift in half a minute by 2.5 mm sideways and 2.9°.
    return TrialConfig(sample_s=0.024, settle_s=1.0, watch_s=0.03, creep_m=2.5e-6, creep_rad=5e-5)


def bullet_trial_config() -> TrialConfig:
    """Return the trial settings for Bullet after a trial in MuJoCo, with `for_trials` of its back-end.

    Bullet adds contact points one per step, so that bodies first tilt by some 0.1 mm and return within 0.075 s.
    """
    # Passing these limits over 0.025 s bounds the drift in half a minute by 3.6 mm sideways and 2.8°.
    return TrialConfig(sample_s=0.075, still_m=3e-4, still_rad=5e-3, watch_s=0.025, creep_m=3e-6, creep_rad=4e-5)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrialResult:
    """Result of a stability trial of a scene in one engine."""

    engine: str
    """Name of the engine."""
    depth_m: float
    """Deepest contact at t = 0 [m]."""
    settled_m: float
    """Largest distance of an object from its initial pose to its pose at rest [m]."""
    failures: tuple[str, ...]
    """Descriptions of the failures, without numbers; empty if the scene is stable."""
    rest: Mapping[str, Array]
    """Poses at rest by free object [4, 4]."""


def run_trial(scene: Scene, engine: Engine, *, config: TrialConfig | None = None) -> TrialResult:
    """Return the result of a stability trial of a scene; raises `EngineError` where the simulation fails."""
    engine.load(scene)
    free = [placed.asset.name for placed in scene.objects if not placed.fixed]
    supported = supported_objects(scene.relations, {placed.asset.name for placed in scene.objects})
    return run_loaded_trial(free, engine, config or TrialConfig(), supported=supported)


def supported_objects(relations: Iterable[Relation], objects: Collection[str]) -> frozenset[str]:
    """Return the names of the objects that stand on or in another object."""
    return frozenset(
        relation.subject for relation in relations if relation.kind in ("on", "inside") and relation.object in objects
    )


def run_loaded_trial(
    free: list[str], engine: Engine, config: TrialConfig, *, supported: frozenset[str] = frozenset()
) -> TrialResult:
    """Return the result of a stability trial of the scene that an engine has loaded; `free` names its free objects."""
    start = _poses(engine, free)
    depth = max(deepest_contacts(engine, free).values(), default=0.0)
    if depth > config.overlap_m:
        return TrialResult(
            engine=engine.name, depth_m=depth, settled_m=0.0, failures=("overlap at the start",), rest=start
        )
    sample_steps, watch_steps = (
        max(1, round(time_s / engine.timestep_s)) for time_s in (config.sample_s, config.watch_s)
    )
    previous, elapsed_s, failure = start, 0.0, "an object does not come to rest"
    while elapsed_s < config.settle_s:
        engine.step(sample_steps)
        elapsed_s += config.sample_s
        poses = _poses(engine, free)
        is_at_rest = all(_within(previous[name], poses[name], config.still_m, config.still_rad) for name in free)
        previous = poses
        if any(
            not _within(start[name], poses[name], *config.motion_limits(supported=name in supported)) for name in free
        ):
            return _trial_result(engine, depth, start, poses, ("an object moves away or falls",))
        if not is_at_rest:
            continue
        engine.step(watch_steps)
        elapsed_s += config.watch_s
        poses = _poses(engine, free)
        if any(
            not _within(_at_height_of(previous[name], poses[name]), poses[name], config.creep_m, config.creep_rad)
            for name in free
        ):
            previous, failure = poses, "an object creeps"
            continue
        overlaps = max(deepest_contacts(engine, free).values(), default=0.0) > config.overlap_m
        return _trial_result(engine, depth, start, poses, ("overlap at rest",) if overlaps else ())
    return _trial_result(engine, depth, start, previous, (failure,))


def with_poses(scene: Scene, poses: Mapping[str, Array]) -> Scene:
    """Return the scene with new poses [4, 4] of the named objects."""
    return replace(scene, objects=tuple(_with_pose(placed, poses) for placed in scene.objects))


def _with_pose(placed: PlacedAsset, poses: Mapping[str, Array]) -> PlacedAsset:
    pose = poses.get(placed.asset.name)
    return placed if pose is None else replace(placed, world_from_asset=pose)


def _trial_result(
    engine: Engine, depth_m: float, start: Mapping[str, Array], rest: Mapping[str, Array], failures: tuple[str, ...]
) -> TrialResult:
    distances_m = [pose_distance(start[name], pose)[0] for name, pose in rest.items()]
    return TrialResult(
        engine=engine.name,
        depth_m=depth_m,
        settled_m=max(distances_m, default=0.0),
        failures=failures,
        rest=dict(rest),
    )


def _at_height_of(first: Array, second: Array) -> Array:
    """Return the first pose at the second's height: sinking into the ground ends by itself, creeping does not."""
    level = first.copy()
    level[2, 3] = second[2, 3]
    return level


def _poses(engine: Engine, names: list[str]) -> dict[str, Array]:
    poses = engine.poses()
    return {name: poses[name] for name in names}


def _within(first: Array, second: Array, max_distance_m: float, max_angle_rad: float) -> bool:
    distance_m, angle = pose_distance(first, second)
    return distance_m <= max_distance_m and angle <= max_angle_rad
