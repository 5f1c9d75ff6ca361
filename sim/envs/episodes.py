"""Episodes of a task side by side in a batch of worlds: begin them, step them, tell how they go. Knows no Gymnasium.

Every row is by itself: which cousin it shows, when its episode ends, and which random numbers it takes depend on no
other row, so row i of many does what a batch of one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from cousins.errors import InputError
from cousins.geometry import Array
from sim.bodies.controllers import Controller
from sim.envs.robot_imperfections import Robot, RobotRanges, Robots
from sim.tasks import Rows, Task
from sim.tasks.batch_rotations import into
from sim.tasks.episode import Drawn, Episode, drawn
from sim.tasks.episode_batch import empty_rows, put_episode, put_start
from sim.tasks.shared_observations import body_features, privileged_features
from sim.tasks.task_source import Staged
from sim.tasks.task_view import View, own_up, see
from sim.worlds.worlds import State, Worlds

FARTHEST: Final = 10.0
"""Observations are cut to this [m, rad and per second]: what is farther has fallen out of the world."""


@dataclass(frozen=True, kw_only=True)
class EpisodeConfig:
    """How episodes run."""

    control_hz: float = 20.0
    """Actions a second; a whole number of the engine's steps lies between two."""
    hold_s: float = 1.0
    """How long the condition must hold at the end to be a success [s]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Stepped:
    """What a step gave, row by row."""

    policy: Array
    """What a policy sees, float32 [n, p]."""
    privileged: Array
    """What only a critic may see, float32 [n, q]."""
    reward: Array
    """[n]."""
    progress: Array
    """[n]."""
    successes: Array
    """Whether each profile's condition holds now, bool [n, profiles]."""
    held_s: Array
    """For how long ours has held without a break [s], [n]."""
    failed: Array
    """Whether the target was lost, bool [n]."""
    over: Array
    """Whether the time of the episode has passed, bool [n]."""
    faults: list[str]
    """What broke in a row, empty for nothing."""


