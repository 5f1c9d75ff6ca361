"""The flat array of values that a PyBullet row returns after each step, and its conversion to a batch state.

Bullet's poses are those of the principal axes of inertia; they are converted to root link poses for all rows at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.geometry import Array, quat_wxyz_from_rotation
from sim.bodies.body import Body
from sim.worlds.bullet_plans import WorldPlan
from sim.worlds.worlds import Slots, State


@dataclass(frozen=True, kw_only=True)
class RowLayout:
    """Offsets into the values of a row.

    13 values per object (position, quaternion xyzw, velocity), two per joint and per drive (position, velocity), seven
    for the pose of the tip's link, then one flag per object that the robot touches.
    """

    objects: int
    """Number of object columns."""
    joints: int
    """Number of joint columns."""
    drives: int
    """Number of drives."""

    @property
    def joint_start(self) -> int:
        """Offset of the joints."""
        return 13 * self.objects

    @property
    def drive_start(self) -> int:
        """Offset of the drives."""
        return self.joint_start + 2 * self.joints

    @property
    def tip_start(self) -> int:
        """Offset of the tip."""
        return self.drive_start + 2 * self.drives

    @property
    def touched_start(self) -> int:
        """Offset of the touch flags."""
        return self.tip_start + 7

    @property
    def size(self) -> int:
        """Number of values in a row."""
        return self.touched_start + self.objects


def row_layout(slots: Slots, body: Body) -> RowLayout:
    """Return the layout of a batch's rows."""
    return RowLayout(objects=len(slots.objects), joints=len(slots.joints), drives=len(body.drives))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class InertialFrames:
    """Principal axes of inertia in the root links' frames, and present objects; rows first."""

    present: Array
    """Whether a row has the object, bool [n, objects]."""
    quat_wxyz: Array
    """Rotation from the root link to the principal axes, wxyz [n, objects, 4]; to be multiplied from the right."""
    center_m: Array
    """Centre of mass in the root link [n, objects, 3]."""


def empty_frames(rows: int, slots: Slots) -> InertialFrames:
    """Return the frames of rows without a cousin."""
    quat = np.zeros((rows, len(slots.objects), 4))
    quat[..., 0] = 1.0
    return InertialFrames(
        present=np.zeros(quat.shape[:2], dtype=bool), quat_wxyz=quat, center_m=np.zeros((*quat.shape[:2], 3))
    )


def set_frames(frames: InertialFrames, row: int, slots: Slots, plan: WorldPlan) -> None:
    """Set the frames of a row to those of its cousin."""
    columns = {name: column for column, name in enumerate(slots.objects)}
    frames.present[row] = False
    for plan_of_object in plan.objects:
        column = columns.get(plan_of_object.name)
        if column is None:
            continue
        w, x, y, z = quat_wxyz_from_rotation(plan_of_object.root_from_inertial[:3, :3])
        frames.present[row, column] = True
        frames.quat_wxyz[row, column] = (w, -x, -y, -z)
        frames.center_m[row, column] = plan_of_object.root_from_inertial[:3, 3]


def zero_velocities(values: Array, layout: RowLayout) -> None:
    """Set all velocities in a row's values [size] to zero."""
    values[: layout.joint_start].reshape(-1, 13)[:, 7:] = 0.0
    values[layout.joint_start : layout.tip_start].reshape(-1, 2)[:, 1] = 0.0


def state_of(values: Array, layout: RowLayout, frames: InertialFrames, body: Body) -> State:
    """Return the state of a batch from the values of its rows [n, size]."""
    rows = len(values)
    objects = values[:, : layout.joint_start].reshape(rows, layout.objects, 13)
    quat = _quat_product(objects[..., [6, 3, 4, 5]], frames.quat_wxyz)
    present = frames.present[..., None]
    joints = values[:, layout.joint_start : layout.drive_start].reshape(rows, layout.joints, 2)
    drives = values[:, layout.drive_start : layout.tip_start].reshape(rows, layout.drives, 2)
    tip = values[:, layout.tip_start : layout.touched_start]
    tip_quat = tip[:, [6, 3, 4, 5]]
    link_from_tip_m = np.broadcast_to(body.link_from_tip[:3, 3], (rows, 3))
    link_from_tip_quat = np.broadcast_to(quat_wxyz_from_rotation(body.link_from_tip[:3, :3]), (rows, 4))
    return State(
        present=frames.present.copy(),
        position_m=np.where(present, objects[..., :3] - _rotated(quat, frames.center_m), 0.0),
        quat_wxyz=np.where(present, quat, 0.0),
        velocity=objects[..., 7:].copy(),
        joint_position=joints[..., 0].copy(),
        joint_velocity=joints[..., 1].copy(),
        drive_position=drives[..., 0].copy(),
        drive_velocity=drives[..., 1].copy(),
        tip_position_m=tip[:, :3] + _rotated(tip_quat, link_from_tip_m),
        tip_quat_wxyz=_quat_product(tip_quat, link_from_tip_quat),
        touched=values[:, layout.touched_start :] > 0.0,
    )


def _quat_product(a: Array, b: Array) -> Array:
    """Return the products of quaternions wxyz [..., 4]."""
    w, v = a[..., :1], a[..., 1:]
    s, u = b[..., :1], b[..., 1:]
    vector = w * u + s * v + _cross(v, u)
    return np.concatenate([w * s - (v * u).sum(axis=-1, keepdims=True), vector], axis=-1)


def _rotated(quat_wxyz: Array, points: Array) -> Array:
    """Return points [..., 3] rotated by unit quaternions wxyz [..., 4]."""
    w, v = quat_wxyz[..., :1], quat_wxyz[..., 1:]
    twice = 2.0 * _cross(v, points)
    return np.asarray(points + w * twice + _cross(v, twice))


def _cross(a: Array, b: Array) -> Array:
    """Return cross products [..., 3]; numpy's own is several times slower on small arrays."""
    x, y, z = a[..., 0], a[..., 1], a[..., 2]
    i, j, k = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([y * k - z * j, z * i - x * k, x * j - y * i], axis=-1)
