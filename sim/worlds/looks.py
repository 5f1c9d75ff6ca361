"""What a row of worlds looks like now, for pictures and films; the same for all engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cousins.geometry import Array, rigid, rotation_about, rotation_from_quat_wxyz
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Asset, Link
from cousins.scene.io.rounding import round_pose
from cousins.scene.kinematics import joints_in_order
from cousins.scene.scenes import Scene
from cousins.vary.cousins import Task
from sim.bodies.body import Body
from sim.worlds.worlds import Slots, State


def meshes_of_row(scene: Scene, task: Task, body: Body, slots: Slots, state: State, row: int) -> list[Mesh]:
    """Return all that is seen in the world: structures, objects, then the body; the scene is that of the row's cousin.

    Objects that the slots lack stand where the scene has them.
    """
    poses = poses_of_row(scene, task, body, slots, state, row)
    return [mesh.transformed(pose) for mesh, pose in zip(meshes_of(scene, body), poses, strict=True)]


def meshes_of(scene: Scene, body: Body) -> list[Mesh]:
    """Return the same meshes where nothing has moved them: structures in the world's frame, links in their own."""
    assets = [placed.asset for placed in scene.objects] + [body.asset]
    return [structure.visual for structure in scene.structures] + [
        link.visual for asset in assets for link in _seen(asset)
    ]


def poses_of_row(scene: Scene, task: Task, body: Body, slots: Slots, state: State, row: int) -> list[Array]:
    """Return where each of `meshes_of` is in a row, [4, 4] each."""
    poses = [np.eye(4) for _ in scene.structures]
    for placed in scene.objects:
        name, pose, positions = placed.asset.name, placed.world_from_asset, dict[str, float]()
        if name in slots.objects:
            column = slots.objects.index(name)
            pose = rigid(rotation_from_quat_wxyz(state.quat_wxyz[row, column]), state.position_m[row, column])
            positions = _positions(placed.asset, name, slots, state.joint_position[row])
        poses += _moved(placed.asset, pose, positions)
    drives = {drive.joint: float(at) for drive, at in zip(body.drives, state.drive_position[row], strict=True)}
    return poses + _moved(body.asset, world_from_base(task), drives)


def world_from_base(task: Task) -> Array:
    """Return where the body stands in a cousin [4, 4]."""
    return rigid(rotation_about(np.array([0.0, 0.0, 1.0]), task.robot_yaw_rad), np.array(task.robot_base_m))


def link_poses(asset: Asset, positions: Mapping[str, float]) -> dict[str, Array]:
    """Return each link's pose [4, 4] in the asset's frame, joints at these positions by name, else at 0."""
    poses: dict[str, Array] = {asset.links[0].name: np.eye(4)}
    for joint in joints_in_order(asset):
        at, motion = positions.get(joint.name, 0.0), np.eye(4)
        if joint.kind == "revolute":
            motion = rigid(rotation_about(joint.axis, at))
        elif joint.kind == "prismatic":
            motion = rigid(translation=at * joint.axis)
        poses[joint.child] = poses[joint.parent] @ round_pose(joint.parent_from_child) @ motion
    return poses


def _positions(asset: Asset, name: str, slots: Slots, values: Sequence[float] | Array) -> dict[str, float]:
    movable = [joint.name for joint in joints_in_order(asset) if joint.kind != "fixed"]
    columns = {number: column for column, (owner, number) in enumerate(slots.joints) if owner == name}
    return {joint: float(values[columns[number]]) for number, joint in enumerate(movable) if number in columns}


def _moved(asset: Asset, world_from_root: Array, positions: Mapping[str, float]) -> list[Array]:
    poses = link_poses(asset, positions)
    return [world_from_root @ poses[link.name] for link in _seen(asset)]


def _seen(asset: Asset) -> list[Link]:
    return [link for link in asset.links if len(link.visual.faces)]
