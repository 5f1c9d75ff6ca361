"""Who acts in `cousins record` and `cousins film`, and in which worlds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cousins.errors import InputError
from flows.extras import needing

if TYPE_CHECKING:
    from sim.recording.gathering import Act
    from sim.recording.worlds import Setting

RANDOM = "random"
"""Who acts by chance."""


def acting(arguments: argparse.Namespace) -> tuple[Act | None, Setting]:
    """Return what a policy does (None: chance) and the worlds that it was made for; raises `InputError`."""
    from sim.recording.worlds import Setting

    if arguments.policy == RANDOM:
        task = arguments.task or "push"
        return None, Setting(task=task, body=arguments.body, engine=arguments.engine, shadow=arguments.shadow)
    with needing("rl"):
        from sim.train.policies import read_policy
    policy = read_policy(Path(arguments.policy))
    card = policy.card
    for name, own in (("task", card.task), ("body", card.body)):
        asked = getattr(arguments, name)
        if asked not in (None, own):
            raise InputError(
                f"--{name} {asked} for a policy that knows {own}",
                expected=f"its own {name}",
                hint=f"Leave --{name} out: it is for `{RANDOM}`.",
            )
    setting = Setting(
        task=card.task,
        body=card.body,
        control=card.control,
        control_hz=card.control_hz,
        engine=arguments.engine,
        shadow=arguments.shadow,
    )
    return policy.act, setting
