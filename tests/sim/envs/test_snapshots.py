"""An environment that goes on from what was saved does what the unbroken one does."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from cousins.errors import InputError
from sim.envs.robot_imperfections import RobotImperfectionRanges, RobotImperfections
from sim.envs.snapshots import environment_arrays, restore_environment
from tests.sim.tasks.scenes_for_tests import drawer_source, table_source
from tests.sim.worlds_for_tests import TinySource, boxes

ROBOT = RobotImperfections(position_noise_m=0.003, joint_noise=0.001, latency_steps=2)
ROBOTS = {"next_step": ROBOT, "same_step": RobotImperfectionRanges()}


def make_envs(task: str, source: TinySource, **options: object) -> gym.vector.VectorEnv:  # type: ignore[type-arg]
    split = sorted(source.scenes)
    options = {"robot": ROBOT, "task_options": {"horizon_s": 1.5}} | options
    return gym.make_vec(f"cousins/{task}-v0", num_envs=3, pack=source, split=split, **options)


def random_steps(envs: gym.vector.VectorEnv, steps: int, seed: int) -> list[np.ndarray]:  # type: ignore[type-arg]
    rng, results = np.random.default_rng(seed), []
    for _ in range(steps):
        observations, reward, terminated, truncated, info = envs.step(rng.uniform(-1.0, 1.0, envs.action_space.shape))
        results += [observations, reward, terminated, truncated, info["cousin"], info["held_s"]]
        if "metrics" in info:
            results.append(info["metrics"]["return"])
    return results


@pytest.mark.parametrize("autoreset", ["next_step", "same_step"])
@pytest.mark.parametrize(("task", "source"), [("Push", lambda: boxes(3)), ("CloseDrawer", drawer_source)])
def test_a_restored_environment_continues_bit_for_bit(task: str, source, autoreset: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    unbroken = make_envs(task, source(), autoreset=autoreset, robot=ROBOTS[autoreset])
    unbroken.reset(seed=3)
    random_steps(unbroken, 37, seed=0)
    np.savez(tmp_path / "saved.npz", **environment_arrays(unbroken))
    expected = random_steps(unbroken, 45, seed=1)
    later = make_envs(task, source(), autoreset=autoreset, robot=ROBOTS[autoreset])
    with np.load(tmp_path / "saved.npz") as arrays:
        restore_environment(later, arrays)
    for expected_values, values in zip(expected, random_steps(later, 45, seed=1), strict=True):
        np.testing.assert_array_equal(expected_values, values)
    unbroken.close()
    later.close()


def test_a_broken_row_continues_with_its_next_episode() -> None:
    envs = make_envs("Push", boxes(3))
    envs.reset(seed=3)
    actions = np.zeros((3, 2))
    actions[1] = np.nan
    for _ in range(3):
        truncated = envs.step(actions)[3]
    assert truncated[1]
    arrays = environment_arrays(envs)
    assert not arrays["world/1"].size
    expected = random_steps(envs, 8, seed=1)
    later = make_envs("Push", boxes(3))
    restore_environment(later, arrays)
    for expected_values, values in zip(expected, random_steps(later, 8, seed=1), strict=True):
        np.testing.assert_array_equal(expected_values, values)


def test_a_snapshot_of_another_environment_is_refused() -> None:
    envs = make_envs("Push", table_source())
    envs.reset(seed=0)
    with pytest.raises(InputError, match="saved of another environment"):
        restore_environment(make_envs("Pull", table_source(), body="gripper"), environment_arrays(envs))
