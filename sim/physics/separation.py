"""Push bodies out of each other by the little that engines let them sink."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.scene.scenes import Scene
from sim.physics.engine import Contact, Engine

PART_TO_M: Final = 1e-6
"""Overlap that is left alone: the rounding of written lengths [m]."""
ROUNDS_PER_OBJECT: Final = 5
"""Rounds of pushing apart, by object: a push can reach the other end of a row."""
LEVEL: Final = 0.3
"""A normal with less than this along z is taken for level: steeper than walls lean [1]."""


def push_apart(scene: Scene, engine: Engine, *, fixed: Container[str], most_m: float) -> float:
    """Push bodies out of each other, the upper one along the contact's normal; return the deepest contact left [m].

    What is fixed stays; nothing goes further than `most_m` in all.
    """
    order = {placed.asset.name: index for index, placed in enumerate(scene.objects)}
    pushed = dict.fromkeys(order, 0.0)
    for _ in range(ROUNDS_PER_OBJECT * len(order)):
        pushes: dict[str, Contact] = {}
        poses = engine.poses()
        for contact in engine.contacts():
            name = _upper(contact, order, poses)
            free = name not in fixed and pushed[name] + contact.depth_m <= most_m
            if free and contact.depth_m > max(PART_TO_M, pushes[name].depth_m if name in pushes else 0.0):
                pushes[name] = contact
        if not pushes:
            break
        for name, contact in pushes.items():
            pose = poses[name].copy()
            pose[:3, 3] += contact.depth_m * np.array(contact.normal) * (1.0 if contact.first == name else -1.0)
            pushed[name] += contact.depth_m
            engine.set_pose(name, pose)
    return max([0.0, *(contact.depth_m for contact in engine.contacts())])


def _upper(contact: Contact, order: Mapping[str, int], poses: Mapping[str, Array]) -> str:
    """Return the name of the body that the normal lifts, or that may move, or that comes later in the scene."""
    if contact.first not in order or contact.second not in order:
        return contact.first if contact.first in order else contact.second
    if abs(contact.normal[2]) > LEVEL:
        return contact.first if contact.normal[2] > 0.0 else contact.second
    return max((contact.first, contact.second), key=lambda name: (poses[name][2, 3], order[name]))
