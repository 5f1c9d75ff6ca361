"""Quasi-static settling: lay a scanned scene to rest without letting it gain speed, then let go and verify.

Every velocity is set to zero after each step, so bodies creep into contact along the shortest way instead of falling,
bouncing or knocking each other over. Then nothing holds them for a second or more. What falls keeps its scanned pose
and is reported: the gates will say so too. What left the body that it was seen on is reported as well. At the end
bodies are pushed out of each other by the few micrometres that engines let them sink.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cousins.geometry import Array, rotation_angle_rad
from cousins.plugins import load
from cousins.scene.scenes import Placed, Scene
from sim.engine import Contact, Engine

PART_TO_M: Final = 1e-6
"""Overlap that is left alone: the rounding of written lengths [m]."""
ROUNDS_PER_OBJECT: Final = 5
"""Rounds of pushing apart, by object: a push can reach the other end of a row."""
SLICE_S: Final = 0.25
"""Time between two looks at what was let go [s]."""
LEVEL: Final = 0.3
"""A normal with less than this along z is taken for level: steeper than walls lean [1]."""


@dataclass(frozen=True, kw_only=True)
class SettleConfig:
    """How long to settle and what still counts as the same place."""

    creep_s: float = 2.0
    """Longest time with velocities held at zero [s]."""
    still_m: float = 2e-6
    """Creeping ends when no body moves more than this in a step, about 1 % of a step of free fall [m]."""
    still_rad: float = 2e-5
    """The same for turning: `still_m` at the rim of something 10 cm wide [rad]."""
    release_s: float = 1.0
    """Shortest time without holding, at the end [s]."""
    longest_release_s: float = 4.0
    """Longest time without holding, for what tips slowly [s]."""
    calm_m: float = 1e-5
    """Letting go ends when no body moves more than this in a quarter of a second [m]."""
    calm_rad: float = 1e-4
    """The same for turning: `calm_m` at the rim of something 20 cm wide [rad]."""
    fallen_m: float = 0.03
    """A body that moved further has fallen; layout repair moves less than this [m]."""
    fallen_rad: float = math.radians(15.0)
    """A body that turned further has fallen [rad]."""
    reach_m: float = 0.001
    """Bodies closer than this along the vertical touch [m]."""
    part_m: float = 0.001
    """Most that a body is pushed out of others at the end [m]."""


@dataclass(frozen=True, kw_only=True)
class Rest:
    """Where settling brought one object."""

    name: str
    """Name of the object."""
    moved_m: float
    """Distance of the settled pose from the scanned one [m]; also for a fallen object, which then was put back."""
    rotated_rad: float
    """Angle between the two poses [rad]."""
    moved_when_released_m: float
    """Distance that the object went after it was let go [m]."""
    supports: tuple[str, ...]
    """What it stood on at the end, by name."""
    kept_support: bool
    """Whether it still stands on or in what its relations say; True where they say nothing."""
    fallen: bool
    """Whether it fell, and therefore kept its scanned pose."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Settled:
    """A scene at rest and how it got there."""

    scene: Scene
    """The scene with poses at rest; new warnings name what fell."""
    rests: tuple[Rest, ...]
    """By object, in the scene's order."""
    engine: str
    """Name of the engine that settled it."""
    steps: int
    """Steps with velocities held at zero, over all rounds."""
    max_depth_m: float
    """Deepest contact that is left [m]."""

    @property
    def moved_m(self) -> Mapping[str, float]:
        """Distance from the scanned pose by object [m]."""
        return {rest.name: rest.moved_m for rest in self.rests}


def settle(scene: Scene, *, engine: str = "pybullet", config: SettleConfig | None = None) -> Settled:
    """Return the scene at rest; raises `EngineError` where the engine breaks it."""
    config = SettleConfig() if config is None else config
    module = load("sim.backends", engine, kind="engine")
    with module.build(module.Config()) as running:
        return _settle(scene, running, config)


def _settle(scene: Scene, engine: Engine, config: SettleConfig) -> Settled:
    scanned = {placed.asset.name: placed.world_from_asset for placed in scene.objects}
    rests: dict[str, Rest] = {}
    pinned: set[str] = set()
    steps = 0
    engine.load(scene)
    while True:
        for name, pose in scanned.items():
            engine.set_pose(name, pose)
        steps += _creep(engine, config, {name: scanned[name] for name in pinned})
        before = engine.poses()
        _release(engine, config, {name: scanned[name] for name in pinned})
        after = engine.poses()
        found = _judge(scene, engine, config, scanned=scanned, before=before, after=after)
        rests |= {rest.name: rest for rest in found if rest.name not in pinned}
        fallen = {rest.name for rest in rests.values() if rest.fallen}
        if fallen <= pinned:
            break
        pinned |= fallen
    poses = {name: scanned[name] if name in pinned else after[name] for name in scanned}
    for name, pose in poses.items():
        engine.set_pose(name, pose)
    depth = _part(scene, engine, config, pinned)
    return Settled(
        scene=_at(scene, {**engine.poses(), **{name: scanned[name] for name in pinned}}, pinned, rests),
        rests=tuple(rests[name] for name in scanned),
        engine=engine.name,
        steps=steps,
        max_depth_m=depth,
    )


def moved(first: Array, second: Array) -> tuple[float, float]:
    """Return the distance [m] and the angle [rad] between two poses."""
    distance = float(np.linalg.norm(first[:3, 3] - second[:3, 3]))
    return distance, rotation_angle_rad(first[:3, :3].T @ second[:3, :3])


