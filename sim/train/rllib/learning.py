"""PPO of RLlib: built from settings, converted to the arrays of a policy, and initialised from them."""

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
from sim.train.config import LearningConfig, TrainingConfig
from sim.train.policies import OBSERVATION_COUNT, OBSERVATION_MEAN, OBSERVATION_VARIANCE
from sim.train.rllib.normalising import NO_OBSERVATIONS, Moments, ObservationNormaliser
from sim.train.rllib.rows import ROWS_ENV_ID, rows_per_worker
from sim.train.training_progress import CURVE_METRICS

EPISODES_METRIC: Final = "cousins_episodes"
"""Name of the logged number of ended episodes."""
WORKER_RESTORE_TIMEOUT_S: Final = 120.0
"""Time limit for a replaced worker to start [s]."""
_LOG_DEVIATION: Final = "pi.log_std"
_LAST_LAYER: Final = "pi.net.mlp"
_HIDDEN_LAYERS: Final = "encoder.actor_encoder.net.mlp"
_LAST_LAYER_SCALE: Final = 0.01
"""Initial scale of the actor's last layer, so that the first actions are near zero."""


class _EpisodeCounter(RLlibCallback):
    """Counts the episodes of a worker as they end."""

    def on_episode_end(self, *, episode: Any, metrics_logger: Any, **unused: Any) -> None:
        """Log the metrics of an episode as sums."""
        del unused
        metrics = episode.get_infos(-1)
        metrics_logger.log_value(EPISODES_METRIC, 1, reduce="sum")
        for name in CURVE_METRICS:
            metrics_logger.log_value(f"{EPISODES_METRIC}_{name}", float(metrics[name]), reduce="sum")

    def on_env_runners_recreated(
        self, *, algorithm: Any, env_runner_group: Any, env_runner_indices: list[int], **unused: Any
    ) -> None:
        """Set the number of steps taken in workers that replace dead ones."""
        del unused
        steps = algorithm.metrics.peek((ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME), default=0)
        set_steps_taken(
            env_runner_group, int(steps), workers=algorithm.config.num_env_runners, worker_ids=env_runner_indices
        )


def make_algorithm(pack: str, training: TrainingConfig, *, workers: int) -> Algorithm:
    """Return PPO of RLlib with `workers` workers; Ray must be running, and `register` must have been called."""
    learning, rows = training.learning, rows_per_worker(training, workers)
    config = (
        PPOConfig()
        .environment(ROWS_ENV_ID, env_config={"pack": pack, "training": training, "workers": workers})
        .env_runners(
            num_env_runners=workers,
            num_envs_per_env_runner=rows,
            gym_env_vectorize_mode="vector_entry_point",
            rollout_fragment_length=learning.rollout,
            env_to_module_connector=lambda *_, **__: ObservationNormaliser(),
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
            train_batch_size_per_learner=learning.rollout * rows * workers,
            minibatch_size=min(learning.batch, learning.rollout * rows * workers),
        )
        .rl_module(model_config=_model_config(learning))
        .fault_tolerance(
            restart_failed_env_runners=True,
            restart_failed_sub_environments=False,
            env_runner_restore_timeout_s=WORKER_RESTORE_TIMEOUT_S,
        )
        .callbacks(_EpisodeCounter)
        .debugging(seed=training.seed, log_level="CRITICAL")
        .reporting(min_time_s_per_iteration=0, min_sample_timesteps_per_iteration=0)
    )
    config.clip_actions, config.normalize_actions = True, False
    algorithm = config.build_algo()
    _put_weights(algorithm, _initial_weights(_weights(algorithm), learning))
    return algorithm


def policy_arrays(algorithm: Algorithm) -> dict[str, Array]:
    """Return all weights and running statistics by name, arrays of any shape [...]: the content of a policy file."""
    moments = _normaliser(algorithm).merged
    weights = {name: np.array(value) for name, value in _weights(algorithm).items() if not name.endswith("_const")}
    return weights | {
        OBSERVATION_MEAN: moments.mean,
        OBSERVATION_VARIANCE: moments.variance,
        OBSERVATION_COUNT: np.array(moments.count),
    }


