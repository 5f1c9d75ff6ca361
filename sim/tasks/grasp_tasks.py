"""What lifting, placing and stacking share: an object that a hand takes from above."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from cousins.affordances import Grasp
from cousins.geometry import Array, transform
from cousins.scene.scenes import Placed
from cousins.vary.placement.goals import grasp_is_free
from sim.tasks.affordance_queries import grasps_from_above, in_reach, outlines
from sim.tasks.batch_rotations import length, nearness, six
from sim.tasks.episode_batch import Rows
from sim.tasks.task import Known, Refused
from sim.tasks.task_view import View

KEPT: Final = 4
"""Cousins of which it is kept what a hand takes: several tasks ask about the same one."""
GRIP_N: Final = 20.0
"""Force with which a finger closes [N]: that of the free gripper; the Panda's is larger."""
SPARE: Final = 1.5
"""Friction must hold so many times the weight."""
NEAR_M: Final = 0.03
"""A tip that is nearer to the grasp has the object between its fingers [m]."""
ROOM_M: Final = 0.01
"""By so much wider than the object fingers come to it [m]."""
DEEP_M: Final = 0.015
"""A tip that is higher over the grasp stands on the object rather than around it [m]."""
FINE_M: Final = 0.03
"""The last of the way to a grasp is seen magnified so many metres to 1 [m]."""
FUNNEL: Final = (5.0, 0.12)
"""A hand that is off is well placed at so many times as much over the grasp, or at this height [m]: lower down its
fingers would stand on the object."""
BESIDE_M: Final = 0.008
"""So far beside a grasp a hand is not off [m]."""
ASKEW_M: Final = 0.03
"""By so much a hand is off that is turned the wrong way, and one that is shut [m]."""
CLOSING_M: Final = 0.03
"""How far fingers around the object have closed counts over their whole way, or over the last of it so long [m]."""
SNUG_M: Final = 0.006
"""By so much the opening of fingers that hold an object may differ from its width [m]."""
RELEASED_M: Final = 0.10
"""A tip that is farther has left the object [m]."""
OFF_M: Final = 0.02
"""At this height what is lifted has left the ground [m]."""
STILL_M_S: Final = 0.02
"""Slower than this an object is at rest [m/s]."""
FALLEN_M: Final = 0.05
"""What sank by more than this has left its ground [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Held:
    """An object with the grasp by which it is taken."""

    placed: Placed
    """The object."""
    grasp: Grasp
    """From above, free."""

    @property
    def at_m(self) -> Array:
        """Where the hand takes it, world [3] [m]."""
        return transform(self.placed.world_from_asset, np.array(self.grasp.center_m))

    @property
    def across(self) -> Array:
        """From finger to finger, unit, world [3]."""
        return np.asarray(self.placed.world_from_asset[:3, :3] @ np.array(self.grasp.axis))


@lru_cache(maxsize=KEPT)
def _held_of(known: Known) -> tuple[Held, ...]:
    """Return the objects that a hand takes from above and carries, the cousin's own target first."""
    carriers = {relation.object for relation in known.cousin.relations if relation.kind in ("on", "inside")}
    found = []
    for placed in known.scene.objects:
        name = placed.asset.name
        if placed.fixed or name in carriers or placed.asset.joints:
            continue
        if not in_reach(known, placed.world_from_asset[:3, 3]) or not _carried(placed):
            continue
        others = outlines(known, but=[name])
        for grasp in grasps_from_above(known, placed):
            if grasp_is_free(grasp, placed.world_from_asset, others):
                found.append(Held(placed=placed, grasp=grasp))
                break
    target = known.cousin.task.target
    return tuple(sorted(found, key=lambda one: one.placed.asset.name != target))


def takeable(known: Known) -> tuple[Held, ...] | Refused:
    """Return the objects that a hand takes from above, the cousin's own target first, or why there are none."""
    if not known.cousin.task.target:
        return Refused(reason="no place for a robot: the cousin itself has no task")
    found = _held_of(known)
    if not found:
        return Refused(reason="no object in reach that a hand takes from above and that friction holds")
    return found


def _carried(placed: Placed) -> bool:
    """Tell whether the friction of two fingers holds an object."""
    mass_kg = sum(link.mass_kg.value for link in placed.asset.links)
    return bool(2.0 * placed.asset.friction.value * GRIP_N >= SPARE * 9.81 * mass_kg)


