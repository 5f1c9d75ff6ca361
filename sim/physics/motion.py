"""Distances between poses, and the bodies directly below an object."""

from __future__ import annotations

import numpy as np

from cousins.geometry import Array, rotation_angle_rad
from sim.physics.engine import Contact, Engine


def pose_distance(first: Array, second: Array) -> tuple[float, float]:
    """Return the distance [m] and the angle [rad] between two poses [4, 4]."""
    distance = float(np.linalg.norm(first[:3, 3] - second[:3, 3]))
    return distance, rotation_angle_rad(first[:3, :3].T @ second[:3, :3])


def poses_are_close(first: Array, second: Array, distance_m: float, angle_rad: float) -> bool:
    """Return whether two poses [4, 4] differ by less than a distance [m] and an angle [rad]."""
    distance, angle = pose_distance(first, second)
    return distance < distance_m and angle < angle_rad


def find_supports(engine: Engine, name: str, reach_m: float) -> tuple[str, ...]:
    """Return the names of the bodies that an object touches when lowered by `reach_m` [m]; its pose is restored."""
    pose = engine.poses()[name]
    lowered = pose.copy()
    lowered[2, 3] -= reach_m
    engine.set_pose(name, lowered)
    touched = {_other_body(contact, name) for contact in engine.contacts() if name in (contact.first, contact.second)}
    engine.set_pose(name, pose)
    return tuple(sorted(touched))


def _other_body(contact: Contact, name: str) -> str:
    return contact.second if contact.first == name else contact.first
