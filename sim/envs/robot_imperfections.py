"""Imperfections of a robot: drive gain, action latency and observation noise of an environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cousins.geometry import Array
from cousins.vary.distributions import Distribution, Uniform
from sim.worlds.worlds import State


@dataclass(frozen=True, kw_only=True)
class RobotImperfections:
    """Deviations of a robot from a perfect one; the defaults are perfect."""

    gain: float | tuple[float, ...] = 1.0
    """Ratio of actual to commanded drive speed; one for all drives, or one for each."""
    latency_steps: int = 0
    """Delay of an action, in control steps."""
    position_noise_m: float = 0.0
    """Standard deviation of observed positions along each axis [m]."""
    angle_noise_rad: float = 0.0
    """Standard deviation of observed object orientations about each axis [rad]."""
    joint_noise: float = 0.0
    """Standard deviation of observed positions of the objects' joints [rad or m]."""


@dataclass(frozen=True, kw_only=True)
class RobotImperfectionRanges:
    """Distributions that robots are sampled from.

    The defaults are wide, for training: few real arms with an overhead camera lie outside.
    """

    gain: Distribution = Uniform(low=0.7, high=1.3)
    """Ratio of actual to commanded speed, of each drive."""
    latency_steps: Distribution = Uniform(low=0.0, high=3.0)
    """Delay of actions in control steps; rounded."""
    position_noise_m: Distribution = Uniform(low=0.0, high=0.008)
    """Standard deviation of observed positions [m]."""
    angle_noise_rad: Distribution = Uniform(low=0.0, high=0.06)
    """Standard deviation of observed orientations [rad]."""
    joint_noise: Distribution = Uniform(low=0.0, high=0.012)
    """Standard deviation of observed joint positions [rad or m]."""
    perfect_share: float = 0.0
    """Share of the episodes with a perfect robot, 0 to 1."""

    def sample(self, rng: np.random.Generator, *, drives: int) -> RobotImperfections:
        """Return a robot with `drives` drives, sampled from the distributions."""
        if self.perfect_share and rng.random() < self.perfect_share:
            return RobotImperfections()
        latency, position, angle, joint = rng.random(4).tolist()
        return RobotImperfections(
            gain=tuple(self.gain.at_quantile(quantile) for quantile in rng.random(drives).tolist()),
            latency_steps=round(self.latency_steps.at_quantile(latency)),
            position_noise_m=self.position_noise_m.at_quantile(position),
            angle_noise_rad=self.angle_noise_rad.at_quantile(angle),
            joint_noise=self.joint_noise.at_quantile(joint),
        )


class RobotBatch:
    """The robots of all rows: the same one in each row, or one that is sampled for each episode."""

    def __init__(self, imperfections: RobotImperfections | RobotImperfectionRanges, rows: int, drives: int) -> None:
        self.randomise = True
        """Whether robots are sampled from ranges; while False, episodes with ranges have a perfect robot."""
        self._imperfections = imperfections
        self._gain = np.ones((rows, drives))
        self._latency_steps = np.zeros(rows, dtype=np.int64)
        self._noise = np.zeros((rows, 3))

    @property
    def max_latency_steps(self) -> int:
        """Largest possible delay of an action, in control steps."""
        imperfections = self._imperfections
        if isinstance(imperfections, RobotImperfections):
            return imperfections.latency_steps
        return round(imperfections.latency_steps.bounds[1])

    @property
    def gain(self) -> Array:
        """Ratio of actual to commanded speed of each drive [n, drives]."""
        return self._gain

    def begin(self, row: int, rng: np.random.Generator) -> int:
        """Set the robot of a row for its next episode, and return its delay in control steps."""
        drives = self._gain.shape[1]
        robot = self._imperfections
        if isinstance(robot, RobotImperfectionRanges):
            robot = robot.sample(rng, drives=drives) if self.randomise else RobotImperfections()
        self._gain[row] = robot.gain
        self._latency_steps[row] = robot.latency_steps
        self._noise[row] = robot.position_noise_m, robot.angle_noise_rad, robot.joint_noise
        return robot.latency_steps

    def arrays(self) -> dict[str, Array]:
        """Return the parameters of all robots by name, arrays [n, ...], as views: a snapshot reads and writes them."""
        return {"gain": self._gain, "late": self._latency_steps, "noise": self._noise}

    def add_sensor_noise(self, state: State, rngs: Sequence[np.random.Generator], rows: Array) -> State:
        """Return the state with noise added in the rows numbered `rows` [m]; each row uses its own generator.

        The state itself is returned where no robot has noise.
        """
        if not self._noise.any():
            return state
        object_count, joint_count = state.position_m.shape[1], state.joint_position.shape[1]
        noise = np.zeros((len(rngs), 6 * object_count + joint_count))
        for row in rows:
            noise[row] = rngs[row].standard_normal(6 * object_count + joint_count)
        position_noise, rotation_noise = np.moveaxis(noise[:, : 6 * object_count].reshape(-1, 2, object_count, 3), 1, 0)
        position_std_m, angle_std_rad, joint_std = self._noise.T
        return replace(
            state,
            position_m=state.position_m + position_std_m[:, None, None] * position_noise,
            quat_wxyz=_rotate_quaternions(state.quat_wxyz, angle_std_rad[:, None, None] * rotation_noise),
            joint_position=state.joint_position + joint_std[:, None] * noise[:, 6 * object_count :],
        )


def _rotate_quaternions(quat_wxyz: Array, rotation_rad: Array) -> Array:
    """Return quaternions [..., 4] rotated by small world-frame rotation vectors [..., 3], to first order."""
    w, v = quat_wxyz[..., :1], quat_wxyz[..., 1:]
    half_rotation = 0.5 * rotation_rad
    rotated_w = w - (half_rotation * v).sum(axis=-1, keepdims=True)
    rotated_v = v + w * half_rotation + np.cross(half_rotation, v)
    return np.asarray(np.concatenate([rotated_w, rotated_v], axis=-1))
