"""A simulated cell: one cousin of a pack with a body and a task, stepped by its targets.

Each target advances the world by one control step, so a run takes as long as its loop does and a frozen process is a
frozen world. It supplies every column of its task, as its environment does: it is for trying the road to a robot, and
its numbers are those of a simulation.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from cousins.errors import CellError
from cousins.geometry import Array
from sim.bodies.controllers import Controller
from sim.cells.body_specs import spec_of_body
from sim.cells.cell import CellObservation, CellSpec, Sent, Target
from sim.envs.make_env import make_env
from sim.envs.vector_env import CousinsVectorEnv


@dataclass(frozen=True, kw_only=True)
class Config:
    """A cousin as a cell."""

    name: str = "simulated"
    """Name of the cell."""
    pack: str = ""
    """Pack folder, or NAME:TAG@STORE."""
    cousin: int = 0
    """Number of the cousin; 0 is the twin."""
    task: str = "push"
    """Name of the task."""
    body: str | None = None
    """Name of the body; None for the task's first."""
    control_hz: float = 20.0
    """Targets per second [Hz]."""
    engine: str = "mujoco"
    """Name of the engine."""
    seed: int = 0
    """Seed of the start."""


def build(config: Config) -> SimulatedCell:
    """Return the cell; its world is made when it connects."""
    return SimulatedCell(config)


def stop_line(config: Config) -> SimulatedStopLine:
    """Return a line that has nothing to do: a world without its process stands still."""
    return SimulatedStopLine(config)


class SimulatedCell:
    """The `Cell` protocol on a row of an environment."""

    def __init__(self, config: Config, env: CousinsVectorEnv | None = None) -> None:
        self.config = config
        self._env = env
        self._spec: CellSpec | None = None
        self._columns: Array = np.zeros(0)
        self._seq, self._fault, self._is_stopped = 0, "", False

    @property
    def spec(self) -> CellSpec:
        """What it is; known from `connect` on."""
        if self._spec is None:
            raise CellError("connect comes first", kind="not connected")
        return self._spec

    def connect(self) -> None:
        """Make the world and begin its episode."""
        config = self.config
        if self._env is None:
            self._env = make_env(
                pack=config.pack,
                task=config.task,
                split=[config.cousin],
                engine=config.engine,
                body=config.body,
                control_hz=config.control_hz,
                autoreset="disabled",
            )
        self._columns, _ = self._env.reset(seed=config.seed, options={"cousin": config.cousin})
        episodes = self._env.episodes
        self._spec = spec_of_body(
            self._env.body,
            accel_time_s=0.5 / config.control_hz,
            control_hz=config.control_hz,
            name=config.name,
            actions=("joint_velocity",),
            supplies=tuple(column.name for column in episodes.columns if not column.name.startswith("last_action.")),
            pack_digest=episodes.task_source.source.digest,
            stop_kind="the drives stop; the world stands still until the next target",
            domain="sim",
            driver=f"simulated, {episodes.worlds.name}",
            version=episodes.worlds.version,
        )

    def observe(self) -> CellObservation:
        """Return drives and columns as the environment has them."""
        env = self._world()
        state, arm = env.episodes.worlds.read(), len(self.spec.joints)
        self._seq += 1
        names = (column.name for column in env.episodes.columns)
        values = dict(zip(names, self._columns[0].tolist(), strict=True))
        return CellObservation(
            seq=self._seq,
            t_capture_ns=time.monotonic_ns(),
            q=state.drive_position[0, :arm].copy(),
            dq=state.drive_velocity[0, :arm].copy(),
            gripper=self._opening(env.episodes.controller, state.drive_position[0, arm:]),
            columns={name: values[name] for name in self.spec.supplies},
            faults=(self._fault,) if self._fault else (),
        )

    def send(self, target: Target) -> Sent:
        """Advance the world by one control step at the speeds of a target."""
        if target.dq is None:
            raise CellError("positions were sent to a cell that takes speeds", kind="wrong target")
        if self._is_stopped:
            raise CellError("a target after a stop", kind="stopped")
        self._step(target.dq, target.gripper)
        return Sent(seq=target.seq, t_ns=time.monotonic_ns(), q=None, dq=target.dq, gripper=target.gripper)

    def hold(self) -> None:
        """Advance the world by one control step with the arm at rest and the hand as it is."""
        self._step(np.zeros(len(self.spec.joints)), None)

    def stop(self, reason: str) -> None:
        """Send nothing more; the world stands still."""
        del reason
        self._is_stopped = True

    def close(self) -> None:
        """Release the engine."""
        if self._env is not None:
            self._env.close()
            self._env = None

    def _world(self) -> CousinsVectorEnv:
        if self._env is None:
            raise CellError("connect comes first", kind="not connected")
        return self._env

    def _step(self, dq: Array, gripper: float | None) -> None:
        episodes = self._world().episodes
        arm, controller = len(self.spec.joints), episodes.controller
        speeds = np.zeros((1, len(controller.body.drives)))
        speeds[0, :arm] = dq
        if gripper is not None:
            fingers = episodes.worlds.read().drive_position[:, arm:]
            speeds[:, arm:] = controller.finger_speeds(np.array([[gripper]]), fingers)
        result = episodes.step_drives(speeds)
        self._columns, self._fault = result.policy, result.faults[0]

    def _opening(self, controller: Controller, fingers: Array) -> float | None:
        if not self.spec.has_gripper:
            return None
        joints = {joint.name: joint for joint in controller.body.asset.joints}
        limits = [(joints[name].lower, joints[name].upper) for name in controller.body.fingers]
        shares = [(place - low) / (high - low) for place, (low, high) in zip(fingers, limits, strict=True)]
        return float(np.clip(np.mean(shares), 0.0, 1.0))


class SimulatedStopLine:
    """Nothing to stop: the world advances by its targets alone."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def stop(self, reason: str) -> None:
        """Do nothing; the driver has been ended."""
        del reason

    def close(self) -> None:
        """Do nothing."""
