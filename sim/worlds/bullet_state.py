"""What a row of PyBullet tells after each step, as one list of numbers, and the state of a batch made of such lists.

Bullet tells poses of principal axes; a batch turns them all at once into those of root links.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.geometry import Array, quat_wxyz_from_rotation
from sim.bodies.body import Body
from sim.worlds.bullet_plans import WorldPlan
from sim.worlds.worlds import Slots, State


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where what lies in a row's numbers.

    13 an object (place, quaternion xyzw, velocity), two a joint and a drive, seven for the link of the tip, then which
    objects are touched.
    """

    objects: int
    """Columns of objects."""
    joints: int
    """Columns of joints."""
    drives: int
    """Drives."""

    @property
    def joint(self) -> int:
        """Where the joints begin."""
        return 13 * self.objects

    @property
    def drive(self) -> int:
        """Where the drives begin."""
        return self.joint + 2 * self.joints

    @property
    def tip(self) -> int:
        """Where the tip begins."""
        return self.drive + 2 * self.drives

    @property
    def touched(self) -> int:
        """Where the touched objects begin."""
        return self.tip + 7

    @property
    def size(self) -> int:
        """Numbers of a row."""
        return self.touched + self.objects


def layout_of(slots: Slots, body: Body) -> Layout:
    """Return how the rows of a batch are laid out."""
    return Layout(objects=len(slots.objects), joints=len(slots.joints), drives=len(body.drives))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Frames:
    """Frames of principal axes in the root links, and which objects there are; rows first."""

    present: Array
    """Bool [n, objects]."""
    quat_wxyz: Array
    """Rotation from principal axes to root link, conjugated: multiplied from the right [n, objects, 4]."""
    center_m: Array
    """Centre of mass in the root link [n, objects, 3]."""


def frames(rows: int, slots: Slots) -> Frames:
    """Return frames of rows that show nothing."""
    quat = np.zeros((rows, len(slots.objects), 4))
    quat[..., 0] = 1.0
    return Frames(present=np.zeros(quat.shape[:2], dtype=bool), quat_wxyz=quat, center_m=np.zeros((*quat.shape[:2], 3)))


def note_frames(found: Frames, row: int, slots: Slots, plan: WorldPlan) -> None:
    """Write the frames of a row's cousin."""
    columns = {name: column for column, name in enumerate(slots.objects)}
    found.present[row] = False
    for one in plan.objects:
        column = columns.get(one.name)
        if column is None:
            continue
        w, x, y, z = quat_wxyz_from_rotation(one.root_from_inertial[:3, :3])
        found.present[row, column] = True
        found.quat_wxyz[row, column] = (w, -x, -y, -z)
        found.center_m[row, column] = one.root_from_inertial[:3, 3]


def halt(numbers: Array, layout: Layout) -> None:
    """Let a row's numbers [size] tell that nothing moves."""
    numbers[: layout.joint].reshape(-1, 13)[:, 7:] = 0.0
    numbers[layout.joint : layout.tip].reshape(-1, 2)[:, 1] = 0.0


def state_of(numbers: Array, layout: Layout, found: Frames, body: Body) -> State:
    """Return the state that rows of numbers [n, size] tell."""
    rows = len(numbers)
    objects = numbers[:, : layout.joint].reshape(rows, layout.objects, 13)
    quat = _times(objects[..., [6, 3, 4, 5]], found.quat_wxyz)
    there = found.present[..., None]
    joints = numbers[:, layout.joint : layout.drive].reshape(rows, layout.joints, 2)
    drives = numbers[:, layout.drive : layout.tip].reshape(rows, layout.drives, 2)
    tip = numbers[:, layout.tip : layout.touched]
    tip_quat = tip[:, [6, 3, 4, 5]]
    at = np.broadcast_to(body.link_from_tip[:3, 3], (rows, 3))
    turn = np.broadcast_to(quat_wxyz_from_rotation(body.link_from_tip[:3, :3]), (rows, 4))
    return State(
        present=found.present.copy(),
        position_m=np.where(there, objects[..., :3] - _turned(quat, found.center_m), 0.0),
        quat_wxyz=np.where(there, quat, 0.0),
        velocity=objects[..., 7:].copy(),
        joint_position=joints[..., 0].copy(),
        joint_velocity=joints[..., 1].copy(),
        drive_position=drives[..., 0].copy(),
        drive_velocity=drives[..., 1].copy(),
        tip_position_m=tip[:, :3] + _turned(tip_quat, at),
        tip_quat_wxyz=_times(tip_quat, turn),
        touched=numbers[:, layout.touched :] > 0.0,
    )


def _times(a: Array, b: Array) -> Array:
    """Return the products of quaternions wxyz [..., 4]."""
    w, v = a[..., :1], a[..., 1:]
    s, u = b[..., :1], b[..., 1:]
    vector = w * u + s * v + _cross(v, u)
    return np.concatenate([w * s - (v * u).sum(axis=-1, keepdims=True), vector], axis=-1)


def _turned(quat_wxyz: Array, points: Array) -> Array:
    """Return points [..., 3] turned by unit quaternions [..., 4]."""
    w, v = quat_wxyz[..., :1], quat_wxyz[..., 1:]
    twice = 2.0 * _cross(v, points)
    return np.asarray(points + w * twice + _cross(v, twice))


def _cross(a: Array, b: Array) -> Array:
    """Return cross products [..., 3]; numpy's own is several times slower on small arrays."""
    x, y, z = a[..., 0], a[..., 1], a[..., 2]
    i, j, k = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([y * k - z * j, z * i - x * k, x * j - y * i], axis=-1)
