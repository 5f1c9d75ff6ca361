"""Who acts in `cousins eval`, `record` and `film`, and in which worlds."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cousins.errors import InputError
from flows.extras import needing

if TYPE_CHECKING:
    from sim.envs.vector_env import CousinsVectorEnv
    from sim.recording.recording_envs import Setting
    from sim.recording.rollouts import Rollout
    from sim.train.actors import Actor

RANDOM = "random"
"""Who acts by chance."""
MADE_FOR = ("task", "body", "control", "control_hz")
"""What is told of the worlds that a policy was made for, where it does not tell so itself."""


def actor_of(arguments: argparse.Namespace) -> Actor:
    """Return the policy of a folder or of a Python file; raises `InputError`."""
    with needing("rl"):
        from sim.train.policies import read_policy
        from sim.train.python_policies import SUFFIX, MadeFor, PythonPolicy
    path, asked = Path(arguments.policy), _asked(arguments)
    if path.suffix == SUFFIX:
        return PythonPolicy(path, MadeFor(**({"task": "push"} | asked)))
    policy = read_policy(path)
    for name, value in asked.items():
        own = getattr(policy.card, name)
        if value != own:
            raise InputError(
                f"--{name.replace('_', '-')} {value} for a policy that knows {own}",
                expected=f"its own {name}",
                hint=f"Leave --{name.replace('_', '-')} out: it is for what does not tell itself.",
            )
    return policy


def acting(arguments: argparse.Namespace) -> tuple[Actor | None, Setting]:
    """Return a policy (None: chance) and the worlds that it was made for; raises `InputError`."""
    from sim.recording.recording_envs import Setting

    where: dict[str, Any] = {"engine": arguments.engine, "shadow": arguments.shadow}
    if arguments.policy == RANDOM:
        return None, Setting(**_asked(arguments), **where)
    actor = actor_of(arguments)
    return actor, Setting(**{name: getattr(actor.card, name) for name in MADE_FOR}, **where)


def rollouts(
    env: CousinsVectorEnv, episodes: Sequence[tuple[int, int]], actor: Actor | None, *, seed: int
) -> Iterator[Rollout]:
    """Yield the rollouts of a policy (None: chance) in episodes; raises `InputError` where it does not fit."""
    from sim.recording import gather

    if actor is None:
        return gather(env, episodes, seed=seed)
    actor.require_fit(env.observation_space["policy"].shape[1], env.action_space.shape[1])
    return gather(env, episodes, act=actor.act, begin=actor.begin, seed=seed)


def _asked(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what was typed of `MADE_FOR`."""
    typed = {name: getattr(arguments, name) for name in MADE_FOR}
    return {name: value for name, value in typed.items() if value is not None}
