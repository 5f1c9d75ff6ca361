"""Directions in space: even samples of the sphere, tangent frames, and the rotation that makes one point up."""

from __future__ import annotations

import numpy as np

from cousins.geometry import Array, rigid, rotation_about


def fibonacci_sphere(count: int) -> Array:
    """Return `count` nearly even unit vectors [n, 3] (Fibonacci spiral)."""
    index = np.arange(count) + 0.5
    z = 1.0 - 2.0 * index / count
    angle = np.pi * (1.0 + 5.0**0.5) * index
    radius = np.sqrt(1.0 - z * z)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1)


def tangents(direction: Array) -> Array:
    """Return two unit vectors [2, 3] perpendicular to a unit vector [3] and to each other."""
    first = np.cross(direction, np.eye(3)[int(np.argmin(np.abs(direction)))])
    first = first / np.linalg.norm(first)
    return np.stack([first, np.cross(direction, first)])


def rotation_to_z(up: Array) -> Array:
    """Return the shortest rotation that takes `up` to +z, float64 [4, 4]."""
    axis = np.cross(up, [0.0, 0.0, 1.0])
    sine, cosine = float(np.linalg.norm(axis)), float(up[2])
    if sine < 1e-9:
        return np.eye(4) if cosine > 0 else np.diag([1.0, -1.0, -1.0, 1.0])
    return rigid(rotation_about(axis, float(np.arctan2(sine, cosine))))
