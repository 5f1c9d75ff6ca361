"""Compare the affordances of two assets; an asset may replace another that has no affordance that it lacks."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from cousins.affordances.signatures import JointAffordance, Signature

MIN_SIZE_SHARE: Final = 0.6
"""Smallest allowed share of the twin's opening, volume and support radius."""
MIN_RANGE_SHARE: Final = 0.7
"""Smallest allowed share of the range of a joint."""
MIN_AXIS_COSINE: Final = float(np.cos(np.deg2rad(20.0)))
"""Smallest absolute cosine between two axes that count as the same: 20°."""


def missing_affordances(twin: Signature, other: Signature) -> tuple[str, ...]:
    """Return texts that describe the affordances of the twin that the other asset lacks; empty for none."""
    reasons = []
    if twin.grasps and not other.grasps:
        reasons.append("no grasp for a gripper of 80 mm")
    return (*reasons, *_missing_cavity(twin, other), *_missing_support(twin, other), *_missing_joints(twin, other))


def _missing_cavity(twin: Signature, other: Signature) -> list[str]:
    if twin.cavity is None:
        return []
    if other.cavity is None:
        return ["holds nothing"]
    reasons = []
    if other.cavity.opening_m < MIN_SIZE_SHARE * twin.cavity.opening_m:
        reasons.append(f"opening of {_mm(other.cavity.opening_m)} instead of {_mm(twin.cavity.opening_m)}")
    if other.cavity.volume_m3 < MIN_SIZE_SHARE * twin.cavity.volume_m3:
        reasons.append(f"holds {1e3 * other.cavity.volume_m3:.3f} l instead of {1e3 * twin.cavity.volume_m3:.3f} l")
    return reasons


def _missing_support(twin: Signature, other: Signature) -> list[str]:
    if twin.support is None:
        return []
    radius = 0.0 if other.support is None else other.support.radius_m
    if radius >= MIN_SIZE_SHARE * twin.support.radius_m:
        return []
    return [f"level top of radius {_mm(radius)} instead of {_mm(twin.support.radius_m)}"]


def _missing_joints(twin: Signature, other: Signature) -> list[str]:
    """Return a text for each joint of the twin without a match in an optimal one-to-one assignment."""
    if not twin.joints:
        return []
    deficits = [[_joint_deficit(joint, candidate) for candidate in other.joints] for joint in twin.joints]
    costs = np.array([[float(bool(deficit)) for deficit in row] for row in deficits]).reshape(len(twin.joints), -1)
    rows, columns = linear_sum_assignment(costs)
    matches = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    reasons = []
    for number, joint in enumerate(twin.joints):
        if number not in matches:
            reasons.append(f"no joint in place of {joint.name}")
        elif deficits[number][matches[number]]:
            reasons.append(f"{joint.name}: {deficits[number][matches[number]]}")
    return reasons


def _joint_deficit(twin: JointAffordance, other: JointAffordance) -> str:
    """Return why a joint cannot replace another one; empty where it can."""
    if other.kind != twin.kind:
        return f"{other.kind} instead of {twin.kind}"
    if abs(float(np.dot(other.axis, twin.axis))) < MIN_AXIS_COSINE:
        return "another axis"
    if other.range < MIN_RANGE_SHARE * twin.range:
        return f"range {other.range:.3g} instead of {twin.range:.3g}"
    if twin.handle_m is not None and other.handle_m is None:
        return "no handle"
    return ""


def _mm(length_m: float) -> str:
    return f"{1e3 * length_m:.0f} mm"
