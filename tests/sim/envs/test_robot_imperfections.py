"""Noise of sensors: its size on each quantity, and which rows have it."""

from __future__ import annotations

import numpy as np
import pytest

from sim.envs.robot_imperfections import RobotBatch, RobotImperfections
from sim.worlds.worlds import State
from tests.sim.worlds_for_tests import FakeWorlds, boxes

ROWS = 400


def observed(robot: RobotImperfections) -> tuple[State, State]:
    """Return a state of many equal rows, and what is observed of it."""
    from sim.bodies import build
    from sim.tasks import build_task
    from sim.tasks.task_source import TaskSource

    body = build("pusher")
    staged = TaskSource(boxes(1), build_task("push"), body.name)
    state = FakeWorlds(staged, body, rows=ROWS, slots=staged.slots([0])).read()
    state.quat_wxyz[:] = [1.0, 0.0, 0.0, 0.0]
    robots = RobotBatch(robot, ROWS, len(body.drives))
    rngs = [np.random.default_rng(row) for row in range(ROWS)]
    for row in range(ROWS):
        robots.begin(row, rngs[row])
    return state, robots.add_sensor_noise(state, rngs, np.arange(ROWS))


def test_noise_of_orientations_turns_every_object_by_the_stated_angle_about_each_axis() -> None:
    state, noisy = observed(RobotImperfections(angle_noise_rad=0.04))
    turns_rad = 2.0 * noisy.quat_wxyz[..., 1:].reshape(-1, 3)
    assert turns_rad.std(axis=0) == pytest.approx([0.04] * 3, rel=0.15)
    assert np.abs(turns_rad.mean(axis=0)).max() < 0.01
    np.testing.assert_array_equal(noisy.position_m, state.position_m)
    np.testing.assert_array_equal(noisy.joint_position, state.joint_position)


def test_noise_of_positions_moves_every_object_by_the_stated_distance_along_each_axis() -> None:
    state, noisy = observed(RobotImperfections(position_noise_m=0.006))
    moves_m = (noisy.position_m - state.position_m).reshape(-1, 3)
    assert moves_m.std(axis=0) == pytest.approx([0.006] * 3, rel=0.15)
    np.testing.assert_array_equal(noisy.quat_wxyz, state.quat_wxyz)


def test_a_robot_without_noise_observes_the_state_itself() -> None:
    state, observed_state = observed(RobotImperfections())
    assert observed_state is state
