"""Evaluation of a policy in the cousins of a split; episodes whose world broke are counted as failures.

Episodes are numbered: the same start of the same cousin is identical for every policy, so policies can be compared in
pairs. Rows are reset one by one, and no episode is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from cousins.errors import EngineError
from cousins.geometry import Array
from cousins.pack.packs import Pack
from sim.envs.make_env import make_env, resolve_source
from sim.envs.vector_env import CousinsVectorEnv
from sim.tasks.episode import Episode
from sim.train.actors import Actor
from sim.train.policies import require_columns
from sim.train.proportions import Proportion, proportion
from sim.worlds.worlds import CousinSource

MIN_PROGRESS: Final = 0.1
"""Progress from which an unsuccessful episode counts as `on the way` instead of `not moved`."""


@dataclass(frozen=True, kw_only=True)
class EpisodeResult:
    """Outcome of one episode."""

    cousin: int
    """Number of the cousin."""
    start: int
    """Number of the start in the cousin."""
    success_at_end: bool
    """Whether the success condition held at the end, for the required time."""
    success_once: bool
    """Whether the condition held at any step."""
    progress: float
    """Progress at the end, 0 to 1."""
    failure: str
    """Empty at success, else `fault`, `lost`, `not held`, `on the way` or `not moved`."""
    fault: str = ""
    """Fault of the world in the engine's words; empty for none."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Results of an evaluation."""

    episodes: tuple[EpisodeResult, ...]
    """Outcomes of all episodes."""
    engine: str
    """Name of the engine."""
    refused: tuple[int, ...]
    """Numbers of the cousins that do not afford the task; no episode was run in them."""
    digest: str = ""
    """Digest of the pack."""

    @property
    def success_at_end(self) -> Proportion:
        """Proportion of episodes that ended in success."""
        return proportion([episode.success_at_end for episode in self.episodes])

    @property
    def success_once(self) -> Proportion:
        """Proportion of episodes with success at any step."""
        return proportion([episode.success_once for episode in self.episodes])

    def by_cousin(self) -> dict[int, Proportion]:
        """Return the proportion of successes at the end, by number of the cousin."""
        outcomes: dict[int, list[bool]] = {
            cousin: [] for cousin in sorted({episode.cousin for episode in self.episodes})
        }
        for episode in self.episodes:
            outcomes[episode.cousin].append(episode.success_at_end)
        return {cousin: proportion(successes) for cousin, successes in outcomes.items()}


def evaluate(
    policy: Actor,
    *,
    pack: str | Path | Pack | CousinSource,
    split: str | Sequence[int],
    episodes: int = 100,
    rows: int = 16,
    engine: str = "mujoco",
    shadow: int | None = None,
    seed: int = 0,
    task_options: dict[str, Any] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Evaluate a policy in `episodes` episodes, spread evenly over the cousins of a split that afford its task.

    `on_progress` is called with the number of ended episodes and of all, before the first and after each batch of
    `rows` episodes. Raises `InputError` where the worlds have other numbers of observations or actions than the policy.
    """
    card = policy.card
    source, indices = resolve_source(pack, split)
    env = make_env(
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
        require_columns(policy, env.columns)
        afforded, refused = _split_afforded(env, indices)
        planned = [(afforded[number % len(afforded)], number // len(afforded)) for number in range(episodes)]
        results: list[EpisodeResult] = []
        report = on_progress or _no_progress
        report(0, episodes)
        while len(results) < len(planned):
            results += _run_batch(policy, env, planned[len(results) : len(results) + env.num_envs], seed)
            report(len(results), episodes)
        return Evaluation(
            episodes=tuple(results),
            engine=env.provenance["engine"],
            refused=tuple(refused),
            digest=env.provenance["digest"],
        )
    finally:
        env.close()


def _no_progress(done: int, total: int) -> None:
    """Report nothing."""


def _split_afforded(env: CousinsVectorEnv, indices: Sequence[int]) -> tuple[list[int], list[int]]:
    task_source = env.episodes.task_source
    afforded = [index for index in indices if isinstance(task_source.episode(index), Episode)]
    return afforded, sorted(set(indices) - set(afforded))


def _run_batch(
    policy: Actor, env: CousinsVectorEnv, planned: Sequence[tuple[int, int]], seed: int
) -> Iterator[EpisodeResult]:
    """Run one episode in each of the first rows, in parallel."""
    begin_errors: dict[int, str] = {}
    observations = np.zeros((env.num_envs, *env.single_observation_space.shape))
    for row, (cousin, start) in enumerate(planned):
        mask = np.arange(env.num_envs) == row
        episode_seed = int(np.random.SeedSequence(seed, spawn_key=(cousin, start)).generate_state(1, np.uint32)[0])
        try:
            observations, _ = env.reset(
                seed=[episode_seed] * env.num_envs, options={"reset_mask": mask, "cousin": cousin}
            )
        except EngineError as error:
            begin_errors[row] = str(error)
    episode_ends: dict[int, dict[str, Any]] = {}
    waiting = set(range(len(planned))) - set(begin_errors)
    policy.begin()
    while waiting:
        observations, _, terminated, truncated, info = env.step(policy.act(observations))
        for row in sorted(waiting & set(np.flatnonzero(terminated | truncated).tolist())):
            episode_ends[row] = _episode_end(info, row)
            waiting.remove(row)
    for row, (cousin, start) in enumerate(planned):
        yield _episode_result(cousin, start, episode_ends.get(row), begin_errors.get(row, ""))


def _episode_end(info: dict[str, Any], row: int) -> dict[str, Any]:
    names = ("success_at_end", "success_once", "progress", "fail_at_end")
    metrics = {name: info["metrics"][name][row].item() for name in names}
    return metrics | {"fault": str(info["sim_fault"][row]) if "sim_fault" in info else ""}


def _episode_result(cousin: int, start: int, end: dict[str, Any] | None, begin_error: str) -> EpisodeResult:
    """Return the outcome of an episode; one that the engine failed to begin is a fault."""
    if end is None:
        return EpisodeResult(
            cousin=cousin,
            start=start,
            success_at_end=False,
            success_once=False,
            progress=0.0,
            failure="fault",
            fault=begin_error,
        )
    is_success = bool(end["success_at_end"]) and not end["fault"]
    return EpisodeResult(
        cousin=cousin,
        start=start,
        success_at_end=is_success,
        success_once=bool(end["success_once"]),
        progress=float(end["progress"]),
        failure="" if is_success else _failure_kind(end),
        fault=end["fault"],
    )


def _failure_kind(end: dict[str, Any]) -> str:
    if end["fault"]:
        return "fault"
    if end["fail_at_end"]:
        return "lost"
    if end["success_once"]:
        return "not held"
    return "on the way" if end["progress"] >= MIN_PROGRESS else "not moved"


def count_failures(episodes: Sequence[EpisodeResult]) -> dict[str, int]:
    """Return the number of failed episodes by kind of failure."""
    kinds = [episode.failure for episode in episodes if episode.failure]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def success_outcomes(episodes: Sequence[EpisodeResult]) -> Array:
    """Return which of n episodes ended in success, bool [n]."""
    return np.array([episode.success_at_end for episode in episodes], dtype=np.bool_)
