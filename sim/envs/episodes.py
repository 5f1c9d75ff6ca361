"""Episodes of a task in a batch of worlds: begin, step and evaluate them, independent of Gymnasium.

Rows are independent: the cousin of a row, the end of its episode and its random numbers depend on no other row, so row
i of a batch evolves exactly as a batch of one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from cousins.errors import InputError
from cousins.geometry import Array
from sim.bodies.columns import action_columns, body_columns, last_action_columns
from sim.bodies.controllers import Controller
from sim.envs.robot_imperfections import RobotBatch, RobotImperfectionRanges, RobotImperfections
from sim.tasks import EpisodeBatch, Task
from sim.tasks.batch_rotations import in_frame
from sim.tasks.episode import Episode, EpisodeStart, sample_start
from sim.tasks.episode_batch import empty_batch, put_episode, put_start
from sim.tasks.shared_observations import body_features, privileged_features
from sim.tasks.task_source import TaskSource
from sim.tasks.task_view import TaskView, task_view, up_axes
from sim.worlds.worlds import State, Worlds

OBSERVATION_LIMIT: Final = 10.0
"""Largest magnitude of an observation [m, rad, m/s, rad/s]; larger values, of objects that fell off, are clipped."""


@dataclass(frozen=True, kw_only=True)
class EpisodeConfig:
    """Timing of episodes."""

    control_hz: float = 20.0
    """Actions per second [Hz]; rounded so that a whole number of engine steps lies between two."""
    hold_s: float = 1.0
    """How long the success condition must have held at the end of an episode to count as success [s]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StepResult:
    """Result of one step of all n rows."""

    policy: Array
    """Observations of a policy, float32 [n, p]."""
    privileged: Array
    """Observations for a critic alone, float32 [n, q]."""
    reward: Array
    """Reward of the step [n]."""
    progress: Array
    """Progress of the task after the step, 0 to 1 [n]."""
    successes: Array
    """Whether the success condition of each threshold profile holds now, bool [n, profiles]."""
    held_s: Array
    """For how long the condition of the first profile has held without a break [s], shape [n]."""
    failed: Array
    """Whether the target was lost, bool [n]."""
    timed_out: Array
    """Whether the horizon of the episode has been reached, bool [n]."""
    faults: list[str]
    """Fault of each row's world in the engine's words; empty where there is none."""


