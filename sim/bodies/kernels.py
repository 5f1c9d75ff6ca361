"""Inner loops of kinematics and control, compiled; a row's numbers do not depend on how many rows there are."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from cousins.geometry import Array


@njit(cache=True)
def forward_kinematics(
    q: Array, drives: Array, parent_from_joint: Array, joint_from_tip: Array, axes: Array, turns: Array
) -> tuple[Array, Array]:
    """Return the tip's pose [n, 4, 4] and its Jacobian [n, 6, drives] at drive positions q [n, drives]."""
    rows, count = len(q), len(drives)
    pose, jacobian = np.zeros((rows, 4, 4)), np.zeros((rows, 6, q.shape[1]))
    origins, directions = np.zeros((count, 3)), np.zeros((count, 3))
    base_from_joint, moved, motion = np.zeros((4, 4)), np.zeros((4, 4)), np.zeros((4, 4))
    for row in range(rows):
        for i in range(4):
            for j in range(4):
                base_from_joint[i, j] = 1.0 if i == j else 0.0
        for joint in range(count):
            multiply(base_from_joint, parent_from_joint[joint], moved)
            _joint_motion(axes[joint], turns[joint], q[row, drives[joint]], motion)
            multiply(moved, motion, base_from_joint)
            for i in range(3):
                origins[joint, i] = base_from_joint[i, 3]
                directions[joint, i] = (
                    base_from_joint[i, 0] * axes[joint, 0]
                    + base_from_joint[i, 1] * axes[joint, 1]
                    + base_from_joint[i, 2] * axes[joint, 2]
                )
        multiply(base_from_joint, joint_from_tip, pose[row])
        for joint in range(count):
            _jacobian_column(turns[joint], directions[joint], origins[joint], pose[row], drives[joint], jacobian[row])
    return pose, jacobian


@njit(cache=True)
def tips_to_world(world_from_base: Array, base_from_tip: Array) -> tuple[Array, Array]:
    """Return places [n, 3] and quaternions wxyz [n, 4] of poses [n, 4, 4] behind others."""
    rows = len(base_from_tip)
    place, quat, world_from_tip = np.zeros((rows, 3)), np.zeros((rows, 4)), np.zeros((4, 4))
    for row in range(rows):
        multiply(world_from_base[row], base_from_tip[row], world_from_tip)
        for i in range(3):
            place[row, i] = world_from_tip[i, 3]
        quat_from_rotation(world_from_tip, quat[row])
    return place, quat


@njit(cache=True)
def steer_tips(
    pose: Array,
    action: Array,
    axes: Array,
    scale: Array,
    base_from_tip: Array,
    jacobian: Array,
    max_speed: Array,
    settings: tuple[float, float, float, float],
) -> Array:
    """Return arm speeds [n, k] that bring tips to their targets [n, 4, 4], which move on by the action; in place.

    Settings are the targets' lead [m] and [rad], the rate [Hz] and the damping. No drive is faster than its most [k];
    one that would be slows all of its arm.
    """
    max_lead_m, max_lead_rad, rate_hz, damping = settings
    rows, arm = len(pose), len(max_speed)
    error, speeds = np.zeros((rows, 6)), np.zeros((rows, arm))
    for row in range(rows):
        for number in range(len(axes)):
            error[row, axes[number]] = action[row, number] * scale[number]
    advance_targets(pose, error)
    limit_lead(pose, base_from_tip, max_lead_m, max_lead_rad, error)
    for row in range(rows):
        for i in range(6):
            error[row, i] *= rate_hz
    least_squares(jacobian, error, damping, speeds)
    for row in range(rows):
        fastest = 1.0
        for drive in range(arm):
            fastest = max(fastest, abs(speeds[row, drive]) / max_speed[drive])
        for drive in range(arm):
            speeds[row, drive] /= fastest
    return speeds


@njit(cache=True)
def least_squares(jacobian: Array, error: Array, damping: float, speeds: Array) -> None:
    """Fill speeds [n, k]: J^T (J J^T + λ² I)^-1 e of J [n, 6, k] and e [n, 6], by Cholesky."""
    square, y = np.zeros((6, 6)), np.zeros(6)
    for row in range(len(speeds)):
        for i in range(6):
            y[i] = error[row, i]
            for j in range(i + 1):
                square[i, j] = damping * damping if i == j else 0.0
                for m in range(speeds.shape[1]):
                    square[i, j] += jacobian[row, i, m] * jacobian[row, j, m]
        _solve(square, y)
        for m in range(speeds.shape[1]):
            speeds[row, m] = 0.0
            for i in range(6):
                speeds[row, m] += jacobian[row, i, m] * y[i]


@njit(cache=True)
def _solve(a: Array, y: Array) -> None:
    """Solve a y = y in place, by Cholesky of the lower half of a, which is overwritten."""
    size = len(y)
    for i in range(size):
        for j in range(i + 1):
            for m in range(j):
                a[i, j] -= a[i, m] * a[j, m]
            a[i, j] = math.sqrt(a[i, i]) if i == j else a[i, j] / a[j, j]
        for m in range(i):
            y[i] -= a[i, m] * y[m]
        y[i] /= a[i, i]
    for i in range(size - 1, -1, -1):
        for m in range(i + 1, size):
            y[i] -= a[m, i] * y[m]
        y[i] /= a[i, i]


