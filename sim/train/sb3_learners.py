"""Learners of Stable-Baselines3 as arrays: made from settings, turned into a policy, saved whole and put back.

Observations and rewards are normalised by running means. A variance gets a floor, so that what never changes in the
twin (an object's size) is not blown up where it does.
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
from sim.train.config import ALGORITHMS, FLOOR, QUIETING, Algorithm, Learning
from sim.train.policies import COUNT, MEAN, VARIANCE
from sim.train.sb3 import Sb3VecEnv

RETURNS: Final = ("return.mean", "return.var", "return.count")
_LAYERS: Final = {"ppo": ("mlp_extractor.policy_net", "action_net"), "sac": ("actor.latent_pi", "actor.mu")}
_REPLAYED: Final = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def normalised(env: Sb3VecEnv, learning: Learning) -> VecNormalize:
    """Return the environment with normalised observations and rewards."""
    return VecNormalize(env, gamma=learning.discount, epsilon=FLOOR)


def make_learner(env: VecNormalize, learning: Learning, *, seed: int) -> Any:
    """Return an algorithm of Stable-Baselines3 that has not learned yet; raises `InputError` for an unknown one."""
    shared: dict[str, Any] = {"seed": seed, "device": "cpu", "gamma": learning.discount}
    shared |= {"learning_rate": learning.learning_rate}
    if learning.algorithm == "ppo":
        return PPO(
            "MlpPolicy",
            env,
            batch_size=even_batch(learning.rollout * env.num_envs, learning.batch),
            n_steps=learning.rollout,
            n_epochs=learning.epochs,
            ent_coef=learning.entropy,
            target_kl=learning.most_divergence,
            use_sde=learning.explore_steps > 0,
            sde_sample_freq=learning.explore_steps or -1,
            policy_kwargs={
                "net_arch": list(learning.network),
                "log_std_init": _of_weights(learning.log_deviation, learning),
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


def bound_exploration(learner: Any, learning: Learning, share: float) -> None:
    """Let actions deviate no more than PPO may after so large a share of its steps."""
    begins, ends = QUIETING
    if learning.last_log_deviation is None or share <= begins:
        return
    way = min((share - begins) / (ends - begins), 1.0)
    most = (1.0 - way) * learning.log_deviation + way * learning.last_log_deviation
    with torch.no_grad():
        learner.policy.log_std.clamp_(max=_of_weights(most, learning))


def _of_weights(log_deviation: float, learning: Learning) -> float:
    """Return the logarithm as the algorithm keeps it.

    With gSDE it is that of a weight on each unit of the last hidden layer: divided by the root of their number, units
    at 1 give the actions the deviation that is asked for.
    """
    units = learning.network[-1] if learning.explore_steps > 0 else 1
    return log_deviation - 0.5 * math.log(units)


def even_batch(total: int, most: int) -> int:
    """Return the largest size of no more than `most` into which so many transitions divide without a rest."""
    return next(total // parts for parts in range(-(-total // most), total + 1) if total % parts == 0)


def arrays_of(learner: Any) -> dict[str, Array]:
    """Return all weights and running means: what a policy file holds."""
    found = {name: value.detach().numpy().copy() for name, value in learner.policy.state_dict().items()}
    env = learner.get_vec_normalize_env()
    seen, returns = env.obs_rms, env.ret_rms
    found |= {MEAN: seen.mean, VARIANCE: seen.var, COUNT: np.array(seen.count)}
    found |= dict(zip(RETURNS, (np.array(returns.mean), np.array(returns.var), np.array(returns.count)), strict=True))
    return {name: np.array(value) for name, value in found.items()}


def put_arrays(learner: Any, found: Mapping[str, Array]) -> None:
    """Let a learner start from the arrays of another one; raises `InputError` where they are of another shape."""
    wanted = {name: tuple(value.shape) for name, value in arrays_of(learner).items()}
    if {name: tuple(value.shape) for name, value in found.items()} != wanted:
        raise InputError(
            "a policy of other arrays than the learner's",
            expected="the same algorithm, network, task and body",
            hint="Start from a policy that was trained with the same settings.",
        )
    weights = {name: torch.as_tensor(np.array(found[name])) for name in learner.policy.state_dict()}
    learner.policy.load_state_dict(weights)
    env = learner.get_vec_normalize_env()
    env.obs_rms.mean, env.obs_rms.var = found[MEAN].copy(), found[VARIANCE].copy()
    env.obs_rms.count = float(found[COUNT])
    env.ret_rms.mean, env.ret_rms.var, env.ret_rms.count = (found[name][()] for name in RETURNS)


def layers_of(learner: Any, algorithm: Algorithm) -> tuple[tuple[str, str], ...]:
    """Return the names of weight and bias of each layer of the actor, in order."""
    hidden, last = _LAYERS[algorithm]
    names = [name.removesuffix(".weight") for name in learner.policy.state_dict() if name.endswith(".weight")]
    inner = sorted((name for name in names if name.startswith(hidden)), key=lambda name: int(name.rsplit(".", 1)[1]))
    return tuple((f"{name}.weight", f"{name}.bias") for name in (*inner, last))


def state_of(learner: Any) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return all that decides a learner's future, between two updates: arrays, and numbers in JSON's types."""
    env = learner.get_vec_normalize_env()
    arrays = {f"policy/{name}": value for name, value in arrays_of(learner).items()}
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
    arrays |= _replayed(learner)
    numbers = {
        "steps": learner.num_timesteps,
        "updates": learner._n_updates,
        "episodes": learner._episode_num,
        "numpy": [kind, int(place), int(has_gauss), float(gauss)],
        "sampling": learner.action_space.np_random.bit_generator.state,
    }
    return arrays, numbers


