"""The policy of `cousins eval`, `record` and `film`, and the worlds that it acts in."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cousins.extras import requires_extra

if TYPE_CHECKING:
    from sim.envs.vector_env import CousinsVectorEnv
    from sim.recording.recording_envs import RecordingEnvConfig
    from sim.recording.rollouts import Rollout
    from sim.train.actors import Actor

RANDOM = "random"
"""Policy that draws its actions at random."""
MADE_FOR = ("task", "body", "control", "control_hz")
"""Settings of the worlds that a policy was made for, typed by the user where the policy does not declare them."""


def actor_of(arguments: argparse.Namespace) -> Actor:
    """Return the policy of a folder or of a Python file; raises `InputError`."""
    with requires_extra("rl"):
        from sim.train.policy_loading import load_policy
    return load_policy(arguments.policy, **_typed_options(arguments))


def acting(arguments: argparse.Namespace) -> tuple[Actor | None, RecordingEnvConfig]:
    """Return a policy (None: chance) and the worlds that it was made for; raises `InputError`."""
    from sim.recording.recording_envs import RecordingEnvConfig

    world_options: dict[str, Any] = {"engine": arguments.engine, "shadow": arguments.shadow}
    if arguments.policy == RANDOM:
        return None, RecordingEnvConfig(**_typed_options(arguments), **world_options)
    actor = actor_of(arguments)
    return actor, RecordingEnvConfig(**{name: getattr(actor.card, name) for name in MADE_FOR}, **world_options)


def rollouts(
    env: CousinsVectorEnv, episodes: Sequence[tuple[int, int]], actor: Actor | None, *, seed: int
) -> Iterator[Rollout]:
    """Yield the rollouts of a policy (None: chance) in episodes; raises `InputError` where it does not fit."""
    from sim.recording import collect_rollouts
    from sim.train.policies import require_columns

    if actor is None:
        return collect_rollouts(env, episodes, seed=seed)
    actor.require_fit(env.observation_space["policy"].shape[1], env.action_space.shape[1])
    require_columns(actor, env.columns)
    return collect_rollouts(env, episodes, act=actor.act, begin=actor.begin, seed=seed)


def _typed_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what was typed of `MADE_FOR`."""
    typed = {name: getattr(arguments, name) for name in MADE_FOR}
    return {name: value for name, value in typed.items() if value is not None}
