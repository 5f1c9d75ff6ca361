"""Interface of policies that can be evaluated: policy files of this package, or Python code of a user."""

from __future__ import annotations

from typing import Protocol

from cousins.geometry import Array


class EnvRequirements(Protocol):
    """The environment that a policy requires."""

    @property
    def task(self) -> str:
        """Name of the task."""
        ...

    @property
    def body(self) -> str | None:
        """Name of the body; None for the task's first."""
        ...

    @property
    def control(self) -> str:
        """Name of the control."""
        ...

    @property
    def control_hz(self) -> float:
        """Actions per second [Hz]."""
        ...


class Actor(Protocol):
    """A policy that can be evaluated."""

    @property
    def card(self) -> EnvRequirements:
        """The environment that it requires."""
        ...

    def require_fit(self, observations: int, actions: int) -> None:
        """Raise `InputError` for worlds with other numbers of observations or actions."""
        ...

    def begin(self) -> None:
        """Reset the policy's memory: episodes begin in all rows."""
        ...

    def act(self, observations: Array) -> Array:
        """Return actions [n, m] for observations [n, k]."""
        ...
