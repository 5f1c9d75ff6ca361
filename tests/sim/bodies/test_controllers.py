"""What actions ask of a body's drives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cousins.errors import SceneError
from cousins.geometry import Array, rotation_about
from sim.bodies import Body, build
from sim.bodies.controllers import Control, Controller, ee_delta, joint_delta, joint_velocity, tip_axes
from sim.bodies.kinematics import tip_chain, tip_kinematics

SHIPPED = ("pusher", "gripper", "panda")


def drawn(body: Body, rows: int) -> Array:
    joints = {joint.name: joint for joint in body.asset.joints}
    limits = np.array([[joints[drive.joint].lower, joints[drive.joint].upper] for drive in body.drives])
    return np.random.default_rng(3).uniform(limits[:, 0], limits[:, 1], (rows, len(body.drives)))


@pytest.mark.parametrize("name", SHIPPED)
def test_end_effector_deltas_move_the_tip_by_what_they_say(name: str) -> None:
    body = build(name)
    control = ee_delta(body, max_m_s=0.1)
    arm = Controller(control, body, 2)
    q = np.array([[drive.home for drive in body.drives]] * 2)
    arm.reset(np.ones(2, dtype=bool), q)
    begin = tip_kinematics(tip_chain(body), q).base_from_tip
    action = np.zeros((2, arm.action_size))
    action[:, :2] = [[1.0, 0.5], [-0.5, 1.0]]
    if "rz" in control.axes:
        action[:, control.axes.index("rz")] = 0.4
    for _ in range(5):
        q = q + arm.speeds(action, q) / control.rate_hz
    for _ in range(5):
        q = q + arm.speeds(0.0 * action, q) / control.rate_hz
    end = tip_kinematics(tip_chain(body), q).base_from_tip
    np.testing.assert_allclose(end[:, :2, 3] - begin[:, :2, 3], 0.025 * action[:, :2], atol=1e-3)
    np.testing.assert_allclose(end[:, 2, 3], begin[:, 2, 3], atol=1e-3)
    turn = 0.4 * 5 * control.max_rad_s / control.rate_hz if "rz" in control.axes else 0.0
    expected = rotation_about(np.array([0.0, 0.0, 1.0]), turn) @ begin[0, :3, :3]
    np.testing.assert_allclose(end[0, :3, :3], expected, atol=5e-3)


def test_an_axis_that_a_body_has_not_is_refused() -> None:
    assert tip_axes(build("pusher")) == ("x", "y")
    assert tip_axes(build("gripper")) == ("x", "y", "z", "rz")
    assert tip_axes(build("panda")) == ("x", "y", "z", "rx", "ry", "rz")
    with pytest.raises(SceneError, match="the axis 'z' for pusher; expected some of x, y"):
        ee_delta(build("pusher"), axes=("x", "z"))


def test_a_joint_delta_brings_back_what_sags() -> None:
    body = build("gripper")
    arm = Controller(joint_delta(body), body, 1)
    q = np.array([[drive.home for drive in body.drives]])
    arm.reset(np.array([True]), q)
    idle = np.array([[0.0, 0.0, 0.0, 0.0, 1.0]])
    sagged = q.copy()
    sagged[0, 2] -= 0.004
    assert arm.speeds(idle, sagged)[0, 2] == pytest.approx(0.08)
    assert arm.speeds(idle, q)[0, 2] == pytest.approx(0.0)


def test_a_target_runs_ahead_of_a_blocked_arm_by_two_commands_only() -> None:
    body = build("pusher")
    for control in (joint_delta(body), ee_delta(body)):
        arm = Controller(control, body, 1)
        q = np.array([[0.3, 0.0]])
        arm.reset(np.array([True]), q)
        for _ in range(50):
            blocked = arm.speeds(np.array([[1.0, 0.0]]), q)
        assert blocked[0, 0] == pytest.approx(0.25)
        for _ in range(2):
            back = arm.speeds(np.array([[-1.0, 0.0]]), q)
        assert back[0, 0] == pytest.approx(0.0, abs=0.01)


def test_the_hand_opens_and_closes_with_the_last_number() -> None:
    body = build("gripper")
    arm = Controller(joint_velocity(body), body, 5)
    q = np.array([[0.3, 0.0, 0.2, 0.0, 0.02, 0.02]] * 5)
    arm.reset(np.ones(5, dtype=bool), q)
    action = np.zeros((5, 5))
    action[:, 4] = [1.0, -1.0, 0.0, 0.25, -0.25]
    fingers = arm.speeds(action, q)[:, 4:]
    np.testing.assert_allclose(fingers[0], 0.1)
    np.testing.assert_allclose(fingers[1], -0.1)
    np.testing.assert_allclose(fingers[2], (0.0225 - 0.02) * 20.0)
    np.testing.assert_allclose(fingers[3:], fingers[:2])
    q[1, 4:] = 0.0
    np.testing.assert_allclose(arm.speeds(action, q)[1, 4:], -0.1)


def test_a_late_command_acts_when_its_time_has_come() -> None:
    body = build("gripper")
    control = replace(joint_velocity(body), latency_s=0.1, smoothing_s=0.0)
    assert isinstance(control, Control)
    assert control.late == 2
    arm = Controller(control, body, 2)
    q = np.array([[drive.home for drive in body.drives]] * 2)
    arm.reset(np.ones(2, dtype=bool), q)
    commands = [np.full((2, 5), 0.1 * step) for step in range(1, 5)]
    speeds = [arm.speeds(action, q) for action in commands]
    np.testing.assert_allclose(speeds[0][:, :4], 0.0)
    np.testing.assert_allclose(speeds[0][:, 4:], 0.0, atol=1e-9)
    np.testing.assert_allclose(speeds[2][:, :3], 0.015)
    arm.reset(np.array([False, True]), q)
    later = arm.speeds(commands[0], q)
    np.testing.assert_allclose(later[0, :3], 0.045)
    np.testing.assert_allclose(later[1, :3], 0.0)


def test_a_low_pass_smooths_commands_to_the_arm_and_brings_it_as_far() -> None:
    body = build("gripper")
    control = replace(joint_velocity(body), smoothing_s=0.1)
    arm = Controller(control, body, 2)
    q = np.array([[drive.home for drive in body.drives]] * 2)
    arm.reset(np.ones(2, dtype=bool), q)
    command = np.concatenate([np.ones(10), np.zeros(40)])
    speeds = np.array([arm.speeds(np.full((2, 5), value), q)[0] for value in command])
    first, stays = speeds[0, 0], np.exp(-0.05 / 0.1)
    assert first == pytest.approx(0.15 * (1.0 - stays))
    np.testing.assert_allclose(speeds[1:10, 0], 0.15 * (1.0 - stays ** np.arange(2, 11)))
    assert speeds[:, 0].sum() == pytest.approx(10 * 0.15, rel=1e-3)
    np.testing.assert_allclose(speeds[0, 4:], 0.1)
    arm.reset(np.array([True, False]), q)
    began = arm.speeds(np.ones((2, 5)), q)
    assert began[0, 0] == pytest.approx(first)


def test_actions_beyond_their_range_are_cut_and_speeds_stay_within_the_drives() -> None:
    body = build("panda")
    rng = np.random.default_rng(0)
    max_speed = np.array([drive.max_speed for drive in body.drives])
    for control in (joint_velocity(body), joint_delta(body), ee_delta(body)):
        arm = Controller(control, body, 4)
        q = drawn(body, 4)
        arm.reset(np.arange(4), q)
        for _ in range(20):
            speeds = arm.speeds(rng.normal(0.0, 1e6, (4, arm.action_size)), q)
            assert np.all(np.abs(speeds) <= max_speed)
            q = np.clip(q + speeds / 20.0, -3.0, 3.0)
