"""Rounding and text format of written numbers, so that the last bits of a sum cannot change a file."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import Array, quat_wxyz_from_rotation, rotation_from_quat_wxyz

LENGTH_DIGITS: Final = 6
"""Decimals of a length [m]: a micrometre, a thousandth of the sensor's noise."""
QUATERNION_DIGITS: Final = 7
"""Decimals of a quaternion's components."""
SIGNIFICANT_DIGITS: Final = 9
"""Significant digits of masses, inertias, coefficients and angles."""


def format_number(value: float) -> str:
    """Return the shortest text of a value rounded to nine significant digits."""
    rounded = float(f"{value:.{SIGNIFICANT_DIGITS - 1}e}") + 0.0
    return repr(int(rounded)) if rounded.is_integer() and abs(rounded) < 1e15 else repr(rounded)


def format_numbers(values: Array) -> str:
    """Return values of any shape rounded to nine significant digits, separated by blanks."""
    return " ".join(format_number(float(value)) for value in np.asarray(values, dtype=np.float64).ravel())


def round_length(values_m: Array) -> Array:
    """Return lengths [m] of any shape rounded to the micrometre, without negative zeros."""
    return np.round(np.asarray(values_m, dtype=np.float64), LENGTH_DIGITS) + 0.0


def format_lengths(values_m: Array) -> str:
    """Return lengths [m] of any shape rounded to the micrometre, separated by blanks."""
    return format_numbers(round_length(values_m))


def round_quaternion(rotation: Array) -> Array:
    """Return the quaternion wxyz [4] of a 3×3 rotation, w ≥ 0, rounded to seven decimals."""
    return np.round(quat_wxyz_from_rotation(rotation), QUATERNION_DIGITS) + 0.0


def format_quaternion(rotation: Array) -> str:
    """Return the rounded quaternion wxyz of a 3×3 rotation, separated by blanks."""
    return format_numbers(round_quaternion(rotation))


def roll_pitch_yaw(rotation: Array) -> Array:
    """Return URDF's fixed-axis roll, pitch, yaw [rad], float64 [3], of the rounded quaternion of a rotation.

    Rounding the quaternion first gives URDF the very rotation that USD and MJCF hold.
    """
    m = rotation_from_quat_wxyz(round_quaternion(rotation))
    pitch = np.arctan2(-m[2, 0], np.hypot(m[0, 0], m[1, 0]))
    if np.hypot(m[0, 0], m[1, 0]) < 1e-9:
        return np.array([0.0, pitch, np.arctan2(-m[0, 1], m[1, 1])])
    return np.array([np.arctan2(m[2, 1], m[2, 2]), pitch, np.arctan2(m[1, 0], m[0, 0])])


def round_pose(a_from_b: Array) -> Array:
    """Return the pose [4, 4] with rounded translation and rounded quaternion."""
    pose = np.eye(4)
    pose[:3, :3] = rotation_from_quat_wxyz(round_quaternion(a_from_b[:3, :3]))
    pose[:3, 3] = round_length(a_from_b[:3, 3])
    return pose
