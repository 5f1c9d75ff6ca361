"""What a robot does not do as told and does not see as it is: gain, latency and noise of an environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cousins.geometry import Array
from cousins.vary.distributions import Distribution, Uniform
from sim.worlds.worlds import State


@dataclass(frozen=True, kw_only=True)
class Robot:
    """How a robot differs from a perfect one; the defaults are perfect."""

    gain: float | tuple[float, ...] = 1.0
    """By how much drives run faster than they are told; one for all, or one for each."""
    latency_steps: int = 0
    """Actions that pass until one acts."""
    position_noise_m: float = 0.0
    """Standard deviation of what is seen of each place, along each axis [m]."""
    angle_noise_rad: float = 0.0
    """The same of each object's orientation, about each axis [rad]."""
    joint_noise: float = 0.0
    """The same of the objects' joints [rad or m]."""


@dataclass(frozen=True, kw_only=True)
class RobotRanges:
    """Robots to draw from. The defaults are wide, for training: few real arms with a camera over them are outside."""

    gain: Distribution = Uniform(low=0.7, high=1.3)
    """Of each drive's speed over what it is told."""
    latency_steps: Distribution = Uniform(low=0.0, high=3.0)
    """Actions by which the robot acts later than it says; rounded."""
    position_noise_m: Distribution = Uniform(low=0.0, high=0.008)
    """Standard deviation of each place that is seen [m]."""
    angle_noise_rad: Distribution = Uniform(low=0.0, high=0.06)
    """The same of each orientation [rad]."""
    joint_noise: Distribution = Uniform(low=0.0, high=0.012)
    """The same of each joint [rad or m]."""
    perfect: float = 0.0
    """Share of the episodes with a perfect robot instead."""

    def draw(self, rng: np.random.Generator, *, drives: int) -> Robot:
        """Return one of them."""
        if self.perfect and rng.random() < self.perfect:
            return Robot()
        late, position, angle, joint = rng.random(4).tolist()
        return Robot(
            gain=tuple(self.gain.at(share) for share in rng.random(drives).tolist()),
            latency_steps=round(self.latency_steps.at(late)),
            position_noise_m=self.position_noise_m.at(position),
            angle_noise_rad=self.angle_noise_rad.at(angle),
            joint_noise=self.joint_noise.at(joint),
        )


class Robots:
    """The robots of all rows: the same one in each, or one drawn anew for each episode."""

    def __init__(self, given: Robot | RobotRanges, rows: int, drives: int) -> None:
        self.vary = True
        """Whether robots are drawn; while it is False, those of ranges are perfect."""
        self._given = given
        self._gain = np.ones((rows, drives))
        self._late = np.zeros(rows, dtype=np.int64)
        self._noise = np.zeros((rows, 3))

    @property
    def latest(self) -> int:
        """Most actions that pass until one acts."""
        given = self._given
        return given.latency_steps if isinstance(given, Robot) else round(given.latency_steps.ends[1])

    @property
    def gain(self) -> Array:
        """Of each drive [n, drives]."""
        return self._gain

    def begin(self, row: int, rng: np.random.Generator) -> int:
        """Give a row its robot; return the actions that pass until one acts."""
        drives = self._gain.shape[1]
        robot = self._given
        if isinstance(robot, RobotRanges):
            robot = robot.draw(rng, drives=drives) if self.vary else Robot()
        self._gain[row] = robot.gain
        self._late[row] = robot.latency_steps
        self._noise[row] = robot.position_noise_m, robot.angle_noise_rad, robot.joint_noise
        return robot.latency_steps

    def arrays(self) -> dict[str, Array]:
        """Return the arrays themselves that tell which robots there are."""
        return {"gain": self._gain, "late": self._late, "noise": self._noise}

    def sensed(self, state: State, rngs: Sequence[np.random.Generator], rows: Array) -> State:
        """Return the state as some rows, by number, see it; each takes its noise from its own generator.

        Where all robots see what is there, it is the state itself.
        """
        if not self._noise.any():
            return state
        k, j = state.position_m.shape[1], state.joint_position.shape[1]
        noise = np.zeros((len(rngs), 6 * k + j))
        for row in rows:
            noise[row] = rngs[row].standard_normal(6 * k + j)
        shift, turn = noise[:, : 3 * k].reshape(-1, k, 3), noise[:, 3 * k : 6 * k].reshape(-1, k, 3)
        position, angle, joint = self._noise.T
        return replace(
            state,
            position_m=state.position_m + position[:, None, None] * shift,
            quat_wxyz=_turned(state.quat_wxyz, angle[:, None, None] * turn),
            joint_position=state.joint_position + joint[:, None] * noise[:, 6 * k :],
        )


def _turned(quat_wxyz: Array, turn_rad: Array) -> Array:
    """Return quaternions [..., 4] turned by small rotation vectors [..., 3] in the world."""
    w, v = quat_wxyz[..., :1], quat_wxyz[..., 1:]
    half = 0.5 * turn_rad
    turned_w = w - (half * v).sum(axis=-1, keepdims=True)
    turned_v = v + w * half + np.cross(half, v)
    return np.asarray(np.concatenate([turned_w, turned_v], axis=-1))
