"""Cousins as a vectorised Gymnasium environment: each row shows a cousin, and after an episode the next one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from cousins.errors import EngineError, InputError
from cousins.geometry import Array
from sim.envs.cousin_sampler import Hearing, Sampler
from sim.envs.episodes import FARTHEST, Episodes, Stepped
from sim.envs.metrics import Metrics

GROUPS: Final = ("policy", "privileged")
"""What is observed: by a policy, and by a critic alone."""
HEARD: Final = ("return", "length", "progress", "success_once", "success_at_end", "fail_once")
"""Metrics that a sampler hears."""
MOST_BROKEN: Final = 10
"""So many cousins in a row that no engine loads end the run."""
Observations = Literal["policy", "groups"]


class CousinsVectorEnv(gym.vector.VectorEnv[Any, Any, Any]):
    """Rows of a batch of worlds as environments.

    Each row draws its cousins with its own random numbers, from its own seed: row i does what a batch of one does.
    An episode is truncated when its time has passed, or where its world broke (told as `info["sim_fault"]`, the reward
    of that step is 0); it is terminated when its target is lost, and at success where `end_at_success` asks for it.
    With automatic resets off, a row whose episode has ended stands by until it is reset and repeats how it ended.
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
        label: Mapping[str, str] | None = None,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        if observations not in ("policy", "groups"):
            raise InputError(f"observations {observations!r}", expected="policy or groups", hint="Type one of them.")
        self.episodes, self.sampler = episodes, sampler
        self.num_envs = episodes.worlds.size
        self.mode = _mode(autoreset)
        self.metadata = {"autoreset_mode": self.mode, "render_modes": [], "render_fps": round(1.0 / episodes.step_s)}
        self.render_mode = None
        self.label, self.notes = dict(label or {}), dict(notes or {})
        self._groups = observations == "groups"
        self._ends = (end_at_success, end_at_failure)
        self._rngs = [np.random.default_rng() for _ in range(self.num_envs)]
        self._all = np.ones(self.num_envs, dtype=np.bool_)
        self._done = np.zeros(self.num_envs, dtype=np.bool_)
        self._terminated, self._truncated = self._done.copy(), self._done.copy()
        self._seen: tuple[Array, Array] = (np.zeros((0, 0)), np.zeros((0, 0)))
        self._metrics = Metrics(self.num_envs, episodes.task.profiles, episodes.hold_steps)
        self.single_action_space = gym.spaces.Box(-1.0, 1.0, (episodes.controller.action_size,), np.float32)
        self.action_space = gym.vector.utils.batch_space(self.single_action_space, self.num_envs)
        self._begin_all()
        self.single_observation_space = self._space(*(group.shape[1] for group in self._seen))
        self.observation_space = gym.vector.utils.batch_space(self.single_observation_space, self.num_envs)
        self._begun = False

    @property
    def spec(self) -> gym.envs.registration.EnvSpec | None:
        """What it was made from, with the digest of its worlds and the version of its engine."""
        return self._spec

    @spec.setter
    def spec(self, spec: gym.envs.registration.EnvSpec | None) -> None:
        if spec is not None:
            spec.kwargs = {**spec.kwargs, **self.label}
        self._spec = spec

    _spec: gym.envs.registration.EnvSpec | None = None

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin new episodes in all rows, or in those of `options["reset_mask"]`.

        `options["cousin"]` is the number of the cousin to show, or one for each row; None draws it.
        """
        chosen, given = self._mask(options), _per_row((options or {}).get("cousin"), self.num_envs, what="cousin")
        seeds: Sequence[int | None]
        if seed is None or isinstance(seed, (int, np.integer)):
            seeds = [None if seed is None else int(seed) + row for row in range(self.num_envs)]
        else:
            seeds = _per_row(seed, self.num_envs, what="seed")
        for row in np.flatnonzero(chosen).tolist():
            if seeds[row] is not None:
                self._rngs[row] = np.random.default_rng(seeds[row])
        info: dict[str, Any] = {}
        self._begin(np.flatnonzero(chosen).tolist(), given, info)
        self._begun = True
        for key, value in (self.label | self.notes).items():
            info[key], info[f"_{key}"] = np.full(self.num_envs, value, dtype=object), self._all
        info["cousin"], info["_cousin"] = self.episodes.cousin.copy(), self._all
        return self._observation(), info

    def step(self, actions: Any) -> tuple[Any, Array, Array, Array, dict[str, Any]]:
        """Advance every row by one action [n, size] in [-1, 1]."""
        if not self._begun:
            raise gym.error.ResetNeeded("the environment must be reset before it is stepped")
        idle = self._done.copy()
        actions = np.clip(np.asarray(actions, dtype=np.float64).reshape(self.num_envs, -1), -1.0, 1.0)
        if idle.any():
            actions = np.where(idle[:, None], 0.0, actions)
        before = self._seen
        stepped = self.episodes.step(actions)
        self._seen = (stepped.policy, stepped.privileged)
        terminated, truncated, reward = self._ended(stepped)
        info = self._info(stepped, ~idle)
        if idle.any():
            reward = np.where(idle, 0.0, reward)
            terminated, truncated = self._idle(idle, terminated, truncated, before, info)
        done = (terminated | truncated) & ~idle
        self._metrics.add(stepped, reward, ~idle)
        if done.any():
            info["metrics"], info["_metrics"] = self._metrics.told(done), done
            self._hear(done, info["metrics"], stepped)
        self._terminated[:], self._truncated[:] = terminated, truncated
        self._done[:] = terminated | truncated
        if self.mode == AutoresetMode.SAME_STEP and done.any():
            self._renew(done, info)
        return self._observation(), reward, terminated, truncated, info

    def arrays(self) -> dict[str, Array]:
        """Return the arrays themselves that tell which episodes have ended, and how they all go."""
        ends = {"done": self._done, "terminated": self._terminated, "truncated": self._truncated}
        return ends | self._metrics.arrays()

    def generators(self) -> list[np.random.Generator]:
        """Return the random generators of the rows: those that draw episodes, then those of their noise."""
        return [*self._rngs, *self.episodes.noise]

    def take_up(self) -> None:
        """Go on after all of it was put back."""
        self.episodes.take_up()
        self._seen = (self.episodes.policy.copy(), self.episodes.privileged.copy())
        self._begun = True

    def close_extras(self, **kwargs: Any) -> None:
        """Free the engine."""
        del kwargs
        self.episodes.worlds.close()

    def _ended(self, stepped: Stepped) -> tuple[Array, Array, Array]:
        """Return which rows have terminated and truncated, and the rewards."""
        at_success, at_failure = self._ends
        terminated = np.zeros(self.num_envs, dtype=np.bool_)
        if at_success:
            terminated |= self.episodes.held >= self.episodes.hold_steps
        if at_failure:
            terminated |= stepped.failed
        broken = np.array([bool(fault) for fault in stepped.faults])
        return terminated & ~broken, (stepped.over | broken) & ~(terminated & ~broken), stepped.reward

    def _idle(
        self, idle: Array, terminated: Array, truncated: Array, before: tuple[Array, Array], info: dict[str, Any]
    ) -> tuple[Array, Array]:
        """Give rows whose episode had ended a new one, or let them stand by where resets are the caller's."""
        if self.mode == AutoresetMode.NEXT_STEP:
            self._begin(np.flatnonzero(idle).tolist(), [None] * self.num_envs, info)
            info["cousin"] = self.episodes.cousin.copy()
            return terminated & ~idle, truncated & ~idle
        for now, then in zip(self._seen, before, strict=True):
            now[idle] = then[idle]
        return np.where(idle, self._terminated, terminated), np.where(idle, self._truncated, truncated)

    def _renew(self, done: Array, info: dict[str, Any]) -> None:
        """Give rows whose episode has ended a new one in the same step; how it ended stays in `info`."""
        last = self._observation()
        final = np.full(self.num_envs, None, dtype=object)
        for row in np.flatnonzero(done):
            final[row] = {key: value[row] for key, value in last.items()} if self._groups else last[row]
        ended = {key: value for key, value in info.items() if not key.startswith("_")}
        info["final_obs"], info["_final_obs"] = final, done
        info["final_info"] = ended | {f"_{key}": info[f"_{key}"] & done for key in ended}
        info["_final_info"] = done
        self._begin(np.flatnonzero(done).tolist(), [None] * self.num_envs, info)
        info["cousin"] = self.episodes.cousin.copy()

    def _begin(self, rows: list[int], given: Sequence[int | None], info: dict[str, Any]) -> None:
        """Begin episodes in rows, in given cousins or in drawn ones; a drawn one that breaks is told and skipped."""
        skipped = np.full(self.num_envs, "", dtype=object)
        for row in rows:
            wanted = given[row]
            if wanted is not None:
                self.episodes.begin(row, int(wanted), self._rngs[row])
                continue
            for left in reversed(range(MOST_BROKEN)):
                index = self.sampler.draw(self._rngs[row])
                try:
                    self.episodes.begin(row, index, self._rngs[row])
                    break
                except EngineError as error:
                    skipped[row] = f"cousin {index}: {error}"
                    if not left:
                        raise
        if any(skipped):
            info["skipped"], info["_skipped"] = skipped, skipped.astype(bool)
        self._done[rows] = False
        self._terminated[rows], self._truncated[rows] = False, False
        self._metrics.clear(rows)
        self._seen = self.episodes.observe(rows)

    def _begin_all(self) -> None:
        """Show cousins for the first time, so that the sizes of all arrays are known."""
        rows = list(range(self.num_envs))
        try:
            self._begin(rows, [self.sampler.first] * self.num_envs, {})
        except EngineError:
            self._begin(rows, [None] * self.num_envs, {})

    def _hear(self, done: Array, metrics: Mapping[str, Any], stepped: Stepped) -> None:
        """Tell a sampler that listens how episodes went."""
        if isinstance(self.sampler, Hearing):
            for row in np.flatnonzero(done).tolist():
                told = {name: float(metrics[name][row]) for name in HEARD}
                told["sim_fault"] = float(bool(stepped.faults[row]))
                self.sampler.hear(int(self.episodes.cousin[row]), told)

    def _info(self, stepped: Stepped, live: Array) -> dict[str, Any]:
        full = self._all
        info: dict[str, Any] = {
            "cousin": self.episodes.cousin.copy(),
            "success": stepped.successes[:, 0] & live,
            "progress": stepped.progress * live,
            "held_s": stepped.held_s * live,
            "profiles": {
                **{
                    name: stepped.successes[:, number] & live for number, name in enumerate(self.episodes.task.profiles)
                },
                **{f"_{name}": full for name in self.episodes.task.profiles},
            },
        }
        info |= {f"_{key}": full for key in info}
        faults = [fault if alive else "" for fault, alive in zip(stepped.faults, live.tolist(), strict=True)]
        if any(faults):
            told = np.array(faults, dtype=object)
            info["sim_fault"], info["_sim_fault"] = told, told.astype(bool)
        return info

    def _mask(self, options: Mapping[str, Any] | None) -> Array:
        mask = (options or {}).get("reset_mask")
        if mask is None:
            return self._all
        if not isinstance(mask, np.ndarray) or mask.shape != (self.num_envs,) or mask.dtype != np.bool_:
            raise InputError(
                f"a reset mask {mask!r}"[:200],
                expected=f"a numpy array of {self.num_envs} bools",
                hint="options={'reset_mask': terminated | truncated}",
            )
        return mask

    def _observation(self) -> Any:
        policy, privileged = self._seen
        if self._groups:
            return {"policy": policy.copy(), "privileged": privileged.copy()}
        return policy.copy()

    def _space(self, policy: int, privileged: int) -> gym.Space[Any]:
        boxes = {
            name: gym.spaces.Box(-FARTHEST, FARTHEST, (size,), np.float32)
            for name, size in zip(GROUPS, (policy, privileged), strict=True)
        }
        return gym.spaces.Dict(boxes) if self._groups else boxes["policy"]


def _mode(name: str | AutoresetMode) -> AutoresetMode:
    if isinstance(name, AutoresetMode):
        return name
    known = {mode.name.lower(): mode for mode in AutoresetMode}
    if name not in known:
        raise InputError(f"autoreset {name!r}", expected="one of " + ", ".join(known), hint="Type one of them.")
    return known[name]


def _per_row(values: Any, size: int, *, what: str) -> Sequence[int | None]:
    """Return a value for each row of one for all, or of a sequence of that length."""
    if values is None or isinstance(values, (int, np.integer)):
        return [None if values is None else int(values)] * size
    given = list(values)
    if len(given) != size:
        raise InputError(
            f"{len(given)} values for {what}", expected=f"one, or one for each of {size} rows", hint="Give as many."
        )
    return given
