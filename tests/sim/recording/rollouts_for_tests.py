"""Environments of boxes without physics for recording, sampled rollouts, and a camera with known images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from cousins.geometry import Array
from sim.bodies import build
from sim.bodies.controllers import Controller, ee_delta
from sim.envs.cousin_sampler import UniformAffordedSampler
from sim.envs.episodes import EpisodeConfig, Episodes
from sim.envs.robot_imperfections import RobotImperfections
from sim.envs.vector_env import CousinsVectorEnv
from sim.recording import Rollout, collect_rollouts, plan_episodes
from sim.tasks import build_task
from sim.tasks.task_source import TaskSource
from tests.sim.worlds_for_tests import FakeWorlds, boxes


def recording_env(rows: int = 2, *, horizon_s: float = 0.5, hold_s: float = 0.1) -> CousinsVectorEnv:
    """Return rows of three cousins that leave resets to the caller and show all groups."""
    source, body = boxes(3), build("pusher")
    staged = TaskSource(source, build_task("push", horizon_s=horizon_s), body.name)
    worlds = FakeWorlds(source, body, rows=rows, slots=staged.slots([0, 1, 2]))
    controller = Controller(ee_delta(body), body, rows)
    episodes = Episodes(worlds, staged, controller, robot=RobotImperfections(), config=EpisodeConfig(hold_s=hold_s))
    return CousinsVectorEnv(
        episodes,
        UniformAffordedSampler(staged, [0, 1, 2]),
        autoreset="disabled",
        observations="groups",
        provenance={"digest": "tiny"},
    )


def sample_rollouts(env: CousinsVectorEnv, count: int = 5) -> list[Rollout]:
    return list(collect_rollouts(env, plan_episodes(env, [0, 1, 2], count).episodes, seed=4))


class StepNumberCamera:
    """A camera whose images are uniformly grey, 20 levels brighter at each step."""

    width, height = 160, 32

    def render_rollout(self, rollout: Rollout, *, steps: Iterable[int] | None = None) -> Iterator[Array]:
        for step in range(rollout.steps) if steps is None else steps:
            yield np.full((self.height, self.width, 3), 20 * step, dtype=np.uint8)
