"""Grasps from above, shared by lift, place, stack and clear_table: targets, observations and progress."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from cousins.affordances import Grasp
from cousins.geometry import Array, transform
from cousins.scene.scenes import PlacedAsset
from cousins.vary.placement.goals import grasp_is_free
from sim.bodies.capabilities import BodyNeeds
from sim.bodies.columns import rotation, scalar, vector
from sim.tasks.affordance_queries import grasps_from_above, in_reach, outlines
from sim.tasks.batch_rotations import first_two_columns, nearness, norms
from sim.tasks.episode_batch import EpisodeBatch
from sim.tasks.task import Refused, TaskContext
from sim.tasks.task_view import TaskView

HAND_FROM_ABOVE: Final = BodyNeeds(moves=("x", "y", "z"), can_turn=True, has_fingers=True, min_opening_m=0.04)
"""A hand that comes from above, turns about the vertical and closes on objects and handles."""
MAX_CACHED_CONTEXTS: Final = 4
"""Cousins of which it is kept what a hand takes: several tasks ask about the same one."""
FINGER_FORCE_N: Final = 20.0
"""Force with which a finger closes [N]: that of the free gripper; the Panda's is larger."""
FRICTION_MARGIN: Final = 1.5
"""Friction must hold so many times the weight."""
GRASP_RADIUS_M: Final = 0.03
"""A tip that is nearer to the grasp has the object between its fingers [m]."""
FINGER_CLEARANCE_M: Final = 0.01
"""By so much wider than the object fingers come to it [m]."""
MAX_TIP_ABOVE_GRASP_M: Final = 0.015
"""A tip that is higher over the grasp stands on the object rather than around it [m]."""
FINE_RANGE_M: Final = 0.03
"""The last of the way to a grasp is seen magnified so many metres to 1 [m]."""
APPROACH_FUNNEL: Final = (5.0, 0.12)
"""A hand that is off is well placed at so many times as much over the grasp, or at this height [m]: lower down its
fingers would stand on the object."""
LATERAL_TOLERANCE_M: Final = 0.008
"""So far beside a grasp a hand is not off [m]."""
MISALIGNMENT_PENALTY_M: Final = 0.03
"""By so much a hand is off that is turned the wrong way, and one that is shut [m]."""
MIN_CLOSING_RANGE_M: Final = 0.03
"""How far fingers around the object have closed counts over their whole way, or over the last of it so long [m]."""
OPENING_TOLERANCE_M: Final = 0.006
"""By so much the opening of fingers that hold an object may differ from its width [m]."""
RELEASE_DISTANCE_M: Final = 0.10
"""A tip that is farther has left the object [m]."""
LIFT_OFF_HEIGHT_M: Final = 0.02
"""At this height what is lifted has left the ground [m]."""
MAX_REST_SPEED_M_S: Final = 0.02
"""Slower than this an object is at rest [m/s]."""
MAX_SINK_M: Final = 0.05
"""What sank by more than this has left its ground [m]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GraspTarget:
    """An object with the grasp by which it is taken."""

    placed: PlacedAsset
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


@lru_cache(maxsize=MAX_CACHED_CONTEXTS)
def _grasp_targets(context: TaskContext, opening_m: float) -> tuple[GraspTarget, ...]:
    """Return the objects that a hand takes from above and carries, the cousin's own target first."""
    carriers = {relation.object for relation in context.cousin.relations if relation.kind in ("on", "inside")}
    targets = []
    for placed in context.scene.objects:
        name = placed.asset.name
        if placed.fixed or name in carriers or placed.asset.joints:
            continue
        if not in_reach(context, placed.world_from_asset[:3, 3]) or not _holds_by_friction(placed):
            continue
        obstacles = outlines(context, but=[name])
        for grasp in grasps_from_above(context, placed):
            if grasp.width_m <= opening_m and grasp_is_free(grasp, placed.world_from_asset, obstacles):
                targets.append(GraspTarget(placed=placed, grasp=grasp))
                break
    target = context.cousin.task.target
    return tuple(sorted(targets, key=lambda candidate: candidate.placed.asset.name != target))


def graspable_objects(context: TaskContext, *, opening_m: float) -> tuple[GraspTarget, ...] | Refused:
    """Return the objects that a hand of an opening [m] takes from above, or why there are none.

    The cousin's own target comes first.
    """
    if not context.cousin.task.target:
        return Refused(reason="no place for a robot: the cousin itself has no task")
    targets = _grasp_targets(context, opening_m)
    if not targets:
        return Refused(reason="no object in reach that a hand takes from above and that friction holds")
    return targets


def _holds_by_friction(placed: PlacedAsset) -> bool:
    """Return whether the friction of two fingers holds the weight of an object."""
    mass_kg = sum(link.mass_kg.value for link in placed.asset.links)
    return bool(2.0 * placed.asset.friction.value * FINGER_FORCE_N >= FRICTION_MARGIN * 9.81 * mass_kg)


