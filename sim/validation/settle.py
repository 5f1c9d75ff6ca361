"""Quasi-static settling: bring a scanned scene to rest without letting it gain speed, then release and verify it.

Every velocity is set to zero after each step, so bodies creep into contact along the shortest path instead of falling,
bouncing or knocking each other over. Then they are released for a second or more. An object that falls cannot stand by
itself: it returns to its scanned pose and is joined to the world (`PlacedAsset.fixed`), an object that falls with its
support only if it falls again, and the others settle again around it. At the end bodies are pushed out of each other by
the few micrometres that engines let them sink.

Then every engine simulates the scene. An object that moves there gets the pose in which that engine brings it to rest,
once; if it still moves, or overlaps another body, it is fixed as well. The scene's fallbacks list all fixed objects.
What hangs on a wall or a ceiling is fixed there from the start and is not touched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.plugins import load_backend
from cousins.scene.scenes import PlacedAsset, Scene, hanging_supports
from sim.physics.engine import Engine
from sim.physics.installed import require_engines
from sim.physics.motion import find_supports, pose_distance, poses_are_close
from sim.physics.separation import push_apart

SUPPORT_REACH_M: Final = 0.005
"""Largest vertical gap between a scanned object and its support [m]: the range bias of a phone's depth sensor."""
FELL_THROUGH_M: Final = 4.0
"""Distance moved after release from which an object fell past all others [m]; one second of free fall is 4.9 m."""
CALM_DIVISOR: Final = 64
"""Divisor of the drift limit for motion between two samples; slower motion needs sixteen seconds to exceed it."""
SAMPLE_S: Final = 0.25
"""Time between two pose samples after release [s]."""


@dataclass(frozen=True, kw_only=True)
class SettleConfig:
    """Durations of settling and limits of motion."""

    max_creep_s: float = 2.0
    """Time limit with velocities held at zero [s]."""
    still_m: float = 2e-6
    """Creeping ends when no body moves more than this in a step [m]; about 1 % of a step of free fall."""
    still_rad: float = 2e-5
    """The same as an angle: `still_m` at the rim of an object 10 cm wide [rad]."""
    min_release_s: float = 1.0
    """Shortest time after release [s]."""
    max_release_s: float = 4.0
    """Longest time after release, for objects that tip slowly [s]."""
    calm_m: float = 1e-5
    """The release phase ends when no body moves more than this in a quarter of a second [m]."""
    calm_rad: float = 1e-4
    """The same as an angle: `calm_m` at the rim of an object 20 cm wide [rad]."""
    fallen_m: float = 0.015
    """A body that moved further does not stand where it was filmed, and has fallen: twice the tilt below, at the top of
    an object 15 cm high [m]."""
    fallen_rad: float = math.radians(6.0)
    """A body that turned further has fallen: twice what layout repair turns an object onto its rest pose [rad]."""
    reach_m: float = 0.001
    """Bodies closer than this along the vertical touch [m]."""
    max_push_m: float = 0.001
    """Largest distance by which a body is pushed out of others at the end [m]."""
    engines: tuple[str, ...] | None = None
    """Engines in which the scene must stay at rest; None for all that are installed, PyBullet first."""
    max_drift_m: float = 0.0025
    """Largest motion of an object at rest while an engine verifies the scene [m]: half of the gate's threshold."""
    max_drift_rad: float = math.radians(1.5)
    """The same as an angle [rad]."""
    max_overlap_m: float = 0.0005
    """Overlap at the end from which an object cannot be released [m]: half of the gate's threshold."""


@dataclass(frozen=True, kw_only=True)
class ObjectRest:
    """Result of settling one object."""

    name: str
    """Name of the object."""
    moved_m: float
    """Distance of the settled pose from the scanned one [m]; also for a fallen object, which then was put back."""
    rotated_rad: float
    """Angle between the two poses [rad]."""
    moved_when_released_m: float
    """Distance that the object moved after release [m]."""
    supports: tuple[str, ...]
    """Names of the bodies that it stood on at the end."""
    kept_support: bool
    """Whether it still stands on or in a support of its relations; True if it has none."""
    fallen: bool
    """Whether it fell or did not come to rest in every engine, and was fixed in place; False for what hangs."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SettleResult:
    """A scene at rest and the motion of its objects."""

    scene: Scene
    """The scene with poses at rest; new fallbacks name the objects that were fixed in place."""
    rests: tuple[ObjectRest, ...]
    """One result per object, in the scene's order."""
    engine: str
    """Name of the engine that settled the scene."""
    steps: int
    """Steps with velocities held at zero, over all rounds."""
    max_depth_m: float
    """Depth of the deepest remaining contact [m]."""

    @property
    def moved_m(self) -> Mapping[str, float]:
        """Distance from the scanned pose by object [m]."""
        return {rest.name: rest.moved_m for rest in self.rests}


