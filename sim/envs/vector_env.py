"""Cousins as a Gymnasium vector environment: each row shows a cousin, and another one after each episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from cousins.errors import EngineError, InputError
from cousins.geometry import Array
from sim.bodies.body import Body
from sim.bodies.columns import Column
from sim.envs.cousin_sampler import FeedbackSampler, Sampler
from sim.envs.episodes import OBSERVATION_LIMIT, Episodes, StepResult
from sim.envs.metrics import EpisodeMetrics
from sim.tasks.shared_observations import PRIVILEGED_COLUMNS
from sim.tasks.task import Task

OBSERVATION_GROUPS: Final = ("policy", "privileged")
"""Groups of observations: of a policy, and those for a critic alone."""
SAMPLER_METRICS: Final = ("return", "length", "progress", "success_once", "success_at_end", "fail_once")
"""Metrics of an episode that a `FeedbackSampler` receives."""
MAX_LOAD_FAILURES: Final = 10
"""Consecutive cousins that the engine fails to load before the error is raised."""
Observations = Literal["policy", "groups"]


class CousinsVectorEnv(gym.vector.VectorEnv[Any, Any, Any]):
    """The rows of a batch of worlds as environments.

    Each row samples its cousins with its own random generator: row i evolves exactly as a batch of one does. An episode
    is truncated at its horizon, or where its world breaks (`info["sim_fault"]`; the reward of that step is 0); it is
    terminated when its target is lost, and at success with `end_at_success`. With automatic resets disabled, a row
    whose episode has ended stays idle until it is reset, and repeats its last observation and flags.
    """

    def __init__(
        self,
        episodes: Episodes,
        sampler: Sampler,
        *,
        autoreset: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        observations: Observations = "policy",
        end_at_success: bool = False,
        end_at_failure: bool = True,
        provenance: Mapping[str, str] | None = None,
        reset_info: Mapping[str, str] | None = None,
    ) -> None:
        if observations not in ("policy", "groups"):
            raise InputError(f"observations {observations!r}", expected="policy or groups", hint="Type one of them.")
        self.episodes, self.sampler = episodes, sampler
        self.num_envs = episodes.worlds.size
        self.autoreset_mode = _autoreset_mode(autoreset)
        self.metadata = {
            "autoreset_mode": self.autoreset_mode,
            "render_modes": [],
            "render_fps": round(1.0 / episodes.step_s),
        }
        self.render_mode = None
        self.provenance, self.reset_info = dict(provenance or {}), dict(reset_info or {})
        self._groups = observations == "groups"
        self._ends_at = (end_at_success, end_at_failure)
        self._rngs = [np.random.default_rng() for _ in range(self.num_envs)]
        self._all_rows = np.ones(self.num_envs, dtype=np.bool_)
        self._episode_over = np.zeros(self.num_envs, dtype=np.bool_)
        self._terminated, self._truncated = self._episode_over.copy(), self._episode_over.copy()
        self._observed: tuple[Array, Array] = (np.zeros((0, 0)), np.zeros((0, 0)))
        self._metrics = EpisodeMetrics(self.num_envs, episodes.task.profiles, episodes.hold_steps)
        self.single_action_space = gym.spaces.Box(-1.0, 1.0, (episodes.controller.action_size,), np.float32)
        self.action_space = gym.vector.utils.batch_space(self.single_action_space, self.num_envs)
        self._begin_first_episodes()
        self.single_observation_space = self._make_observation_space(*(group.shape[1] for group in self._observed))
        self.observation_space = gym.vector.utils.batch_space(self.single_observation_space, self.num_envs)
        self._has_begun = False

    @property
    def task(self) -> Task:
        """The task of all rows."""
        return self.episodes.task

    @property
    def body(self) -> Body:
        """The body that acts in all rows."""
        return self.episodes.controller.body

    @property
    def columns(self) -> tuple[Column, ...]:
        """Name, unit, frame and sources of each number of a policy's observation, in order."""
        return self.episodes.columns

    @property
    def privileged_columns(self) -> tuple[Column, ...]:
        """The same of the observations for a critic alone."""
        return PRIVILEGED_COLUMNS

    @property
    def action_columns(self) -> tuple[Column, ...]:
        """Name, unit and frame of each number of an action, in order."""
        return self.episodes.action_columns

    @property
    def spec(self) -> gym.envs.registration.EnvSpec | None:
        """Specification that it was made from, with the digest of its worlds and the version of its engine."""
        return self._spec

    @spec.setter
    def spec(self, spec: gym.envs.registration.EnvSpec | None) -> None:
        if spec is not None:
            spec.kwargs = {**spec.kwargs, **self.provenance}
        self._spec = spec

    _spec: gym.envs.registration.EnvSpec | None = None

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin new episodes in all rows, or in those of `options["reset_mask"]`.

        `options["cousin"]` is the number of the cousin to show, or one number for each row; None samples it.
        """
        mask = self._reset_mask(options)
        cousins = _values_per_row((options or {}).get("cousin"), self.num_envs, noun="cousin")
        seeds: Sequence[int | None]
        if seed is None or isinstance(seed, (int, np.integer)):
            seeds = [None if seed is None else int(seed) + row for row in range(self.num_envs)]
        else:
            seeds = _values_per_row(seed, self.num_envs, noun="seed")
        for row in np.flatnonzero(mask).tolist():
            if seeds[row] is not None:
                self._rngs[row] = np.random.default_rng(seeds[row])
        info: dict[str, Any] = {}
        self._begin(np.flatnonzero(mask).tolist(), cousins, info)
        self._has_begun = True
        for key, value in (self.provenance | self.reset_info).items():
            info[key], info[f"_{key}"] = np.full(self.num_envs, value, dtype=object), self._all_rows
        info["cousin"], info["_cousin"] = self.episodes.cousin.copy(), self._all_rows
        return self._observation(), info

    def _require_actions(self, actions: Any) -> Array:
        """Return actions as float64 [n, size]; raises `InputError` for any other shape."""
        values = np.asarray(actions, dtype=np.float64)
        shape = (self.num_envs, self.episodes.controller.action_size)
        if values.shape != shape:
            raise InputError(
                f"actions of shape {values.shape}",
                expected=f"shape {shape}: a row for each environment",
                hint="`action_space.sample()` shows the shape; it is never repeated or cut to fit.",
            )
        return values

    def step(self, actions: Any) -> tuple[Any, Array, Array, Array, dict[str, Any]]:
        """Advance every row by one action [n, size] in [-1, 1]."""
        if not self._has_begun:
            raise gym.error.ResetNeeded("the environment must be reset before it is stepped")
        idle = self._episode_over.copy()
        actions = np.clip(self._require_actions(actions), -1.0, 1.0)
        if idle.any():
            actions = np.where(idle[:, None], 0.0, actions)
        previous = self._observed
        result = self.episodes.step(actions)
        self._observed = (result.policy, result.privileged)
        terminated, truncated, reward = self._episode_ends(result)
        info = self._step_info(result, ~idle)
        if idle.any():
            reward = np.where(idle, 0.0, reward)
            terminated, truncated = self._handle_idle_rows(idle, terminated, truncated, previous, info)
        has_ended = (terminated | truncated) & ~idle
        self._metrics.add(result, reward, ~idle)
        if has_ended.any():
            info["metrics"], info["_metrics"] = self._metrics.episode_info(has_ended), has_ended
            self._notify_sampler(has_ended, info["metrics"], result)
        self._terminated[:], self._truncated[:] = terminated, truncated
        self._episode_over[:] = terminated | truncated
        if self.autoreset_mode == AutoresetMode.SAME_STEP and has_ended.any():
            self._reset_ended_rows(has_ended, info)
        return self._observation(), reward, terminated, truncated, info

    def arrays(self) -> dict[str, Array]:
        """Return flags and metrics of the rows by name, arrays [n, ...], as views: a snapshot reads and writes them."""
        ends = {"done": self._episode_over, "terminated": self._terminated, "truncated": self._truncated}
        return ends | self._metrics.arrays()

    def generators(self) -> list[np.random.Generator]:
        """Return the random generators of the rows: those that sample episodes, then those of their noise."""
        return [*self._rngs, *self.episodes.noise]

    def refresh_state(self) -> None:
        """Recompute the derived state after the worlds, arrays and generators were restored."""
        self.episodes.refresh_state()
        self._observed = (self.episodes.policy.copy(), self.episodes.privileged.copy())
        self._has_begun = True

    def close_extras(self, **kwargs: Any) -> None:
        """Release the engine."""
        del kwargs
        self.episodes.worlds.close()

    def _episode_ends(self, result: StepResult) -> tuple[Array, Array, Array]:
        """Return which rows are terminated and which truncated, bool [n], and the rewards [n]."""
        at_success, at_failure = self._ends_at
        terminated = np.zeros(self.num_envs, dtype=np.bool_)
        if at_success:
            terminated |= self.episodes.held >= self.episodes.hold_steps
        if at_failure:
            terminated |= result.failed
        is_broken = np.array([bool(fault) for fault in result.faults])
        return terminated & ~is_broken, (result.timed_out | is_broken) & ~(terminated & ~is_broken), result.reward

    def _handle_idle_rows(
        self, idle: Array, terminated: Array, truncated: Array, previous: tuple[Array, Array], info: dict[str, Any]
    ) -> tuple[Array, Array]:
        """Begin a new episode in rows whose episode had ended, or keep them idle where the caller resets.

        Return the flags terminated and truncated, bool [n].
        """
        if self.autoreset_mode == AutoresetMode.NEXT_STEP:
            self._begin(np.flatnonzero(idle).tolist(), [None] * self.num_envs, info)
            info["cousin"] = self.episodes.cousin.copy()
            return terminated & ~idle, truncated & ~idle
        for current, earlier in zip(self._observed, previous, strict=True):
            current[idle] = earlier[idle]
        return np.where(idle, self._terminated, terminated), np.where(idle, self._truncated, truncated)

    def _reset_ended_rows(self, has_ended: Array, info: dict[str, Any]) -> None:
        """Begin a new episode in rows whose episode has ended in this step; its final values stay in `info`."""
        last_observation = self._observation()
        final_observations = np.full(self.num_envs, None, dtype=object)
        for row in np.flatnonzero(has_ended):
            if self._groups:
                final_observations[row] = {key: value[row] for key, value in last_observation.items()}
            else:
                final_observations[row] = last_observation[row]
        ended_info = {key: value for key, value in info.items() if not key.startswith("_")}
        info["final_obs"], info["_final_obs"] = final_observations, has_ended
        info["final_info"] = ended_info | {f"_{key}": info[f"_{key}"] & has_ended for key in ended_info}
        info["_final_info"] = has_ended
        self._begin(np.flatnonzero(has_ended).tolist(), [None] * self.num_envs, info)
        info["cousin"] = self.episodes.cousin.copy()

    def _begin(self, rows: list[int], cousins: Sequence[int | None], info: dict[str, Any]) -> None:
        """Begin episodes in rows, in given or sampled cousins; a sampled one that fails to load is skipped."""
        skipped = np.full(self.num_envs, "", dtype=object)
        for row in rows:
            cousin = cousins[row]
            if cousin is not None:
                self.episodes.begin(row, int(cousin), self._rngs[row])
                continue
            for tries_left in reversed(range(MAX_LOAD_FAILURES)):
                index = self.sampler.sample(self._rngs[row])
                try:
                    self.episodes.begin(row, index, self._rngs[row])
                    break
                except EngineError as error:
                    skipped[row] = f"cousin {index}: {error}"
                    if not tries_left:
                        raise
        if any(skipped):
            info["skipped"], info["_skipped"] = skipped, skipped.astype(bool)
        self._episode_over[rows] = False
        self._terminated[rows], self._truncated[rows] = False, False
        self._metrics.clear(rows)
        self._observed = self.episodes.observe(rows)

    def _begin_first_episodes(self) -> None:
        """Begin episodes for the first time, so that the sizes of all arrays are known."""
        rows = list(range(self.num_envs))
        try:
            self._begin(rows, [self.sampler.first] * self.num_envs, {})
        except EngineError:
            self._begin(rows, [None] * self.num_envs, {})

    def _notify_sampler(self, has_ended: Array, metrics: Mapping[str, Any], result: StepResult) -> None:
        """Pass the metrics of ended episodes to a sampler that uses them."""
        if isinstance(self.sampler, FeedbackSampler):
            for row in np.flatnonzero(has_ended).tolist():
                episode_metrics = {name: float(metrics[name][row]) for name in SAMPLER_METRICS}
                episode_metrics["sim_fault"] = float(bool(result.faults[row]))
                self.sampler.record_episode(int(self.episodes.cousin[row]), episode_metrics)

    def _step_info(self, result: StepResult, is_live: Array) -> dict[str, Any]:
        all_rows = self._all_rows
        info: dict[str, Any] = {
            "cousin": self.episodes.cousin.copy(),
            "success": result.successes[:, 0] & is_live,
            "progress": result.progress * is_live,
            "held_s": result.held_s * is_live,
            "profiles": {
                **{
                    name: result.successes[:, number] & is_live
                    for number, name in enumerate(self.episodes.task.profiles)
                },
                **{f"_{name}": all_rows for name in self.episodes.task.profiles},
            },
        }
        info |= {f"_{key}": all_rows for key in info}
        faults = [fault if alive else "" for fault, alive in zip(result.faults, is_live.tolist(), strict=True)]
        if any(faults):
            fault_texts = np.array(faults, dtype=object)
            info["sim_fault"], info["_sim_fault"] = fault_texts, fault_texts.astype(bool)
        return info

    def _reset_mask(self, options: Mapping[str, Any] | None) -> Array:
        mask = (options or {}).get("reset_mask")
        if mask is None:
            return self._all_rows
        if not isinstance(mask, np.ndarray) or mask.shape != (self.num_envs,) or mask.dtype != np.bool_:
            raise InputError(
                f"a reset mask {mask!r}"[:200],
                expected=f"a numpy array of {self.num_envs} bools",
                hint="options={'reset_mask': terminated | truncated}",
            )
        return mask

    def _observation(self) -> Any:
        policy, privileged = self._observed
        if self._groups:
            return {"policy": policy.copy(), "privileged": privileged.copy()}
        return policy.copy()

    def _make_observation_space(self, policy: int, privileged: int) -> gym.Space[Any]:
        boxes = {
            name: gym.spaces.Box(-OBSERVATION_LIMIT, OBSERVATION_LIMIT, (size,), np.float32)
            for name, size in zip(OBSERVATION_GROUPS, (policy, privileged), strict=True)
        }
        return gym.spaces.Dict(boxes) if self._groups else boxes["policy"]


def _autoreset_mode(name: str | AutoresetMode) -> AutoresetMode:
    if isinstance(name, AutoresetMode):
        return name
    modes = {mode.name.lower(): mode for mode in AutoresetMode}
    if name not in modes:
        raise InputError(f"autoreset {name!r}", expected="one of " + ", ".join(modes), hint="Type one of them.")
    return modes[name]


def _values_per_row(values: Any, size: int, *, noun: str) -> Sequence[int | None]:
    """Return one value per row, from a value for all rows or from a sequence of that length; raises `InputError`."""
    if values is None or isinstance(values, (int, np.integer)):
        return [None if values is None else int(values)] * size
    row_values = list(values)
    if len(row_values) != size:
        raise InputError(
            f"{len(row_values)} values for {noun}",
            expected=f"one, or one for each of {size} rows",
            hint="Give as many.",
        )
    return row_values