def put_state(learner: Any, arrays: Mapping[str, Array], numbers: Mapping[str, Any]) -> None:
    """Put back what `state_of` told of a learner that was made alike."""
    put_arrays(learner, {name.removeprefix("policy/"): arrays[name] for name in arrays if name.startswith("policy/")})
    for name, optimiser in _optimisers(learner).items():
        told = optimiser.state_dict()
        told["state"] = _moments(arrays, f"optimiser/{name}/")
        optimiser.load_state_dict(told)
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
    _put_replayed(learner, arrays)


def _moments(arrays: Mapping[str, Array], prefix: str) -> dict[int, dict[str, torch.Tensor]]:
    found: dict[int, dict[str, torch.Tensor]] = {}
    for name in arrays:
        if name.startswith(prefix):
            number, key = name.removeprefix(prefix).split("/")
            found.setdefault(int(number), {})[key] = torch.as_tensor(np.array(arrays[name]))
    return found


def _optimisers(learner: Any) -> dict[str, Any]:
    if isinstance(learner, PPO):
        return {"policy": learner.policy.optimizer}
    return {
        "actor": learner.actor.optimizer,
        "critic": learner.critic.optimizer,
        "entropy": learner.ent_coef_optimizer,
    }


def _replayed(learner: Any) -> dict[str, Array]:
    """Return what SAC remembers, and its temperature."""
    if isinstance(learner, PPO):
        return {}
    kept = learner.replay_buffer
    filled = kept.buffer_size if kept.full else kept.pos
    found = {f"replay/{name}": getattr(kept, name)[:filled].copy() for name in _REPLAYED}
    place = np.array([kept.pos, int(kept.full)])
    return found | {"replay/place": place, "temperature": learner.log_ent_coef.detach().numpy().copy()}


def _put_replayed(learner: Any, arrays: Mapping[str, Array]) -> None:
    if isinstance(learner, PPO):
        return
    kept = learner.replay_buffer
    for name in _REPLAYED:
        values = arrays[f"replay/{name}"]
        getattr(kept, name)[: len(values)] = values
    place, full = arrays["replay/place"].tolist()
    kept.pos, kept.full = place, bool(full)
    with torch.no_grad():
        learner.log_ent_coef.copy_(torch.as_tensor(np.array(arrays["temperature"])))