@njit(cache=True)
def limit_lead(pose: Array, tip: Array, max_lead_m: float, max_lead_rad: float, error: Array) -> None:
    """Fill the way and turn from tips to targets, error [n, 6]; targets [n, 4, 4] too far ahead are drawn back."""
    turn, back = np.zeros((3, 3)), np.zeros(3)
    for row in range(len(pose)):
        far = 0.0
        for i in range(3):
            error[row, i] = pose[row, i, 3] - tip[row, i, 3]
            far += error[row, i] ** 2
        cut = min(1.0, max_lead_m / max(math.sqrt(far), 1e-12))
        for i in range(3):
            error[row, i] *= cut
            pose[row, i, 3] = tip[row, i, 3] + error[row, i]
            for j in range(3):
                turn[i, j] = 0.0
                for m in range(3):
                    turn[i, j] += pose[row, i, m] * tip[row, j, m]
        wide = _rotation_vector(turn, back)
        cut = min(1.0, max_lead_rad / max(wide, 1e-12))
        for i in range(3):
            error[row, 3 + i] = back[i] * cut
        if cut < 1.0:
            rotate_by(error[row], tip[row], pose[row])


@njit(cache=True)
def advance_targets(pose: Array, move: Array) -> None:
    """Move targets [n, 4, 4] by ways and turns [n, 6] in the base frame."""
    before = np.zeros((4, 4))
    for row in range(len(pose)):
        for i in range(3):
            pose[row, i, 3] += move[row, i]
        if move[row, 3] != 0.0 or move[row, 4] != 0.0 or move[row, 5] != 0.0:
            for i in range(3):
                for j in range(3):
                    before[i, j] = pose[row, i, j]
            rotate_by(move[row], before, pose[row])


@njit(cache=True)
def rotate_by(move: Array, rotation: Array, out: Array) -> None:
    """Fill out[:3, :3] with a rotation turned by the rotation vector in the second half of a move [6] (Rodrigues)."""
    angle, axis = math.sqrt(move[3] ** 2 + move[4] ** 2 + move[5] ** 2), np.zeros(3)
    for i in range(3):
        axis[i] = move[3 + i] / max(angle, 1e-12)
    motion = np.zeros((4, 4))
    _joint_motion(axis, 1.0, angle, motion)
    for i in range(3):
        for j in range(3):
            total = 0.0
            for m in range(3):
                total += motion[i, m] * rotation[m, j]
            out[i, j] = total


@njit(cache=True)
def quat_from_rotation(m: Array, quat: Array) -> None:
    """Fill the quaternion wxyz, w ≥ 0, of a rotation [3, 3], around its largest component."""
    trace = m[0, 0] + m[1, 1] + m[2, 2]
    best, pivot = trace, 0
    for i in range(3):
        if m[i, i] > best:
            best, pivot = m[i, i], i + 1
    if pivot == 0:
        quat[0] = 1.0 + trace
        quat[1], quat[2], quat[3] = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
    else:
        i, j, k = pivot - 1, pivot % 3, (pivot + 1) % 3
        quat[0] = m[k, j] - m[j, k]
        quat[1 + i] = 1.0 + m[i, i] - m[j, j] - m[k, k]
        quat[1 + j] = m[i, j] + m[j, i]
        quat[1 + k] = m[i, k] + m[k, i]
    size = math.sqrt(quat[0] ** 2 + quat[1] ** 2 + quat[2] ** 2 + quat[3] ** 2)
    if quat[0] < 0.0:
        size = -size
    for i in range(4):
        quat[i] /= size


@njit(cache=True)
def multiply(a: Array, b: Array, out: Array) -> None:
    """Fill the product of two poses [4, 4]."""
    for i in range(3):
        for j in range(4):
            out[i, j] = a[i, 0] * b[0, j] + a[i, 1] * b[1, j] + a[i, 2] * b[2, j]
        out[i, 3] += a[i, 3]
    out[3, 0], out[3, 1], out[3, 2], out[3, 3] = 0.0, 0.0, 0.0, 1.0


@njit(cache=True)
def _joint_motion(axis: Array, turns: float, q: float, out: Array) -> None:
    x, y, z = axis[0], axis[1], axis[2]
    s, c = (math.sin(q), 1.0 - math.cos(q)) if turns > 0.0 else (0.0, 0.0)
    out[0, 0], out[0, 1], out[0, 2] = 1.0 - c * (y * y + z * z), c * x * y - s * z, c * x * z + s * y
    out[1, 0], out[1, 1], out[1, 2] = c * x * y + s * z, 1.0 - c * (x * x + z * z), c * y * z - s * x
    out[2, 0], out[2, 1], out[2, 2] = c * x * z - s * y, c * y * z + s * x, 1.0 - c * (x * x + y * y)
    travel = q * (1.0 - turns)
    out[0, 3], out[1, 3], out[2, 3], out[3, 3] = travel * x, travel * y, travel * z, 1.0


@njit(cache=True)
def _jacobian_column(turns: float, direction: Array, origin: Array, pose: Array, column: int, out: Array) -> None:
    if turns == 0.0:
        for i in range(3):
            out[i, column] = direction[i]
        return
    x, y, z = pose[0, 3] - origin[0], pose[1, 3] - origin[1], pose[2, 3] - origin[2]
    out[0, column] = direction[1] * z - direction[2] * y
    out[1, column] = direction[2] * x - direction[0] * z
    out[2, column] = direction[0] * y - direction[1] * x
    for i in range(3):
        out[3 + i, column] = direction[i]


@njit(cache=True)
def _rotation_vector(m: Array, out: Array) -> float:
    """Fill the rotation vector [3] of a rotation, exact below a half turn, and return its angle."""
    out[0], out[1], out[2] = 0.5 * (m[2, 1] - m[1, 2]), 0.5 * (m[0, 2] - m[2, 0]), 0.5 * (m[1, 0] - m[0, 1])
    size = math.sqrt(out[0] ** 2 + out[1] ** 2 + out[2] ** 2)
    angle = math.atan2(size, 0.5 * (m[0, 0] + m[1, 1] + m[2, 2] - 1.0))
    for i in range(3):
        out[i] *= angle / max(size, 1e-12)
    return angle
