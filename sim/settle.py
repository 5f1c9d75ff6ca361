"""Quasi-static settling: lay a scanned scene to rest without letting it gain speed, then let go and verify.

Every velocity is set to zero after each step, so bodies creep into contact along the shortest way instead of falling,
bouncing or knocking each other over. Then nothing holds them for a second. What falls over, or leaves what it stood on,
keeps its scanned pose and is reported: the gates will say so too. At the end each body is lifted by the
few micrometres that it rests inside its support.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cousins.geometry import Array, rotation_angle_rad
from cousins.plugins import load
from cousins.scene.scenes import Placed, Scene
from sim.engine import Contact, Engine


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
    """Time without holding, at the end [s]."""
    fallen_m: float = 0.03
    """A body that moved further has fallen; layout repair moves less than this [m]."""
    fallen_rad: float = np.deg2rad(15.0)
    """A body that turned further has fallen [rad]."""
    reach_m: float = 0.001
    """Bodies closer than this along the vertical touch [m]."""
    lift_m: float = 0.0005
    """Most that a body is lifted out of its support at the end [m]."""


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
    depth = _lift(scene, engine, config, pinned)
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
        steps = [moved(previous[name], pose) for name, pose in poses.items()]
        if all(distance < config.still_m and angle < config.still_rad for distance, angle in steps):
            return count
    return most


def _release(engine: Engine, config: SettleConfig, pinned: Mapping[str, Array]) -> None:
    for _ in range(round(config.release_s / engine.timestep_s)):
        engine.step(1)
        for name, pose in pinned.items():
            engine.set_pose(name, pose)


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
                fallen=distance > config.fallen_m or angle > config.fallen_rad,
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


def _lift(scene: Scene, engine: Engine, config: SettleConfig, pinned: set[str]) -> float:
    """Lift bodies out of what lies below them, bottom-up, and return the deepest contact left [m]."""
    order = {placed.asset.name: index for index, placed in enumerate(scene.objects)}
    lifted = dict.fromkeys(order, 0.0)
    for _ in range(2 * len(order) + 1):
        rises: dict[str, float] = {}
        for contact in engine.contacts():
            upper = _upper(contact, order, engine.poses())
            if contact.depth_m > 0.0 and upper not in pinned:
                rises[upper] = max(rises.get(upper, 0.0), contact.depth_m)
        rises = {name: rise for name, rise in rises.items() if rise > 1e-6 and lifted[name] + rise <= config.lift_m}
        if not rises:
            break
        for name, rise in rises.items():
            pose = engine.poses()[name].copy()
            pose[2, 3] += rise
            lifted[name] += rise
            engine.set_pose(name, pose)
    return max((contact.depth_m for contact in engine.contacts()), default=0.0)


def _upper(contact: Contact, order: Mapping[str, int], poses: Mapping[str, Array]) -> str:
    if contact.first not in order or contact.second not in order:
        return contact.first if contact.first in order else contact.second
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
