"""Gather rollouts from a vectorised environment: the starts are those of an evaluation, and every episode counts.

Episodes are numbered as `cousins eval` numbers them: cousin, start and seed decide how one begins, so a record shows
the very episodes of the table. Chance in actions is drawn by episode, so it does not depend on how many rows there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from gymnasium.vector import AutoresetMode

from cousins.errors import EngineError, InputError
from cousins.geometry import Array
from sim.envs.vector_env import GROUPS, CousinsVectorEnv
from sim.recording.rollouts import About, Rollout
from sim.tasks.episode import Episode
from sim.worlds.worlds import State

Act = Callable[[Array], Array]
"""From what a policy sees [n, p] to actions [n, a]."""
_ACTIONS: Final = 1
"""Spawn key of the chance in random actions."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which episodes are tried."""

    episodes: tuple[tuple[int, int], ...]
    """Cousin and number of the start in it."""
    refused: tuple[int, ...]
    """Cousins that do not afford the task; nothing is tried there."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Step:
    """What all rows saw, did and got in a step."""

    policy: Array
    privileged: Array
    state: State
    action: Array
    reward: Array
    progress: Array
    successes: Array


def plan_of(env: CousinsVectorEnv, indices: Sequence[int], episodes: int) -> Plan:
    """Spread so many episodes evenly over the cousins that afford the task; raises `InputError` where none does."""
    staged = env.episodes.staged
    staged.first_of(indices)
    good = [index for index in indices if isinstance(staged.episode(index), Episode)]
    pairs = tuple((good[number % len(good)], number // len(good)) for number in range(episodes))
    return Plan(episodes=pairs, refused=tuple(sorted(set(indices) - set(good))))


def about_of(env: CousinsVectorEnv) -> About:
    """Return what all rollouts of an environment share."""
    episodes = env.episodes
    body, control = episodes.worlds.body, episodes.controller.control
    names = tuple(drive.joint for drive in body.drives)
    arm = control.axes if control.kind == "ee_delta" else tuple(name for name in names if name not in body.fingers)
    return About(
        digest=env.label.get("digest", ""),
        engine=episodes.worlds.name,
        engine_version=episodes.worlds.version,
        task=episodes.task.name,
        profiles=episodes.task.profiles,
        body=body.name,
        drives=names,
        actions=(*arm, "hand") if body.fingers else arm,
        step_s=episodes.step_s,
        slots=episodes.worlds.slots,
        label=env.notes.get("label", ""),
    )


def gather(
    env: CousinsVectorEnv,
    episodes: Sequence[tuple[int, int]],
    *,
    act: Act | None = None,
    begin: Callable[[], None] | None = None,
    seed: int = 0,
) -> Iterator[Rollout]:
    """Yield the rollout of each (cousin, start), in that order; without `act`, actions are drawn evenly by chance.

    `begin` is called before episodes begin in all rows.

    The environment must show all groups of observations and leave resets to its caller; raises `InputError`.
    """
    if env.mode != AutoresetMode.DISABLED or not isinstance(env.observation_space.sample(), dict):
        raise InputError(
            f"an environment that resets itself ({env.mode.name}) or shows one group of observations",
            expected=f"autoreset disabled and the groups {', '.join(GROUPS)}",
            hint="make_vector(..., autoreset='disabled', observations='groups')",
        )
    for first in range(0, len(episodes), env.num_envs):
        if begin is not None:
            begin()
        yield from _batch(env, episodes[first : first + env.num_envs], act, seed)


def _batch(env: CousinsVectorEnv, plan: Sequence[tuple[int, int]], act: Act | None, seed: int) -> Iterator[Rollout]:
    """Run one episode in each of the first rows, side by side."""
    seeds = [int(_sequence(seed, *one).generate_state(1, np.uint32)[0]) for one in plan]
    chances = [np.random.default_rng(_sequence(seed, *one, _ACTIONS)) for one in plan]
    refused: dict[int, str] = {}
    seen: dict[str, Array] = {}
    for row, (cousin, _) in enumerate(plan):
        mask = np.arange(env.num_envs) == row
        try:
            seen, _ = env.reset(seed=[seeds[row]] * env.num_envs, options={"reset_mask": mask, "cousin": cousin})
        except EngineError as error:
            refused[row] = str(error)
    steps: list[_Step] = []
    ends: dict[int, dict[str, Any]] = {}
    waiting = set(range(len(plan))) - set(refused)
    while waiting:
        state = env.episodes.worlds.read()
        action = _drawn(env, chances) if act is None else np.clip(act(seen["policy"]), -1.0, 1.0)
        after, reward, terminated, truncated, info = env.step(action)
        steps.append(_step(env, seen, state, action, reward, info))
        seen = after
        for row in sorted(waiting & set(np.flatnonzero(terminated | truncated).tolist())):
            ends[row] = _end(info, row) | {"length": len(steps), "terminated": bool(terminated[row])}
            waiting.remove(row)
    for row, (cousin, start) in enumerate(plan):
        shared = {"about": about_of(env), "cousin": cousin, "start": start, "seed": seeds[row]}
        yield _rollout(env, steps, row, ends.get(row), refused.get(row, ""), shared)


def _sequence(seed: int, *key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=key)


def _drawn(env: CousinsVectorEnv, chances: Sequence[np.random.Generator]) -> Array:
    actions = np.zeros((env.num_envs, env.episodes.controller.action_size))
    for row, chance in enumerate(chances):
        actions[row] = chance.uniform(-1.0, 1.0, actions.shape[1])
    return actions


def _step(
    env: CousinsVectorEnv, seen: dict[str, Array], state: State, action: Array, reward: Array, info: dict[str, Any]
) -> _Step:
    profiles = [info["profiles"][name] for name in env.episodes.task.profiles]
    return _Step(
        policy=seen["policy"],
        privileged=seen["privileged"],
        state=state,
        action=np.asarray(action, dtype=np.float32),
        reward=np.asarray(reward, dtype=np.float32),
        progress=np.asarray(info["progress"], dtype=np.float32),
        successes=np.stack(profiles, axis=1),
    )


def _end(info: dict[str, Any], row: int) -> dict[str, Any]:
    metrics = info["metrics"]
    profiles = [name for name in metrics["once"] if not name.startswith("_")]
    fault = str(info["sim_fault"][row]) if "sim_fault" in info else ""
    return {
        "success_at_end": bool(metrics["success_at_end"][row]) and not fault,
        "success_once": bool(metrics["success_once"][row]),
        "once": {name: bool(metrics["once"][name][row]) for name in profiles},
        "at_end": {name: bool(metrics["at_end"][name][row]) for name in profiles},
        "fault": fault,
    }


def _rollout(
    env: CousinsVectorEnv,
    steps: Sequence[_Step],
    row: int,
    end: dict[str, Any] | None,
    refused: str,
    shared: dict[str, Any],
) -> Rollout:
    """Return a row's episode; one that no engine began has no steps."""
    if end is None:
        never = dict.fromkeys(env.episodes.task.profiles, False)
        end = {"success_at_end": False, "success_once": False, "once": never, "at_end": never, "fault": refused}
        length, terminated = 0, False
    else:
        end = dict(end)
        length, terminated = end.pop("length"), end.pop("terminated")
    names = ("policy", "privileged", "action", "reward", "progress", "successes")
    arrays: dict[str, Any] = {name: _column([getattr(step, name) for step in steps[:length]], row) for name in names}
    own = steps[:length] or [_nothing(env)]
    state = {field.name: _column([getattr(step.state, field.name) for step in own], row) for field in fields(State)}
    if not length:
        state = {name: value[:0] for name, value in state.items()}
        arrays = {name: getattr(own[0], name)[:0] for name in names}
    return Rollout(
        **shared,
        **arrays,
        **end,
        state=State(**state),
        terminated=terminated,
        truncated=bool(length) and not terminated,
    )


def _column(values: Sequence[Array], row: int) -> Array:
    return np.stack([value[row] for value in values]) if values else np.zeros(0)


def _nothing(env: CousinsVectorEnv) -> _Step:
    """Return a step with arrays of the right sizes, for those that were never taken."""
    episodes, n = env.episodes, env.num_envs
    return _Step(
        policy=episodes.policy,
        privileged=episodes.privileged,
        state=episodes.worlds.read(),
        action=np.zeros((n, episodes.controller.action_size), dtype=np.float32),
        reward=np.zeros(n, dtype=np.float32),
        progress=np.zeros(n, dtype=np.float32),
        successes=np.zeros((n, len(episodes.task.profiles)), dtype=np.bool_),
    )
