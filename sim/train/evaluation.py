"""How a policy does in the cousins of a split: every episode is counted, those whose world broke too.

Episodes are numbered: the same number in the same cousin starts alike for every policy, so policies are compared
pair by pair. Resets are made one by one; nothing is skipped in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from cousins.errors import EngineError
from cousins.geometry import Array
from cousins.pack.packs import Pack
from sim.envs.make_env import make_vector, source_of
from sim.envs.vector_env import CousinsVectorEnv
from sim.tasks.episode import Episode
from sim.train.actors import Actor
from sim.train.proportions import Share, share
from sim.worlds.worlds import Source

MOVED: Final = 0.1
"""Less progress than this is none."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """How one episode went."""

    cousin: int
    """Number of the cousin."""
    start: int
    """Number of the start in it."""
    success_at_end: bool
    """Whether our condition held at the end, for as long as it must."""
    success_once: bool
    """Whether it held at any step."""
    progress: float
    """How much was done at the end, 0 to 1."""
    failure: str
    """Empty at success, else `fault`, `lost`, `not held`, `on the way` or `not moved`."""
    fault: str = ""
    """What broke, in the engine's words."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How a policy did."""

    tried: tuple[Tried, ...]
    """All episodes."""
    engine: str
    """Name of the engine."""
    refused: tuple[int, ...]
    """Cousins that do not afford the task; nothing was tried there."""
    digest: str = ""
    """Digest of the pack."""

    @property
    def at_end(self) -> Share:
        """Episodes that ended in success."""
        return share([one.success_at_end for one in self.tried])

    @property
    def once(self) -> Share:
        """Episodes with success at some step."""
        return share([one.success_once for one in self.tried])

    def by_cousin(self) -> dict[int, Share]:
        """Return the share of successes at the end in each cousin."""
        numbers = sorted({one.cousin for one in self.tried})
        return {number: share([one.success_at_end for one in self.tried if one.cousin == number]) for number in numbers}


def evaluate(
    policy: Actor,
    *,
    pack: str | Path | Pack | Source,
    split: str | Sequence[int],
    episodes: int = 100,
    rows: int = 16,
    engine: str = "mujoco",
    shadow: int | None = None,
    seed: int = 0,
    task_options: dict[str, Any] | None = None,
) -> Evaluation:
    """Try a policy in so many episodes, spread evenly over the cousins of a split that afford its task.

    Raises `InputError` where the worlds show or take other numbers than the policy does.
    """
    card = policy.card
    source, indices = source_of(pack, split)
    env = make_vector(
        pack=source,
        task=card.task,
        split=indices,
        num_envs=max(1, min(rows, episodes)),
        engine=engine,
        body=card.body,
        control=card.control,
        control_hz=card.control_hz,
        shadow=shadow,
        autoreset="disabled",
        task_options=task_options,
    )
    try:
        policy.require_fit(*(space.shape[0] for space in (env.single_observation_space, env.single_action_space)))
        afforded, refused = _afforded(env, indices)
        plan = [(afforded[number % len(afforded)], number // len(afforded)) for number in range(episodes)]
        tried: list[Tried] = []
        while len(tried) < len(plan):
            tried += _batch(policy, env, plan[len(tried) : len(tried) + env.num_envs], seed)
        return Evaluation(
            tried=tuple(tried),
            engine=env.label["engine"],
            refused=tuple(refused),
            digest=env.label["digest"],
        )
    finally:
        env.close()


def _afforded(env: CousinsVectorEnv, indices: Sequence[int]) -> tuple[list[int], list[int]]:
    staged = env.episodes.staged
    good = [index for index in indices if isinstance(staged.episode(index), Episode)]
    return good, sorted(set(indices) - set(good))


def _batch(policy: Actor, env: CousinsVectorEnv, plan: Sequence[tuple[int, int]], seed: int) -> Iterator[Tried]:
    """Try one episode in each of the first rows, side by side."""
    broken: dict[int, str] = {}
    seen = np.zeros((env.num_envs, *env.single_observation_space.shape))
    for row, (cousin, start) in enumerate(plan):
        mask = np.arange(env.num_envs) == row
        own = int(np.random.SeedSequence(seed, spawn_key=(cousin, start)).generate_state(1, np.uint32)[0])
        try:
            seen, _ = env.reset(seed=[own] * env.num_envs, options={"reset_mask": mask, "cousin": cousin})
        except EngineError as error:
            broken[row] = str(error)
    ended: dict[int, dict[str, Any]] = {}
    waiting = set(range(len(plan))) - set(broken)
    policy.begin()
    while waiting:
        seen, _, terminated, truncated, info = env.step(policy.act(seen))
        for row in sorted(waiting & set(np.flatnonzero(terminated | truncated).tolist())):
            ended[row] = _end(info, row)
            waiting.remove(row)
    for row, (cousin, start) in enumerate(plan):
        yield _told(cousin, start, ended.get(row), broken.get(row, ""))


def _end(info: dict[str, Any], row: int) -> dict[str, Any]:
    names = ("success_at_end", "success_once", "progress", "fail_at_end")
    found = {name: info["metrics"][name][row].item() for name in names}
    return found | {"fault": str(info["sim_fault"][row]) if "sim_fault" in info else ""}


def _told(cousin: int, start: int, end: dict[str, Any] | None, refused: str) -> Tried:
    """Return an episode's record; one that no engine began is a fault."""
    if end is None:
        return Tried(
            cousin=cousin,
            start=start,
            success_at_end=False,
            success_once=False,
            progress=0.0,
            failure="fault",
            fault=refused,
        )
    good = bool(end["success_at_end"]) and not end["fault"]
    return Tried(
        cousin=cousin,
        start=start,
        success_at_end=good,
        success_once=bool(end["success_once"]),
        progress=float(end["progress"]),
        failure="" if good else _failure(end),
        fault=end["fault"],
    )


def _failure(end: dict[str, Any]) -> str:
    if end["fault"]:
        return "fault"
    if end["fail_at_end"]:
        return "lost"
    if end["success_once"]:
        return "not held"
    return "on the way" if end["progress"] >= MOVED else "not moved"


def failures(tried: Sequence[Tried]) -> dict[str, int]:
    """Return how many episodes failed in each way."""
    kinds = [one.failure for one in tried if one.failure]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def outcomes(tried: Sequence[Tried]) -> Array:
    """Return which episodes ended in success, bool [n]."""
    return np.array([one.success_at_end for one in tried], dtype=np.bool_)
