"""Joints that a gripper can move: axes in the asset's frame, and points to grasp or push."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.affordances.grasps import grasps_of
from cousins.affordances.hulls import Hulls, link_poses, rays_blocked, surface_samples
from cousins.affordances.signatures import JointAffordance
from cousins.geometry import Array, transform
from cousins.reconstruct.assets import Asset, Joint

PUSH_SAMPLES: Final = 256
"""Surface points of the moved links that are tried for pushing."""
MAX_GRASPS_TRIED: Final = 4
"""Grasps of each approach among which the one with the longest lever is selected."""
MIN_PUSH_COSINE: Final = 0.7
"""Smallest cosine between the motion of a face and the direction of a push."""
RAY_LIFT_M: Final = 0.0005
"""Rays start this far above the surface [m]."""


def joints_of(asset: Asset, hulls: Hulls) -> tuple[JointAffordance, ...]:
    """Return the affordances of the movable joints of an asset."""
    poses = link_poses(asset)
    affordances = []
    for joint in asset.joints:
        if joint.kind == "fixed":
            continue
        axis = poses[joint.child][:3, :3] @ joint.axis
        handle = _handle_point(asset, hulls, joint, transform(poses[joint.child], np.zeros(3)), axis)
        affordances.append(
            JointAffordance(
                name=joint.name,
                kind=joint.kind,
                axis=(float(axis[0]), float(axis[1]), float(axis[2])),
                range=float(joint.upper - joint.lower),
                handle_m=None if handle is None else (float(handle[0]), float(handle[1]), float(handle[2])),
            )
        )
    return tuple(affordances)


def _handle_point(asset: Asset, hulls: Hulls, joint: Joint, pivot: Array, axis: Array) -> Array | None:
    """Return the point [3] [m] with the longest lever at which the moved links are grasped, else pushed; else None."""
    links = np.array(sorted(_moved_links(asset, joint.child)))
    points = np.array(
        [grasp.center_m for grasp in grasps_of(hulls, links=links, max_count=MAX_GRASPS_TRIED, stop_early=True)]
    )
    if not len(points):
        points = _push_points(hulls, links, joint, pivot, axis)
    if not len(points):
        return None
    if joint.kind == "prismatic":
        return np.asarray(points[0])
    return np.asarray(points[np.argmax(np.round(np.linalg.norm(np.cross(axis, points - pivot), axis=1), 3))])


def _moved_links(asset: Asset, root: str) -> set[int]:
    """Return the indices of a link and its descendants."""
    names = {root}
    while True:
        children = {joint.child for joint in asset.joints if joint.parent in names} - names
        if not children:
            return {number for number, link in enumerate(asset.links) if link.name in names}
        names |= children


def _push_points(hulls: Hulls, links: Array, joint: Joint, pivot: Array, axis: Array) -> Array:
    """Return free points [k, 3] of the moved links where a push moves the joint, nearest to the mean point first."""
    points, normals, _ = surface_samples(hulls, PUSH_SAMPLES, np.isin(hulls.links, links))
    motion = np.cross(axis, points - pivot) if joint.kind == "revolute" else np.tile(axis, (len(points), 1))
    motion = motion / np.maximum(np.linalg.norm(motion, axis=1, keepdims=True), 1e-12)
    along = -(motion * normals).sum(axis=1)
    is_pushing = ((along >= MIN_PUSH_COSINE) & (joint.upper > 0.0)) | (
        (along <= -MIN_PUSH_COSINE) & (joint.lower < 0.0)
    )
    is_free = ~rays_blocked(hulls, points + RAY_LIFT_M * normals, normals)
    candidates = points[is_pushing & is_free]
    return candidates[np.argsort(np.linalg.norm(candidates - points.mean(axis=0), axis=1), kind="stable")]
