"""Policies to evaluate, by path: folders that `cousins train` wrote, and Python files of a user."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cousins.errors import InputError
from sim.train.actors import Actor
from sim.train.policies import read_policy
from sim.train.python_policies import PYTHON_SUFFIX, PythonPolicy, PythonPolicyCard

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
    """Return the policy of a folder, or of a Python file with `act(observations)` and maybe `reset()`.

    The keywords name the environment that a Python file was written for; a policy folder declares its own, and
    another value raises `InputError`. `control_hz` is in actions per second.
    """
    source = Path(path)
    requested: dict[str, str | float | None] = {
        "task": task,
        "body": body,
        "control": control,
        "control_hz": control_hz,
    }
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
    for name, value in requested.items():
        declared = getattr(policy.card, name)
        if value is not None and value != declared:
            flag = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{flag} {value} for a policy that knows {declared}",
                expected=f"its own {name}",
                hint=f"Leave {flag} out: it is for policies that do not declare it.",
            )
    return policy