class Episodes:
    """A batch of worlds with one episode of a task in each row."""

    def __init__(
        self,
        worlds: Worlds,
        task_source: TaskSource,
        controller: Controller,
        *,
        robot: RobotImperfections | RobotImperfectionRanges,
        config: EpisodeConfig,
    ) -> None:
        self.worlds, self.task_source, self.controller = worlds, task_source, controller
        self.robots = RobotBatch(robot, worlds.size, len(worlds.body.drives))
        controller.allow(self.robots.max_latency_steps)
        self.task: Task = task_source.task
        self.substeps = max(1, round(1.0 / (config.control_hz * worlds.timestep_s)))
        self.step_s = self.substeps * worlds.timestep_s
        self.horizon = max(1, round(self.task.horizon_s / self.step_s))
        self.hold_steps = max(1, round(config.hold_s / self.step_s))
        n = worlds.size
        self.rows: EpisodeBatch = empty_batch(n, worlds.slots, worlds.body, parts=self.task.max_parts)
        self.cousin = np.full(n, -1, dtype=np.int64)
        self.length = np.zeros(n, dtype=np.int64)
        self.held = np.zeros(n, dtype=np.int64)
        self.action = np.zeros((n, controller.action_size))
        self.noise = [np.random.default_rng(0) for _ in range(n)]
        self.policy = np.zeros((n, 0), dtype=np.float32)
        self.privileged = np.zeros((n, 0), dtype=np.float32)
        self.action_columns = action_columns(controller.control, worlds.body)
        self.columns = (*body_columns(worlds.body), *self.task.columns, *last_action_columns(self.action_columns))
        self._state: State | None = None
        self.view: TaskView | None = None

    def begin(self, row: int, index: int, rng: np.random.Generator) -> None:
        """Begin an episode of a row in cousin `index`; `observe` must follow. Raises `EngineError` and `InputError`."""
        episode = self.task_source.afforded(index)
        self._require_slots(index, episode)
        start: EpisodeStart = sample_start(episode, rng)
        self.worlds.load_cousin(row, index)
        for name, pose in start.placements:
            self.worlds.place(row, name, pose)
        put_episode(self.rows, row, episode, self.worlds.slots)
        if start.joint is not None:
            self.worlds.set_joint(row, int(self.rows.joint[row]), start.joint)
        self.cousin[row], self.length[row], self.held[row] = index, 0, 0
        self.action[row] = 0.0
        self.noise[row] = np.random.default_rng(rng.integers(2**63))
        self.controller.delay(row, self.robots.begin(row, self.noise[row]))

    def observe(self, begun_rows: Sequence[int]) -> tuple[Array, Array]:
        """Return the observations of policy and critic, float32 [n, p] and [n, q], after `begun_rows` have begun."""
        state = self.worlds.read()
        object_up_axes = up_axes(state.quat_wxyz)
        tips = in_frame(self.rows.world_from_base, (state.tip_position_m - self.rows.base_m)[:, None])[:, 0]
        for row in begun_rows:
            put_start(self.rows, row, state, object_up_axes[row], tips[row])
        rows = np.asarray(begun_rows, dtype=np.int64)
        self.controller.reset(rows, state.drive_position)
        self._update_observations(state, rows)
        return self.policy.copy(), self.privileged.copy()

    def arrays(self) -> dict[str, Array]:
        """Return the state of the episodes by name, as views: arrays [n, ...] that a snapshot reads and writes."""
        names = ("cousin", "length", "held", "action", "policy", "privileged")
        robots = {f"robots.{name}": values for name, values in self.robots.arrays().items()}
        return {**{name: getattr(self, name) for name in names}, **robots}

    def refresh_state(self) -> None:
        """Recompute the derived state after the worlds and all arrays were restored."""
        self._state = self.worlds.read()
        self.view = self._view_of_state(self._state)

    def step(self, actions: Array) -> StepResult:
        """Advance all rows by one action [n, size] in [-1, 1] each."""
        assert self._state is not None, "begin and observe come first"
        self.action[:] = actions
        return self.step_drives(self.controller.speeds(self.action, self._state.drive_position))

    def step_drives(self, speeds: Array) -> StepResult:
        """Advance all rows by one control step at drive speeds [n, drives], as a controller elsewhere gives them."""
        faults = self.worlds.step(speeds * self.robots.gain, self.substeps)
        state = self.worlds.read()
        is_broken = np.array([bool(fault) for fault in faults])
        if is_broken.any():
            state = _zero_broken_rows(state, is_broken)
        view = self._update_observations(state, np.flatnonzero(~is_broken))
        outcome = self.task.judge(self.rows, view)
        self.length += 1
        self.held[:] = np.where(outcome.successes[:, 0] & ~is_broken, self.held + 1, 0)
        return StepResult(
            policy=self.policy.copy(),
            privileged=self.privileged.copy(),
            reward=np.where(is_broken, 0.0, outcome.reward),
            progress=np.where(is_broken, 0.0, outcome.progress),
            successes=outcome.successes & ~is_broken[:, None],
            held_s=self.held * self.step_s,
            failed=outcome.failed & ~is_broken,
            timed_out=self.length >= self.horizon,
            faults=faults,
        )

    def _require_slots(self, index: int, episode: Episode) -> None:
        object_names = {part.name for part in episode.parts} | set(episode.bystanders)
        missing = sorted(object_names - set(self.worlds.slots.objects))
        if missing:
            raise InputError(
                f"cousin {index}, which shows {missing[0]!r}",
                expected="a cousin of those that the environment was made for",
                hint="Name it in `split` too: its numbers may stand there, or the name of its split.",
            )

    def _update_observations(self, state: State, rows: Array) -> TaskView:
        """Compute the observations of a state, and store those of the rows with the numbers `rows`."""
        view = self._view_of_state(state)
        noisy_state = self.robots.add_sensor_noise(state, self.noise, rows)
        noisy_view = view if noisy_state is state else self._view_of_state(noisy_state)
        policy_parts = [body_features(self.rows, noisy_view), self.task.observe(self.rows, noisy_view), self.action]
        policy, privileged = np.concatenate(policy_parts, axis=1), privileged_features(self.rows, view)
        if not self.policy.shape[1]:
            self.policy = np.zeros(policy.shape, dtype=np.float32)
            self.privileged = np.zeros(privileged.shape, dtype=np.float32)
        self.policy[rows] = np.clip(policy[rows], -OBSERVATION_LIMIT, OBSERVATION_LIMIT)
        self.privileged[rows] = np.clip(privileged[rows], -OBSERVATION_LIMIT, OBSERVATION_LIMIT)
        self._state, self.view = state, view
        return view

    def _view_of_state(self, state: State) -> TaskView:
        current = None if self.task.choose is None else self.task.choose(self.rows, state)
        return task_view(self.rows, state, current=current)


def _zero_broken_rows(state: State, is_broken: Array) -> State:
    """Return the state with zeros in broken rows, bool [n], whose values are undefined."""
    arrays = {name: getattr(state, name).copy() for name in (field.name for field in fields(State))}
    for values in arrays.values():
        values[is_broken] = 0
    return State(**arrays)
