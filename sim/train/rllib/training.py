"""Train a policy with PPO of RLlib, with rollouts that workers on a Ray cluster collect.

The folder is laid out as in `sim.train.training`: a policy for numpy alone, `training.json`, `logs` for TensorBoard;
the state of RLlib is in `rllib-N`. A resumed training begins new episodes, and the speed of the workers decides which
transitions share an update: runs are not reproducible bit for bit.
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

from cousins.disk_errors import require_room
from cousins.errors import EngineError, InputError
from cousins.publishing import claimed_folder, write_atomic
from sim.train.config import VARIANCE_FLOOR, TrainingConfig
from sim.train.policies import Policy, PolicyCard, read_policy, write_policy
from sim.train.rllib.learning import (
    EPISODES_METRIC,
    layer_names,
    load_policy_arrays,
    make_algorithm,
    policy_arrays,
    set_steps_taken,
)
from sim.train.rllib.registration import register
from sim.train.training_envs import make_training_env
from sim.train.training_progress import (
    CURVE_METRICS,
    CURVE_POINTS,
    LOGS_FOLDER,
    TRAINING_FILE,
    ProgressReport,
    TrainingProgress,
    TrainingResult,
    damaged_training_error,
    read_training_record,
    require_no_training,
    require_same_settings,
)

RUNNER: Final = "ray"
OBJECT_STORE_BYTES: Final = 200_000_000
"""Object store of a local cluster [bytes]: a few thousand transitions."""
STALL_TIMEOUT_S: Final = 180.0
"""Time without a step from any worker after which a run fails [s]."""
RAY_LOGS_HINT: Final = "Ray keeps its logs in /tmp/ray/session_latest/logs"
QUIET_ENVIRONMENT: Final = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
"""Environment variables that disable Ray's usage reports and its internal warnings."""


@dataclass(kw_only=True)
class _EpisodeTotals:
    """Sums over the episodes since the last checkpoint."""

    count: int = 0
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(CURVE_METRICS, 0.0))

    def add(self, results: dict[str, Any]) -> None:
        """Add the episodes of an iteration's results."""
        count = results.get(EPISODES_METRIC, 0.0)
        if count == count and count > 0:  # RLlib reports no episodes as NaN
            self.count += int(count)
            for name in CURVE_METRICS:
                self.sums[name] += float(results[f"{EPISODES_METRIC}_{name}"])

    def point(self, steps: int) -> dict[str, float]:
        """Return a point of the learning curve."""
        means = {name: value / max(self.count, 1) for name, value in self.sums.items()}
        return {"steps": steps, "episodes": self.count, **means}


def train_on_ray(
    pack: str | Path,
    training: TrainingConfig,
    output: Path,
    *,
    workers: int = 2,
    resume: bool = False,
    start: Path | None = None,
    on_progress: Callable[[ProgressReport], None] | None = None,
) -> TrainingResult:
    """Train a policy with rollouts from `workers` workers and write its folder `output`; `start` is a policy folder.

    The cluster is that of RAY_ADDRESS, otherwise a local one for the duration of the run; every node must find the pack
    under the same path or reference. A worker that dies is replaced and its transitions are lost. With `resume`
    weights, optimiser and running statistics are restored, and new episodes begin. Raises `InputError`, and
    `EngineError` where workers deliver no steps.
    """
    if training.learning.algorithm != "ppo":
        raise InputError(
            f"algorithm {training.learning.algorithm!r} on Ray",
            expected="ppo",
            hint="Leave out --runner ray, or take --algo ppo.",
        )
    if not resume:
        require_no_training(output)
    pack_path = os.fspath(Path(pack).resolve()) if Path(pack).is_dir() else os.fspath(pack)
    record = read_training_record(output, runner=RUNNER) if resume else {}
    progress = TrainingProgress(training=training, digest="")
    card = _initial_card(pack_path, training)
    progress = replace(progress, digest=card.digest)
    if record:
        progress = _resumed_progress(record, progress, output)
    start_policy = None if start is None else read_policy(start)
    require_room(output)
    with claimed_folder(output), _cluster(workers), _algorithm(pack_path, training, workers) as algorithm:
        if start_policy is not None:
            load_policy_arrays(algorithm, start_policy.arrays)
            progress = replace(progress, prior_steps=start_policy.card.steps)
        if record:
            algorithm.restore_from_path(os.fspath((output / record["rllib"]).resolve()))
            set_steps_taken(algorithm.env_runner_group, int(progress.curve[-1]["steps"]), workers=workers)
            _write_policy(
                algorithm, replace(card, steps=progress.prior_steps + int(progress.curve[-1]["steps"])), output
            )
        progress, replaced = _learn(algorithm, progress, card, output, on_progress=on_progress)
    return TrainingResult(
        policy=read_policy(output), seconds=progress.seconds, curve=progress.curve, workers_replaced=replaced
    )


