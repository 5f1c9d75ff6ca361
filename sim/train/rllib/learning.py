"""PPO of RLlib: made from settings, turned into a policy's arrays, and started from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.callbacks.callbacks import RLlibCallback
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME

from cousins.errors import InputError
from cousins.geometry import Array
from sim.train.config import Learning, Training
from sim.train.policies import COUNT, MEAN, VARIANCE
from sim.train.rllib.normalising import NOTHING, Moments, Normaliser
from sim.train.rllib.rows import ROWS, rows_each
from sim.train.training_progress import COUNTED

EPISODES: Final = "cousins_episodes"
RESTORE_S: Final = 120.0
"""A worker that was replaced gets so long to come up [s]."""
_DEVIATION: Final = "pi.log_std"
_LAST: Final = "pi.net.mlp"
_HIDDEN: Final = "encoder.actor_encoder.net.mlp"
_SMALL: Final = 0.01
"""The actor's last layer starts so much smaller than its others, near no action at all."""


class _Listener(RLlibCallback):
    """Counts a worker's episodes as they end."""

    def on_episode_end(self, *, episode: Any, metrics_logger: Any, **others: Any) -> None:
        """Add up an episode's metrics."""
        del others
        told = episode.get_infos(-1)
        metrics_logger.log_value(EPISODES, 1, reduce="sum")
        for name in COUNTED:
            metrics_logger.log_value(f"{EPISODES}_{name}", float(told[name]), reduce="sum")

    def on_env_runners_recreated(
        self, *, algorithm: Any, env_runner_group: Any, env_runner_indices: list[int], **others: Any
    ) -> None:
        """Let workers that came in the place of dead ones go on where all are."""
        del others
        done = algorithm.metrics.peek((ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME), default=0)
        go_on(env_runner_group, int(done), workers=algorithm.config.num_env_runners, only=env_runner_indices)


def make_algorithm(pack: str, training: Training, *, workers: int) -> Algorithm:
    """Return PPO of RLlib over so many workers; Ray must run, and know what `register` tells it."""
    learning, each = training.learning, rows_each(training, workers)
    config = (
        PPOConfig()
        .environment(ROWS, env_config={"pack": pack, "training": training, "workers": workers})
        .env_runners(
            num_env_runners=workers,
            num_envs_per_env_runner=each,
            gym_env_vectorize_mode="vector_entry_point",
            rollout_fragment_length=learning.rollout,
            env_to_module_connector=lambda *_, **__: Normaliser(),
            create_local_env_runner=False,
        )
        .learners(num_learners=0)
        .training(
            lr=learning.learning_rate,
            gamma=learning.discount,
            lambda_=0.95,
            clip_param=0.2,
            entropy_coeff=learning.entropy,
            vf_loss_coeff=0.5,
            vf_clip_param=float("inf"),
            use_kl_loss=False,
            grad_clip=0.5,
            grad_clip_by="global_norm",
            num_epochs=learning.epochs,
            train_batch_size_per_learner=learning.rollout * each * workers,
            minibatch_size=min(learning.batch, learning.rollout * each * workers),
        )
        .rl_module(model_config=_network(learning))
        .fault_tolerance(
            restart_failed_env_runners=True,
            restart_failed_sub_environments=False,
            env_runner_restore_timeout_s=RESTORE_S,
        )
        .callbacks(_Listener)
        .debugging(seed=training.seed, log_level="CRITICAL")
        .reporting(min_time_s_per_iteration=0, min_sample_timesteps_per_iteration=0)
    )
    config.clip_actions, config.normalize_actions = True, False
    algorithm = config.build_algo()
    _put_weights(algorithm, _begun(_weights(algorithm), learning))
    return algorithm


def arrays_of(algorithm: Algorithm) -> dict[str, Array]:
    """Return all weights and running means: what a policy file holds."""
    seen = _normaliser(algorithm).known
    weights = {name: np.array(value) for name, value in _weights(algorithm).items() if not name.endswith("_const")}
    return weights | {MEAN: seen.mean, VARIANCE: seen.variance, COUNT: np.array(seen.count)}


def put_arrays(algorithm: Algorithm, found: Mapping[str, Array]) -> None:
    """Let an algorithm start from the arrays of another one; raises `InputError` where they are of another shape."""
    weights = _weights(algorithm)
    wanted = {name: value.shape for name, value in weights.items() if not name.endswith("_const")}
    if {name: value.shape for name, value in found.items() if not name.startswith("observation.")} != wanted:
        raise InputError(
            "a policy of other arrays than RLlib's",
            expected="one that --runner ray trained, with the same network, task and body",
            hint="Start from another policy, or leave out --runner ray.",
        )
    _put_weights(algorithm, weights | {name: found[name] for name in wanted})
    count = float(found[COUNT])
    seen = Moments(count=count, mean=found[MEAN], squares=found[VARIANCE] * count)
    state = {"known": seen.told(), "fresh": NOTHING.told()}
    _normaliser(algorithm).set_state(state)
    group = algorithm.env_runner_group
    group.foreach_env_runner(lambda worker: _only_normaliser(worker._env_to_module).set_state(state))


def layers_of(algorithm: Algorithm) -> tuple[tuple[str, str], ...]:
    """Return the names of weight and bias of each layer of the actor, in order."""
    names = [name.removesuffix(".weight") for name in _weights(algorithm) if name.endswith(".weight")]
    hidden, last = ([name for name in names if name.startswith(prefix)] for prefix in (_HIDDEN, _LAST))
    inner = sorted(hidden, key=lambda name: int(name.rsplit(".", 1)[1]))
    return tuple((f"{name}.weight", f"{name}.bias") for name in (*inner, *last))


def go_on(group: Any, steps: int, *, workers: int, only: list[int] | None = None) -> None:
    """Let workers' samplers know how many steps all have taken."""
    each = steps // workers
    group.foreach_env_runner(lambda worker: worker.env.env.go_on(each), remote_worker_ids=only)


def _network(learning: Learning) -> DefaultModelConfig:
    return DefaultModelConfig(
        fcnet_hiddens=list(learning.network), fcnet_activation="tanh", free_log_std=True, vf_share_layers=False
    )


def _begun(weights: dict[str, Array], learning: Learning) -> dict[str, Array]:
    """Return weights that start as our other learners do: hardly any action, and its deviation as it is set."""
    small = {name: value * _SMALL for name, value in weights.items() if name.startswith(_LAST)}
    return weights | small | {_DEVIATION: np.full_like(weights[_DEVIATION], learning.log_deviation)}


def _weights(algorithm: Algorithm) -> dict[str, Array]:
    found = algorithm.learner_group.get_weights()[DEFAULT_MODULE_ID]
    return {name: np.asarray(value) for name, value in found.items()}


def _put_weights(algorithm: Algorithm, weights: dict[str, Array]) -> None:
    algorithm.learner_group.set_weights({DEFAULT_MODULE_ID: weights})
    algorithm.env_runner_group.sync_weights(from_worker_or_learner_group=algorithm.learner_group, inference_only=True)


def _normaliser(algorithm: Algorithm) -> Normaliser:
    return _only_normaliser(algorithm.env_to_module_connector)


def _only_normaliser(pipeline: Any) -> Normaliser:
    return next(one for one in pipeline.connectors if isinstance(one, Normaliser))
