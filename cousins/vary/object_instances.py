"""The numbers of one object of a cousin: pose as written, mass, friction and joints."""

from __future__ import annotations

import numpy as np

from cousins.geometry import Array, quat_wxyz_from_rotation
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset
from cousins.scene.io.rounding import LENGTH_DIGITS, QUATERNION_DIGITS
from cousins.vary.cousins import JointChange, Stand
from cousins.vary.recipes import Dynamics, Joints


def stand_of(
    name: str,
    key: str,
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
) -> Stand:
    """Return an object of a cousin; what is not given is as the asset has it."""
    position, quat = written_pose(pose)
    return Stand(
        name=name,
        variant=key,
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


def written_pose(
    pose: Array,
) -> tuple[tuple[float, float, float], tuple[float, float, float, float]]:
    """Return a pose's place [m] and quaternion wxyz as they are written: to the micrometre and to 1e-7."""
    x, y, z = (round(value, LENGTH_DIGITS) + 0.0 for value in pose[:3, 3].tolist())
    a, b, c, d = (round(value, QUATERNION_DIGITS) + 0.0 for value in quat_wxyz_from_rotation(pose[:3, :3]).tolist())
    return (x, y, z), (a, b, c, d)


def three(values: Array) -> tuple[float, float, float]:
    """Return a vector [3] [m] as it is written."""
    x, y, z = (round(float(value), LENGTH_DIGITS) + 0.0 for value in values)
    return x, y, z


def drawn(quantity: Quantity, ranges: Dynamics, field: str, amount: float, rng: np.random.Generator) -> float:
    """Return a value of a quantity's interval, drawn as a field of the recipe says."""
    return between(quantity, getattr(ranges, field).at(rng.uniform()), amount)


def between(quantity: Quantity, place: float, amount: float) -> float:
    """Return a value of the interval, `place` 0 to 1, drawn towards the best estimate as `amount` goes to 0."""
    if amount == 0.0:
        return quantity.value
    wanted = quantity.low + place * (quantity.high - quantity.low)
    return float(f"{quantity.value + amount * (wanted - quantity.value):.6g}")


def drawn_joints(asset: Asset, ranges: Joints, amount: float, rng: np.random.Generator) -> tuple[JointChange, ...]:
    """Return what changes about an asset's joints."""
    found = []
    for joint in asset.joints:
        if joint.kind == "fixed":
            continue
        share = 1.0 + amount * (ranges.limits.at(rng.uniform()) - 1.0)
        damping, friction = (item.at(rng.uniform()) ** amount for item in (ranges.damping, ranges.friction))
        found.append(
            JointChange(
                name=joint.name,
                lower=round(joint.lower * share, 6) + 0.0,
                upper=round(joint.upper * share, 6) + 0.0,
                damping=float(f"{joint.damping * damping:.6g}"),
                friction=float(f"{joint.friction * friction:.6g}"),
            )
        )
    return tuple(found)
