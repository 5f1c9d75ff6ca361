"""Joints that a hand can move: axes in the asset's frame, and where the hand takes hold."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.affordances.grasps import grasps_of
from cousins.affordances.hulls import Hulls, blocked, link_poses, surface_samples
from cousins.affordances.signatures import JointAffordance
from cousins.geometry import Array, transform
from cousins.reconstruct.assets import Asset, Joint

SAMPLES: Final = 256
"""Points of a link's surface that are tried for pushing."""
GRIPS: Final = 4
"""Grasps of each kind among which that with the longest lever is taken."""
PUSHES: Final = 0.7
"""A face is pushed that moves away from the finger at least by this cosine."""
LIFTED_M: Final = 0.0005
"""Rays start this far above the surface [m]."""


def joints_of(asset: Asset, hulls: Hulls) -> tuple[JointAffordance, ...]:
    """Return the joints of an asset that move."""
    poses = link_poses(asset)
    found = []
    for joint in asset.joints:
        if joint.kind == "fixed":
            continue
        axis = poses[joint.child][:3, :3] @ joint.axis
        handle = _handle(asset, hulls, joint, transform(poses[joint.child], np.zeros(3)), axis)
        found.append(
            JointAffordance(
                name=joint.name,
                kind=joint.kind,
                axis=(float(axis[0]), float(axis[1]), float(axis[2])),
                range=float(joint.upper - joint.lower),
                handle_m=None if handle is None else (float(handle[0]), float(handle[1]), float(handle[2])),
            )
        )
    return tuple(found)


def _handle(asset: Asset, hulls: Hulls, joint: Joint, pivot: Array, axis: Array) -> Array | None:
    """Return where the moved links are gripped, else pushed, with the longest lever [m] [3]; None where nowhere."""
    links = np.array(sorted(_moved(asset, joint.child)))
    places = np.array([grasp.center_m for grasp in grasps_of(hulls, links=links, most=GRIPS, hasty=True)])
    if not len(places):
        places = _pushed(hulls, links, joint, pivot, axis)
    if not len(places):
        return None
    if joint.kind == "prismatic":
        return np.asarray(places[0])
    return np.asarray(places[np.argmax(np.round(np.linalg.norm(np.cross(axis, places - pivot), axis=1), 3))])


def _moved(asset: Asset, root: str) -> set[int]:
    """Return the numbers of a link and of all that hang on it."""
    names = {root}
    while True:
        more = {joint.child for joint in asset.joints if joint.parent in names} - names
        if not more:
            return {number for number, link in enumerate(asset.links) if link.name in names}
        names |= more


def _pushed(hulls: Hulls, links: Array, joint: Joint, pivot: Array, axis: Array) -> Array:
    """Return free points of the moved links [k, 3] where pushing moves the joint, the nearest to their middle first."""
    points, normals, _ = surface_samples(hulls, SAMPLES, np.isin(hulls.links, links))
    motion = np.cross(axis, points - pivot) if joint.kind == "revolute" else np.tile(axis, (len(points), 1))
    motion = motion / np.maximum(np.linalg.norm(motion, axis=1, keepdims=True), 1e-12)
    along = -(motion * normals).sum(axis=1)
    pushes = ((along >= PUSHES) & (joint.upper > 0.0)) | ((along <= -PUSHES) & (joint.lower < 0.0))
    free = ~blocked(hulls, points + LIFTED_M * normals, normals)
    chosen = points[pushes & free]
    return chosen[np.argsort(np.linalg.norm(chosen - points.mean(axis=0), axis=1), kind="stable")]
