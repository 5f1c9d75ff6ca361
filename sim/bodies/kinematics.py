"""Where a body's tip is, and how its drives move it: forward kinematics and Jacobian, all rows at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.errors import SceneError
from cousins.geometry import Array
from cousins.reconstruct.assets import Joint
from cousins.reconstruct.kinematics import joints_in_order
from cousins.rounding import round_pose
from sim.bodies.body import Body
from sim.bodies.kernels import forward_kinematics, tips_to_world


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TipChain:
    """The joints from a body's base to its tip."""

    drives: Array
    """Number of the drive that turns each joint, int64 [k]; the tip moves with no other."""
    count: int
    """Drives of the body."""
    parent_from_joint: Array
    """Pose of each joint's frame in that of the joint before it, the base first, [k, 4, 4]."""
    joint_from_tip: Array
    """Pose of the tip in the last joint's frame [4, 4]."""
    axes: Array
    """Unit axes in the joints' frames [k, 3]."""
    turns: Array
    """1 where a joint turns, 0 where it slides, [k]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TipKinematics:
    """Where the tip is, and how it moves."""

    base_from_tip: Array
    """Pose of the tip [n, 4, 4]."""
    jacobian: Array
    """Velocity [m/s], then spin [rad/s] of the tip in the base frame, by each drive's speed, [n, 6, drives]."""


def tip_chain(body: Body) -> TipChain:
    """Return the way from the base to the tip, as the written files hold it; raises `SceneError` where it is broken."""
    above = {joint.child: joint for joint in joints_in_order(body.asset)}
    if body.tip != body.asset.links[0].name and body.tip not in above:
        raise SceneError(f"a tip on {body.tip!r}", expected=f"a link of {body.name}", hint="Name one of its links.")
    path: list[Joint] = []
    link = body.tip
    while link in above:
        path.insert(0, above[link])
        link = above[link].parent
    numbers = {drive.joint: number for number, drive in enumerate(body.drives)}
    poses: list[Array] = []
    moving: list[Joint] = []
    pose = np.eye(4)
    for joint in path:
        pose = pose @ round_pose(joint.parent_from_child)
        if joint.name in numbers:
            poses.append(pose)
            moving.append(joint)
            pose = np.eye(4)
    axes = np.array([np.round(joint.axis, 7) / np.linalg.norm(np.round(joint.axis, 7)) for joint in moving])
    turns = np.array([float(joint.kind == "revolute") for joint in moving])
    return TipChain(
        drives=np.array([numbers[joint.name] for joint in moving], dtype=np.int64),
        count=len(body.drives),
        parent_from_joint=np.array(poses).reshape(-1, 4, 4),
        joint_from_tip=np.ascontiguousarray(pose @ body.link_from_tip),
        axes=np.ascontiguousarray(axes.reshape(-1, 3)),
        turns=turns,
    )


def tip_kinematics(chain: TipChain, position: Array) -> TipKinematics:
    """Return where the tip is at drive positions [n, drives], and its Jacobian."""
    q = np.ascontiguousarray(position, dtype=np.float64)
    pose, jacobian = forward_kinematics(
        q, chain.drives, chain.parent_from_joint, chain.joint_from_tip, chain.axes, chain.turns
    )
    return TipKinematics(base_from_tip=pose, jacobian=jacobian)


def tips_in_world(chain: TipChain, world_from_base: Array, position: Array) -> tuple[Array, Array]:
    """Return place [m] [n, 3] and quaternion wxyz, w ≥ 0, [n, 4] of tips whose bases stand at poses [n, 4, 4]."""
    return tips_to_world(world_from_base, tip_kinematics(chain, position).base_from_tip)