def _learn(
    algorithm: Algorithm,
    progress: TrainingProgress,
    card: PolicyCard,
    output: Path,
    *,
    on_progress: Callable[[ProgressReport], None] | None,
) -> tuple[TrainingProgress, int]:
    """Iterate until all steps are taken; return the final progress and the number of replaced workers."""
    training = progress.training
    interval = max(1, training.steps // CURVE_POINTS)
    steps = int(progress.curve[-1]["steps"]) if progress.curve else 0
    start_s = time.monotonic() - progress.seconds
    last_step_s, replaced, ended = time.monotonic(), 0, _EpisodeTotals()
    with SummaryWriter(os.fspath(output / LOGS_FOLDER)) as log:
        while steps < training.steps:
            steps_before = steps
            result = algorithm.train()
            runner_results = result.get("env_runners", {})
            steps += int(runner_results.get("num_env_steps_sampled", 0))
            ended.add(runner_results)
            replaced = int(result["fault_tolerance"]["num_remote_worker_restarts"])
            if steps > steps_before:
                last_step_s = time.monotonic()
            elif time.monotonic() - last_step_s > STALL_TIMEOUT_S:
                raise EngineError(
                    f"no worker has given a step for {STALL_TIMEOUT_S:.0f} s; {RAY_LOGS_HINT}", engine=RUNNER
                )
            if steps // interval == steps_before // interval and steps < training.steps:
                continue
            progress = progress.with_point(ended.point(steps), time.monotonic() - start_s)
            ended = _EpisodeTotals()
            _save_checkpoint(algorithm, progress, replace(card, steps=progress.prior_steps + steps), output)
            _log_curve(log, progress, result)
            if on_progress is not None:
                on_progress(progress.report(workers_replaced=replaced))
    return progress, replaced


def _save_checkpoint(algorithm: Algorithm, progress: TrainingProgress, card: PolicyCard, output: Path) -> None:
    """Write a checkpoint; the previous one stays valid until this one is complete."""
    name = f"rllib-{card.steps - progress.prior_steps}"
    partial_folder = output / f"{name}.part"
    shutil.rmtree(partial_folder, ignore_errors=True)
    algorithm.save_to_path(os.fspath(partial_folder.resolve()))
    shutil.rmtree(output / name, ignore_errors=True)
    partial_folder.rename(output / name)
    record = progress.to_record() | {"runner": RUNNER, "rllib": name}
    write_atomic(output / TRAINING_FILE, (json.dumps(record) + "\n").encode())
    for old in output.glob("rllib-*"):
        if old.name != name:
            shutil.rmtree(old)
    _write_policy(algorithm, card, output)


def _write_policy(algorithm: Algorithm, card: PolicyCard, output: Path) -> None:
    write_policy(Policy(card=replace(card, layers=layer_names(algorithm)), arrays=policy_arrays(algorithm)), output)


def _log_curve(log: SummaryWriter, progress: TrainingProgress, result: dict[str, Any]) -> None:
    """Write the numbers of a checkpoint for TensorBoard: the learning curve, and the metrics of RLlib's learner."""
    point = progress.curve[-1]
    learner = result.get("learners", {}).get("default_policy", {})
    numbers = {f"train/{name}": value for name, value in learner.items() if isinstance(value, float)}
    numbers |= {f"cousins/{name}": value for name, value in point.items()}
    for name, value in numbers.items():
        if value == value:
            log.add_scalar(name, float(value), int(point["steps"]))
    log.flush()


def _initial_card(pack: str, training: TrainingConfig) -> PolicyCard:
    """Return the card of the policy to be trained; raises `InputError` for invalid settings before Ray starts."""
    digest, env = make_training_env(pack, replace(training, rows=1))
    try:
        return PolicyCard(
            task=training.task,
            body=env.episodes.worlds.body.name,
            control=training.control,
            control_hz=training.control_hz,
            observations=env.single_observation_space.shape[0],
            actions=env.episodes.controller.action_size,
            layers=(),
            activation="tanh",
            squashed=False,
            variance_floor=VARIANCE_FLOOR,
            algorithm=training.learning.algorithm,
            digest=digest,
            seed=training.seed,
            steps=0,
            columns=env.columns,
            action_columns=env.action_columns,
        )
    finally:
        env.close()


def _resumed_progress(record: dict[str, Any], progress: TrainingProgress, folder: Path) -> TrainingProgress:
    try:
        require_same_settings(record, progress)
        if not (folder / Path(record["rllib"]).name).is_dir():
            raise ValueError(f"no {record['rllib']}")
        return replace(progress, prior_steps=record["before"], seconds=record["seconds"], curve=tuple(record["curve"]))
    except (ValueError, KeyError, TypeError) as error:
        raise damaged_training_error(folder, error) from error


@contextmanager
def _cluster(workers: int) -> Iterator[None]:
    """Connect to the cluster of RAY_ADDRESS, or start a local one; a running one is reused."""
    if ray.is_initialized():
        register()
        yield
        return
    for name, value in QUIET_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    address = os.environ.get("RAY_ADDRESS")
    local_options: dict[str, Any] = {
        "num_cpus": workers,
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
    }
    ray.init(
        address=address or "local",
        log_to_driver=False,
        logging_level=logging.ERROR,
        **({} if address else local_options),
    )
    try:
        cpu_count = int(ray.cluster_resources().get("CPU", 0))
        if cpu_count < workers:
            raise InputError(
                f"{workers} workers on a cluster of {cpu_count} cores",
                expected="a core for each worker",
                hint=f"Type --workers {cpu_count}, or let more nodes join.",
            )
        register()
        yield
    finally:
        ray.shutdown()


@contextmanager
def _algorithm(pack: str, training: TrainingConfig, workers: int) -> Iterator[Algorithm]:
    algorithm = make_algorithm(pack, training, workers=workers)
    try:
        yield algorithm
    finally:
        algorithm.stop()
