"""What tasks look at in a step: the state of the target, the tip and the goal, in the frame of the base."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.geometry import Array
from sim.tasks.frames import crossed, into, length, rotations, turned, turned_about
from sim.tasks.rows import Rows
from sim.worlds.worlds import State

KNOCKED: float = float(np.cos(np.deg2rad(30.0)))
"""What tilts by more than 30° from how it stood was knocked over."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class View:
    """A step in the frame of the base."""

    state: State
    """As it was read."""
    current: Array
    """Which part is the target now [n]."""
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
    """Orientation of the place [n, 3, 3]; identity without one."""
    touched: Array
    """Whether the body touches the target, bool [n]."""
    joint: Array
    """Position of the joint [n]; 0 without one."""
    joint_speed: Array
    """[n]."""
    way: Array
    """Unit direction in which the handle moves as the joint opens [n, 3]; zero without one."""


def see(rows: Rows, state: State, *, current: Array | None = None) -> View:
    """Return the view of all rows; the target is the first part, or as `current` [n] tells."""
    at = rows.index
    part = np.zeros_like(at) if current is None else current
    column = rows.part[at, part]
    axes = rows.world_from_base
    position = state.position_m[at, column]
    rotation = rotations(state.quat_wxyz[at, column])
    hold, hold_axis = rows.hold_m[at, part], rows.hold_axis[at, part]
    joint, joint_speed, way = _hinges(rows, state)
    if way is not None:
        hold = _moved(rows, hold, joint)
    goal, place_rotation = _goals(rows, state)
    start = rows.start_m[at, part]
    tip_rotation = np.swapaxes(axes, 1, 2) @ rotations(state.tip_quat_wxyz)
    target_rotation = np.swapaxes(axes, 1, 2) @ rotation
    points = np.stack([state.tip_position_m, position, goal, start], axis=1) - rows.base_m[:, None]
    velocity = state.velocity[at, column].reshape(len(at), 2, 3)
    local = into(axes, np.concatenate([points, velocity], axis=1))
    target = local[:, 1]
    axis = turned(target_rotation, hold_axis)
    fingers = tip_rotation @ rows.finger_axis
    side = np.where((axis * fingers).sum(axis=1, keepdims=True) < 0.0, -1.0, 1.0)
    return View(
        state=state,
        current=part,
        tip_m=local[:, 0],
        tip_rotation=tip_rotation,
        target_m=target,
        target_rotation=target_rotation,
        velocity_m_s=local[:, 4],
        spin_rad_s=local[:, 5],
        start_m=local[:, 3],
        size_m=rows.size_m[at, part],
        hold_m=target + turned(target_rotation, hold),
        hold_axis=side * axis,
        finger_axis=fingers,
        goal_m=local[:, 2],
        place_rotation=place_rotation,
        touched=state.touched[at, column],
        joint=joint,
        joint_speed=joint_speed,
        way=np.zeros_like(target) if way is None else turned(target_rotation, way),
    )


def knocked(rows: Rows, state: State) -> Array:
    """Tell which rows have an object, not handled itself, that lies other than it stood, bool [n]."""
    up = rotations(state.quat_wxyz)[:, :, 2]
    cosine = (up * rows.start_up).sum(axis=2)
    return np.asarray((rows.movable & (cosine < KNOCKED)).any(axis=1))


def own_up(quat_wxyz: Array) -> Array:
    """Return the axis of each object that points up, in its own frame, [..., 3]."""
    return np.asarray(rotations(quat_wxyz)[..., 2, :])


def _goals(rows: Rows, state: State) -> tuple[Array, Array]:
    """Return goals in the world [n, 3] and the orientation of their places [n, 3, 3]."""
    if (rows.place < 0).all():
        return rows.goal_m, np.broadcast_to(np.eye(3), (len(rows.index), 3, 3))
    there = rows.place >= 0
    column = np.maximum(rows.place, 0)
    rotation = np.where(there[:, None, None], rotations(state.quat_wxyz[rows.index, column]), np.eye(3))
    origin = np.where(there[:, None], state.position_m[rows.index, column], 0.0)
    return origin + turned(rotation, rows.goal_m), rotation


def _hinges(rows: Rows, state: State) -> tuple[Array, Array, Array | None]:
    """Return positions and speeds of the joints [n], and where their handles move [n, 3]; None without any."""
    if (rows.joint < 0).all():
        nothing = np.zeros(len(rows.index))
        return nothing, nothing, None
    position = state.joint_position[rows.index, rows.joint]
    speed = state.joint_velocity[rows.index, rows.joint]
    lever = _moved(rows, rows.hold_m[:, 0], position) - rows.pivot_m
    turn = crossed(rows.axis, lever)
    unit = turn / np.maximum(length(turn), 1e-9)[:, None]
    sign = np.where(rows.opened >= rows.closed, 1.0, -1.0)[:, None]
    return position, speed, sign * np.where(rows.revolute[:, None], unit, rows.axis)


def _moved(rows: Rows, hold_m: Array, joint: Array) -> Array:
    """Return where handles [n, 3] get to as their joints [n] move, in the frame of the root link."""
    slid = hold_m + rows.axis * joint[:, None]
    swung = rows.pivot_m + turned_about(rows.axis, joint, hold_m - rows.pivot_m)
    return np.where(rows.revolute[:, None], swung, slid)
