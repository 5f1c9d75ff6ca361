"""Repair a layout: put objects upright, apart and onto their supports, and never make anything worse.

An object that would not rest as it stands gets a flat foot where a few millimetres do, or is turned onto its nearest
rest; what carries another gets a flat top under it. Then two steps, repeated until nothing overlaps. Part: the pair
that overlaps most is parted by a short horizontal or upward push that lowers the total overlap. Drop: each object,
lowest first, sinks until it touches. Every push must lower the total; nothing is ever deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from cousins.geometry import Array, rigid, rotation_angle_rad
from cousins.scene.layout.collision_bodies import Body, bodies_of, body_of_structure, clearance_below, overlaps
from cousins.scene.layout.flat_tops import with_flat_top
from cousins.scene.layout.minkowski import Difference
from cousins.scene.layout.relations import is_inside
from cousins.scene.layout.upright import upright
from cousins.scene.scenes import Scene

CONTACT_GAP_M: Final = 1e-5
"""Gap left at a contact [m]: ten times the rounding of written lengths, so that rounding makes no overlap."""
TOUCH_M: Final = 1e-6
"""Overlap that counts as touching [m]: the rounding of written lengths."""
CARRY_M: Final = 0.01
"""An object whose free way down to another is at most this is carried along by it [m]."""
MAX_PUSH_M: Final = 0.1
"""Longest push [m]: what overlaps more was not misplaced by noise, and is left and told."""
MOST_DIRECTIONS: Final = 4
"""Horizontal directions that are tried for a pair, those of its deepest overlaps."""
MAX_PUSHES: Final = 200
"""Most pushes in one repair."""
MAX_ROUNDS: Final = 5
"""Most rounds of parting and dropping."""


@dataclass(frozen=True, kw_only=True)
class RepairReport:
    """What a repair did."""

    status: Literal["converged", "capped", "nothing movable"]
    """`converged`: nothing overlaps. `capped`: pushes ran out. `nothing movable`: no push lowers what is left."""
    pushes: int
    """Number of pushes."""
    violation_before_m: float
    """Sum over pairs of the deepest overlap before [m]."""
    violation_after_m: float
    """The same after [m]."""
    history_m: tuple[float, ...]
    """Total overlap after each push; it only falls within a round."""
    moved_m: Mapping[str, float]
    """How far each object's origin moved [m]."""
    turned_rad: Mapping[str, float]
    """How far each object turned [rad]."""


def repair(scene: Scene) -> tuple[Scene, RepairReport]:
    """Return the scene with objects upright, apart and in contact with what carries them, and what was done."""
    start = {placed.asset.name: placed.world_from_asset for placed in scene.objects}
    before = _State(bodies_of(scene)).total()
    ground = [body_of_structure(structure) for structure in scene.structures]
    scene = _with_flat_tops(replace(scene, objects=tuple(upright(placed, ground) for placed in scene.objects)))
    state = _State(bodies_of(scene))
    status: Literal["converged", "capped", "nothing movable"] = "capped"
    for _ in range(MAX_ROUNDS):
        status = _part(state)
        state.drop_all()
        if status != "converged" or state.total() == 0.0:
            break
    if status == "converged" and state.total() > 0.0:
        status = "capped"
    objects = tuple(
        replace(placed, world_from_asset=state.motion[placed.asset.name] @ placed.world_from_asset)
        for placed in scene.objects
    )
    ends = {placed.asset.name: placed.world_from_asset for placed in objects}
    report = RepairReport(
        status=status,
        pushes=len(state.history),
        violation_before_m=before,
        violation_after_m=state.total(),
        history_m=tuple(state.history),
        moved_m={name: float(np.linalg.norm((pose - start[name])[:3, 3])) for name, pose in ends.items()},
        turned_rad={name: rotation_angle_rad(pose[:3, :3] @ start[name][:3, :3].T) for name, pose in ends.items()},
    )
    return replace(scene, objects=objects), report


def _with_flat_tops(scene: Scene) -> Scene:
    """Return the scene with flat tops of objects where others stand on them."""
    objects = list(scene.objects)
    bodies = {placed.asset.name: body for placed, body in zip(objects, _movable(scene), strict=True)}
    for upper in bodies.values():
        for index, placed in enumerate(objects):
            carrier = bodies[placed.asset.name]
            if carrier is upper or is_inside(upper, carrier):
                continue
            if clearance_below(upper, carrier, reach_m=CARRY_M) <= CARRY_M:
                objects[index] = with_flat_top(placed, upper) or placed
    return replace(scene, objects=tuple(objects))


def _movable(scene: Scene) -> list[Body]:
    return [body for body in bodies_of(scene).values() if body.movable]


