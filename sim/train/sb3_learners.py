"""Learners of Stable-Baselines3: built from settings, converted to the arrays of a policy, saved and restored.

Observations and rewards are normalised by running statistics. Variances have a floor, so that observations that are
constant in the twin (the size of an object) are not scaled up excessively in cousins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import VecNormalize

from cousins.errors import InputError
from cousins.geometry import Array
from sim.train.config import ALGORITHMS, EXPLORATION_DECAY, VARIANCE_FLOOR, Algorithm, LearningConfig
from sim.train.policies import OBSERVATION_COUNT, OBSERVATION_MEAN, OBSERVATION_VARIANCE
from sim.train.sb3 import Sb3VecEnv

RETURN_ARRAYS: Final = ("return.mean", "return.var", "return.count")
_LAYERS: Final = {"ppo": ("mlp_extractor.policy_net", "action_net"), "sac": ("actor.latent_pi", "actor.mu")}
_REPLAY_FIELDS: Final = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def normalise_env(env: Sb3VecEnv, learning: LearningConfig) -> VecNormalize:
    """Return the environment wrapped with running normalisation of observations and rewards."""
    return VecNormalize(env, gamma=learning.discount, epsilon=VARIANCE_FLOOR)


def make_learner(env: VecNormalize, learning: LearningConfig, *, seed: int) -> Any:
    """Return an untrained algorithm of Stable-Baselines3; raises `InputError` for an unknown one."""
    shared: dict[str, Any] = {"seed": seed, "device": "cpu", "gamma": learning.discount}
    shared |= {"learning_rate": learning.learning_rate}
    if learning.algorithm == "ppo":
        return PPO(
            "MlpPolicy",
            env,
            batch_size=dividing_batch_size(learning.rollout * env.num_envs, learning.batch),
            n_steps=learning.rollout,
            n_epochs=learning.epochs,
            ent_coef=learning.entropy,
            target_kl=learning.most_divergence,
            use_sde=learning.explore_steps > 0,
            sde_sample_freq=learning.explore_steps or -1,
            policy_kwargs={
                "net_arch": list(learning.network),
                "log_std_init": _weight_log_deviation(learning.log_deviation, learning),
            },
            **shared,
        )
    if learning.algorithm == "sac":
        return SAC(
            "MlpPolicy",
            env,
            batch_size=learning.batch,
            learning_starts=learning.warm_up,
            buffer_size=learning.buffer,
            train_freq=learning.every,
            gradient_steps=learning.gradient_steps,
            policy_kwargs={"net_arch": list(learning.network)},
            **shared,
        )
    raise InputError(
        f"algorithm {learning.algorithm!r}", expected="one of " + ", ".join(ALGORITHMS), hint="Type one of them."
    )


def bound_exploration(learner: Any, learning: LearningConfig, share: float) -> None:
    """Limit the standard deviation of PPO's actions to the bound at a share, 0 to 1, of its steps."""
    start_share, end_share = EXPLORATION_DECAY
    if learning.last_log_deviation is None or share <= start_share:
        return
    decay = min((share - start_share) / (end_share - start_share), 1.0)
    max_log_deviation = (1.0 - decay) * learning.log_deviation + decay * learning.last_log_deviation
    with torch.no_grad():
        learner.policy.log_std.clamp_(max=_weight_log_deviation(max_log_deviation, learning))


def _weight_log_deviation(log_deviation: float, learning: LearningConfig) -> float:
    """Return the parameter `log_std` that gives actions a deviation with this logarithm.

    With gSDE it is the logarithm of a weight on each unit of the last hidden layer: divided by the square root of the
    number of units, units with output 1 give the actions the requested deviation.
    """
    units = learning.network[-1] if learning.explore_steps > 0 else 1
    return log_deviation - 0.5 * math.log(units)


