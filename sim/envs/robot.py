"""What a robot does not do as told and does not see as it is: gain, latency and noise of an environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cousins.geometry import Array
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

    @property
    def exact(self) -> bool:
        """True where what is seen is as it is."""
        return not (self.position_noise_m or self.angle_noise_rad or self.joint_noise)

    def sensed(self, state: State, rngs: Sequence[np.random.Generator], rows: Array) -> State:
        """Return the state as some rows, by number, see it; each takes its noise from its own generator."""
        k, j = state.position_m.shape[1], state.joint_position.shape[1]
        noise = np.zeros((len(rngs), 6 * k + j))
        for row in rows:
            noise[row] = rngs[row].standard_normal(6 * k + j)
        shift, turn = noise[:, : 3 * k].reshape(-1, k, 3), noise[:, 3 * k : 6 * k].reshape(-1, k, 3)
        return replace(
            state,
            position_m=state.position_m + self.position_noise_m * shift,
            quat_wxyz=_turned(state.quat_wxyz, self.angle_noise_rad * turn),
            joint_position=state.joint_position + self.joint_noise * noise[:, 6 * k :],
        )


def _turned(quat_wxyz: Array, turn_rad: Array) -> Array:
    """Return quaternions [..., 4] turned by small rotation vectors [..., 3] in the world."""
    w, v = quat_wxyz[..., :1], quat_wxyz[..., 1:]
    half = 0.5 * turn_rad
    turned_w = w - (half * v).sum(axis=-1, keepdims=True)
    turned_v = v + w * half + np.cross(half, v)
    return np.asarray(np.concatenate([turned_w, turned_v], axis=-1))
