"""MuJoCo on the same MJCF that a scene folder holds, without visual meshes.

Automatic resets are off, so that a NaN persists and is reported. The friction of an object against structures is that
of `cousins.scene.robot_formats.contact_friction`; nothing bounces: see `cousins.scene.robot_formats.mjcf_writer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import mujoco
import numpy as np

from cousins.errors import EngineError
from cousins.geometry import Array, quat_wxyz_from_rotation, rigid, rotation_from_quat_wxyz
from cousins.scene.robot_formats.mjcf_writer import mjcf_in_memory
from cousins.scene.scenes import Scene
from sim.physics.engine import Contact, require_finite, require_loadable, require_valid_state

_STATE_WARNINGS = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)


@dataclass(frozen=True, kw_only=True)
class Config:
    """How MuJoCo steps."""

    timestep_s: float | None = None
    """Duration of one step [s]; None keeps that of the MJCF."""


def for_trials() -> Config:
    """Return the settings for stability trials of cousins."""
    return Config()


def build(config: Config) -> MujocoEngine:
    """Return an engine without a scene."""
    return MujocoEngine(config)


class MujocoEngine:
    """The engine protocol on one MuJoCo model and its data."""

    name = "mujoco"

    def __init__(self, config: Config) -> None:
        self.config = config
        self.version = str(mujoco.__version__)
        self.timestep_s = config.timestep_s if config.timestep_s is not None else 0.002
        self._model: Any = None
        self._data: Any = None
        self._object_of_body: list[str] = []
        self._roots: dict[str, int] = {}
        self._fixed: set[str] = set()
        self._joints: dict[tuple[str, str], int] = {}

    def load(self, scene: Scene) -> None:
        """Build the scene at its given poses, at rest, joints at 0; raises `EngineError`."""
        require_loadable(scene, engine=self.name)
        text, files = mjcf_in_memory(scene, visuals=False)
        try:
            model = mujoco.MjModel.from_xml_string(text, files)
        except ValueError as error:
            raise EngineError(f"the scene was refused: {error}", engine=self.name) from error
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        if self.config.timestep_s is not None:
            model.opt.timestep = self.config.timestep_s
        self.timestep_s = float(model.opt.timestep)
        self._model, self._data = model, mujoco.MjData(model)
        self._roots = {placed.asset.name: int(model.body(placed.asset.name).id) for placed in scene.objects}
        self._fixed = {placed.asset.name for placed in scene.objects if placed.fixed}
        self._object_of_body = [_body_name(model, int(model.body_rootid[body])) for body in range(model.nbody)]
        self._joints = {
            (placed.asset.name, joint.name): int(model.joint(f"{placed.asset.name}__{joint.name}").id)
            for placed in scene.objects
            for joint in placed.asset.joints
            if joint.kind != "fixed"
        }
        mujoco.mj_forward(model, self._data)

    def step(self, count: int) -> None:
        """Advance by `count` steps; raises `EngineError` on a NaN or exploding state."""
        data = self._require_data()
        mujoco.mj_step(self._model, data, nstep=count)
        for kind in _STATE_WARNINGS:
            if data.warning[kind].number:
                raise EngineError(f"{kind.name} at {data.time:.3f} s: the state exploded", engine=self.name)
        require_valid_state(self.poses(), self.velocities(), engine=self.name)

    def poses(self) -> Mapping[str, Array]:
        """Return `world_from_asset` [4, 4] of every object by name."""
        data = self._require_data()
        pose_of_object = {}
        for name, body in self._roots.items():
            position, quat = self._model.body_pos[body], self._model.body_quat[body]
            if name not in self._fixed:
                address = self._model.jnt_qposadr[self._model.body_jntadr[body]]
                position, quat = data.qpos[address : address + 3], data.qpos[address + 3 : address + 7]
            pose_of_object[name] = rigid(rotation_from_quat_wxyz(quat), position)
        return pose_of_object

    def velocities(self) -> Mapping[str, Array]:
        """Return by object the velocity of its root link's centre of mass [m/s] and its spin [rad/s], world, [6]."""
        data, poses = self._require_data(), self.poses()
        velocity_of_object = {}
        for name, body in self._roots.items():
            if name in self._fixed:
                velocity_of_object[name] = np.zeros(6)
                continue
            address = self._model.body_dofadr[body]
            rotation = poses[name][:3, :3]
            spin = rotation @ data.qvel[address + 3 : address + 6]
            linear = data.qvel[address : address + 3] + np.cross(spin, rotation @ self._model.body_ipos[body])
            velocity_of_object[name] = np.concatenate([linear, spin])
        return velocity_of_object

    def set_pose(self, name: str, world_from_asset: Array) -> None:
        """Set an object's pose `world_from_asset` [4, 4], at rest, its joints at 0; raises `EngineError` on a NaN."""
        require_finite(world_from_asset, description=f"the pose of {name}", engine=self.name)
        data, body = self._require_data(), self._roots[name]
        if name in self._fixed:
            self._model.body_pos[body] = world_from_asset[:3, 3]
            self._model.body_quat[body] = quat_wxyz_from_rotation(world_from_asset[:3, :3])
        else:
            address = self._model.jnt_qposadr[self._model.body_jntadr[body]]
            data.qpos[address : address + 3] = world_from_asset[:3, 3]
            data.qpos[address + 3 : address + 7] = quat_wxyz_from_rotation(world_from_asset[:3, :3])
        for (asset, _), joint in self._joints.items():
            if asset == name:
                data.qpos[self._model.jnt_qposadr[joint]] = 0.0
        self.set_velocity(name, np.zeros(6))

    def set_velocity(self, name: str, velocity: Array) -> None:
        """Set an object's velocity [6] as in `velocities`, its joints at rest; raises `EngineError` on a NaN."""
        require_finite(velocity, description=f"the velocity of {name}", engine=self.name)
        data, body = self._require_data(), self._roots[name]
        if name not in self._fixed:
            quat = data.qpos[self._model.jnt_qposadr[self._model.body_jntadr[body]] + 3 :][:4]
            rotation = rotation_from_quat_wxyz(quat)
            address = self._model.body_dofadr[body]
            data.qvel[address : address + 3] = velocity[:3] - np.cross(
                velocity[3:], rotation @ self._model.body_ipos[body]
            )
            data.qvel[address + 3 : address + 6] = rotation.T @ velocity[3:]
        for (asset, _), joint in self._joints.items():
            if asset == name:
                data.qvel[self._model.jnt_dofadr[joint]] = 0.0
        data.qacc_warmstart[:] = 0.0

    def joints(self) -> Mapping[tuple[str, str], float]:
        """Return the position [rad or m] of every movable joint by (asset, joint)."""
        data = self._require_data()
        return {key: float(data.qpos[self._model.jnt_qposadr[joint]]) for key, joint in self._joints.items()}

    def set_joint(self, asset: str, joint: str, position: float) -> None:
        """Set the position of a joint [rad or m], at rest; the asset's root link does not move."""
        require_finite(np.array(position), description=f"the position of joint {joint}", engine=self.name)
        data, index = self._require_data(), self._joints[asset, joint]
        data.qpos[self._model.jnt_qposadr[index]] = position
        data.qvel[self._model.jnt_dofadr[index]] = 0.0

    def allow_sleep(self) -> None:
        """Do nothing: steps are cheap, and whether bodies sleep is an option of the model itself."""

    def contacts(self) -> list[Contact]:
        """Return the contacts between different objects or structures in the current state, without stepping."""
        data = self._require_data()
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_comPos(self._model, data)
        mujoco.mj_collision(self._model, data)
        bodies = self._model.geom_bodyid[data.contact.geom]
        rows = zip(bodies.tolist(), data.contact.dist.tolist(), data.contact.frame.tolist(), strict=True)
        return [
            Contact(
                first=self._object_of_body[first],
                second=self._object_of_body[second],
                depth_m=-distance,
                normal=(-frame[0], -frame[1], -frame[2]),
            )
            for (first, second), distance, frame in rows
        ]

    def close(self) -> None:
        """Free the engine."""
        self._model = self._data = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require_data(self) -> Any:
        if self._data is None:
            raise EngineError("no scene is loaded", engine=self.name)
        return self._data


def _body_name(model: Any, body: int) -> str:
    return str(model.body(body).name)
