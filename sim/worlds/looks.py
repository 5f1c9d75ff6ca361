"""Meshes and link poses of a row of worlds for rendering, the same for all engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cousins.geometry import Array, rigid, rotation_about, rotation_from_quat_wxyz
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Asset, Link
from cousins.reconstruct.kinematics import joints_in_order
from cousins.rounding import round_pose
from cousins.scene.scenes import Scene
from cousins.vary.cousins import GoalSpec
from sim.bodies.body import Body
from sim.worlds.worlds import Slots, State


def meshes_of_row(scene: Scene, task: GoalSpec, body: Body, slots: Slots, state: State, row: int) -> list[Mesh]:
    """Return the visible meshes of a row in the world frame: structures, objects, then the robot.

    `scene` is that of the row's cousin; objects without a column in `slots` have their poses in the scene.
    """
    poses = poses_of_row(scene, task, body, slots, state, row)
    return [mesh.transformed(pose) for mesh, pose in zip(meshes_of(scene, body), poses, strict=True)]


def meshes_of(scene: Scene, body: Body) -> list[Mesh]:
    """Return the meshes of `meshes_of_row` without their poses: structures in the world frame, links in their own."""
    assets = [placed.asset for placed in scene.objects] + [body.asset]
    return [structure.visual for structure in scene.structures] + [
        link.visual for asset in assets for link in _visible_links(asset)
    ]


def poses_of_row(scene: Scene, task: GoalSpec, body: Body, slots: Slots, state: State, row: int) -> list[Array]:
    """Return the pose [4, 4] in a row of each mesh of `meshes_of`."""
    poses = [np.eye(4) for _ in scene.structures]
    for placed in scene.objects:
        name, pose, positions = placed.asset.name, placed.world_from_asset, dict[str, float]()
        if name in slots.objects:
            column = slots.objects.index(name)
            pose = rigid(rotation_from_quat_wxyz(state.quat_wxyz[row, column]), state.position_m[row, column])
            positions = _joint_positions(placed.asset, name, slots, state.joint_position[row])
        poses += _moved_links(placed.asset, pose, positions)
    drives = {
        drive.joint: float(position) for drive, position in zip(body.drives, state.drive_position[row], strict=True)
    }
    return poses + _moved_links(body.asset, world_from_base(task), drives)


def world_from_base(task: GoalSpec) -> Array:
    """Return the pose of the robot's base in a cousin [4, 4]."""
    return rigid(rotation_about(np.array([0.0, 0.0, 1.0]), task.robot_yaw_rad), np.array(task.robot_base_m))


def link_poses(asset: Asset, positions: Mapping[str, float]) -> dict[str, Array]:
    """Return each link's pose [4, 4] in the asset's frame, with joint positions by name, else 0."""
    poses: dict[str, Array] = {asset.links[0].name: np.eye(4)}
    for joint in joints_in_order(asset):
        position, motion = positions.get(joint.name, 0.0), np.eye(4)
        if joint.kind == "revolute":
            motion = rigid(rotation_about(joint.axis, position))
        elif joint.kind == "prismatic":
            motion = rigid(translation=position * joint.axis)
        poses[joint.child] = poses[joint.parent] @ round_pose(joint.parent_from_child) @ motion
    return poses


def _joint_positions(asset: Asset, name: str, slots: Slots, values: Sequence[float] | Array) -> dict[str, float]:
    movable = [joint.name for joint in joints_in_order(asset) if joint.kind != "fixed"]
    columns = {number: column for column, (owner, number) in enumerate(slots.joints) if owner == name}
    return {joint: float(values[columns[number]]) for number, joint in enumerate(movable) if number in columns}


def _moved_links(asset: Asset, world_from_root: Array, positions: Mapping[str, float]) -> list[Array]:
    poses = link_poses(asset, positions)
    return [world_from_root @ poses[link.name] for link in _visible_links(asset)]


def _visible_links(asset: Asset) -> list[Link]:
    return [link for link in asset.links if len(link.visual.faces)]
