"""Train a policy with PPO of RLlib, whose rollouts workers on a Ray cluster collect.

The folder is that of `sim.train.training`: a policy for numpy alone, `training.json`, `logs` for TensorBoard; what
RLlib needs to go on lies in `rllib-N`. Workers begin new episodes when a training goes on, and how fast each one is
changes which transitions are learned from together: no two runs are the same, bit for bit.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import ray
from ray.rllib.algorithms.algorithm import Algorithm
from torch.utils.tensorboard import SummaryWriter

from cousins.errors import EngineError, InputError
from sim.train.config import FLOOR, Training
from sim.train.policies import Card, Policy, read_policy, write_policy, write_whole
from sim.train.rllib.learning import EPISODES, arrays_of, go_on, layers_of, make_algorithm, put_arrays
from sim.train.rllib.registration import register
from sim.train.training_envs import environment_of
from sim.train.training_progress import (
    COUNTED,
    LOGS,
    MARKS,
    RECORD,
    Mark,
    Progress,
    Trained,
    read_record,
    require_free,
    require_same,
    unreadable,
)

RUNNER: Final = "ray"
STORE_BYTES: Final = 200_000_000
"""Memory of a local cluster for what is passed on: a few thousand transitions."""
PATIENCE_S: Final = 180.0
"""A run gives up when for so long no worker has given a step [s]."""
LOGS_OF_RAY: Final = "Ray keeps its logs in /tmp/ray/session_latest/logs"
QUIET: Final = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
"""Nothing is reported to anybody, and Ray's own warnings are not for whoever trains a policy."""


@dataclass(kw_only=True)
class _Ended:
    """Episodes since the last mark."""

    count: int = 0
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0.0))

    def add(self, told: dict[str, Any]) -> None:
        """Count what an iteration's results tell."""
        count = told.get(EPISODES, 0.0)
        if count == count and count > 0:  # RLlib tells of nothing as NaN
            self.count += int(count)
            for name in COUNTED:
                self.sums[name] += float(told[f"{EPISODES}_{name}"])

    def point(self, steps: int) -> dict[str, float]:
        """Return a point of the learning curve."""
        means = {name: value / max(self.count, 1) for name, value in self.sums.items()}
        return {"steps": steps, "episodes": self.count, **means}


def train_on_ray(
    pack: str | Path,
    training: Training,
    output: Path,
    *,
    workers: int = 2,
    resume: bool = False,
    start: Path | None = None,
    tell: Callable[[Progress], None] | None = None,
) -> Trained:
    """Train a policy and write its folder, with rollouts from so many workers; `start` is a policy to start from.

    The cluster is that of RAY_ADDRESS, else one of this machine for the time of the run; every node must find the pack
    by the same path or reference. A worker that dies is replaced and its transitions are lost. With `resume` weights,
    optimiser and running means go on, and episodes begin anew. Raises `InputError`, and `EngineError` where workers
    give nothing.
    """
    if training.learning.algorithm != "ppo":
        raise InputError(
            f"algorithm {training.learning.algorithm!r} on Ray",
            expected="ppo",
            hint="Leave out --runner ray, or take --algo ppo.",
        )
    if not resume:
        require_free(output)
    place = os.fspath(Path(pack).resolve()) if Path(pack).is_dir() else os.fspath(pack)
    mark, record = Mark(training=training, digest=""), read_record(output, runner=RUNNER) if resume else {}
    card = _card(place, training)
    mark = replace(mark, digest=card.digest)
    if record:
        mark = _taken_up(record, mark, output)
    given = None if start is None else read_policy(start)
    with _cluster(workers), _algorithm(place, training, workers) as algorithm:
        if given is not None:
            put_arrays(algorithm, given.arrays)
            mark = replace(mark, before=given.card.steps)
        if record:
            algorithm.restore_from_path(os.fspath((output / record["rllib"]).resolve()))
            go_on(algorithm.env_runner_group, int(mark.curve[-1]["steps"]), workers=workers)
        output.mkdir(parents=True, exist_ok=True)
        mark, replaced = _learn(algorithm, mark, card, output, tell=tell)
    return Trained(policy=read_policy(output), seconds=mark.seconds, curve=mark.curve, replaced=replaced)


