"""Policies to evaluate: folders that `cousins train` wrote, Python files of a user, and servers by `ws://` address."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cousins.errors import InputError
from cousins.extras import requires_extra
from sim.train.actors import Actor, EnvRequirements
from sim.train.policies import read_policy
from sim.train.python_policies import PYTHON_SUFFIX, PythonPolicy, PythonPolicyCard

WIRE_SCHEMES: Final = ("ws://", "wss://")
DEFAULT_TASK: Final = "push"
"""Task of a Python policy where none is named."""


def load_policy(
    path: Path | str,
    *,
    task: str | None = None,
    body: str | None = None,
    control: str | None = None,
    control_hz: float | None = None,
) -> Actor:
    """Return the policy of a folder, of a Python file with `act(observations)` and maybe `reset()`, or of a server.

    The keywords name the environment that a Python file or a server of another project was written for; a policy folder
    and a server of `cousins policy serve` declare their own, and another value raises `InputError`. `control_hz` is in
    actions per second.
    """
    requested: dict[str, str | float | None] = {
        "task": task,
        "body": body,
        "control": control,
        "control_hz": control_hz,
    }
    if str(path).startswith(WIRE_SCHEMES):
        return wire_policy(str(path), requested)
    source = Path(path)
    if source.suffix == PYTHON_SUFFIX:
        defaults = PythonPolicyCard(task=DEFAULT_TASK)
        return PythonPolicy(
            source,
            PythonPolicyCard(
                task=task or defaults.task,
                body=body,
                control=control or defaults.control,
                control_hz=control_hz or defaults.control_hz,
            ),
        )
    policy = read_policy(source)
    require_declared(policy.card, requested)
    return policy


def wire_policy(url: str, requested: Mapping[str, str | float | None]) -> Actor:
    """Return the policy behind an address; raises `InputError` where nobody answers, or another kind of server does."""
    with requires_extra("cells"):
        from sim.wire.policies import WirePolicy
    policy = WirePolicy(url, PythonPolicyCard(task=str(requested["task"] or DEFAULT_TASK)), requested)
    if policy.metadata_card is not None:
        require_declared(policy.metadata_card, requested)
    return policy


def require_declared(card: EnvRequirements, requested: Mapping[str, str | float | None]) -> None:
    """Raise `InputError` where something else was typed than a policy declares."""
    for name, value in requested.items():
        declared = getattr(card, name)
        if value is not None and value != declared:
            flag = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{flag} {value} for a policy that knows {declared}",
                expected=f"its own {name}",
                hint=f"Leave {flag} out: it is for policies that do not declare it.",
            )
