"""The tree of links that an asset's joints make."""

from __future__ import annotations

import numpy as np

from cousins.errors import SceneError
from cousins.geometry import Array
from cousins.reconstruct.assets import Asset, Joint
from cousins.rounding import round_pose


def joints_in_order(asset: Asset) -> list[Joint]:
    """Return the joints so that each parent is reached before its children; raises `SceneError` if they are no tree."""
    reached = {asset.links[0].name}
    left = list(asset.joints)
    ordered: list[Joint] = []
    while left:
        ready = [joint for joint in left if joint.parent in reached]
        if not ready or any(joint.child in reached for joint in ready):
            break
        ordered += ready
        reached |= {joint.child for joint in ready}
        left = [joint for joint in left if joint not in ready]
    names = {link.name for link in asset.links}
    if left or reached != names or len(ordered) != len(names) - 1:
        raise SceneError(
            f"{len(asset.joints)} joints that reach {len(reached & names)} of {len(names)} links of {asset.name!r}",
            expected="a tree over all links that begins at the first",
            hint="Give each link but the first exactly one joint as its child.",
        )
    return ordered


def asset_from_links(asset: Asset) -> dict[str, Array]:
    """Return each link's pose [4, 4] in the asset's frame at joint position 0, as the written files hold it."""
    poses: dict[str, Array] = {asset.links[0].name: np.eye(4)}
    for joint in joints_in_order(asset):
        poses[joint.child] = poses[joint.parent] @ round_pose(joint.parent_from_child)
    return poses