def _learn(
    algorithm: Algorithm, mark: Mark, card: Card, output: Path, *, tell: Callable[[Progress], None] | None
) -> tuple[Mark, int]:
    """Iterate until all steps are done; return the last mark, and how many workers were replaced."""
    training = mark.training
    every = max(1, training.steps // MARKS)
    steps = int(mark.curve[-1]["steps"]) if mark.curve else 0
    began = time.monotonic() - mark.seconds
    heard, replaced, ended = time.monotonic(), 0, _Ended()
    with SummaryWriter(os.fspath(output / LOGS)) as log:
        while steps < training.steps:
            done = steps
            result = algorithm.train()
            told = result.get("env_runners", {})
            steps += int(told.get("num_env_steps_sampled", 0))
            ended.add(told)
            replaced = int(result["fault_tolerance"]["num_remote_worker_restarts"])
            if steps > done:
                heard = time.monotonic()
            elif time.monotonic() - heard > PATIENCE_S:
                raise EngineError(f"no worker has given a step for {PATIENCE_S:.0f} s; {LOGS_OF_RAY}", engine=RUNNER)
            if steps // every == done // every and steps < training.steps:
                continue
            mark = mark.grown(ended.point(steps), time.monotonic() - began)
            ended = _Ended()
            _write(algorithm, mark, replace(card, steps=mark.before + steps), output)
            _log(log, mark, result)
            if tell is not None:
                tell(mark.progress(replaced=replaced))
    return mark, replaced


def _write(algorithm: Algorithm, mark: Mark, card: Card, output: Path) -> None:
    """Write a mark; the one before stays good until this one is there whole."""
    write_policy(Policy(card=replace(card, layers=layers_of(algorithm)), arrays=arrays_of(algorithm)), output)
    name = f"rllib-{card.steps - mark.before}"
    part = output / f"{name}.part"
    shutil.rmtree(part, ignore_errors=True)
    algorithm.save_to_path(os.fspath(part.resolve()))
    shutil.rmtree(output / name, ignore_errors=True)
    part.rename(output / name)
    write_whole(output / RECORD, (json.dumps(mark.told() | {"runner": RUNNER, "rllib": name}) + "\n").encode())
    for old in output.glob("rllib-*"):
        if old.name != name:
            shutil.rmtree(old)


def _log(log: SummaryWriter, mark: Mark, result: dict[str, Any]) -> None:
    """Write a mark's numbers for TensorBoard: ours, and what RLlib tells of its learner."""
    last = mark.curve[-1]
    learner = result.get("learners", {}).get("default_policy", {})
    numbers = {f"train/{name}": value for name, value in learner.items() if isinstance(value, float)}
    numbers |= {f"cousins/{name}": value for name, value in last.items()}
    for name, value in numbers.items():
        if value == value:
            log.add_scalar(name, float(value), int(last["steps"]))
    log.flush()


def _card(pack: str, training: Training) -> Card:
    """Return what the policy will be; what no worker could make raises `InputError` here, before Ray starts."""
    digest, env = environment_of(pack, replace(training, rows=1))
    try:
        return Card(
            task=training.task,
            body=env.episodes.worlds.body.name,
            control=training.control,
            control_hz=training.control_hz,
            observations=env.single_observation_space.shape[0],
            actions=env.episodes.controller.action_size,
            layers=(),
            activation="tanh",
            squashed=False,
            variance_floor=FLOOR,
            algorithm=training.learning.algorithm,
            digest=digest,
            seed=training.seed,
            steps=0,
        )
    finally:
        env.close()


def _taken_up(record: dict[str, Any], wanted: Mark, folder: Path) -> Mark:
    try:
        require_same(record, wanted)
        if not (folder / Path(record["rllib"]).name).is_dir():
            raise ValueError(f"no {record['rllib']}")
        return replace(wanted, before=record["before"], seconds=record["seconds"], curve=tuple(record["curve"]))
    except (ValueError, KeyError, TypeError) as error:
        raise unreadable(folder, error) from error


@contextmanager
def _cluster(workers: int) -> Iterator[None]:
    """Connect to the cluster of RAY_ADDRESS, or start one on this machine; one that runs already is taken."""
    if ray.is_initialized():
        register()
        yield
        return
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    address = os.environ.get("RAY_ADDRESS")
    own: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": STORE_BYTES}
    ray.init(
        address=address or "local",
        log_to_driver=False,
        logging_level=logging.ERROR,
        **({} if address else own),
    )
    try:
        room = int(ray.cluster_resources().get("CPU", 0))
        if room < workers:
            raise InputError(
                f"{workers} workers on a cluster of {room} cores",
                expected="a core for each worker",
                hint=f"Type --workers {room}, or let more nodes join.",
            )
        register()
        yield
    finally:
        ray.shutdown()


@contextmanager
def _algorithm(pack: str, training: Training, workers: int) -> Iterator[Algorithm]:
    algorithm = make_algorithm(pack, training, workers=workers)
    try:
        yield algorithm
    finally:
        algorithm.stop()