def dividing_batch_size(total: int, max_size: int) -> int:
    """Return the largest batch size of at most `max_size` that divides `total` transitions evenly."""
    return next(total // parts for parts in range(-(-total // max_size), total + 1) if total % parts == 0)


def policy_arrays(learner: Any) -> dict[str, Array]:
    """Return all weights and running statistics by name, arrays of any shape [...]: the content of a policy file."""
    arrays = {name: value.detach().numpy().copy() for name, value in learner.policy.state_dict().items()}
    env = learner.get_vec_normalize_env()
    observation_stats, return_stats = env.obs_rms, env.ret_rms
    arrays |= {
        OBSERVATION_MEAN: observation_stats.mean,
        OBSERVATION_VARIANCE: observation_stats.var,
        OBSERVATION_COUNT: np.array(observation_stats.count),
    }
    arrays |= dict(
        zip(
            RETURN_ARRAYS,
            (np.array(return_stats.mean), np.array(return_stats.var), np.array(return_stats.count)),
            strict=True,
        )
    )
    return {name: np.array(value) for name, value in arrays.items()}


def load_policy_arrays(learner: Any, arrays: Mapping[str, Array]) -> None:
    """Initialise a learner with arrays [...] of another one; raises `InputError` where shapes differ."""
    expected_shapes = {name: tuple(value.shape) for name, value in policy_arrays(learner).items()}
    if {name: tuple(value.shape) for name, value in arrays.items()} != expected_shapes:
        raise InputError(
            "a policy of other arrays than the learner's",
            expected="the same algorithm, network, task and body",
            hint="Start from a policy that was trained with the same settings.",
        )
    weights = {name: torch.as_tensor(np.array(arrays[name])) for name in learner.policy.state_dict()}
    learner.policy.load_state_dict(weights)
    env = learner.get_vec_normalize_env()
    env.obs_rms.mean, env.obs_rms.var = arrays[OBSERVATION_MEAN].copy(), arrays[OBSERVATION_VARIANCE].copy()
    env.obs_rms.count = float(arrays[OBSERVATION_COUNT])
    env.ret_rms.mean, env.ret_rms.var, env.ret_rms.count = (arrays[name][()] for name in RETURN_ARRAYS)


def layer_names(learner: Any, algorithm: Algorithm) -> tuple[tuple[str, str], ...]:
    """Return the names of weight and bias of each layer of the actor, in order."""
    hidden, last = _LAYERS[algorithm]
    names = [name.removesuffix(".weight") for name in learner.policy.state_dict() if name.endswith(".weight")]
    inner = sorted((name for name in names if name.startswith(hidden)), key=lambda name: int(name.rsplit(".", 1)[1]))
    return tuple((f"{name}.weight", f"{name}.bias") for name in (*inner, last))


def learner_state(learner: Any) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the complete state of a learner between two updates: arrays [...] by name, and numbers in JSON types."""
    env = learner.get_vec_normalize_env()
    arrays = {f"policy/{name}": value for name, value in policy_arrays(learner).items()}
    for name, optimiser in _optimisers(learner).items():
        for number, moments in optimiser.state_dict()["state"].items():
            arrays |= {f"optimiser/{name}/{number}/{key}": value.numpy().copy() for key, value in moments.items()}
    kind, keys, place, has_gauss, gauss = np.random.get_state()  # noqa: NPY002  Stable-Baselines3 draws from it
    arrays |= {
        "torch": torch.get_rng_state().numpy().copy(),
        "numpy": np.array(keys),
        "live/last": learner._last_obs.copy(),
        "live/starts": np.array(learner._last_episode_starts),
        "live/seen": np.array(env.old_obs),
        "live/returns": env.returns.copy(),
    }
    arrays |= _replay_arrays(learner)
    numbers = {
        "steps": learner.num_timesteps,
        "updates": learner._n_updates,
        "episodes": learner._episode_num,
        "numpy": [kind, int(place), int(has_gauss), float(gauss)],
        "sampling": learner.action_space.np_random.bit_generator.state,
    }
    return arrays, numbers


def restore_learner(learner: Any, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> None:
    """Restore the arrays [...] and numbers of `learner_state` in a learner with the same settings."""
    load_policy_arrays(
        learner, {name.removeprefix("policy/"): arrays[name] for name in arrays if name.startswith("policy/")}
    )
    for name, optimiser in _optimisers(learner).items():
        optimiser_state = optimiser.state_dict()
        optimiser_state["state"] = _optimiser_state(arrays, f"optimiser/{name}/")
        optimiser.load_state_dict(optimiser_state)
    kind, place, has_gauss, gauss = numbers["numpy"]
    np.random.set_state((kind, arrays["numpy"], place, has_gauss, gauss))  # noqa: NPY002
    torch.set_rng_state(torch.as_tensor(np.array(arrays["torch"])))
    learner.action_space.np_random.bit_generator.state = numbers["sampling"]
    env = learner.get_vec_normalize_env()
    env.old_obs, env.returns = arrays["live/seen"].copy(), arrays["live/returns"].copy()
    learner._last_obs, learner._last_original_obs = arrays["live/last"].copy(), arrays["live/seen"].copy()
    learner._last_episode_starts = arrays["live/starts"].copy()
    learner.num_timesteps, learner._n_updates = numbers["steps"], numbers["updates"]
    learner._episode_num = numbers["episodes"]
    _restore_replay(learner, arrays)


def _optimiser_state(arrays: Mapping[str, Array], prefix: str) -> dict[int, dict[str, torch.Tensor]]:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name in arrays:
        if name.startswith(prefix):
            number, key = name.removeprefix(prefix).split("/")
            state.setdefault(int(number), {})[key] = torch.as_tensor(np.array(arrays[name]))
    return state


def _optimisers(learner: Any) -> dict[str, Any]:
    if isinstance(learner, PPO):
        return {"policy": learner.policy.optimizer}
    return {
        "actor": learner.actor.optimizer,
        "critic": learner.critic.optimizer,
        "entropy": learner.ent_coef_optimizer,
    }


def _replay_arrays(learner: Any) -> dict[str, Array]:
    """Return the filled part of SAC's replay buffer, and its temperature."""
    if isinstance(learner, PPO):
        return {}
    replay_buffer = learner.replay_buffer
    filled_count = replay_buffer.buffer_size if replay_buffer.full else replay_buffer.pos
    arrays = {f"replay/{name}": getattr(replay_buffer, name)[:filled_count].copy() for name in _REPLAY_FIELDS}
    place = np.array([replay_buffer.pos, int(replay_buffer.full)])
    return arrays | {"replay/place": place, "temperature": learner.log_ent_coef.detach().numpy().copy()}


def _restore_replay(learner: Any, arrays: Mapping[str, Array]) -> None:
    if isinstance(learner, PPO):
        return
    replay_buffer = learner.replay_buffer
    for name in _REPLAY_FIELDS:
        values = arrays[f"replay/{name}"]
        getattr(replay_buffer, name)[: len(values)] = values
    place, full = arrays["replay/place"].tolist()
    replay_buffer.pos, replay_buffer.full = place, bool(full)
    with torch.no_grad():
        learner.log_ent_coef.copy_(torch.as_tensor(np.array(arrays["temperature"])))
