"""Train a policy in cousins with Stable-Baselines3; an interrupted training resumes bit for bit.

A training is a folder: `policy.safetensors` and `policy.json` of the last checkpoint; `training.json` with the
settings, the learning curve and the state between two updates, whose arrays are in `state-N.safetensors`; and `logs`
for TensorBoard. At a checkpoint no transition is pending and no episode is partially counted, so the state is complete.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure

from cousins.disk_errors import require_room
from cousins.geometry import Array
from cousins.pack.packs import Pack
from cousins.publishing import claimed_folder
from sim.envs.vector_env import CousinsVectorEnv
from sim.train.checkpoints import load_checkpoint, save_checkpoint
from sim.train.config import VARIANCE_FLOOR, TrainingConfig
from sim.train.policies import Policy, PolicyCard, read_policy, write_policy
from sim.train.sb3 import Sb3VecEnv
from sim.train.sb3_learners import (
    bound_exploration,
    layer_names,
    load_policy_arrays,
    make_learner,
    normalise_env,
    policy_arrays,
)
from sim.train.training_envs import make_training_env
from sim.train.training_progress import (
    CURVE_POINTS,
    LOGS_FOLDER,
    ProgressReport,
    TrainingProgress,
    TrainingResult,
    curve_point,
    require_no_training,
)
from sim.worlds.worlds import CousinSource


class _EpisodeCollector(BaseCallback):
    """Collects the metrics of episodes as they end."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[dict[str, Any]] = []

    def _on_step(self) -> bool:
        self.ended += [info["metrics"] for info in self.locals["infos"] if "metrics" in info]
        return True


def train(
    pack: str | Path | Pack | CousinSource,
    training: TrainingConfig,
    output: Path,
    *,
    resume: bool = False,
    start: Path | None = None,
    on_progress: Callable[[ProgressReport], None] | None = None,
) -> TrainingResult:
    """Train a policy and write its folder `output`; `start` is the folder of a policy to start from.

    With `resume` the training in `output` continues, bit for bit on the same machine. `on_progress` is called at every
    checkpoint. Raises `InputError`.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    require_room(output)
    try:
        with claimed_folder(output):
            return _train(pack, training, output, resume=resume, start=start, on_progress=on_progress)
    finally:
        torch.set_num_threads(threads)


def _train(
    pack: str | Path | Pack | CousinSource,
    training: TrainingConfig,
    output: Path,
    *,
    resume: bool,
    start: Path | None,
    on_progress: Callable[[ProgressReport], None] | None,
) -> TrainingResult:
    if not resume:
        require_no_training(output)
    digest, env = make_training_env(pack, training)
    _set_robot_variation(env, training, 0)
    try:
        learner = make_learner(normalise_env(Sb3VecEnv(env), training.learning), training.learning, seed=training.seed)
        prior_steps = 0
        if start is not None:
            start_policy = read_policy(start)
            load_policy_arrays(learner, start_policy.arrays)
            prior_steps = start_policy.card.steps
        learner.set_logger(configure(str(output / LOGS_FOLDER), ["tensorboard"]))
        listener = _EpisodeCollector()
        _, callback = learner._setup_learn(training.steps, listener)
        progress = TrainingProgress(training=training, digest=digest, prior_steps=prior_steps)
        if resume:
            progress = load_checkpoint(output, progress, learner, env)
            write_policy(_current_policy(learner, training, env, progress), output)
        every = max(1, training.steps // CURVE_POINTS)
        start_s = time.monotonic() - progress.seconds
        while learner.num_timesteps < training.steps:
            steps_before = learner.num_timesteps
            _set_robot_variation(env, training, steps_before)
            _collect_and_update(learner, callback, training)
            if learner.num_timesteps // every == steps_before // every and learner.num_timesteps < training.steps:
                continue
            progress = progress.with_point(
                curve_point(learner.num_timesteps, listener.ended), time.monotonic() - start_s
            )
            listener.ended.clear()
            _log_curve(learner, progress)
            save_checkpoint(output, progress, learner, env)
            write_policy(_current_policy(learner, training, env, progress), output)
            if on_progress is not None:
                on_progress(progress.report())
        return TrainingResult(policy=read_policy(output), seconds=progress.seconds, curve=progress.curve)
    finally:
        env.close()


def _set_robot_variation(env: CousinsVectorEnv, training: TrainingConfig, steps: int) -> None:
    """Set whether the robots of episodes that begin after `steps` steps vary."""
    env.episodes.robots.randomise = steps >= training.robot_after * training.steps


def _collect_and_update(learner: Any, callback: BaseCallback, training: TrainingConfig) -> None:
    """Collect transitions and update once, as `learn` of Stable-Baselines3 does."""
    if training.learning.algorithm == "ppo":
        learner.collect_rollouts(learner.env, callback, learner.rollout_buffer, n_rollout_steps=learner.n_steps)
        learner._update_current_progress_remaining(learner.num_timesteps, training.steps)
        learner.train()
        bound_exploration(learner, training.learning, learner.num_timesteps / training.steps)
        return
    learner.collect_rollouts(
        learner.env,
        train_freq=learner.train_freq,
        action_noise=None,
        callback=callback,
        learning_starts=learner.learning_starts,
        replay_buffer=learner.replay_buffer,
    )
    if learner.num_timesteps > learner.learning_starts:
        learner.train(batch_size=learner.batch_size, gradient_steps=learner.gradient_steps)


def _log_curve(learner: Any, progress: TrainingProgress) -> None:
    for name, value in progress.curve[-1].items():
        learner.logger.record(f"cousins/{name}", value)
    learner.logger.dump(step=learner.num_timesteps)


def _current_policy(
    learner: Any, training: TrainingConfig, env: CousinsVectorEnv, progress: TrainingProgress
) -> Policy:
    arrays: dict[str, Array] = policy_arrays(learner)
    algorithm = training.learning.algorithm
    card = PolicyCard(
        task=training.task,
        body=env.episodes.worlds.body.name,
        control=training.control,
        control_hz=training.control_hz,
        observations=arrays["observation.mean"].shape[0],
        actions=env.episodes.controller.action_size,
        layers=layer_names(learner, algorithm),
        activation="tanh" if algorithm == "ppo" else "relu",
        squashed=algorithm == "sac",
        variance_floor=VARIANCE_FLOOR,
        algorithm=algorithm,
        digest=progress.digest,
        seed=training.seed,
        steps=progress.prior_steps + learner.num_timesteps,
        columns=env.columns,
        action_columns=env.action_columns,
    )
    return Policy(card=card, arrays=arrays)
