"""Probes of a cousin in an engine beside its gates: joints moved through their range, and an object grasped and lifted.

The grasp is that of the task `lift`, by a scripted hand: over the object, down, close, and up to the goal.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from cousins.geometry import Array
from cousins.plugins import load_backend
from cousins.scene.scenes import Scene
from sim.bodies.capabilities import capabilities_of
from sim.bodies.named import build as build_body
from sim.regress.episode_runs import EpisodeRunner
from sim.tasks import Episode, build_task
from sim.tasks.task_source import TaskSource
from sim.train.python_policies import PythonPolicyCard
from sim.validation.probes import sweep_joints
from sim.worlds.worlds import CousinSource

BACKENDS: Final = "sim.physics.backends"
GRASP_TASK: Final = "lift"
STEP_M: Final = 0.012
"""Distance that an action of 1 moves the tip by [m]."""
TURN_RAD: Final = 0.075
"""Angle that an action of 1 turns the hand by [rad]."""
CLEARANCE_M: Final = 0.12
"""Height over the grasp from which the hand comes down [m]."""
DOWN_ACTIONS: Final = 25
"""Most actions on the way down."""
CLOSE_ACTIONS: Final = 12
"""Actions until the fingers have closed."""


class ScriptedGrasp:
    """Lifts the target of one episode at a time; an `Actor`."""

    def __init__(self) -> None:
        self.card = PythonPolicyCard(task=GRASP_TASK)
        self.begin()

    def require_fit(self, observations: int, actions: int) -> None:
        """Accept the worlds of the task: their columns are known here."""

    def begin(self) -> None:
        """Begin an episode over the object, with an open hand."""
        self._phase, self._count = "over", 0

    def act(self, observations: Array) -> Array:
        """Return actions [1, 5] for observations [1, k] of the gripper."""
        numbers = observations[0]
        to_grasp, grasp_axis, finger_axis, to_goal = numbers[21:24], numbers[29:31], numbers[32:34], numbers[51:54]
        cross = finger_axis[0] * grasp_axis[1] - finger_axis[1] * grasp_axis[0]
        turn = float(np.clip(np.arctan2(cross, finger_axis @ grasp_axis) / TURN_RAD, -1.0, 1.0))
        self._count += 1
        if self._phase == "over":
            over = to_grasp + np.array([0.0, 0.0, CLEARANCE_M])
            if np.linalg.norm(over) < 0.008 and abs(turn) < 0.3:
                self._phase, self._count = "down", 0
            return np.array([[*np.clip(over / STEP_M, -1.0, 1.0), turn, 1.0]])
        if self._phase == "down":
            if -to_grasp[2] < 0.006 or self._count > DOWN_ACTIONS:
                self._phase, self._count = "close", 0
            return np.array([[*np.clip(to_grasp / STEP_M, -0.8, 0.8), turn, 1.0]])
        if self._phase == "close":
            if self._count > CLOSE_ACTIONS:
                self._phase, self._count = "up", 0
            return np.array([[0.0, 0.0, 0.0, 0.0, -1.0]])
        return np.array([[*np.clip(to_goal / STEP_M, -0.5, 0.5), 0.0, -1.0]])


def joint_errors(scene: Scene, engine: str) -> list[float]:
    """Return how far each joint of a scene's objects ends outside its limits when swept [rad or m]."""
    module = load_backend(BACKENDS, engine, kind="engine")
    with module.build(module.Config()) as built:
        return [sweep.worst_error for placed in scene.objects for sweep in sweep_joints(placed.asset, built)]


def grasps(source: CousinSource, cousin: int, engine: str, *, starts: int, seed: int) -> list[bool]:
    """Return whether the target of a cousin is lifted and held, by start; none where nothing can be grasped."""
    task = build_task(GRASP_TASK)
    capabilities = capabilities_of(build_body(task.bodies[0], urdf=None))
    if not isinstance(TaskSource(source, task, capabilities).episode(cousin), Episode):
        return []
    with EpisodeRunner(ScriptedGrasp(), source=source, cousins=[cousin], engine=engine, seed=seed) as runner:
        return [runner.run(cousin, start).success for start in range(starts)]


def probed(source: CousinSource, cousin: int, engine: str, *, starts: int, seed: int) -> dict[str, Any]:
    """Return the probes of a cousin as JSON values."""
    return {
        "joint_errors": joint_errors(source.scene(cousin), engine),
        "grasps": grasps(source, cousin, engine, starts=starts, seed=seed),
    }