class _State:
    """Bodies on their way, with the overlap of each pair kept."""

    def __init__(self, bodies: dict[str, Body]) -> None:
        self.bodies = bodies
        self.motion: dict[str, Array] = {name: np.eye(4) for name, body in bodies.items() if body.movable}
        self.pairs: dict[tuple[str, str], list[Difference]] = {}
        self.history: list[float] = []
        self.clearances: dict[tuple[str, str], float] = {}
        for name in self.motion:
            self.pairs |= self.pairs_of({name}, bodies)

    def pairs_of(self, names: set[str], bodies: Mapping[str, Body]) -> dict[tuple[str, str], list[Difference]]:
        """Return the overlaps of some bodies with all others, by pair in the order of names."""
        found = {}
        order = list(bodies)
        for i, first in enumerate(order):
            for second in order[i + 1 :]:
                if (first in names) != (second in names) and (first in self.motion or second in self.motion):
                    found[first, second] = overlaps(bodies[first], bodies[second], tolerance_m=TOUCH_M)
        return found

    def total(self) -> float:
        """Return the sum over pairs of the deepest overlap [m]."""
        return sum(depth(pairs) for pairs in self.pairs.values())

    def after(self, names: set[str], move: Array) -> tuple[dict[str, Body], dict[tuple[str, str], list[Difference]]]:
        """Return bodies and changed pairs if some bodies were moved."""
        bodies = {name: body.moved(move) if name in names else body for name, body in self.bodies.items()}
        return bodies, self.pairs_of(names, bodies)

    def accept(self, names: set[str], move: Array) -> None:
        """Move some bodies."""
        self.bodies, changed = self.after(names, move)
        self.pairs |= changed
        self.clearances = {key: way for key, way in self.clearances.items() if not names & set(key)}
        for name in names:
            self.motion[name] = move @ self.motion[name]

    def carried_by(self, name: str) -> set[str]:
        """Return a body and all that stands on it, directly or not."""
        found = {name}
        growing = True
        while growing:
            more = {
                other
                for other in self.motion
                if other not in found and any(self.clearance(other, carrier) <= CARRY_M for carrier in sorted(found))
            }
            growing = bool(more)
            found |= more
        return found

    def clearance(self, upper: str, lower: str) -> float:
        """Return the free way of one body down to another [m]; kept until one of them moves."""
        if (upper, lower) not in self.clearances:
            way = clearance_below(self.bodies[upper], self.bodies[lower], reach_m=CARRY_M)
            self.clearances[upper, lower] = way
        return self.clearances[upper, lower]

    def drop_all(self) -> None:
        """Let each object sink, lowest first, until it touches what is below; no sinking may add overlap."""
        for name in sorted(self.motion, key=lambda key: (float(self.bodies[key].box.low[2]), key)):
            others = [body for key, body in self.bodies.items() if key != name]
            ways = [clearance_below(self.bodies[name], body, reach_m=2.0 * CONTACT_GAP_M) for body in others]
            way = min(ways, default=np.inf)
            move = rigid(translation=np.array([0.0, 0.0, CONTACT_GAP_M - way]))
            if np.isfinite(way) and abs(way - CONTACT_GAP_M) > TOUCH_M and self.gain({name}, move) >= 0.0:
                self.accept({name}, move)

    def gain(self, names: set[str], move: Array) -> float:
        """Return by how much a move of some bodies would lower the total overlap [m]."""
        _, changed = self.after(names, move)
        return sum(depth(self.pairs[key]) - depth(pairs) for key, pairs in changed.items())


def depth(pairs: list[Difference]) -> float:
    """Return the deepest overlap of a pair of bodies [m]."""
    return max((pair.depth_m for pair in pairs), default=0.0)


def _part(state: _State) -> Literal["converged", "capped", "nothing movable"]:
    while len(state.history) < MAX_PUSHES:
        deepest = sorted(state.pairs, key=lambda pair: (-depth(state.pairs[pair]), pair))
        deepest = [pair for pair in deepest if depth(state.pairs[pair]) > 0.0]
        if not deepest:
            return "converged"
        for pair in deepest:
            push = _best_push(state, pair)
            if push is not None:
                state.accept(*push)
                state.history.append(state.total())
                break
        else:
            return "nothing movable"
    return "capped"


def _best_push(state: _State, pair: tuple[str, str]) -> tuple[set[str], Array] | None:
    """Return the push that lowers the total most for the square of its way, None where none lowers it.

    The square makes many short moves cheaper than a long one: a scan misplaces things by millimetres.
    """
    best: tuple[float, set[str], Array] | None = None
    for names, step in _pushes(state, pair):
        move = rigid(translation=step)
        gain = state.gain(names, move)
        if gain <= TOUCH_M:
            continue
        cost = float(step @ step) * len(names) / gain
        if best is None or cost < best[0] * (1.0 - 1e-9):
            best = cost, names, move
    return None if best is None else (best[1], best[2])


def _pushes(state: _State, pair: tuple[str, str]) -> list[tuple[set[str], Array]]:
    first, second = pair
    found: list[tuple[set[str], Array]] = []
    up = np.array([0.0, 0.0, 1.0])
    deepest = sorted(state.pairs[pair], key=lambda overlap: -overlap.depth_m)[:MOST_DIRECTIONS]
    directions = [up, -up, *(overlap.horizontal_direction() for overlap in deepest)]
    for direction in directions:
        way = max(overlap.push(direction) for overlap in state.pairs[pair]) + CONTACT_GAP_M
        shares = {first: direction * way, second: -direction * way}
        for name, step in shares.items():
            if name not in state.motion or step[2] < 0.0 or way > MAX_PUSH_M:
                continue
            found += [(names, step) for names in _with_and_without_load(state, name)]
    return found


def _with_and_without_load(state: _State, name: str) -> list[set[str]]:
    carried = state.carried_by(name)
    return [{name}] if carried == {name} else [{name}, carried]
