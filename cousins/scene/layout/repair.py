"""Repair a layout: set objects upright, separate them and lower them onto their supports.

An unstable object gets a flat foot where a few millimetres suffice, or is rotated onto its nearest rest pose; a
supporting object gets a flat top under what stands on it. Then two steps repeat until nothing overlaps. Separate: the
pair that overlaps most is separated by a short horizontal or upward push that lowers the total overlap. Drop: each
object, lowest first, is lowered into contact. Every push must lower the total overlap; no object is deleted. What is
fixed, such as what hangs on a wall, stays where it is; the others make way for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from cousins.geometry import Array, rigid, rotation_angle_rad
from cousins.scene.layout.collision_bodies import (
    CollisionBody,
    clearance_below,
    find_overlaps,
    scene_bodies,
    structure_body,
)
from cousins.scene.layout.flat_tops import with_flat_top
from cousins.scene.layout.minkowski import MinkowskiDifference
from cousins.scene.layout.relations import is_inside
from cousins.scene.layout.upright import set_upright
from cousins.scene.scenes import Scene

CONTACT_GAP_M: Final = 1e-5
"""Gap left at a contact [m]: ten times the rounding of written lengths, so that rounding makes no overlap."""
CONTACT_TOLERANCE_M: Final = 1e-6
"""Overlap that counts as touching [m]: the rounding of written lengths."""
SUPPORT_CLEARANCE_M: Final = 0.01
"""An object whose free way down to another is at most this is carried along by it [m]."""
MAX_PUSH_M: Final = 0.1
"""Longest push [m]: what overlaps more was not misplaced by noise, and is left and reported."""
MAX_PUSH_DIRECTIONS: Final = 4
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
    """Return the scene with objects upright, separated and in contact with their supports, and a report."""
    start = {placed.asset.name: placed.world_from_asset for placed in scene.objects}
    fixed = frozenset(placed.asset.name for placed in scene.objects if placed.fixed)
    before = _State(scene_bodies(scene), fixed).total()
    ground = [structure_body(structure) for structure in scene.structures]
    upright = tuple(placed if placed.fixed else set_upright(placed, ground) for placed in scene.objects)
    scene = _with_flat_tops(replace(scene, objects=upright))
    state = _State(scene_bodies(scene), fixed)
    status: Literal["converged", "capped", "nothing movable"] = "capped"
    for _ in range(MAX_ROUNDS):
        status = _separate(state)
        state.drop_all()
        if status != "converged" or state.total() == 0.0:
            break
    if status == "converged" and state.total() > 0.0:
        status = "capped"
    objects = tuple(
        placed
        if placed.fixed
        else replace(placed, world_from_asset=state.motion[placed.asset.name] @ placed.world_from_asset)
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


def overlap_warnings(report: RepairReport) -> list[str]:
    """Return a warning where a repair left overlaps, else none."""
    if report.status == "converged":
        return []
    left = 1000.0 * report.violation_after_m
    return [f"layout repair ended with status '{report.status}' and {left:.2f} mm of overlap left"]


def _with_flat_tops(scene: Scene) -> Scene:
    """Return the scene with flat tops of objects where others stand on them."""
    objects = list(scene.objects)
    bodies = {placed.asset.name: body for placed, body in zip(objects, _movable(scene), strict=True)}
    standing = [bodies[placed.asset.name] for placed in objects if not placed.fixed]
    for upper in standing:
        for index, placed in enumerate(objects):
            carrier = bodies[placed.asset.name]
            if carrier is upper or is_inside(upper, carrier):
                continue
            if clearance_below(upper, carrier, reach_m=SUPPORT_CLEARANCE_M) <= SUPPORT_CLEARANCE_M:
                objects[index] = with_flat_top(placed, upper) or placed
    return replace(scene, objects=tuple(objects))


def _movable(scene: Scene) -> list[CollisionBody]:
    return [body for body in scene_bodies(scene).values() if body.movable]


class _State:
    """Bodies during the repair, with the cached overlaps of each pair."""

    def __init__(self, bodies: dict[str, CollisionBody], fixed: frozenset[str]) -> None:
        """Start with bodies by name, of which structure and the objects in `fixed` never move."""
        self.bodies = bodies
        self.motion: dict[str, Array] = {
            name: np.eye(4) for name, body in bodies.items() if body.movable and name not in fixed
        }
        self.pairs: dict[tuple[str, str], list[MinkowskiDifference]] = {}
        self.history: list[float] = []
        self.clearances: dict[tuple[str, str], float] = {}
        for name in self.motion:
            self.pairs |= self.overlaps_of({name}, bodies)

    def overlaps_of(
        self, names: set[str], bodies: Mapping[str, CollisionBody]
    ) -> dict[tuple[str, str], list[MinkowskiDifference]]:
        """Return the overlaps of the named bodies with all others, by pair."""
        overlaps = {}
        order = list(bodies)
        for i, first in enumerate(order):
            for second in order[i + 1 :]:
                if (first in names) != (second in names) and (first in self.motion or second in self.motion):
                    overlaps[first, second] = find_overlaps(
                        bodies[first], bodies[second], tolerance_m=CONTACT_TOLERANCE_M
                    )
        return overlaps

    def total(self) -> float:
        """Return the sum over pairs of the deepest overlap [m]."""
        return sum(deepest_overlap_m(pairs) for pairs in self.pairs.values())

    def simulate_move(
        self, names: set[str], move: Array
    ) -> tuple[dict[str, CollisionBody], dict[tuple[str, str], list[MinkowskiDifference]]]:
        """Return the bodies and the changed pairs after a rigid motion [4, 4] of the named bodies."""
        bodies = {name: body.transformed(move) if name in names else body for name, body in self.bodies.items()}
        return bodies, self.overlaps_of(names, bodies)

    def apply_move(self, names: set[str], move: Array) -> None:
        """Apply a rigid motion [4, 4] to the named bodies."""
        self.bodies, changed = self.simulate_move(names, move)
        self.pairs |= changed
        self.clearances = {key: clearance for key, clearance in self.clearances.items() if not names & set(key)}
        for name in names:
            self.motion[name] = move @ self.motion[name]

    def supported_objects(self, name: str) -> set[str]:
        """Return a body and all objects that it supports, directly or not."""
        names = {name}
        growing = True
        while growing:
            newly_supported = {
                other
                for other in self.motion
                if other not in names
                and any(self.clearance(other, carrier) <= SUPPORT_CLEARANCE_M for carrier in sorted(names))
            }
            growing = bool(newly_supported)
            names |= newly_supported
        return names

    def clearance(self, upper: str, lower: str) -> float:
        """Return the vertical clearance between two bodies [m]; cached until one of them moves."""
        if (upper, lower) not in self.clearances:
            clearance_m = clearance_below(self.bodies[upper], self.bodies[lower], reach_m=SUPPORT_CLEARANCE_M)
            self.clearances[upper, lower] = clearance_m
        return self.clearances[upper, lower]

    def drop_all(self) -> None:
        """Let each object sink, lowest first, until it touches what is below; no sinking may add overlap."""
        for name in sorted(self.motion, key=lambda key: (float(self.bodies[key].box.low[2]), key)):
            other_bodies = [body for key, body in self.bodies.items() if key != name]
            clearances = [
                clearance_below(self.bodies[name], body, reach_m=2.0 * CONTACT_GAP_M) for body in other_bodies
            ]
            clearance_m = min(clearances, default=np.inf)
            move = rigid(translation=np.array([0.0, 0.0, CONTACT_GAP_M - clearance_m]))
            if (
                np.isfinite(clearance_m)
                and abs(clearance_m - CONTACT_GAP_M) > CONTACT_TOLERANCE_M
                and self.overlap_reduction({name}, move) >= 0.0
            ):
                self.apply_move({name}, move)

    def overlap_reduction(self, names: set[str], move: Array) -> float:
        """Return by how much a rigid motion [4, 4] of the named bodies lowers the total overlap [m]."""
        _, changed = self.simulate_move(names, move)
        return sum(deepest_overlap_m(self.pairs[key]) - deepest_overlap_m(pairs) for key, pairs in changed.items())


def deepest_overlap_m(pairs: list[MinkowskiDifference]) -> float:
    """Return the deepest overlap of a pair of bodies [m]."""
    return max((pair.depth_m for pair in pairs), default=0.0)


def _separate(state: _State) -> Literal["converged", "capped", "nothing movable"]:
    while len(state.history) < MAX_PUSHES:
        deepest = sorted(state.pairs, key=lambda pair: (-deepest_overlap_m(state.pairs[pair]), pair))
        deepest = [pair for pair in deepest if deepest_overlap_m(state.pairs[pair]) > 0.0]
        if not deepest:
            return "converged"
        for pair in deepest:
            push = _best_push(state, pair)
            if push is not None:
                state.apply_move(*push)
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
        gain = state.overlap_reduction(names, move)
        if gain <= CONTACT_TOLERANCE_M:
            continue
        cost = float(step @ step) * len(names) / gain
        if best is None or cost < best[0] * (1.0 - 1e-9):
            best = cost, names, move
    return None if best is None else (best[1], best[2])


def _pushes(state: _State, pair: tuple[str, str]) -> list[tuple[set[str], Array]]:
    first, second = pair
    pushes: list[tuple[set[str], Array]] = []
    up = np.array([0.0, 0.0, 1.0])
    deepest = sorted(state.pairs[pair], key=lambda overlap: -overlap.depth_m)[:MAX_PUSH_DIRECTIONS]
    directions = [up, -up, *(overlap.horizontal_direction() for overlap in deepest)]
    for direction in directions:
        distance_m = max(overlap.push_distance(direction) for overlap in state.pairs[pair]) + CONTACT_GAP_M
        steps = {first: direction * distance_m, second: -direction * distance_m}
        for name, step in steps.items():
            if name not in state.motion or step[2] < 0.0 or distance_m > MAX_PUSH_M:
                continue
            pushes += [(names, step) for names in _with_and_without_load(state, name)]
    return pushes


def _with_and_without_load(state: _State, name: str) -> list[set[str]]:
    supported = state.supported_objects(name)
    return [{name}] if supported == {name} else [{name}, supported]
