"""How far things are from where they were, and from what is below them."""

from __future__ import annotations

import numpy as np

from cousins.geometry import Array, rotation_angle_rad
from sim.physics.engine import Contact, Engine


def moved(first: Array, second: Array) -> tuple[float, float]:
    """Return the distance [m] and the angle [rad] between two poses."""
    distance = float(np.linalg.norm(first[:3, 3] - second[:3, 3]))
    return distance, rotation_angle_rad(first[:3, :3].T @ second[:3, :3])


def within(first: Array, second: Array, distance_m: float, angle_rad: float) -> bool:
    """Tell whether two poses are nearer than a distance [m] and an angle [rad]."""
    distance, angle = moved(first, second)
    return distance < distance_m and angle < angle_rad


def touched_below(engine: Engine, name: str, reach_m: float) -> tuple[str, ...]:
    """Return the names of what an object touches when it is lowered by `reach_m` [m]; its pose is put back."""
    pose = engine.poses()[name]
    lowered = pose.copy()
    lowered[2, 3] -= reach_m
    engine.set_pose(name, lowered)
    found = {_other(contact, name) for contact in engine.contacts() if name in (contact.first, contact.second)}
    engine.set_pose(name, pose)
    return tuple(sorted(found))


def _other(contact: Contact, name: str) -> str:
    return contact.second if contact.first == name else contact.first
