"""State of the target, the tip and the goal in one step, in the frame of the base."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.geometry import Array
from sim.tasks.batch_rotations import rotations
from sim.tasks.episode_batch import EpisodeBatch
from sim.tasks.kernels import (
    FINGERS,
    GOAL,
    HOLD,
    HOLD_AXIS,
    OPENING_DIRECTION,
    PLACE_TURN,
    SPIN,
    START,
    TARGET,
    TARGET_TURN,
    TIP,
    TIP_TURN,
    VELOCITY,
    is_tilted,
    observe_targets,
)
from sim.worlds.worlds import State

UPRIGHT_COSINE: float = float(np.cos(np.deg2rad(30.0)))
"""What tilts by more than 30° from how it stood was knocked over."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TaskView:
    """A step in the frame of the base."""

    state: State
    """As it was read."""
    current: Array
    """Number of the part that is the target now [n]."""
    tip_m: Array
    """[n, 3]."""
    tip_rotation: Array
    """[n, 3, 3]."""
    target_m: Array
    """Origin of the target's root link [n, 3]."""
    target_rotation: Array
    """[n, 3, 3]."""
    velocity_m_s: Array
    """Velocity of the target's centre of mass [n, 3]."""
    spin_rad_s: Array
    """[n, 3]."""
    start_m: Array
    """Where the target started [n, 3]."""
    size_m: Array
    """Its extents [n, 3]."""
    hold_m: Array
    """Where a hand takes hold of it now: a grasp, or the handle where its joint is now [n, 3]."""
    hold_axis: Array
    """From finger to finger there, the way round that the hand is nearer to [n, 3]."""
    finger_axis: Array
    """From finger to finger of the hand [n, 3]; zero without one."""
    goal_m: Array
    """[n, 3]."""
    place_rotation: Array
    """Orientation of the place in the world [n, 3, 3]; identity without one."""
    touched: Array
    """Whether the body touches the target, bool [n]."""
    joint: Array
    """Position of the joint [n]; 0 without one."""
    joint_speed: Array
    """[n]."""
    opening_direction: Array
    """Unit direction in which the handle moves as the joint opens [n, 3]; zero without one."""


def task_view(batch: EpisodeBatch, state: State, *, current: Array | None = None) -> TaskView:
    """Return the view of all rows; the target is the first part, or that numbered in `current` [n]."""
    part = np.zeros_like(batch.index) if current is None else current
    vectors, turns, moves = observe_targets(
        part,
        (batch.base_m, batch.world_from_base),
        (batch.part, batch.hold_m, batch.hold_axis, batch.start_m),
        (batch.goal_m, batch.place),
        (batch.joint, batch.revolute, batch.axis, batch.pivot_m, batch.closed, batch.opened),
        batch.finger_axis,
        (state.position_m, state.quat_wxyz, state.velocity),
        (state.joint_position, state.joint_velocity),
        (state.tip_position_m, state.tip_quat_wxyz),
    )
    return TaskView(
        state=state,
        current=part,
        tip_m=vectors[:, TIP],
        tip_rotation=turns[:, TIP_TURN],
        target_m=vectors[:, TARGET],
        target_rotation=turns[:, TARGET_TURN],
        velocity_m_s=vectors[:, VELOCITY],
        spin_rad_s=vectors[:, SPIN],
        start_m=vectors[:, START],
        size_m=batch.size_m[batch.index, part],
        hold_m=vectors[:, HOLD],
        hold_axis=vectors[:, HOLD_AXIS],
        finger_axis=vectors[:, FINGERS],
        goal_m=vectors[:, GOAL],
        place_rotation=turns[:, PLACE_TURN],
        touched=state.touched[batch.index, batch.part[batch.index, part]],
        joint=moves[:, 0],
        joint_speed=moves[:, 1],
        opening_direction=vectors[:, OPENING_DIRECTION],
    )


def knocked_over(batch: EpisodeBatch, state: State) -> Array:
    """Return whether an object that is not handled has been knocked over, bool [n]."""
    return np.asarray(is_tilted(state.quat_wxyz, batch.movable, batch.start_up, UPRIGHT_COSINE))


def up_axes(quat_wxyz: Array) -> Array:
    """Return the axis of each object that points up, in its own frame, [..., 3]."""
    return np.asarray(rotations(quat_wxyz)[..., 2, :])
