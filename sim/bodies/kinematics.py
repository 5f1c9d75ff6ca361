"""Where a body's tip is, and how its drives move it: forward kinematics and Jacobian, all rows at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.errors import SceneError
from cousins.geometry import Array
from cousins.reconstruct.assets import Joint
from cousins.scene.kinematics import joints_in_order
from cousins.scene.rounding import round_pose
from sim.bodies.body import Body


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Chain:
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
    """True where a joint turns, False where it slides, bool [k]."""
    cross: Array
    """Matrices that take a vector to its cross product with the axis [k, 3, 3]; 0 where it slides."""
    square: Array
    """Their squares [k, 3, 3]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Reach:
    """Where the tip is, and how it moves."""

    base_from_tip: Array
    """Pose of the tip [n, 4, 4]."""
    jacobian: Array
    """Velocity [m/s], then spin [rad/s] of the tip in the base frame, by each drive's speed, [n, 6, drives]."""


def chain_of(body: Body) -> Chain:
    """Return the way from the base to the tip, as the written files hold it; raises `SceneError` where it is broken."""
    above = {joint.child: joint for joint in joints_in_order(body.asset)}
    if body.tip != body.asset.links[0].name and body.tip not in above:
        raise SceneError(f"a tip on {body.tip!r}", expected=f"a link of {body.name}", hint="Name one of its links.")
    way: list[Joint] = []
    link = body.tip
    while link in above:
        way.insert(0, above[link])
        link = above[link].parent
    numbers = {drive.joint: number for number, drive in enumerate(body.drives)}
    poses: list[Array] = []
    moving: list[Joint] = []
    pose = np.eye(4)
    for joint in way:
        pose = pose @ round_pose(joint.parent_from_child)
        if joint.name in numbers:
            poses.append(pose)
            moving.append(joint)
            pose = np.eye(4)
    axes = np.array([np.round(joint.axis, 7) / np.linalg.norm(np.round(joint.axis, 7)) for joint in moving])
    turns = np.array([joint.kind == "revolute" for joint in moving])
    cross = np.cross(np.eye(3)[None], axes.reshape(-1, 1, 3)) * turns[:, None, None]
    return Chain(
        drives=np.array([numbers[joint.name] for joint in moving], dtype=np.int64),
        count=len(body.drives),
        parent_from_joint=np.array(poses).reshape(-1, 4, 4),
        joint_from_tip=pose @ body.link_from_tip,
        axes=axes.reshape(-1, 3),
        turns=turns,
        cross=cross,
        square=cross @ cross,
    )


def tip_poses(chain: Chain, position: Array) -> Array:
    """Return `base_from_tip` [n, 4, 4] of drive positions [n, drives]."""
    return np.asarray(_frames(chain, position)[-1] @ chain.joint_from_tip)


def reach(chain: Chain, position: Array) -> Reach:
    """Return where the tip is at drive positions [n, drives], and its Jacobian."""
    frames = _frames(chain, position)
    tip = frames[-1] @ chain.joint_from_tip
    jacobian = np.zeros((len(position), 6, chain.count))
    if len(chain.drives):
        stacked = np.stack(frames[1:], axis=1)
        axes = np.einsum("nkij,kj->nki", stacked[..., :3, :3], chain.axes)
        arm = tip[:, None, :3, 3] - stacked[..., :3, 3]
        linear = np.where(chain.turns[:, None], np.cross(axes, arm), axes)
        jacobian[:, :3, chain.drives] = linear.transpose(0, 2, 1)
        jacobian[:, 3:, chain.drives] = (axes * chain.turns[:, None]).transpose(0, 2, 1)
    return Reach(base_from_tip=tip, jacobian=jacobian)


def quats_of(rotations: Array) -> Array:
    """Return quaternions wxyz with w ≥ 0 [n, 4] of rotations [n, 3, 3] (Bar-Itzhack's symmetric form, by the pivot)."""
    m = rotations
    trace = np.einsum("nii->n", m)
    weights = np.stack([trace, m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]], axis=1)
    pivot = weights.argmax(axis=1)
    x, y, z = m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]
    xy, xz, yz = m[:, 0, 1] + m[:, 1, 0], m[:, 0, 2] + m[:, 2, 0], m[:, 1, 2] + m[:, 2, 1]
    rest = 1.0 - trace[:, None] + 2.0 * weights[:, 1:]
    table = np.stack(
        [
            np.stack([1.0 + trace, x, y, z], axis=1),
            np.stack([x, rest[:, 0], xy, xz], axis=1),
            np.stack([y, xy, rest[:, 1], yz], axis=1),
            np.stack([z, xz, yz, rest[:, 2]], axis=1),
        ],
        axis=1,
    )
    quats = table[np.arange(len(m)), pivot]
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)
    return np.asarray(np.where(quats[:, :1] < 0.0, -quats, quats))


def _frames(chain: Chain, position: Array) -> list[Array]:
    """Return the base's frame and that of each joint behind its motion, [n, 4, 4] each."""
    n = len(position)
    moved = np.zeros((n, len(chain.drives), 4, 4))
    q = position[:, chain.drives]
    moved[..., :3, :3] = (
        np.eye(3) + np.sin(q)[..., None, None] * chain.cross + (1.0 - np.cos(q))[..., None, None] * chain.square
    )
    moved[..., :3, 3] = (q * ~chain.turns)[..., None] * chain.axes
    moved[..., 3, 3] = 1.0
    local = chain.parent_from_joint @ moved
    frames = [np.broadcast_to(np.eye(4), (n, 4, 4))]
    for number in range(len(chain.drives)):
        frames.append(frames[-1] @ local[:, number])
    return frames
