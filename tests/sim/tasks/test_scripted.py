"""The scripted robots that prove tasks in MuJoCo, in the law book of tasks, do them in PyBullet too."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from sim.envs.registration import env_id
from tests.sim.tasks import scenes_for_tests as scenes
from tests.sim.tasks import scripts_for_tests as scripts
from tests.sim.worlds_for_tests import TinySource


def played(task: str, source: TinySource, script: scripts.Script, *, engine: str):  # type: ignore[no-untyped-def]
    """Play an episode by a script; return its metrics and the rewards."""
    envs = gym.make_vec(env_id(task), num_envs=1, pack=source, split=[0], autoreset="disabled", engine=engine)
    envs.reset(seed=1)
    memory: dict[str, float] = {}
    rewards = []
    while True:
        episodes = envs.episodes
        view = episodes.view
        action = script(episodes.rows, view, 0, memory)
        _, reward, terminated, truncated, info = envs.step(action[None])
        rewards.append(float(reward[0]))
        if terminated[0] or truncated[0]:
            envs.close()
            return info["metrics"], np.array(rewards)


@pytest.mark.parametrize(
    ("task", "source", "script"),
    [
        ("push", scenes.table_source, scripts.push),
        ("lift", scenes.table_source, scripts.lift),
        ("close_drawer", scenes.drawer_source, scripts.push_handle),
        ("open_door", scenes.cabinet_source, scripts.pull_handle),
    ],
)
def test_a_scripted_robot_does_it_in_pybullet(task: str, source, script: scripts.Script) -> None:  # type: ignore[no-untyped-def]
    metrics, _ = played(task, source(), script, engine="pybullet")
    assert metrics["success_at_end"][0], (metrics["progress"], metrics["once"], metrics["at_end"])
