"""Resolve the small penetrations that engines leave between resting bodies."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.scene.scenes import Scene
from sim.physics.engine import Contact, Engine

ALLOWED_OVERLAP_M: Final = 1e-6
"""Overlap that is not corrected: the rounding of written lengths [m]."""
ROUNDS_PER_OBJECT: Final = 5
"""Correction rounds per object; a push can propagate along a whole row of objects."""
MAX_LEVEL_NORMAL_Z: Final = 0.3
"""A contact normal with a smaller z component counts as horizontal [1]; leaning walls stay below it."""


def push_apart(scene: Scene, engine: Engine, *, fixed: Container[str], max_push_m: float) -> float:
    """Move the upper body of each overlapping pair along the contact normal; return the largest remaining depth [m].

    Fixed bodies stay; no body moves further than `max_push_m` in total.
    """
    order = {placed.asset.name: index for index, placed in enumerate(scene.objects)}
    pushed = dict.fromkeys(order, 0.0)
    for _ in range(ROUNDS_PER_OBJECT * len(order)):
        pushes: dict[str, Contact] = {}
        poses = engine.poses()
        for contact in engine.contacts():
            name = _body_to_push(contact, order, poses)
            free = name not in fixed and pushed[name] + contact.depth_m <= max_push_m
            if free and contact.depth_m > max(ALLOWED_OVERLAP_M, pushes[name].depth_m if name in pushes else 0.0):
                pushes[name] = contact
        if not pushes:
            break
        for name, contact in pushes.items():
            pose = poses[name].copy()
            pose[:3, 3] += contact.depth_m * np.array(contact.normal) * (1.0 if contact.first == name else -1.0)
            pushed[name] += contact.depth_m
            engine.set_pose(name, pose)
    return max([0.0, *(contact.depth_m for contact in engine.contacts())])


def _body_to_push(contact: Contact, order: Mapping[str, int], poses: Mapping[str, Array]) -> str:
    """Return the name of the movable body, else of the one that the normal lifts, else of the higher one."""
    if contact.first not in order or contact.second not in order:
        return contact.first if contact.first in order else contact.second
    if abs(contact.normal[2]) > MAX_LEVEL_NORMAL_Z:
        return contact.first if contact.normal[2] > 0.0 else contact.second
    return max((contact.first, contact.second), key=lambda name: (poses[name][2, 3], order[name]))
