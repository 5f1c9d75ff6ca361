"""An environment that goes on from what was saved does what the unbroken one does."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from cousins.errors import InputError
from sim.envs.robot_imperfections import Robot, RobotRanges
from sim.envs.snapshots import resume, saved
from tests.sim.tasks.scenes_for_tests import drawer_source, table_source
from tests.sim.worlds_for_tests import TinySource, boxes

ROBOT = Robot(position_noise_m=0.003, joint_noise=0.001, latency_steps=2)
ROBOTS = {"next_step": ROBOT, "same_step": RobotRanges()}


def made(task: str, source: TinySource, **options: object) -> gym.vector.VectorEnv:  # type: ignore[type-arg]
    split = sorted(source.scenes)
    options = {"robot": ROBOT, "task_options": {"horizon_s": 1.5}} | options
    return gym.make_vec(f"cousins/{task}-v0", num_envs=3, pack=source, split=split, **options)


def played(envs: gym.vector.VectorEnv, steps: int, seed: int) -> list[np.ndarray]:  # type: ignore[type-arg]
    rng, found = np.random.default_rng(seed), []
    for _ in range(steps):
        seen, reward, terminated, truncated, info = envs.step(rng.uniform(-1.0, 1.0, envs.action_space.shape))
        found += [seen, reward, terminated, truncated, info["cousin"], info["held_s"]]
        if "metrics" in info:
            found.append(info["metrics"]["return"])
    return found


@pytest.mark.parametrize("autoreset", ["next_step", "same_step"])
@pytest.mark.parametrize(("task", "source"), [("Push", lambda: boxes(3)), ("CloseDrawer", drawer_source)])
def test_what_was_saved_goes_on_bit_for_bit(task: str, source, autoreset: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    unbroken = made(task, source(), autoreset=autoreset, robot=ROBOTS[autoreset])
    unbroken.reset(seed=3)
    played(unbroken, 37, seed=0)
    np.savez(tmp_path / "saved.npz", **saved(unbroken))
    wanted = played(unbroken, 45, seed=1)
    later = made(task, source(), autoreset=autoreset, robot=ROBOTS[autoreset])
    with np.load(tmp_path / "saved.npz") as found:
        resume(later, found)
    for one, other in zip(wanted, played(later, 45, seed=1), strict=True):
        np.testing.assert_array_equal(one, other)
    unbroken.close()
    later.close()


def test_a_broken_row_goes_on_with_its_next_episode() -> None:
    envs = made("Push", boxes(3))
    envs.reset(seed=3)
    actions = np.zeros((3, 2))
    actions[1] = np.nan
    for _ in range(3):
        truncated = envs.step(actions)[3]
    assert truncated[1]
    found = saved(envs)
    assert not found["world/1"].size
    wanted = played(envs, 8, seed=1)
    later = made("Push", boxes(3))
    resume(later, found)
    for one, other in zip(wanted, played(later, 8, seed=1), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_was_saved_of_another_environment_is_refused() -> None:
    envs = made("Push", table_source())
    envs.reset(seed=0)
    with pytest.raises(InputError, match="saved of another environment"):
        resume(made("Pull", table_source(), body="gripper"), saved(envs))
