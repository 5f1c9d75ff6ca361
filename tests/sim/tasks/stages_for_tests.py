"""One row of worlds without physics in which a task has begun; a test moves things and asks how it is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cousins.geometry import Array, quat_wxyz_from_rotation, rotation_about
from sim.bodies import build
from sim.bodies.controllers import Controller, joint_velocity
from sim.envs.episodes import EpisodeConfig, Episodes
from sim.envs.robot_imperfections import RobotImperfections
from sim.tasks import Episode, StepOutcome, Task, TaskView, build_task
from sim.tasks.shared_observations import body_features
from sim.tasks.task_source import TaskSource
from sim.tasks.task_view import task_view
from tests.sim.worlds_for_tests import FakeWorlds, TinySource


@dataclass
class Stage:
    """A task that has begun."""

    task: Task
    episodes: Episodes
    worlds: FakeWorlds

    @property
    def episode(self) -> Episode:
        return self.episodes.task_source.afforded(0)

    def column(self, name: str) -> int:
        return self.worlds.slots.objects.index(name)

    def put(self, name: str, position_m: Array, *, tilt_rad: float = 0.0) -> None:
        """Put an object somewhere, tilted about x."""
        self.worlds.position[0, self.column(name)] = position_m
        turn = rotation_about(np.array([1.0, 0.0, 0.0]), tilt_rad)
        self.worlds.quat[0, self.column(name)] = quat_wxyz_from_rotation(turn)

    def reach(self, point_m: Array) -> None:
        """Put the tip of a hand on rails at a point of the world [3] [m]."""
        rows = self.episodes.rows
        self.worlds.drives[0, :3] = rows.world_from_base[0].T @ (point_m - self.worlds.base[0])

    def move(self, name: str, velocity: Array) -> None:
        self.worlds.velocity[0, self.column(name), :3] = velocity

    def open(self, share: float, *, speed: float = 0.0) -> None:
        """Put the joint of the task between closed (0) and open (1)."""
        hinge = self.episode.hinge
        assert hinge is not None
        column = int(self.episodes.rows.joint[0])
        self.worlds.joint[0, column] = hinge.closed + share * (hinge.opened - hinge.closed)
        self.worlds.joint_speed[0, column] = speed

    def view(self) -> TaskView:
        state = self.worlds.read()
        rows = self.episodes.rows
        return task_view(rows, state, current=None if self.task.choose is None else self.task.choose(rows, state))

    def outcome(self) -> StepOutcome:
        return self.task.judge(self.episodes.rows, self.view())

    def holds(self) -> set[str]:
        """Return the profiles whose condition holds now."""
        outcome = self.outcome()
        return {name for name, holds_now in zip(self.task.profiles, outcome.successes[0], strict=True) if holds_now}

    def observation(self) -> Array:
        """Return what a policy sees of the task and of the body."""
        view, rows = self.view(), self.episodes.rows
        return np.concatenate([body_features(rows, view)[0], self.task.observe(rows, view)[0]])


def staged(task: str, source: TinySource, *, body: str | None = None, seed: int = 0, **options: object) -> Stage:
    """Begin a task in the first cousin of a source, its start fixed where the options fix it."""
    built_task = build_task(task, **options)
    machine = build(body or built_task.bodies[0])
    wrapped = TaskSource(source, built_task, machine.name)
    worlds = FakeWorlds(wrapped, machine, rows=1, slots=wrapped.slots([0]))
    controller = Controller(joint_velocity(machine), machine, 1)
    episodes = Episodes(worlds, wrapped, controller, robot=RobotImperfections(), config=EpisodeConfig())
    episodes.begin(0, 0, np.random.default_rng(seed))
    episodes.observe([0])
    return Stage(task=built_task, episodes=episodes, worlds=worlds)
