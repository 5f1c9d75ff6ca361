"""Object instances of a cousin: rounded pose, mass, friction and joint parameters."""

from __future__ import annotations

import numpy as np

from cousins.geometry import Array, quat_wxyz_from_rotation
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset
from cousins.rounding import LENGTH_DIGITS, QUATERNION_DIGITS
from cousins.vary.cousins import JointChange, ObjectInstance
from cousins.vary.recipes import DynamicsRange, JointRange


def object_instance(
    name: str,
    variant_key: str,
    asset: Asset,
    pose: Array,
    *,
    fixed: bool,
    mass_kg: tuple[float, ...] | None = None,
    com_shift_m: tuple[float, float, float] = (0.0, 0.0, 0.0),
    friction: float | None = None,
    restitution: float | None = None,
    joints: tuple[JointChange, ...] = (),
    material: str = "",
) -> ObjectInstance:
    """Return an object of a cousin at a pose [4, 4]; parameters that are not given are those of the asset."""
    position, quat = rounded_pose(pose)
    return ObjectInstance(
        name=name,
        variant=variant_key,
        position_m=position,
        quat_wxyz=quat,
        fixed=fixed,
        mass_kg=tuple(link.mass_kg.value for link in asset.links) if mass_kg is None else mass_kg,
        com_shift_m=com_shift_m,
        friction=asset.friction.value if friction is None else friction,
        restitution=asset.restitution.value if restitution is None else restitution,
        joints=joints,
        material=material,
    )


def rounded_pose(
    pose: Array,
) -> tuple[tuple[float, float, float], tuple[float, float, float, float]]:
    """Return position [m] and quaternion wxyz of a pose [4, 4], rounded to the micrometre and to 1e-7 as in files."""
    x, y, z = (round(value, LENGTH_DIGITS) + 0.0 for value in pose[:3, 3].tolist())
    a, b, c, d = (round(value, QUATERNION_DIGITS) + 0.0 for value in quat_wxyz_from_rotation(pose[:3, :3]).tolist())
    return (x, y, z), (a, b, c, d)


def rounded_vector(values: Array) -> tuple[float, float, float]:
    """Return a vector [3] [m], rounded to the micrometre as in files."""
    x, y, z = (round(float(value), LENGTH_DIGITS) + 0.0 for value in values)
    return x, y, z


def sample_quantity(
    quantity: Quantity, ranges: DynamicsRange, field: str, amount: float, rng: np.random.Generator
) -> float:
    """Return a sampled value of a quantity's interval; `field` names the distribution in `ranges`."""
    return interpolate_interval(quantity, getattr(ranges, field).at_quantile(rng.uniform()), amount)


def interpolate_interval(quantity: Quantity, quantile: float, amount: float) -> float:
    """Return the value of an interval at a quantile, 0 to 1, moved to the best estimate as `amount` goes to 0."""
    if amount == 0.0:
        return quantity.value
    target = quantity.low + quantile * (quantity.high - quantity.low)
    return float(f"{quantity.value + amount * (target - quantity.value):.6g}")


def sample_joint_changes(
    asset: Asset, ranges: JointRange, amount: float, rng: np.random.Generator
) -> tuple[JointChange, ...]:
    """Return sampled limits, damping and friction of an asset's movable joints."""
    changes = []
    for joint in asset.joints:
        if joint.kind == "fixed":
            continue
        share = 1.0 + amount * (ranges.limits.at_quantile(rng.uniform()) - 1.0)
        damping, friction = (
            distribution.at_quantile(rng.uniform()) ** amount for distribution in (ranges.damping, ranges.friction)
        )
        changes.append(
            JointChange(
                name=joint.name,
                lower=round(joint.lower * share, 6) + 0.0,
                upper=round(joint.upper * share, 6) + 0.0,
                damping=float(f"{joint.damping * damping:.6g}"),
                friction=float(f"{joint.friction * friction:.6g}"),
            )
        )
    return tuple(changes)