def load_policy_arrays(algorithm: Algorithm, arrays: Mapping[str, Array]) -> None:
    """Initialise an algorithm with arrays [...] of another one; raises `InputError` where shapes differ."""
    weights = _weights(algorithm)
    expected_shapes = {name: value.shape for name, value in weights.items() if not name.endswith("_const")}
    if {name: value.shape for name, value in arrays.items() if not name.startswith("observation.")} != expected_shapes:
        raise InputError(
            "a policy of other arrays than RLlib's",
            expected="one that --runner ray trained, with the same network, task and body",
            hint="Start from another policy, or leave out --runner ray.",
        )
    _put_weights(algorithm, weights | {name: arrays[name] for name in expected_shapes})
    count = float(arrays[OBSERVATION_COUNT])
    moments = Moments(count=count, mean=arrays[OBSERVATION_MEAN], squares=arrays[OBSERVATION_VARIANCE] * count)
    state = {"known": moments.to_list(), "fresh": NO_OBSERVATIONS.to_list()}
    _normaliser(algorithm).set_state(state)
    group = algorithm.env_runner_group
    group.foreach_env_runner(lambda worker: _normaliser_in(worker._env_to_module).set_state(state))


def layer_names(algorithm: Algorithm) -> tuple[tuple[str, str], ...]:
    """Return the names of weight and bias of each layer of the actor, in order."""
    names = [name.removesuffix(".weight") for name in _weights(algorithm) if name.endswith(".weight")]
    hidden, last = ([name for name in names if name.startswith(prefix)] for prefix in (_HIDDEN_LAYERS, _LAST_LAYER))
    inner = sorted(hidden, key=lambda name: int(name.rsplit(".", 1)[1]))
    return tuple((f"{name}.weight", f"{name}.bias") for name in (*inner, *last))


def set_steps_taken(group: Any, steps: int, *, workers: int, worker_ids: list[int] | None = None) -> None:
    """Set the number of steps taken in the samplers of workers; all `workers` together have taken `steps`."""
    worker_steps = steps // workers
    group.foreach_env_runner(lambda worker: worker.env.env.set_steps_taken(worker_steps), remote_worker_ids=worker_ids)


def _model_config(learning: LearningConfig) -> DefaultModelConfig:
    return DefaultModelConfig(
        fcnet_hiddens=list(learning.network), fcnet_activation="tanh", free_log_std=True, vf_share_layers=False
    )


def _initial_weights(weights: dict[str, Array], learning: LearningConfig) -> dict[str, Array]:
    """Return initial weights like those of the other learners: actions near zero, with the configured deviation."""
    scaled_last_layer = {
        name: value * _LAST_LAYER_SCALE for name, value in weights.items() if name.startswith(_LAST_LAYER)
    }
    return weights | scaled_last_layer | {_LOG_DEVIATION: np.full_like(weights[_LOG_DEVIATION], learning.log_deviation)}


def _weights(algorithm: Algorithm) -> dict[str, Array]:
    module_weights = algorithm.learner_group.get_weights()[DEFAULT_MODULE_ID]
    return {name: np.asarray(value) for name, value in module_weights.items()}


def _put_weights(algorithm: Algorithm, weights: dict[str, Array]) -> None:
    algorithm.learner_group.set_weights({DEFAULT_MODULE_ID: weights})
    algorithm.env_runner_group.sync_weights(from_worker_or_learner_group=algorithm.learner_group, inference_only=True)


def _normaliser(algorithm: Algorithm) -> ObservationNormaliser:
    return _normaliser_in(algorithm.env_to_module_connector)


def _normaliser_in(pipeline: Any) -> ObservationNormaliser:
    return next(connector for connector in pipeline.connectors if isinstance(connector, ObservationNormaliser))