class Episodes:
    """Rows of worlds with a task in each."""

    def __init__(
        self,
        worlds: Worlds,
        staged: Staged,
        controller: Controller,
        *,
        robot: Robot | RobotRanges,
        config: EpisodeConfig,
    ) -> None:
        self.worlds, self.staged, self.controller = worlds, staged, controller
        self.robots = Robots(robot, worlds.size, len(worlds.body.drives))
        controller.allow(self.robots.latest)
        self.task: Task = staged.task
        self.substeps = max(1, round(1.0 / (config.control_hz * worlds.timestep_s)))
        self.step_s = self.substeps * worlds.timestep_s
        self.horizon = max(1, round(self.task.horizon_s / self.step_s))
        self.hold_steps = max(1, round(config.hold_s / self.step_s))
        n = worlds.size
        self.rows: Rows = empty_rows(n, worlds.slots, worlds.body, parts=self.task.most_parts)
        self.cousin = np.full(n, -1, dtype=np.int64)
        self.length = np.zeros(n, dtype=np.int64)
        self.held = np.zeros(n, dtype=np.int64)
        self.action = np.zeros((n, controller.action_size))
        self.noise = [np.random.default_rng(0) for _ in range(n)]
        self.policy = np.zeros((n, 0), dtype=np.float32)
        self.privileged = np.zeros((n, 0), dtype=np.float32)
        self._state: State | None = None
        self.view: View | None = None

    def begin(self, row: int, index: int, rng: np.random.Generator) -> None:
        """Let a row begin an episode in a cousin; raises `EngineError` and `InputError`. `observe` must follow."""
        episode = self.staged.afforded(index)
        self._require_columns(index, episode)
        start: Drawn = drawn(episode, rng)
        self.worlds.show(row, index)
        for name, pose in start.placements:
            self.worlds.place(row, name, pose)
        put_episode(self.rows, row, episode, self.worlds.slots)
        if start.joint is not None:
            self.worlds.set_joint(row, int(self.rows.joint[row]), start.joint)
        self.cousin[row], self.length[row], self.held[row] = index, 0, 0
        self.action[row] = 0.0
        self.noise[row] = np.random.default_rng(rng.integers(2**63))
        self.controller.delay(row, self.robots.begin(row, self.noise[row]))

    def observe(self, begun: Sequence[int]) -> tuple[Array, Array]:
        """Return what policy and critic see after some rows have begun, float32 [n, p] and [n, q]."""
        state = self.worlds.read()
        up = own_up(state.quat_wxyz)
        tips = into(self.rows.world_from_base, (state.tip_position_m - self.rows.base_m)[:, None])[:, 0]
        for row in begun:
            put_start(self.rows, row, state, up[row], tips[row])
        rows = np.asarray(begun, dtype=np.int64)
        self.controller.reset(rows, state.drive_position)
        self._remember(state, rows)
        return self.policy.copy(), self.privileged.copy()

    def arrays(self) -> dict[str, Array]:
        """Return the arrays themselves that tell how far the episodes are."""
        names = ("cousin", "length", "held", "action", "policy", "privileged")
        robots = {f"robots.{name}": values for name, values in self.robots.arrays().items()}
        return {**{name: getattr(self, name) for name in names}, **robots}

    def take_up(self) -> None:
        """Go on after the worlds and all arrays were put back."""
        self._state = self.worlds.read()
        self.view = self._see(self._state)

    def step(self, actions: Array) -> Stepped:
        """Advance all rows by one action [n, size] in [-1, 1] each."""
        assert self._state is not None, "begin and observe come first"
        self.action[:] = actions
        speeds = self.controller.speeds(self.action, self._state.drive_position) * self.robots.gain
        faults = self.worlds.step(speeds, self.substeps)
        state = self.worlds.read()
        broken = np.array([bool(fault) for fault in faults])
        if broken.any():
            state = _calm(state, broken)
        view = self._remember(state, np.flatnonzero(~broken))
        judged = self.task.judge(self.rows, view)
        self.length += 1
        self.held[:] = np.where(judged.successes[:, 0] & ~broken, self.held + 1, 0)
        return Stepped(
            policy=self.policy.copy(),
            privileged=self.privileged.copy(),
            reward=np.where(broken, 0.0, judged.reward),
            progress=np.where(broken, 0.0, judged.progress),
            successes=judged.successes & ~broken[:, None],
            held_s=self.held * self.step_s,
            failed=judged.failed & ~broken,
            over=self.length >= self.horizon,
            faults=faults,
        )

    def _require_columns(self, index: int, episode: Episode) -> None:
        named = {part.name for part in episode.parts} | set(episode.bystanders)
        missing = sorted(named - set(self.worlds.slots.objects))
        if missing:
            raise InputError(
                f"cousin {index}, which shows {missing[0]!r}",
                expected="a cousin of those that the environment was made for",
                hint="Name it in `split` too: its numbers may stand there, or the name of its split.",
            )

    def _remember(self, state: State, seen: Array) -> View:
        """Look at a state and keep what some rows, by number, see; the others keep what they saw last."""
        view = self._see(state)
        noisy = self.robots.sensed(state, self.noise, seen)
        sensed = view if noisy is state else self._see(noisy)
        parts = [body_features(self.rows, sensed), self.task.observe(self.rows, sensed), self.action]
        policy, privileged = np.concatenate(parts, axis=1), privileged_features(self.rows, view)
        if not self.policy.shape[1]:
            self.policy = np.zeros(policy.shape, dtype=np.float32)
            self.privileged = np.zeros(privileged.shape, dtype=np.float32)
        self.policy[seen] = np.clip(policy[seen], -FARTHEST, FARTHEST)
        self.privileged[seen] = np.clip(privileged[seen], -FARTHEST, FARTHEST)
        self._state, self.view = state, view
        return view

    def _see(self, state: State) -> View:
        current = None if self.task.choose is None else self.task.choose(self.rows, state)
        return see(self.rows, state, current=current)


def _calm(state: State, broken: Array) -> State:
    """Return the state with zeros in broken rows [n], where it may hold anything."""
    rows = {name: getattr(state, name).copy() for name in (field.name for field in fields(State))}
    for values in rows.values():
        values[broken] = 0
    return State(**rows)
