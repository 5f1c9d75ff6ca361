"""Collection of rollouts from a vector environment, with the starts of an evaluation; every episode counts.

Episodes are numbered as in `cousins eval`: cousin, start and seed determine how an episode begins, so a recording shows
the episodes of the evaluation. Random actions are sampled per episode, independent of the number of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from gymnasium.vector import AutoresetMode

from cousins.errors import EngineError, InputError
from cousins.geometry import Array
from sim.envs.vector_env import OBSERVATION_GROUPS, CousinsVectorEnv
from sim.recording.rollouts import Rollout, RunMetadata
from sim.tasks.episode import Episode
from sim.worlds.worlds import State

ActFunction = Callable[[Array], Array]
"""Maps observations of a policy [n, p] to actions [n, a]."""
_ACTION_SPAWN_KEY: Final = 1
"""Spawn key of random actions."""


@dataclass(frozen=True, kw_only=True)
class EpisodePlan:
    """The episodes to run."""

    episodes: tuple[tuple[int, int], ...]
    """Number of the cousin, and number of the start in it."""
    refused: tuple[int, ...]
    """Numbers of the cousins that do not afford the task; no episode is run in them."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _BatchStep:
    """Observations, actions and results of all rows in a step."""

    policy: Array
    privileged: Array
    state: State
    action: Array
    reward: Array
    progress: Array
    successes: Array


