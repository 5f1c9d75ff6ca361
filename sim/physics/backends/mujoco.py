"""MuJoCo over the very MJCF that a scene folder ships, without the looks.

Automatic resets are off, so that a NaN stays and is reported. Friction of an object against structure is that of
`cousins.scene.contact_friction`; nothing bounces: see `cousins.scene.robot_formats.mjcf_writer`.
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
from sim.physics.engine import Contact, require_finite, require_loadable, require_sane

_BROKEN = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)


@dataclass(frozen=True, kw_only=True)
class Config:
    """How MuJoCo steps."""

    timestep_s: float | None = None
    """Step [s]; None keeps the one that the MJCF says."""


def for_trials() -> Config:
    """Return how cousins are tried."""
    return Config()


def build(config: Config) -> MujocoEngine:
    """Return an engine without a scene."""
    return MujocoEngine(config)


class MujocoEngine:
    """The engine protocol over one model and its data."""

    name = "mujoco"

    def __init__(self, config: Config) -> None:
        self.config = config
        self.version = str(mujoco.__version__)
        self.timestep_s = config.timestep_s if config.timestep_s is not None else 0.002
        self._model: Any = None
        self._data: Any = None
        self._owner: list[str] = []
        self._roots: dict[str, int] = {}
        self._fixed: set[str] = set()
        self._joints: dict[tuple[str, str], int] = {}

    def load(self, scene: Scene) -> None:
        """Build the scene as it lies, at rest, joints at 0; raises `EngineError`."""
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
        self._owner = [_name(model, int(model.body_rootid[body])) for body in range(model.nbody)]
        self._joints = {
            (placed.asset.name, joint.name): int(model.joint(f"{placed.asset.name}__{joint.name}").id)
            for placed in scene.objects
            for joint in placed.asset.joints
            if joint.kind != "fixed"
        }
        mujoco.mj_forward(model, self._data)

    def step(self, count: int) -> None:
        """Advance by `count` steps; raises `EngineError` on a NaN or exploding state."""
        data = self._loaded()
        mujoco.mj_step(self._model, data, nstep=count)
        for kind in _BROKEN:
            if data.warning[kind].number:
                raise EngineError(f"{kind.name} at {data.time:.3f} s: the state exploded", engine=self.name)
        require_sane(self.poses(), self.velocities(), engine=self.name)

    def poses(self) -> Mapping[str, Array]:
        """Return `world_from_asset` [4, 4] of every object by name."""
        data = self._loaded()
        found = {}
        for name, body in self._roots.items():
            position, turn = self._model.body_pos[body], self._model.body_quat[body]
            if name not in self._fixed:
                at = self._model.jnt_qposadr[self._model.body_jntadr[body]]
                position, turn = data.qpos[at : at + 3], data.qpos[at + 3 : at + 7]
            found[name] = rigid(rotation_from_quat_wxyz(turn), position)
        return found

    def velocities(self) -> Mapping[str, Array]:
        """Return by object the velocity of its root link's centre of mass [m/s] and its spin [rad/s], world, [6]."""
        data, poses = self._loaded(), self.poses()
        found = {}
        for name, body in self._roots.items():
            if name in self._fixed:
                found[name] = np.zeros(6)
                continue
            at = self._model.body_dofadr[body]
            rotation = poses[name][:3, :3]
            spin = rotation @ data.qvel[at + 3 : at + 6]
            linear = data.qvel[at : at + 3] + np.cross(spin, rotation @ self._model.body_ipos[body])
            found[name] = np.concatenate([linear, spin])
        return found

    def set_pose(self, name: str, world_from_asset: Array) -> None:
        """Put an object somewhere, at rest, its joints at 0; raises `EngineError` on a NaN."""
        require_finite(world_from_asset, what=f"the pose of {name}", engine=self.name)
        data, body = self._loaded(), self._roots[name]
        if name in self._fixed:
            self._model.body_pos[body] = world_from_asset[:3, 3]
            self._model.body_quat[body] = quat_wxyz_from_rotation(world_from_asset[:3, :3])
        else:
            at = self._model.jnt_qposadr[self._model.body_jntadr[body]]
            data.qpos[at : at + 3] = world_from_asset[:3, 3]
            data.qpos[at + 3 : at + 7] = quat_wxyz_from_rotation(world_from_asset[:3, :3])
        for (asset, _), joint in self._joints.items():
            if asset == name:
                data.qpos[self._model.jnt_qposadr[joint]] = 0.0
        self.set_velocity(name, np.zeros(6))

    def set_velocity(self, name: str, velocity: Array) -> None:
        """Give an object a velocity as in `velocities`, its joints at rest; raises `EngineError` on a NaN."""
        require_finite(velocity, what=f"the velocity of {name}", engine=self.name)
        data, body = self._loaded(), self._roots[name]
        if name not in self._fixed:
            turn = data.qpos[self._model.jnt_qposadr[self._model.body_jntadr[body]] + 3 :][:4]
            rotation = rotation_from_quat_wxyz(turn)
            at = self._model.body_dofadr[body]
            data.qvel[at : at + 3] = velocity[:3] - np.cross(velocity[3:], rotation @ self._model.body_ipos[body])
            data.qvel[at + 3 : at + 6] = rotation.T @ velocity[3:]
        for (asset, _), joint in self._joints.items():
            if asset == name:
                data.qvel[self._model.jnt_dofadr[joint]] = 0.0
        data.qacc_warmstart[:] = 0.0

    def joints(self) -> Mapping[tuple[str, str], float]:
        """Return the position [rad or m] of every movable joint by (asset, joint)."""
        data = self._loaded()
        return {key: float(data.qpos[self._model.jnt_qposadr[joint]]) for key, joint in self._joints.items()}

    def set_joint(self, asset: str, joint: str, position: float) -> None:
        """Put a joint somewhere [rad or m], at rest; the asset's root stays where it is."""
        require_finite(np.array(position), what=f"the position of joint {joint}", engine=self.name)
        data, index = self._loaded(), self._joints[asset, joint]
        data.qpos[self._model.jnt_qposadr[index]] = position
        data.qvel[self._model.jnt_dofadr[index]] = 0.0

    def allow_sleep(self) -> None:
        """Do nothing: steps are cheap, and sleeping is a choice of the shipped model."""

    def contacts(self) -> list[Contact]:
        """Return the contacts of the present state between different objects or structures, without stepping."""
        data = self._loaded()
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_comPos(self._model, data)
        mujoco.mj_collision(self._model, data)
        bodies = self._model.geom_bodyid[data.contact.geom]
        rows = zip(bodies.tolist(), data.contact.dist.tolist(), data.contact.frame.tolist(), strict=True)
        return [
            Contact(
                first=self._owner[first],
                second=self._owner[second],
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

    def _loaded(self) -> Any:
        if self._data is None:
            raise EngineError("no scene is loaded", engine=self.name)
        return self._data


def _name(model: Any, body: int) -> str:
    return str(model.body(body).name)
