"""Train a policy in cousins, and go on exactly where a killed training was.

A training is its folder: `policy.safetensors` and `policy.json`, which any time are those of the last mark;
`training.json` with the settings, the learning curve and the state between two updates, whose arrays lie in
`state-N.safetensors`; and `logs` for TensorBoard. At a mark no episode is half counted and no transition waits, so what
is saved there is all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure

from cousins.geometry import Array
from cousins.pack.packs import Pack
from sim.envs.vector_env import CousinsVectorEnv
from sim.train.checkpoints import put_back, save_mark
from sim.train.config import FLOOR, Training
from sim.train.policies import Card, Policy, read_policy, write_policy
from sim.train.sb3 import Sb3VecEnv
from sim.train.sb3_learners import arrays_of, bound_exploration, layers_of, make_learner, normalised, put_arrays
from sim.train.training_envs import environment_of
from sim.train.training_progress import LOGS, MARKS, Mark, Progress, Trained, point_of, require_free
from sim.worlds.worlds import Source


class _Listener(BaseCallback):
    """Counts episodes as they end."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[dict[str, Any]] = []

    def _on_step(self) -> bool:
        self.ended += [info["metrics"] for info in self.locals["infos"] if "metrics" in info]
        return True


def train(
    pack: str | Path | Pack | Source,
    training: Training,
    output: Path,
    *,
    resume: bool = False,
    start: Path | None = None,
    tell: Callable[[Progress], None] | None = None,
) -> Trained:
    """Train a policy and write its folder; `start` is the folder of a policy to start from.

    With `resume` the training in that folder goes on, bit for bit on one machine. Raises `InputError`.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _train(pack, training, output, resume=resume, start=start, tell=tell)
    finally:
        torch.set_num_threads(threads)


def _train(
    pack: str | Path | Pack | Source,
    training: Training,
    output: Path,
    *,
    resume: bool,
    start: Path | None,
    tell: Callable[[Progress], None] | None,
) -> Trained:
    if not resume:
        require_free(output)
    digest, env = environment_of(pack, training)
    _set_robots(env, training, 0)
    try:
        learner = make_learner(normalised(Sb3VecEnv(env), training.learning), training.learning, seed=training.seed)
        before = 0
        if start is not None:
            given = read_policy(start)
            put_arrays(learner, given.arrays)
            before = given.card.steps
        output.mkdir(parents=True, exist_ok=True)
        learner.set_logger(configure(str(output / LOGS), ["tensorboard"]))
        listener = _Listener()
        _, callback = learner._setup_learn(training.steps, listener)
        mark = Mark(training=training, digest=digest, before=before)
        if resume:
            mark = put_back(output, mark, learner, env)
        every = max(1, training.steps // MARKS)
        began = time.monotonic() - mark.seconds
        while learner.num_timesteps < training.steps:
            done = learner.num_timesteps
            _set_robots(env, training, done)
            _advance(learner, callback, training)
            if learner.num_timesteps // every == done // every and learner.num_timesteps < training.steps:
                continue
            mark = mark.grown(point_of(learner.num_timesteps, listener.ended), time.monotonic() - began)
            listener.ended.clear()
            _log(learner, mark)
            write_policy(_policy(learner, training, env, mark), output)
            save_mark(output, mark, learner, env)
            if tell is not None:
                tell(mark.progress())
        return Trained(policy=read_policy(output), seconds=mark.seconds, curve=mark.curve)
    finally:
        env.close()


def _set_robots(env: CousinsVectorEnv, training: Training, steps: int) -> None:
    """Let the robots of the episodes that begin after so many steps vary, or not yet."""
    env.episodes.robots.vary = steps >= training.robot_after * training.steps


def _advance(learner: Any, callback: BaseCallback, training: Training) -> None:
    """Collect transitions and learn from them once, as `learn` of Stable-Baselines3 does."""
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


def _log(learner: Any, mark: Mark) -> None:
    for name, value in mark.curve[-1].items():
        learner.logger.record(f"cousins/{name}", value)
    learner.logger.dump(step=learner.num_timesteps)


def _policy(learner: Any, training: Training, env: CousinsVectorEnv, mark: Mark) -> Policy:
    arrays: dict[str, Array] = arrays_of(learner)
    algorithm = training.learning.algorithm
    card = Card(
        task=training.task,
        body=env.episodes.worlds.body.name,
        control=training.control,
        control_hz=training.control_hz,
        observations=arrays["observation.mean"].shape[0],
        actions=env.episodes.controller.action_size,
        layers=layers_of(learner, algorithm),
        activation="tanh" if algorithm == "ppo" else "relu",
        squashed=algorithm == "sac",
        variance_floor=FLOOR,
        algorithm=algorithm,
        digest=mark.digest,
        seed=training.seed,
        steps=mark.before + learner.num_timesteps,
    )
    return Policy(card=card, arrays=arrays)