def settle(scene: Scene, *, engine: str | None = None, config: SettleConfig | None = None) -> SettleResult:
    """Return the scene at rest, settled in one engine and verified in all; raises `EngineError` if one fails.

    Without `engine` it is settled in MuJoCo, or in the one engine that is installed. Raises `InputError` where an
    engine is not installed.
    """
    config = SettleConfig() if config is None else config
    engine = require_engines()[0] if engine is None else require_engines([engine])[0]
    module = load_backend("sim.physics.backends", engine, kind="engine")
    scanned = {placed.asset.name: placed.world_from_asset for placed in scene.objects}
    start_scene, retried = scene, set[str]()
    fall_of: dict[str, tuple[float, float]] = {}
    with module.build(module.Config()) as running:
        while True:
            settled = _settle_with_engine(start_scene, running, config, scanned=scanned)
            for rest in settled.rests:
                if rest.fallen:
                    fall_of.setdefault(rest.name, (rest.moved_m, rest.rotated_rad))
            moving = _find_moving(settled.scene, config)
            if not moving:
                return _with_warnings(settled, scene, fall_of)
            unstable = {name for name, (_, may_move) in moving.items() if name in retried or not may_move}
            fall_of |= {name: pose_distance(scanned[name], moving[name][0]) for name in unstable}
            retried |= set(moving)
            poses = {placed.asset.name: placed.world_from_asset for placed in settled.scene.objects}
            poses |= {name: scanned[name] if name in unstable else pose for name, (pose, _) in moving.items()}
            start_scene = _with_poses(
                scene, poses, unstable | {placed.asset.name for placed in settled.scene.objects if placed.fixed}
            )


def _settle_with_engine(
    start_scene: Scene, engine: Engine, config: SettleConfig, *, scanned: Mapping[str, Array]
) -> SettleResult:
    """Settle a scene from its start poses, at which falling objects are fixed; motion counts from the scanned poses."""
    starts = {placed.asset.name: placed.world_from_asset for placed in start_scene.objects}
    fixed = {placed.asset.name for placed in start_scene.objects if placed.fixed}
    rests: dict[str, ObjectRest] = {}
    steps = 0
    while True:
        scene = _with_poses(start_scene, starts, fixed)
        engine.load(scene)
        free = [name for name in starts if name not in fixed]
        supports_of_object = _supports_of(scene, engine, free)
        steps += _creep(engine, config, free)
        before = engine.poses()
        _release(engine, config, free, calm=(config.calm_m, config.calm_rad))
        new_rests = _measure_rests(scene, engine, config, scanned=scanned, before=before, after=engine.poses())
        rests |= {rest.name: rest for rest in new_rests if rest.name not in rests or rest.name in free}
        fallen = {rest.name for rest in new_rests if rest.fallen and rest.name in free}
        if not fallen:
            break
        fixed |= {name for name in fallen if not supports_of_object[name] & fallen} or fallen
    depth = push_apart(scene, engine, fixed=fixed, max_push_m=config.max_push_m)
    hanging = hanging_supports(start_scene)
    rests = {name: replace(rest, fallen=name in fixed and name not in hanging) for name, rest in rests.items()}
    return SettleResult(
        scene=_with_poses(scene, {**engine.poses(), **{name: starts[name] for name in fixed}}, fixed),
        rests=tuple(rests[name] for name in starts),
        engine=engine.name,
        steps=steps,
        max_depth_m=depth,
    )


def _with_poses(scene: Scene, poses: Mapping[str, Array], fixed: set[str]) -> Scene:
    """Return the scene with objects at poses [4, 4] by name, those in `fixed` joined to the world."""
    return replace(
        scene,
        objects=tuple(
            PlacedAsset(asset=placed.asset, world_from_asset=poses[placed.asset.name], fixed=placed.asset.name in fixed)
            for placed in scene.objects
        ),
    )


