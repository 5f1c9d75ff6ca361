"""From actions to drive speeds: joint velocity, joint delta, end-effector delta; all rows at once.

An action holds numbers from -1 to 1, the hand's last: at `FULL_GRIP_ACTION` and more it opens, at its negative and less
it closes, as grippers do that can only open and close; between lies an opening. Deltas move a target that the drives
follow, so what sags under a load is brought back, as real controllers do; a target runs ahead of the drives by no more
than they can make up for in `MAX_LEAD_COMMANDS` commands. Commands may act late: a queue of whole commands. The
commands to the arm may pass a low pass, as in many real controllers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from cousins.errors import SceneError
from cousins.geometry import Array
from sim.bodies.body import Body
from sim.bodies.kernels import steer_tips
from sim.bodies.kinematics import TipChain, tip_chain, tip_kinematics

ControlKind = Literal["joint_velocity", "joint_delta", "ee_delta"]
TIP_AXES: Final = ("x", "y", "z", "rx", "ry", "rz")
"""Motions of a tip: along and about the base's axes."""
FULL_GRIP_ACTION: Final = 0.25
"""Magnitude of the hand's action from which it opens or closes all the way, whatever the object."""
MAX_LEAD_COMMANDS: Final = 2.0
"""Most that a target runs ahead [commands at full speed]."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """What an action means."""

    kind: ControlKind
    """Which controller."""
    rate_hz: float
    """Commands per second."""
    latency_s: float = 0.0
    """Time until a command acts [s]; rounded to whole commands."""
    smoothing_s: float = 0.0
    """Time constant of a low pass over the commands to the arm [s]; 0 for none."""
    axes: tuple[str, ...] = ()
    """For `ee_delta`: motions of the tip that an action holds, of `TIP_AXES`; the others are held where the arm can."""
    max_m_s: float = 0.5
    """For `ee_delta`: speed along an axis at 1 [m/s]."""
    max_rad_s: float = 1.5
    """For `ee_delta`: speed about an axis at 1 [rad/s]."""
    share: float = 1.0
    """For joints: share of each drive's largest speed that 1 stands for."""
    damping: float = 0.02
    """For `ee_delta`: of the least squares [m or rad]; larger is calmer where the arm is stretched."""

    @property
    def late(self) -> int:
        """Whole commands by which an action acts late."""
        return round(self.latency_s * self.rate_hz)


def joint_velocity(body: Body, *, share: float = 1.0) -> Control:
    """Return the control of each drive's speed, at the rate and with the latency of the real body."""
    return _joint_control("joint_velocity", body, share)


def joint_delta(body: Body, *, share: float = 1.0) -> Control:
    """Return the control that moves a target for each drive."""
    return _joint_control("joint_delta", body, share)


def ee_delta(
    body: Body, *, axes: tuple[str, ...] = (), max_m_s: float | None = None, max_rad_s: float = 1.5
) -> Control:
    """Return the control that moves a target for the tip, along and about the base's axes.

    Without `axes` they are all that the body can move its tip along and about; raises `SceneError` for others.
    """
    able = tip_axes(body)
    unable = [axis for axis in axes if axis not in able]
    if unable:
        raise SceneError(
            f"the axis {unable[0]!r} for {body.name}", expected=f"some of {', '.join(able)}", hint="Leave it out."
        )
    slides = [
        drive.max_speed for drive in body.drives if drive.joint not in body.fingers and _is_prismatic(body, drive.joint)
    ]
    return Control(
        kind="ee_delta",
        rate_hz=body.control_hz,
        latency_s=body.latency_s,
        smoothing_s=body.smoothing_s,
        axes=axes or able,
        max_m_s=max_m_s if max_m_s is not None else min(slides, default=0.5),
        max_rad_s=max_rad_s,
    )


def tip_axes(body: Body) -> tuple[str, ...]:
    """Return the motions of the tip that the drives make at home."""
    jacobian = tip_kinematics(tip_chain(body), np.array([[drive.home for drive in body.drives]])).jacobian[0]
    left, sizes, _ = np.linalg.svd(jacobian)
    rank = int((sizes > 1e-3).sum())
    able = np.linalg.norm(left[:, :rank], axis=1) > 0.5
    return tuple(axis for axis, is_able in zip(TIP_AXES, able, strict=True) if is_able)


def action_size(control: Control, body: Body) -> int:
    """Return how many numbers an action holds."""
    arm = len(control.axes) if control.kind == "ee_delta" else len(body.drives) - len(body.fingers)
    return arm + bool(body.fingers)


def hand_opening(action: Array) -> Array:
    """Return the opening of the hand, 0 to 1, that its actions ask for; both have the same shape [...]."""
    return np.asarray(0.5 * (np.clip(action / FULL_GRIP_ACTION, -1.0, 1.0) + 1.0))


