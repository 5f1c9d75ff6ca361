"""One cousin in physics, quickly: overlaps at t = 0, a short settle, poses at rest, and what is no longer true.

The gates of `sim.validation.gates` look at a scene for half a minute; a cousin is looked at for as long as it moves. It
is put down within a hundredth of a millimetre of its contacts, so that it either rests at once or never will.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from cousins.geometry import Array
from cousins.scene.scenes import Placed, Relation, Scene
from sim.physics.engine import Engine
from sim.physics.motion import moved
from sim.validation.stability import deepest_contacts


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """How a cousin is looked at."""

    overlap_m: float = 0.0005
    """Deepest contact at t = 0 and at rest [m]: half of what the gates allow."""
    settle_s: float = 0.5
    """Time to come to rest, at most, before poses are taken [s]."""
    watch_s: float = 0.25
    """Time over which what has come to rest must stay there [s]."""
    look_s: float = 0.05
    """Time between two looks [s]."""
    still_m: float = 2e-5
    """What moves less than this between two looks rests [m]."""
    still_rad: float = 2e-4
    """The same as an angle: `still_m` at an arm of 10 cm [rad]."""
    settled_m: float = 0.004
    """Longest way to the pose at rest [m]; the gates allow 5 mm."""
    settled_rad: float = np.deg2rad(2.5)
    """The same as an angle [rad]; the gates allow 3°."""
    rider_m: float = 0.02
    """Longest way of what stands on or in another object [m]: scanned tops are uneven, and it finds its own rest."""
    rider_rad: float = 0.25
    """The same as an angle [rad]: more, and it lies otherwise than in the twin."""
    creep_m: float = 2e-5
    """Level way within `watch_s` at rest [m]: 2.4 mm in half a minute."""
    creep_rad: float = 5e-4
    """The same as an angle [rad]: 3.4° in half a minute."""

    def settled(self, *, rides: bool) -> tuple[float, float]:
        """Return how far an object may go to its pose at rest [m], and how far turn [rad]."""
        return (self.rider_m, self.rider_rad) if rides else (self.settled_m, self.settled_rad)


def quick() -> TrialConfig:
    """Return how MuJoCo looks at cousins: its contacts come to rest within a few steps."""
    # A watch of 0.03 s bounds what is left in half a minute by 2.5 mm sideways and 2.9°.
    return TrialConfig(look_s=0.024, settle_s=1.0, watch_s=0.03, creep_m=2.5e-6, creep_rad=5e-5)


def brisk() -> TrialConfig:
    """Return how Bullet looks at what lies at rest in MuJoCo, with the settings of `for_trials` in its back-end.

    Its contacts, found point by point, first tilt bodies by some 0.1 mm and push them back within 0.075 s.
    """
    # A watch of 0.025 s bounds what is left in half a minute by 3.6 mm sideways and 2.8°.
    return TrialConfig(look_s=0.075, still_m=3e-4, still_rad=5e-3, watch_s=0.025, creep_m=3e-6, creep_rad=4e-5)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Trial:
    """What one engine says about a scene."""

    engine: str
    """Name of the engine."""
    depth_m: float
    """Deepest contact at t = 0 [m]."""
    settled_m: float
    """Longest way of an object to its pose at rest [m]."""
    failures: tuple[str, ...]
    """What does not hold, in words without numbers; empty for all is well."""
    rest: Mapping[str, Array]
    """Poses at rest by free object [4, 4]."""


def try_scene(scene: Scene, engine: Engine, *, config: TrialConfig | None = None) -> Trial:
    """Return what an engine says about a scene; raises `EngineError` where it breaks it."""
    engine.load(scene)
    free = [one.asset.name for one in scene.objects if not one.fixed]
    riders = riders_of(scene.relations, {one.asset.name for one in scene.objects})
    return try_loaded(free, engine, config or TrialConfig(), riders=riders)


def riders_of(relations: Iterable[Relation], objects: Collection[str]) -> frozenset[str]:
    """Return what stands on or in another object."""
    return frozenset(one.subject for one in relations if one.kind in ("on", "inside") and one.object in objects)


def try_loaded(free: list[str], engine: Engine, config: TrialConfig, *, riders: frozenset[str] = frozenset()) -> Trial:
    """Return what an engine says about the scene that it has loaded, with some objects free."""
    start = _poses(engine, free)
    depth = max(deepest_contacts(engine, free).values(), default=0.0)
    if depth > config.overlap_m:
        return Trial(engine=engine.name, depth_m=depth, settled_m=0.0, failures=("overlap at the start",), rest=start)
    looks, watch = (max(1, round(time_s / engine.timestep_s)) for time_s in (config.look_s, config.watch_s))
    last, spent_s, failure = start, 0.0, "an object does not come to rest"
    while spent_s < config.settle_s:
        engine.step(looks)
        spent_s += config.look_s
        now = _poses(engine, free)
        resting = all(_within(last[name], now[name], config.still_m, config.still_rad) for name in free)
        last = now
        if any(not _within(start[name], now[name], *config.settled(rides=name in riders)) for name in free):
            return _end(engine, depth, start, now, ("an object moves away or falls",))
        if not resting:
            continue
        engine.step(watch)
        spent_s += config.watch_s
        now = _poses(engine, free)
        if any(
            not _within(_level(last[name], now[name]), now[name], config.creep_m, config.creep_rad) for name in free
        ):
            last, failure = now, "an object creeps"
            continue
        sunk = max(deepest_contacts(engine, free).values(), default=0.0) > config.overlap_m
        return _end(engine, depth, start, now, ("overlap at rest",) if sunk else ())
    return _end(engine, depth, start, last, (failure,))


def at_rest(scene: Scene, poses: Mapping[str, Array]) -> Scene:
    """Return a scene with some objects at other poses."""
    return replace(scene, objects=tuple(_put(one, poses) for one in scene.objects))


def _put(placed: Placed, poses: Mapping[str, Array]) -> Placed:
    pose = poses.get(placed.asset.name)
    return placed if pose is None else replace(placed, world_from_asset=pose)


def _end(
    engine: Engine, depth_m: float, start: Mapping[str, Array], rest: Mapping[str, Array], failures: tuple[str, ...]
) -> Trial:
    ways = [moved(start[name], pose)[0] for name, pose in rest.items()]
    return Trial(
        engine=engine.name,
        depth_m=depth_m,
        settled_m=max(ways, default=0.0),
        failures=failures,
        rest=dict(rest),
    )


def _level(first: Array, second: Array) -> Array:
    """Return the first pose at the second's height: sinking into the ground ends by itself, going sideways may not."""
    level = first.copy()
    level[2, 3] = second[2, 3]
    return level


def _poses(engine: Engine, names: list[str]) -> dict[str, Array]:
    poses = engine.poses()
    return {name: poses[name] for name in names}


def _within(first: Array, second: Array, most_m: float, most_rad: float) -> bool:
    way, angle = moved(first, second)
    return way <= most_m and angle <= most_rad
