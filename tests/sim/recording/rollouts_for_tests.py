"""Environments of boxes without physics, ready to be recorded."""

from __future__ import annotations

from sim.bodies import build
from sim.bodies.controllers import Controller, ee_delta
from sim.envs.cousin_sampler import Uniform
from sim.envs.episodes import EpisodeConfig, Episodes
from sim.envs.robot_imperfections import Robot
from sim.envs.vector_env import CousinsVectorEnv
from sim.recording import Rollout, gather, plan_of
from sim.tasks import build_task
from sim.tasks.task_source import Staged
from tests.sim.worlds_for_tests import FakeWorlds, boxes


def recorded_env(rows: int = 2, *, horizon_s: float = 0.5, hold_s: float = 0.1) -> CousinsVectorEnv:
    """Return rows of three cousins that leave resets to the caller and show all groups."""
    source, body = boxes(3), build("pusher")
    staged = Staged(source, build_task("push", horizon_s=horizon_s), body.name)
    worlds = FakeWorlds(source, body, rows=rows, slots=staged.slots([0, 1, 2]))
    controller = Controller(ee_delta(body), body, rows)
    episodes = Episodes(worlds, staged, controller, robot=Robot(), config=EpisodeConfig(hold_s=hold_s))
    return CousinsVectorEnv(
        episodes,
        Uniform(staged, [0, 1, 2]),
        autoreset="disabled",
        observations="groups",
        label={"digest": "tiny"},
    )


def some(env: CousinsVectorEnv, count: int = 5) -> list[Rollout]:
    return list(gather(env, plan_of(env, [0, 1, 2], count).episodes, seed=4))