def _creep(engine: Engine, config: SettleConfig, pinned: Mapping[str, Array]) -> int:
    poses = engine.poses()
    most = round(config.creep_s / engine.timestep_s)
    for count in range(1, most + 1):
        engine.step(1)
        for name in poses:
            engine.set_velocity(name, np.zeros(6))
        for name, pose in pinned.items():
            engine.set_pose(name, pose)
        previous, poses = poses, engine.poses()
        if all(_within(previous[name], pose, config.still_m, config.still_rad) for name, pose in poses.items()):
            return count
    return most


def _release(engine: Engine, config: SettleConfig, pinned: Mapping[str, Array]) -> None:
    slice_steps = round(SLICE_S / engine.timestep_s)
    for index in range(1, round(config.longest_release_s / SLICE_S) + 1):
        previous = engine.poses()
        if pinned:
            for _ in range(slice_steps):
                engine.step(1)
                for name, pose in pinned.items():
                    engine.set_pose(name, pose)
        else:
            engine.step(slice_steps)
        poses = engine.poses()
        calm = all(_within(previous[name], poses[name], config.calm_m, config.calm_rad) for name in poses)
        if calm and index * SLICE_S >= config.release_s:
            return


def _within(first: Array, second: Array, distance_m: float, angle_rad: float) -> bool:
    distance, angle = moved(first, second)
    return distance < distance_m and angle < angle_rad


def _judge(
    scene: Scene,
    engine: Engine,
    config: SettleConfig,
    *,
    scanned: Mapping[str, Array],
    before: Mapping[str, Array],
    after: Mapping[str, Array],
) -> list[Rest]:
    rests = []
    for name, pose in scanned.items():
        distance, angle = moved(pose, after[name])
        supports = touched_below(engine, name, config.reach_m)
        wanted = {one.object for one in scene.relations if one.subject == name and one.kind in ("on", "inside")}
        kept = not wanted or bool(wanted & set(supports))
        rests.append(
            Rest(
                name=name,
                moved_m=distance,
                rotated_rad=angle,
                moved_when_released_m=moved(before[name], after[name])[0],
                supports=supports,
                kept_support=kept,
                fallen=bool(distance > config.fallen_m or angle > config.fallen_rad),
            )
        )
    return rests


def touched_below(engine: Engine, name: str, reach_m: float) -> tuple[str, ...]:
    """Return the names of what an object touches when it is lowered by `reach_m` [m]; its pose is put back."""
    pose = engine.poses()[name]
    lowered = pose.copy()
    lowered[2, 3] -= reach_m
    engine.set_pose(name, lowered)
    found = {_other(contact, name) for contact in engine.contacts() if name in (contact.first, contact.second)}
    engine.set_pose(name, pose)
    return tuple(sorted(found))


def _other(contact: Contact, name: str) -> str:
    return contact.second if contact.first == name else contact.first


def _part(scene: Scene, engine: Engine, config: SettleConfig, pinned: set[str]) -> float:
    """Push bodies out of each other, the upper one along the contact's normal; return the deepest contact left [m]."""
    order = {placed.asset.name: index for index, placed in enumerate(scene.objects)}
    pushed = dict.fromkeys(order, 0.0)
    for _ in range(ROUNDS_PER_OBJECT * len(order)):
        pushes: dict[str, Contact] = {}
        poses = engine.poses()
        for contact in engine.contacts():
            name = _upper(contact, order, poses)
            free = name not in pinned and pushed[name] + contact.depth_m <= config.part_m
            if free and contact.depth_m > max(PART_TO_M, pushes[name].depth_m if name in pushes else 0.0):
                pushes[name] = contact
        if not pushes:
            break
        for name, contact in pushes.items():
            pose = poses[name].copy()
            pose[:3, 3] += contact.depth_m * np.array(contact.normal) * (1.0 if contact.first == name else -1.0)
            pushed[name] += contact.depth_m
            engine.set_pose(name, pose)
    return max([0.0, *(contact.depth_m for contact in engine.contacts())])


def _upper(contact: Contact, order: Mapping[str, int], poses: Mapping[str, Array]) -> str:
    """Return the name of the body that the normal lifts, or that may move, or that comes later in the scene."""
    if contact.first not in order or contact.second not in order:
        return contact.first if contact.first in order else contact.second
    if abs(contact.normal[2]) > LEVEL:
        return contact.first if contact.normal[2] > 0.0 else contact.second
    return max((contact.first, contact.second), key=lambda name: (poses[name][2, 3], order[name]))


def _at(scene: Scene, poses: Mapping[str, Array], pinned: set[str], rests: Mapping[str, Rest]) -> Scene:
    warnings = [
        f"{rest.name} does not stand by itself: let go, it moved {rest.moved_m * 1e3:.0f} mm and turned "
        f"{np.rad2deg(rest.rotated_rad):.0f}°; it keeps its scanned pose."
        for rest in rests.values()
        if rest.name in pinned
    ]
    warnings += [
        f"{rest.name} no longer touches what it was seen to stand on."
        for rest in rests.values()
        if not rest.kept_support and rest.name not in pinned
    ]
    objects = tuple(Placed(asset=one.asset, world_from_asset=poses[one.asset.name]) for one in scene.objects)
    return replace(scene, objects=objects, warnings=scene.warnings + tuple(warnings))
