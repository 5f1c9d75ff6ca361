"""What an asset no longer affords beside another: empty where one may stand in the other's place."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from cousins.affordances.signatures import JointAffordance, Signature

LEAST_KEPT: Final = 0.6
"""Least share of the twin's opening, volume and support radius that must be left."""
LEAST_RANGE: Final = 0.7
"""Least share of a joint's range that must be left."""
SAME_AXIS: Final = float(np.cos(np.deg2rad(20.0)))
"""Axes are the same within 20°, whichever way they point."""


def lost(twin: Signature, other: Signature) -> tuple[str, ...]:
    """Return in words what the twin affords and the other does not."""
    words = []
    if twin.grasps and not other.grasps:
        words.append("no grasp for a gripper of 80 mm")
    return (*words, *_lost_cavity(twin, other), *_lost_support(twin, other), *_lost_joints(twin, other))


def _lost_cavity(twin: Signature, other: Signature) -> list[str]:
    if twin.cavity is None:
        return []
    if other.cavity is None:
        return ["holds nothing"]
    words = []
    if other.cavity.opening_m < LEAST_KEPT * twin.cavity.opening_m:
        words.append(f"opening of {_mm(other.cavity.opening_m)} instead of {_mm(twin.cavity.opening_m)}")
    if other.cavity.volume_m3 < LEAST_KEPT * twin.cavity.volume_m3:
        words.append(f"holds {1e3 * other.cavity.volume_m3:.3f} l instead of {1e3 * twin.cavity.volume_m3:.3f} l")
    return words


def _lost_support(twin: Signature, other: Signature) -> list[str]:
    if twin.support is None:
        return []
    radius = 0.0 if other.support is None else other.support.radius_m
    if radius >= LEAST_KEPT * twin.support.radius_m:
        return []
    return [f"level top of radius {_mm(radius)} instead of {_mm(twin.support.radius_m)}"]


def _lost_joints(twin: Signature, other: Signature) -> list[str]:
    """Return a sentence for each joint of the twin that no joint of the other's stands for, each only once."""
    if not twin.joints:
        return []
    missing = [[_missing(joint, candidate) for candidate in other.joints] for joint in twin.joints]
    costs = np.array([[float(bool(word)) for word in row] for row in missing]).reshape(len(twin.joints), -1)
    rows, columns = linear_sum_assignment(costs)
    partner = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    words = []
    for number, joint in enumerate(twin.joints):
        if number not in partner:
            words.append(f"no joint in place of {joint.name}")
        elif missing[number][partner[number]]:
            words.append(f"{joint.name}: {missing[number][partner[number]]}")
    return words


def _missing(twin: JointAffordance, other: JointAffordance) -> str:
    """Return what a joint lacks to stand for another, empty for nothing."""
    if other.kind != twin.kind:
        return f"{other.kind} instead of {twin.kind}"
    if abs(float(np.dot(other.axis, twin.axis))) < SAME_AXIS:
        return "another axis"
    if other.range < LEAST_RANGE * twin.range:
        return f"range {other.range:.3g} instead of {twin.range:.3g}"
    if twin.handle_m is not None and other.handle_m is None:
        return "no handle"
    return ""


def _mm(length_m: float) -> str:
    return f"{1e3 * length_m:.0f} mm"