def plan_episodes(env: CousinsVectorEnv, indices: Sequence[int], episodes: int) -> EpisodePlan:
    """Return `episodes` episodes, spread evenly over the cousins that afford the task.

    Raises `InputError` where none does.
    """
    task_source = env.episodes.task_source
    task_source.first_of(indices)
    afforded = [index for index in indices if isinstance(task_source.episode(index), Episode)]
    pairs = tuple((afforded[number % len(afforded)], number // len(afforded)) for number in range(episodes))
    return EpisodePlan(episodes=pairs, refused=tuple(sorted(set(indices) - set(afforded))))


def run_metadata(env: CousinsVectorEnv) -> RunMetadata:
    """Return the metadata that all rollouts of an environment share."""
    episodes = env.episodes
    body = episodes.worlds.body
    drive_names = tuple(drive.joint for drive in body.drives)
    return RunMetadata(
        digest=env.provenance.get("digest", ""),
        engine=episodes.worlds.name,
        engine_version=episodes.worlds.version,
        task=episodes.task.name,
        profiles=episodes.task.profiles,
        body=body.name,
        drives=drive_names,
        actions=tuple(column.name for column in env.action_columns),
        step_s=episodes.step_s,
        columns=env.columns,
        privileged_columns=env.privileged_columns,
        slots=episodes.worlds.slots,
        label=env.reset_info.get("label", ""),
    )


def collect_rollouts(
    env: CousinsVectorEnv,
    episodes: Sequence[tuple[int, int]],
    *,
    act: ActFunction | None = None,
    begin: Callable[[], None] | None = None,
    seed: int = 0,
) -> Iterator[Rollout]:
    """Yield the rollout of each (cousin, start), in that order; without `act`, actions are sampled uniformly.

    `begin` is called before episodes begin in all rows. The environment must have all groups of observations and
    disabled automatic resets; raises `InputError`.
    """
    if env.autoreset_mode != AutoresetMode.DISABLED or not isinstance(env.observation_space.sample(), dict):
        raise InputError(
            f"an environment that resets itself ({env.autoreset_mode.name}) or shows one group of observations",
            expected=f"autoreset disabled and the groups {', '.join(OBSERVATION_GROUPS)}",
            hint="make_env(..., autoreset='disabled', observations='groups')",
        )
    for batch_start in range(0, len(episodes), env.num_envs):
        if begin is not None:
            begin()
        yield from _run_batch(env, episodes[batch_start : batch_start + env.num_envs], act, seed)


def _run_batch(
    env: CousinsVectorEnv, planned: Sequence[tuple[int, int]], act: ActFunction | None, seed: int
) -> Iterator[Rollout]:
    """Run one episode in each of the first rows, in parallel."""
    seeds = [int(_seed_sequence(seed, *episode).generate_state(1, np.uint32)[0]) for episode in planned]
    action_rngs = [np.random.default_rng(_seed_sequence(seed, *episode, _ACTION_SPAWN_KEY)) for episode in planned]
    begin_errors: dict[int, str] = {}
    observations: dict[str, Array] = {}
    for row, (cousin, _) in enumerate(planned):
        mask = np.arange(env.num_envs) == row
        try:
            observations, _ = env.reset(
                seed=[seeds[row]] * env.num_envs, options={"reset_mask": mask, "cousin": cousin}
            )
        except EngineError as error:
            begin_errors[row] = str(error)
    steps: list[_BatchStep] = []
    episode_ends: dict[int, dict[str, Any]] = {}
    waiting = set(range(len(planned))) - set(begin_errors)
    while waiting:
        state = env.episodes.worlds.read()
        action = _random_actions(env, action_rngs) if act is None else np.clip(act(observations["policy"]), -1.0, 1.0)
        next_observations, reward, terminated, truncated, info = env.step(action)
        steps.append(_batch_step(env, observations, state, action, reward, info))
        observations = next_observations
        for row in sorted(waiting & set(np.flatnonzero(terminated | truncated).tolist())):
            episode_ends[row] = _episode_end(info, row) | {"length": len(steps), "terminated": bool(terminated[row])}
            waiting.remove(row)
    for row, (cousin, start) in enumerate(planned):
        shared = {"metadata": run_metadata(env), "cousin": cousin, "start": start, "seed": seeds[row]}
        yield _rollout(env, steps, row, episode_ends.get(row), begin_errors.get(row, ""), shared)


def _seed_sequence(seed: int, *key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=key)


def _random_actions(env: CousinsVectorEnv, rngs: Sequence[np.random.Generator]) -> Array:
    actions = np.zeros((env.num_envs, env.episodes.controller.action_size))
    for row, rng in enumerate(rngs):
        actions[row] = rng.uniform(-1.0, 1.0, actions.shape[1])
    return actions


def _batch_step(
    env: CousinsVectorEnv,
    observations: dict[str, Array],
    state: State,
    action: Array,
    reward: Array,
    info: dict[str, Any],
) -> _BatchStep:
    profiles = [info["profiles"][name] for name in env.episodes.task.profiles]
    return _BatchStep(
        policy=observations["policy"],
        privileged=observations["privileged"],
        state=state,
        action=np.asarray(action, dtype=np.float32),
        reward=np.asarray(reward, dtype=np.float32),
        progress=np.asarray(info["progress"], dtype=np.float32),
        successes=np.stack(profiles, axis=1),
    )


def _episode_end(info: dict[str, Any], row: int) -> dict[str, Any]:
    metrics = info["metrics"]
    profiles = [name for name in metrics["once"] if not name.startswith("_")]
    fault = str(info["sim_fault"][row]) if "sim_fault" in info else ""
    return {
        "success_at_end": bool(metrics["success_at_end"][row]) and not fault,
        "success_once": bool(metrics["success_once"][row]),
        "profiles_once": {name: bool(metrics["once"][name][row]) for name in profiles},
        "profiles_at_end": {name: bool(metrics["at_end"][name][row]) for name in profiles},
        "fault": fault,
    }


def _rollout(
    env: CousinsVectorEnv,
    steps: Sequence[_BatchStep],
    row: int,
    end: dict[str, Any] | None,
    begin_error: str,
    shared: dict[str, Any],
) -> Rollout:
    """Return the rollout of a row; an episode that the engine failed to begin has no steps."""
    if end is None:
        no_success = dict.fromkeys(env.episodes.task.profiles, False)
        end = {"success_at_end": False, "success_once": False, "fault": begin_error}
        end |= {"profiles_once": no_success, "profiles_at_end": no_success}
        length, terminated = 0, False
    else:
        end = dict(end)
        length, terminated = end.pop("length"), end.pop("terminated")
    names = ("policy", "privileged", "action", "reward", "progress", "successes")
    arrays: dict[str, Any] = {
        name: _row_column([getattr(step, name) for step in steps[:length]], row) for name in names
    }
    taken_steps = steps[:length] or [_empty_step(env)]
    states = [step.state for step in taken_steps]
    state = {field.name: _row_column([getattr(item, field.name) for item in states], row) for field in fields(State)}
    if not length:
        state = {name: value[:0] for name, value in state.items()}
        arrays = {name: getattr(taken_steps[0], name)[:0] for name in names}
    return Rollout(
        **shared,
        **arrays,
        **end,
        state=State(**state),
        terminated=terminated,
        truncated=bool(length) and not terminated,
    )


def _row_column(values: Sequence[Array], row: int) -> Array:
    return np.stack([value[row] for value in values]) if values else np.zeros(0)


def _empty_step(env: CousinsVectorEnv) -> _BatchStep:
    """Return a step whose arrays have the right sizes, for an episode without steps."""
    episodes, n = env.episodes, env.num_envs
    return _BatchStep(
        policy=episodes.policy,
        privileged=episodes.privileged,
        state=episodes.worlds.read(),
        action=np.zeros((n, episodes.controller.action_size), dtype=np.float32),
        reward=np.zeros(n, dtype=np.float32),
        progress=np.zeros(n, dtype=np.float32),
        successes=np.zeros((n, len(episodes.task.profiles)), dtype=np.bool_),
    )