def grasp_features(rows: Rows, view: View) -> Array:
    """Return what a policy sees of an object that it takes: the way to the grasp, its turn, size and motion [n, 30].

    The way and the opening are there twice: whole, and the last of them magnified, where millimetres decide.
    """
    way, gap = view.hold_m - view.tip_m, _gap_m(rows, view)
    return np.concatenate(
        [
            way,
            np.clip(way / FINE_M, -1.0, 1.0),
            np.clip(gap / FINE_M, -1.0, 1.0)[:, None],
            rows.width_m[rows.index, view.current][:, None],
            view.hold_axis,
            view.finger_axis,
            view.size_m,
            six(view.target_rotation),
            view.velocity_m_s,
            view.spin_rad_s,
            (view.target_m[:, 2] - view.start_m[:, 2])[:, None],
        ],
        axis=1,
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Grip:
    """How far a hand has got."""

    away_m: Array
    """From the tip to the grasp [n]."""
    ready: Array
    """How near and well turned the hand is, how wide open, then how far closed around the object, 0 to 1, [n]."""
    gripped: Array
    """Whether the fingers have closed on the object, bool [n]."""
    released: Array
    """Whether the hand has left it, bool [n]."""


def grip_of(rows: Rows, view: View) -> Grip:
    """Return how far the hand has got; that fingers closed on the object is seen by their opening where they slide."""
    way = view.hold_m - view.tip_m
    away, (steep, high) = length(way), FUNNEL
    aligned = np.abs((view.hold_axis * view.finger_axis).sum(axis=1))
    width, gap = rows.width_m[rows.index, view.current], _gap_m(rows, view)
    around = (away < NEAR_M) & (way[:, 2] > -DEEP_M)
    wide = np.where(around, 1.0, np.clip((width + gap) / (width + ROOM_M), 0.0, 1.0))
    off = np.maximum(length(way[:, :2]) - BESIDE_M, 0.0) + ASKEW_M * (2.0 - aligned - wide)
    low = np.maximum(np.minimum(steep * off, high) + way[:, 2], 0.0)
    near = 0.6 * nearness(away + low) + 0.4 * (1.0 - np.tanh(40.0 * (away + low)))
    closing = np.maximum(rows.home[rows.fingers].sum() - width, CLOSING_M)
    snug = 1.0 - np.clip(np.abs(gap) / closing, 0.0, 1.0)
    return Grip(
        away_m=away,
        ready=0.7 * near * (0.4 + 0.3 * aligned**2 + 0.3 * wide) + 0.3 * around * snug,
        gripped=view.touched & around & (np.abs(gap) < SNUG_M),
        released=~view.touched & (away > RELEASED_M),
    )


def opening_m(rows: Rows, view: View) -> Array:
    """Return how wide fingers that slide are open [n] [m]."""
    return np.asarray(view.state.drive_position[:, rows.fingers].sum(axis=1))


def _gap_m(rows: Rows, view: View) -> Array:
    """Return by how much fingers that slide are wider open than the object [n] [m]; 0 for others."""
    if not rows.slides:
        return np.zeros(len(rows.index))
    return np.asarray(opening_m(rows, view) - rows.width_m[rows.index, view.current])


def sunk_m(view: View) -> Array:
    """Return how far the target is below its start [n] [m]."""
    return np.asarray(view.start_m[:, 2] - view.target_m[:, 2])


def off_ground(view: View) -> Array:
    """Return how far the target has left the ground that it started on, 0 to 1 [n]."""
    return np.clip(-sunk_m(view) / OFF_M, 0.0, 1.0)


def drives_rest(rows: Rows, view: View, *, most: float) -> Array:
    """Tell whether all drives but those of the fingers are slower than this [m/s or rad/s], bool [n]."""
    arm = np.delete(view.state.drive_velocity, rows.fingers, axis=1)
    return np.asarray((np.abs(arm) < most).all(axis=1))


def half_height(rotation: Array, size_m: Array) -> Array:
    """Return half the height [n] [m] of boxes of extents [n, 3] as they are turned [n, 3, 3]."""
    return np.asarray(0.5 * (np.abs(rotation[:, 2]) * size_m).sum(axis=1))
