"""Forward kinematics of an asset at given joint positions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cousins.geometry import Array, rigid, rotation_about
from cousins.reconstruct.assets import Asset, Joint
from cousins.reconstruct.kinematics import joints_in_order
from cousins.rounding import round_pose


def link_poses_at(asset: Asset, positions: Mapping[str, float]) -> dict[str, Array]:
    """Return each link's pose [4, 4] in the asset's frame; joints without a position [rad or m] are at 0."""
    poses: dict[str, Array] = {asset.links[0].name: np.eye(4)}
    for joint in joints_in_order(asset):
        moved = _joint_motion(joint, positions.get(joint.name, 0.0))
        poses[joint.child] = poses[joint.parent] @ round_pose(joint.parent_from_child) @ moved
    return poses


def _joint_motion(joint: Joint, position: float) -> Array:
    if joint.kind == "revolute":
        return rigid(rotation_about(joint.axis, position))
    return rigid(translation=joint.axis * position)