class Controller:
    """A control of the bodies in all rows; holds their targets and the commands on their way."""

    def __init__(self, control: Control, body: Body, rows: int) -> None:
        self.control = control
        self.body = body
        self.action_size = action_size(control, body)
        self._chain: TipChain = tip_chain(body)
        joints = {joint.name: joint for joint in body.asset.joints}
        self._lower = np.array([joints[drive.joint].lower for drive in body.drives])
        self._upper = np.array([joints[drive.joint].upper for drive in body.drives])
        self._max_speed = np.array([drive.max_speed for drive in body.drives])
        self._arm = len(body.drives) - len(body.fingers)
        self._target = np.zeros((rows, len(body.drives)))
        self._pose = np.tile(np.eye(4), (rows, 1, 1))
        self._each = np.arange(rows)
        self._late = np.full(rows, control.late)
        self._queue = np.zeros((control.late + 1, rows, self.action_size))
        self._stays = math.exp(-1.0 / (control.rate_hz * control.smoothing_s)) if control.smoothing_s else 0.0
        self._smooth = np.zeros((rows, self.action_size - bool(body.fingers)))
        self._rows = np.array([TIP_AXES.index(axis) for axis in control.axes], dtype=np.int64)
        self._scale = np.where(self._rows < 3, control.max_m_s, control.max_rad_s) / control.rate_hz
        lead = MAX_LEAD_COMMANDS / control.rate_hz
        self._settings = (lead * control.max_m_s, lead * control.max_rad_s, float(control.rate_hz), control.damping)

    def reset(self, rows: Array, drive_position: Array) -> None:
        """Restart some rows, bool [n] or numbers, at drive positions [n, drives], no command on its way."""
        self._target[rows] = drive_position[rows]
        self._pose[rows] = tip_kinematics(self._chain, drive_position[rows]).base_from_tip
        self._queue[:, rows] = 0.0
        self._smooth[rows] = 0.0
        if self.body.fingers:
            shut, open_ = self._stops()
            held = (drive_position[rows, self._arm :] - shut) / (open_ - shut)
            self._queue[:, rows, -1] = FULL_GRIP_ACTION * (2.0 * held.mean(axis=1) - 1.0)

    def allow(self, later: int) -> None:
        """Make room for rows whose commands act so many commands later than the control has them; all restart."""
        self._queue = np.zeros((self.control.late + later + 1, len(self._each), self.action_size))

    def delay(self, row: int, later: int) -> None:
        """Delay the commands of a row by so many commands more than the control does."""
        self._late[row] = self.control.late + later

    def arrays(self) -> dict[str, Array]:
        """Return the state by name, not copied: targets [n, drives] and [n, 4, 4], queue [k, n, action_size]."""
        moving = {"target": self._target, "pose": self._pose, "smooth": self._smooth}
        return moving | {"queue": self._queue, "late": self._late}

    def speeds(self, action: Array, drive_position: Array) -> Array:
        """Return the speeds [n, drives] that actions [n, action_size] ask for at drive positions [n, drives].

        Call it once a command: targets move and the queue advances. A NaN in an action stays one.
        """
        self._queue[:-1] = self._queue[1:]
        self._queue[-1] = np.clip(action, -1.0, 1.0)
        action = self._queue[len(self._queue) - 1 - self._late, self._each]
        speeds = np.empty_like(drive_position)
        arm = action[:, : self.action_size - bool(self.body.fingers)]
        if self._stays:
            arm = self._smooth[:] = self._stays * self._smooth + (1.0 - self._stays) * arm
        if self.control.kind == "joint_velocity":
            speeds[:, : self._arm] = arm * (self.control.share * self._max_speed[: self._arm])
        elif self.control.kind == "joint_delta":
            speeds[:, : self._arm] = self._joints(arm, drive_position[:, : self._arm])
        else:
            speeds[:, : self._arm] = self._tip(arm, drive_position)
        if self.body.fingers:
            opening = hand_opening(action[:, -1:])
            speeds[:, self._arm :] = self.finger_speeds(opening, drive_position[:, self._arm :])
        return np.asarray(np.clip(speeds, -self._max_speed, self._max_speed))

    def _joints(self, action: Array, position: Array) -> Array:
        lower, upper, max_speed = (limits[: self._arm] for limits in (self._lower, self._upper, self._max_speed))
        step = max_speed * self.control.share / self.control.rate_hz
        lead = MAX_LEAD_COMMANDS * step
        target = np.clip(self._target[:, : self._arm] + action * step, position - lead, position + lead)
        self._target[:, : self._arm] = np.clip(target, lower, upper)
        return np.asarray((self._target[:, : self._arm] - position) * self.control.rate_hz)

    def _tip(self, action: Array, drive_position: Array) -> Array:
        """Return arm speeds by damped least squares (Wampler 1986; Nakamura and Hanafusa 1986)."""
        now = tip_kinematics(self._chain, drive_position)
        max_speed, action = self._max_speed[: self._arm], np.ascontiguousarray(action)
        to = (self._rows, self._scale, now.base_from_tip, now.jacobian, max_speed, self._settings)
        return np.asarray(steer_tips(self._pose, action, *to))

    def finger_speeds(self, opening: Array, position: Array) -> Array:
        """Return finger speeds [n, fingers] towards openings [n, 1], 0 to 1, from finger positions [n, fingers]."""
        shut, open_ = self._stops()
        return np.asarray((shut + opening * (open_ - shut) - position) * self.control.rate_hz)

    def _stops(self) -> tuple[Array, Array]:
        """Return where shutting and opening bring the fingers: a full command beyond their stops, so that they grip."""
        beyond = self._max_speed[self._arm :] / self.control.rate_hz
        return self._lower[self._arm :] - beyond, self._upper[self._arm :] + beyond


def _joint_control(kind: ControlKind, body: Body, share: float) -> Control:
    """Return a control of joints at the rate, with the latency and the smoothing of the real body."""
    rate_hz, latency_s, smoothing_s = body.control_hz, body.latency_s, body.smoothing_s
    return Control(kind=kind, rate_hz=rate_hz, latency_s=latency_s, smoothing_s=smoothing_s, share=share)


def _is_prismatic(body: Body, name: str) -> bool:
    return any(joint.name == name and joint.kind == "prismatic" for joint in body.asset.joints)