def _find_moving(scene: Scene, config: SettleConfig) -> dict[str, tuple[Array, bool]]:
    """Return the objects that move in the first engine in which any does: pose at rest, and whether it is usable.

    The pose of an object that overlaps another from the start is not usable: releasing it drives the two apart.
    """
    free = [placed.asset.name for placed in scene.objects if not placed.fixed]
    for name in require_engines()[::-1] if config.engines is None else require_engines(config.engines):
        module = load_backend("sim.physics.backends", name, kind="engine")
        with module.build(module.Config()) as engine:
            engine.load(scene)
            start = engine.poses()
            deep = [contact for contact in engine.contacts() if contact.depth_m > config.max_overlap_m]
            overlapping = {object_name for contact in deep for object_name in (contact.first, contact.second)}
            _release(
                engine, config, free, calm=(config.max_drift_m / CALM_DIVISOR, config.max_drift_rad / CALM_DIVISOR)
            )
            last = engine.poses()
        moving = {
            object_name: (
                start[object_name] if object_name in overlapping else last[object_name],
                object_name not in overlapping,
            )
            for object_name in free
            if object_name in overlapping
            or not poses_are_close(start[object_name], last[object_name], config.max_drift_m, config.max_drift_rad)
        }
        if moving:
            return moving
    return {}


def _supports_of(scene: Scene, engine: Engine, names: Sequence[str]) -> dict[str, set[str]]:
    """Return the supports of each named object: by its relations, or within `SUPPORT_REACH_M` below it."""
    supports_of_object = {name: set(find_supports(engine, name, SUPPORT_REACH_M)) for name in names}
    for relation in scene.relations:
        if relation.kind in ("on", "inside") and relation.subject in supports_of_object:
            supports_of_object[relation.subject].add(relation.object)
    return supports_of_object


def _creep(engine: Engine, config: SettleConfig, free: Sequence[str]) -> int:
    poses = engine.poses()
    max_steps = round(config.max_creep_s / engine.timestep_s)
    for count in range(1, max_steps + 1):
        engine.step(1)
        for name in free:
            engine.set_velocity(name, np.zeros(6))
        previous, poses = poses, engine.poses()
        if all(poses_are_close(previous[name], poses[name], config.still_m, config.still_rad) for name in free):
            return count
    return max_steps


def _release(engine: Engine, config: SettleConfig, free: Sequence[str], *, calm: tuple[float, float]) -> None:
    """Simulate until no object moves [m] or turns [rad] more than `calm` in a quarter of a second."""
    for index in range(1, round(config.max_release_s / SAMPLE_S) + 1):
        previous = engine.poses()
        engine.step(round(SAMPLE_S / engine.timestep_s))
        poses = engine.poses()
        still = all(poses_are_close(previous[name], poses[name], *calm) for name in free)
        if still and index * SAMPLE_S >= config.min_release_s:
            return


def _measure_rests(
    scene: Scene,
    engine: Engine,
    config: SettleConfig,
    *,
    scanned: Mapping[str, Array],
    before: Mapping[str, Array],
    after: Mapping[str, Array],
) -> list[ObjectRest]:
    rests = []
    for name, pose in scanned.items():
        distance, angle = pose_distance(pose, after[name])
        supports = find_supports(engine, name, config.reach_m)
        expected_supports = {
            relation.object
            for relation in scene.relations
            if relation.subject == name and relation.kind in ("on", "inside")
        }
        kept_support = not expected_supports or bool(expected_supports & set(supports))
        rests.append(
            ObjectRest(
                name=name,
                moved_m=distance,
                rotated_rad=angle,
                moved_when_released_m=pose_distance(before[name], after[name])[0],
                supports=supports,
                kept_support=kept_support,
                fallen=bool(distance > config.fallen_m or angle > config.fallen_rad),
            )
        )
    return rests


def _with_warnings(
    settled: SettleResult, start_scene: Scene, fall_of: Mapping[str, tuple[float, float]]
) -> SettleResult:
    """Return the result with warnings and fallbacks; `fall_of` holds distance and angle moved by each fixed object."""
    fixed_before = {placed.asset.name for placed in start_scene.objects if placed.fixed}
    fallbacks = [
        f"{name} cannot stand by itself: fixed in place (let go, {_describe_fall(distance, angle)})"
        for name, (distance, angle) in fall_of.items()
        if name not in fixed_before
    ]
    warnings = [
        f"{rest.name} no longer touches what it was seen to stand on."
        for rest in settled.rests
        if not rest.kept_support and not rest.fallen
    ]
    rests = tuple(
        replace(rest, moved_m=fall_of[rest.name][0], rotated_rad=fall_of[rest.name][1])
        if rest.name in fall_of
        else rest
        for rest in settled.rests
    )
    scene = settled.scene
    scene = replace(scene, warnings=(*scene.warnings, *warnings), fallbacks=(*scene.fallbacks, *fallbacks))
    return replace(settled, scene=scene, rests=rests)


def _describe_fall(distance_m: float, angle_rad: float) -> str:
    """Return a description of the motion of a released object."""
    if distance_m > FELL_THROUGH_M:
        return "it fell: nothing that was scanned is under it"
    return f"it moved {distance_m * 1e3:.0f} mm and turned {np.rad2deg(angle_rad):.0f}°"