GRASP_COLUMNS: Final = (
    *vector("grasp_from_tip", "m", "object_pose", "proprio"),
    *vector("grasp_from_tip_fine", "1", "object_pose", "proprio"),
    *scalar("finger_gap_fine", "1", "object_size", "proprio"),
    *scalar("grasp_width", "m", "object_size"),
    *vector("grasp_axis", "1", "object_pose", "proprio"),
    *vector("finger_axis", "1", "proprio"),
    *vector("target_size", "m", "object_size", frame="target"),
    *rotation("target_rotation", "object_pose"),
    *vector("target_velocity", "m/s", "object_pose"),
    *vector("target_spin", "rad/s", "object_pose"),
    *scalar("target_height_over_start", "m", "object_pose"),
)
"""What `grasp_features` returns, in order; the way round of the grasp's axis is the one that the hand is nearer to."""


def grasp_features(batch: EpisodeBatch, view: TaskView) -> Array:
    """Return what a policy sees of an object that it takes: the way to the grasp, its turn, size and motion [n, 30].

    The way and the opening are there twice: whole, and the last of them magnified, where millimetres decide.
    """
    tip_to_grasp, gap = view.hold_m - view.tip_m, _finger_gap(batch, view)
    return np.concatenate(
        [
            tip_to_grasp,
            np.clip(tip_to_grasp / FINE_RANGE_M, -1.0, 1.0),
            np.clip(gap / FINE_RANGE_M, -1.0, 1.0)[:, None],
            batch.width_m[batch.index, view.current][:, None],
            view.hold_axis,
            view.finger_axis,
            view.size_m,
            first_two_columns(view.target_rotation),
            view.velocity_m_s,
            view.spin_rad_s,
            (view.target_m[:, 2] - view.start_m[:, 2])[:, None],
        ],
        axis=1,
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GraspState:
    """Progress of a grasp by row."""

    away_m: Array
    """From the tip to the grasp [n]."""
    ready: Array
    """How near and well turned the hand is, how wide open, then how far closed around the object, 0 to 1, [n]."""
    gripped: Array
    """Whether the fingers have closed on the object, bool [n]."""
    released: Array
    """Whether the hand has left it, bool [n]."""


def grasp_state(batch: EpisodeBatch, view: TaskView) -> GraspState:
    """Return the progress of a grasp by row; sliding fingers hold an object if they are as open as it is wide."""
    tip_to_grasp = view.hold_m - view.tip_m
    away, (steep, high) = norms(tip_to_grasp), APPROACH_FUNNEL
    aligned = np.abs((view.hold_axis * view.finger_axis).sum(axis=1))
    width, gap = batch.width_m[batch.index, view.current], _finger_gap(batch, view)
    around = (away < GRASP_RADIUS_M) & (tip_to_grasp[:, 2] > -MAX_TIP_ABOVE_GRASP_M)
    wide = np.where(around, 1.0, np.clip((width + gap) / (width + FINGER_CLEARANCE_M), 0.0, 1.0))
    off = np.maximum(norms(tip_to_grasp[:, :2]) - LATERAL_TOLERANCE_M, 0.0) + MISALIGNMENT_PENALTY_M * (
        2.0 - aligned - wide
    )
    low = np.maximum(np.minimum(steep * off, high) + tip_to_grasp[:, 2], 0.0)
    near = 0.6 * nearness(away + low) + 0.4 * (1.0 - np.tanh(40.0 * (away + low)))
    closing = np.maximum(batch.home[batch.fingers].sum() - width, MIN_CLOSING_RANGE_M)
    snug = 1.0 - np.clip(np.abs(gap) / closing, 0.0, 1.0)
    return GraspState(
        away_m=away,
        ready=0.7 * near * (0.4 + 0.3 * aligned**2 + 0.3 * wide) + 0.3 * around * snug,
        gripped=view.touched & around & (np.abs(gap) < OPENING_TOLERANCE_M),
        released=~view.touched & (away > RELEASE_DISTANCE_M),
    )


def finger_opening(batch: EpisodeBatch, view: TaskView) -> Array:
    """Return how wide fingers that slide are open [n] [m]."""
    return np.asarray(view.state.drive_position[:, batch.fingers].sum(axis=1))


def _finger_gap(batch: EpisodeBatch, view: TaskView) -> Array:
    """Return by how much fingers that slide are wider open than the object [n] [m]; 0 for others."""
    if not batch.slides:
        return np.zeros(len(batch.index))
    return np.asarray(finger_opening(batch, view) - batch.width_m[batch.index, view.current])


def sink_depth(view: TaskView) -> Array:
    """Return how far the target is below its start [n] [m]."""
    return np.asarray(view.start_m[:, 2] - view.target_m[:, 2])


def lift_off_fraction(view: TaskView) -> Array:
    """Return how far the target has left the ground that it started on, 0 to 1 [n]."""
    return np.clip(-sink_depth(view) / LIFT_OFF_HEIGHT_M, 0.0, 1.0)


def arm_at_rest(batch: EpisodeBatch, view: TaskView, *, max_speed: float) -> Array:
    """Return whether all drives but those of the fingers are slower than `max_speed` [m/s or rad/s], bool [n]."""
    arm = np.delete(view.state.drive_velocity, batch.fingers, axis=1)
    return np.asarray((np.abs(arm) < max_speed).all(axis=1))


def half_height(rotation: Array, size_m: Array) -> Array:
    """Return half the height [n] [m] of boxes of extents [n, 3] as they are turned [n, 3, 3]."""
    return np.asarray(0.5 * (np.abs(rotation[:, 2]) * size_m).sum(axis=1))
