"""Quasi-static settling: lay a scanned scene to rest without letting it gain speed, then let go and verify.

Every velocity is set to zero after each step, so bodies creep into contact along the shortest way instead of falling,
bouncing or knocking each other over. Then nothing holds them for a second or more. What falls cannot stand by itself:
it goes back to its scanned pose and is joined to the world (`Placed.fixed`), what falls with a carrier only after
that, and the rest settles anew around it. At
the end bodies are pushed out of each other by the few micrometres that engines let them sink.

Then every engine in turn watches the scene. What moves there is given the pose in which that engine lays it to rest,
once; what still moves, or overlaps something, is fixed as well. All that is fixed is told in the scene's fallbacks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.plugins import load
from cousins.scene.scenes import Placed, Scene
from sim.physics.engine import Engine
from sim.physics.motion import moved, touched_below, within
from sim.physics.separation import push_apart

CARRIER_REACH_M: Final = 0.005
"""What lies this near below a scanned object carries it [m]: the range bias of a phone's depth sensor."""
BOTTOMLESS_M: Final = 4.0
"""What went farther when it was let go fell past everything [m]: one second of free fall is 4.9 m."""
SLICES: Final = 64
"""What moves by this part of the bar between two looks would need sixteen seconds to break it."""
SLICE_S: Final = 0.25
"""Time between two looks at what was let go [s]."""


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
    engines: tuple[str, ...] = ("pybullet", "mujoco")
    """Engines in which the scene must stay at rest."""
    stays_m: float = 0.0025
    """What moves further while an engine watches does not rest there [m]: half of what the gates allow."""
    stays_rad: float = math.radians(1.5)
    """The same as an angle [rad]."""
    overlap_m: float = 0.0005
    """What overlaps deeper at the end cannot be let go [m]: half of what the gates allow."""


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
    """Whether it fell or did not rest in every engine, and was therefore fixed in place."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Settled:
    """A scene at rest and how it got there."""

    scene: Scene
    """The scene with poses at rest; new fallbacks name what was fixed in place."""
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


def settle(scene: Scene, *, engine: str = "mujoco", config: SettleConfig | None = None) -> Settled:
    """Return the scene at rest, settled by one engine and watched by all; raises `EngineError` where one breaks it."""
    config = SettleConfig() if config is None else config
    module = load("sim.physics.backends", engine, kind="engine")
    scanned = {one.asset.name: one.world_from_asset for one in scene.objects}
    given, tried = scene, set[str]()
    fell: dict[str, tuple[float, float]] = {}
    with module.build(module.Config()) as running:
        while True:
            settled = _settle(given, running, config, scanned=scanned)
            for rest in settled.rests:
                if rest.fallen:
                    fell.setdefault(rest.name, (rest.moved_m, rest.rotated_rad))
            restless = _restless(settled.scene, config)
            if not restless:
                return _told(settled, scene, fell)
            stuck = {name for name, (_, may_move) in restless.items() if name in tried or not may_move}
            fell |= {name: moved(scanned[name], restless[name][0]) for name in stuck}
            tried |= set(restless)
            poses = {one.asset.name: one.world_from_asset for one in settled.scene.objects}
            poses |= {name: pose for name, (pose, _) in restless.items() if name not in stuck}
            given = _placed(scene, poses, stuck | {one.asset.name for one in settled.scene.objects if one.fixed})


def _settle(given: Scene, engine: Engine, config: SettleConfig, *, scanned: Mapping[str, Array]) -> Settled:
    """Settle a scene from given poses; what falls is fixed at its given pose, and moves count from the scanned one."""
    starts = {one.asset.name: one.world_from_asset for one in given.objects}
    fixed = {one.asset.name for one in given.objects if one.fixed}
    rests: dict[str, Rest] = {}
    steps = 0
    while True:
        scene = _placed(given, starts, fixed)
        engine.load(scene)
        free = [name for name in starts if name not in fixed]
        carriers = _carriers(scene, engine, free)
        steps += _creep(engine, config, free)
        before = engine.poses()
        _release(engine, config, free, calm=(config.calm_m, config.calm_rad))
        found = _judge(scene, engine, config, scanned=scanned, before=before, after=engine.poses())
        rests |= {rest.name: rest for rest in found if rest.name not in rests or rest.name in free}
        fallen = {rest.name for rest in found if rest.fallen and rest.name in free}
        if not fallen:
            break
        fixed |= {name for name in fallen if not carriers[name] & fallen} or fallen
    depth = push_apart(scene, engine, fixed=fixed, most_m=config.part_m)
    rests = {name: replace(rest, fallen=name in fixed) for name, rest in rests.items()}
    return Settled(
        scene=_placed(scene, {**engine.poses(), **{name: starts[name] for name in fixed}}, fixed),
        rests=tuple(rests[name] for name in starts),
        engine=engine.name,
        steps=steps,
        max_depth_m=depth,
    )


def _placed(scene: Scene, poses: Mapping[str, Array], fixed: set[str]) -> Scene:
    """Return the scene with objects at poses, some of them fixed."""
    return replace(
        scene,
        objects=tuple(
            Placed(asset=one.asset, world_from_asset=poses[one.asset.name], fixed=one.asset.name in fixed)
            for one in scene.objects
        ),
    )


def _restless(scene: Scene, config: SettleConfig) -> dict[str, tuple[Array, bool]]:
    """Return what does not stay in the first engine that moves something: its pose there, and whether it may go there.

    What overlaps from the start may not: letting it go drives it apart.
    """
    free = [one.asset.name for one in scene.objects if not one.fixed]
    for name in config.engines:
        module = load("sim.physics.backends", name, kind="engine")
        with module.build(module.Config()) as engine:
            engine.load(scene)
            start = engine.poses()
            deep = [contact for contact in engine.contacts() if contact.depth_m > config.overlap_m]
            stuck = {one for contact in deep for one in (contact.first, contact.second)}
            _release(engine, config, free, calm=(config.stays_m / SLICES, config.stays_rad / SLICES))
            last = engine.poses()
        found = {
            one: (start[one] if one in stuck else last[one], one not in stuck)
            for one in free
            if one in stuck or not within(start[one], last[one], config.stays_m, config.stays_rad)
        }
        if found:
            return found
    return {}


def _carriers(scene: Scene, engine: Engine, names: Sequence[str]) -> dict[str, set[str]]:
    """Return what carries each named object: by its relations, or within reach below it."""
    found = {name: set(touched_below(engine, name, CARRIER_REACH_M)) for name in names}
    for relation in scene.relations:
        if relation.kind in ("on", "inside") and relation.subject in found:
            found[relation.subject].add(relation.object)
    return found


def _creep(engine: Engine, config: SettleConfig, free: Sequence[str]) -> int:
    poses = engine.poses()
    most = round(config.creep_s / engine.timestep_s)
    for count in range(1, most + 1):
        engine.step(1)
        for name in free:
            engine.set_velocity(name, np.zeros(6))
        previous, poses = poses, engine.poses()
        if all(within(previous[name], poses[name], config.still_m, config.still_rad) for name in free):
            return count
    return most


def _release(engine: Engine, config: SettleConfig, free: Sequence[str], *, calm: tuple[float, float]) -> None:
    """Let go until nothing moves [m] or turns [rad] more than `calm` in a quarter of a second."""
    for index in range(1, round(config.longest_release_s / SLICE_S) + 1):
        previous = engine.poses()
        engine.step(round(SLICE_S / engine.timestep_s))
        poses = engine.poses()
        still = all(within(previous[name], poses[name], *calm) for name in free)
        if still and index * SLICE_S >= config.release_s:
            return


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


def _told(settled: Settled, given: Scene, fell: Mapping[str, tuple[float, float]]) -> Settled:
    """Return the settled scene with what happened to it said; `fell` holds how far each fixed object went."""
    known = {one.asset.name for one in given.objects if one.fixed}
    fallbacks = [
        f"{name} cannot stand by itself: fixed in place (let go, {_went(distance, angle)})"
        for name, (distance, angle) in fell.items()
        if name not in known
    ]
    warnings = [
        f"{rest.name} no longer touches what it was seen to stand on."
        for rest in settled.rests
        if not rest.kept_support and not rest.fallen
    ]
    rests = tuple(
        replace(rest, moved_m=fell[rest.name][0], rotated_rad=fell[rest.name][1]) if rest.name in fell else rest
        for rest in settled.rests
    )
    scene = settled.scene
    scene = replace(scene, warnings=(*scene.warnings, *warnings), fallbacks=(*scene.fallbacks, *fallbacks))
    return replace(settled, scene=scene, rests=rests)


def _went(distance_m: float, angle_rad: float) -> str:
    """Return where a thing went that was let go, in words."""
    if distance_m > BOTTOMLESS_M:
        return "it fell: nothing that was scanned is under it"
    return f"it moved {distance_m * 1e3:.0f} mm and turned {np.rad2deg(angle_rad):.0f}°"
