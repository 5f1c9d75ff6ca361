"""Episodes one at a time: a result depends on its cousin, its start and the policy, never on what else was run.

Batches are faster by a third, but the rounding of a policy's matrix products follows the size of the batch, so a result
could not be compared bit by bit with that of another selection.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np

from cousins.errors import EngineError, InputError
from cousins.geometry import Array, rotation_from_quat_wxyz
from cousins.pack.packs import Pack
from cousins.regress.bands import SHAKE_M
from cousins.regress.outcomes import EpisodeOutcome
from sim.envs.make_env import make_env
from sim.train.actors import Actor
from sim.train.evaluation import MIN_PROGRESS
from sim.worlds.worlds import CousinSource, State


@dataclass(frozen=True, kw_only=True)
class _Ending:
    """How an episode ended."""

    fault: str
    success: bool = False
    success_once: bool = False
    progress: float = 0.0
    failure: str = ""
    steps: int = 0
    values: Mapping[str, float] = field(default_factory=dict)


class EpisodeRunner:
    """Runs episodes of one policy in the cousins of one source, in one engine; a context that frees the engine."""

    def __init__(
        self, policy: Actor, *, source: Pack | CousinSource, cousins: Sequence[int], engine: str, seed: int
    ) -> None:
        """Raise `InputError` where the worlds do not fit the policy or no cousin affords its task."""
        card = policy.card
        self.seed = seed
        self.env = make_env(
            pack=source,
            task=card.task,
            split=list(cousins),
            num_envs=1,
            engine=engine,
            body=card.body,
            control=card.control,
            control_hz=card.control_hz,
            autoreset="disabled",
            observations="groups",
        )
        self.use(policy)

    def __enter__(self) -> EpisodeRunner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.env.close()

    def use(self, policy: Actor) -> None:
        """Take another policy for the episodes that follow; raises `InputError` where the worlds do not fit it."""
        spaces = self.env.single_observation_space
        policy.require_fit(spaces["policy"].shape[0], self.env.single_action_space.shape[0])
        self.policy = policy

    def run(self, cousin: int, start: int, *, shake: int | None = None) -> EpisodeOutcome:
        """Return the outcome of an episode; with `shake`, objects begin some `SHAKE_M` away, drawn by that number.

        A world that breaks and a policy that fails are faults of the outcome, not errors.
        """
        began_s = time.process_time()
        hasher = hashlib.sha256()
        try:
            end = self._simulate(cousin, start, shake, hasher)
        except (EngineError, InputError) as error:
            end = _Ending(fault=str(error))
        return EpisodeOutcome(
            cousin=cousin,
            start=start,
            success=end.success and not end.fault,
            success_once=end.success_once,
            progress=end.progress,
            failure="fault" if end.fault else end.failure,
            fault=end.fault,
            states=hasher.hexdigest(),
            steps=end.steps,
            values=end.values,
            cpu_s=time.process_time() - began_s,
        )

    def _simulate(self, cousin: int, start: int, shake: int | None, hasher: Any) -> _Ending:
        sequence = np.random.SeedSequence(self.seed, spawn_key=(cousin, start))
        observations, _ = self.env.reset(seed=int(sequence.generate_state(1, np.uint32)[0]), options={"cousin": cousin})
        if shake is not None:
            self._shake(np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(cousin, start, shake))))
        self.policy.begin()
        info: dict[str, Any] = {}
        has_ended, steps = False, 0
        while not has_ended:
            actions = self.policy.act(observations["policy"])
            observations, _, terminated, truncated, info = self.env.step(actions)
            for group in ("policy", "privileged"):
                hasher.update(np.ascontiguousarray(observations[group]).tobytes())
            has_ended, steps = bool(terminated[0] or truncated[0]), steps + 1
        return self._end(info, steps, hasher)

    def _end(self, info: dict[str, Any], steps: int, hasher: Any) -> _Ending:
        metrics = {
            name: info["metrics"][name][0].item()
            for name in ("success_at_end", "success_once", "progress", "return", "fail_at_end")
        }
        fault = str(info["sim_fault"][0]) if "sim_fault" in info else ""
        values = {"progress": float(metrics["progress"]), "return": float(metrics["return"])}
        if not fault:
            state = self.env.episodes.worlds.read()
            _hash_state(state, self.env.episodes.worlds.slots.objects, hasher)
            values |= self._target_values(state)
        return _Ending(
            fault=fault,
            success=bool(metrics["success_at_end"]),
            success_once=bool(metrics["success_once"]),
            progress=float(metrics["progress"]),
            failure=_failure_kind(metrics),
            steps=steps,
            values=values,
        )

    def _target_values(self, state: State) -> dict[str, float]:
        """Return the position of the first object that is handled, by axis [m]."""
        episodes = self.env.episodes
        name = episodes.task_source.afforded(int(episodes.cousin[0])).parts[0].name
        position_m = state.position_m[0, episodes.worlds.slots.objects.index(name)]
        return {f"{name} {axis} [m]": float(value) for axis, value in zip("xyz", position_m, strict=True)}

    def _shake(self, rng: np.random.Generator) -> None:
        worlds = self.env.episodes.worlds
        index = int(self.env.episodes.cousin[0])
        free = {placed.asset.name for placed in self.env.episodes.task_source.scene(index).objects if not placed.fixed}
        state = worlds.read()
        for column, name in enumerate(worlds.slots.objects):
            if name in free:
                pose = np.eye(4)
                pose[:3, :3] = rotation_from_quat_wxyz(state.quat_wxyz[0, column])
                pose[:3, 3] = state.position_m[0, column] + rng.normal(0.0, SHAKE_M, 3)
                worlds.place(0, name, pose)


def _hash_state(state: State, objects: Sequence[str], hasher: Any) -> None:
    """Hash the last state without the columns of objects that other cousins have."""
    for name, column in sorted((name, column) for column, name in enumerate(objects)):
        if state.present[0, column]:
            hasher.update(name.encode())
            arrays: tuple[Array, ...] = (state.position_m, state.quat_wxyz, state.velocity)
            for values in arrays:
                hasher.update(np.ascontiguousarray(values[0, column]).tobytes())
    hasher.update(state.drive_position[0].tobytes() + state.drive_velocity[0].tobytes())


def _failure_kind(metrics: dict[str, Any]) -> str:
    if metrics["success_at_end"]:
        return ""
    if metrics["fail_at_end"]:
        return "lost"
    if metrics["success_once"]:
        return "not held"
    return "on the way" if metrics["progress"] >= MIN_PROGRESS else "not moved"
